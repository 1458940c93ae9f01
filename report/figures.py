"""The day in figures: counts by tier, coverage, tokens, dollars and checked names, added up over its commits; pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from core.models import Found, Frozen, Tier, Usage, added
from report.brief import AMOUNTS, Brief

if TYPE_CHECKING:
    from report.highlights import Written
    from report.table import Table


COVERED = frozenset({"model", "rules", "degraded"})  # the states of commits that have the analysis they should have


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


def sums(entries: Table, written: Written | None) -> Sums:
    """The figures of some commits, and of the highlights when the model wrote them."""
    counted = Counter(entries.column("tier"))
    tiers = Tiers(**{tier.value: counted[tier] for tier in Tier})
    briefs: Briefs = {name: entries.column(name) for name in Brief._fields}
    names = Names(checked=sum(briefs["names_checked"]), removed=sum(briefs["names_removed"]))
    return Sums(tiers, coverage(entries, briefs), usage(briefs, written), spending(entries, briefs, written), names)


Briefs = Mapping[str, Sequence[Any]]  # the values of some commits' briefs, by what they are


def coverage(entries: Table, briefs: Briefs) -> Coverage:
    """How many of some commits are analysed, and by whom."""
    states = Counter(entries.column("state"))
    limits = Counter(zip(briefs["limit"], briefs["origin"], strict=True))
    return Coverage(
        total=len(entries),
        covered=sum(times for state, times in states.items() if state in COVERED),
        model=states["model"],
        rules=states["rules"],
        degraded=states["degraded"] + states["given_up"],
        pending=states["pending"],
        backfilled=entries.column("found_by").count(Found.BACKFILL),
        budget_shallower=limits["budget", "model"],
        budget_rules=limits["budget", "rules"],
    )


def usage(briefs: Briefs, written: Written | None) -> Usage:
    """Tokens and dollars of some commits, and of the highlights when the model wrote them."""
    counts = {name: sum(briefs[name]) for name in AMOUNTS if name != "cost_usd"}
    whole = Usage(**counts, cost_usd=math.fsum(briefs["cost_usd"]))
    whole = added(whole, written.usage) if written else whole
    return whole.model_copy(update={"cost_usd": _dollars([whole.cost_usd])})


def spending(entries: Table, briefs: Briefs, written: Written | None) -> Spending:
    """Dollars of some commits by tier; the highlights count as high: the same model writes them."""
    costs: dict[Tier, list[float]] = {tier: [] for tier in Tier}
    for tier, cost in zip(entries.column("tier"), briefs["cost_usd"], strict=True):
        costs[tier].append(cost)
    batched = list(compress(briefs["cost_usd"], briefs["batch"]))
    if written:
        costs[Tier.HIGH].append(written.usage.cost_usd)
    by_tier = {tier.value: _dollars(some) for tier, some in costs.items()}
    return Spending(**by_tier, batch=_dollars(batched), batched=len(batched))


def _dollars(amounts: Iterable[float]) -> float:
    """Added up to a millionth of a dollar, in whatever order."""
    return round(math.fsum(amounts), 6)
