"""The commits of one author or of one area, from kept reports, and the addresses of their pages; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from core.models import Tier
from report.periods import DatedLine
from report.prose import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from report.digest import DayDigest, Line

SLICE_DAYS = 90
NOBODY = "—"

# Characters of a name that stand for themselves in its address, beside letters and digits.
_PLAIN = frozenset(" -_.@+,")

Facet = Literal["author", "area"]


@dataclass(frozen=True)
class Slice:
    """The commits of one author or area, newest first."""

    facet: Facet
    name: str
    lines: tuple[DatedLine, ...]

    @property
    def tiers(self) -> dict[Tier, int]:
        """Number of commits by tier."""
        counts = Counter(dated.line.tier for dated in self.lines)
        return {tier: counts[tier] for tier in Tier}


@dataclass(frozen=True)
class Share:
    """An author or area with its number of commits and the last part of its page's address, not yet percent-encoded.

    `address` is empty where there is no such page.
    """

    name: str
    commits: int
    address: str


def address(facet: Facet, name: str) -> str:
    """A name as a path no browser or proxy rewrites: what is not plain becomes `~` and its hex number and `~`.

    No two names share an address. A name with `/` is one segment for an author, several for an area.
    """
    if facet == "area":
        return "/".join(_segment(part) for part in name.split("/"))
    return _segment(name)


def shares(
    facet: Facet, digests: Iterable[DayDigest], most: int, paged: Iterable[DayDigest] | None = None
) -> list[Share]:
    """The authors or areas with most commits; `paged` are the days that their pages know, None: all of these."""
    names_of = _NAMES[facet]
    counts = Counter(name for digest in digests for line in digest.lines for name in dict.fromkeys(names_of(line)))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    found = [Share(name, count, address(facet, name)) for name, count in ordered]
    if paged is None:
        return found
    there = _addresses(facet, paged)
    return [share if share.address in there else replace(share, address="") for share in found]


def slice_of(facet: Facet, wanted: str, digests: Iterable[DayDigest]) -> Slice | None:
    """What an address names, from the newest day to the oldest as given; None when no commit bears that name.

    An area holds the areas below it.
    """
    name, lines = "", []
    for digest in digests:
        for line in digest.lines:
            if found := _found(facet, wanted, line):
                name = found
                lines.append(DatedLine(digest.day, line))
    return Slice(facet, name, tuple(lines)) if lines else None


def _addresses(facet: Facet, digests: Iterable[DayDigest]) -> set[str]:
    """All that `slice_of` finds something for."""
    names = {name for digest in digests for line in digest.lines for name in _NAMES[facet](line)}
    found = {address(facet, name) for name in names}
    if facet == "area":
        found |= {at[:end] for at in found for end, character in enumerate(at) if character == "/"}
    return found


def _found(facet: Facet, wanted: str, line: Line) -> str:
    """The name of a line that an address means; empty when it has none."""
    for name in _NAMES[facet](line):
        at = address(facet, name)
        if at == wanted:
            return name
        if facet == "area" and at.startswith(f"{wanted}/"):
            return "/".join(name.split("/")[: wanted.count("/") + 1])
    return ""


def _segment(text: str) -> str:
    if text.strip(". ") == "":  # `.` and `..` climb, and an empty segment is merged with its neighbour
        return "".join(f"~{ord(character):x}~" for character in text) or "~"
    return "".join(
        character if character.isalnum() or character in _PLAIN else f"~{ord(character):x}~" for character in text
    )


def _author(line: Line) -> Sequence[str]:
    return [clean(line.author) or NOBODY]


def _areas(line: Line) -> Sequence[str]:
    return line.areas


_NAMES: dict[Facet, Callable[[Line], Sequence[str]]] = {"author": _author, "area": _areas}
