"""The ledger → the index: looks at what changed since, and reads only that."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog

from report.search.entries import Indexed, entries_from_report, entry_of
from report.search.store import drop_day, drop_repository, known_repositories, marks, set_mark, versions, write_day

if TYPE_CHECKING:
    from core.ledger import Stamp
    from core.models import CommitRecord

log = structlog.get_logger()

DAYS_AT_ONCE = 8  # reports read from the store in one question


class Source(Protocol):
    """What the index is made from; `core.ledger.Ledger` is one."""

    def change_marks(self) -> dict[str, str]:
        """Per repository, a text that differs on any change."""

    def unreported_days(self, repository: str) -> dict[date, str]:
        """The days of which more is known than their kept report says, each with a text that differs on change."""

    def report_stamps(self, repository: str) -> dict[date, Stamp | None]:
        """The days that have a report, newest first, with what tells its versions apart."""

    def reports(self, repository: str, days: Sequence[date]) -> list[bytes | None]:
        """Several days' reports, as `report_json` wrote them."""

    def records(self, repository: str, day: date) -> list[CommitRecord]:
        """The commits that landed on a day."""


class _Day(NamedTuple):
    day: date
    version: str
    reported: bool
    unreported: bool


def is_current(index: sqlite3.Connection, source: Source) -> bool:
    """Whether nothing changed since the index was filled."""
    return marks(index) == source.change_marks()


def fill(index: sqlite3.Connection, source: Source, rest: Callable[[float], None]) -> None:
    """Bring the index to what the source says, the newest days of a repository first.

    `rest` is called now and then with the seconds of work since. What was done stays done if it ends early.
    """
    wanted = source.change_marks()
    for repository in set(known_repositories(index)) - wanted.keys():
        drop_repository(index, repository)
    held = marks(index)
    for repository, mark in wanted.items():
        if held.get(repository) != mark:
            _fill_repository(index, source, repository, rest)
            set_mark(index, repository, mark)


def _fill_repository(index: sqlite3.Connection, source: Source, repository: str, rest: Callable[[float], None]) -> None:
    days, held = _days(source, repository), versions(index, repository)
    for gone in held.keys() - {str(one.day) for one in days}:
        drop_day(index, repository, gone)
    changed = [one for one in days if held.get(str(one.day)) != one.version]
    for start in range(0, len(changed), DAYS_AT_ONCE):
        some = changed[start : start + DAYS_AT_ONCE]
        began = time.monotonic()
        for one, entries in zip(some, _read(source, repository, some), strict=True):
            write_day(index, repository, str(one.day), entries, version=one.version, kept=one.reported)
        rest(time.monotonic() - began)


def _days(source: Source, repository: str) -> list[_Day]:
    """Every day there is anything of, newest first."""
    stamps, unreported = source.report_stamps(repository), source.unreported_days(repository)
    return [
        _Day(
            day,
            version=f"{stamp.digest if (stamp := stamps.get(day)) else ''} {unreported.get(day, '')}",
            reported=day in stamps,
            unreported=day in unreported,
        )
        for day in sorted(stamps.keys() | unreported.keys(), reverse=True)
    ]


def _read(source: Source, repository: str, days: Sequence[_Day]) -> Iterator[list[Indexed]]:
    """The commits of some days: what their reports say, and what the records say of those that say more."""
    for one, raw in zip(days, source.reports(repository, [one.day for one in days]), strict=True):
        found = {entry.sha: entry for entry in _reported(repository, one.day, raw)}
        if one.unreported or (one.reported and not found):
            found |= {record.commit.sha: entry_of(record) for record in source.records(repository, one.day)}
        yield list(found.values())


def _reported(repository: str, day: date, raw: bytes | None) -> list[Indexed]:
    if raw is None:
        return []
    try:
        return entries_from_report(raw)
    except ValueError:
        log.warning("report_unreadable", repository=repository, day=str(day))
        return []
