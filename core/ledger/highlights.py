"""Highlights: what the model wrote of each day, so that a page that is made again does not ask again."""

from __future__ import annotations

from datetime import date

from core.ledger.connection import Connection, P


class HighlightLedger(Connection):
    """One document a day and repository; `report.highlights.Written` as JSON."""

    def save_highlights(self, repository: str, day: date, document: bytes) -> None:
        """Keep what was written of a day, for ever."""
        self.redis.hset(f"{P}highlights:{repository}", day.isoformat(), document)

    def highlights(self, repository: str, day: date) -> bytes | None:
        """What was written of a day, or None."""
        found: bytes | None = self.redis.hget(f"{P}highlights:{repository}", day.isoformat())
        return found
