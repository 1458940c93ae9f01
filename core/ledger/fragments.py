"""Fragments: how finished commits are shown, kept by day beside their records for as long as the day is worked on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from core.ledger.connection import Connection, P, day_bounds

KEPT = timedelta(days=2)  # after a day's end: until then it is closed, and made again for late commits
MOST_BYTES = 64 * 1024 * 1024  # of one day, about 6,000 commits; those beyond are rendered each time


class StoredDay(NamedTuple):
    """A day as it is stored: shas in the order of landing, their records and corrections (None: none), its fragments.

    What a fragment is, `report/fragments.py` knows.
    """

    shas: list[str]
    records: list[bytes | None]
    corrections: list[bytes | None]
    fragments: bytes


class FragmentLedger(Connection):
    """One string a day and repository, to which whoever renders a commit adds what came of it."""

    def stored_day(self, repository: str, day: date) -> StoredDay:
        """All that a day's page is made of, in two round trips."""
        start, end = day_bounds(day, self.zone)
        found = self.redis.zrangebyscore(f"{P}landed:{repository}", start.timestamp(), f"({end.timestamp()!r}")
        if not found:
            return StoredDay([], [], [], b"")
        shas = [sha.decode() for sha in found]
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.mget([f"{P}record:{repository}@{sha}" for sha in shas])
            pipe.hmget(f"{P}corrections:{repository}", shas)
            pipe.get(_key(repository, day))
            records, corrections, fragments = pipe.execute()
        return StoredDay(shas, records, corrections, fragments or b"")

    def keep_fragments(self, repository: str, day: date, fragments: Sequence[bytes]) -> bool:
        """Add fragments to those of a day; False where it is too old, or there are too many bytes already."""
        key, ends = _key(repository, day), day_bounds(day, self.zone)[1] + KEPT
        if ends <= datetime.now(self.zone) or self.redis.strlen(key) + sum(map(len, fragments)) > MOST_BYTES:
            return False
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.append(key, b"".join(fragments))
            pipe.expireat(key, ends)
            pipe.execute()
        return True


def _key(repository: str, day: date) -> str:
    return f"{P}fragments:{repository}:{day}"
