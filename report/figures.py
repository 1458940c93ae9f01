"""The day in figures: counts by tier, coverage, tokens, dollars and checked names, added up over its commits; pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from core.models import Found, Frozen, Tier, Usage, added
from report.brief import AMOUNTS

if TYPE_CHECKING:
    from report.daily import Member
    from report.highlights import Written


class Tiers(Frozen):
    """Number of commits by tier."""

    high: int = 0
    medium: int = 0
    low: int = 0


class Coverage(Frozen):
    """How many of the day's commits are analysed, and by whom.

    `model`, `rules`, `degraded` and `pending` add up to `total`; `degraded` holds what was given up on, which is not
    `covered`. The rest counts some of them again: `backfilled` what reconciliation found, `budget_shallower`
    what the day's budget had analysed by the model at less than its depth, `budget_rules` what it left to the rules.
    """

    total: int = 0
    covered: int = 0
    model: int = 0
    rules: int = 0
    degraded: int = 0
    pending: int = 0
    backfilled: int = 0
    budget_shallower: int = 0
    budget_rules: int = 0


class Spending(Frozen):
    """Dollars of the day by tier, which add up to the day's cost; `batch` of it went through the batch endpoint."""

    high: float = 0.0
    medium: float = 0.0
    low: float = 0.0
    batch: float = 0.0
    batched: int = Field(default=0, description="number of commits analysed through the batch endpoint")


class Names(Frozen):
    """How many names and numbers in the models' texts were looked up in the commits, and taken out for want of them."""

    checked: int = 0
    removed: int = 0


class Sums(NamedTuple):
    """All that is added up over the commits of a day."""

    tiers: Tiers
    coverage: Coverage
    usage: Usage
    spending: Spending
    names: Names


def sums(entries: Sequence[Member], written: Written | None) -> Sums:
    """The figures of some commits, and of the highlights when the model wrote them."""
    counted = Counter([entry.tier for entry in entries])
    tiers = Tiers(**{tier.value: counted[tier] for tier in Tier})
    return Sums(tiers, coverage(entries), usage(entries, written), spending(entries, written), names(entries))


def coverage(entries: Sequence[Member]) -> Coverage:
    """How many of some commits are analysed, and by whom."""
    states = [entry.state for entry in entries]
    limited = [brief.origin for entry in entries if (brief := entry.brief).limit == "budget"]
    return Coverage(
        total=len(entries),
        covered=sum([entry.covered for entry in entries]),
        model=states.count("model"),
        rules=states.count("rules"),
        degraded=states.count("degraded") + states.count("given_up"),
        pending=states.count("pending"),
        backfilled=sum([entry.found_by is Found.BACKFILL for entry in entries]),
        budget_shallower=limited.count("model"),
        budget_rules=limited.count("rules"),
    )


def usage(entries: Sequence[Member], written: Written | None) -> Usage:
    """Tokens and dollars of some commits, and of the highlights when the model wrote them."""
    briefs = [entry.brief for entry in entries]
    amounts = {name: [getattr(brief, name) for brief in briefs] for name in AMOUNTS}
    costs = math.fsum(amounts.pop("cost_usd"))
    whole = Usage(**{name: sum(counts) for name, counts in amounts.items()}, cost_usd=costs)
    whole = added(whole, written.usage) if written else whole
    return whole.model_copy(update={"cost_usd": _dollars([whole.cost_usd])})


def spending(entries: Sequence[Member], written: Written | None) -> Spending:
    """Dollars of some commits by tier; the highlights count as high: the same model writes them."""
    costs: dict[Tier, list[float]] = {tier: [] for tier in Tier}
    batched = []
    for entry in entries:
        costs[entry.tier].append(entry.brief.cost_usd)
        if entry.brief.batch:
            batched.append(entry.brief.cost_usd)
    if written:
        costs[Tier.HIGH].append(written.usage.cost_usd)
    by_tier = {tier.value: _dollars(some) for tier, some in costs.items()}
    return Spending(**by_tier, batch=_dollars(batched), batched=len(batched))


def names(entries: Sequence[Member]) -> Names:
    """What the check of names found in some commits' texts."""
    return Names(
        checked=sum(entry.brief.names_checked for entry in entries),
        removed=sum(entry.brief.names_removed for entry in entries),
    )


def _dollars(amounts: Iterable[float]) -> float:
    """Added up to a millionth of a dollar, in whatever order."""
    return round(math.fsum(amounts), 6)
