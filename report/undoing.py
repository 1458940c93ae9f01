"""A day's commits → those that cancel each other out: chains of land, revert and re-land by their net effect; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from report.kinship import Edge, Told, mirrors

if TYPE_CHECKING:
    from collections.abc import Callable

Root = tuple[str, str]  # ("sha", …) of the change itself, or ("title", …) where nobody knows the change


class Changes:
    """What change each commit puts in (+1) or takes out (-1), whoever made that change first."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Root, int]] = {}

    def add(self, commit: Told, edges: Sequence[Edge]) -> None:
        """Take in a commit that speaks of others; what it speaks of was added before, if it does so too."""
        self._known[commit.sha] = self._change(commit, edges)

    def of(self, commit: Told) -> tuple[Root, int]:
        """The change of a commit; one that was not added speaks of none, and is a change of its own."""
        return self._known.get(commit.sha) or (("sha", commit.sha), 1)

    def _change(self, commit: Told, edges: Sequence[Edge]) -> tuple[Root, int]:
        reverted = [edge.target for edge in edges if edge.kind == "reverts"]
        if any(edge.partial for edge in edges) or len(reverted) > 1:
            return ("sha", commit.sha), 1  # a change of its own
        if reverted:
            root, sign = self.of(reverted[0])
            return root, -sign
        if again := next((edge.target for edge in edges if edge.kind == "relands"), None):
            return self.of(again)
        for reference in commit.references:
            if reference.kind != "follows_up" and reference.title and not reference.partial:
                return ("title", reference.title), -1 if reference.kind == "reverts" else 1
        return ("sha", commit.sha), 1


def cancelled(
    day: Sequence[Told],
    edges: Mapping[str, Sequence[Edge]],
    changes: Changes,
    may_cancel: Callable[[str], bool],
) -> list[list[Told]]:
    """Groups of commits of the day, in the order of landing, that leave nothing behind; `day` in that order too.

    Only what landed on one branch cancels out, only whole reverts do, and only what `may_cancel`.
    """
    standing: dict[Root, list[Told]] = defaultdict(list)  # what is in or out by now, by the change it is of
    # Who speaks of nobody takes nothing back; whoever takes it back landed later, so it may stand from the beginning.
    standing.update({("sha", commit.sha): [commit] for commit in day if not commit.references})
    found: list[tuple[list[Root], list[Told]]] = []
    for commit in day:
        if not commit.references:
            continue
        wanted = _undoes(commit, edges[commit.sha], changes)
        undone = [standing[root][-1] for root, sign in wanted.items() if _stands(standing[root], sign, changes)]
        fits = len(undone) == len(wanted) and all(one.branch == commit.branch for one in undone)
        aside = any(edge.aside for edge in edges[commit.sha] if edge.kind == "reverts")
        if fits and all(may_cancel(one.sha) for one in (commit, *undone)) and mirrors(commit, undone, closely=aside):
            for root in wanted:
                standing[root].pop()
            found.append((list(wanted), [*undone, commit]))
        else:
            standing[changes.of(commit)[0]].append(commit)
    return _gathered(found)


def _undoes(commit: Told, edges: Sequence[Edge], changes: Changes) -> dict[Root, int]:
    """The changes, with their signs, that must stand for a commit to cancel them."""
    whole = [edge.target for edge in edges if edge.kind == "reverts" and not edge.partial]
    if len(whole) > 1:
        return dict(map(changes.of, whole))
    root, sign = changes.of(commit)
    return {root: -sign}


def _stands(commits: Sequence[Told], sign: int, changes: Changes) -> bool:
    return bool(commits) and changes.of(commits[-1])[1] == sign


def _gathered(found: Sequence[tuple[list[Root], list[Told]]]) -> list[list[Told]]:
    """One group for all that was done to a change, and for changes that were taken back together."""
    groups: dict[Root, list[Told]] = {}
    for roots, commits in found:
        first, *others = {id(groups[root]): groups[root] for root in roots if root in groups}.values() or [[]]
        for other in others:
            first += other
            groups.update({root: first for root, group in groups.items() if group is other})
        first += commits
        groups.update(dict.fromkeys(roots, first))
    distinct = {id(group): group for group in groups.values()}.values()
    return [sorted(group, key=lambda one: one.order) for group in distinct]


def merged(day: Sequence[Told]) -> dict[str, list[Told]]:
    """What each merge of the day brought onto its branch, oldest first; `day` in the order of landing."""
    if not any(len(commit.parents) > 1 for commit in day):
        return {}
    by_sha = {commit.sha: commit for commit in day}
    seen, line = _trunks(day, by_sha), _Lines(day)
    found: dict[str, list[Told]] = {}
    for merge in day:
        brought, waiting = [], list(merge.parents[1:])
        while waiting:
            commit = by_sha.get(waiting.pop())
            if commit is not None and commit.sha not in seen and not line.leads(merge.sha, commit.sha):
                seen.add(commit.sha)
                brought.append(commit)
                waiting += commit.parents
        if brought:
            found[merge.sha] = sorted(brought, key=lambda one: one.order)
    return found


class _Lines:
    """The first-parent ways back of all commits, which join into trees; each is walked once, at first."""

    def __init__(self, day: Sequence[Told]) -> None:
        children: dict[str, list[str]] = {commit.sha: [] for commit in day}
        waiting: list[tuple[str, bool]] = []
        for commit in day:
            if commit.parents and commit.parents[0] in children:
                children[commit.parents[0]].append(commit.sha)
            else:
                waiting.append((commit.sha, False))
        self._entered: dict[str, int] = {}
        self._left: dict[str, int] = {}
        while waiting:
            sha, done = waiting.pop()
            if done:
                self._left[sha] = len(self._entered)
            else:
                self._entered[sha] = len(self._entered)
                waiting += [(sha, True), *((child, False) for child in children[sha])]

    def leads(self, later: str, earlier: str) -> bool:
        """Whether the first-parent way back from one commit passes another, which was there before it branched off."""
        if later not in self._left or earlier not in self._left:
            return False  # of parents that lead in a circle nobody knows the order
        return self._entered[earlier] <= self._entered[later] < self._left[earlier]


def _trunks(day: Sequence[Told], by_sha: Mapping[str, Told]) -> set[str]:
    """The first-parent way back from each commit that is no other's parent, such as the newest of a branch."""
    found: set[str] = set()
    inner = {parent for commit in day for parent in commit.parents}
    for head in day:
        commit = head if head.sha not in inner else None
        while commit is not None and commit.sha not in found:
            found.add(commit.sha)
            commit = by_sha.get(commit.parents[0]) if commit.parents else None
    return found
