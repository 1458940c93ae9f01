"""The close of a day: which reports are due, and where each is kept."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import redis
import structlog

from core.ledger import Asked, day_bounds
from core.ledger.fragments import FORMS
from core.models import Tier
from report.daily import DailyReport
from report.json import report_json
from workers.assembling import assembled
from workers.closing import closes_at, grace
from workers.follow import found_by, has_source
from workers.highlights import renew_highlights
from workers.notify import digest_soon
from workers.publish import export, publish_soon
from workers.reconcile import reconcile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.ledger.fragments import Form
    from workers.services import Services

log = structlog.get_logger()

TOLD_AT_ONCE = 1000
LATE_SECONDS = 60.0  # late commits of a closed day are gathered this long before its page is made again
LOCK_SECONDS = 300.0
ASKING_SECONDS = 120.0  # for all sources in one round
ASK_AGAIN_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 600.0


def write_day(services: Services, repository: str, day: date) -> DailyReport:
    """Assemble a day's report, keep it in the ledger and write its files; the same records give the same bytes."""
    if services.ledger.report(repository, day) is None:
        digest_soon(services, repository, day)  # before the report is kept, or a kill between the two would lose it
    in_files = "files" in services.repository(repository).publish
    forms: Sequence[Form] = FORMS if in_files else ("json",)
    report = assembled(services.ledger, services.settings, repository, day, forms)
    if renew_highlights(services, report):
        report = assembled(services.ledger, services.settings, repository, day, forms)
    tiers = [report.count(tier) for tier in Tier]
    services.ledger.save_report(repository, day, report_json([report]), tiers)
    if in_files:
        export(services, report)
    publish_soon(services, repository, day)
    log.info("report_written", repository=repository, day=str(day), revision=report.revision)
    return report


def close_due_days(services: Services, now: datetime | None = None) -> None:
    """Write every report that is due; a second scheduler's call finds the lock taken and leaves."""
    lock = services.ledger.lock("close_days", LOCK_SECONDS)
    if not lock.acquire():
        return
    try:
        moment = now or datetime.now(UTC)
        ask_sources(services, moment)
        for repository, day in due_days(services, moment):
            with _apart(services, repository, day):
                _note_asked(services, repository, day, moment)
                write_day(services, repository, day)
        tell_other_days(services)
        for repository, day, changed in services.ledger.dirty_days():
            with _apart(services, repository, day):
                _renew_day(services, repository, day, changed, moment)
    finally:
        try:
            lock.release()
        except redis.exceptions.LockError:
            log.warning("close_days_slow", seconds=LOCK_SECONDS)  # it ran out and may be another's now


@contextmanager
def _apart(services: Services, repository: str, day: date) -> Iterator[None]:
    """A fault of ours that one day brings to light does not keep the others waiting; it is tried again next round."""
    try:
        yield
    except redis.RedisError:
        raise
    except Exception:
        log.exception("day_failed", repository=repository, day=str(day))
        services.ledger.mark_dirty(repository, {day})  # or it would count as done once a later day is


def tell_other_days(services: Services) -> None:
    """Have those pages of other days made again that speak of what was finished since, such as a revert."""
    ledger = services.ledger
    ids = ledger.untold(TOLD_AT_ONCE)
    finished: defaultdict[str, list[str]] = defaultdict(list)
    for commit_id in ids:
        repository, _, sha = commit_id.rpartition("@")
        finished[repository].append(sha)
    for repository, shas in finished.items():
        kin = ledger.kin(repository, ledger.commits(repository, shas))
        days = {ledger.day_of(record.commit.landed_at) for record in kin}
        ledger.mark_dirty(repository, days.intersection(ledger.report_days(repository)))
    ledger.told(ids)


def ask_sources(services: Services, now: datetime) -> None:
    """Reconcile each repository that has a day to close, until its source has answered since the day's end."""
    until = time.monotonic() + ASKING_SECONDS
    day = services.ledger.day_of(now)
    while now < closes_at(services, day):
        day -= timedelta(days=1)
    for repository in services.ledger.repositories():
        if time.monotonic() < until and _must_ask(services, repository, day):
            result = reconcile(services, repository, found_by(services, repository), now=now)
            if result.retry_after and result.retry_after > ASK_AGAIN_SECONDS:
                services.ledger.next_turn(f"close:{repository}", min(result.retry_after, LONGEST_WAIT_SECONDS))


def _must_ask(services: Services, repository: str, day: date) -> bool:
    ledger = services.ledger
    kept = ledger.report_days(repository)
    closed = (kept and kept[0] >= day) or day < ledger.day_of(ledger.first_seen(repository))
    if _source_told(services, repository, day) or (closed and not ledger.waits_for_source(repository)):
        return False
    return ledger.take_turn(f"close:{repository}", ASK_AGAIN_SECONDS)


def _source_told(services: Services, repository: str, day: date) -> bool:
    """Whether the source has told of all that landed on a day; so it has when there is none to ask."""
    if not has_source(services, repository):
        return True
    outcome = services.ledger.outcome(repository)
    return outcome is not None and outcome.covers(day_bounds(day, services.settings.zone)[1])


def _note_asked(services: Services, repository: str, day: date, now: datetime) -> None:
    """Keep for the day's page what was asked; a good answer stays as it is, so that the page does too."""
    kept = services.ledger.asked(repository, day)
    if not has_source(services, repository) or (kept and kept.ok):
        return
    outcome, told = services.ledger.outcome(repository), _source_told(services, repository, day)
    if kept is None or told:
        at = outcome.answered_at if told and outcome else now
        asked = Asked(ok=told, at=at or now, source=outcome.source if outcome else "",
                      branches=outcome.branches if outcome else ())  # fmt: skip
        services.ledger.note_asked(repository, day, asked)


def due_days(services: Services, now: datetime) -> Iterator[tuple[str, date]]:
    """Days that are over, have no report yet, and have waited for their commits long enough; oldest first.

    They wait for their source's answer too, no longer than for the commits.

    They begin with the day a repository was first heard of, so days that a dead scheduler missed are caught up.
    """
    for repository in services.ledger.repositories():
        kept = services.ledger.report_days(repository)
        first = services.ledger.day_of(services.ledger.first_seen(repository))
        day = max(first, kept[0] + timedelta(days=1)) if kept else first
        while now >= closes_at(services, day):
            ready = _source_told(services, repository, day) and services.ledger.is_analysed(repository, day)
            if ready or now >= closes_at(services, day) + grace(services):
                yield repository, day
            day += timedelta(days=1)


def _renew_day(services: Services, repository: str, day: date, changed: float, now: datetime) -> None:
    """Write a day again when commits of it were finished since, or for the first time when it was found late."""
    if now < closes_at(services, day):
        return
    settled = services.ledger.is_analysed(repository, day) or now.timestamp() - changed > LATE_SECONDS
    if settled:
        _note_asked(services, repository, day, now)
        write_day(services, repository, day)
        services.ledger.clean_day(repository, day, changed)
