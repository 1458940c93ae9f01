"""A day's records → DailyReport: order, groups, coverage; pure, without a clock."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, StringConstraints

from core.models import (
    Analysis,
    Commit,
    CommitRecord,
    Facts,
    Failure,
    Found,
    Frozen,
    Language,
    RepositoryName,
    Sha,
    Tier,
    Triage,
    Usage,
)
from report.prose import Origin, clean

REPORT_VERSION: Literal[1] = 1

# What a message's first line can be when nobody wrote one (see git-interpret-trailers(1)).
_TRAILER = re.compile(r"(?:[A-Za-z]+-)+by: |Change-Id: |Cc: |Bug: |git-svn-id: ", re.IGNORECASE)

State = Literal["model", "rules", "degraded", "given_up", "pending"]

WebUrl = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~-]+)*$")]


def anchor(kind: Literal["repository", "stats", "contents", "high", "medium", "low", "commit"], repository: str) -> str:
    """The id of a part of a page, unique among the repositories of a page; a commit's has `-` and the sha added.

    An owner has no dot and a kind no hyphen, so no two repositories share an id (`a-b/c` and `a/b-c` do not either).
    """
    return f"{kind}-{repository.replace('/', '.').lower()}"


class Entry(Frozen):
    """One commit of the day, with all that a view of it needs."""

    sha: Sha
    title: str
    author: str
    login: str | None
    branch: str
    committed_at: AwareDatetime
    landed_at: AwareDatetime
    found_by: Found
    tier: Tier
    state: State = Field(
        description="who analysed it: model, rules, degraded (facts, the model could not), given_up (facts, to be "
        "tried again), pending (nobody yet)"
    )
    facts: Facts | None
    triage: Triage | None
    analysis: Analysis | None
    failure: Failure | None

    @property
    def covered(self) -> bool:
        """Whether it has the analysis it should have; what waits or was given up on has not."""
        return self.state in {"model", "rules", "degraded"}

    @property
    def depth(self) -> Tier:
        """How much of the analysis is shown: what was written, less what its tier has no use for."""
        ranks = (Tier.LOW, Tier.MEDIUM, Tier.HIGH)
        written = self.analysis.depth if self.analysis else Tier.LOW
        return min(self.tier, written, key=ranks.index)


class Tiers(Frozen):
    """Number of commits by tier."""

    high: int = 0
    medium: int = 0
    low: int = 0


class Coverage(Frozen):
    """How many of the day's commits are analysed, and by whom.

    `model`, `rules`, `degraded` and `pending` add up to `total`; `degraded` holds what was given up on, which is not
    `covered`; `backfilled` counts again what reconciliation found.
    """

    total: int = 0
    covered: int = 0
    model: int = 0
    rules: int = 0
    degraded: int = 0
    pending: int = 0
    backfilled: int = 0


class Rewrite(Frozen):
    """A forced push of the day: it took `replaced` (None: not known any more) off a branch; their analyses are kept."""

    branch: str
    before: Sha
    after: Sha
    replaced: tuple[Sha, ...] | None


class Source(Frozen):
    """Whether the place the commits come from answered, what it was asked, and what was rewritten there."""

    ok: bool = True
    asked: str = ""
    rewrites: tuple[Rewrite, ...] = ()


class DailyReport(Frozen):
    """One repository's day. Every view (Markdown, HTML, JSON) is made from this and nothing else."""

    schema_version: Literal[1] = REPORT_VERSION
    repository: RepositoryName
    day: date
    timezone: str
    language: Language
    revision: int = Field(ge=1, description="counts the pages of this day that differed")
    commit_url: WebUrl | None = Field(description="where the repository lies on the web, such as https://github.com")
    entries: tuple[Entry, ...] = Field(description="newest first")
    tiers: Tiers
    coverage: Coverage
    usage: Usage = Field(description="tokens and dollars of the day")
    source: Source

    @property
    def zone(self) -> tzinfo:
        """The time zone of the day."""
        return ZoneInfo(self.timezone)

    @property
    def origin(self) -> Origin:
        """Where the texts of the day come from."""
        return Origin(self.repository, self.commit_url)

    def anchor(self, entry: Entry) -> str:
        """The id of a commit on every page it is on."""
        return f"{anchor('commit', self.repository)}-{entry.sha}"

    def group(self, tier: Tier) -> tuple[Entry, ...]:
        """The commits of one tier, newest first."""
        return tuple(entry for entry in self.entries if entry.tier is tier)


def assemble(
    records: Sequence[CommitRecord],
    *,
    repository: str,
    day: date,
    timezone: str,
    language: Language,
    revision: int,
    web_url: str | None,
    source_ok: bool = True,
    asked: str = "",
    rewrites: Sequence[Rewrite] = (),
) -> DailyReport:
    """The report of a day from the records of its commits, in whatever order they come.

    `timezone` is an IANA name, `web_url` the repository's web page or the site it is on (None: no links), `asked` what
    the source was asked, in words. Raises pydantic.ValidationError (a ValueError) for a malformed argument.
    """
    ordered = sorted(records, key=_landing, reverse=True)
    entries = tuple(entry_from_record(record) for record in ordered)
    return DailyReport(
        repository=repository,
        day=day,
        timezone=timezone,
        language=language,
        revision=revision,
        commit_url=web_site(web_url, repository),
        entries=entries,
        tiers=Tiers(**{tier.value: sum(entry.tier is tier for entry in entries) for tier in Tier}),
        coverage=_coverage(entries),
        usage=_usage(entries),
        source=Source(ok=source_ok, asked=asked, rewrites=tuple(rewrites)),
    )


def web_site(web_url: str | None, repository: str) -> str | None:
    """The site a repository's page is on: `https://github.com` of `https://github.com/octocat/hello`."""
    return web_url.rstrip("/").removesuffix(f"/{repository}") if web_url else None


def entry_from_record(record: CommitRecord) -> Entry:
    """What a page shows of one commit."""
    commit = record.commit
    return Entry(
        sha=commit.sha,
        title=_title(commit),
        author=commit.author,
        login=commit.login,
        branch=commit.branch,
        committed_at=commit.committed_at,
        landed_at=commit.landed_at,
        found_by=commit.found_by,
        tier=record.tier,
        state=_state(record),
        facts=record.facts,
        triage=record.triage,
        analysis=record.analysis,
        failure=record.failure,
    )


def _landing(record: CommitRecord) -> tuple[datetime, int, str]:
    return record.commit.landed_at, record.commit.position, record.commit.sha


def _title(commit: Commit) -> str:
    """The first line of the message, or the short sha when it shows nothing or there are trailers alone."""
    return commit.sha[:7] if _TRAILER.match(commit.title) or not clean(commit.title) else commit.title


def _state(record: CommitRecord) -> State:
    if record.failure is not None:
        # What an outage cost is not covered; what no attempt could change is, by the facts of a diff that was read.
        settled = record.analysis and record.facts and not record.failure.transient and record.failure.stage != "fetch"
        return "degraded" if settled else "given_up"
    return record.analysis.origin if record.analysis else "pending"


def _coverage(entries: Sequence[Entry]) -> Coverage:
    states = [entry.state for entry in entries]
    return Coverage(
        total=len(entries),
        covered=sum(entry.covered for entry in entries),
        model=states.count("model"),
        rules=states.count("rules"),
        degraded=states.count("degraded") + states.count("given_up"),
        pending=states.count("pending"),
        backfilled=sum(entry.found_by is Found.BACKFILL for entry in entries),
    )


def _usage(entries: Sequence[Entry]) -> Usage:
    spent = [entry.analysis.usage for entry in entries if entry.analysis]
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in spent),
        cached_tokens=sum(usage.cached_tokens for usage in spent),
        cache_write_tokens=sum(usage.cache_write_tokens for usage in spent),
        output_tokens=sum(usage.output_tokens for usage in spent),
        cost_usd=round(math.fsum(usage.cost_usd for usage in spent), 6),
        calls=sum(usage.calls for usage in spent),
    )
