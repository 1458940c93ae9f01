"""Pauses: a limit of an outside service that one worker met holds for all; afterwards calls ramp up together.

A service that refuses our credentials is paused too, and remembered as refusing until a call to it has gone well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict

from core.ledger.connection import Connection, P


class Refusal(BaseModel):
    """A service that does not take our credentials: why, in one line, and since when."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    why: str
    since: AwareDatetime


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that is under way: the seconds that it still lasts, and what was met."""

    seconds: float
    why: str


class Admission(NamedTuple):
    """The seconds until a call may be made, 0 for now; and whether the service refused us when it was last called."""

    wait: float
    refused: bool


class PauseLedger(Connection):
    """One pause and token bucket for each outside service, such as `github`, `anthropic` or `slack:CHANNEL`."""

    def admit(self, service: str) -> Admission:
        """Whether a call may be made now, or when the caller's place in the queue comes.

        After one that a service which refused us takes, `accepted` is to be told.
        """
        wait, refused = self._run("pause", service, "ask", 0, "")
        return Admission(float(wait), bool(refused))

    def pause(self, service: str, seconds: float | None, why: str = "") -> float:
        """Nobody calls the service for `seconds` (None: not known; 5 s, doubling to 5 minutes while it goes on).

        Returns the seconds until the caller's own place comes. A pause that is under way can only become longer.
        """
        wait, _ = self._run("pause", service, "pause", seconds or 0, why[:300])
        return float(wait)

    def paused(self, service: str) -> float:
        """The seconds that a service's pause still lasts; 0 when there is none."""
        found = self.pauses([service])
        return found[service].seconds if found else 0.0

    def pauses(self, services: Sequence[str]) -> dict[str, Pause]:
        """Those of some services that are paused."""
        with self.redis.pipeline(transaction=False) as pipe:
            for service in services:
                pipe.hmget(f"{P}pause:{service}", "until", "why")
            *rows, (seconds, microseconds) = pipe.time().execute()
        now = seconds + microseconds / 1e6
        return {
            service: Pause(float(until) - now, (why or b"").decode())
            for service, (until, why) in zip(services, rows, strict=True)
            if until and float(until) > now
        }

    def refuse(self, service: str, why: str) -> None:
        """Note that a service does not take our credentials; since when is kept."""
        known = self.refusals().get(service)
        found = Refusal(why=why[:300], since=known.since if known else datetime.now(UTC))
        self.redis.hset(f"{P}refusals", service, found.model_dump_json())

    def accepted(self, service: str) -> None:
        """Note that a service takes our credentials again."""
        self.redis.hdel(f"{P}refusals", service)

    def refusals(self) -> dict[str, Refusal]:
        """The services that did not take our credentials when they were last called."""
        rows = self.redis.hgetall(f"{P}refusals")
        return {service.decode(): Refusal.model_validate_json(told) for service, told in sorted(rows.items())}
