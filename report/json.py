"""DailyReport ↔ JSON bytes; docs/report-schema.md describes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Literal

from pydantic import BaseModel

from core.models import Frozen
from report.daily import REPORT_VERSION, DailyReport
from report.figures import Tiers
from report.trend import DayCount


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


def report_json(reports: Sequence[DailyReport]) -> bytes:
    """UTF-8 JSON of the reports of one day, keys sorted: the same reports give the same bytes.

    Raises ValueError when there is no report or they are of different days.
    """
    days = {report.day for report in reports}
    if len(days) != 1:
        raise ValueError(f"reports of one day are wanted, not of {len(days)}")
    document = _Document(day=days.pop(), reports=tuple(reports)).model_dump(mode="json")
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def report_from_json(raw: bytes) -> DailyReport:
    """The one report of a document; raises ValueError for anything else (pydantic.ValidationError is one).

    Fields that a newer version wrote beside those known here are passed over.
    """
    reports = _Document.model_validate_json(raw, extra="allow").reports
    if len(reports) != 1:
        raise ValueError(f"one report is wanted, the document holds {len(reports)}")
    return reports[0]


def count_from_json(raw: bytes) -> DayCount:
    """How many commits of each tier the one report of a document has; raises ValueError for anything else."""
    counted = _Counted.model_validate_json(raw)
    (report,) = counted.reports
    return DayCount(day=counted.day, **report.tiers.model_dump())
