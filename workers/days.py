"""The close of a day: which reports are due, assembling one from the ledger, and where it is kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import redis
import structlog

from core.ledger import day_bounds
from report.daily import DailyReport, assemble
from report.files import write_report
from report.json import report_from_json, report_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.services import Services

log = structlog.get_logger()

LATE_SECONDS = 60.0  # late commits of a closed day are gathered this long before its page is made again
LOCK_SECONDS = 300.0


def assembled(services: Services, repository: str, day: date) -> DailyReport:
    """A day's report as the ledger has it now; where it says anything new, one revision up from the kept one."""
    settings = services.settings
    kept = services.ledger.report(repository, day)
    before = report_from_json(kept) if kept else None
    report = assemble(
        services.ledger.records(repository, day),
        repository=repository,
        day=day,
        timezone=settings.report_timezone,
        language=settings.language_of(repository),
        revision=before.revision if before else 1,
        web_url=settings.web_url(repository),
    )
    return report if before is None or report == before else report.model_copy(update={"revision": before.revision + 1})


def write_day(services: Services, repository: str, day: date) -> DailyReport:
    """Assemble a day's report, keep it in the ledger and write its files; the same records give the same bytes."""
    report = assembled(services, repository, day)
    services.ledger.save_report(repository, day, report_json([report]))
    write_report(services.settings.report_dir, report)
    log.info("report_written", repository=repository, day=str(day), revision=report.revision)
    return report


def close_due_days(services: Services, now: datetime | None = None) -> None:
    """Write every report that is due; a second scheduler's call finds the lock taken and leaves."""
    lock = services.ledger.lock("close_days", LOCK_SECONDS)
    if not lock.acquire():
        return
    try:
        moment = now or datetime.now(UTC)
        for repository, day in due_days(services, moment):
            write_day(services, repository, day)
        for repository, day, changed in services.ledger.dirty_days():
            _renew_day(services, repository, day, changed, moment)
    finally:
        try:
            lock.release()
        except redis.exceptions.LockError:
            log.warning("close_days_slow", seconds=LOCK_SECONDS)  # it ran out and may be another's now


def due_days(services: Services, now: datetime) -> Iterator[tuple[str, date]]:
    """Days that are over, have no report yet, and have waited for their commits long enough; oldest first.

    They begin with the day a repository was first heard of, so days that a dead scheduler missed are caught up.
    """
    for repository in services.ledger.repositories():
        kept = services.ledger.report_days(repository)
        first = services.ledger.day_of(services.ledger.first_seen(repository))
        day = max(first, kept[0] + timedelta(days=1)) if kept else first
        while now >= closes_at(services, day):
            if _complete(services, repository, day) or now >= closes_at(services, day) + grace(services):
                yield repository, day
            day += timedelta(days=1)


def closes_at(services: Services, day: date) -> datetime:
    """When a day's report is due: REPORT_TIME on the following day, in the report's time zone."""
    _, end = day_bounds(day, services.settings.zone)
    return datetime.combine(end.date(), services.settings.report_time, tzinfo=services.settings.zone)


def grace(services: Services) -> timedelta:
    """How long a report waits for commits that are not analysed yet."""
    return timedelta(minutes=services.settings.report_grace_minutes)


def _complete(services: Services, repository: str, day: date) -> bool:
    return all(record.analysis for record in services.ledger.records(repository, day))


def _renew_day(services: Services, repository: str, day: date, changed: float, now: datetime) -> None:
    """Write a day again when commits of it were finished since, or for the first time when it was found late."""
    if now < closes_at(services, day):
        return
    settled = _complete(services, repository, day) or now.timestamp() - changed > LATE_SECONDS
    if settled:
        write_day(services, repository, day)
        services.ledger.clean_day(repository, day, changed)
