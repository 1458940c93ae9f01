"""What a branch has, asked of a clone on this machine; somebody else keeps the clone up to date (`git pull`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import DaybookError, Permanent, Transient
from workers.gitrepo import GitRepository
from workers.landings import Landing
from workers.upstream import Described, Way

if TYPE_CHECKING:
    from core.settings import RepositorySettings


def unreadable_clones(tables: Iterable[RepositorySettings]) -> Iterator[tuple[str, str]]:
    """Each repository whose `source` is a path where no clone can be read, and why, with a remedy."""
    for table in tables:
        if table.source != "github":
            try:
                GitRepository(Path(table.source)).default_branch()
            except DaybookError as error:
                yield table.name, str(error)


class CloneUpstream:
    """One repository as a clone has it; `name` is what it is called in daybook.toml. The constructor does no I/O."""

    kind = "git"
    remaining: float | None = None

    def __init__(self, path: Path, name: str) -> None:
        self._clone = GitRepository(path)
        self.name = name

    def describe(self, *, again: bool = True) -> Described:  # noqa: ARG002 - a clone answers at once
        """A clone has no name of its own: the given one."""
        with _answered():
            return Described(self.name, self._clone.default_branch())

    def heads(self, patterns: Sequence[str]) -> dict[str, str]:
        """The branches that the patterns are for."""
        with _answered():
            branches = self._clone.branches()
        for pattern in patterns:
            if branches and pattern not in branches and not set(pattern) & set("*?["):
                raise Permanent(f"the clone at {self._clone.path} has no branch {pattern}: correct `branches`")
        return {name: sha for name, sha in branches.items() if any(fnmatchcase(name, one) for one in patterns)}

    def between(self, base: str, head: str) -> Way | None:
        """A few git commands."""
        with _answered():
            landings = self._clone.landed(base, head)
            return None if landings is None else Way(tuple(landings), straight=not self._clone.lacking(base, head))

    def within(self, head: str, since: datetime, until: datetime | None = None) -> list[Landing]:
        """The first-parent line by its committer dates."""
        with _answered():
            return self._clone.first_parent(head, since=since, until=until)

    def missing(self, before: str, after: str) -> list[str] | None:
        """What a forced push took away, as long as git has not cleaned it up."""
        with _answered():
            return self._clone.lacking(before, after)


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except DaybookError as error:
        raise Transient(str(error)) from error
    except (ValueError, IndexError, KeyError) as error:
        raise Permanent(f"git's answer could not be read: {error}") from error
