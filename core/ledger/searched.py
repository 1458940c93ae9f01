"""What a search index asks: which repositories changed since it last looked, and which commits no report has yet."""

from __future__ import annotations

from collections import Counter
from datetime import date

from core.ledger.connection import P, day_bounds
from core.ledger.days import DayLedger


class SearchedLedger(DayLedger):
    """Cheap signs of change, so that an index reads only what is new."""

    def change_marks(self) -> dict[str, str]:
        """Per repository, what differs once a report was written, or a commit received, finished or forgotten."""
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hkeys(f"{P}repositories")
            pipe.hgetall(f"{P}reported")
            names, reported = pipe.execute()
        with self.redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.zcard(f"{P}landed:{name.decode()}")
            counts = pipe.execute()
        changed: dict[str, float] = {}
        for name, _, moment in self.dirty_days():
            changed[name] = max(moment, changed.get(name, 0.0))
        return {
            name.decode(): f"{reported.get(name, b'').decode()} {count} {changed.get(name.decode(), 0.0)!r}"
            for name, count in zip(names, counts, strict=True)
        }

    def unreported_days(self, repository: str) -> dict[date, str]:
        """The days whose kept report lacks something, or that have none yet; each with a text that differs on change.

        They are those with commits finished since, and those after the newest report.
        """
        kept = self.report_days(repository)
        since = day_bounds(kept[0], self.zone)[1].timestamp() if kept else "-inf"
        landed = self.redis.zrangebyscore(f"{P}landed:{repository}", since, "+inf", withscores=True)
        counts = Counter(self.day_of_second(second) for _, second in landed)
        changed = {day: moment for name, day, moment in self.dirty_days() if name == repository}
        return {day: f"{counts[day]} {changed.get(day, 0.0)!r}" for day in counts.keys() | changed.keys()}
