"""Analyses by the Message Batches API: commits that can wait are sent together, at half the price.

A commit whose depth is set to `analysis = "batch"` is parked in the analyse stage. `work_on_batches`, run every half
minute, sends what is parked and fetches answers; each answer lies beside its commit, which goes through the analyse
stage again and is judged there as a direct answer is. What no batch has answered in time is asked for directly.
https://platform.claude.com/docs/en/build-with-claude/batch-processing
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import redis
import structlog

from core.errors import Permanent, Transient
from core.ledger import Claim, GivenBack, OpenBatch, Standing
from core.models import Analysis, Commit, CommitRecord
from workers.budget import Purse
from workers.closing import closes_at, grace
from workers.orders import Order, depth_of, order_of
from workers.pauses import admitted
from workers.prices import price_of

if TYPE_CHECKING:
    from workers.analyst import Analyst
    from workers.messages_api import BatchAnswer
    from workers.services import Services

log = structlog.get_logger()

# A batch of 20 shares one cached prompt; ten minutes are little beside the hour that a batch takes as a rule.
FEWEST = 20
PATIENCE_SECONDS = 600.0
# Bounds of one batch: an orphaned one costs no more than this, and its diffs are in memory at once.
MOST = 500
MOST_BYTES = 32 * 2**20
# Most batches end within an hour; the API itself gives up after 24.
LONGEST_WAIT = timedelta(hours=6)
SHORTEST_WAIT = timedelta(hours=1)
MARGIN = timedelta(minutes=30)  # for the direct calls of what a batch left unanswered before the day closes
FEWEST_SECONDS_LEFT = 900.0
GONE_SECONDS = 26 * 3600.0  # the API ends each batch after 24 hours
SEND_AGAIN_SECONDS = 300.0
# A batch is asked after when 5 % of its age have passed, or five minutes: 36 waiting batches are 12 calls a minute.
ASK_SHARE, LONGEST_ASK_SECONDS = 0.05, 300.0
LOCK_SECONDS = 180.0  # more than one call may take; renewed before each
ROUND_SECONDS = 120.0  # after which no further call is begun
SEND_TURN = "batch:send"


def latest_answer(services: Services, commit: Commit, now: datetime) -> datetime | None:
    """Until when a commit can be left to a batch: half an hour before its day closes, six hours at most.

    None when the day closes within the hour, or waits for its last commits; one that is closed gets the six hours.
    """
    closes = closes_at(services, services.ledger.day_of(commit.landed_at))
    if now >= closes + grace(services):
        return now + LONGEST_WAIT
    return min(now + LONGEST_WAIT, closes - MARGIN) if closes - now > SHORTEST_WAIT else None


def park(services: Services, claim: Claim, order: Order) -> Standing:
    """Where a commit stands that the model is to analyse: left to a batch, answered by one, or to be asked directly.

    The ledger is told too of those that are asked directly though they might have been left to one: from then on a
    batch's answer comes too late, and is counted as that.
    """
    assert services.analyst
    by_batch = services.repository(order.commit.repository).analysis[order.depth] == "batch"
    if not by_batch and not claim.batch:
        return Standing("direct")  # no batch knows of it
    wanted = by_batch and services.analyst.in_one_call(order)
    latest = latest_answer(services, order.commit, datetime.now(UTC)) if wanted else None
    standing = services.ledger.park(claim, latest)
    if standing.way == "parked":
        log.info("parked", commit=claim.id)
    return standing


def work_on_batches(services: Services) -> None:
    """Send what waits, ask after what was sent, fetch answers; a second scheduler's call finds the lock taken."""
    if services.analyst is None or services.ledger.paused("anthropic"):
        return
    lock = services.ledger.lock("batch", LOCK_SECONDS)
    if not lock.acquire():
        return
    try:
        Round(services, services.analyst, lock.reacquire).work()
    except Transient as error:
        log.warning("batch_put_off", reason=str(error))
    except redis.exceptions.LockError:
        log.warning("batch_slow", seconds=LOCK_SECONDS)  # it ran out and may be another's now
    finally:
        _release(lock)


def _release(lock: redis.lock.Lock) -> None:
    try:
        lock.release()
    except redis.exceptions.LockError:
        log.warning("batch_slow", seconds=LOCK_SECONDS)


def judged(services: Services, claim: Claim, order: Order, standing: Standing) -> Analysis | None:
    """The analysis that a batch's answer makes; None when the commit has to be asked for directly.

    Raises AnalysisRefused when the model declines. An answer that makes no analysis is counted, once, and forgotten.
    """
    from workers.messages_api import BatchAnswer  # the SDK takes a second to load, which a process without a key saves
    from workers.model_errors import AnalysisRefused, NeedsDirectCall

    assert services.analyst
    try:
        return services.analyst.judge(order, BatchAnswer.model_validate_json(standing.answer))
    except (NeedsDirectCall, AnalysisRefused) as error:
        if services.ledger.drop_answer(claim):
            services.ledger.spend(error.usage, order.commit.repository, order.depth)
        log.warning("batch_answer_unused", commit=claim.id, reason=str(error))
        if isinstance(error, AnalysisRefused):
            raise
        return None


class Round:
    """One round over all batches; `keep_lock` raises LockError when another may be at it."""

    def __init__(self, services: Services, analyst: Analyst, keep_lock: Callable[[], object]) -> None:
        self._services = services
        self._ledger = services.ledger
        self._analyst = analyst
        self._keep_lock = keep_lock
        self._until = time.monotonic() + ROUND_SECONDS

    def work(self) -> None:
        """Recover what a killed round had begun, ask after what was sent, then send what waits."""
        for batch in self._ledger.batches():
            if batch.id is None:
                self._recover(batch)
            elif time.monotonic() < self._until:
                self._look_after(batch, batch.id)
        if time.monotonic() < self._until and self._ledger.take_turn(SEND_TURN, 0.001):
            self._send()

    @contextmanager
    def _calling(self) -> Iterator[None]:
        """One call of the API, under its pause; the lock outlasts it."""
        self._keep_lock()
        with admitted(self._ledger, "anthropic"):
            yield

    def _recover(self, batch: OpenBatch) -> None:
        """Whoever began this batch is dead, for the lock is ours; whether it was sent nobody knows."""
        count = self._ledger.give_back(batch.key, "again")
        self._ledger.release(_holder(batch.key))
        log.warning("batch_begun_anew", batch=batch.key, commits=count)

    def _look_after(self, batch: OpenBatch, batch_id: str) -> None:
        now = time.time()
        if batch.dollars:  # a reservation lasts for minutes, a batch for hours, and this money is as good as spent
            self._ledger.reserve(_holder(batch.key), batch.dollars, sys.float_info.max)
        if now - batch.begun > GONE_SECONDS:
            self._end(batch)
        elif now - batch.asked >= min(ASK_SHARE * (now - batch.begun), LONGEST_ASK_SECONDS):
            self._ask_after(batch, batch_id)

    def _ask_after(self, batch: OpenBatch, batch_id: str) -> None:
        self._ledger.asked_for(batch.key)
        try:
            with self._calling():
                ended = self._analyst.batch_ended(batch_id)
            if ended:
                self._fetch(batch, batch_id)
            elif not batch.cancelled and not self._ledger.wanted(batch.key):
                self._cancel(batch, batch_id)
        except Permanent as error:
            log.warning("batch_refused", batch=batch_id, reason=str(error))
            self._end(batch)

    def _fetch(self, batch: OpenBatch, batch_id: str) -> None:
        with self._calling():
            answers = self._analyst.batch_answers(batch_id)
        for custom_id, answer in answers:
            self._keep(batch.key, custom_id, answer)
        self._end(batch)

    def _cancel(self, batch: OpenBatch, batch_id: str) -> None:
        """Let no more of a batch be worked on; what it has answered by then is paid for, and counted at its end."""
        try:
            with self._calling():
                self._analyst.cancel(batch_id)
        except Permanent as error:  # it ended a moment ago
            log.info("batch_not_cancelled", batch=batch_id, reason=str(error))
        else:
            log.info("batch_cancelled", batch=batch_id)
        self._ledger.cancelled(batch.key)

    def _keep(self, key: str, custom_id: str, answer: BatchAnswer) -> None:
        from workers.spending import usage_of

        outcome, commit_id = self._ledger.keep_answer(key, custom_id, answer.model_dump_json().encode())
        if outcome == "late" and answer.message and (record := self._record(commit_id)):
            depth = depth_of(record)
            usage = usage_of(answer.message.usage, self._services.settings.model_for(depth), batch=True)
            self._ledger.spend(usage, record.commit.repository, depth)
            log.info("batch_answer_late", commit=commit_id)

    def _end(self, batch: OpenBatch) -> None:
        unanswered = self._ledger.give_back(batch.key, "direct")
        self._ledger.release(_holder(batch.key))
        log.info("batch_ended", batch=batch.id, unanswered=unanswered)

    def _send(self) -> None:
        key, ids = self._ledger.begin_batch(
            most=MOST, fewest=FEWEST, patience=PATIENCE_SECONDS, left=FEWEST_SECONDS_LEFT
        )
        if not ids:
            return
        orders, dollars = self._load(key, ids)
        if not orders:
            self._ledger.give_back(key, "uncounted")
            return
        try:
            with self._calling():
                batch_id = self._analyst.submit(orders)
        except Transient as error:
            # A limit is met before anything is done; after any other fault the batch may be there all the same.
            self._not_sent(key, "uncounted" if error.shared else "again", error)
        except Permanent as error:
            self._not_sent(key, "direct", error)
        else:
            self._ledger.sent(key, batch_id, dollars)
            log.info("batch_sent", batch=batch_id, commits=len(orders))

    def _not_sent(self, key: str, then: GivenBack, error: Exception) -> None:
        self._ledger.give_back(key, then)
        self._ledger.release(_holder(key))
        self._ledger.next_turn(SEND_TURN, SEND_AGAIN_SECONDS)
        log.warning("batch_not_sent", batch=key, then=then, reason=str(error))

    def _load(self, key: str, ids: Mapping[str, str]) -> tuple[dict[str, Order], float]:
        """A batch's orders by custom id, and what it sets aside of the budget.

        Those that do not fit into memory wait for the next batch; those that have lost their diff, or do not fit into
        the day's budget, go the direct way, where that is dealt with.
        """
        orders: dict[str, Order] = {}
        direct: list[str] = []
        later: list[str] = []
        size, dollars = 0, 0.0
        budget = Purse(self._ledger, _holder(key), self._services.settings.daybook_daily_budget_usd)
        for custom_id, commit_id in ids.items():
            if orders and size > MOST_BYTES:
                later.append(custom_id)
                continue
            order = self._order(commit_id)
            after = dollars + self._cost(order) if order and budget.bounded else 0.0
            if order is None or not budget.set_aside(after, order.depth):
                direct.append(custom_id)
                continue
            orders[custom_id], dollars = order, after
            size += sum(len(file.patch or "") for file in order.diff.files)
        self._ledger.give_back(key, "direct", direct)
        self._ledger.give_back(key, "uncounted", later)
        return orders, dollars

    def _order(self, commit_id: str) -> Order | None:
        record = self._record(commit_id)
        if record is None:
            return None
        language = self._services.settings.language_of(record.commit.repository)
        return order_of(record, self._ledger.diff(commit_id), language)

    def _cost(self, order: Order) -> float:
        """About what an order costs in dollars at half the price."""
        price = price_of(self._services.settings.model_for(order.depth))
        dollars = self._analyst.estimate(
            order.commit, order.facts, order.triage, order.diff, order.language, order.depth
        )
        return dollars * (price.batch_factor if price else 1.0)

    def _record(self, commit_id: str) -> CommitRecord | None:
        repository, _, sha = commit_id.partition("@")
        return self._ledger.record(repository, sha)


def _holder(key: str) -> str:
    return f"batch {key}"
