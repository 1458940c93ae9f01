"""The errors that cross folders, named by what the caller should do."""

from __future__ import annotations


class DaybookError(Exception):
    """Something is wrong in a way that a person can mend; the message is one line that says how."""


class Transient(Exception):
    """Trying again later may help.

    `retry_after` is the wait in seconds that the other side asked for, if it did. `shared` says that the limit holds
    for every caller of that service, not for this commit alone; `refused` that it is no limit but what we are known by
    there, so that a person has to act before it ends.
    """

    def __init__(
        self, reason: str, *, retry_after: float | None = None, shared: bool = False, refused: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.shared = shared or refused
        self.refused = refused


class Permanent(Exception):
    """Trying again would give the same answer; the commit is given up on with this reason."""
