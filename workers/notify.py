"""Telling of commits: finished ones are routed into their channels' outboxes, and what is due there is posted.

The analysis is stored by then: telling can fail, wait and be repeated without another. One round runs at a time, under
the lock `notify`; it posts to different channels side by side, to one channel at most one message a second.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import redis
import structlog

from core.ledger import Filing, News
from core.models import Found
from workers.aftermath import taken_back_by
from workers.outbox import GATHER_SECONDS, Outbox
from workers.routing import Quiet, Route, digest_channels, quiet_until, routes

if TYPE_CHECKING:
    from core.ledger import Told
    from core.models import Commit, CommitRecord
    from core.settings import Settings
    from workers.services import Services

log = structlog.get_logger()

ROUND_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.2
CHANNELS_AT_ONCE: Final = 8
NEWS_AT_ONCE: Final = 200
STILL_NEWS: Final = timedelta(days=2)  # a day that is reported late, a commit that comes to matter to a channel later


def notify_due(services: Services) -> None:
    """Route what is new and post what is due; costs a look at the ledger while there is nothing."""
    ledger = services.ledger
    if not ledger.notices_wait():
        return
    lock = ledger.lock("notify", ledger.lease_seconds)
    if not lock.acquire():
        return
    try:
        _Round(services, lock).work()
    except redis.exceptions.LockError:
        log.warning("notify_slow", seconds=ledger.lease_seconds)  # it ran out and may be another's now
    finally:
        try:
            lock.release()
        except redis.exceptions.LockError:
            log.warning("notify_slow", seconds=ledger.lease_seconds)


class _Round:
    """One round. The lock is renewed while messages are on their way; one that is lost stops what was not begun."""

    def __init__(self, services: Services, lock: redis.lock.Lock) -> None:
        self._services = services
        self._lock = lock
        self._token = str(lock.local.token.decode())
        self._renewed = time.monotonic()
        self._busy: dict[str, Future[None]] = {}

    def work(self) -> None:
        """Until nothing is due, or for ROUND_SECONDS and what the last messages take."""
        until = time.monotonic() + ROUND_SECONDS
        with ThreadPoolExecutor(CHANNELS_AT_ONCE, thread_name_prefix="notify") as pool:
            while self._look(pool, more=time.monotonic() < until):
                time.sleep(LOOK_SECONDS)

    def _look(self, pool: ThreadPoolExecutor, *, more: bool) -> bool:
        """Begin with whatever is due where nobody is at work; whether anything is left of this round."""
        self._renew()
        for channel, done in list(self._busy.items()):
            if done.done():
                del self._busy[channel]
        due = []
        if more:
            file_news(self._services)
            due = self._services.ledger.outboxes_due(time.time())
        for channel in due:
            if channel not in self._busy:
                self._busy[channel] = pool.submit(Outbox(self._services, channel, self._token).tell_next)
        return bool(self._busy)

    def _renew(self) -> None:
        if time.monotonic() - self._renewed > self._services.ledger.lease_seconds / 3:
            self._lock.reacquire()
            self._renewed = time.monotonic()


def file_news(services: Services) -> None:
    """Route the commits that were finished or changed since, each into the outboxes of its channels."""
    ledger = services.ledger
    if not tells_anywhere(services.settings):
        ledger.forget_news()
        return
    news = ledger.news(NEWS_AT_ONCE)
    if not news:
        return
    records = _records(services, [one.id for one in news])
    told = ledger.told_of([one.id for one in news])
    for one in news:
        record = records.get(one.id)
        filings = _filed(services, one, record, told.get(one.id, {})) if record else []
        if dropped := ledger.file(filings, of=one):
            log.error("notices_dropped", commit=one.id, count=dropped, reason="too many wait")


def _filed(services: Services, news: News, record: CommitRecord, told: Mapping[str, Told]) -> list[Filing]:
    try:
        return list(_filings(services, news, record, told))
    except redis.RedisError:
        raise
    except Exception:
        log.exception("notice_not_routed", commit=news.id)  # a fault of our own must not hold up the commits behind it
        return []


def tells_anywhere(settings: Settings) -> bool:
    """Whether any channel is set up."""
    return bool(settings.slack_bot_token or settings.slack_webhook_url or settings.feishu_bots)


def digest_soon(services: Services, repository: str, day: date) -> None:
    """Let a day's digest be told once its report is kept; asking again changes nothing, and old days have none."""
    if not tells_anywhere(services.settings):
        return
    now = datetime.now(UTC)
    if services.ledger.day_of(now) - day > STILL_NEWS:
        return
    entry = f"{repository} {day}"
    told = services.ledger.told_of([entry]).get(entry, {})
    filings = [
        _filing(services, _route(services.settings, repository, channel), f"digest {entry}", now.timestamp(), now)
        for channel in digest_channels(repository, services.settings)
        if channel not in told
    ]
    services.ledger.file(filings)


def _filings(services: Services, news: News, record: CommitRecord, told: Mapping[str, Told]) -> Iterator[Filing]:
    """Where a commit is told of for the first time, and where what was told of it or by it has changed."""
    since, settings = datetime.fromtimestamp(news.since, UTC), services.settings
    due = since + timedelta(seconds=GATHER_SECONDS)
    if _is_news(services, news, record.commit):
        for route in routes(record, settings):
            if route.channel not in told:
                yield _filing(services, route, f"commit {news.id}", _landing(record.commit), due)
    for channel in told:
        yield _update(services, record.commit, channel, due)
    taken = taken_back_by(services.ledger, record)
    for name, channels in services.ledger.told_of([commit.id for commit in taken]).items():
        commit = next(one for one in taken if one.id == name)
        yield from (_update(services, commit, channel, due) for channel in channels)


def _is_news(services: Services, news: News, commit: Commit) -> bool:
    """Whether a commit is told of where it was not yet: late findings of past days stand in their digests only."""
    now = datetime.now(UTC)
    if commit.found_by is Found.BACKFILL and services.ledger.day_of(commit.landed_at) < services.ledger.day_of(now):
        return False
    return news.kind == "new" or now - commit.landed_at < STILL_NEWS


def _update(services: Services, commit: Commit, channel: str, due: datetime) -> Filing:
    route = _route(services.settings, commit.repository, channel)
    return _filing(services, route, f"update {commit.id}", due.timestamp(), due)


def _filing(services: Services, route: Route, entry: str, place: float, due: datetime) -> Filing:
    ends = quiet_until(services.settings, route, due)
    return Filing(route.channel, entry, place, (ends or due).timestamp(), quiet=ends is not None)


def _route(settings: Settings, repository: str, channel: str) -> Route:
    """A channel with its quiet hours, for what is no commit of its own."""
    table = settings.repository(repository)
    for notify in table.notify if table else ():
        if notify.channel == channel and notify.quiet:
            return Route(channel, quiet=Quiet(*notify.quiet, notify.timezone))
    return Route(channel)


def _landing(commit: Commit) -> float:
    """As the ledger orders the commits of a repository."""
    return commit.landed_at.timestamp() + min(commit.position, 4095) / 4096


def _records(services: Services, ids: Sequence[str]) -> dict[str, CommitRecord]:
    shas: defaultdict[str, list[str]] = defaultdict(list)
    for commit_id in ids:
        repository, _, sha = commit_id.rpartition("@")
        shas[repository].append(sha)
    found = (services.ledger.commits(name, some) for name, some in shas.items())
    return {record.commit.id: record for some in found for record in some}
