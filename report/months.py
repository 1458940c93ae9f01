"""A calendar: the days of months in weeks, each with its numbers; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from report.periods import Period, period_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from report.digest import DaySummary


@dataclass(frozen=True)
class Cell:
    """A day of a month; `numbers` is None where its report cannot be read, `kept` False where there is none."""

    day: date
    kept: bool
    numbers: DaySummary | None


@dataclass(frozen=True)
class Week:
    """A week of a month; None stands for a day of another month."""

    period: Period
    cells: tuple[Cell | None, ...]

    @property
    def kept(self) -> bool:
        """Whether a day of it has a report."""
        return any(cell and cell.kept for cell in self.cells)


@dataclass(frozen=True)
class Month:
    """A month in weeks."""

    period: Period
    weeks: tuple[Week, ...]


def months_of(days: Iterable[date]) -> list[Period]:
    """The months that some days are in, newest first."""
    return sorted({period_of("month", day) for day in days}, key=lambda month: month.first, reverse=True)


def month(period: Period, kept: Collection[date], numbers: Mapping[date, DaySummary]) -> Month:
    """A month's calendar; `kept` are the days that have a report."""
    start, weeks = period_of("week", period.first), []
    while start.first <= period.last:
        cells = tuple(
            Cell(day, day in kept, numbers.get(day)) if period.first <= day <= period.last else None
            for day in start.days
        )
        weeks.append(Week(start, cells))
        start = period_of("week", start.last + timedelta(days=1))
    return Month(period, tuple(weeks))
