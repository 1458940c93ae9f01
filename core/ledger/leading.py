"""Leading: of several processes of a kind one works, and the others stand by."""

from __future__ import annotations

from core.ledger.connection import Connection, P


class LeadLedger(Connection):
    """Who leads."""

    def lead(self, what: str, holder: str, seconds: float) -> str:
        """Take or keep a lead for `seconds`, unless another holder has it; returns the holder.

        `holder` is a name such as `beat@host/4711`, a space, and what makes it the only one of that name.
        """
        return str(self._run("lead", what, holder, seconds).decode())

    def resign(self, what: str, holder: str) -> None:
        """Give a lead up, if it is this holder's."""
        self._run("lead", what, holder, 0)

    def leader(self, what: str) -> str | None:
        """The name of who leads, as in `beat@host/4711`; None when nobody does."""
        holder = self.redis.get(f"{P}lead:{what}")
        return holder.decode().partition(" ")[0] if holder else None
