"""The entries of an HTML page, each in parts that can be kept, and their places among what is around them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from core.models import Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from report.addresses import Address
    from report.daily import DailyReport, Entry, Member
    from report.shelf import Piece
    from report.view import View

Macro = Callable[..., Markup]  # of templates/parts.html

_SLOT = "\x00"  # in no text that is cleaned
_PLACE = re.compile(rb"\x00([0-9]+)\x00")


class HtmlParts(NamedTuple):
    """An entry in parts: its lines in the table and the contents, and itself, with the places for marks and story."""

    row: Piece
    contents: Piece
    article: Piece
    marks: int  # bytes before them
    story: int


def parts_by(macros: Mapping[str, Macro], view: View, entry: Entry) -> HtmlParts:
    """An entry's parts as they are for itself and those that it holds, whatever its marks and relations are."""
    article = macros["article"](view, entry, _SLOT, _SLOT, view.words)
    opened, head, tail = article.encode().split(_SLOT.encode())
    row, line = macros["row"](view, entry, view.words), macros["contents_line"](view, entry, view.words)
    return HtmlParts(row.encode(), line.encode(), opened + head + tail, len(opened), len(opened) + len(head))


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
        self._parts = {
            report.repository: {entry.sha: self._parts_of(report.view, entry) for entry in report.entries}
            for report in reports
        }
        self._filled: list[Iterable[Piece]] = []

    def rows(self, report: DailyReport) -> Markup:
        """The table of all commits."""
        parts, view = self._parts[report.repository], report.view
        return self._place([self._row(view, commit, parts.get(commit.sha)) for commit in report.commits])

    def contents(self, report: DailyReport, tier: Tier) -> Markup:
        """The lines of one tier in the contents."""
        parts = self._parts[report.repository]
        return self._place([parts[entry.sha].contents for entry in report.group(tier)])

    def articles(self, report: DailyReport, tier: Tier) -> Markup:
        """The entries of one tier."""
        return self._place(self._articles(report, report.group(tier)))

    def filled_into(self, around: str) -> bytes:
        """A page with all that has a place in it."""
        first, *others = _PLACE.split(around.encode())
        pieces: list[Piece] = [first]
        for number, rest in zip(others[::2], others[1::2], strict=True):
            pieces += self._filled[int(number)]
            pieces.append(rest)
        return b"".join(pieces)

    def _parts_of(self, view: View, entry: Entry) -> HtmlParts:
        """An entry's parts as they were kept, or made now."""
        kept = entry.kept_for(view)
        return kept[0].html[kept[1]] if kept and kept[0].html else parts_by(self._macros, view, entry)

    def _place(self, filled: Iterable[Piece]) -> Markup:
        self._filled.append(filled)
        return Markup(f"{_SLOT}{len(self._filled) - 1}{_SLOT}")  # noqa: S704 - a number of our own

    def _row(self, view: View, commit: Member, part: HtmlParts | None) -> Piece:
        return part.row if part else self._macros["row"](view, commit, view.words).encode()

    def _articles(self, report: DailyReport, entries: Sequence[Entry]) -> list[Piece]:
        view, parts = report.view, self._parts[report.repository]
        found: list[Piece] = []
        for entry in entries:
            _, _, article, marks, story = parts[entry.sha]
            found += (article[:marks], self._marks[view.anchor(entry)].encode())
            if entry.folded or entry.relations:
                told = self._macros["story"](report, entry, self._address, view.words).encode()
                found += (article[marks:story], told, article[story:])
            else:
                found.append(article[marks:])
        return found
