"""Retention: what is known of single commits is let go when their day's report has been kept for long enough."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime

from core.ledger.connection import Connection, P, day_bounds
from core.ledger.stories import names
from core.models import CommitRecord

AT_ONCE = 200  # commits in one call of the script, which blocks Redis meanwhile


class RetentionLedger(Connection):
    """Lets go of records, index entries and pushes; reports, corrections and figures stay."""

    def first_landed(self, repository: str, since: date | None, before: date) -> date | None:
        """The first day from `since` on (None: from the beginning) and before `before` that has a commit's record."""
        start = day_bounds(since, self.zone)[0].timestamp() if since else "-inf"
        end = day_bounds(before, self.zone)[0].timestamp()
        found = self.redis.zrangebyscore(f"{P}landed:{repository}", start, f"({end!r}", 0, 1, withscores=True)
        return self.day_of_second(found[0][1]) if found else None

    def expire(self, repository: str, day: date, records: Sequence[CommitRecord]) -> int:
        """Let go of commits that the kept report of their day tells of; returns how many it were.

        Those at work or given up on stay, and so do all of a day that has no report or is to be made again. Safe to
        call again after it was broken off.
        """
        count = 0
        for start in range(0, len(records), AT_ONCE):
            some = records[start : start + AT_ONCE]
            entries = [(record.commit.sha, names(record)) for record in some]
            told = [part for sha, named in entries for part in (sha, len(named) // 2, *named)]
            count += int(self._run("expire", repository, day.isoformat(), day.toordinal(), *told))
        return count

    def forget_pushes(self, repository: str, before: datetime) -> int:
        """Let go of the pushes of an age, save those that replaced commits, which reports tell of; returns how many."""
        rows = self.redis.zrangebyscore(f"{P}pushes:{repository}", "-inf", f"({before.timestamp()!r}")
        plain = [row for row in rows if not json.loads(row).get("forced")]
        return int(self.redis.zrem(f"{P}pushes:{repository}", *plain)) if plain else 0
