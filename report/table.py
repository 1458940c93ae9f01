"""A day's commits by columns: what all pages need of each stands in lists, and an entry is made where one is asked for.

A page of thousands of commits joins what is kept of them; it has entries of those few alone that tell of others, that
have a highlight or that change what users can name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Self, overload

from report.brief import Brief
from report.kinship import Called

if TYPE_CHECKING:
    from report.daily import Entry, Member
    from report.shelf import Shelf

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def landed(commit: Member) -> int:
    """Microseconds from 1970 until a commit landed."""
    return (commit.landed_at - EPOCH) // MICROSECOND


def _not_shelved(_: Member) -> int:
    return -1


# What a commit has in each column, when it is not known by columns already; `row` is its own on the table's shelf.
_VALUES: Mapping[str, Callable[[Any], Any]] = {
    **{name: attrgetter(name) for name in ("sha", "author", "position", "found_by", "tier", "state")},
    **{name: attrgetter(f"called.{name}") for name in Called._fields},
    **{name: attrgetter(f"brief.{name}") for name in Brief._fields},
    "landed": landed,
    "row": _not_shelved,
}


class Rows:
    """Commits in whatever order: their columns as far as they are known, and how the entry of each is made."""

    def __init__(
        self, count: int, columns: Mapping[str, Sequence[Any]], make: Callable[[int], Any], shelf: Shelf | None = None
    ) -> None:
        self.count = count
        self.columns = columns
        self.shelf = shelf
        self._make = make
        self._made: dict[int, Any] = {}

    def entry(self, row: int) -> Any:
        """The entry of a row, the same one each time."""
        if row not in self._made:
            self._made[row] = self._make(row)
        return self._made[row]

    def followed_by(self, entries: Sequence[Entry]) -> Rows:
        """These and some entries that were made already."""
        if not entries:
            return self
        columns = {name: [*known, *map(_VALUES[name], entries)] for name, known in self.columns.items()}
        count, own = self.count, self.entry
        return Rows(
            count + len(entries),
            columns,
            lambda row: own(row) if row < count else entries[row - count],
            self.shelf,
        )


class Table(Sequence[Any]):
    """Entries in an order, of which some stand in the place of those of their rows. It is compared as a tuple is."""

    def __init__(self, rows: Rows, order: Sequence[int], instead: Mapping[int, Entry], whole: Table | None = None):
        self._rows = rows
        self._order = order
        self._instead = instead
        self._whole = whole
        self._columns: dict[str, Sequence[Any]] = {}

    @classmethod
    def of(cls, commits: Iterable[Member]) -> Table:
        """Some commits as they are; what is a table already stays it."""
        if isinstance(commits, Table):
            return commits
        known = tuple(commits)
        return cls.by_rows(Rows(len(known), {}, known.__getitem__))

    @classmethod
    def by_rows(cls, rows: Rows) -> Self:
        """All of some rows, in their order."""
        return cls(rows, range(rows.count), {})

    def column(self, name: str) -> Sequence[Any]:
        """A value of each commit: a field of its entry, `Brief` or `Called`; `landed` (microseconds of 1970); `row`."""
        if name not in self._columns:
            self._columns[name] = self._column(name)
        return self._columns[name]

    def _column(self, name: str) -> Sequence[Any]:
        if name not in self._rows.columns:
            return list(map(_VALUES[name], self))
        found = taken(self._rows.columns[name], self._order)
        if name == "tier":  # all else of those that stand for others is theirs
            for place in self.told:
                found[place] = self[place].tier
        elif name == "row":
            for place in self.told:
                found[place] = -1 if self[place].cancelled else found[place]
        return found

    @cached_property
    def told(self) -> Sequence[int]:
        """The places of the commits whose story is told, which alone may be cancelled or hold others."""
        if self._rows.columns:
            return [place for place, row in enumerate(self._order) if row in self._instead] if self._instead else []
        return [place for place, one in enumerate(self) if one.relations or one.folded or one.cancelled]

    def looked_up(self) -> dict[str, str]:
        """By what the kin of each commit is found (`Ledger.kin_of`), by sha."""
        return dict(zip(self.column("sha"), self.column("looked_up"), strict=True))

    @property
    def shelf(self) -> Shelf | None:
        """Where that is kept which `row` tells of."""
        return self._rows.shelf

    @property
    def whole(self) -> Table:
        """The same with the commits that are shown within others by themselves."""
        return self._whole or self

    def in_order_of(self, shas: Iterable[str]) -> Table:
        """In another order, of the same commits."""
        places = [self._places[sha] for sha in shas]
        if places == [*range(len(places))]:
            return self
        return Table(self._rows, [self._order[place] for place in places], self._instead)

    def newest_first(self) -> Table:
        """In the order of a page."""
        keys = list(zip(self.column("landed"), self.column("position"), self.column("sha"), strict=True))
        places: Sequence[int] = sorted(range(len(keys)), key=keys.__getitem__, reverse=True)
        backwards = range(len(keys) - 1, -1, -1)
        order = self._order[::-1] if places == [*backwards] else [self._order[place] for place in places]
        return Table(self._rows, order, self._instead)

    def without(self, shas: Collection[str]) -> Table:
        """Without some commits, if they are there."""
        return Table(self._rows, self._order_without(shas), self._instead) if shas else self

    def _order_without(self, shas: Collection[str]) -> Sequence[int]:
        return [row for row, sha in zip(self._order, self.column("sha"), strict=True) if sha not in shas]

    def with_entries(self, entries: Mapping[int, Entry]) -> Table:
        """With other entries, of the same commits, in some places."""
        return Table(self._rows, self._order, self._put_in(entries))

    def _put_in(self, entries: Mapping[int, Entry]) -> Mapping[int, Entry]:
        return {**self._instead, **{self._order[place]: entry for place, entry in entries.items()}}

    def folded_into(self, entries: Mapping[int, Entry], inner: Collection[str]) -> Table:
        """With entries in some places that hold others, and without these, given by sha; `whole` still has them."""
        return Table(self._rows, self._order_without(inner), self._put_in(entries), self)

    def places_of(self, shas: Iterable[str]) -> dict[str, int]:
        """Where some commits stand; those that are not here are left out."""
        return {sha: self._places[sha] for sha in shas if sha in self._places}

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {sha: place for place, sha in enumerate(self.column("sha"))}

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, place: int | slice) -> Any:
        """The entry at a place, or several."""
        if isinstance(place, slice):
            return tuple(map(self._entry, self._order[place]))
        return self._entry(self._order[place])

    def _entry(self, row: int) -> Any:
        return self._instead[row] if row in self._instead else self._rows.entry(row)

    def __iter__(self) -> Iterator[Any]:
        return map(self._entry, self._order)

    def __len__(self) -> int:
        return len(self._order)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (Table, tuple)) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))


def taken(column: Sequence[Any], order: Sequence[int]) -> list[Any]:
    """The values of some rows."""
    if len(order) < 2:
        return [column[row] for row in order]
    if isinstance(order, range):  # as rows that are in order or in its contrary come
        return list(column) if order.step > 0 else list(column[::-1])
    return list(itemgetter(*order)(column))
