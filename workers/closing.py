"""When a day's report is due, and how long it waits."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from core.ledger import day_bounds

if TYPE_CHECKING:
    from workers.services import Services


def closes_at(services: Services, day: date) -> datetime:
    """When a day's report is due: REPORT_TIME on the following day, in the report's time zone."""
    _, end = day_bounds(day, services.settings.zone)
    return datetime.combine(end.date(), services.settings.report_time, tzinfo=services.settings.zone)


def grace(services: Services) -> timedelta:
    """How long a report waits for commits that are not analysed yet."""
    return timedelta(minutes=services.settings.report_grace_minutes)
