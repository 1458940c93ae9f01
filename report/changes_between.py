"""Every compatibility change between two commits or days of a repository, from the reports that are kept for ever."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from core.models import Frozen, Language, PublicChange, RepositoryName, Sha
from report.changes import Compatibility, NetChange, changes_of, net_changes

if TYPE_CHECKING:
    from report.labels import Labels

log = structlog.get_logger()

DAYS_AT_ONCE = 32  # reports read from the store in one question
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SHA_START = re.compile(r"[0-9a-f]{4,64}")
_WHOLE = (40, 64)
_LONGEST = 80  # of what a reader wrote: enough to be recognised
_SHOWN_SHAS = 5


class Kept(Protocol):
    """Where reports are kept; `core.ledger.Ledger` is one."""

    def report_stamps(self, repository: str) -> Mapping[date, object]:
        """The days that have a report, newest first."""

    def reports(self, repository: str, days: Sequence[date]) -> list[bytes | None]:
        """Several reports as `report_json` wrote them, in the order asked for."""


class NotBetween(Exception):
    """Two points that nothing can be said about; `unknown` when they are well written but not on record."""

    def __init__(self, key: str, *, unknown: bool = False, **values: object) -> None:
        super().__init__(key)
        self.unknown = unknown
        self._values = values

    def told(self, labels: Labels) -> str:
        """What is wrong, in a sentence; plain text that holds what the reader wrote."""
        return labels.word(f"between_{self}", **self._values)


class End(Frozen):
    """One of the two points: a commit, or a day (then `sha` is None)."""

    asked: str
    day: date
    sha: Sha | None = None
    title: str = ""


class Gap(Frozen):
    """Days that follow one another and have no report that can be read."""

    first: date
    last: date


class Between(Frozen):
    """What changed after `start` up to and with `end`; of a day as `start`, its own changes count too.

    `days` have a report; `unread` of the `commits` were not read whole, so changes of theirs may be lacking, as may
    those of the `gaps` and of the days on which the source did not answer (`unsure`).
    """

    schema_version: Literal[1] = 1
    repository: RepositoryName
    language: Language
    commit_url: str | None
    start: End
    end: End
    days: int
    commits: int
    unread: int
    branches: tuple[str, ...]
    gaps: tuple[Gap, ...]
    unsure: tuple[date, ...]
    changes: tuple[NetChange, ...]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class _Facts(_Part):
    changes: tuple[PublicChange, ...]
    incomplete: bool = False


class _Line(_Part):
    """The little of a commit that is needed."""

    sha: Sha
    title: str
    branch: str
    landed_at: AwareDatetime
    position: int = 0
    facts: _Facts | None


class _Entry(_Line):
    """A commit with those that are shown with it: together they cancel each other out."""

    folded: tuple[_Line, ...] = ()
    cancelled: bool = False


class _Source(_Part):
    ok: bool


class _Day(_Part):
    day: date
    entries: tuple[_Entry, ...]
    source: _Source

    @property
    def lines(self) -> list[_Line]:
        """All commits, oldest first; reports from before stories have no `position`, but are in order."""
        if not any(entry.folded for entry in self.entries):
            return list(reversed(self.entries))
        every = [line for entry in self.entries for line in (entry, *entry.folded)]
        return sorted(every, key=lambda one: (one.landed_at, one.position, one.sha))

    def lasting(self, part: Sequence[_Line]) -> list[_Line]:
        """Some of the commits without those that cancel each other out, where all of these are among them."""
        inside = {line.sha for line in part}
        groups = [{line.sha for line in (entry, *entry.folded)} for entry in self.entries if entry.cancelled]
        gone = {sha for group in groups if group <= inside for sha in group}
        return [line for line in part if line.sha not in gone]


class _Document(_Part):
    reports: tuple[_Day]


def between(
    kept: Kept, repository: str, start: str, end: str, *, language: Language, commit_url: str | None
) -> Between:
    """What changed between two points, each a day (2026-02-17) or the first four or more digits of a commit's sha.

    An empty `end` is the last day that has a report. Raises NotBetween.
    """
    days = list(kept.report_stamps(repository))
    if not days:
        raise NotBetween("empty", unknown=True, repository=repository)
    if not start.strip():
        raise NotBetween("start_missing")
    first = _end(kept, repository, days, start)
    last = _end(kept, repository, days, end or days[0].isoformat())
    if first.day > last.day:
        raise NotBetween("reversed" if end else "after_last", start=first.asked, end=last.asked)
    inside = sorted(day for day in days if first.day <= day <= last.day)
    read = list(_days(kept, repository, inside))
    parts = [(day, _part(day, first, last)) for day in read]
    lines = [line for _, part in parts for line in part]
    return Between(
        repository=repository,
        language=language,
        commit_url=commit_url,
        start=first,
        end=last,
        days=len(read),
        commits=len(lines),
        unread=sum(line.facts is None or line.facts.incomplete for line in lines),
        branches=tuple(sorted({line.branch for line in lines})),
        gaps=tuple(_gaps(first.day, last.day, [day.day for day in read])),
        unsure=tuple(day.day for day in read if not day.source.ok),
        changes=net_changes(change for day, part in parts for change in _changes(day, part)),
    )


def _changes(day: _Day, part: Sequence[_Line]) -> Iterator[Compatibility]:
    for line in day.lasting(part):
        if line.facts:
            yield from changes_of(line.sha, day.day, line.facts.changes)


def _part(day: _Day, first: End, last: End) -> list[_Line]:
    """The commits of a day that lie between the two points, oldest first."""
    lines = day.lines
    shas = [line.sha for line in lines]
    begin = shas.index(first.sha) + 1 if first.sha and day.day == first.day else 0
    stop = shas.index(last.sha) + 1 if last.sha and day.day == last.day else len(lines)
    if begin > stop:
        raise NotBetween("reversed", start=first.asked, end=last.asked)
    return lines[begin:stop]


def _end(kept: Kept, repository: str, days: Sequence[date], asked: str) -> End:
    """The point that is meant; raises NotBetween when there is none, or more than one."""
    written = asked.strip().lower()[:_LONGEST]
    if _DAY.fullmatch(written):
        try:
            return End(asked=written, day=date.fromisoformat(written))
        except ValueError:  # the 30th of February
            raise NotBetween("format", asked=written) from None
    if not _SHA_START.fullmatch(written):
        raise NotBetween("format", asked=written)
    found = _commits(kept, repository, days, written)
    if not found:
        raise NotBetween("unknown", unknown=True, asked=written, repository=repository)
    if len(found) > 1:
        shas = ", ".join(end.sha[:12] for end in found[:_SHOWN_SHAS] if end.sha)
        raise NotBetween("ambiguous", asked=written, n=len(found), shas=shas)
    return found[0]


def _commits(kept: Kept, repository: str, days: Sequence[date], beginning: str) -> list[End]:
    """The commits whose sha begins so; a whole one is looked for until it is found."""
    mark = f'"sha":"{beginning}'.encode()
    found: dict[str, End] = {}
    for day, raw in _raw(kept, repository, days):
        if mark not in raw or (read := _read(repository, day, raw)) is None:
            continue
        for line in reversed(read.lines):
            if line.sha.startswith(beginning):
                found.setdefault(line.sha, End(asked=beginning, day=day, sha=line.sha, title=line.title))
        if found and len(beginning) in _WHOLE:
            break
    return list(found.values())


def _days(kept: Kept, repository: str, days: Sequence[date]) -> Iterator[_Day]:
    for day, raw in _raw(kept, repository, days):
        if (read := _read(repository, day, raw)) is not None:
            yield read


def _raw(kept: Kept, repository: str, days: Sequence[date]) -> Iterator[tuple[date, bytes]]:
    for at in range(0, len(days), DAYS_AT_ONCE):
        some = days[at : at + DAYS_AT_ONCE]
        for day, raw in zip(some, kept.reports(repository, some), strict=True):
            if raw:
                yield day, raw


def _read(repository: str, day: date, raw: bytes) -> _Day | None:
    """A report's part; None for a damaged one, whose day then counts as one without a report."""
    try:
        return _Document.model_validate_json(raw, extra="ignore").reports[0]
    except ValidationError:  # its text quotes what is stored
        log.warning("report_damaged", repository=repository, day=str(day), bytes=len(raw))
        return None


def _gaps(first: date, last: date, known: Iterable[date]) -> Iterator[Gap]:
    one = timedelta(days=1)
    expected = first
    for day in known:
        if day > expected:
            yield Gap(first=expected, last=day - one)
        expected = day + one
    if expected <= last:
        yield Gap(first=expected, last=last)
