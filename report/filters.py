"""What a page can be narrowed by: the types, areas and authors of its commits, and which of them each commit has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report.charts import area_name
from report.prose import clean
from report.wording import types_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from report.daily import DailyReport, Member
    from report.labels import Labels


@dataclass(frozen=True)
class Choice:
    """A value to narrow by: the mark that commits bear for it, what it is called, and how many bear it."""

    mark: str
    name: str
    commits: int


@dataclass(frozen=True)
class Filters:
    """The choices of a page by their label key, most commits first, and the marks of each entry by its anchor.

    A mark is a letter and a number, so that no stranger's word stands in it.
    """

    choices: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)


def filters(reports: Sequence[DailyReport], words: Labels) -> Filters:
    """The filters of a page; `words` name the types and the top of a repository."""
    entries = [(report.anchor(entry), entry) for report in reports for entry in report.entries]
    marks = {anchor: [entry.tier.value] for anchor, entry in entries}
    choices = {}
    for key, names_of in _KINDS.items():
        names = {anchor: [names_of(one, words) for one in (entry, *entry.folded)] for anchor, entry in entries}
        counted = Counter(name for commits in names.values() for found in commits for name in found)
        ordered = sorted(counted, key=lambda name: (-counted[name], name))
        known = {name: f"{key[0]}{number}" for number, name in enumerate(ordered)}
        choices[key] = tuple(Choice(known[name], name, counted[name]) for name in ordered)
        for anchor, commits in names.items():
            marks[anchor] += dict.fromkeys(known[name] for found in commits for name in found)
    return Filters(choices, {anchor: " ".join(found) for anchor, found in marks.items()})


def _types(commit: Member, words: Labels) -> list[str]:
    return list(dict.fromkeys(words.types[kind] for kind in types_of(commit)))


def _areas(commit: Member, words: Labels) -> list[str]:
    return list(dict.fromkeys(clean(area_name(area, words)) for area in (commit.facts.areas if commit.facts else ())))


def _authors(commit: Member, _: Labels) -> list[str]:
    return [clean(commit.author) or "—"]


_KINDS = {"types": _types, "areas": _areas, "people": _authors}
