"""Stories: how the commits of a day and of other days hang together, and which of them are shown as one; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from itertools import pairwise
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Literal

from core.models import Frozen, Sha, Tier
from report.kinship import Edge, Resolver, Told
from report.undoing import Changes, cancelled, merged

if TYPE_CHECKING:
    from report.daily import Entry
    from report.table import Table

RelationKind = Literal[
    "reverts", "reverted_by", "relands", "relanded_by", "same_pull_request", "series", "follows_up", "followed_by"
]
KINDS: tuple[RelationKind, ...] = (
    "reverts", "reverted_by", "relands", "relanded_by", "same_pull_request", "series", "follows_up", "followed_by",
)  # fmt: skip
MOST_OF_A_KIND = 20
PART = "part"

_INVERSE: Mapping[RelationKind, RelationKind] = {
    "reverts": "reverted_by", "relands": "relanded_by", "follows_up": "followed_by",
}  # fmt: skip


class Relation(Frozen):
    """What another commit is to this one; the other may be of another day.

    `detail`: `part` of a revert that takes back a part only; `#12`, the pull request that both are of; `2/3` or `2/N`,
    which part of the series the other is.
    """

    kind: RelationKind
    sha: Sha
    title: str
    day: date
    detail: str = ""


@dataclass(frozen=True)
class Stories:
    """What is told of a day: relations by sha, and groups of shas, oldest first, that cancel each other out."""

    relations: Mapping[str, tuple[Relation, ...]]
    cancelled: tuple[tuple[str, ...], ...]


def tell(
    commits: Iterable[Told],
    elsewhere: Iterable[Told],
    zone: tzinfo,
    may_cancel: Callable[[str], bool] = lambda _: False,
) -> Stories:
    """The stories of a day's commits; `elsewhere` are commits of other days that they may speak of, or that of them.

    What is cancelled is so by the day's net effect; a commit for whose sha `may_cancel` is false is always shown by
    itself.
    """
    here = {one.sha: one for one in commits}
    day = sorted(here.values(), key=_LANDING)
    others = {one.sha: one for one in elsewhere if one.sha not in here}
    known = sorted([*day, *others.values()], key=_LANDING) if others else day
    resolver, changes = Resolver(known), Changes()
    edges: dict[str, list[Edge]] = {}
    for commit in known:
        if commit.references:
            edges[commit.sha] = resolver.edges(commit)
            changes.add(commit, edges[commit.sha])
    brought = merged(day)
    groups = cancelled(day, edges, changes, may_cancel)
    pairs = [*_spoken(known, edges), *_landed_again(known, edges, changes), *_together(known, brought)]
    return Stories(_relations(pairs, here, zone), _with_merged(groups, brought, may_cancel))


_LANDING = attrgetter("landed_at", "position", "sha")  # Told.order, thousands of times a day


def file_stories(entries: Table, stories: Stories) -> Table:
    """Each entry with its relations; what cancels out is filed low."""
    low = {sha for group in stories.cancelled for sha in group}
    places = entries.places_of(low | stories.relations.keys())
    return entries.with_entries({
        place: entries[place].model_copy(update={
            "relations": stories.relations.get(sha, ()),
            "cancelled": sha in low,
            "tier": Tier.LOW if sha in low else entries[place].tier,
        })
        for sha, place in places.items()
    })  # fmt: skip


def fold(entries: Table, stories: Stories) -> Table:
    """The entries with each cancelled group as one, in the place of its newest commit; `entries` come newest first."""
    heads = {sha: group[-1] for group in stories.cancelled for sha in group}
    places = entries.places_of(heads)
    folded: dict[str, list[Entry]] = defaultdict(list)
    for sha, place in sorted(places.items(), key=itemgetter(1)):
        if heads[sha] != sha:
            folded[heads[sha]].append(entries[place])
    holding = {places[head]: _head(entries[places[head]], others) for head, others in folded.items() if head in places}
    inner = [sha for sha in places if heads[sha] != sha]
    return entries.folded_into(holding, inner) if heads else entries


def _head(entry: Entry, others: Sequence[Entry]) -> Entry:
    """An entry that shows others too, and tells of all what goes beyond them."""
    inside = {entry.sha, *(other.sha for other in others)}
    told = dict.fromkeys(one for each in (entry, *others) for one in each.relations if one.sha not in inside)
    ordered = tuple(sorted(told, key=lambda one: KINDS.index(one.kind)))
    return entry.model_copy(update={"folded": tuple(other.member() for other in others), "relations": ordered})


@dataclass(frozen=True)
class _Pair:
    """A relation before it is known on which page it stands."""

    kind: RelationKind
    of: Told
    to: Told
    detail: str = ""


def _spoken(known: Iterable[Told], edges: Mapping[str, Sequence[Edge]]) -> Iterator[_Pair]:
    """What commits say of each other, from both sides."""
    for commit in known:
        for edge in edges.get(commit.sha, ()):
            yield from _both(edge.kind, commit, edge.target, PART if edge.partial else "")


def _landed_again(known: Iterable[Told], edges: Mapping[str, Sequence[Edge]], changes: Changes) -> Iterator[_Pair]:
    """The revert of a revert lands the first commit again."""
    undoing = {sha for sha, some in edges.items() if any(edge.kind == "reverts" for edge in some)}
    by_sha = {commit.sha: commit for commit in known} if undoing else {}
    for commit in (by_sha[sha] for sha in edges if sha in undoing):
        (by, sha), sign = changes.of(commit)
        first = by_sha.get(sha) if by == "sha" else None
        if first is not None and first is not commit and sign > 0:
            yield from _both("relands", commit, first)


def _both(kind: RelationKind, source: Told, target: Told, detail: str = "") -> Iterator[_Pair]:
    yield _Pair(kind, source, target, detail)
    yield _Pair(_INVERSE[kind], target, source, detail)


def _together(known: Sequence[Told], brought: Mapping[str, Sequence[Told]]) -> Iterator[_Pair]:
    """The commits of one pull request and the parts of one series."""
    by_sha = {commit.sha: commit for commit in known} if brought else {}
    for sha, commits in brought.items():
        merge = by_sha[sha]
        if merge.pull_request:
            own = [commit for commit in commits if commit.pull_request in {0, merge.pull_request}]
            for commit in own[-MOST_OF_A_KIND:]:
                yield _Pair("same_pull_request", merge, commit, f"#{merge.pull_request}")
            for commit in own:
                yield _Pair("same_pull_request", commit, merge, f"#{merge.pull_request}")
    for pull_request, commits in _alike(known, lambda one: one.pull_request).items():
        for one, other in _neighbours(commits):
            yield _Pair("same_pull_request", one, other, f"#{pull_request}")
    for commits in _alike(known, lambda one: one.series).values():
        yield from _series(commits)


def _series(commits: Sequence[Told]) -> Iterator[_Pair]:
    """Each part with the others; of a part that landed twice, the latest."""
    parts = [(commit, *commit.part) for commit in commits if commit.part]
    latest = {number: commit for commit, number, _ in parts}
    for commit, own, total in parts:
        nearest = sorted(latest.keys() - {own}, key=lambda number: (abs(number - own), number))
        for number in nearest[:MOST_OF_A_KIND]:
            yield _Pair("series", commit, latest[number], f"{number}/{total or 'N'}")


def _alike(known: Sequence[Told], key: Callable[[Told], str | int]) -> dict[str | int, list[Told]]:
    """Several commits that have something in common, by what that is."""
    found: dict[str | int, list[Told]] = defaultdict(list)
    for commit in known:
        if common := key(commit):
            found[common].append(commit)
    return {common: commits for common, commits in found.items() if len(commits) > 1}


def _neighbours(commits: Sequence[Told]) -> Iterator[tuple[Told, Told]]:
    """All pairs of a few commits, both ways; of many, those that follow on each other."""
    few = len(commits) <= MOST_OF_A_KIND
    for one, other in [(a, b) for a in commits for b in commits if a is not b] if few else pairwise(commits):
        yield one, other
        if not few:
            yield other, one


def _relations(pairs: Iterable[_Pair], here: Container[str], zone: tzinfo) -> dict[str, tuple[Relation, ...]]:
    """What stands with each commit of the day: one relation to each other commit, the strongest; at most 20 a kind."""
    strongest: dict[tuple[str, str], _Pair] = {}
    for pair in sorted(pairs, key=lambda one: KINDS.index(one.kind)):
        if pair.of.sha in here:
            strongest.setdefault((pair.of.sha, pair.to.sha), pair)
    found: dict[str, list[_Pair]] = defaultdict(list)
    for (sha, _), pair in strongest.items():
        found[sha].append(pair)
    return {sha: tuple(_relation(pair, zone) for pair in _at_most(some)) for sha, some in found.items()}


def _at_most(pairs: Iterable[_Pair]) -> Iterator[_Pair]:
    counts: dict[str, int] = defaultdict(int)
    for pair in sorted(pairs, key=lambda one: (KINDS.index(one.kind), one.to.order)):
        counts[pair.kind] += 1
        if counts[pair.kind] <= MOST_OF_A_KIND:
            yield pair


def _relation(pair: _Pair, zone: tzinfo) -> Relation:
    day = pair.to.landed_at.astimezone(zone).date()
    return Relation(kind=pair.kind, sha=pair.to.sha, title=pair.to.title, day=day, detail=pair.detail)


def _with_merged(
    groups: Sequence[Sequence[Told]], brought: Mapping[str, Sequence[Told]], may_cancel: Callable[[str], bool]
) -> tuple[tuple[str, ...], ...]:
    """Who takes a merge back takes back what it brought, with it what other merges brought it."""
    taken = {commit.sha for group in groups for commit in group}
    found: list[tuple[str, ...]] = []
    for group in groups:
        added = [one for one in _all_brought(group, brought) if one.sha not in taken and may_cancel(one.sha)]
        taken.update(one.sha for one in added)
        found.append(tuple(one.sha for one in sorted([*group, *added], key=lambda one: one.order)))
    return tuple(found)


def _all_brought(group: Sequence[Told], brought: Mapping[str, Sequence[Told]]) -> Iterator[Told]:
    """What the merges of a group brought, and what the merges among that had brought before; each commit once."""
    seen = {commit.sha for commit in group}
    waiting = list(group)
    while waiting:
        more = [one for one in brought.get(waiting.pop().sha, ()) if one.sha not in seen]
        seen.update(one.sha for one in more)
        waiting += more
        yield from more
