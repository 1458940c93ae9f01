"""Ledger: what is known of every commit and what is still to be done; the only file that knows Redis keys.

Keys, all under `daybook:` (ID is `owner/name@sha`, each change of several keys is one Lua script of core/lua):

    record:ID            string  zlib JSON CommitRecord                     until its report's retention ends
    diff:ID              string  zlib JSON Diff, secrets taken out          until analysed, at most 7 days
    work:ID              hash    stage, token, attempts, losses …           until finished
    due:STAGE            zset    ID → when the sweep must look at it        until finished
    open                 zset    ID → when it was received                  until finished
    suspects             zset    ID → since when                            until finished
    suspect              string  the suspect that is being worked on        overwritten
    failed               zset    ID → when it was given up                  until retried or dropped
    landed:REPOSITORY    zset    sha → landing order (unix seconds)         as its records
    pushes:REPOSITORY    zset    push JSON → pushed at                      the latest 5,000
    heads:REPOSITORY     hash    branch → JSON {sha, pushed_at}             for ever
    repositories         hash    name → first seen                          for ever
    dirty                zset    "REPOSITORY DAY" → last change             until its report is assembled
    report:REPOSITORY:DAY  string  zlib JSON of the report                  for ever
    reports:REPOSITORY   zset    DAY → its ordinal                          for ever
    lock:NAME            string  a lock's token                             seconds
    count:DAY            hash    counters of a report day                   400 days
    totals               hash    counters since the beginning               for ever
"""

from __future__ import annotations

import json
import secrets
import zlib
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.models import CommitRecord, Diff, Push

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

P = "daybook:"
LEASE_SECONDS = 30.0
PATIENCE_SECONDS = 30.0  # how long a message may be missing before its commit is queued again
DIFF_SECONDS = 7 * 86400
MOST_LOSSES = 5
SWEEP_LIMIT = 1000
SUSPECT_QUEUE = "suspect"


class Stage(StrEnum):
    """The stages a commit passes; each is also the name of its queue."""

    FETCH = "fetch"
    ANALYSE = "analyse"


@dataclass(frozen=True)
class Claim:
    """A lease on one commit's stage: what is known of it, and the token that proves the holder."""

    record: CommitRecord
    stage: Stage
    token: str
    attempts: int = 0
    lost: int = 0
    diff: Diff | None = None

    @property
    def id(self) -> str:
        """`owner/name@sha`."""
        return self.record.commit.id


@dataclass(frozen=True)
class Swept:
    """What a sweep found: (id, stage) to queue again, claims to give up, and whether suspects wait for a worker."""

    due: tuple[tuple[str, Stage], ...]
    poison: tuple[Claim, ...]
    suspects_wait: bool


@dataclass(frozen=True)
class Status:
    """Numbers for `daybook status`; times in seconds."""

    received: int
    analysed: int
    waiting: int
    failed: int
    oldest_waiting_seconds: float
    leases_lost: int
    today: Mapping[str, float]
    queues: Mapping[str, int]


class Ledger:
    """The one store. The constructor does no I/O; every method is safe to call from any thread.

    Methods raise redis.RedisError when Redis does not answer within `timeout` seconds.
    """

    def __init__(
        self,
        url: str,
        zone: ZoneInfo,
        *,
        timeout: float = 10.0,
        lease_seconds: float = LEASE_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.zone = zone
        self.lease_seconds = lease_seconds
        self.patience_seconds = patience_seconds
        # Any: redis-py types each answer as the union of what every option could make of it.
        self.redis: Any = redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            max_connections=1024,
        )
        prelude = files("core").joinpath("lua/prelude.lua").read_text("utf-8")
        self._scripts = {
            name: self.redis.register_script(prelude + files("core").joinpath(f"lua/{name}.lua").read_text("utf-8"))
            for name in ("receive", "claim", "renew", "advance", "finish", "retry", "sweep")
        }

    def _run(self, name: str, *arguments: bytes | str | float) -> Any:
        return self._scripts[name](args=arguments)

    def receive(self, push: Push, messages: Sequence[bytes], queue: str = Stage.FETCH) -> tuple[int, int]:
        """Record a push and queue what is new with `messages`, one per commit; returns (queued, known)."""
        commits: list[bytes | str | float] = []
        for commit, message in zip(push.commits, messages, strict=True):
            order = commit.landed_at.timestamp() + min(commit.position, 4095) / 4096
            commits += [commit.sha, repr(order), _packed(CommitRecord(commit=commit)), message]
        at = push.pushed_at.timestamp()
        told = push.model_dump_json(exclude={"commits", "repository"}) if push.delivery else ""
        head = json.dumps({"sha": push.after, "pushed_at": at})
        queued, known = self._run("receive", push.repository, at, told, push.branch, head, self._today(), queue,
                                  self.patience_seconds, len(push.commits), *commits)  # fmt: skip
        return int(queued), int(known)

    def claim(self, commit_id: str, stage: Stage) -> Claim | None:
        """Take a lease on a commit's stage; None when there is nothing to do."""
        return self._claimed(commit_id, stage)

    def claim_suspect(self) -> Claim | None:
        """Take a lease on the suspect that has waited longest; None while another one is held or none is left."""
        return self._claimed("", "")

    def _claimed(self, commit_id: str, stage: str) -> Claim | None:
        token = secrets.token_hex(16)
        row = self._run("claim", commit_id, stage, token, self.lease_seconds)
        if row is None:
            return None
        _, held, record, diff, attempts, lost = row
        return Claim(record=_record(record), stage=Stage(held.decode()), token=token, attempts=attempts, lost=lost,
                     diff=Diff.model_validate_json(zlib.decompress(diff)) if diff else None)  # fmt: skip

    def renew(self, held: Iterable[tuple[str, str]]) -> set[str]:
        """Extend leases, given as (id, token); returns the ids that are not held any more."""
        pairs = [text for pair in held for text in pair]
        return {commit_id.decode() for commit_id in self._run("renew", self.lease_seconds, *pairs)} if pairs else set()

    def advance(self, claim: Claim, record: CommitRecord, then: Stage, diff: Diff, message: bytes) -> bool:
        """Write a stage's result and queue the next stage; False when the lease was lost, and nothing is written."""
        packed = zlib.compress(diff.model_dump_json().encode(), 1)
        return bool(self._run("advance", claim.id, claim.token, then, _packed(record), packed, DIFF_SECONDS, then,
                              message, self.patience_seconds))  # fmt: skip

    def finish(self, claim: Claim, record: CommitRecord) -> bool:
        """Write a commit's last record: analysed, or given up when it has a failure. False when the lease was lost."""
        assert record.analysis
        outcome = "failed" if record.failure else "analysed"
        dirty = f"{record.commit.repository} {self.day_of(record.commit.landed_at)}"
        usage = record.analysis.usage
        counters: dict[str, float] = {
            f"origin_{record.analysis.origin}": 1, "cost_usd": usage.cost_usd, "model_calls": usage.calls,
            "input_tokens": usage.input_tokens, "cached_tokens": usage.cached_tokens,
            "output_tokens": usage.output_tokens, "repeats": int(claim.lost > 0),
        }  # fmt: skip
        pairs = [part for key, value in counters.items() if value for part in (key, value)]
        return bool(self._run("finish", claim.id, claim.token, _packed(record), outcome, dirty, self._today(), *pairs))

    def retry(
        self, claim: Claim, wait: float, reason: str, *, back_to: Stage | None = None, counts: bool = True
    ) -> bool:
        """Put a stage off by `wait` seconds; it counts as an attempt or not. False when the lease was lost."""
        return bool(self._run("retry", claim.id, claim.token, wait, reason[:500], back_to or "", int(counts)))

    def sweep(self) -> Swept:
        """Find whatever is due and not done, and put it off by the queue's patience; the caller queues it again."""
        token = secrets.token_hex(16)
        stages = [text for stage in Stage for text in (stage, stage)]
        patience, lease = self.patience_seconds, self.lease_seconds
        rows, poison, wake = self._run(
            "sweep", patience, SWEEP_LIMIT, MOST_LOSSES, token, lease, SUSPECT_QUEUE, *stages
        )
        claims = [self._given_up_on(commit_id.decode(), token) for commit_id in poison]
        return Swept(due=tuple((commit_id.decode(), Stage(stage.decode())) for commit_id, stage in rows),
                     poison=tuple(claim for claim in claims if claim), suspects_wait=bool(wake))  # fmt: skip

    def _given_up_on(self, commit_id: str, token: str) -> Claim | None:
        record, stage = self.redis.get(f"{P}record:{commit_id}"), self.redis.hget(f"{P}work:{commit_id}", "stage")
        return Claim(_record(record), Stage(stage.decode()), token, MOST_LOSSES) if record and stage else None

    def enqueue(self, queue: str, messages: Sequence[bytes]) -> None:
        """Put encoded messages on a queue."""
        if messages:
            self.redis.lpush(queue, *messages)

    def day_of(self, moment: datetime) -> date:
        """The report day that a moment belongs to."""
        return moment.astimezone(self.zone).date()

    def _today(self) -> str:
        return datetime.now(self.zone).date().isoformat()

    def record(self, repository: str, sha: str) -> CommitRecord | None:
        """One commit's record, or None when it was never received."""
        packed = self.redis.get(f"{P}record:{repository}@{sha}")
        return _record(packed) if packed else None

    def records(self, repository: str, day: date) -> list[CommitRecord]:
        """The commits that landed on a day, oldest first."""
        start, end = day_bounds(day, self.zone)
        shas = self.redis.zrangebyscore(f"{P}landed:{repository}", start.timestamp(), f"({end.timestamp()!r}")
        packed = self.redis.mget([f"{P}record:{repository}@{sha.decode()}" for sha in shas]) if shas else []
        return [_record(item) for item in packed if item]

    def repositories(self) -> list[str]:
        """Every repository a push was ever received from, by name."""
        return sorted(name.decode() for name in self.redis.hkeys(f"{P}repositories"))

    def first_seen(self, repository: str) -> datetime:
        """When a repository was first heard of; now, for one that never was."""
        seconds = self.redis.hget(f"{P}repositories", repository)
        return datetime.fromtimestamp(float(seconds), self.zone) if seconds else datetime.now(self.zone)

    def failed(self) -> list[CommitRecord]:
        """The commits that were given up on, oldest first."""
        ids = self.redis.zrange(f"{P}failed", 0, -1)
        packed = self.redis.mget([f"{P}record:{commit_id.decode()}" for commit_id in ids]) if ids else []
        return [_record(item) for item in packed if item]

    def save_report(self, repository: str, day: date, document: bytes) -> None:
        """Keep a day's report, as JSON bytes, for ever."""
        with self.redis.pipeline() as pipe:
            pipe.set(f"{P}report:{repository}:{day}", zlib.compress(document))
            pipe.zadd(f"{P}reports:{repository}", {day.isoformat(): day.toordinal()})
            pipe.execute()

    def report(self, repository: str, day: date) -> bytes | None:
        """A day's report as JSON bytes, or None when none was assembled."""
        packed = self.redis.get(f"{P}report:{repository}:{day}")
        return zlib.decompress(packed) if packed else None

    def report_days(self, repository: str) -> list[date]:
        """The days that have a report, newest first."""
        days = self.redis.zrange(f"{P}reports:{repository}", 0, -1, desc=True)
        return [date.fromisoformat(day.decode()) for day in days]

    def dirty_days(self) -> list[tuple[str, date, float]]:
        """Days with commits finished since their report was assembled: (repository, day, unix time of the last)."""
        rows = self.redis.zrange(f"{P}dirty", 0, -1, withscores=True)
        return [
            (name, date.fromisoformat(day), changed) for row, changed in rows for name, day in [row.decode().split(" ")]
        ]

    def clean_day(self, repository: str, day: date, seen: float) -> None:
        """Forget that a day was dirty, unless it changed again after the moment `seen`."""
        key, member = f"{P}dirty", f"{repository} {day}"
        if (changed := self.redis.zscore(key, member)) is not None and changed <= seen:
            self.redis.zrem(key, member)

    def lock(self, name: str, seconds: float) -> redis.lock.Lock:
        """A lock that ends by itself after `seconds`; acquiring it does not wait."""
        lock: redis.lock.Lock = self.redis.lock(f"{P}lock:{name}", timeout=seconds, blocking=False)
        return lock

    def status(self, queues: Sequence[str]) -> Status:
        """What is waiting, done and lost, in one round trip."""
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(f"{P}totals").hgetall(f"{P}count:{self._today()}").zcard(f"{P}open").zcard(f"{P}failed")
            pipe.zrange(f"{P}open", 0, 0, withscores=True).time()
            for queue in queues:
                pipe.llen(queue)
            totals, today, waiting, failed, oldest, (seconds, _), *depths = pipe.execute()
        counts = {key.decode(): int(value) for key, value in totals.items()}
        return Status(
            received=counts.get("received", 0), analysed=counts.get("analysed", 0), waiting=waiting, failed=failed,
            oldest_waiting_seconds=round(max(0.0, seconds - oldest[0][1]), 1) if oldest else 0.0,
            leases_lost=counts.get("leases_lost", 0),
            today={key.decode(): float(value) for key, value in today.items()},
            queues=dict(zip(queues, depths, strict=True)),
        )  # fmt: skip

    def close(self) -> None:
        """Close the connections."""
        self.redis.close()

    def ping(self) -> None:
        """Raise redis.RedisError when Redis does not answer."""
        self.redis.ping()


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moment of a calendar day in a zone and the first after it; 23 to 25 hours apart where clocks change."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = date.fromordinal(day.toordinal() + 1)
    return start, datetime(following.year, following.month, following.day, tzinfo=zone)


def _packed(record: CommitRecord) -> bytes:
    return zlib.compress(record.model_dump_json(exclude_defaults=True).encode(), 6)


def _record(packed: bytes) -> CommitRecord:
    return CommitRecord.model_validate_json(zlib.decompress(packed))
