"""The day in figures: counts by tier, coverage, tokens, dollars and checked names, added up over its commits; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from core.models import Found, Frozen, Tier, Usage, added

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


def coverage(entries: Sequence[Member]) -> Coverage:
    """How many of some commits are analysed, and by whom."""
    states = [entry.state for entry in entries]
    limited = [entry.analysis.origin for entry in entries if entry.analysis and entry.analysis.limit == "budget"]
    return Coverage(
        total=len(entries),
        covered=sum(entry.covered for entry in entries),
        model=states.count("model"),
        rules=states.count("rules"),
        degraded=states.count("degraded") + states.count("given_up"),
        pending=states.count("pending"),
        backfilled=sum(entry.found_by is Found.BACKFILL for entry in entries),
        budget_shallower=limited.count("model"),
        budget_rules=limited.count("rules"),
    )


def usage(entries: Sequence[Member], written: Written | None) -> Usage:
    """Tokens and dollars of some commits, and of the highlights when the model wrote them."""
    spent = [entry.analysis.usage for entry in entries if entry.analysis]
    spent += [written.usage] if written else []
    whole = added(*spent)
    return whole.model_copy(update={"cost_usd": _dollars([whole.cost_usd])})


def spending(entries: Sequence[Member], written: Written | None) -> Spending:
    """Dollars of some commits by tier; the highlights count as high: the same model writes them."""
    spent = [(entry.tier, entry.analysis.usage) for entry in entries if entry.analysis]
    spent += [(Tier.HIGH, written.usage)] if written else []
    by_tier = {tier.value: _dollars(usage.cost_usd for filed, usage in spent if filed is tier) for tier in Tier}
    batched = [entry.analysis.usage.cost_usd for entry in entries if entry.analysis and entry.analysis.batch]
    return Spending(**by_tier, batch=_dollars(batched), batched=len(batched))


def names(entries: Sequence[Member]) -> Names:
    """What the check of names found in some commits' texts."""
    written = [entry.analysis for entry in entries if entry.analysis]
    return Names(
        checked=sum(analysis.names_checked for analysis in written),
        removed=sum(analysis.names_removed for analysis in written),
    )


def _dollars(amounts: Iterable[float]) -> float:
    """Added up to a millionth of a dollar, in whatever order."""
    return round(math.fsum(amounts), 6)
