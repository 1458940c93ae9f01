"""The day's highlights by one model call, made when the day is closed and again only when other commits matter."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import redis
import structlog

from core.errors import Transient
from core.models import Tier, Usage, added
from report.highlights import FEWEST, Highlight, Written, basis, notable
from workers.assembling import kept_highlights
from workers.budget import Purse, purse
from workers.deadlines import within
from workers.model_errors import AnalysisRefused, ModelUnavailable
from workers.pauses import admitted

if TYPE_CHECKING:
    from report.daily import DailyReport, Entry
    from workers.conversation import Heard
    from workers.highlights_question import HighlightsQuestion
    from workers.services import Services

log = structlog.get_logger()

SECONDS = 90.0  # for all calls about one day
LOCK_SECONDS = 180.0
COMMITS_SHOWN = 40


def renew_highlights(services: Services, report: DailyReport) -> bool:
    """Have the highlights of a day written where it needs other ones; whether the page has to be assembled again.

    A day with fewer than three notable commits has none written; a failure leaves the lines composed of facts.
    """
    entries = _asked_about(services, report)
    if services.analyst is None or len(entries) < FEWEST:
        return False
    # Two schedulers whose lock of the whole round ran out must not both pay.
    lock = services.ledger.lock(f"highlights:{report.repository}:{report.day}", LOCK_SECONDS)
    if not lock.acquire():
        return False
    try:
        return _renewed(services, report, entries)
    finally:
        with suppress(redis.exceptions.LockError):  # it ran out
            lock.release()


def _renewed(services: Services, report: DailyReport, entries: list[Entry]) -> bool:
    kept = kept_highlights(services.ledger, report.repository, report.day)
    now = basis(report.entries, report.language)
    if kept and kept.basis == now:
        return False
    found = _written(services, report, entries, now)
    if found is None:
        return False
    before = kept.usage if kept else Usage()
    whole = found.model_copy(update={"usage": added(before, found.usage)})
    services.ledger.save_highlights(report.repository, report.day, whole.model_dump_json().encode())
    return True


def _asked_about(services: Services, report: DailyReport) -> list[Entry]:
    """The notable commits that the model may be told of: none of those that a repository's settings keep from it."""
    table = services.repository(report.repository)
    if table.analysis[Tier.HIGH] == "rules":
        return []
    return [entry for entry in notable(report.entries) if table.analysis[entry.tier] != "rules"][:COMMITS_SHOWN]


def _written(services: Services, report: DailyReport, entries: list[Entry], now: str) -> Written | None:
    """What the model gave, which may be nothing; None when it could not be asked now."""
    from workers.highlights_question import HighlightsQuestion  # loads the SDK, which a process without a key saves

    model = services.settings.model_for(Tier.HIGH)
    question = HighlightsQuestion(report, entries, model)
    holder = f"highlights:{report.repository}:{report.day}"
    with purse(services.ledger, holder, services.settings.daybook_daily_budget_usd) as money:
        if not _affordable(services, money, question):
            log.info("highlights_unaffordable", repository=report.repository, day=str(report.day))
            return None
        try:
            heard = _asked(services, report.repository, question)
        except AnalysisRefused as error:
            log.warning("highlights_refused", repository=report.repository, day=str(report.day), reason=str(error))
            return Written(basis=now, lines=(), model=model, usage=error.usage)
        except Transient as error:
            log.warning("highlights_failed", repository=report.repository, day=str(report.day), reason=str(error))
            return None
        services.ledger.spend(heard.usage, report.repository, Tier.HIGH)
    return Written(basis=now, lines=heard.result, model=model, usage=heard.usage)


def _affordable(services: Services, money: Purse, question: HighlightsQuestion) -> bool:
    from workers.highlights_question import REPLY_TOKENS

    assert services.analyst
    price = services.analyst.price(question.request(), REPLY_TOKENS) if money.bounded else 0.0
    return money.set_aside(price, Tier.HIGH)


def _asked(services: Services, repository: str, question: HighlightsQuestion) -> Heard[tuple[Highlight, ...]]:
    """The answer; raises AnalysisRefused or Transient, after counting what it cost all the same."""
    assert services.analyst
    with admitted(services.ledger, "anthropic"), within(SECONDS):
        try:
            return services.analyst.ask(question)
        except (AnalysisRefused, ModelUnavailable) as error:
            services.ledger.spend(error.usage, repository, Tier.HIGH)
            raise
