"""Publishing: each report goes to the places its repository's settings name, once, and again when it has changed.

A report that is written becomes due here; `publish_due` brings it to every place, puts off what fails, and never holds
up the reports themselves. The files in REPORT_DIR are written at once (`export`), and are due here where that failed.
"""

from __future__ import annotations

import hashlib
import posixpath
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import redis
import structlog

from core.errors import Permanent, Transient
from core.ledger import Published, Target, Unpublished
from report.files import write_report
from report.json import report_from_json
from report.letter import letter
from report.markdown import markdown_bytes
from report.parts import issue_text
from workers.deadlines import within
from workers.issues import Issues
from workers.mail import Mailer, message_from_letter
from workers.pauses import PUBLISHING, Paused, admitted
from workers.publish_commit import Place, blob_sha, publish_commit
from workers.publish_issue import publish_issue

if TYPE_CHECKING:
    from core.settings import RepositorySettings, Settings
    from report.addresses import Address
    from report.daily import DailyReport
    from report.stories import Relation
    from workers.github import GitHub
    from workers.services import Services

log = structlog.get_logger()

MOST_DAYS = 50  # of one round
ROUND_SECONDS = 120.0
PLACE_SECONDS = 90.0  # for all requests to GitHub about one place
LOCK_SECONDS = 600.0  # more than one day's places may take
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 60.0, 3600.0
GIVEN_UP = timedelta(days=7)
MAILED = timedelta(days=3)  # an older day is found late or caught up; nobody wants its mail this morning
MOST_CLOSED = 20  # issues, each time a day is published


@dataclass(frozen=True)
class Errand:
    """One report on its way to one place."""

    services: Services
    report: DailyReport
    target: Target
    now: datetime
    again: bool = False  # also where it stands already

    @property
    def before(self) -> Published | None:
        """Where it stands already, as far as the ledger knows."""
        return self.services.ledger.published(self.report.repository, self.report.day, self.target)

    def note(self, state: Published) -> None:
        """Keep where it stands."""
        self.services.ledger.note_published(self.report.repository, self.report.day, self.target, state)


def targets(settings: Settings, repository: str) -> tuple[Target, ...]:
    """Where a repository's reports are published beside REPORT_DIR; only its own table names issues and commits."""
    table = settings.repository(repository)
    if table is None:
        return ()
    named: tuple[Target, ...] = ("issue", "commit")
    found = tuple(target for target in named if target in table.publish)
    return (*found, "mail") if settings.recipients(repository) else found


def is_wanted(services: Services, repository: str, target: Target) -> bool:
    """Whether a repository's reports are to go to a target by the settings as they are now, REPORT_DIR included."""
    if target == "files":
        return "files" in services.repository(repository).publish
    return target in targets(services.settings, repository)


def publish_soon(services: Services, repository: str, day: date) -> None:
    """Let a report that was written be published by the next round."""
    if targets(services.settings, repository):
        services.ledger.publish_at(repository, day)


def export(services: Services, report: DailyReport) -> None:
    """Write a report's files; where that fails, `publish_due` tries again, and nothing else waits for it."""
    errand = Errand(services, report, "files", datetime.now(UTC))
    try:
        _files(errand)
    except Permanent as error:
        again = errand.now.timestamp() + _put_off(errand, error)
        services.ledger.publish_at(report.repository, report.day, again)


def publish_due(services: Services, now: datetime | None = None) -> None:
    """Publish every report that is due; days that another worker is about are left to it."""
    moment, until = now or datetime.now(UTC), time.monotonic() + ROUND_SECONDS
    for repository, day, due in services.ledger.publish_due(moment.timestamp(), MOST_DAYS):
        if time.monotonic() > until:
            return
        with _alone(services, repository, day) as alone:
            if alone:
                waits = [wait for *_, wait in _publish(services, repository, day, moment) if wait]
                again = moment.timestamp() + min(waits) if waits else None
                services.ledger.publish_settled(repository, day, due, again)


def publish_by_hand(services: Services, repository: str, day: date) -> list[tuple[Target, str, bool]]:
    """Publish a report now, also where it stands already: (target, what came of it, whether it failed) for each.

    A mail that was sent is not sent again. Raises Transient while a worker publishes the same day.
    """
    with _alone(services, repository, day) as alone:
        if not alone:
            raise Transient("a worker is publishing this day at the moment")
        done = list(_publish(services, repository, day, datetime.now(UTC), again=True))
    return [(target, said, wait is not None) for target, said, wait in done]


@contextmanager
def _alone(services: Services, repository: str, day: date) -> Iterator[bool]:
    """Whether nobody else publishes this day; then nobody does inside the block."""
    lock = services.ledger.lock(f"publish:{repository} {day}", LOCK_SECONDS)
    if not lock.acquire():
        yield False
        return
    try:
        yield True
    finally:
        try:
            lock.release()
        except redis.exceptions.LockError:
            log.warning("publish_slow", repository=repository, day=str(day), seconds=LOCK_SECONDS)


def _publish(
    services: Services, repository: str, day: date, now: datetime, *, again: bool = False
) -> Iterator[tuple[Target, str, float | None]]:
    """Bring a kept report to each place: (target, what came of it, seconds until it is tried again; None: done)."""
    kept = services.ledger.report(repository, day)
    if kept is None:
        return
    report = report_from_json(kept)
    for target in (*_owed(services, report), *targets(services.settings, repository)):
        errand = Errand(services, report, target, now, again)
        try:
            said = _TARGETS[target](errand)
        except (Transient, Permanent) as error:
            yield target, str(error), _put_off(errand, error)
        else:
            services.ledger.note_unpublished(repository, day, target, None)
            log.info("published", repository=repository, day=str(day), target=target, outcome=said)
            yield target, said, None


def _owed(services: Services, report: DailyReport) -> tuple[Target, ...]:
    """The files, where `export` could not write them."""
    owed = (report.repository, report.day, "files") in services.ledger.unpublished()
    return ("files",) if owed and is_wanted(services, report.repository, "files") else ()


def _put_off(errand: Errand, error: Transient | Permanent) -> float:
    """Write a failure down, and how long to wait; 0 after a week of attempts."""
    ledger, report = errand.services.ledger, errand.report
    before = ledger.unpublished().get((report.repository, report.day, errand.target))
    attempts = (before.attempts if before else 0) + (not isinstance(error, Paused))
    permanent = isinstance(error, Permanent)
    why = Unpublished(
        reason=str(error), since=before.since if before else errand.now, attempts=attempts, permanent=permanent
    )
    ledger.note_unpublished(report.repository, report.day, errand.target, why)
    log.warning("not_published", repository=report.repository, day=str(report.day), target=errand.target,
                attempts=attempts, reason=why.reason)  # fmt: skip
    if errand.now - why.since > GIVEN_UP:
        return 0.0
    if errand.target == "files":
        return FIRST_WAIT_SECONDS  # nobody is asked but this machine's own disk
    if permanent:
        return LONGEST_WAIT_SECONDS
    asked = error.retry_after if isinstance(error, Transient) else None
    return asked or min(FIRST_WAIT_SECONDS * 2 ** min(attempts - 1, 10), LONGEST_WAIT_SECONDS)


def _files(errand: Errand) -> str:
    directory = errand.services.settings.report_dir
    try:
        write_report(directory, errand.report)
    except OSError as error:
        raise Permanent(
            f"REPORT_DIR, {directory}, cannot be written to ({error.strerror}); give this user the right to, make room "
            "there, or set another"
        ) from error
    return str(directory)


def _issue(errand: Errand) -> str:
    settings, report = errand.services.settings, errand.report
    table = errand.services.repository(report.repository)
    assert table.publish_to
    text = issue_text(report, settings.site_url)
    before = errand.before if errand.before and errand.before.place == table.publish_to else None
    state = before or Published(place=table.publish_to)
    digest = _digest(text.title, *text.parts)
    if before and before.digest == digest and not errand.again:
        said = "unchanged"
    else:
        with _github(errand) as client:
            number = publish_issue(
                Issues(client, table.publish_to), text, _begins(report), state.number,
                lambda made: errand.note(state.model_copy(update={"number": made, "digest": ""})),
            )  # fmt: skip
        errand.note(state.model_copy(update={"number": number, "digest": digest}))
        said = f"{table.publish_to}#{number}"
    if table.publish_close_after_days:
        _close_old(errand, table.publish_to, timedelta(days=table.publish_close_after_days))
    return said


def _close_old(errand: Errand, place: str, age: timedelta) -> None:
    """Close the issues of days that are old enough, each once; what a person opens again stays open."""
    repository, ledger = errand.report.repository, errand.services.ledger
    today = ledger.day_of(errand.now)
    states = ledger.published_all(repository, "issue")
    old = [
        (day, state, state.number)
        for day, state in states.items()
        if state.place == place and state.number and not state.closed and today - day > age
    ]
    if old:
        with _github(errand) as client:
            for day, state, number in old[:MOST_CLOSED]:
                Issues(client, place).close(number)
                ledger.note_published(repository, day, "issue", state.model_copy(update={"closed": True}))


def _commit(errand: Errand) -> str:
    report, table = errand.report, errand.services.repository(errand.report.repository)
    assert table.publish_to
    path = table.path_of(report.day)
    content = markdown_bytes([report], address=_beside(table))
    place = Place(table.publish_to, table.publish_branch, path)
    shown = f"{place.repository}:{path}"
    state = Published(place=f"{place.repository} {place.branch or ''} {path}", digest=blob_sha(content))
    if errand.before == state and not errand.again:
        return f"{shown} unchanged"
    revision = f" (revision {report.revision})" if report.revision > 1 else ""
    with _github(errand) as client:
        made = publish_commit(client, place, content, f"Daybook: {report.repository}, {report.day}{revision}")
    errand.note(state)
    return shown if made else f"{shown} unchanged"


def _beside(table: RepositorySettings) -> Address:
    """Where the pages of other days lie as seen from a page, by the template of their paths."""

    def address(report: DailyReport, relation: Relation) -> str:
        place = f"#{report.anchor(relation)}"
        if relation.day == report.day:
            return place
        folder = posixpath.dirname(table.path_of(report.day))
        return quote(posixpath.relpath(table.path_of(relation.day), folder)) + place

    return address


def _mail(errand: Errand) -> str:
    settings, report = errand.services.settings, errand.report
    if errand.before:
        return "sent before"
    if not errand.again and errand.services.ledger.day_of(errand.now) - report.day > MAILED:
        return "not sent: the day is long over"
    recipients = settings.recipients(report.repository)
    mailer = Mailer.from_settings(settings)
    written = letter(report, _page_url(settings, report))
    taken = mailer.send(message_from_letter(written, mailer.sender, recipients), recipients)
    errand.note(Published(place=", ".join(recipients), digest=_digest(written.text)))
    return f"sent to {taken} of {len(recipients)}"


_TARGETS: Mapping[Target, Callable[[Errand], str]] = {
    "files": _files, "issue": _issue, "commit": _commit, "mail": _mail,
}  # fmt: skip


@contextmanager
def _github(errand: Errand) -> Iterator[GitHub]:
    """GitHub as the account that publishes, under the pause that all calls of that account share."""
    settings = errand.services.settings
    # A PUBLISH_TOKEN has limits of its own, and one that has expired must not stop what only reads.
    with admitted(errand.services.ledger, PUBLISHING if settings.publish_token else "github"), within(PLACE_SECONDS):
        yield publisher(settings)


def publisher(settings: Settings) -> GitHub:
    """The client that writes: by PUBLISH_TOKEN, else as everything else asks GitHub."""
    from workers.github import GitHub  # on first use: most processes publish nothing

    own = settings.publish_token
    return GitHub(
        token=own or settings.github_token,
        app_id=None if own else settings.github_app_id,
        private_key=None if own else settings.github_app_private_key,
        api_url=settings.github_api_url,
        writing=True,
        known_by="PUBLISH_TOKEN" if own else "GITHUB_TOKEN",
    )


def _page_url(settings: Settings, report: DailyReport) -> str | None:
    return f"{settings.site_url.rstrip('/')}/{report.repository}/{report.day}" if settings.site_url else None


def _begins(report: DailyReport) -> datetime:
    return datetime.combine(report.day, datetime.min.time(), tzinfo=report.zone).astimezone(UTC)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
