"""Past: the commits whose records have expired; all that is left of them is the day whose kept report tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from core.ledger.connection import Connection, P

# A commit's place is `past:REPOSITORY:XX`, by its sha's first digits: hashes this small are stored without overhead.
DIGITS = 2


class PastLedger(Connection):
    """Which commits were received once and have no record any more."""

    def past_day(self, repository: str, sha: str) -> date | None:
        """The report day of a commit whose record has expired; None for any other."""
        ordinal = self.redis.hget(past_key(repository, sha), sha[DIGITS:])
        return date.fromordinal(int(ordinal)) if ordinal else None

    def past(self, repository: str, shas: Sequence[str]) -> set[str]:
        """Which of these commits have no record any more although they were received."""
        if not shas:
            return set()
        with self.redis.pipeline(transaction=False) as pipe:
            for sha in shas:
                pipe.hexists(past_key(repository, sha), sha[DIGITS:])
            return {sha for sha, there in zip(shas, pipe.execute(), strict=True) if there}

    def past_with(self, repository: str, prefix: str) -> list[str]:
        """The shas of expired commits that begin with `prefix`, at least two lower-case hex digits, in order."""
        found = self.redis.hscan_iter(past_key(repository, prefix), match=f"{prefix[DIGITS:]}*", count=1000)
        return sorted({prefix[:DIGITS] + rest.decode() for rest, _ in found})


def past_key(repository: str, sha: str) -> str:
    """Where a commit stands once its record has expired; `past_key` of lua/prelude.lua says the same."""
    return f"{P}past:{repository}:{sha[:DIGITS]}"
