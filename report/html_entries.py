"""The entries of an HTML page, each in parts that can be kept, and their places among what is around them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from core.models import Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from report.addresses import Address
    from report.daily import DailyReport, Entry, Member
    from report.shelf import Piece
    from report.view import View

Macro = Callable[..., Markup]  # of templates/parts.html

_SLOT = "\x00"  # in no text that is cleaned
_PLACE = re.compile(rb"\x00([0-9]+)\x00")


class HtmlParts(NamedTuple):
    """An entry in parts: its lines in the table and the contents, and itself, up to its marks and from there on."""

    row: Piece
    contents: Piece
    opened: Piece
    article: Piece
    story: int  # bytes of the article before it


class _Columns(NamedTuple):
    """The parts of some entries."""

    row: Sequence[Piece]
    contents: Sequence[Piece]
    opened: Sequence[Piece]
    articles: Sequence[Piece]
    stories: Sequence[int]


def parts_by(macros: Mapping[str, Macro], view: View, entry: Entry) -> HtmlParts:
    """An entry's parts as they are for itself and those that it holds, whatever its marks and relations are."""
    article = macros["article"](view, entry, _SLOT, _SLOT, view.words)
    opened, head, tail = article.encode().split(_SLOT.encode())
    row, line = macros["row"](view, entry, view.words), macros["contents_line"](view, entry, view.words)
    return HtmlParts(row.encode(), line.encode(), opened, head + tail, len(head))


class Entries:
    """What a page's template asks for where entries stand: places, which are filled when all around them is there.

    So what is kept as bytes is joined once and never decoded.
    """

    def __init__(
        self,
        macros: Mapping[str, Macro],
        reports: Iterable[DailyReport],
        marks: Mapping[str, str],
        address: Address,
    ) -> None:
        self._macros = macros
        self._marks = marks
        self._address = address
        self._parts = {report.repository: self._parts_of(report) for report in reports}
        self._filled: list[Iterable[Piece]] = []

    def rows(self, report: DailyReport) -> Markup:
        """The table of all commits."""
        rows, view = self._parts[report.repository].row, report.view
        if report.commits is not report.entries:
            rows = report.rows_of_all(rows, lambda commit: self._row(view, commit))
        return self._place(rows)

    def contents(self, report: DailyReport, tier: Tier) -> Markup:
        """The lines of one tier in the contents."""
        contents = self._parts[report.repository].contents
        return self._place([contents[place] for place in report.places[tier]])

    def articles(self, report: DailyReport, tier: Tier) -> Markup:
        """The entries of one tier."""
        return self._place(list(self._articles(report, report.places[tier])))

    def filled_into(self, around: str) -> bytes:
        """A page with all that has a place in it."""
        first, *others = _PLACE.split(around.encode())
        pieces: list[Piece] = [first]
        for number, rest in zip(others[::2], others[1::2], strict=True):
            pieces += self._filled[int(number)]
            pieces.append(rest)
        return b"".join(pieces)

    def _parts_of(self, report: DailyReport) -> _Columns:
        """The parts of a report's entries as they were kept, or made now."""
        columns = report.parts("html", lambda view, entry: parts_by(self._macros, view, entry))
        return _Columns._make(columns or [[] for _ in _Columns._fields])

    def _place(self, filled: Iterable[Piece]) -> Markup:
        self._filled.append(filled)
        return Markup(f"{_SLOT}{len(self._filled) - 1}{_SLOT}")  # noqa: S704 - a number of our own

    def _row(self, view: View, commit: Member) -> bytes:
        return self._macros["row"](view, commit, view.words).encode()

    def _articles(self, report: DailyReport, places: Iterable[int]) -> Iterator[Piece]:
        _, _, opened, articles, stories = self._parts[report.repository]
        view, entries, storied = report.view, report.entries, report.storied
        anchors = list(view.anchors(report.table.column("sha")))
        for place in places:
            yield opened[place]
            yield self._marks[anchors[place]].encode()
            if place in storied:
                told = self._macros["story"](report, entries[place], self._address, view.words).encode()
                yield articles[place][: stories[place]]
                yield told
                yield articles[place][stories[place] :]
            else:
                yield articles[place]
