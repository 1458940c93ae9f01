"""The Flask blueprint that serves the archive, the reports and single commits: routes, and what all answers share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from flask import Blueprint, Response, abort, request
from redis import RedisError
from werkzeug.exceptions import NotFound

from core.ledger import NewerRecord
from core.outage import Outage
from core.settings import Settings
from report.access import Verdict, Visit, admit
from report.archive_pages import ArchivePages
from report.bounded import Bounded
from report.changes_site import ChangesPages
from report.day_pages import DayPages, day_and_form
from report.history import Archive, Histories
from report.html import content_security_policy, notice_page
from report.pages import RENDERED_BYTES
from report.search.keeper import Keeper
from report.search.pages import SearchPages
from report.throttle import Throttle

_STATUS: dict[Verdict, int] = {"unauthorised": 401, "closed": 403, "throttled": 429}


def _now() -> datetime:
    return datetime.now(UTC)


def create_site(
    ledger: Archive,
    settings: Settings,
    throttle: Throttle | None = None,
    *,
    clock: Callable[[], datetime] = _now,
    outage: Outage | None = None,
) -> Blueprint:
    """The pages over what the ledger holds; no I/O before the first request.

    `throttle` counts wrong passwords; give the same to whatever else takes the password. `outage` is told
    what fails of the ledger's Redis.
    """
    site = Blueprint("site", __name__)
    shared = (ledger, settings, Histories(ledger), clock, Bounded[bytes](RENDERED_BYTES, len))
    guesses = throttle or Throttle()

    @site.before_request
    def check_access() -> Response | None:
        return refusal(settings, guesses)

    @site.after_request
    def secure(response: Response) -> Response:
        return _secured(_conditional(response), settings)

    @site.errorhandler(NotFound)
    def not_found(_: NotFound) -> Response:
        return Response(notice_page("not_found", settings.report_language), 404)

    @site.errorhandler(NewerRecord)
    @site.errorhandler(RedisError)
    def unavailable(error: RedisError | NewerRecord) -> Response:
        if outage and isinstance(error, RedisError):
            outage.tell(error)
        return Response(notice_page("unavailable", settings.report_language), 503)

    _add_pages(site, DayPages(*shared), ArchivePages(*shared))
    _add_changes(site, ChangesPages(*shared))
    search = SearchPages(ledger, settings, Keeper(ledger, settings.daybook_home))
    site.add_url_rule("/search", "search", search.html)
    site.add_url_rule("/search.json", "search_json", search.json)
    return site


def _add_pages(site: Blueprint, days: DayPages, archive: ArchivePages) -> None:
    def file_of_repository(owner: str, name: str, file: str) -> Response:
        return (days.report if day_and_form(file) else archive.stretch)(owner, name, file)

    site.add_url_rule("/", "archive", archive.archive)
    site.add_url_rule("/<file>", "day", days.day)
    site.add_url_rule("/<owner>/<name>", "repository", archive.repository)
    site.add_url_rule("/<owner>/<name>/<file>", "report", file_of_repository)
    site.add_url_rule("/<owner>/<name>/feed.atom", "feed", archive.feed)
    site.add_url_rule("/<owner>/<name>/commit/<sha>", "commit", days.commit)
    site.add_url_rule("/<owner>/<name>/author/<author>", "author", archive.author)
    site.add_url_rule("/<owner>/<name>/area/<path:area>", "area", archive.area)
    # A path that is nobody's is a page that is not there, for a reader who may read.
    site.add_url_rule("/<path:anything>", "nothing", _nothing)


def _add_changes(site: Blueprint, changes: ChangesPages) -> None:
    site.add_url_rule("/<owner>/<name>/changes", "changes", changes.page)
    site.add_url_rule("/<owner>/<name>/changes.md", "changes_markdown", changes.markdown)
    site.add_url_rule("/<owner>/<name>/changes.json", "changes_json", changes.json)


def _nothing(anything: str) -> Response:  # noqa: ARG001 - the route names it
    abort(404)


def _conditional(response: Response) -> Response:
    """Name the version of a page by its digest, and answer 304 to who has it."""
    if response.status_code == 200:
        response.add_etag()
        response.make_conditional(request)
    return response


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
    # A private page may be kept by its reader's own browser, which has to ask each time whether it still may show it.
    kept = "public, max-age=60" if settings.site_public else "private, no-cache"
    response.headers["Cache-Control"] = kept if response.status_code in {200, 304} else "no-store"
    return response
