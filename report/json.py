"""DailyReport ↔ JSON bytes; docs/report-schema.md describes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel

from core.models import Frozen
from core.undisturbed import undisturbed
from report.daily import REPORT_VERSION, DailyReport
from report.figures import Tiers
from report.trend import DayCount

if TYPE_CHECKING:
    from report.daily import Entry
    from report.shelf import Piece
    from report.stories import Relation


class _Document(Frozen):
    """What a file holds: the reports of one or several repositories of one day."""

    schema_version: Literal[1] = REPORT_VERSION
    day: date
    reports: tuple[DailyReport, ...]


class _CountedReport(BaseModel):
    """The little of a report that a trend needs; the rest is skipped, which is many times faster than reading it."""

    tiers: Tiers


class _Counted(BaseModel):
    day: date
    reports: tuple[_CountedReport]


class _Named(BaseModel):
    sha: str


class _NamedEntry(_Named):
    folded: tuple[_Named, ...] = ()


class _OutlinedReport(BaseModel):
    revision: int
    entries: tuple[_NamedEntry, ...]


class _Outlined(BaseModel):
    reports: tuple[_OutlinedReport]


class Outline(NamedTuple):
    """The little of a kept report by which the next one is made."""

    revision: int
    shas: tuple[str, ...]


class JsonParts(NamedTuple):
    """An entry without relations, and the place where these belong."""

    entry: Piece
    relations: int  # bytes before it


# With the comma before it, no text can hold this: the quotes within a text have a backslash before them.
_RELATIONS, _ENTRIES = b',"relations":[', b',"entries":[]'


@undisturbed()
def report_json(reports: Sequence[DailyReport]) -> bytes:
    """UTF-8 JSON of the reports of one day, keys sorted: the same reports give the same bytes.

    Raises ValueError when there is no report or they are of different days.
    """
    days = {report.day for report in reports}
    if len(days) != 1:
        raise ValueError(f"reports of one day are wanted, not of {len(days)}")
    around = [{**report.model_dump(mode="json", exclude={"entries"}), "entries": []} for report in reports]
    document = {"schema_version": REPORT_VERSION, "day": days.pop().isoformat(), "reports": around}
    first, *others = _dumped(document).split(_ENTRIES)
    return b"".join([first, *_filled(reports, others), b"\n"])


def _filled(reports: Sequence[DailyReport], after: Sequence[bytes]) -> Iterator[Piece]:
    """The entries of each report, and what comes after them."""
    for report, rest in zip(reports, after, strict=True):
        entries, places = report.parts("json", lambda _, entry: json_parts(entry)) or ([], [])
        for number in report.storied:
            entries[number] = _related(entries[number], places[number], report.entries[number].relations)
        yield b',"entries":['
        yield from islice(chain.from_iterable(zip(entries, repeat(b","), strict=False)), max(0, 2 * len(entries) - 1))
        yield b"]"
        yield rest


def _related(entry: Piece, place: int, relations: Sequence[Relation]) -> Piece:
    """An entry with its relations in their place."""
    inner = _dumped([one.model_dump(mode="json") for one in relations])[1:-1]
    return b"".join((entry[:place], inner, entry[place:]))


def json_parts(entry: Entry) -> JsonParts:
    """An entry as JSON, whatever its relations are."""
    whole = _dumped({**entry.whole().model_dump(mode="json", exclude={"relations"}), "relations": []})
    return JsonParts(whole, whole.index(_RELATIONS) + len(_RELATIONS))


def _dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def report_from_json(raw: bytes) -> DailyReport:
    """The one report of a document; raises ValueError for anything else (pydantic.ValidationError is one).

    Fields that a newer version wrote beside those known here are passed over.
    """
    reports = _Document.model_validate_json(raw, extra="allow").reports
    if len(reports) != 1:
        raise ValueError(f"one report is wanted, the document holds {len(reports)}")
    return reports[0]


def outline_from_json(raw: bytes) -> Outline:
    """The revision and the commits of the one report of a document; raises ValueError for anything else."""
    (report,) = _Outlined.model_validate_json(raw).reports
    shas = [commit.sha for entry in report.entries for commit in (entry, *entry.folded)]
    return Outline(report.revision, tuple(shas))


def count_from_json(raw: bytes) -> DayCount:
    """How many commits of each tier the one report of a document has; raises ValueError for anything else."""
    counted = _Counted.model_validate_json(raw)
    (report,) = counted.reports
    return DayCount(day=counted.day, **report.tiers.model_dump())
