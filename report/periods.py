"""Weeks and months: which days they have, and what of their kept reports mattered; pure."""

from __future__ import annotations

import re
from calendar import monthrange
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from core.models import ChangeType, Tier
from report.figures import Tiers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report.digest import DayDigest, Line

_NAME = re.compile(r"([0-9]{4})-(W?)([0-9]{2})", re.ASCII)

Kind = Literal["week", "month"]


@dataclass(frozen=True)
class Period:
    """A week (Monday to Sunday, ISO 8601) or a calendar month."""

    kind: Kind
    first: date
    last: date

    @property
    def name(self) -> str:
        """As in its address: `2026-W08` or `2026-02`."""
        if self.kind == "month":
            return self.first.isoformat()[:7]  # strftime does not pad the year
        year, week, _ = self.first.isocalendar()
        return f"{year:04}-W{week:02}"

    @property
    def days(self) -> list[date]:
        """All its days, oldest first."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


@dataclass(frozen=True)
class DatedLine:
    """A commit and the day it is reported on."""

    day: date
    line: Line


@dataclass(frozen=True)
class Overview:
    """A period by its kept reports; `days` has every day of it, with None where no report is kept."""

    period: Period
    days: tuple[tuple[date, DayDigest | None], ...]
    tiers: Tiers
    total: int
    covered: int
    high: tuple[DatedLine, ...]
    types: tuple[tuple[ChangeType, int], ...]

    @property
    def reported(self) -> int:
        """How many of its days have a report."""
        return sum(digest is not None for _, digest in self.days)


def period_from(name: str) -> Period:
    """The period an address names; raises ValueError for what is none."""
    match = _NAME.fullmatch(name)
    if not match:
        raise ValueError(f"{name!r} is neither a week such as 2026-W08 nor a month such as 2026-02")
    year, number = int(match[1]), int(match[3])
    try:
        if match[2]:
            return period_of("week", date.fromisocalendar(year, number, 1))
        return period_of("month", date(year, number, 1))
    except OverflowError as error:  # a week that ends after the year 9999
        raise ValueError(str(error)) from error


def period_of(kind: Kind, day: date) -> Period:
    """The week or month that a day is in."""
    if kind == "month":
        return Period(kind, day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]))
    first = day - timedelta(days=day.weekday())
    return Period(kind, first, first + timedelta(days=6))


def overview(period: Period, digests: Mapping[date, DayDigest]) -> Overview:
    """A period from the reports of its days; the newest commits of high importance first."""
    days = tuple((day, digests.get(day)) for day in period.days)
    known = [digest for _, digest in reversed(days) if digest]
    types = Counter(kind for digest in known for line in digest.lines for kind in line.types[:1])
    return Overview(
        period=period,
        days=days,
        tiers=Tiers(**{tier.value: sum(getattr(digest.tiers, tier.value) for digest in known) for tier in Tier}),
        total=sum(digest.coverage.total for digest in known),
        covered=sum(digest.coverage.covered for digest in known),
        high=tuple(DatedLine(digest.day, line) for digest in known for line in digest.group(Tier.HIGH)),
        types=tuple(sorted(types.items(), key=lambda item: (-item[1], item[0]))),
    )
