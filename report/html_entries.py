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
    from report.fragments import Kept, Piece
    from report.view import View

Macro = Callable[..., Markup]  # of templates/parts.html

_SLOT = "\x00"  # in no text that is cleaned
_PLACE = re.compile(rb"\x00([0-9]+)\x00")


class HtmlParts(NamedTuple):
    """An entry in parts: its lines in the table and the contents, and itself around its marks and its story."""

    html_row: bytes
    html_contents: bytes
    html_open: bytes
    html_head: bytes
    html_tail: bytes


def parts_by(macros: Mapping[str, Macro], view: View, entry: Entry) -> HtmlParts:
    """An entry's parts as they are for itself and those that it holds, whatever its marks and relations are."""
    article = macros["article"](view, entry, _SLOT, _SLOT, view.words)
    opened, head, tail = article.encode().split(_SLOT.encode())
    row, line = macros["row"](view, entry, view.words), macros["contents_line"](view, entry, view.words)
    return HtmlParts(row.encode(), line.encode(), opened, head, tail)


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
            report.repository: {
                entry.sha: entry.kept_for(view) or parts_by(macros, view, entry) for entry in report.entries
            }
            for report in reports
            for view in [report.view]
        }
        self._filled: list[Iterable[Piece]] = []

    def rows(self, report: DailyReport) -> Markup:
        """The table of all commits."""
        parts, view = self._parts[report.repository], report.view
        return self._place([self._row(view, commit, parts.get(commit.sha)) for commit in report.commits])

    def contents(self, report: DailyReport, tier: Tier) -> Markup:
        """The lines of one tier in the contents."""
        parts = self._parts[report.repository]
        return self._place([parts[entry.sha].html_contents for entry in report.group(tier)])

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

    def _place(self, filled: Iterable[Piece]) -> Markup:
        self._filled.append(filled)
        return Markup(f"{_SLOT}{len(self._filled) - 1}{_SLOT}")  # noqa: S704 - a number of our own

    def _row(self, view: View, commit: Member, part: Kept | HtmlParts | None) -> Piece:
        return part.html_row if part else self._macros["row"](view, commit, view.words).encode()

    def _articles(self, report: DailyReport, entries: Sequence[Entry]) -> list[Piece]:
        view, parts = report.view, self._parts[report.repository]
        found: list[Piece] = []
        for entry in entries:
            part = parts[entry.sha]
            found += (part.html_open, self._marks[view.anchor(entry)].encode(), part.html_head)
            if entry.folded or entry.relations:
                found.append(self._macros["story"](report, entry, self._address, view.words).encode())
            found.append(part.html_tail)
        return found
