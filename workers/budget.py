"""The day's budget: money is set aside before the model is asked, and the depth follows what is left.

While a call fits under 80 % of DAYBOOK_DAILY_BUDGET_USD, every commit is analysed at its depth. Beyond that, high ones
are analysed at medium depth as long as that fits under the whole; beyond that, a commit is analysed by the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import redis
import structlog

from core.ledger import FULL_DEPTH_SHARE, Ledger
from core.models import Tier
from workers.orders import Order

log = structlog.get_logger()


class Purse:
    """The money set aside for one commit; one reservation, which grows with each call that is planned."""

    def __init__(self, ledger: Ledger, holder: str, budget: float | None) -> None:
        """`budget` in dollars a day; None: as much as is wanted."""
        self._ledger = ledger
        self._holder = holder
        self._budget = budget
        self._taken = False

    @property
    def bounded(self) -> bool:
        """Whether there is a budget; without one, nothing needs to be estimated."""
        return self._budget is not None

    def set_aside(self, dollars: float, depth: Tier) -> bool:
        """Set aside what a commit costs in all, with an analysis at this depth; False when it does not fit."""
        if self._budget is None:
            return True
        share = FULL_DEPTH_SHARE if depth is Tier.HIGH else 1.0
        fits = self._ledger.reserve(self._holder, dollars, self._budget * share)
        self._taken = self._taken or fits
        return fits

    def close(self) -> None:
        """Give back what was set aside; when Redis is away, it is given back by itself after 15 minutes."""
        if self._taken:
            try:
                self._ledger.release(self._holder)
            except redis.RedisError as error:
                log.warning("reservation_left", reason=type(error).__name__)


@contextmanager
def purse(ledger: Ledger, holder: str, budget: float | None) -> Iterator[Purse]:
    """A purse that is closed at the end of the block, which is to be after the cost has been counted."""
    opened = Purse(ledger, holder, budget)
    try:
        yield opened
    finally:
        opened.close()


def degraded(ledger: Ledger, order: Order, to: Tier | None) -> None:
    """Note that the budget made a commit's analysis shallower; None: it is made by the rules."""
    step: Literal["medium", "low", "rules"] = "rules" if to is None else "medium" if to is Tier.MEDIUM else "low"
    ledger.degraded(step)
    log.warning("budget_degraded", commit=order.commit.id, depth=order.depth.value, to=step)
