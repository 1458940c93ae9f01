"""Commits and their parents → landings: each first-parent commit of a branch with what it brought; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from workers.patch import CommitInfo


@dataclass(frozen=True, slots=True)
class Landing:
    """A first-parent commit with the commits that it merged, oldest first, itself last: one push, as GitHub tells it.

    `before` is the branch's commit until then; 40 (or 64) zeros when there was none.
    """

    before: str
    commits: tuple[CommitInfo, ...]

    @property
    def head(self) -> CommitInfo:
        """The commit that the branch stood on afterwards."""
        return self.commits[-1]


def landings_from(commits: Sequence[CommitInfo], wanted: Collection[str] | None, *, tip: str) -> list[Landing]:
    """The landings that made a branch whose head is `tip`, oldest first; `wanted` names their heads (None: all).

    `commits` has parents before children, see `parents_first`. A commit belongs to the first landing that brought it.
    """
    by_sha = {commit.sha: commit for commit in commits}
    place = {commit.sha: number for number, commit in enumerate(commits)}
    known: set[str] = set()
    landings = []
    for sha in first_parent_line(by_sha, tip):
        brought = _brought(by_sha, sha, known)
        known |= brought
        if wanted is None or sha in wanted:
            before = next(iter(by_sha[sha].parents), "0" * len(sha))
            landings.append(Landing(before, tuple(by_sha[one] for one in sorted(brought, key=place.__getitem__))))
    return landings


def first_parent_line(by_sha: dict[str, CommitInfo], tip: str) -> list[str]:
    """The shas from `tip` down by first parents as far as they are given, oldest first."""
    line = []
    sha: str | None = tip
    while sha in by_sha:
        line.append(sha)
        sha = next(iter(by_sha[sha].parents), None)
    return line[::-1]


def parents_first(commits: Iterable[CommitInfo]) -> list[CommitInfo]:
    """The same commits with each after its parents; otherwise the order is kept."""
    by_sha = {commit.sha: commit for commit in commits}
    ordered: dict[str, CommitInfo] = {}
    for sha in by_sha:
        waiting = [sha]
        while waiting:
            missing = [one for one in by_sha[waiting[-1]].parents if one in by_sha and one not in ordered]
            if missing:
                waiting.extend(reversed(missing))
            else:
                ordered.setdefault(waiting[-1], by_sha[waiting[-1]])
                waiting.pop()
    return list(ordered.values())


def _brought(by_sha: dict[str, CommitInfo], sha: str, known: set[str]) -> set[str]:
    brought = {sha}
    waiting = list(by_sha[sha].parents[1:])
    while waiting:
        parent = waiting.pop()
        if parent in by_sha and parent not in known and parent not in brought:
            brought.add(parent)
            waiting.extend(by_sha[parent].parents)
    return brought
