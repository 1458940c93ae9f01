"""Days: the commits that landed on each, the reports that were made of them, and which are out of date."""

from __future__ import annotations

import time
import zlib
from datetime import date, datetime

from core.ledger.connection import Connection, P, day_bounds, unpacked
from core.models import CommitRecord


class DayLedger(Connection):
    """What is known of commits and days."""

    def record(self, repository: str, sha: str) -> CommitRecord | None:
        """One commit's record, or None when it was never received."""
        found = self.redis.get(f"{P}record:{repository}@{sha}")
        return unpacked(found) if found else None

    def records(self, repository: str, day: date) -> list[CommitRecord]:
        """The commits that landed on a day, oldest first."""
        start, end = day_bounds(day, self.zone)
        shas = self.redis.zrangebyscore(f"{P}landed:{repository}", start.timestamp(), f"({end.timestamp()!r}")
        found = self.redis.mget([f"{P}record:{repository}@{sha.decode()}" for sha in shas]) if shas else []
        return [unpacked(item) for item in found if item]

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
        found = self.redis.mget([f"{P}record:{commit_id.decode()}" for commit_id in ids]) if ids else []
        return [unpacked(item) for item in found if item]

    def save_report(self, repository: str, day: date, document: bytes) -> None:
        """Keep a day's report, as JSON bytes, for ever."""
        with self.redis.pipeline() as pipe:
            pipe.set(f"{P}report:{repository}:{day}", zlib.compress(document))
            pipe.zadd(f"{P}reports:{repository}", {day.isoformat(): day.toordinal()})
            pipe.hset(f"{P}reported", repository, repr(time.time()))
            pipe.execute()

    def report(self, repository: str, day: date) -> bytes | None:
        """A day's report as JSON bytes, or None when none was assembled."""
        found = self.redis.get(f"{P}report:{repository}:{day}")
        return zlib.decompress(found) if found else None

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
