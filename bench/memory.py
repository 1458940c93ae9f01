"""What a commit costs in Redis: while its day is open, when its day is closed, and after LEDGER_DAYS.

    python -m bench.memory [--sizes 1000,10000,100000] [--json FILE]

Commits of ten repositories, 100 a day each, with analyses of 3.3 KB of Chinese JSON (bench/invented.py) are received in
pushes of 20 and pass through the ledger as the stages do it; their days are closed, told to other days and expired by
the pipeline's own rounds. The figures are differences of Redis' own `used_memory`, with the embedded server, divided
by the commits; what lasts minutes only (`finished:`) is taken away first and counted by itself. By key family: MEMORY
USAGE of up to 2,000 keys of each, times their number. An exponent of 1.00 is linear. Last, the CPU time of packing and
unpacking a record.
"""

from __future__ import annotations

import argparse
import logging
import math
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import structlog

from bench.figures import Figures, lower, write
from bench.invented import Invention
from core.ledger import Ledger, Stage
from core.ledger.packing import QUICK, packed, packed_commit, unpacked
from core.models import Commit, CommitRecord, Diff, FileChange, Push
from core.redis_server import RedisServer
from core.settings import RepositorySettings, Settings
from workers.app import message, messages
from workers.days import close_due_days, tell_other_days
from workers.retention import expire_due
from workers.services import Services, connect

SIZES = (1000, 10_000, 100_000)
REPOSITORIES = tuple(f"octo-org/project-{letter}" for letter in "abcdefghij")
A_DAY = 100
A_PUSH = 20
LEDGER_DAYS = 400
FIRST = date(2026, 2, 1)
SAMPLED = 2000
PACKED = 2000  # records whose packing and unpacking is timed
PASSING = "finished"  # keys that end by themselves within minutes
STATES = ("open", "closed", "expired")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    sizes = [int(size) for size in options.sizes.split(",")]
    told = {size: measured(size) for size in sizes}
    figures: Figures = {}
    for name in told[sizes[-1]]:
        unit = "us" if name.endswith("_us") else "bytes"
        figures[f"memory_{name}"] = lower(told[sizes[-1]][name], unit)
    for state in STATES:
        for (small, few), (large, many) in pairwise((size, told[size][state] * size) for size in sizes):
            exponent = math.log(many / few) / math.log(large / small)
            print(f"{state}: {small} to {large} commits grow with the exponent {exponent:.2f}")
            figures[f"memory_{state}_exponent"] = lower(exponent, "exponent")
    write(options.json, figures)


def measured(size: int) -> dict[str, float]:
    """Bytes a commit in each state, and microseconds to pack and unpack a record."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder) / "redis")
        server.start()
        try:
            return _measured(Path(folder), server.url, size)
        finally:
            server.stop()


def _measured(folder: Path, url: str, size: int) -> dict[str, float]:
    days = [FIRST + timedelta(days=n) for n in range(math.ceil(size / A_DAY / len(REPOSITORIES)))]
    services = connect(_settings(folder), url)
    try:
        redis = services.ledger.redis
        redis.config_set("appendonly", "no")  # how fast it writes is not asked here
        services.ledger.ready()
        before = _used(redis)
        pushes = list(_received(services, size, days))
        for commits in pushes:
            redis.hset("daybook:repositories", commits[0].repository, services_start(services).timestamp())
        figures = {"open": _told(redis, size, before, "open day")}
        end = datetime.combine(days[-1] + timedelta(days=2), datetime.min.time(), tzinfo=UTC)
        close_due_days(services, end)
        while services.ledger.untold(1) or services.ledger.dirty_days():
            close_due_days(services, end + timedelta(minutes=2))
        figures["closed"] = _told(redis, size, before, "closed day")
        figures |= _packing(services.ledger, days[0])
        while expire_due(services, end + timedelta(days=LEDGER_DAYS + 1)):
            redis.delete("daybook:turn:retention")
        figures["expired"] = _told(redis, size, before, "after LEDGER_DAYS")
        return figures
    finally:
        services.ledger.close()


def services_start(services: Services) -> datetime:
    """The first moment of the first day."""
    return datetime.combine(FIRST, datetime.min.time(), tzinfo=services.settings.zone)


def _settings(folder: Path) -> Settings:
    clone = folder / "clone"
    subprocess.run(["git", "init", "-q", "-b", "main", str(clone)], check=True)
    subprocess.run(["git", "-C", str(clone), "-c", "user.name=o", "-c", "user.email=o@example.org", "commit", "-q",
                    "--allow-empty", "-m", "long ago", "--date", "2020-01-01"], check=True,
                   env={"GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z", "PATH": "/usr/bin:/bin"})  # fmt: skip
    tables = tuple(RepositorySettings(name=name, source=str(clone), publish=()) for name in REPOSITORIES)
    return Settings(report_dir=folder / "reports", ledger_days=LEDGER_DAYS, daybook_repositories=tables)


def _received(services: Services, size: int, days: Sequence[date]) -> Iterator[tuple[Commit, ...]]:
    """Receive, fetch and analyse the commits, a push at a time."""
    invention = Invention()
    left = size
    for day in days:
        for repository in REPOSITORIES:
            for hour in range(A_DAY // A_PUSH):
                landed = datetime.combine(day, datetime.min.time(), tzinfo=UTC) + timedelta(hours=2 * hour, minutes=7)
                commits = tuple(
                    invention.commit(repository, left + n, landed).model_copy(update={"position": n})
                    for n in range(min(A_PUSH, left))
                )
                if not commits:
                    return
                left -= len(commits)
                _passed(services.ledger, invention, commits)
                yield commits
        while services.ledger.untold(1):
            tell_other_days(services)  # every few seconds in life


def _passed(ledger: Ledger, invention: Invention, commits: tuple[Commit, ...]) -> None:
    """One push through the stages, as workers/stages.py has it; its news is told nowhere."""
    push = Push(repository=commits[0].repository, branch="main", before="0" * 40, after=commits[-1].sha,
                pushed_at=commits[-1].landed_at, delivery=f"d-{commits[-1].sha[:12]}", commits=commits)  # fmt: skip
    ledger.receive(push, messages(Stage.FETCH, [commit.id for commit in commits]))
    for commit in commits:
        claim = ledger.claim(commit.id, Stage.FETCH)
        assert claim
        facts = invention.facts(int(commit.title.rpartition("#")[2][:-1]))
        record = claim.record.model_copy(update={"facts": facts, "triage": invention.triage(facts)})
        change = FileChange(path="a.py", status="modified", patch="@@ -1 +1 @@\n-a\n+b")
        diff = Diff(sha=commit.sha, parents=(), files=(change,), additions=1, deletions=1)
        assert ledger.advance(claim, record, Stage.ANALYSE, diff, message(Stage.ANALYSE, commit.id))
        claim = ledger.claim(commit.id, Stage.ANALYSE)
        assert claim
        update = {"verdict": invention.verdict(), "analysis": invention.analysis(), "finished_at": datetime.now(UTC)}
        assert ledger.finish(claim, claim.record.model_copy(update=update))
    ledger.forget_news()
    ledger.redis.delete(*Stage)  # the messages, which no worker takes here


def _told(redis: Any, size: int, before: int, state: str) -> float:
    """Print what a commit costs now, and by family; returns it."""
    passing = list(redis.scan_iter(f"daybook:{PASSING}:*", count=1000))
    lasting = sum(redis.memory_usage(key, samples=0) for key in passing[:SAMPLED]) * len(passing)
    lasting /= max(1, min(len(passing), SAMPLED))
    for start in range(0, len(passing), 1000):
        redis.delete(*passing[start : start + 1000])
    used = (_used(redis) - before) / size
    print(f"{size} commits, {state}: {used:,.0f} bytes a commit (for minutes after: {lasting / size:,.0f} more)")
    for family, (count, total) in _families(redis).items():
        if total / size >= 0.5:
            print(f"    {family:<14} {total / size:8,.1f} bytes a commit in {count:,} keys")
    return used


def _families(redis: Any) -> dict[str, tuple[int, float]]:
    """Per family of keys how many there are and what they use, the largest first."""
    counts: Counter[str] = Counter()
    sampled: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for key in redis.scan_iter("daybook:*", count=1000):
        family = key.decode().split(":")[1]
        counts[family] += 1
        if sampled[family] < SAMPLED:
            sampled[family] += 1
            used[family] += redis.memory_usage(key, samples=0) or 0
    totals = {family: (count, used[family] * count / sampled[family]) for family, count in counts.items()}
    return dict(sorted(totals.items(), key=lambda row: -row[1][1]))


def _used(redis: Any) -> int:
    redis.execute_command("MEMORY", "PURGE")
    return int(redis.info("memory")["used_memory"])


def _packing(ledger: Ledger, day: date) -> dict[str, float]:
    """CPU microseconds to read a record of a day, and to pack one for each stage."""
    records = [record for name in REPOSITORIES for record in ledger.records(name, day)][:PACKED]
    bare = [CommitRecord(commit=record.commit) for record in records]
    judged = [record.model_copy(update={"verdict": None, "analysis": None}) for record in records]
    stored = [(record.commit.id, packed(record)) for record in records]
    told = {
        "unpack_us": _cpu_us(lambda: [unpacked(name, item, None) for name, item in stored], len(stored)),
        "pack_received_us": _cpu_us(lambda: [packed_commit(record.commit) for record in bare], len(bare)),
        "pack_fetched_us": _cpu_us(lambda: [packed(record, QUICK) for record in judged], len(judged)),
        "pack_finished_us": _cpu_us(lambda: [packed(record) for record in records], len(records)),
    }
    sizes = f"{sum(len(item) for _, item in stored) / len(stored):,.0f} bytes packed"
    print(f"    {sizes}; CPU a record: " + ", ".join(f"{name[:-3]} {value:.0f} µs" for name, value in told.items()))
    return told


def _cpu_us(work: Callable[[], object], count: int) -> float:
    """The best of five, in CPU time."""
    best = math.inf
    for _ in range(5):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best / count * 1e6


if __name__ == "__main__":
    main()
