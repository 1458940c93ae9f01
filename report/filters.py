"""What a page can be narrowed by: the types, areas and authors of its commits, and which of them each commit has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from core.models import ChangeType
from report.charts import area_name
from report.prose import clean
from report.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from report.daily import DailyReport
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
    commits = [Table.of(report.commits) for report in reports]
    kinds = {key: _Kind(key[0], *how, commits, words) for key, how in _KINDS.items()}
    marks: dict[str, str] = {}
    for report in reports:
        columns = [kind.marks(report.table) for kind in kinds.values()]
        told = map("".join, zip([tier.value for tier in report.table.column("tier")], *columns, strict=True))
        marks |= zip(report.view.anchors(report.table.column("sha")), told, strict=True)
    return Filters({key: kind.choices for key, kind in kinds.items()}, marks)


class _Kind:
    """One kind of choice; what follows from a commit's values is worked out once for all that have the same ones."""

    def __init__(
        self,
        letter: str,
        values_of: Callable[[Table], Iterable[tuple[str, ...]]],
        name_of: Callable[[str, Labels], str],
        commits: Iterable[Table],
        words: Labels,
    ) -> None:
        self._values_of = values_of
        alike = Counter(chain.from_iterable(map(values_of, commits)))
        names = {values: tuple(dict.fromkeys(name_of(value, words) for value in values)) for values in alike}
        counted: Counter[str] = Counter()
        for values, times in alike.items():
            counted.update(dict.fromkeys(names[values], times))
        ordered = sorted(counted, key=lambda name: (-counted[name], name))
        known = {name: f"{letter}{number}" for number, name in enumerate(ordered)}
        self.choices = tuple(Choice(known[name], name, counted[name]) for name in ordered)
        self._marks = {values: tuple(known[name] for name in some) for values, some in names.items()}
        self._joined = {values: _spaced(some) for values, some in self._marks.items()}

    def marks(self, entries: Table) -> list[str]:
        """The marks of each entry and of those that it holds, each once, with a space before each."""
        found = list(map(self._joined.__getitem__, self._values_of(entries)))
        for place in entries.told:
            together = Table.of((entries[place], *entries[place].folded))
            every = map(self._marks.__getitem__, self._values_of(together))
            found[place] = _spaced(dict.fromkeys(chain.from_iterable(every)))
        return found


def _spaced(marks: Iterable[str]) -> str:
    return "".join([f" {mark}" for mark in marks])


def _types(commits: Table) -> Iterable[tuple[str, ...]]:
    return commits.column("types")


def _areas(commits: Table) -> Iterable[tuple[str, ...]]:
    return commits.column("areas")


def _authors(commits: Table) -> Iterable[tuple[str, ...]]:
    return zip(commits.column("author"))


def _type(kind: str, words: Labels) -> str:
    return words.types[ChangeType(kind)]


def _area(area: str, words: Labels) -> str:
    return clean(area_name(area, words))


def _author(author: str, _: Labels) -> str:
    return clean(author) or "—"


_KINDS = {"types": (_types, _type), "areas": (_areas, _area), "people": (_authors, _author)}
