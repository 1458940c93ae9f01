"""A day's records → DailyReport: order, groups, coverage; pure, without a clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, tzinfo
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AwareDatetime,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapSerializer,
    WrapValidator,
)

from core.models import (
    Analysis,
    CommitRecord,
    Correction,
    Facts,
    Failure,
    Found,
    Frozen,
    Language,
    PublicChange,
    RepositoryName,
    Sha,
    Tier,
    Triage,
    Usage,
    Verdict,
)
from report import figures
from report.brief import Brief, brief_of
from report.changes import Compatibility, changes_of, table
from report.figures import Coverage, Names, Spending, Tiers
from report.highlights import Highlight, Written, highlights
from report.kinship import Called, Told, called_from_record, concerned, told_from_record
from report.labels import labels
from report.stories import Relation, Stories, file_stories, fold, tell
from report.table import Table, taken
from report.titles import shown_title
from report.trend import DayCount, first_day
from report.view import View, view_of

if TYPE_CHECKING:
    from core.ledger.fragments import Form
    from report.prose import Origin
    from report.shelf import Piece, Shelf

REPORT_VERSION: Literal[1] = 1

State = Literal["model", "rules", "degraded", "given_up", "pending"]

WebUrl = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~-]+)*$")]


class Member(Frozen):
    """One commit of the day, with all that a view of it needs."""

    sha: Sha
    title: str
    author: str
    login: str | None
    branch: str
    committed_at: AwareDatetime
    landed_at: AwareDatetime
    position: int = Field(default=0, ge=0, description="place within its push, oldest first")
    found_by: Found
    tier: Tier
    state: State = Field(
        description="who analysed it: model, rules, degraded (facts, the model could not), given_up (facts, to be "
        "tried again), pending (nobody yet)"
    )
    facts: Facts | None
    triage: Triage | None
    verdict: Verdict | None = None
    correction: Correction | None = None
    analysis: Analysis | None
    failure: Failure | None

    @cached_property
    def brief(self) -> Brief:
        """What the sums of a day need of it."""
        return brief_of(self.facts, self.triage, self.analysis)

    @property
    def public_changes(self) -> tuple[PublicChange, ...]:
        """What it changes of the things that users can name."""
        return self.facts.changes if self.facts else ()

    @property
    def covered(self) -> bool:
        """Whether it has the analysis it should have; what waits or was given up on has not."""
        return self.state in figures.COVERED

    @property
    def depth(self) -> Tier:
        """How much of the analysis is shown: what was written, less what its tier has no use for."""
        written = self.analysis.depth if self.analysis else Tier.LOW
        return min(self.tier, written, key=lambda tier: tier.rank)

    @property
    def too_shallow(self) -> bool:
        """Whether its analysis has less than its tier asks for."""
        return self.analysis is not None and self.analysis.depth.rank < self.tier.rank

    @property
    def may_cancel(self) -> bool:
        """Whether it may be shown within another's entry: nothing is owed to it and no person has judged it."""
        return self.covered and self.correction is None

    @property
    def judged(self) -> Tier:
        """The tier that it has by itself; what cancels out is filed low all the same."""
        judge = self.correction or self.verdict or self.triage
        return judge.tier if judge else Tier.MEDIUM


class Entry(Member):
    """What is shown as one: a commit, or the newest of a few that cancel each other out, which hold the others."""

    relations: tuple[Relation, ...] = Field(default=(), description="to commits that are not shown in this entry")
    folded: tuple[Member, ...] = Field(default=(), description="the other commits of this entry, newest first")
    cancelled: bool = Field(default=False, description="its commits leave nothing behind at the end of the day")

    @cached_property
    def told(self) -> Told:
        """What the stories need of it; only an entry that was made from a record knows it."""
        raise ValueError(f"what {self.sha} tells of other commits stands in its record alone")

    @cached_property
    def called(self) -> Called:
        """By what it may have to do with others; only an entry that was made from a record knows it."""
        raise ValueError(f"what {self.sha} is called by other commits stands in its record alone")

    @cached_property
    def kept(self) -> tuple[Shelf, int] | None:
        """Where there is how it is shown as long as nothing of the day bears on it, if that was kept: shelf and row."""
        return None

    def kept_for(self, view: View) -> tuple[Shelf, int] | None:
        """The same, where it was kept for this view and the commits of the day leave it as it is."""
        kept = self.kept
        return kept if kept is not None and kept[0].view is view and not self.cancelled else None

    def whole(self) -> Entry:
        """The entry with all its fields read."""
        return self

    def member(self) -> Member:
        """The commit alone."""
        return Member.model_construct(**{name: getattr(self, name) for name in Member.model_fields})


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


def _as_it_is(given: object, read: ValidatorFunctionWrapHandler) -> Sequence[Entry]:
    """Entries that were made here: each of a table would be made only to be looked at."""
    return given if isinstance(given, Table) else tuple(read(given))


def _as_any(entries: Sequence[Entry], write: SerializerFunctionWrapHandler) -> Any:
    return write(tuple(entries))


class DailyReport(Frozen):
    """One repository's day. Every view (Markdown, HTML, JSON) is made from this and nothing else."""

    schema_version: Literal[1] = REPORT_VERSION
    repository: RepositoryName
    day: date
    timezone: str
    language: Language
    revision: int = Field(ge=1, description="counts the pages of this day that differed")
    commit_url: WebUrl | None = Field(description="where the repository lies on the web, such as https://github.com")
    entries: Annotated[Sequence[Entry], WrapValidator(_as_it_is), WrapSerializer(_as_any)] = Field(
        description="newest first; `commits` are those within them too"
    )
    highlights: tuple[Highlight, ...] = Field(default=(), description="what matters most, at most six lines")
    highlights_by: str | None = Field(default=None, description="the model that wrote them; None: out of the analyses")
    compatibility: tuple[Compatibility, ...] = Field(default=(), description="the most telling first")
    tiers: Tiers
    coverage: Coverage
    usage: Usage = Field(description="tokens and dollars of the day")
    spending: Spending = Spending()
    names: Names = Names()
    source: Source
    still_open: bool = Field(default=False, description="made before the day was closed: commits may still come")
    trend: tuple[DayCount, ...] = Field(
        default=(), description="the counts of this day, and before it of the 29 earlier ones that have a report"
    )

    @property
    def view(self) -> View:
        """How its commits are shown."""
        return view_of(self.repository, self.timezone, self.language, self.commit_url)

    @property
    def zone(self) -> tzinfo:
        """The time zone of the day."""
        return self.view.zone

    @property
    def origin(self) -> Origin:
        """Where the texts of the day come from."""
        return self.view.origin

    def anchor(self, entry: Member | Relation) -> str:
        """The id of a commit on every page it is on."""
        return self.view.anchor(entry)

    def group(self, tier: Tier) -> tuple[Entry, ...]:
        """The commits of one tier, newest first."""
        return self._groups[tier]

    @cached_property
    def _groups(self) -> Mapping[Tier, tuple[Entry, ...]]:
        return {tier: tuple([self.entries[place] for place in places]) for tier, places in self.places.items()}

    @cached_property
    def places(self) -> Mapping[Tier, Sequence[int]]:
        """The places of each tier's commits among the entries, from 0."""
        tiers = self.table.column("tier")
        return {tier: [place for place, other in enumerate(tiers) if other is tier] for tier in Tier}

    @cached_property
    def table(self) -> Table:
        """The entries by columns."""
        return Table.of(self.entries)

    @cached_property
    def storied(self) -> Collection[int]:
        """The places of the entries that have something to tell of other commits."""
        return {place for place in self.table.told if self.entries[place].relations or self.entries[place].folded}

    def parts(self, form: Form, make: Callable[[View, Entry], Sequence[Any]]) -> list[list[Any]]:
        """The parts of all entries in a form, by columns: as they were kept, or else as `make` makes them."""
        shelf, rows = self._shelved
        columns = [taken(column, rows) for column in shelf.forms.get(form, ())] if shelf else []
        wanting = [place for place, row in enumerate(rows) if row < 0] if columns else range(len(rows))
        for place in wanting:
            parts = self._parts_of(self.entries[place], form) or make(self.view, self.entries[place])
            columns = columns or [[None] * len(rows) for _ in parts]
            for column, part in zip(columns, parts, strict=True):
                column[place] = part
        return columns

    def _parts_of(self, entry: Entry, form: Form) -> Sequence[Any] | None:
        kept = entry.kept_for(self.view)
        return kept[0].parts(form, kept[1]) if kept else None

    @cached_property
    def _shelved(self) -> tuple[Shelf | None, Sequence[int]]:
        """Where entries are kept for this view, and in which row each is: -1 for who is elsewhere or nowhere."""
        shelf = self.table.shelf
        if shelf is None or shelf.view is not self.view:
            return None, range(len(self.entries))
        return shelf, self.table.column("row")

    def count(self, tier: Tier) -> int:
        """How many commits are filed in a tier."""
        counted: int = getattr(self.tiers, tier.value)
        return counted

    @cached_property
    def commits(self) -> Sequence[Member]:
        """Every commit, newest first, those too that are shown within the entry of another."""
        if self.table.whole is not self.table:
            return self.table.whole
        folded = [member for place in self.table.told for member in self.entries[place].folded]
        return _newest_first((*self.entries, *folded)) if folded else self.entries

    def rows_of_all(self, rows: Sequence[Piece], make: Callable[[Member], Piece]) -> list[Piece]:
        """The rows of `commits`, of which those of the entries are given and the others are made."""
        known = dict(zip(self.table.column("sha"), rows, strict=True))
        shas = Table.of(self.commits).column("sha")
        return [known.get(sha) or make(self.commits[place]) for place, sha in enumerate(shas)]

    def __copy__(self) -> Self:
        """A copy that works out anew what hangs on its entries, which may be others."""
        copied = super().__copy__()
        for name in ("table", "_groups", "places", "storied", "_shelved", "commits"):
            copied.__dict__.pop(name, None)
        return copied


Shown = TypeVar("Shown", bound=Member)


def assemble(
    commits: Sequence[CommitRecord | Entry],
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
    earlier: Sequence[DayCount] = (),
    still_open: bool = False,
    elsewhere: Sequence[CommitRecord] = (),
    written: Written | None = None,
    expired: Sequence[Entry] = (),
) -> DailyReport:
    """The report of a day from its commits, in whatever order they come, as records or as the entries made of these.

    `timezone` is an IANA name, `web_url` the repository's page or its site (None: no links), `asked` what the source
    was asked, in words, `earlier` the counts of other days, of which a month is kept, `elsewhere` the commits of other
    days that these speak of or that speak of these (`Ledger.kin`), `written` the model's highlights, if any, `expired`
    those of the kept report whose records are gone. Raises ValueError (pydantic's) for a malformed argument.
    """
    shown, entries = _filed(commits, elsewhere, expired, ZoneInfo(timezone))
    lines, author = highlights(shown, written, labels(language))
    sums = figures.sums(entries, written)
    return DailyReport(
        repository=repository,
        day=day,
        timezone=timezone,
        language=language,
        revision=revision,
        commit_url=web_site(web_url, repository),
        entries=shown,
        highlights=lines,
        highlights_by=author,
        compatibility=_compatibility(shown, day),
        **sums._asdict(),
        source=Source(ok=source_ok, asked=asked, rewrites=tuple(rewrites)),
        still_open=still_open,
        trend=_trend(day, sums.tiers, earlier),
    )


def _filed(
    commits: Sequence[CommitRecord | Entry], elsewhere: Sequence[CommitRecord], expired: Sequence[Entry], zone: tzinfo
) -> tuple[Table, Table]:
    """The entries of a page, newest first, and all commits in them, each where its story files it."""
    told = [member for entry in expired for member in (entry, *entry.folded)]
    ordered = _table(commits).without({member.sha for member in told}).newest_first()
    stories = _stories(ordered, [told_from_record(record) for record in elsewhere], zone)
    filed = file_stories(ordered, stories)
    shown = fold(filed, stories)
    if not expired:
        return shown, filed
    return Table.of(_newest_first((*shown, *expired))), Table.of((*filed, *told))


def _table(commits: Sequence[CommitRecord | Entry]) -> Table:
    if isinstance(commits, Table):
        return commits
    return Table.of(entry_from_record(one) if isinstance(one, CommitRecord) else one for one in commits)


def _stories(day: Table, elsewhere: Sequence[Told], zone: tzinfo) -> Stories:
    """The stories of a day; only of those that may have one, all is looked at that they need."""
    called = map(Called._make, zip(*(day.column(name) for name in Called._fields), strict=True))
    speaking = [day[place].told for place, speaks in enumerate(day.column("speaks")) if speaks]
    some = concerned(dict(zip(day.column("sha"), called, strict=True)), speaking, elsewhere)
    entries = {sha: day[place] for sha, place in day.places_of(some).items()}
    return tell((one.told for one in entries.values()), elsewhere, zone, lambda sha: entries[sha].may_cancel)


def web_site(web_url: str | None, repository: str) -> str | None:
    """The site a repository's page is on: `https://github.com` of `https://github.com/octocat/hello`."""
    return web_url.rstrip("/").removesuffix(f"/{repository}") if web_url else None


def entry_from_record(record: CommitRecord) -> Entry:
    """What a page shows of one commit."""
    commit = record.commit
    entry = Entry(
        sha=commit.sha,
        title=shown_title(commit),
        author=commit.author,
        login=commit.login,
        branch=commit.branch,
        committed_at=commit.committed_at,
        landed_at=commit.landed_at,
        position=commit.position,
        found_by=commit.found_by,
        tier=record.tier,
        state=_state(record),
        facts=record.facts,
        triage=record.triage,
        verdict=record.verdict,
        correction=record.correction,
        analysis=record.analysis,
        failure=record.failure,
    )
    told = told_from_record(record)
    entry.__dict__.update(told=told, called=called_from_record(record, told))
    return entry


def _newest_first(commits: Iterable[Shown]) -> tuple[Shown, ...]:
    return tuple(sorted(commits, key=attrgetter("landed_at", "position", "sha"), reverse=True))


def _state(record: CommitRecord) -> State:
    if record.failure is not None:
        # What an outage cost is not covered; what no attempt could change is, by the facts of a diff that was read.
        settled = record.analysis and record.facts and not record.failure.transient and record.failure.stage != "fetch"
        return "degraded" if settled else "given_up"
    return record.analysis.origin if record.analysis else "pending"


def _compatibility(entries: Table, day: date) -> tuple[Compatibility, ...]:
    changing = [entries[place] for place, changed in enumerate(entries.column("changed")) if changed]
    lasting = [entry for entry in reversed(changing) if not entry.cancelled]
    makers = sorted(lasting, key=_merges)  # a merge tells once more what the commits it brought have made
    return table(change for entry in makers for change in changes_of(entry.sha, day, entry.public_changes))


def _merges(entry: Entry) -> bool:
    return entry.facts is not None and entry.facts.merge


def _trend(day: date, tiers: Tiers, earlier: Sequence[DayCount]) -> tuple[DayCount, ...]:
    before = [count for count in earlier if first_day(day) <= count.day < day]
    today = DayCount(day=day, high=tiers.high, medium=tiers.medium, low=tiers.low)
    return (*sorted(before, key=lambda count: count.day), today)
