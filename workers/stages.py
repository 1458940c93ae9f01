"""The stages as plain functions, each safe to run twice, and what happens when one does not succeed."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import redis
import structlog

from core.errors import Permanent, Transient
from core.ledger import MOST_LOSSES, Claim, Stage, Standing
from core.models import Failure, Usage
from core.redis_connections import briefly
from report.reading import keep_finished, view_for
from workers import batches
from workers.app import message
from workers.budget import Purse, purse
from workers.facts import facts_from
from workers.judging import Case, Judged, by_rules, by_rules_alone
from workers.orders import Order, order_of
from workers.pauses import Paused
from workers.redact import redact_diff
from workers.rulebook import rulebook_analysis
from workers.rules import rules_for
from workers.triage import triage
from workers.upstream import NotThere

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.services import Services

log = structlog.get_logger()

# Each more than the sum of what may be waited for: three git commands of 60 s or GitHub's 90 s; JUDGING_SECONDS for the
# model; and WRITE_SECONDS for Redis.
STAGE_SECONDS = {Stage.FETCH: 210.0, Stage.ANALYSE: 900.0}
WRITE_SECONDS = 20.0
MOST_ATTEMPTS = 10
BACKOFF_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 900.0
LONGEST_ASKED_SECONDS = 3600.0  # of a Retry-After
REPLICA_LAG_SECONDS = 15.0
COMEBACK_SPREAD_SECONDS = 0.5


def run(services: Services, claim: Claim, stage: Callable[[Services, Claim], bool]) -> None:
    """Run a claimed stage under its lease; put it off or give it up when it fails.

    When Redis fails, nothing is decided: the lease runs out and the sweep finds the commit.
    """
    started = time.monotonic()
    try:
        with services.leases.hold(claim, STAGE_SECONDS[claim.stage]):
            _attempt(services, claim, stage)
    except redis.RedisError as error:
        log.warning("redis_failed", commit=claim.id, stage=claim.stage, reason=briefly(error))
    else:
        log.info("stage_ended", commit=claim.id, stage=claim.stage, seconds=round(time.monotonic() - started, 3))


def _attempt(services: Services, claim: Claim, stage: Callable[[Services, Claim], bool]) -> None:
    try:
        if not stage(services, claim):
            log.warning("result_refused", commit=claim.id, stage=claim.stage, reason="lease lost")
    except Paused as pause:
        wait = (pause.retry_after or 0.0) + random.uniform(0.0, COMEBACK_SPREAD_SECONDS)
        services.ledger.retry(claim, wait, str(pause), counts=False)
        tell = log.warning if pause.refused else log.info  # a limit passes by itself
        tell("paused", commit=claim.id, stage=claim.stage, reason=str(pause), seconds=round(wait, 1))
    except Transient as error:
        put_off(services, claim, str(error), error.retry_after, counts=not error.shared)
    except NotThere as error:
        if claim.attempts:
            give_up(services, claim, str(error), transient=False)
        else:  # it was pushed a moment ago, and not all of GitHub's servers may know it yet
            put_off(services, claim, str(error), REPLICA_LAG_SECONDS, counts=True)
    except Permanent as error:
        give_up(services, claim, str(error), transient=False)
    except redis.RedisError:
        raise
    except Exception as error:
        # A fault of our own must not cost the commit: it is logged whole, tried again, then given up in sight.
        log.exception("stage_crashed", commit=claim.id, stage=claim.stage)
        services.ledger.crashed(claim.stage)
        put_off(services, claim, f"internal error: {type(error).__name__}", None, counts=True)


def fetch_commit(services: Services, claim: Claim) -> bool:
    """Read a commit's diff, find its facts and judge it; then it is to be analysed.

    Where the rules alone write the analysis there is nothing to wait for: that is done at once, and the diff not kept.
    """
    commit = claim.record.commit
    table, found = services.repository(commit.repository), services.diff(commit)
    with services.alone():
        diff = redact_diff(found)
        facts = facts_from(commit, diff, table.ignore_paths, table.named_paths)
        judged = triage(commit, facts, rules_for(table), table)
    record = claim.record.model_copy(update={"facts": facts, "triage": judged, "failure": None})
    order = order_of(record, diff, services.settings.language_of(commit.repository))
    if order and by_rules_alone(services, order):
        return _analysed_at_once(services, replace(claim, record=record), order)
    queued, long = message(Stage.ANALYSE, commit.id), _takes_long(services, order)
    return _patiently(lambda: services.ledger.advance(claim, record, Stage.ANALYSE, diff, queued, takes_long=long))


def _takes_long(services: Services, order: Order | None) -> bool:
    return bool(order and services.analyst and services.analyst.takes_long(order))


def _analysed_at_once(services: Services, claim: Claim, order: Order) -> bool:
    began = time.monotonic()
    return _finish(services, claim, by_rules(order), began)


def analyse_commit(services: Services, claim: Claim) -> bool:
    """Write a commit's analysis, by the model where there is one for its tier; then the work on it is over."""
    order = order_of(claim.record, claim.diff, services.settings.language_of(claim.record.commit.repository))
    if order is None:
        return services.ledger.retry(claim, 0, "the diff had expired", back_to=Stage.FETCH)
    standing = _standing(services, claim, order)
    if standing.way in {"parked", "lost"}:
        return standing.way == "parked"
    with purse(services.ledger, claim.token, services.settings.daybook_daily_budget_usd) as opened:
        judged = _judged(services, claim, order, standing, opened)
        return _finish(services, claim, judged)


def _standing(services: Services, claim: Claim, order: Order) -> Standing:
    """Whether a commit is left to a batch; one that the model is not asked about never is."""
    return Standing("direct") if by_rules_alone(services, order) else batches.park(services, claim, order)


def _judged(services: Services, claim: Claim, order: Order, standing: Standing, opened: Purse) -> Judged:
    if by_rules_alone(services, order):
        return by_rules(order)
    case = Case(services, order, opened, settled=claim.record.correction is not None)
    answered = batches.judged(services, claim, order, standing) if standing.way == "answered" else None
    return case.weighed(answered) if answered else case.read()


def _finish(services: Services, claim: Claim, judged: Judged, began: float | None = None) -> bool:
    update = {
        "verdict": judged.verdict, "analysis": judged.analysis, "failure": None, "finished_at": datetime.now(UTC),
    }  # fmt: skip
    record = claim.record.model_copy(update=update)
    written = _patiently(lambda: services.ledger.finish(claim, record, analysis_began=began))
    if written:
        keep_finished(services.ledger, record, view_for(services.settings, record.commit.repository))
    else:
        services.ledger.spend(judged.analysis.usage, record.commit.repository, record.tier)
    return written


def _patiently(write: Callable[[], bool]) -> bool:
    """Write a result, if need be when Redis is back: doing the work again costs more than waiting a little."""
    until = time.monotonic() + WRITE_SECONDS
    while True:
        try:
            return write()
        except (redis.ConnectionError, redis.TimeoutError):
            if time.monotonic() > until:
                raise
        time.sleep(random.uniform(0.3, 0.6))


def put_off(services: Services, claim: Claim, reason: str, retry_after: float | None, *, counts: bool) -> None:
    """Try a stage again later, with growing waits or the wait that was asked for; after the last attempt, give up.

    What holds for everyone, such as a rate limit or a wrong key, does not count: it would give up a whole day.
    """
    if counts and claim.attempts + 1 >= MOST_ATTEMPTS:
        give_up(services, claim, reason)
        return
    growing = min(LONGEST_WAIT_SECONDS, BACKOFF_SECONDS * 2**claim.attempts)
    wait = max(min(retry_after or 0.0, LONGEST_ASKED_SECONDS), growing * random.uniform(0.5, 1.0))
    services.ledger.retry(claim, wait, reason, counts=counts)
    log.warning("put_off", commit=claim.id, stage=claim.stage, reason=reason, seconds=round(wait, 1))


def give_up(services: Services, claim: Claim, reason: str, *, transient: bool = True) -> None:
    """End the work on a commit: it is shown by what facts there are, marked, and kept where a person sees it.

    One that was to be analysed anew keeps the analysis it has.
    """
    commit, kept = claim.record.commit, claim.record.analysis
    if kept and kept.origin != "degraded":
        _patiently(lambda: services.ledger.finish(claim, claim.record, spent=Usage()))
        log.error("reanalysis_given_up", commit=claim.id, stage=claim.stage, reason=reason)
        return
    facts = claim.record.facts or facts_from(commit, None)
    table = services.repository(commit.repository)
    judged = claim.record.triage or triage(commit, facts, rules_for(table), table)
    now = datetime.now(UTC)
    language = services.settings.language_of(commit.repository)
    depth = claim.record.correction.tier if claim.record.correction else judged.tier
    seen = judged.model_copy(update={"tier": depth})
    analysis = rulebook_analysis(commit, facts, seen, language, origin="degraded")
    failure = Failure(
        stage=claim.stage, reason=reason[:500], attempts=claim.attempts + 1, failed_at=now, transient=transient
    )
    update = {
        "facts": facts, "triage": judged, "verdict": None, "analysis": analysis, "failure": failure, "finished_at": now,
    }  # fmt: skip
    record = claim.record.model_copy(update=update)
    _patiently(lambda: services.ledger.finish(claim, record))
    log.error("given_up", commit=claim.id, stage=claim.stage, reason=reason)


def poison_reason(claim: Claim) -> str:
    """Why a commit that keeps killing its worker is given up."""
    if claim.attempts >= MOST_LOSSES:
        return f"its worker died or hung {claim.attempts} times in the {claim.stage} stage, working on nothing else"
    return f"{claim.lost} leases on it were lost in the {claim.stage} stage: its workers died with their hosts"
