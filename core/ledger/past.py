"""Past: every commit that was ever received, and the day whose report tells of it once its record has expired."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from core.ledger.connection import Connection
from core.ledger.places import DIGITS, sha_key

LOOKED_THROUGH = 1000  # shas of one hash in one step: all of it, but in the largest repositories


class PastLedger(Connection):
    """Which commits were received, and which of them have no record any more."""

    def known(self, repository: str, shas: Sequence[str]) -> set[str]:
        """Which of these commits were received before, whatever became of them and of their records."""
        return {sha for sha, day in zip(shas, self._days(repository, shas), strict=True) if day is not None}

    def past_day(self, repository: str, sha: str) -> date | None:
        """The report day of a commit whose record has expired; None for any other."""
        (ordinal,) = self._days(repository, [sha])
        return date.fromordinal(int(ordinal)) if ordinal else None

    def past(self, repository: str, shas: Sequence[str]) -> set[str]:
        """Which of these commits have no record any more although they were received."""
        return {sha for sha, day in zip(shas, self._days(repository, shas), strict=True) if day}

    def _days(self, repository: str, shas: Sequence[str]) -> list[bytes | None]:
        """What stands at each sha: None for an unknown one, nothing while its record is there."""
        if not shas:
            return []
        self.bring_up_to_date()
        with self.redis.pipeline(transaction=False) as pipe:
            for sha in shas:
                pipe.hget(sha_key(repository, sha), sha[DIGITS:])
            return list(pipe.execute())

    def shas_with(self, repository: str, prefixes: Iterable[str]) -> dict[str, list[str]]:
        """The received commits that begin with each of some prefixes of two or more lower-case hex digits, in order."""
        asked = dict.fromkeys(prefixes)
        if not asked:
            return {}
        self.bring_up_to_date()
        with self.redis.pipeline(transaction=False) as pipe:
            for prefix in asked:
                pipe.hscan(sha_key(repository, prefix), 0, f"{prefix[DIGITS:]}*", LOOKED_THROUGH)
            answers = pipe.execute()
        return {
            prefix: sorted({prefix[:DIGITS] + rest.decode() for rest in self._whole(repository, prefix, *answer)})
            for prefix, answer in zip(asked, answers, strict=True)
        }

    def _whole(self, repository: str, prefix: str, cursor: int, found: dict[bytes, bytes]) -> list[bytes]:
        """What a first step found, and all further ones where Redis had more to look through."""
        rests = list(found)
        while cursor:
            cursor, more = self.redis.hscan(sha_key(repository, prefix), cursor, f"{prefix[DIGITS:]}*", LOOKED_THROUGH)
            rests += more
        return rests
