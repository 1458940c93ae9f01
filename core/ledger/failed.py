"""Failed: the commits that were given up on, tried again or let go by a person."""

from __future__ import annotations

from collections.abc import Sequence

from core.ledger.connection import Connection, P
from core.ledger.work import Stage

AT_ONCE = 1000  # commits in one call of the script, which blocks Redis meanwhile


class FailedLedger(Connection):
    """What a person decides about given-up commits; `DayLedger.failed` lists them."""

    def reopen(self, commit_ids: Sequence[str], messages: Sequence[bytes], queue: str = Stage.FETCH) -> int:
        """Open the work on given-up commits again and queue it; returns how many still stood there."""
        pairs = list(zip(commit_ids, messages, strict=True))
        return sum(
            int(self._run("reopen", queue, self.patience_seconds, *(part for pair in some for part in pair)))
            for some in (pairs[at : at + AT_ONCE] for at in range(0, len(pairs), AT_ONCE))
        )

    def drop(self, commit_ids: Sequence[str]) -> int:
        """Take commits off the list; their records, and so their lines of the report, stay as they are."""
        return int(self.redis.zrem(f"{P}failed", *commit_ids)) if commit_ids else 0
