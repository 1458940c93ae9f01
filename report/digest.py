"""The part of a kept report that calendars, week, month, author and area pages and the feed are made of.

Reading only it is several times faster than reading the report. Fields that a newer version wrote are passed over.
"""

from __future__ import annotations

from datetime import date
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from core.models import ChangeType, RepositoryName, Sha, Tier
from report.daily import WebUrl
from report.figures import Tiers
from report.prose import Origin
from report.view import anchor


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class _Covered(_Part):
    total: int
    covered: int


class _Facts(_Part):
    areas: tuple[str, ...] = ()


class _Triage(_Part):
    type: ChangeType


class _Analysis(_Part):
    types: tuple[ChangeType, ...]
    summary: str


class _Highlight(_Part):
    text: str
    shas: tuple[Sha, ...]


class Line(_Part):
    """One commit of a day."""

    sha: Sha
    title: str
    author: str
    tier: Tier
    facts: _Facts | None = None
    triage: _Triage | None = None
    analysis: _Analysis | None = None

    @property
    def types(self) -> tuple[ChangeType, ...]:
        """What kind of change it is, by its analysis or else by the rules."""
        if self.analysis:
            return self.analysis.types
        return (self.triage.type,) if self.triage else ()

    @property
    def areas(self) -> tuple[str, ...]:
        """The directories it touches, most changed first."""
        return self.facts.areas if self.facts else ()

    @property
    def summary(self) -> str:
        """What its analysis says first; empty while nobody has analysed it."""
        return self.analysis.summary if self.analysis else ""


class _Entry(Line):
    """A commit with those that are shown with it: together they cancel each other out."""

    folded: tuple[Line, ...] = ()


class DaySummary(_Part):
    """A day in numbers."""

    repository: RepositoryName
    day: date
    timezone: str
    commit_url: WebUrl | None
    tiers: Tiers
    coverage: _Covered

    @property
    def origin(self) -> Origin:
        """Where the texts of the day come from."""
        return Origin(self.repository, self.commit_url)

    def anchor(self, sha: str) -> str:
        """The id of a commit on the day's page."""
        return f"{anchor('commit', self.repository)}-{sha}"


class DayDigest(DaySummary):
    """A day in numbers and lines; `entries` as they are shown, the newest first."""

    entries: tuple[_Entry, ...]
    highlights: tuple[_Highlight, ...] = ()

    @property
    def lines(self) -> list[Line]:
        """Every commit, those too that are shown within the entry of another."""
        return [line for entry in self.entries for line in (entry, *entry.folded)]

    def group(self, tier: Tier) -> tuple[Line, ...]:
        """What is shown in one tier."""
        return tuple(entry for entry in self.entries if entry.tier is tier)


class _SummaryDocument(_Part):
    reports: tuple[DaySummary]


class _DigestDocument(_Part):
    reports: tuple[DayDigest]


Digested = TypeVar("Digested", bound=DaySummary)


def summary_from_json(raw: bytes) -> DaySummary:
    """The numbers of the one report of a document; raises ValueError for anything else."""
    return _SummaryDocument.model_validate_json(raw).reports[0]


def digest_from_json(raw: bytes) -> DayDigest:
    """The numbers and lines of the one report of a document; raises ValueError for anything else."""
    return _DigestDocument.model_validate_json(raw).reports[0]
