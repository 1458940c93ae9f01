"""What a ledger holds, as JSON that can be kept and put back: {key: [type, what is in it]}, bytes as Latin-1 text.

    python -m tests.stored FILE

writes the ledger of one small repository as the checked-out version stores it: commits expired, reported, analysed,
given up on, waiting for their analysis and waiting for everything. tests/payloads/ledger__0_1_0.json was made so at
commit ff35a16.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from core.ledger import Stage
from core.models import Diff
from core.redis_server import RedisServer
from core.settings import RepositorySettings, Settings
from tests.gitclone import Clone
from tests.patches import edited
from tests.pushes import LANDED, REPOSITORY, commit, push, sha
from workers.app import message
from workers.days import close_due_days
from workers.facts import facts_from
from workers.retention import expire_due
from workers.rules import load_rules
from workers.services import Services, connect
from workers.stages import analyse_commit, give_up
from workers.triage import triage

EXPIRED, REPORTED, REVERT, ANALYSED, GIVEN_UP, FETCHED, RECEIVED = range(1, 8)
OLD = LANDED - timedelta(days=2)
MESSAGES = {
    EXPIRED: "Parse headers twice (#11)",
    REPORTED: "Add `--strict` to the parser (#12)",
    REVERT: f'Revert "Add `--strict` to the parser (#12)" (#13)\n\nThis reverts commit {sha(REPORTED)}.',
    ANALYSED: "修复空输入时的崩溃 (#14)",
    GIVEN_UP: "Fix a hang (#15)",
    FETCHED: "Speed the parser up (#16)",
    RECEIVED: "Document the parser (#17)",
}


def main() -> None:
    """Make the ledger and write it down."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder) / "redis")
        server.start()
        try:
            services = connect(settings(Path(folder)), server.url)
            live(services)
            Path(sys.argv[1]).write_text(json.dumps(dumped(services.ledger.redis), indent=0, sort_keys=True) + "\n")
            services.ledger.close()
        finally:
            server.stop()


def settings(folder: Path) -> Settings:
    """One repository that is read from a clone."""
    clone = Clone(folder / "clone")
    clone.commit("long ago", {"a": "1"}, when=LANDED - timedelta(days=400))
    followed = RepositorySettings(name=REPOSITORY, source=str(clone.path))
    return Settings(report_dir=folder / "reports", report_time=time(0, 30), report_grace_minutes=60, ledger_days=1,
                    daybook_repositories=(followed,))  # fmt: skip


def live(services: Services) -> None:
    """What the repository lives through."""
    day = timedelta(days=1)
    for number, landed_at in ((EXPIRED, OLD), (REPORTED, LANDED), (REVERT, LANDED)):
        _receive(services, number, landed_at)
        _analyse(services, _fetch(services, number))
    services.ledger.redis.hset("daybook:repositories", REPOSITORY, OLD.timestamp())
    for minute in range(3):
        close_due_days(services, LANDED + day + timedelta(minutes=minute))
    assert expire_due(services, LANDED + day) == 1
    services.ledger.redis.delete("daybook:turn:retention")
    for number in (ANALYSED, GIVEN_UP, FETCHED, RECEIVED):
        _receive(services, number, LANDED + day)
    _analyse(services, _fetch(services, ANALYSED))
    claim = services.ledger.claim(f"{REPOSITORY}@{sha(GIVEN_UP)}", Stage.FETCH)
    assert claim
    give_up(services, claim, "529 overloaded")
    _fetch(services, FETCHED)


def _receive(services: Services, number: int, landed_at: datetime) -> None:
    one = push([], landed_at=landed_at, delivery=f"delivery-{number}")
    told = commit(number, landed_at=landed_at, message=MESSAGES[number])
    services.ledger.receive(one.model_copy(update={"commits": (told,)}), [message("fetch", told.id)])


def _fetch(services: Services, number: int) -> str:
    claim = services.ledger.claim(f"{REPOSITORY}@{sha(number)}", Stage.FETCH)
    assert claim
    diff = _diff(number)
    facts = facts_from(claim.record.commit, diff)
    judged = triage(claim.record.commit, facts, load_rules(), services.repository(REPOSITORY))
    record = claim.record.model_copy(update={"facts": facts, "triage": judged})
    assert services.ledger.advance(claim, record, Stage.ANALYSE, diff, message("analyse", claim.id))
    return claim.id


def _diff(number: int) -> Diff:
    change = edited("parser/core.py", "a = 1", "a = 2")
    return Diff(sha=sha(number), parents=(sha(0),), files=(change,), additions=1, deletions=1)


def _analyse(services: Services, commit_id: str) -> None:
    claim = services.ledger.claim(commit_id, Stage.ANALYSE)
    assert claim
    assert analyse_commit(services, claim)


def dumped(redis: Any) -> dict[str, Any]:
    """Every key that has no end of its own, and the queues."""
    found: dict[str, Any] = {}
    for key in sorted(redis.keys("*")):
        kind = redis.type(key).decode()
        if redis.ttl(key) < 0 or not key.startswith((b"daybook:finished:", b"daybook:lock:", b"daybook:turn:")):
            found[_text(key)] = [kind, READERS[kind](redis, key)]
    return found


def restored(redis: Any, kept: dict[str, Any]) -> None:
    """Put back what `dumped` gave, into an empty Redis."""
    for name, (kind, held) in kept.items():
        WRITERS[kind](redis, _raw(name), held)


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")


def _raw(text: str) -> bytes:
    return text.encode("latin-1")


READERS: dict[str, Callable[[Any, bytes], Any]] = {
    "string": lambda redis, key: _text(redis.get(key)),
    "hash": lambda redis, key: {_text(field): _text(value) for field, value in redis.hgetall(key).items()},
    "zset": lambda redis, key: [[_text(member), score] for member, score in redis.zrange(key, 0, -1, withscores=True)],
    "set": lambda redis, key: sorted(map(_text, redis.smembers(key))),
    "list": lambda redis, key: list(map(_text, redis.lrange(key, 0, -1))),
}
WRITERS: dict[str, Callable[[Any, bytes, Any], Any]] = {
    "string": lambda redis, key, held: redis.set(key, _raw(held)),
    "hash": lambda redis, key, held: redis.hset(key, mapping={_raw(one): _raw(two) for one, two in held.items()}),
    "zset": lambda redis, key, held: redis.zadd(key, {_raw(member): score for member, score in held}),
    "set": lambda redis, key, held: redis.sadd(key, *map(_raw, held)),
    "list": lambda redis, key, held: redis.rpush(key, *map(_raw, held)),
}


if __name__ == "__main__":
    main()
