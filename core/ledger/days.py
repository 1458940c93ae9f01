"""Days: the commits that landed on each, the reports that were made of them, and which are out of date."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from core.ledger.connection import Connection, P, day_bounds
from core.ledger.packing import unpacked
from core.models import CommitRecord


class Stamp(NamedTuple):
    """What tells the versions of a kept report apart: when it came to say what it says (unix time), and its digest."""

    at: float
    digest: str


class DayLedger(Connection):
    """What is known of commits and days."""

    def record(self, repository: str, sha: str) -> CommitRecord | None:
        """One commit's record, or None when it was never received."""
        return next(iter(self._records(repository, [sha])), None)

    def records(self, repository: str, day: date) -> list[CommitRecord]:
        """The commits that landed on a day, oldest first."""
        return self._records(repository, self._landed(repository, day))

    def _landed(self, repository: str, day: date) -> list[str]:
        """The shas of a day, in the order of landing."""
        start, end = day_bounds(day, self.zone)
        found = self.redis.zrangebyscore(f"{P}landed:{repository}", start.timestamp(), f"({end.timestamp()!r}")
        return [sha.decode() for sha in found]

    def is_analysed(self, repository: str, day: date) -> bool:
        """Whether every commit of a day has an analysis, be it one that is about to be replaced."""
        shas = self._landed(repository, day)
        # What is not owed was finished, so that few records are read, or none.
        owed = self.redis.zmscore(f"{P}open", [f"{repository}@{sha}" for sha in shas]) if shas else []
        open_ones = [sha for sha, since in zip(shas, owed, strict=True) if since is not None]
        return all(record.analysis for record in self._records(repository, open_ones))

    def has_commits(self, repository: str, day: date) -> bool:
        """Whether any commit of a day is known by its record."""
        start, end = day_bounds(day, self.zone)
        count = self.redis.zcount(f"{P}landed:{repository}", start.timestamp(), f"({end.timestamp()!r}")
        return bool(count)

    def _records(self, repository: str, shas: Sequence[str]) -> list[CommitRecord]:
        if not shas:
            return []
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.mget([f"{P}record:{repository}@{sha}" for sha in shas])
            pipe.hmget(f"{P}corrections:{repository}", shas)
            stored, corrections = pipe.execute()
        rows = zip(shas, stored, corrections, strict=True)
        return [unpacked(f"{repository}@{sha}", item, said) for sha, item, said in rows if item]

    def repositories(self) -> list[str]:
        """Every repository a push was ever received from, by name."""
        return sorted(name.decode() for name in self.redis.hkeys(f"{P}repositories"))

    def first_seen(self, repository: str) -> datetime:
        """When a repository was first heard of; now, for one that never was."""
        seconds = self.redis.hget(f"{P}repositories", repository)
        return datetime.fromtimestamp(float(seconds), self.zone) if seconds else datetime.now(self.zone)

    def failed(self) -> list[CommitRecord]:
        """The commits that were given up on, oldest first."""
        ids = [row.decode() for row in self.redis.zrange(f"{P}failed", 0, -1)]
        if not ids:
            return []
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.mget([f"{P}record:{commit_id}" for commit_id in ids])
            for repository, _, sha in (commit_id.rpartition("@") for commit_id in ids):
                pipe.hget(f"{P}corrections:{repository}", sha)
            stored, *corrections = pipe.execute()
        return [unpacked(one, item, said) for one, item, said in zip(ids, stored, corrections, strict=True) if item]

    def save_report(self, repository: str, day: date, document: bytes, tiers: Sequence[int] = ()) -> None:
        """Keep a day's report, as JSON bytes, for ever; and beside it how many commits of each tier it has, if given.

        `tiers` counts the high, the medium and the low ones.
        """
        stamp = self._stamp(repository, day, document)
        with self.redis.pipeline() as pipe:
            pipe.set(f"{P}report:{repository}:{day}", zlib.compress(document))
            pipe.zadd(f"{P}reports:{repository}", {day.isoformat(): day.toordinal()})
            pipe.hset(f"{P}stamps:{repository}", day.isoformat(), f"{stamp.at!r} {stamp.digest}")
            if tiers:
                pipe.hset(f"{P}tiers:{repository}", day.isoformat(), " ".join(map(str, tiers)))
            else:
                pipe.hdel(f"{P}tiers:{repository}", day.isoformat())
            pipe.hset(f"{P}reported", repository, repr(time.time()))
            pipe.execute()

    def _stamp(self, repository: str, day: date, document: bytes) -> Stamp:
        """A document's stamp: the kept one when it says what the kept one says."""
        digest = hashlib.blake2b(document, digest_size=12).hexdigest()
        before = _stamp_from(self.redis.hget(f"{P}stamps:{repository}", day.isoformat()))
        return before if before and before.digest == digest else Stamp(time.time(), digest)

    def report(self, repository: str, day: date) -> bytes | None:
        """A day's report as JSON bytes, None when none was assembled; empty when what is stored is damaged."""
        return _document(self.redis.get(f"{P}report:{repository}:{day}"))

    def reports(self, repository: str, days: Sequence[date]) -> list[bytes | None]:
        """Several days' reports, in the order asked for, in one round trip; each as `report` gives it."""
        if not days:
            return []
        return [_document(item) for item in self.redis.mget([f"{P}report:{repository}:{day}" for day in days])]

    def tier_counts(self, repository: str, days: Sequence[date]) -> dict[date, tuple[int, ...]]:
        """How many high, medium and low commits the reports of some days have, where that was kept beside them."""
        found = self.redis.hmget(f"{P}tiers:{repository}", [day.isoformat() for day in days]) if days else []
        return {day: tuple(map(int, row.split())) for day, row in zip(days, found, strict=True) if row}

    def report_stamps(self, repository: str) -> dict[date, Stamp | None]:
        """The days that have a report, newest first, with their stamps (None: written before there were any)."""
        # In this order each day's stamp is there, without a transaction, which a Redis that is full refuses to readers.
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.zrange(f"{P}reports:{repository}", 0, -1, desc=True)
            pipe.hgetall(f"{P}stamps:{repository}")
            days, stamps = pipe.execute()
        return {date.fromisoformat(day.decode()): _stamp_from(stamps.get(day)) for day in days}

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


def _document(stored: bytes | None) -> bytes | None:
    try:
        return zlib.decompress(stored) if stored is not None else None
    except zlib.error:
        return b""


def _stamp_from(stored: bytes | None) -> Stamp | None:
    if stored is None:
        return None
    at, _, digest = stored.decode().partition(" ")
    return Stamp(float(at), digest)
