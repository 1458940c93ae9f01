"""The handlers of the archive: all repositories, a calendar, weeks and months, authors, areas, and the feed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flask import Response, abort, request

from report.archive_html import SHARES_SHOWN, Calendar, Shelf, archive_page, calendar_page, period_page, slice_page
from report.changes_between import between
from report.daily import web_site
from report.feed import FEED_DAYS, MEDIA_TYPE, Feed, FeedDay, atom, authority
from report.html import Link
from report.labels import labels
from report.months import Month, month, months_of
from report.pages import Pages, counts
from report.periods import Period, overview, period_from, period_of
from report.slices import SLICE_DAYS, Facet, shares, slice_of
from report.trend import DayCount, first_day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report.digest import DayDigest
    from report.history import History

DAYS_TOGETHER = 7  # links of the archive to the pages of all repositories
LATEST_DAYS = 7  # of a repository, with their numbers
MONTHS_SHOWN = 12

_YEAR = re.compile(r"[0-9]{4}", re.ASCII)


class ArchivePages(Pages):
    """The pages over the kept reports of many days."""

    def archive(self) -> Response:
        """All repositories."""
        histories = [self.histories.of(name) for name in self.names()]
        days = sorted({day for history in histories for day in history.days}, reverse=True)[:DAYS_TOGETHER]
        shelves = [self._shelf(history) for history in histories]
        return Response(archive_page(shelves, days, self.settings.report_language, today=self.today()))

    def repository(self, owner: str, name: str) -> Response:
        """The latest days, months, authors and areas of a repository."""
        history = self.histories.of(self.known(owner, name))
        months = months_of(history.days)[:MONTHS_SHOWN]
        latest = history.summaries(history.days[:LATEST_DAYS])
        digests = list(_recent(history, SLICE_DAYS).values())
        calendar = Calendar(
            repository=history.repository,
            months=_calendar(history, months),
            years=_years(history),
            latest=tuple(latest.values()),
            open_days=self._open_days(history),
            trend=_trend(history, self.today()),
            authors=tuple(shares("author", digests, SHARES_SHOWN)),
            areas=tuple(shares("area", digests, SHARES_SHOWN)),
            first=digests[-1].day if digests else None,
            last=digests[0].day if digests else None,
            today=self.today(),
        )
        return self._calendar_page(calendar)

    def stretch(self, owner: str, name: str, file: str) -> Response:
        """A year's calendar, or a week or month of a repository."""
        history = self.histories.of(self.known(owner, name))
        if _YEAR.fullmatch(file):
            months = [one for one in months_of(history.days) if one.first.year == int(file)] or abort(404)
            years = _years(history)
            return self._calendar_page(Calendar(history.repository, _calendar(history, months), years, int(file)))
        try:
            period = period_from(file)
        except ValueError:
            abort(404)
        return self._period(history, period)

    def author(self, owner: str, name: str, author: str) -> Response:
        """The commits of an author, of the last days that are kept."""
        return self._slice(self.known(owner, name), "author", author)

    def area(self, owner: str, name: str, area: str) -> Response:
        """The commits that touch a directory, of the last days that are kept."""
        return self._slice(self.known(owner, name), "area", area)

    def feed(self, owner: str, name: str) -> Response:
        """The latest days as Atom."""
        history = self.histories.of(self.known(owner, name))
        settings = self.settings
        site = (settings.site_url or request.url_root).rstrip("/")
        feed = Feed(history.repository, settings.language_of(history.repository), site, authority(settings.site_url))
        days = history.days[:FEED_DAYS]
        stamps = [history.stamps[day] for day in days]

        def render() -> bytes:
            digests = history.digests(days).values()
            return atom(feed, [FeedDay(digest, _updated(history, digest)) for digest in digests])

        body = self.once((feed, *days, *stamps) if all(stamps) else None, render)
        return Response(body, content_type=f"{MEDIA_TYPE}; charset=utf-8")

    def _shelf(self, history: History) -> Shelf:
        latest = history.summaries(history.days[:LATEST_DAYS])
        today = self.today()
        open_day = None if today in history.stamps else today
        return Shelf(history.repository, tuple(latest.values()), _trend(history, today), open_day)

    def _open_days(self, history: History) -> tuple[date, ...]:
        """Today, and yesterday while its report is not made; newest first."""
        today = self.today()
        yesterday = today - timedelta(days=1)
        found = [today] if today not in history.stamps else []
        if yesterday not in history.stamps and self.ledger.has_commits(history.repository, yesterday):
            found.append(yesterday)
        return tuple(found)

    def _calendar_page(self, calendar: Calendar) -> Response:
        language = self.settings.language_of(calendar.repository)
        return Response(calendar_page(calendar, language, navigation=self.bar(calendar.repository)))

    def _period(self, history: History, period: Period) -> Response:
        inside = [day for day in reversed(period.days) if day in history.stamps] or abort(404)
        navigation = [*self.bar(history.repository), *self._around(history, period)]
        last = min(self.today(), history.days[0])
        recent = _recent_days(history, SLICE_DAYS)
        beside = [] if {*inside} <= {*recent} else recent  # what tells whether an author or area still has a page

        def render() -> bytes:
            return self._period_page(history, period, navigation, last, beside).encode()

        stamps = [history.stamps[day] for day in (*inside, *beside)]
        key = (history.repository, period, last, *navigation, *inside, *beside, *stamps)
        return Response(self.once(key if all(stamps) else None, render), content_type="text/html; charset=utf-8")

    def _period_page(
        self, history: History, period: Period, navigation: Sequence[Link], last: date, beside: Sequence[date]
    ) -> str:
        repository, settings = history.repository, self.settings
        digests = history.digests(reversed(period.days)) or abort(404)
        language = settings.language_of(repository)
        url = web_site(settings.web_url(repository), repository)
        ends = str(min(digests)), str(max(digests))
        changes = between(self.ledger, repository, *ends, language=language, commit_url=url).changes
        told = overview(period, digests)
        paged = history.digests(beside).values() if beside else None
        return period_page(repository, told, digests, changes, language, last=last, paged=paged, navigation=navigation)

    def _around(self, history: History, period: Period) -> list[Link]:
        """The nearest earlier and later period of the same kind that has a report."""
        words, links = labels(self.settings.language_of(history.repository)), []
        if earlier := history.earlier(period.first):
            name = period_of(period.kind, earlier).name
            links.append(Link(f"/{history.repository}/{name}", f"← {name}", "prev"))
        if later := history.later(period.last):
            name = period_of(period.kind, later).name
            links.append(Link(f"/{history.repository}/{name}", f"{name} →", "next"))
        if period.kind == "week":
            month_of = period_of("month", period.first)
            text = words.word("period_month", year=month_of.first.year, number=month_of.first.month)
            links.append(Link(f"/{history.repository}/{month_of.name}", text))
        return links

    def _slice(self, repository: str, facet: Facet, wanted: str) -> Response:
        history = self.histories.of(repository)
        digests = _recent(history, SLICE_DAYS)
        found = slice_of(facet, wanted, digests.values()) or abort(404)
        language = self.settings.language_of(repository)
        return Response(slice_page(repository, found, digests, language, navigation=self.bar(repository)))


def _recent(history: History, days: int) -> dict[date, DayDigest]:
    """The reports of the last days before and with the newest one, newest first."""
    return history.digests(_recent_days(history, days))


def _recent_days(history: History, days: int) -> list[date]:
    if not history.days:
        return []
    since = history.days[0] - timedelta(days=days - 1)
    return [day for day in history.days if day >= since]


def _calendar(history: History, months: list[Period]) -> tuple[Month, ...]:
    wanted = {one.first for one in months}
    numbers = history.summaries(day for day in history.days if day.replace(day=1) in wanted)
    return tuple(month(one, history.stamps.keys(), numbers) for one in months)


def _years(history: History) -> tuple[int, ...]:
    return tuple(dict.fromkeys(day.year for day in history.days))


def _trend(history: History, today: date) -> tuple[DayCount, ...]:
    since = first_day(today)
    return counts(history.summaries(day for day in history.days if since <= day <= today).values())


def _updated(history: History, digest: DayDigest) -> datetime:
    """When a report came to say what it says; the end of its day where that was not written down."""
    if stamp := history.stamps[digest.day]:
        return datetime.fromtimestamp(stamp.at, UTC)
    return datetime.combine(digest.day + timedelta(days=1), time(), tzinfo=ZoneInfo(digest.timezone))
