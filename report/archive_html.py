"""The pages of the archive as HTML: all repositories, a calendar, a week or month, an author or area."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from core.models import Language, Tier
from report.changes import NetChange
from report.changes_words import rows
from report.charts import area_name
from report.html import Link, page, tier_numbers
from report.labels import Labels, labels
from report.months import Month
from report.prose import clean
from report.slices import Share, Slice, shares
from report.trend import DayCount
from report.wording import tier_name

if TYPE_CHECKING:
    from report.digest import DayDigest, DaySummary
    from report.periods import Overview, Period

LINES_SHOWN = 200  # of a page; the days have them all
SHARES_SHOWN = 24


@dataclass(frozen=True)
class Shelf:
    """A repository in the archive: its latest days in numbers, newest first, its month, and its day that is open."""

    repository: str
    days: tuple[DaySummary, ...]
    trend: tuple[DayCount, ...] = ()
    open_day: date | None = None


@dataclass(frozen=True)
class Calendar:
    """What a repository's calendar shows: `year` is None for the latest months; the latest days are newest first."""

    repository: str
    months: tuple[Month, ...]
    years: tuple[int, ...]
    year: int | None = None
    latest: tuple[DaySummary, ...] = ()
    open_days: tuple[date, ...] = ()
    trend: tuple[DayCount, ...] = ()
    authors: tuple[Share, ...] = ()
    areas: tuple[Share, ...] = ()
    first: date | None = None
    last: date | None = None
    today: date | None = None


def archive_page(
    shelves: Sequence[Shelf],
    days: Sequence[date],
    language: Language,
    *,
    today: date | None = None,
    navigation: Sequence[Link] = (),
) -> str:
    """The archive; `days` are those of any repository, newest first. The charts end with `today`."""
    title = labels(language).word("archive_title")
    return page("archive.html", language, title, navigation, shelves=shelves, days=days, today=today)


def calendar_page(calendar: Calendar, language: Language, *, navigation: Sequence[Link] = ()) -> str:
    """A repository's calendar."""
    title = f"{calendar.repository} · {calendar.year or labels(language).word('calendar')}"
    return page("calendar.html", language, title, navigation, **vars(calendar), **_TITLES)


def period_page(
    repository: str,
    overview: Overview,
    digests: Mapping[date, DayDigest],
    changes: Sequence[NetChange],
    language: Language,
    *,
    last: date,
    paged: Collection[DayDigest] | None = None,
    navigation: Sequence[Link] = (),
) -> str:
    """A week or month; days after `last` have not been yet, `changes` are what its commits changed for users.

    `paged` are the days that the pages of authors and areas know; None: all of these.
    """
    words = labels(language)
    return page(
        "period.html",
        language,
        f"{repository} · {_period_title(overview.period, words)}",
        navigation,
        repository=repository,
        overview=overview,
        digests=digests,
        rows=rows(changes, words),
        first=min(digests),
        last_kept=max(digests),
        last=last,
        most=LINES_SHOWN,
        authors=shares("author", digests.values(), SHARES_SHOWN, paged),
        areas=shares("area", digests.values(), SHARES_SHOWN, paged),
        **_TITLES,
    )


def slice_page(
    repository: str,
    found: Slice,
    digests: Mapping[date, DayDigest],
    language: Language,
    *,
    navigation: Sequence[Link] = (),
) -> str:
    """The commits of an author or area within some days, which `digests` has."""
    words = labels(language)
    name = area_name(found.name, words) if found.facet == "area" else found.name
    heading = words.word("in_area" if found.facet == "area" else "by_author", name=name)
    values = {"slice": found, "digests": digests, "repository": repository, "heading": heading, "most": LINES_SHOWN}
    title = f"{clean(heading)} · {repository}"
    return page("slice.html", language, title, navigation, first=min(digests), last=max(digests), **values)


def _period_title(period: Period, words: Labels) -> str:
    if period.kind == "month":
        return words.word("period_month", year=period.first.year, number=period.first.month)
    year, week, _ = period.first.isocalendar()
    return words.word("period_week", year=year, number=week, first=period.first, last=period.last)


def _day_title(numbers: DaySummary, words: Labels) -> str:
    counts = tier_numbers(numbers.tiers)
    found = [words.word("commit_count", n=numbers.coverage.total)]
    found += [f"{tier_name(tier, words)} {counts[tier]}" for tier in Tier if counts[tier]]
    return f"{numbers.day}{words.word('colon')}{' · '.join(found)}"


_TITLES = {"period_title": _period_title, "day_title": _day_title}
