"""What a day's figures, filters, charts and tables need of each commit: little beside all that is known of it; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from core.models import ChangeType, PublicChange, Usage

if TYPE_CHECKING:
    from core.models import Analysis, Facts, Triage


class Spent(NamedTuple):
    """The numbers of a Usage."""

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    calls: int = 0


class Brief(NamedTuple):
    """A commit in a few values; `origin` is empty while it has no analysis, `pull_request` 0 when it is of none."""

    origin: str
    limit: str
    batch: bool
    types: tuple[str, ...]  # of ChangeType
    areas: tuple[str, ...]
    pull_request: int
    score: float
    spent: Spent
    names_checked: int
    names_removed: int
    changes: tuple[PublicChange, ...]


def brief_of(facts: Facts | None, triage: Triage | None, analysis: Analysis | None) -> Brief:
    """A commit in brief, from all that is known of it."""
    types: tuple[ChangeType, ...] = analysis.types if analysis else (triage.type,) if triage else ()
    return Brief(
        origin=analysis.origin if analysis else "",
        limit=(analysis.limit if analysis else None) or "",
        batch=analysis.batch if analysis else False,
        types=tuple(kind.value for kind in types),
        areas=facts.areas if facts else (),
        pull_request=(facts.pull_request if facts else None) or 0,
        score=triage.score if triage else 0.0,
        spent=_spent(analysis.usage) if analysis else Spent(),
        names_checked=analysis.names_checked if analysis else 0,
        names_removed=analysis.names_removed if analysis else 0,
        changes=facts.changes if facts else (),
    )


def _spent(usage: Usage) -> Spent:
    return Spent(**{name: getattr(usage, name) for name in Spent._fields})
