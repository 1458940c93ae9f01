"""The pages, served from the ledger: the archive, a day's report, one commit."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

import redis
from flask import Blueprint, Response, request

from core.models import Language
from report.access import verdict
from report.daily import DailyReport, assemble
from report.html import (
    Day,
    Link,
    Shelf,
    archive_page,
    commit_page,
    content_security_policy,
    html_page,
    notice_page,
    tier_numbers,
)
from report.json import report_from_json, report_json
from report.labels import labels
from report.markdown import markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.models import CommitRecord
    from core.settings import Settings

DAYS_WITH_NUMBERS = 30  # of each repository on the archive; the earlier ones are links alone
STATUS = {"not_found": 404, "unauthorised": 401, "closed": 403, "unavailable": 503}


class Archive(Protocol):
    """What the site reads; core/ledger.py has it."""

    def repositories(self) -> list[str]:
        """Every repository that is known, by name."""

    def report_days(self, repository: str) -> list[date]:
        """The days that have a report, newest first."""

    def report(self, repository: str, day: date) -> bytes | None:
        """A day's report as written by `report_json`."""

    def record(self, repository: str, sha: str) -> CommitRecord | None:
        """What is known of a commit."""


def create_site(archive: Archive, settings: Settings) -> Blueprint:
    """The routes of the pages, behind the access rule; no I/O."""
    blueprint = Blueprint("site", __name__)
    site = _Site(archive, settings)

    @blueprint.before_request
    def guard() -> Response | None:
        found = verdict(request, settings)
        return None if found == "open" else site.notice(found)

    @blueprint.after_request
    def protect(answer: Response) -> Response:
        return _protected(answer, public=settings.site_public)

    @blueprint.errorhandler(redis.RedisError)
    def unavailable(_error: redis.RedisError) -> Response:
        return site.notice("unavailable")

    blueprint.add_url_rule("/", view_func=site.archive_page, endpoint="archive")
    blueprint.add_url_rule("/<day>", view_func=site.day_page, endpoint="day")
    blueprint.add_url_rule("/<owner>/<name>/<day>", view_func=site.report_page, endpoint="report")
    blueprint.add_url_rule("/<owner>/<name>/commit/<sha>", view_func=site.commit_page, endpoint="commit")
    return blueprint


class _Site:
    """The views; each answers with a page, or with the notice that there is none."""

    def __init__(self, archive: Archive, settings: Settings) -> None:
        self._archive = archive
        self._settings = settings

    @property
    def language(self) -> Language:
        return self._settings.report_language

    def archive_page(self) -> Response:
        """`/`: every repository with its days."""
        shelves = [self._shelf(repository) for repository in self._archive.repositories()]
        days = sorted({day.day for shelf in shelves for day in shelf.days}, reverse=True)
        return _html(archive_page(shelves, days, self.language))

    def day_page(self, day: str) -> Response:
        """`/YYYY-MM-DD`: one day of all repositories."""
        wanted, form = _day_and_form(day)
        if wanted is None:
            return self.notice("not_found")
        found = [self._report(repository, wanted) for repository in self._archive.repositories()]
        return self._page([report for report in found if report], form)

    def report_page(self, owner: str, name: str, day: str) -> Response:
        """`/OWNER/REPO/YYYY-MM-DD`: one report, as page, Markdown or JSON."""
        wanted, form = _day_and_form(day)
        repository = self._known(f"{owner}/{name}")
        report = self._report(repository, wanted) if repository and wanted else None
        return self._page([report] if report else [], form)

    def commit_page(self, owner: str, name: str, sha: str) -> Response:
        """`/OWNER/REPO/commit/SHA`: one commit, whether or not its day is closed."""
        repository = self._known(f"{owner}/{name}")
        record = self._archive.record(repository, sha) if repository else None
        if not repository or not record:
            return self.notice("not_found")
        day = record.commit.landed_at.astimezone(ZoneInfo(self._settings.report_timezone)).date()
        report = assemble(
            [record],
            repository=repository,
            day=day,
            timezone=self._settings.report_timezone,
            language=self._settings.language_of(repository),
            revision=1,
            web_url=self._settings.web_url(repository),
        )
        links = [self._home(), Link(f"/{repository}/{day}", f"{repository} {day}")]
        return _html(commit_page(report, navigation=links))

    def notice(self, kind: str) -> Response:
        """The page that says why there is no page."""
        answer = _html(notice_page(kind, self.language), STATUS[kind])
        if kind == "unauthorised":
            answer.headers["WWW-Authenticate"] = 'Basic realm="Daybook", charset="UTF-8"'
        return answer

    def _shelf(self, repository: str) -> Shelf:
        days = self._archive.report_days(repository)
        reports = [self._report(repository, day) for day in days[:DAYS_WITH_NUMBERS]]
        lines = [Day(report.day, tier_numbers(report.tiers), report.coverage) for report in reports if report]
        return Shelf(repository, tuple(lines), tuple(days[DAYS_WITH_NUMBERS:]))

    def _known(self, name: str) -> str | None:
        """The repository as GitHub spells it; its names do not differ by case alone."""
        return next((known for known in self._archive.repositories() if known.lower() == name.lower()), None)

    def _report(self, repository: str, day: date) -> DailyReport | None:
        document = self._archive.report(repository, day)
        return report_from_json(document) if document else None

    def _page(self, reports: Sequence[DailyReport], form: str) -> Response:
        if not reports:
            return self.notice("not_found")
        if form == "md":
            return Response(markdown(reports), mimetype="text/markdown")
        if form == "json":
            return Response(report_json(reports), mimetype="application/json")
        return _html(html_page(reports, navigation=self._navigation(reports)))

    def _navigation(self, reports: Sequence[DailyReport]) -> list[Link]:
        """Back to the archive, to the neighbouring days of a repository, and to the page's other forms."""
        day = reports[0].day
        if len(reports) > 1:
            return [self._home(), *(Link(f"/{day}.{form}", form) for form in ("md", "json"))]
        repository = reports[0].repository
        days = self._archive.report_days(repository)
        before = [Link(f"/{repository}/{found}", f"← {found}", "prev") for found in days if found < day][:1]
        after = [Link(f"/{repository}/{found}", f"{found} →", "next") for found in days if found > day][-1:]
        forms = [Link(f"/{repository}/{day}.{form}", form) for form in ("md", "json")]
        return [self._home(), *before, *after, *forms]

    def _home(self) -> Link:
        return Link("/", labels(self.language).word("archive"))


def _day_and_form(text: str) -> tuple[date | None, str]:
    """`2026-02-17`, `2026-02-17.md` or `.json`; None for anything else."""
    stem, _, form = text.partition(".")
    if form not in ("", "md", "json") or text.endswith("."):
        return None, form
    try:
        day = date.fromisoformat(stem)
    except ValueError:
        return None, form
    return (day if day.isoformat() == stem else None), form  # "2026-W08-2" is a date too, and not an address of ours


def _html(page: str, status: int = 200) -> Response:
    return Response(page, status, mimetype="text/html")


def _protected(answer: Response, *, public: bool) -> Response:
    """The headers that keep a page inert and out of other people's frames and caches."""
    answer.headers["Content-Security-Policy"] = content_security_policy() + "; frame-ancestors 'none'"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["X-Frame-Options"] = "DENY"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    answer.headers["Cache-Control"] = "public, max-age=60" if public else "no-store"
    return answer
