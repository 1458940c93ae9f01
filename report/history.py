"""The kept reports of a repository, as the pages read them: each part once per stamp, damage told and not fatal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog

from report.bounded import Bounded
from report.digest import DayDigest, DaySummary, digest_from_json, summary_from_json
from report.json import report_from_json
from report.reading import Fragments
from report.search.filling import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date, datetime

    from core.ledger import Stamp
    from core.models import CommitRecord
    from report.daily import DailyReport

log = structlog.get_logger()

DAYS_AT_ONCE = 32  # reports read from the store in one question
SUMMARIES_HELD = 20_000  # days
LINES_HELD = 20_000  # commits, about 1.5 KB each

T = TypeVar("T")


class Archive(Source, Fragments, Protocol):
    """What the site reads from; `core.ledger.Ledger` is one."""

    def repositories(self) -> list[str]:
        """Every repository something was received of."""

    def first_seen(self, repository: str) -> datetime:
        """When a repository was first heard of."""

    def report_stamps(self, repository: str) -> dict[date, Stamp | None]:
        """The days that have a report, newest first, each with what tells its versions apart."""

    def report(self, repository: str, day: date) -> bytes | None:
        """A report as `report_json` wrote it; empty when it is damaged."""

    def reports(self, repository: str, days: Sequence[date]) -> list[bytes | None]:
        """Several reports, in the order asked for."""

    def record(self, repository: str, sha: str) -> CommitRecord | None:
        """What is known of a commit."""

    def records(self, repository: str, day: date) -> list[CommitRecord]:
        """The commits that landed on a day, oldest first."""

    def past_day(self, repository: str, sha: str) -> date | None:
        """The day of a commit whose record has expired: its kept report tells of it."""

    def kin_of(self, repository: str, asked: Mapping[str, str]) -> list[CommitRecord]:
        """The other commits that these speak of or that speak of these, each given with what it is looked up by."""

    def has_commits(self, repository: str, day: date) -> bool:
        """Whether any commit of a day is known by its record."""

    def find_commit(self, repository: str, prefix: str) -> str | None:
        """The sha of the one commit that begins with some hex digits; raises AmbiguousSha when several do."""


class Damaged(Exception):
    """A report is kept, but what is kept of it cannot be read; assemble it again or say so."""


class Histories:
    """The histories of all repositories, with what this process has read of them."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._summaries = Bounded[DaySummary](SUMMARIES_HELD, lambda _: 1)
        self._digests = Bounded[DayDigest](LINES_HELD, lambda digest: 1 + len(digest.lines))

    def of(self, repository: str) -> History:
        """One repository's, as of now; `repository` as the ledger spells it."""
        stamps = self.archive.report_stamps(repository)
        return History(self.archive, repository, stamps, self._summaries, self._digests)


class History:
    """The days of one repository that have a report, as they were when it was asked for."""

    def __init__(
        self,
        archive: Archive,
        repository: str,
        stamps: Mapping[date, Stamp | None],
        summaries: Bounded[DaySummary],
        digests: Bounded[DayDigest],
    ) -> None:
        self.repository = repository
        self.stamps = stamps
        self.days = list(stamps)
        self._archive = archive
        self._summaries = summaries
        self._digests = digests

    def summaries(self, days: Iterable[date]) -> dict[date, DaySummary]:
        """Those of these days that have a report, in numbers, in the order given; a damaged one is left out."""
        return self._parts(days, self._summaries, summary_from_json)

    def digests(self, days: Iterable[date]) -> dict[date, DayDigest]:
        """Those of these days that have a report, with their lines, in the order given; a damaged one is left out."""
        return self._parts(days, self._digests, digest_from_json)

    def report(self, day: date) -> DailyReport | None:
        """A day's whole report, None when none is kept. Raises Damaged."""
        raw = self._archive.report(self.repository, day)
        if raw is None:
            return None
        report = self._understood(day, raw, report_from_json)
        if report is None:
            raise Damaged
        return report

    def earlier(self, day: date) -> date | None:
        """The last day before one that has a report."""
        return max((other for other in self.days if other < day), default=None)

    def later(self, day: date) -> date | None:
        """The first day after one that has a report."""
        return min((other for other in self.days if other > day), default=None)

    def _parts(self, days: Iterable[date], held: Bounded[T], parse: Callable[[bytes], T]) -> dict[date, T]:
        wanted = [day for day in days if day in self.stamps]
        found = {day: part for day in wanted if (part := held.get(self._key(day))) is not None}
        lacking = [day for day in wanted if day not in found]
        for start in range(0, len(lacking), DAYS_AT_ONCE):
            some = lacking[start : start + DAYS_AT_ONCE]
            for day, raw in zip(some, self._archive.reports(self.repository, some), strict=True):
                if raw is not None and (part := self._understood(day, raw, parse)) is not None:
                    found[day] = part
                    if self.stamps[day]:
                        held.put(self._key(day), part)
        return {day: found[day] for day in wanted if day in found}

    def _key(self, day: date) -> tuple[str, date, Stamp | None]:
        return self.repository, day, self.stamps[day]

    def _understood(self, day: date, raw: bytes, parse: Callable[[bytes], T]) -> T | None:
        try:
            return parse(raw)
        except ValueError:  # pydantic's is one; its text holds what is stored and does not belong into a log
            log.warning("report_damaged", repository=self.repository, day=str(day), bytes=len(raw))
            return None
