"""The day's highlights: which commits deserve one, what the model wrote of them, and lines from their analyses."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from pydantic import Field

from core.models import ChangeType, Frozen, Language, Sha, Tier, Usage
from report.prose import clean, shorten
from report.table import Table

if TYPE_CHECKING:
    from report.daily import Entry
    from report.labels import Labels

FEWEST, MOST = 3, 6
LINE_LIMIT = 120  # weight of a composed line, as `shorten` counts it
LINKS_SHOWN = 12

# What a reader must act on stands before what is good to know.
_TYPES = (ChangeType.BREAKING, ChangeType.SECURITY, ChangeType.REVERT, ChangeType.FEATURE, ChangeType.PERFORMANCE,
          ChangeType.BUGFIX, ChangeType.DEPENDENCY)  # fmt: skip
_TIERS = {tier: -tier.rank for tier in Tier}
_RANKS = {kind.value: rank for rank, kind in enumerate(_TYPES)}
# A full stop outside of `code` and of what is quoted, and before white space where it is an ASCII one.
_SENTENCE = re.compile(
    r"(?:`[^`]*`|“[^“”]*”|“(?![^“”]*”)|[^`“])+?"
    r"(?:[。！？]|(?<!\be\.g)(?<!\bi\.e)[.!?](?=\s|$)|(?<=[.!?。！？]”)(?=\s|$))"
)


class Highlight(Frozen):
    """One line about one or several commits of the day; plain text with `code` spans, to be escaped by every view."""

    text: str
    shas: tuple[Sha, ...] = Field(min_length=1)


class Written(Frozen):
    """What the model wrote of a day. Without `lines`, it gave none that could be used, and is not asked again.

    `basis` tells which commits of which tiers it was asked about: the lines hold as long as these are the same.
    """

    basis: str
    lines: tuple[Highlight, ...]
    model: str
    usage: Usage


def notable(entries: Sequence[Entry]) -> list[Entry]:
    """The analysed commits of high and medium tier, those that matter most first; what cancels out is none."""
    return [entries[place] for place in _notable(Table.of(entries))]


def _notable(entries: Table) -> list[int]:
    """The places of the same."""
    columns = (entries.column(name) for name in ("tier", "types", "score", "sha", "origin"))
    weights = [
        (_TIERS[tier], _rank(types), -score, sha, place)
        for place, (tier, types, score, sha, origin) in enumerate(zip(*columns, strict=True))
        if tier is not Tier.LOW and origin
    ]
    cancelled = {place for place in entries.told if entries[place].cancelled}
    return [place for *_, place in sorted(weights) if place not in cancelled]


def basis(entries: Sequence[Entry], language: Language) -> str:
    """The same for the same notable commits in the same tiers and language."""
    table = Table.of(entries)
    shas, tiers = table.column("sha"), table.column("tier")
    lines = sorted(f"{shas[place]} {tiers[place]}" for place in _notable(table))
    return hashlib.sha256("\n".join([language, *lines]).encode()).hexdigest()


def highlights(
    entries: Sequence[Entry], written: Written | None, labels: Labels
) -> tuple[tuple[Highlight, ...], str | None]:
    """The day's lines, and the model that wrote them; None: they are taken from the commits' analyses."""
    if written and written.lines and written.basis == basis(entries, labels.language):
        return written.lines, written.model
    return composed(entries, labels), None


def composed(entries: Sequence[Entry], labels: Labels) -> tuple[Highlight, ...]:
    """At most six lines: the high commits, filled up to three with medium ones; a pull request's commits share a line.

    Where there are more than six, the last line names the other high commits together.
    """
    table = Table.of(entries)
    groups, tiers = _by_pull_request(table), table.column("tier")
    high = [group for group in groups if tiers[group[0]] is Tier.HIGH]
    if len(high) > MOST:
        shas = table.column("sha")
        rest = [shas[place] for group in high[MOST - 1 :] for place in group]
        last = Highlight(text=labels.word("highlights_rest", n=len(rest)), shas=tuple(rest))
        return (*_lines(table, high[: MOST - 1]), last)
    return tuple(_lines(table, groups[: max(FEWEST, len(high))]))


@lru_cache(1024)
def _rank(types: tuple[str, ...]) -> int:
    return min((_RANKS[kind] for kind in types if kind in _RANKS), default=len(_RANKS))


def _by_pull_request(entries: Table) -> list[list[int]]:
    """The places of notable commits."""
    numbers = entries.column("pull_request")
    groups: dict[int, list[int]] = {}
    for place in _notable(entries):
        groups.setdefault(numbers[place] or -1 - place, []).append(place)
    return list(groups.values())


def _lines(entries: Table, groups: Iterable[Sequence[int]]) -> Iterator[Highlight]:
    """A line for each group; those that say the same are one."""
    said: dict[str, tuple[str, ...]] = {}
    for group in groups:
        line = _line([entries[place] for place in group])
        said[line.text] = (*said.get(line.text, ()), *line.shas)
    return (Highlight(text=text, shas=shas) for text, shas in said.items())


def _line(group: Sequence[Entry]) -> Highlight:
    """The first sentence of what is written of the weightiest, or its title; by the rules, the second as well.

    Their first sentence hardly says more than the title does; the second names what changed, if it is short enough.
    """
    entry = group[0]
    summary = clean(entry.analysis.summary) if entry.analysis else ""
    first = _SENTENCE.match(summary)
    text = (first[0] if first else summary) or entry.title
    if (
        first
        and entry.analysis
        and entry.analysis.origin != "model"
        and (more := _SENTENCE.match(summary, first.end()))
    ):
        both = summary[: more.end()]
        text = both if shorten(both, LINE_LIMIT) == both else text
    return Highlight(text=shorten(text, LINE_LIMIT), shas=tuple(one.sha for one in group))
