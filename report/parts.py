"""A day's page as a GitHub issue: a title, a body and numbered comments, each within GitHub's limit; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from report.labels import labels
from report.markdown import markdown

if TYPE_CHECKING:
    from datetime import date

    from report.addresses import Address
    from report.daily import DailyReport
    from report.stories import Relation

# "Body is too long (maximum is 65536 characters)". What GitHub counts has changed over the years (code points, UTF-8
# bytes up to four times as many); UTF-16 code units are at least as many as the former, and a third of the latter at
# least, so that a body that keeps to them is within either.
MOST_CHARACTERS = 65_536
_RESERVED = 300  # for the marker (a repository's name has at most 140 characters) and the number of a part

_END_OF_COMMIT = "\n\n---\n\n"
_FIRST_GROUP = re.compile(r'\n\n(?=<a id="(?:high|medium|low)-)')
_TABLE_RULE = re.compile(r"\|[-|: ]+\|")
# GitHub tells an issue or pull request of each link to it, in whatever repository; its own way around that:
# https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
_GITHUB, _WITHOUT_BACKLINK = "https://github.com", "https://redirect.github.com"


@dataclass(frozen=True)
class IssueText:
    """What an issue says: its title, and its body with the comments that continue it."""

    title: str
    marker: str
    parts: tuple[str, ...]

    def marker_of(self, number: int) -> str:
        """The hidden first line of a part, by which it is known again; the first is the body."""
        return _marker(self.marker, number)


def issue_text(report: DailyReport, site_url: str | None, limit: int = MOST_CHARACTERS) -> IssueText:
    """The issue of a day's report; each part has at most `limit` UTF-16 code units, and ends where a commit ends.

    Only a piece that is longer by itself (a commit, or the tables above all commits) is cut inside. Other days' commits
    are linked to the site, or without one to their repository.
    """
    quiet = report.model_copy(update={"commit_url": _WITHOUT_BACKLINK}) if report.commit_url == _GITHUB else report
    _, _, page = markdown([quiet], address=_elsewhere(site_url)).strip().partition("\n\n")  # the title is the issue's
    mark = marker(report.repository, report.day)
    texts = list(split(page, limit - _RESERVED))
    parts = [_part(mark, number, len(texts), text) for number, text in enumerate(texts, 1)]
    title = labels(report.language).word("title", day=report.day)
    return IssueText(f"{title} · {report.repository}", mark, tuple(parts))


def _elsewhere(site_url: str | None) -> Address:
    def address(report: DailyReport, relation: Relation) -> str | None:
        place = f"#{report.anchor(relation)}"
        if relation.day == report.day:
            return place
        if site_url is None:
            return report.origin.commit(relation.sha)
        return f"{site_url.rstrip('/')}/{report.repository}/{relation.day}{place}"

    return address


def marker(repository: str, day: date) -> str:
    """The words by which the issue of a day is known again, without the comment's signs."""
    return f"daybook {repository} {day}"


def _marker(words: str, number: int) -> str:
    return f"<!-- {words} -->" if number == 1 else f"<!-- {words} part {number} -->"


def _part(mark: str, number: int, count: int, text: str) -> str:
    lines = [_marker(mark, number), *([f"**{number}/{count}**"] if count > 1 else []), text]
    return "\n\n".join(lines)


def length(text: str) -> int:
    """The number of UTF-16 code units of a text."""
    return len(text) + sum(character > "\uffff" for character in text)


def split(page: str, limit: int) -> Iterator[str]:
    """A Markdown page in parts of at most `limit` UTF-16 code units, cut between commits where that is possible."""
    head, *groups = _FIRST_GROUP.split(page, maxsplit=1)
    commits = [piece for group in groups for piece in group.split(_END_OF_COMMIT)]
    pieces = [head, *(f"{piece}\n\n---" for piece in commits[:-1]), *commits[-1:]]
    yield from _packed((small for piece in pieces for small in _within(piece, limit)), "\n\n", limit)


def _packed(pieces: Iterable[str], between: str, limit: int) -> Iterator[str]:
    """As many pieces together as fit."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        more = length(piece) + (len(between) if held else 0)
        if held and size + more > limit:
            yield between.join(held)
            held, size, more = [], 0, length(piece)
        held.append(piece)
        size += more
    if held:
        yield between.join(held)


def _within(piece: str, limit: int) -> Iterator[str]:
    """A piece as it is, or cut between blocks, else between lines, when it is too long."""
    if length(piece) <= limit:
        yield piece
        return
    blocks = (small for block in piece.split("\n\n") for small in _block_within(block, limit))
    yield from _packed(blocks, "\n\n", limit)


def _block_within(block: str, limit: int) -> Iterator[str]:
    if length(block) <= limit:
        yield block
        return
    lines = block.split("\n")
    table = len(lines) > 2 and _TABLE_RULE.fullmatch(lines[1]) is not None
    head = "\n".join(lines[:2]) + "\n" if table else ""
    room = limit - length(head)
    rows = (_cut(line, room) for line in (lines[2:] if table else lines))
    for some in _packed(rows, "\n", room):
        yield head + some if table else _dedented(some)


def _cut(line: str, limit: int) -> str:
    """A line that fits; no text of a page is so long, but what is must not stop the rest."""
    return line if length(line) <= limit else line[: limit // 2 - 1] + "…"


def _dedented(text: str) -> str:
    """A list that begins in its middle, moved to the left: four spaces would make code of it."""
    lines = text.split("\n")
    indent = min(len(line) - len(line.lstrip(" ")) for line in lines)
    return "\n".join(line[indent:] for line in lines)
