"""What a place that commits come from can be asked, whether it is GitHub or a clone on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.errors import Permanent
from workers.landings import Landing


class NotThere(Permanent):
    """GitHub does not know the commit; right after a push its servers may not all know it yet."""


@dataclass(frozen=True, slots=True)
class Described:
    """A repository as its source spells it, and the branch it is known for."""

    name: str
    default_branch: str


@dataclass(frozen=True, slots=True)
class Way:
    """What landed between two commits, oldest first; not `straight` when a forced push took the first one away."""

    landings: tuple[Landing, ...]
    straight: bool = True


class Upstream(Protocol):
    """The questions of reconciliation. Each raises Transient or Permanent when it gets no answer."""

    kind: str
    remaining: float | None  # the share of the allowed requests that is left, 0 to 1; None when there is no limit

    def describe(self, *, again: bool = True) -> Described:
        """The repository's own spelling and default branch; not `again`: as they were told last."""
        ...

    def heads(self, patterns: Sequence[str]) -> dict[str, str]:
        """Branch → sha of each branch that a name or a pattern such as `release/*` is for."""
        ...

    def between(self, base: str, head: str) -> Way | None:
        """What landed on the way to `head` that `base` lacks; None when `base` is not there any more."""
        ...

    def within(self, head: str, since: datetime, until: datetime | None = None) -> list[Landing]:
        """What landed on the way to `head` from `since` on, before `until`, oldest first.

        Both go by the committer date of the first-parent commit.
        """
        ...

    def missing(self, before: str, after: str) -> list[str] | None:
        """The commits of `before` that `after` lacks, oldest first; None when one of them is not there any more."""
        ...
