"""The daily round that lets go of records whose day's report has been kept for LEDGER_DAYS."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from core.ledger import day_bounds
from report.json import report_from_json

if TYPE_CHECKING:
    from workers.services import Services

log = structlog.get_logger()

ROUND_SECONDS = 86400.0
AGAIN_SECONDS = 60.0  # until the next part of a round that was too long for one
MOST_AT_ONCE = 5000  # commits let go of in one part, about which a second or two is spent; the last day is finished


def expire_due(services: Services, now: datetime | None = None) -> int:
    """Let go of what is due, once a day and a part at a time; returns how many commits it were.

    A second scheduler's call finds that the turn is taken.
    """
    ledger, days = services.ledger, services.settings.ledger_days
    if not days or not ledger.take_turn("retention", ROUND_SECONDS):
        return 0
    before = ledger.day_of(now or datetime.now(UTC)) - timedelta(days=days)
    expired = 0
    for repository in ledger.repositories():
        expired += _expire(services, repository, before, MOST_AT_ONCE - expired)
        if expired >= MOST_AT_ONCE:
            ledger.next_turn("retention", AGAIN_SECONDS)
            break
        ledger.forget_pushes(repository, day_bounds(before, services.settings.zone)[0])
    if expired:
        log.info("records_expired", commits=expired, before=str(before))
    return expired


def _expire(services: Services, repository: str, before: date, room: int) -> int:
    """Go through a repository's days before one, oldest first, until there is no room; returns how many expired."""
    gone = 0
    day = services.ledger.first_landed(repository, None, before)
    while day and gone < room:
        records = services.ledger.records(repository, day)
        told = _told(services, repository, day)
        gone += services.ledger.expire(repository, day, [one for one in records if one.commit.sha in told])
        day = services.ledger.first_landed(repository, day + timedelta(days=1), before)
    return gone


def _told(services: Services, repository: str, day: date) -> set[str]:
    """The commits that a day's kept report tells of; none when it is lacking or damaged."""
    kept = services.ledger.report(repository, day)
    try:
        return {commit.sha for commit in report_from_json(kept).commits} if kept else set()
    except ValueError:
        log.warning("report_damaged", repository=repository, day=str(day))
        return set()
