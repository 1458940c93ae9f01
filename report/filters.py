"""What a page can be narrowed by: the types, areas and authors of its commits, and which of them each commit has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from core.models import ChangeType
from report.charts import area_name
from report.prose import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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
    entries = [(view.anchor(entry), entry) for report in reports for view in [report.view] for entry in report.entries]
    marks = {anchor: [entry.tier.value] for anchor, entry in entries}
    choices = {}
    for key, (values_of, name_of) in _KINDS.items():
        names = _Names(name_of, words)
        found = {anchor: [names.of(values_of(one)) for one in (entry, *entry.folded)] for anchor, entry in entries}
        counted = Counter(chain.from_iterable(chain.from_iterable(found.values())))
        ordered = sorted(counted, key=lambda name: (-counted[name], name))
        known = {name: f"{key[0]}{number}" for number, name in enumerate(ordered)}
        choices[key] = tuple(Choice(known[name], name, counted[name]) for name in ordered)
        for anchor, commits in found.items():
            marks[anchor] += dict.fromkeys([known[name] for some in commits for name in some])
    return Filters(choices, {anchor: " ".join(found) for anchor, found in marks.items()})


class _Names:
    """What values are called: many commits share a few."""

    def __init__(self, name_of: Callable[[str, Labels], str], words: Labels) -> None:
        self._name_of = name_of
        self._words = words
        self._known: dict[str, str] = {}

    def of(self, values: Sequence[str]) -> Iterable[str]:
        """The names of some values, each once."""
        return dict.fromkeys([self._known.get(value) or self._named(value) for value in values])

    def _named(self, value: str) -> str:
        self._known[value] = name = self._name_of(value, self._words)
        return name


def _types(commit: Member) -> Sequence[str]:
    return commit.brief.types


def _type(kind: str, words: Labels) -> str:
    return words.types[ChangeType(kind)]


def _areas(commit: Member) -> Sequence[str]:
    return commit.brief.areas


def _area(area: str, words: Labels) -> str:
    return clean(area_name(area, words))


def _authors(commit: Member) -> Sequence[str]:
    return (commit.author,)


def _author(author: str, _: Labels) -> str:
    return clean(author) or "—"


_KINDS = {"types": (_types, _type), "areas": (_areas, _area), "people": (_authors, _author)}
