"""Publishing: which reports are still to be published, where each one stands already, and what could not be."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from core.ledger.connection import Connection, P

Target = Literal["files", "issue", "commit", "mail"]


class Published(BaseModel):
    """Where a day's report stands: `place` (a repository or addresses), and the digest of what was put there.

    `number` is an issue's; with it and no digest, the issue was made and not filled yet.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    place: str
    digest: str = ""
    number: int | None = None
    closed: bool = False


class Unpublished(BaseModel):
    """Why a day's report could not be published, since when, and after how many attempts."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    reason: str
    since: AwareDatetime
    attempts: int = 1
    permanent: bool = False


class PublishLedger(Connection):
    """What is to be published and what was."""

    def publish_at(self, repository: str, day: date, moment: float | None = None) -> None:
        """Let a day's report be published at a moment (unix seconds; None: now), whatever was due before."""
        self.redis.zadd(f"{P}publish", {f"{repository} {day}": time.time() if moment is None else moment})

    def publish_due(self, now: float, most: int) -> list[tuple[str, date, float]]:
        """What is to be published by now: (repository, day, since when), the longest due first."""
        rows = self.redis.zrangebyscore(f"{P}publish", "-inf", now, start=0, num=most, withscores=True)
        return [(name, date.fromisoformat(day), due) for row, due in rows for name, day in [row.decode().split(" ")]]

    def publish_settled(self, repository: str, day: date, seen: float, again: float | None = None) -> None:
        """Note that what was due at `seen` is done, or due `again` (unix seconds), unless it became due anew since."""
        key, member = f"{P}publish", f"{repository} {day}"

        def settle(pipe: Any) -> None:
            unchanged = pipe.zscore(key, member) == seen
            pipe.multi()
            if unchanged and again is None:
                pipe.zrem(key, member)
            elif unchanged:
                pipe.zadd(key, {member: again})

        self.redis.transaction(settle, key)

    def published(self, repository: str, day: date, target: Target) -> Published | None:
        """Where a day's report stands; None when it was not published there."""
        found = self.redis.hget(f"{P}published:{repository}", f"{day} {target}")
        return Published.model_validate_json(found) if found else None

    def note_published(self, repository: str, day: date, target: Target, state: Published) -> None:
        """Keep where a day's report stands."""
        self.redis.hset(f"{P}published:{repository}", f"{day} {target}", state.model_dump_json())

    def published_all(self, repository: str, target: Target) -> Mapping[date, Published]:
        """Each day's report of a repository that stands somewhere, oldest first."""
        rows = {key.decode().split(" ")[0]: value
                for key, value in self.redis.hgetall(f"{P}published:{repository}").items()
                if key.decode().endswith(f" {target}")}  # fmt: skip
        return {date.fromisoformat(day): Published.model_validate_json(rows[day]) for day in sorted(rows)}

    def unpublished(self) -> dict[tuple[str, date, Target], Unpublished]:
        """What could not be published, by repository, day and target."""
        rows = {tuple(key.decode().split(" ")): value for key, value in self.redis.hgetall(f"{P}unpublished").items()}
        return {
            (name, date.fromisoformat(day), target): Unpublished.model_validate_json(value)
            for (name, day, target), value in sorted(rows.items())
        }

    def note_unpublished(self, repository: str, day: date, target: Target, why: Unpublished | None) -> None:
        """Keep why a day's report could not be published, or forget it (None)."""
        field = f"{repository} {day} {target}"
        if why is None:
            self.redis.hdel(f"{P}unpublished", field)
        else:
            self.redis.hset(f"{P}unpublished", field, why.model_dump_json())
