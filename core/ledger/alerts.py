"""Alerts: which conditions somebody was told of, so that a restart tells nobody twice; and what they are judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

from core.ledger.connection import Connection, P, day_bounds


class AlertState(BaseModel):
    """One condition that holds, or held until a moment ago.

    `told` says that somebody was told of it; `gone_since` is when it ceased, None while it holds.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    text: str
    calm: str
    since: AwareDatetime
    told: bool = False
    gone_since: AwareDatetime | None = None


class AlertLedger(Connection):
    """The states of alerts, and the days of repositories that alerts look at."""

    def alerts(self) -> dict[str, AlertState]:
        """Every condition that is known, by its key."""
        rows = self.redis.hgetall(f"{P}alerts")
        return {key.decode(): AlertState.model_validate_json(state) for key, state in sorted(rows.items())}

    def keep_alerts(self, changes: Mapping[str, AlertState | None]) -> None:
        """Write states down, or forget those given as None, all at once."""
        if not changes:
            return
        with self.redis.pipeline() as pipe:
            for key, state in changes.items():
                if state is None:
                    pipe.hdel(f"{P}alerts", key)
                else:
                    pipe.hset(f"{P}alerts", key, state.model_dump_json())
            pipe.execute()

    def last_landings(self, repositories: Sequence[str]) -> dict[str, datetime]:
        """When each repository's latest commit landed; repositories without commits are left out."""
        with self.redis.pipeline(transaction=False) as pipe:
            for name in repositories:
                pipe.zrange(f"{P}landed:{name}", 0, 0, desc=True, withscores=True)
            rows = pipe.execute()
        return {
            name: datetime.fromtimestamp(row[0][1], self.zone)
            for name, row in zip(repositories, rows, strict=True)
            if row
        }

    def landed_counts(self, repository: str, days: Sequence[date]) -> dict[date, int]:
        """How many commits landed on each of the days."""
        with self.redis.pipeline(transaction=False) as pipe:
            for day in days:
                start, end = day_bounds(day, self.zone)
                pipe.zcount(f"{P}landed:{repository}", start.timestamp(), f"({end.timestamp()!r}")
            return dict(zip(days, pipe.execute(), strict=True))

    def first_seen_all(self) -> dict[str, datetime]:
        """Every repository with when it was first heard of."""
        rows = self.redis.hgetall(f"{P}repositories")
        return {name.decode(): datetime.fromtimestamp(float(at), self.zone) for name, at in sorted(rows.items())}
