"""The shapes that travel between the stages and are written down in the ledger.

All are frozen pydantic models. Times are aware datetimes in UTC; a sha is 40 (or 64) lower-case hex digits;
a repository is `owner/name` as GitHub spells it.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

RECORD_VERSION = 1

SHA_PATTERN = r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$"
# Owner and name as GitHub allows them; "." and ".." are not names (and would climb out of REPORT_DIR).
REPOSITORY_PATTERN = (
    r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?:\.?[A-Za-z0-9_-][A-Za-z0-9._-]{0,98}|\.\.[A-Za-z0-9._-]{1,98})$"
)

Sha = Annotated[str, StringConstraints(pattern=SHA_PATTERN)]
RepositoryName = Annotated[str, StringConstraints(pattern=REPOSITORY_PATTERN)]
# One that is read from storage may have lost its file since; settings name none that has no file (core/languages.py).
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(?:_[A-Za-z]{2,4})?$")]


class Frozen(BaseModel):
    """Immutable, and refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Kept(Frozen):
    """A part of a commit's record. What a newer version wrote beside the fields known here is kept, unread.

    So a record that an older worker rewrites, while both are at work, loses nothing. A newer version may add fields
    that have a default; when it changes what may stand in a field, it raises RECORD_VERSION. See docs/upgrade.md.
    """

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)


class Tier(StrEnum):
    """Must someone who uses or builds on this repository notice or act?"""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    __hash__ = str.__hash__  # Enum's own is a call in Python, thousands of times a page

    @property
    def rank(self) -> int:
        """0 for low, 1 for medium, 2 for high."""
        return ("low", "medium", "high").index(self)


class ChangeType(StrEnum):
    """What kind of change a commit is, in the vocabulary of the labels."""

    BREAKING = "breaking"
    SECURITY = "security"
    FEATURE = "feature"
    BUGFIX = "bugfix"
    PERFORMANCE = "performance"
    REFACTOR = "refactor"
    REVERT = "revert"
    DEPENDENCY = "dependency"
    BUILD = "build"
    CI = "ci"
    TEST = "test"
    DOCS = "docs"
    CHORE = "chore"
    MERGE = "merge"


class Found(StrEnum):
    """How Daybook learnt of a commit."""

    PUSH = "push"
    POLL = "poll"
    BACKFILL = "backfill"


class Commit(Kept):
    """A commit as the push that brought it told of it."""

    repository: RepositoryName
    sha: Sha
    message: str
    author: str
    login: str | None = None
    committed_at: AwareDatetime
    landed_at: AwareDatetime = Field(description="when its push landed; decides its report day")
    position: int = Field(ge=0, description="place within its push, oldest first")
    branch: str
    found_by: Found = Found.PUSH

    @property
    def id(self) -> str:
        """`owner/name@sha`: the identity of a commit everywhere in Daybook."""
        return f"{self.repository}@{self.sha}"

    @property
    def title(self) -> str:
        """The first line of the message; never empty."""
        return self.message.strip().partition("\n")[0].strip() or self.sha[:7]


class Push(Frozen):
    """One push to one branch, with the commits it brought, oldest first."""

    repository: RepositoryName
    branch: str
    before: Sha
    after: Sha
    pushed_at: AwareDatetime
    forced: bool = False
    delivery: str
    commits: tuple[Commit, ...]


class FileChange(Frozen):
    """One file of a diff, in the terms of GitHub's commit API.

    `patch` is the hunks alone (from the first `@@`, no `---`/`+++` header, no final newline) or None, and then
    `missing` says why, unless there is nothing to show (a pure rename, a mode change, an empty file).
    """

    path: str
    previous_path: str | None = None
    status: Literal["added", "removed", "modified", "renamed", "copied", "changed", "unchanged"]
    additions: int = 0
    deletions: int = 0
    patch: str | None = None
    missing: Literal["binary", "too_large"] | None = None


class Diff(Frozen):
    """What a commit changed against its first parent; the same whether GitHub or a clone was asked."""

    sha: Sha
    parents: tuple[Sha, ...]
    files: tuple[FileChange, ...]
    additions: int
    deletions: int
    truncated: bool = Field(default=False, description="the source listed only part of the files")


class FileRole(StrEnum):
    """What a file is for."""

    SOURCE = "source"
    INTERFACE = "interface"
    KERNEL = "kernel"
    TEST = "test"
    DOCS = "docs"
    EXAMPLE = "example"
    CI = "ci"
    BUILD = "build"
    MANIFEST = "manifest"
    LOCK = "lock"
    GENERATED = "generated"
    VENDORED = "vendored"
    BINARY = "binary"
    CONFIG = "config"


class PublicChange(Kept):
    """One change of something that users of the repository can name.

    `before`/`after` hold the old and new name of a rename, the old and new default, or the two versions.
    """

    kind: Literal["function", "class", "parameter", "flag", "environment", "config", "route", "metric", "dependency"]
    action: Literal["added", "removed", "renamed", "default_changed", "changed"]
    name: str
    before: str | None = None
    after: str | None = None
    path: str


class RevertOf(Kept):
    """What a commit says it reverts; whichever of the three the message gave."""

    sha: str | None = None
    pull_request: int | None = None
    title: str | None = None


class Facts(Kept):
    """What a diff and its message show without any judgement; see `workers/facts.py`."""

    files: int
    additions: int
    deletions: int
    code_lines: int = Field(
        description="changed lines outside tests, docs, generated, vendored and lock files; no comments, blank lines, "
        "docstrings, nor lines that changed in looks alone"
    )
    roles: dict[FileRole, int] = Field(default_factory=dict, description="number of files by role")
    areas: tuple[str, ...] = Field(default=(), description="packages or directories, most changed first")
    paths: tuple[str, ...] = Field(default=(), description="at most 20 files: the watched, the product's, then by size")
    symbols: tuple[str, ...] = ()
    changes: tuple[PublicChange, ...] = ()
    marks: tuple[str, ...] = Field(default=(), description="risk marks: crash, hang, memory, security, numerics …")
    prefixes: tuple[str, ...] = Field(default=(), description="`[Tag]` and `type(scope):` prefixes, lower case")
    pull_request: int | None = None
    issues: tuple[int, ...] = ()
    reverts: RevertOf | None = None
    series: tuple[int, int] | None = None
    breaking: bool = Field(default=False, description="the message itself says BREAKING")
    bot: bool = False
    merge: bool = False
    parents: tuple[Sha, ...] = ()
    incomplete: bool = Field(default=False, description="the source gave only part of the diff")
    benchmarks: tuple[str, ...] = Field(default=(), description="measurements as the message quotes them")
    deprecations: tuple[str, ...] = Field(default=(), description="definitions, or files, newly marked as deprecated")
    migrations: tuple[str, ...] = Field(default=(), description="files that change a stored schema")
    coauthors: tuple[str, ...] = Field(default=(), description="names of the Co-authored-by trailers")


class Reason(Kept):
    """Why a commit has its tier: a code that `report/labels.py` words in each language, and what it speaks of."""

    code: str
    subject: str = ""


class Triage(Kept):
    """How much a commit matters, by the rules."""

    tier: Tier
    type: ChangeType
    score: float
    reasons: tuple[Reason, ...]


class Opinion(Kept):
    """The model's own view of how much a commit matters, with its reason: a plain sentence in the report's language."""

    tier: Tier
    reason: str


class Verdict(Kept):
    """The tier that the rules and the model come to together, by `workers/policy.py`.

    `rule` is the clause that decided: `rules` (the model was not asked), `agreed`, `moved` (the model moved it by one
    tier), `floor` and `ceiling` (facts that the model cannot overrule), `one_step` (the model wanted to go further).
    `fact` is the code of the reason behind a floor or a ceiling.
    """

    tier: Tier
    rule: Literal["rules", "agreed", "moved", "floor", "ceiling", "one_step"]
    fact: str = ""


class Correction(Frozen):
    """A person's judgement, which overrules all others."""

    tier: Tier
    why: str
    at: AwareDatetime


class Insights(Kept):
    """The four dimensions of a high-tier analysis."""

    architecture: str
    performance: str
    security: str
    compatibility: str


class Usage(Kept):
    """Tokens and dollars of the model calls behind one analysis."""

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    calls: int = 0


def added(*usages: Usage) -> Usage:
    """What several calls used together."""
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        cache_write_tokens=sum(usage.cache_write_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        cost_usd=math.fsum(usage.cost_usd for usage in usages),
        calls=sum(usage.calls for usage in usages),
    )


class Unseen(Kept):
    """A part of the diff that was not shown to the model."""

    path: str
    lines: int


class Analysis(Kept):
    """What is written about a commit. Texts are plain, with `code` spans; every renderer escapes them.

    Which fields are filled depends on `depth`: low has `summary` alone, medium adds `scope` and `advice`,
    high adds `insights` and `risks`.
    """

    origin: Literal["model", "rules", "degraded"]
    language: Language
    depth: Tier
    types: tuple[ChangeType, ...] = Field(min_length=1)
    summary: str
    scope: tuple[str, ...] = ()
    insights: Insights | None = None
    risks: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    model: str | None = None
    usage: Usage = Usage()
    unseen: tuple[Unseen, ...] = ()
    opinion: Opinion | None = Field(default=None, description="the model's own tier")
    names_checked: int = Field(default=0, description="files, symbols, flags and numbers looked up in the commit")
    names_removed: int = Field(default=0, description="those that the commit does not have: their sentences are gone")
    parts: int = Field(default=1, ge=1, description="in how many parts a long diff was read")
    batch: bool = Field(default=False, description="by the Message Batches API, at half the price")
    limit: Literal["budget", "room"] | None = Field(
        default=None, description="why it is shallower than its tier: the day's budget, or a reply that did not fit"
    )


class Failure(Kept):
    """Why a commit was given up on."""

    stage: str
    reason: str
    attempts: int
    failed_at: AwareDatetime
    transient: bool = Field(
        default=True, description="another attempt may succeed; False: it lies in the commit itself"
    )


class CommitRecord(Kept):
    """All that is known of one commit: what the ledger stores and the report reads.

    `analysis` is set when the work is over; with `failure` set too, it is composed from what facts there are.
    """

    version: int = Field(default=1, description="the highest RECORD_VERSION that wrote it; set when it is stored")
    commit: Commit
    facts: Facts | None = None
    triage: Triage | None = None
    verdict: Verdict | None = None
    analysis: Analysis | None = None
    failure: Failure | None = None
    finished_at: AwareDatetime | None = None
    correction: Correction | None = Field(default=None, description="kept by itself, joined when the record is read")

    @property
    def tier(self) -> Tier:
        """The tier it is filed under: a person's, else the judges' together, else the rules'; medium before any."""
        judged = self.correction or self.verdict or self.triage
        return judged.tier if judged else Tier.MEDIUM
