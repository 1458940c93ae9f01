"""Two judges, one analysis: the rules say how deeply the model reads a commit, and it reads once more what it raises.

The depth is a person's correction, else the rules' tier; the day's budget may lower it. What the model thinks of the
commit is joined with the rules' tier by `workers/policy.py`. When that verdict is above the depth and nothing limits
it, the commit is analysed once more at the verdict's depth, and the verdict is made anew from that deeper reading.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import redis
import structlog

from core.errors import Permanent, Transient
from core.models import Analysis, Tier, Verdict, added
from workers.budget import Purse, degraded
from workers.deadlines import within
from workers.orders import Order, shallower
from workers.policy import joined, joined_types
from workers.rulebook import rulebook_analysis

if TYPE_CHECKING:
    from workers.services import Services

log = structlog.get_logger()

# Both readings together; a reservation of the budget lasts longer, and so does a stage's lease.
JUDGING_SECONDS = 840.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What is written about a commit, and the tier it is filed under."""

    analysis: Analysis
    verdict: Verdict


def by_rules_alone(services: Services, order: Order) -> bool:
    """Whether the model is not asked: there is none, the repository keeps its code from it, or only branches joined."""
    kept = services.repository(order.commit.repository).analysis[order.depth] == "rules"
    return services.analyst is None or kept or order.facts.merge


def by_rules(order: Order) -> Judged:
    """The analysis composed from the facts, at the order's depth."""
    seen = order.triage.model_copy(update={"tier": order.depth})
    analysis = rulebook_analysis(order.commit, order.facts, seen, order.language)
    return Judged(analysis, Verdict(tier=order.triage.tier, rule="rules"))


@dataclass(frozen=True, slots=True)
class Case:
    """One commit before the model. `settled`: a person has said its tier, so the model's opinion moves nothing."""

    services: Services
    order: Order
    purse: Purse
    settled: bool

    def read(self) -> Judged:
        """The model's analysis as deep as the budget allows; beyond it, that of the rules.

        Raises AnalysisRefused (Permanent) or Transient.
        """
        order, depth = self.order, self._affordable()
        if depth is not order.depth:
            degraded(self.services.ledger, order, depth)
        if depth is None:
            judged = by_rules(order)
            return replace(judged, analysis=judged.analysis.model_copy(update={"limit": "budget"}))
        with within(JUDGING_SECONDS):
            limit: Literal["budget"] | None = None if depth is order.depth else "budget"
            return self.weighed(self.services.analyse(replace(order, depth=depth), limit))

    def weighed(self, first: Analysis) -> Judged:
        """A first analysis with the verdict; when that asks for more, the commit is analysed once more.

        The first analysis is kept when the second one fails or cannot be afforded.
        """
        order, verdict = self.order, joined(self.order.facts, self.order.triage, first.opinion)
        if first.limit or not self._may_rise(verdict.tier):
            return self._judged(first, verdict)
        deeper = replace(order, depth=verdict.tier)
        try:
            if not self.purse.set_aside(first.usage.cost_usd + self._estimate(deeper), deeper.depth):
                degraded(self.services.ledger, deeper, first.depth)
                return self._judged(first.model_copy(update={"limit": "budget"}), verdict)
            second = self.services.analyse(deeper)
        except (Permanent, Transient, redis.RedisError) as error:
            log.warning("second_reading_failed", commit=order.commit.id, reason=str(error))
            return self._judged(first, verdict)
        whole = second.model_copy(update={"usage": added(first.usage, second.usage)})
        return self._judged(whole, joined(order.facts, order.triage, second.opinion))

    def _judged(self, analysis: Analysis, verdict: Verdict) -> Judged:
        types = joined_types(self.order.facts, self.order.triage, analysis.types)
        return Judged(analysis.model_copy(update={"types": types}), verdict)

    def _may_rise(self, tier: Tier) -> bool:
        """Whether a deeper reading is wanted; code that is kept from the model at a tier is not shown to it there."""
        table = self.services.repository(self.order.commit.repository)
        return not self.settled and tier.rank > self.order.depth.rank and table.analysis[tier] != "rules"

    def _affordable(self) -> Tier | None:
        """The depth that the day's budget allows; None: not even a shallower one."""
        order = self.order
        if self.purse.set_aside(self._estimate(order), order.depth):
            return order.depth
        if order.depth is Tier.HIGH:
            cheaper = replace(order, depth=shallower(order.depth))
            if self.purse.set_aside(self._estimate(cheaper), cheaper.depth):
                return cheaper.depth
        return None

    def _estimate(self, order: Order) -> float:
        """Dollars; 0 where there is no budget to hold them against."""
        if not self.purse.bounded or self.services.analyst is None:
            return 0.0
        return self.services.analyst.estimate(
            order.commit, order.facts, order.triage, order.diff, order.language, order.depth
        )
