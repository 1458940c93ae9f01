"""Pauses: a limit of an outside service that one worker met holds for all; afterwards calls ramp up together."""

from __future__ import annotations

from core.ledger.connection import Connection, P


class PauseLedger(Connection):
    """One pause and token bucket for each outside service, such as `github`, `anthropic` or `slack:CHANNEL`."""

    def admit(self, service: str) -> float:
        """Whether a call may be made now: 0, or the seconds until the caller's place in the queue comes."""
        return float(self._run("pause", service, "ask", 0))

    def pause(self, service: str, seconds: float | None) -> float:
        """Nobody calls the service for `seconds` (None: not known; 5 s, doubling to 5 minutes while it goes on).

        Returns the seconds until the caller's own place comes. A pause that is under way can only become longer.
        """
        return float(self._run("pause", service, "pause", seconds or 0))

    def paused(self, service: str) -> float:
        """The seconds that a service's pause still lasts; 0 when there is none."""
        until = self.redis.hget(f"{P}pause:{service}", "until")
        seconds, microseconds = self.redis.time()
        left: float = float(until or 0) - seconds - microseconds / 1e6
        return max(0.0, left)
