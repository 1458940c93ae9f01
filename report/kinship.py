"""Commits → which speaks of which: each reference resolved to the one commit it means; pure, linear, terminating.

A reference leads only to a commit that landed before, so there are no loops and none speaks of itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from core.ledger.stories import looked_up
from core.references import Reference, ReferenceKind, references, series_key, title_key
from report.titles import shown_title

if TYPE_CHECKING:
    from core.models import CommitRecord

# A revert changes about as many lines as what it takes back; beyond this it is another or a larger change.
MOST_TIMES_LARGER = 2
MOST_CANDIDATES = 50  # of one name that are weighed
CLOSELY = 1.1  # times larger, where its title does not call it a revert
SMALL_LINES = 20  # what is this small is not compared


class Told(NamedTuple):
    """What the stories need of a commit: enough to tell of it without its record."""

    sha: str
    landed_at: datetime
    position: int
    branch: str
    title: str  # as pages show it
    key: str  # by which other titles name it
    references: tuple[Reference, ...]  # what its message speaks of
    pull_request: int  # its own; 0 when it has none
    parents: tuple[str, ...]  # as far as the diff was read
    part: tuple[int, int] | None  # which part of a series it is, and of how many (0: not known)
    series: str  # what it has in common with the other parts; empty when it is none
    lines: int | None  # changed lines; None when they are not known

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Its place in the order of landing."""
        return self.landed_at, self.position, self.sha


def told_from_record(record: CommitRecord) -> Told:
    """What the stories need of a commit that is known by its record."""
    commit, facts = record.commit, record.facts
    part = facts.series if facts else None
    return Told(
        sha=commit.sha,
        landed_at=commit.landed_at,
        position=commit.position,
        branch=commit.branch,
        title=shown_title(commit),
        key=title_key(commit.title),
        references=references(commit.message, commit.repository),
        pull_request=(facts.pull_request if facts else None) or 0,
        parents=facts.parents if facts else (),
        part=part,
        series=series_key(commit.title, commit.login or commit.author, part) if part else "",
        lines=facts.additions + facts.deletions if facts and not facts.incomplete else None,
    )


class Called(NamedTuple):
    """By what a commit may have to do with others; enough to see of most of a day's commits that they do not."""

    key: int  # a digest of the one by which other titles name it
    pull_request: int  # its own; 0 when it has none
    series: str  # what it has in common with the other parts of one; empty when it is no part
    speaks: bool  # whether its message speaks of any other
    merges: bool
    looked_up: str  # by what its kin is found in the ledger


def called_from_record(record: CommitRecord, told: Told) -> Called:
    """What a commit is called that is known by its record, of which `told` was made."""
    return Called(_digest(told.key), told.pull_request, told.series, bool(told.references), len(told.parents) > 1,
                  looked_up(record))  # fmt: skip


def concerned(day: Mapping[str, Called], speaking: Iterable[Told], elsewhere: Sequence[Told]) -> set[str]:
    """The shas of a day that may have a story: all that speak of another, can be meant by one, or belong together.

    `day` has all its commits, `speaking` those of them that speak of others. Who is left out is in no story, and no
    story is told otherwise for want of him.
    """
    if any(called.merges for called in day.values()):  # what a merge brought is found by parents, from any commit on
        return set(day)
    named = [reference for told in (*speaking, *elsewhere) for reference in told.references]
    titles = {_digest(one.title) for one in named if one.title}
    pulls = {one.pull_request for one in named} | _several([*(called.pull_request for called in day.values()),
                                                            *(told.pull_request for told in elsewhere)])  # fmt: skip
    series = _several([*(called.series for called in day.values()), *(told.series for told in elsewhere)])
    pulls.discard(0)
    series.discard("")
    found = {
        sha
        for sha, called in day.items()
        if called.speaks or called.pull_request in pulls or called.series in series or called.key in titles
    }
    return found.union(_beginning(day, {one.sha for one in named if one.sha}))


def _digest(key: str) -> int:
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


Name = TypeVar("Name", str, int)


def _several(names: Iterable[Name]) -> set[Name]:
    """What more than one is called."""
    return {name for name, times in Counter(names).items() if times > 1}


def _beginning(shas: Iterable[str], prefixes: Iterable[str]) -> Iterator[str]:
    """All that begin with any of these."""
    ordered = sorted(shas) if prefixes else []
    for prefix in prefixes:
        place = bisect_left(ordered, prefix)
        while place < len(ordered) and ordered[place].startswith(prefix):
            yield ordered[place]
            place += 1


@dataclass(frozen=True)
class Edge:
    """One commit speaks of an earlier one."""

    kind: ReferenceKind
    source: Told
    target: Told
    partial: bool = False
    aside: bool = False


def mirrors(revert: Told, taken_back: Sequence[Told], *, closely: bool) -> bool:
    """Whether a revert is about as large as what it takes back; where sizes are not known it is, but not `closely`."""
    sizes = [commit.lines for commit in taken_back]
    if revert.lines is None or None in sizes:
        return not closely
    small, large = sorted([revert.lines, sum(size or 0 for size in sizes)])
    return large <= (small * CLOSELY if closely else max(SMALL_LINES, small * MOST_TIMES_LARGER))


class Resolver:
    """Finds the commit that a reference means, among commits given in the order of landing."""

    def __init__(self, commits: Iterable[Told]) -> None:
        self.by_sha: dict[str, Told] = {}
        self.by_pull: dict[int, list[Told]] = defaultdict(list)
        self.by_title: dict[str, list[Told]] = defaultdict(list)
        self.taken: set[str] = set()
        for commit in commits:
            self.by_sha[commit.sha] = commit
            self.by_pull[commit.pull_request].append(commit)
            self.by_title[commit.key].append(commit)
        self.shas = sorted(self.by_sha)

    def edges(self, source: Told) -> list[Edge]:
        """What a commit speaks of; only once of each other commit, in the strongest way."""
        if not source.references:
            return []
        found: dict[str, Edge] = {}
        for reference in sorted(
            source.references, key=lambda one: ("reverts", "relands", "follows_up").index(one.kind)
        ):
            target = self._target(reference, source)
            if target is not None and target.sha not in found:
                found[target.sha] = Edge(reference.kind, source, target, reference.partial, reference.aside)
        self.taken.update(edge.target.sha for edge in found.values() if edge.kind == "reverts" and not edge.partial)
        return list(found.values())

    def _target(self, reference: Reference, source: Told) -> Told | None:
        if reference.sha and (named := self._by_prefix(reference.sha, source)):
            return named
        own = reference.pull_request == source.pull_request
        if reference.pull_request and not own and (found := self.by_pull.get(reference.pull_request)):
            return self._latest(found, source)
        found = self.by_title.get(reference.title, []) if reference.title else []
        if reference.sha and len(found) > 1:
            return None  # the sha is of none of these, and the title of several
        return self._latest(found, source)

    def _by_prefix(self, prefix: str, source: Told) -> Told | None:
        place = bisect_left(self.shas, prefix)
        alike = [sha for sha in self.shas[place : place + 2] if sha.startswith(prefix)]
        found = self.by_sha[alike[0]] if len(alike) == 1 else None
        return found if found and found.order < source.order else None

    def _latest(self, candidates: Sequence[Told], source: Told) -> Told | None:
        """The latest that landed before, of the same branch if there is one, best one that nobody took back yet."""
        place = bisect_left(candidates, source.order, key=lambda commit: commit.order)
        earlier = candidates[max(0, place - MOST_CANDIDATES) : place]
        near = [commit for commit in earlier if commit.branch == source.branch] or earlier
        return max(near, key=lambda commit: (commit.sha not in self.taken, commit.order), default=None)
