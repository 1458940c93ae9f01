"""What the search index holds of a commit, from a kept report or from the commit's record.

Kept reports are the source for closed days, whose records may have expired. Reading only this part of a report is
several times faster than reading the report; fields that a newer version wrote are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict

from core.models import ChangeType, CommitRecord, Tier
from report.daily import entry_from_record
from report.prose import clean


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)


class _Change(_Part):
    name: str
    before: str | None = None
    after: str | None = None


class _Facts(_Part):
    areas: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    changes: tuple[_Change, ...] = ()


class _Triage(_Part):
    type: ChangeType


class _Insights(_Part):
    architecture: str = ""
    performance: str = ""
    security: str = ""
    compatibility: str = ""


class _Analysis(_Part):
    depth: Tier
    types: tuple[ChangeType, ...] = ()
    summary: str = ""
    scope: tuple[str, ...] = ()
    insights: _Insights | None = None
    risks: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


class _Commit(_Part):
    sha: str
    title: str
    author: str
    login: str | None = None
    landed_at: AwareDatetime
    tier: Tier
    facts: _Facts | None = None
    triage: _Triage | None = None
    analysis: _Analysis | None = None


class _Entry(_Commit):
    folded: tuple[_Commit, ...] = ()


class _Report(_Part):
    entries: tuple[_Entry, ...]


class _Document(_Part):
    reports: tuple[_Report]


class Indexed(NamedTuple):
    """One commit as it is searched; `said` are its texts as (label key, text), `landed` is in unix seconds."""

    sha: str
    landed: float
    tier: str
    types: str
    title: str
    author: str
    login: str
    said: list[list[str]]
    names: list[str]


def entries_from_report(raw: bytes) -> list[Indexed]:
    """Every commit of the one report of a document; raises ValueError for anything else."""
    (report,) = _Document.model_validate_json(raw).reports
    return [_indexed(commit) for entry in report.entries for commit in (entry, *entry.folded)]


def entry_of(record: CommitRecord) -> Indexed:
    """A commit that no report has yet."""
    return _indexed(_Commit.model_validate(entry_from_record(record)))


def _indexed(commit: _Commit) -> Indexed:
    analysis, facts = commit.analysis, commit.facts or _Facts()
    types = analysis.types if analysis else (commit.triage.type,) if commit.triage else ()
    return Indexed(
        sha=commit.sha,
        landed=commit.landed_at.timestamp(),
        tier=commit.tier.value,
        types=" ".join(kind.value for kind in types),
        title=clean(commit.title) or commit.sha[:7],
        author=clean(commit.author),
        login=clean(commit.login or ""),
        said=[[key, clean(text).replace("`", "")] for key, text in _said(commit) if text],
        names=list(dict.fromkeys(filter(None, map(clean, _names(facts))))),
    )


def _said(commit: _Commit) -> Iterator[tuple[str, str]]:
    """What its page shows of its analysis: what was written, less what its tier has no use for."""
    analysis = commit.analysis
    if analysis is None:
        return
    depth = min(commit.tier, analysis.depth, key=lambda tier: tier.rank)
    yield "summary", analysis.summary
    if depth is Tier.LOW:
        return
    yield from (("scope", text) for text in analysis.scope)
    if depth is Tier.HIGH:
        yield from (_Insights() if analysis.insights is None else analysis.insights)
        yield from (("risks", text) for text in analysis.risks)
    yield from (("advice", text) for text in analysis.advice)


def _names(facts: _Facts) -> Iterator[str]:
    yield from facts.paths
    yield from facts.symbols
    for change in facts.changes:
        yield from filter(None, (change.name, change.before, change.after))
    yield from (area for area in facts.areas if area != ".")
