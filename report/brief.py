"""What a day's figures, filters, charts and tables need of each commit: little beside all that is known of it; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from core.models import ChangeType, Usage

if TYPE_CHECKING:
    from core.models import Analysis, Facts, Triage

AMOUNTS = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "cost_usd", "calls")  # of a Usage


class Brief(NamedTuple):
    """A commit in a few values; `origin` is empty while it has no analysis, `pull_request` 0 when it is of none."""

    origin: str
    limit: str
    batch: bool
    types: tuple[str, ...]  # of ChangeType
    areas: tuple[str, ...]
    pull_request: int
    score: float
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    cost_usd: float
    calls: int
    names_checked: int
    names_removed: int
    changed: bool  # whether it has public changes


def brief_of(facts: Facts | None, triage: Triage | None, analysis: Analysis | None) -> Brief:
    """A commit in brief, from all that is known of it."""
    types: tuple[ChangeType, ...] = analysis.types if analysis else (triage.type,) if triage else ()
    usage = analysis.usage if analysis else Usage()
    return Brief(
        origin=analysis.origin if analysis else "",
        limit=(analysis.limit if analysis else None) or "",
        batch=analysis.batch if analysis else False,
        types=tuple(kind.value for kind in types),
        areas=facts.areas if facts else (),
        pull_request=(facts.pull_request if facts else None) or 0,
        score=triage.score if triage else 0.0,
        **{name: getattr(usage, name) for name in AMOUNTS},
        names_checked=analysis.names_checked if analysis else 0,
        names_removed=analysis.names_removed if analysis else 0,
        changed=bool(facts and facts.changes),
    )
