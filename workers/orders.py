"""What is to be analysed and how deeply: an order for one commit, and what each depth may use; data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.models import Commit, CommitRecord, Diff, Facts, Language, Tier, Triage

Effort = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Depth:
    """What an analysis of a depth may use, in tokens.

    `max_tokens` has room for thinking, which counts towards it; `budget_tokens` is for the diff; `reply_tokens` is what
    a reply with its thinking comes to as a rule, for the estimate of its price.
    """

    max_tokens: int
    budget_tokens: int
    reply_tokens: int
    effort: Effort


DEPTHS = {
    Tier.LOW: Depth(max_tokens=4_000, budget_tokens=6_000, reply_tokens=600, effort="low"),
    Tier.MEDIUM: Depth(max_tokens=8_000, budget_tokens=16_000, reply_tokens=1_500, effort="low"),
    Tier.HIGH: Depth(max_tokens=16_000, budget_tokens=48_000, reply_tokens=5_000, effort="medium"),
}


@dataclass(frozen=True, slots=True)
class Order:
    """One commit to be analysed at a depth, which need not be its tier."""

    commit: Commit
    facts: Facts
    triage: Triage
    diff: Diff
    language: Language
    depth: Tier


def shallower(depth: Tier) -> Tier:
    """The depth below; low is the last."""
    return Tier.MEDIUM if depth is Tier.HIGH else Tier.LOW


def depth_of(record: CommitRecord) -> Tier:
    """How deeply a commit is to be analysed: a person's tier, else the rules'."""
    judgement = record.correction or record.triage
    return judgement.tier if judgement else Tier.MEDIUM


def order_of(record: CommitRecord, diff: Diff | None, language: Language) -> Order | None:
    """The order for a commit that was fetched and judged by the rules; None when any of it is not at hand."""
    if diff is None or record.facts is None or record.triage is None:
        return None
    return Order(record.commit, record.facts, record.triage, diff, language, depth_of(record))
