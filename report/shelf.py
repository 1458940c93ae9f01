"""What is kept of a day's commits, cut into parts, and their entries: they have what pages need, and read the rest."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, NamedTuple

from core.ledger.packing import unpacked
from report.brief import Brief
from report.daily import Entry
from report.kinship import Called, Told
from report.lines import changes_from, references_from, rest_from
from report.table import EPOCH, MICROSECOND, Rows

if TYPE_CHECKING:
    from core.ledger.fragments import Form, Stretch
    from core.models import PublicChange
    from report.lines import Columns, Rest
    from report.view import View

Piece = bytes | memoryview  # of a page; nothing is done with it but to join it to others
STRETCH_BYTES = 1024 * 1024  # read at once
Stored = tuple[bytes, bytes | None]  # a record and its correction, as the ledger keeps them


@dataclass(frozen=True, slots=True)
class Shelf:
    """How some commits are shown in a view, each in its row, in the forms that were read.

    A form is the columns of its parts (`MarkdownParts`, `HtmlParts`, `JsonParts`). `rest` is what few pages need of few
    commits, `rest_ends` where it begins for each, and ends; `stored` has by sha what they were made from.
    """

    view: View
    forms: Mapping[Form, Sequence[Sequence[Any]]]
    rest: bytes = b""
    rest_ends: Sequence[int] = ()
    stored: Mapping[str, Stored] = field(default_factory=dict)

    def parts(self, form: Form, row: int) -> list[Any] | None:
        """The parts of one commit in a form; None where that was not read."""
        return [column[row] for column in self.forms[form]] if form in self.forms else None


class _Cut(NamedTuple):
    """How a form is cut: the sizes of what follows on each other of a commit, and the places within it.

    What is `small` is copied, which is cheaper than to point at it; the rest not before it is joined.
    """

    sizes: tuple[str, ...]
    places: tuple[str, ...]
    small: frozenset[str]


_CUTS: dict[Form, _Cut] = {
    "md": _Cut(
        ("markdown_row", "markdown_contents", "markdown_article"),
        ("markdown_story",),
        frozenset({"markdown_row", "markdown_contents"}),
    ),
    "html": _Cut(
        ("html_row", "html_contents", "html_open", "html_article"),
        ("html_story",),
        frozenset({"html_row", "html_contents", "html_open"}),
    ),
    "json": _Cut(("json_entry",), ("json_relations",), frozenset()),
}


def stretches(columns: Columns, form: Form) -> list[Stretch]:
    """In which stretches a form is to be read, each of whole commits and, if it has more than one, of a mebibyte."""
    return [(start, end) for start, end, _ in _stretches(columns, form)]


def bytes_of(columns: Columns, form: Form) -> int:
    """How many bytes of a form are kept."""
    return sum(sum(columns[name]) for name in _CUTS[form].sizes)


def _stretches(columns: Columns, form: Form) -> Iterator[tuple[int, int, slice]]:
    """Each stretch from a byte up to another, and its rows."""
    sizes = [columns[name] for name in _CUTS[form].sizes]
    ends = list(accumulate(map(sum, zip(*sizes, strict=True)) if len(sizes) > 1 else sizes[0], initial=0))
    row = 0
    while row + 1 < len(ends):
        upto = max(row + 1, bisect_right(ends, ends[row] + STRETCH_BYTES) - 1)
        yield ends[row], ends[upto], slice(row, upto)
        row = upto


def shelf_from(
    view: View, columns: Columns, rest: bytes, read: Mapping[Form, Sequence[bytes]], stored: Mapping[str, Stored]
) -> Shelf:
    """What is kept, cut into its parts; `read` are the stretches of the forms that are wanted.

    Raises ValueError where they are not what was asked for.
    """
    forms = {form: _cut(columns, form, found) for form, found in read.items()}
    ends = list(accumulate(columns["rest"], initial=0))
    if ends[-1] != len(rest):
        raise ValueError(f"{len(rest)} bytes are kept where {ends[-1]} were written")
    return Shelf(view, forms, rest, ends, stored)


def _cut(columns: Columns, form: Form, read: Sequence[bytes]) -> list[list[Any]]:
    """The columns of a form."""
    sizes, places, small = _CUTS[form]
    pieces: list[list[Piece]] = [[] for _ in sizes]
    for found, (start, end, rows) in zip(read, _stretches(columns, form), strict=True):
        if len(found) != end - start:
            raise ValueError(f"{len(found)} bytes are kept where {end - start} were written")
        bounds = list(
            accumulate(chain.from_iterable(zip(*(columns[name][rows] for name in sizes), strict=True)), initial=0)
        )
        for at, name in enumerate(sizes):
            seen = found if name in small else memoryview(found)
            pieces[at] += map(seen.__getitem__, map(slice, bounds[at :: len(sizes)], bounds[at + 1 :: len(sizes)]))
    return [*pieces, *(columns[name] for name in places)]


class KeptEntry(Entry):
    """An entry out of what is kept: what no page needs of every commit is read when it is asked for."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Read what its line does not have."""
            if name in _IN_REST:
                self._read_rest()
            elif name in _IN_RECORD:
                self.whole()
            elif name in _OF_PYDANTIC:
                return _OF_PYDANTIC[name]()
            else:
                return super().__getattr__(name)
            return self.__dict__[name]

    def whole(self) -> Entry:
        """The entry with all its fields read."""
        if "analysis" not in self.__dict__:
            shelf, _ = self._shelved
            record, said = shelf.stored[self.sha]
            read = unpacked(f"{shelf.view.repository}@{self.sha}", record, said)
            self.__dict__.update({name: getattr(read, name) for name in _IN_RECORD})
            self._read_rest()
        return self

    def _read_rest(self) -> None:
        rest = self._rest
        self.__dict__.update(title=rest.title, login=rest.login, branch=rest.branch,
                             committed_at=datetime.fromisoformat(rest.committed_at))  # fmt: skip

    @cached_property
    def brief(self) -> Brief:
        """What the sums of a day need of it."""
        return Brief._make(self._of_line(Brief._fields))

    @cached_property
    def called(self) -> Called:
        """By what it may have to do with others."""
        return Called._make(self._of_line(Called._fields))

    def _of_line(self, names: Sequence[str]) -> list[Any]:
        columns, row = self.__dict__["line"]
        return [columns[name][row] for name in names]

    @cached_property
    def told(self) -> Told:
        """What the stories need of it."""
        rest = self._rest
        return Told(
            sha=self.sha,
            landed_at=self.landed_at,
            position=self.position,
            branch=rest.branch,
            title=rest.title,
            key=rest.key,
            references=references_from(rest),
            pull_request=self.called.pull_request,
            parents=tuple(rest.parents),
            part=(rest.part[0], rest.part[1]) if rest.part else None,
            series=self.called.series,
            lines=rest.lines,
        )

    @property
    def may_cancel(self) -> bool:
        """As of any; whether a person has judged it is known without reading what."""
        shelf, _ = self._shelved
        return self.covered and not shelf.stored[self.sha][1]

    @property
    def public_changes(self) -> tuple[PublicChange, ...]:
        """What it changes of the things that users can name."""
        return changes_from(self._rest)

    @property
    def _rest(self) -> Rest:
        shelf, row = self._shelved
        return rest_from(shelf.rest[shelf.rest_ends[row] : shelf.rest_ends[row + 1]])

    @property
    def _shelved(self) -> tuple[Shelf, int]:
        shelved: tuple[Shelf, int] = self.__dict__["kept"]
        return shelved


_IN_LINE = ("sha", "author", "position", "found_by", "tier", "state")
_IN_REST = frozenset({"title", "login", "branch", "committed_at"})
_IN_RECORD = frozenset({"facts", "triage", "verdict", "correction", "analysis", "failure"})
# What pydantic wants of an instance; setting it for each takes as long as all the rest.
_OF_PYDANTIC = {
    "__pydantic_fields_set__": set[str],
    "__pydantic_extra__": type(None),
    "__pydantic_private__": type(None),
}


def rows_on(shelf: Shelf, columns: Columns, shas: Sequence[str | None]) -> Rows:
    """The commits of a shelf, whose shas are given by its rows, None where one is not wanted.

    `columns` are those that the shelf was made from.
    """
    wanted = {sha: row for row, sha in enumerate(shas) if sha is not None}
    known: dict[str, Sequence[Any]] = {name: columns[name] for name in _IN_TABLE}
    if len(wanted) < len(shas):
        known = {name: [column[row] for row in wanted.values()] for name, column in known.items()}
    known |= {"sha": list(wanted), "row": list(wanted.values())}
    return Rows(len(wanted), known, lambda row: _entry(shelf, known, row), shelf)


_IN_TABLE = tuple(dict.fromkeys(
    ("author", "landed", "position", "found_by", "tier", "state", *Brief._fields, *Called._fields)
))  # fmt: skip


def _entry(shelf: Shelf, columns: Mapping[str, Sequence[Any]], row: int) -> KeptEntry:
    """The entry of a row of a table."""
    entry = KeptEntry.__new__(KeptEntry)
    # Validated when it was rendered; to do so again takes as long as all the rest.
    entry.__dict__.update({name: columns[name][row] for name in _IN_LINE})
    entry.__dict__.update(landed_at=EPOCH + columns["landed"][row] * MICROSECOND, relations=(), folded=(),
                          cancelled=False, kept=(shelf, columns["row"][row]), line=(columns, row))  # fmt: skip
    return entry
