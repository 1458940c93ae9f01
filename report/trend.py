"""How many commits of each tier the days up to one had: what the chart of the last 30 days is drawn from."""

from __future__ import annotations

from datetime import date, timedelta

from core.models import Frozen

TREND_DAYS = 30


class DayCount(Frozen):
    """Number of commits of a day by tier."""

    day: date
    high: int = 0
    medium: int = 0
    low: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.high + self.medium + self.low


def first_day(day: date) -> date:
    """The first of the days whose last one is `day`."""
    return day - timedelta(days=TREND_DAYS - 1)
