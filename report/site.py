"""The Flask blueprint that serves the archive, the reports and single commits."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Literal, Protocol

from flask import Blueprint, Response, abort, redirect, request
from redis import RedisError
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as WerkzeugResponse

from core.models import SHA_PATTERN, CommitRecord, Language
from core.settings import Settings
from report.access import Verdict, Visit, admit
from report.daily import DailyReport, anchor, assemble
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
from report.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Sequence

DAYS_TOGETHER = 7  # links of the archive to the pages of all repositories
DAYS_WITH_NUMBERS = 30  # per repository in the archive; each costs the reading of its report

_DAY_FILE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(\.md|\.json)?", re.ASCII)

_STATUS: dict[Verdict, int] = {"unauthorised": 401, "closed": 403, "throttled": 429}

Form = Literal["html", "md", "json"]


class Archive(Protocol):
    """What the site reads from; `core.ledger.Ledger` is one."""

    def repositories(self) -> list[str]:
        """Every repository something was received of."""

    def report_days(self, repository: str) -> list[date]:
        """The days that have a report, newest first."""

    def report(self, repository: str, day: date) -> bytes | None:
        """A report as `report_json` wrote it."""

    def record(self, repository: str, sha: str) -> CommitRecord | None:
        """What is known of a commit."""


def create_site(ledger: Archive, settings: Settings, throttle: Throttle | None = None) -> Blueprint:
    """The pages over what the ledger holds; no I/O before the first request.

    `throttle` counts wrong passwords; give the same to whatever else takes the password.
    """
    site = Blueprint("site", __name__)
    pages = _Pages(ledger, settings)
    guesses = throttle or Throttle()

    @site.before_request
    def check_access() -> Response | None:
        return refusal(settings, guesses)

    @site.after_request
    def secure(response: Response) -> Response:
        return _secured(response, settings)

    @site.errorhandler(NotFound)
    def not_found(_: NotFound) -> Response:
        return Response(notice_page("not_found", settings.report_language), 404)

    @site.errorhandler(RedisError)
    def unavailable(_: RedisError) -> Response:
        return Response(notice_page("unavailable", settings.report_language), 503)

    site.add_url_rule("/", "archive", pages.archive)
    site.add_url_rule("/<file>", "day", pages.day)
    site.add_url_rule("/<owner>/<name>", "repository", pages.repository)
    site.add_url_rule("/<owner>/<name>/<file>", "report", pages.report)
    site.add_url_rule("/<owner>/<name>/commit/<sha>", "commit", pages.commit)
    return site


class _Pages:
    """One method per route."""

    def __init__(self, ledger: Archive, settings: Settings) -> None:
        self.ledger = ledger
        self.settings = settings

    def archive(self) -> Response:
        shelves = [self._shelf(repository) for repository in sorted(self.ledger.repositories(), key=str.lower)]
        days = sorted({day.day for shelf in shelves for day in shelf.days}, reverse=True)[:DAYS_TOGETHER]
        return Response(archive_page(shelves, days, self.settings.report_language))

    def day(self, file: str) -> Response:
        day, form = _day_and_form(file)
        names = sorted(self.ledger.repositories(), key=str.lower)
        reports = [report for name in names if (report := self._kept(name, day))]
        if not reports:
            abort(404)
        return _view(reports, form, [self._home(), *_forms(f"/{day}")], self.settings.report_language)

    def repository(self, owner: str, name: str) -> WerkzeugResponse:
        return redirect(f"/#{anchor('repository', self._known(owner, name))}")

    def report(self, owner: str, name: str, file: str) -> Response:
        day, form = _day_and_form(file)
        repository = self._known(owner, name)
        report = self._kept(repository, day)
        if report is None:
            abort(404)
        navigation = self._around(repository, day) if form == "html" else []
        return _view([report], form, navigation, report.language)

    def commit(self, owner: str, name: str, sha: str) -> Response:
        repository = self._known(owner, name)
        if not re.fullmatch(SHA_PATTERN, sha):
            abort(404)
        record = self.ledger.record(repository, sha)
        if record is None:
            abort(404)
        settings = self.settings
        day = record.commit.landed_at.astimezone(settings.zone).date()
        report = assemble(
            [record],
            repository=record.commit.repository,
            day=day,
            timezone=settings.report_timezone,
            language=settings.language_of(repository),
            revision=1,
            web_url=settings.web_url(repository),
        )
        navigation = [self._home(repository)]
        if day in self.ledger.report_days(repository):
            words = labels(report.language)
            target = f"/{repository}/{day}#{report.anchor(report.entries[0])}"
            navigation.append(Link(target, words.word("day_report", day=day)))
        return Response(commit_page(report, navigation=navigation))

    def _known(self, owner: str, name: str) -> str:
        """The repository as the ledger spells it; an address may use any case, as on GitHub."""
        wanted = f"{owner}/{name}".lower()
        return next((known for known in self.ledger.repositories() if known.lower() == wanted), "") or abort(404)

    def _kept(self, repository: str, day: date) -> DailyReport | None:
        raw = self.ledger.report(repository, day)
        return report_from_json(raw) if raw else None

    def _shelf(self, repository: str) -> Shelf:
        days = self.ledger.report_days(repository)
        reports = (self._kept(repository, day) for day in days[:DAYS_WITH_NUMBERS])
        shown = tuple(Day(report.day, tier_numbers(report.tiers), report.coverage) for report in reports if report)
        return Shelf(repository, shown, tuple(days[DAYS_WITH_NUMBERS:]))

    def _home(self, repository: str = "") -> Link:
        target = f"/#{anchor('repository', repository)}" if repository else "/"
        return Link(target, labels(self.settings.report_language).word("archive"), "up")

    def _around(self, repository: str, day: date) -> list[Link]:
        """The archive, the neighbouring days, the same day elsewhere, and the other forms of a page."""
        words = labels(self.settings.language_of(repository))
        days = self.ledger.report_days(repository)
        links = [self._home(repository)]
        if earlier := max((other for other in days if other < day), default=None):
            links.append(Link(f"/{repository}/{earlier}", f"← {words.word('previous_day')} {earlier}", "prev"))
        if later := min((other for other in days if other > day), default=None):
            links.append(Link(f"/{repository}/{later}", f"{words.word('next_day')} {later} →", "next"))
        if len(self.ledger.repositories()) > 1:
            links.append(Link(f"/{day}", words.word("all_repositories")))
        return [*links, *_forms(f"/{repository}/{day}")]


def _day_and_form(file: str) -> tuple[date, Form]:
    """The day and form of `2026-02-17`, `2026-02-17.md` or `2026-02-17.json`; anything else is no page."""
    match = _DAY_FILE.fullmatch(file)
    forms: dict[str | None, Form] = {None: "html", ".md": "md", ".json": "json"}
    try:
        return (date.fromisoformat(match[1]), forms[match[2]]) if match else abort(404)
    except ValueError:  # the 30th of February
        abort(404)


def _forms(address: str) -> list[Link]:
    return [Link(f"{address}.md", "Markdown", "alternate"), Link(f"{address}.json", "JSON", "alternate")]


def _view(reports: Sequence[DailyReport], form: Form, navigation: Sequence[Link], language: Language) -> Response:
    if form == "md":
        return Response(markdown(reports, language=language), content_type="text/markdown; charset=utf-8")
    if form == "json":
        return Response(report_json(reports), content_type="application/json")
    return Response(html_page(reports, navigation=navigation, language=language))


def refusal(settings: Settings, throttle: Throttle) -> Response | None:
    """Why this request may not read, as a page; None when it may."""
    given = request.authorization
    visit = Visit(
        remote=request.remote_addr,
        protocol=request.environ.get("SERVER_PROTOCOL", ""),
        headers=dict(request.headers),
        password=given.password if given and given.type == "basic" else None,
    )
    verdict, wait = admit(visit, settings, throttle)
    if verdict == "open":
        return None
    response = Response(notice_page(verdict, settings.report_language), _STATUS[verdict])
    if wait:
        response.headers["Retry-After"] = str(wait)
    if verdict == "unauthorised":
        response.headers["WWW-Authenticate"] = 'Basic realm="Daybook", charset="UTF-8"'
    return response


def _secured(response: Response, settings: Settings) -> Response:
    response.headers["Content-Security-Policy"] = f"{content_security_policy()}; frame-ancestors 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "public, max-age=60" if settings.site_public else "no-store"
    return response
