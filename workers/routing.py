"""Which channels a commit is told of in, whom it mentions there, and until when quiet hours hold it back; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from core.notify_settings import DEFAULT_FEISHU, NotifyTable
from workers.channels import FEISHU, WEBHOOK
from workers.facts import matches
from workers.notices import is_watched

if TYPE_CHECKING:
    from core.models import CommitRecord, Tier
    from core.settings import Settings


@dataclass(frozen=True)
class Quiet:
    """The hours of a day in which commits wait; `end` may be on the next day. `timezone`: IANA; None: the report's."""

    start: time
    end: time
    timezone: str | None = None


@dataclass(frozen=True)
class Route:
    """One channel that a commit goes to, whom it mentions there, and the hours in which this commit waits."""

    channel: str
    mention: tuple[str, ...] = ()
    quiet: Quiet | None = None


def routes(record: CommitRecord, settings: Settings) -> tuple[Route, ...]:
    """Where a finished commit goes, each channel once; nowhere when its repository is not followed (any more).

    Of several tables with one channel, the first that takes the commit counts.
    """
    table = settings.repository(record.commit.repository)
    if table is None:
        return ()
    found: dict[str, Route] = {}
    for notify in table.notify or _by_default(record, settings):
        if notify.channel not in found and _takes(notify, record, settings.slack_min_tier):
            mention = table.watch.mention if notify.mention is None else notify.mention
            told = mention if is_watched(record.triage) else ()
            found[notify.channel] = Route(notify.channel, told, _quiet(notify, record.tier))
    return tuple(found.values())


def digest_channels(repository: str, settings: Settings) -> tuple[str, ...]:
    """Where a repository's daily digest goes: to every channel that any commit of it may go to and that wants it."""
    table = settings.repository(repository)
    if table is None:
        return ()
    if not table.notify:
        return tuple(_default_channels(table.slack_channel, settings))
    unwanted = {notify.channel for notify in table.notify if not notify.digest}
    return tuple(dict.fromkeys(notify.channel for notify in table.notify if notify.channel not in unwanted))


def channels_named(settings: Settings) -> tuple[str, ...]:
    """Every channel that commits may go to by the settings, each once."""
    named = [*_default_channels(None, settings)] if not settings.daybook_repositories else []
    for table in settings.daybook_repositories:
        named += (notify.channel for notify in table.notify)
        if not table.notify:
            named += _default_channels(table.slack_channel, settings)
    return tuple(dict.fromkeys(named))


def quiet_until(settings: Settings, route: Route, now: datetime) -> datetime | None:
    """When the quiet hours end in which a commit of this route waits at `now`, in UTC; None: it need not wait."""
    if route.quiet is None:
        return None
    zone = ZoneInfo(route.quiet.timezone) if route.quiet.timezone else settings.zone
    local, start, end = now.astimezone(zone), route.quiet.start, route.quiet.end
    clock = local.time()
    over_midnight = start > end
    within = clock >= start or clock < end if over_midnight else start <= clock < end
    if not within:
        return None
    day = local.date() + timedelta(days=over_midnight and clock >= start)
    until = datetime.combine(day, end, zone).astimezone(UTC)
    return until if until > now else None  # an hour that a clock shows twice may be over already


def _by_default(record: CommitRecord, settings: Settings) -> Iterator[NotifyTable]:
    table = settings.repository(record.commit.repository)
    for channel in _default_channels(table.slack_channel if table else None, settings):
        yield NotifyTable.model_construct(channel=channel)


def _default_channels(slack_channel: str | None, settings: Settings) -> Iterator[str]:
    named = slack_channel or settings.slack_channel
    if settings.slack_bot_token and named:
        yield named
    elif settings.slack_webhook_url:
        yield WEBHOOK
    if settings.feishu_webhook_url:
        yield f"{FEISHU}{DEFAULT_FEISHU}"


def _takes(notify: NotifyTable, record: CommitRecord, least: Tier) -> bool:
    return _by_tier(notify, record.tier, least) and _by_author(notify, record) and _by_place(notify, record)


def _by_tier(notify: NotifyTable, tier: Tier, least: Tier) -> bool:
    return tier in notify.tiers if notify.tiers else tier.rank >= (notify.min_tier or least).rank


def _by_author(notify: NotifyTable, record: CommitRecord) -> bool:
    if record.facts and record.facts.bot and not notify.bots and not is_watched(record.triage):
        return False
    names = [name.lower() for name in (record.commit.author, record.commit.login) if name]
    return not notify.authors or any(fnmatchcase(name, pattern.lower()) for name in names for pattern in notify.authors)


def _by_place(notify: NotifyTable, record: CommitRecord) -> bool:
    if notify.branches and not any(fnmatchcase(record.commit.branch, pattern) for pattern in notify.branches):
        return False
    paths = record.facts.paths if record.facts else ()
    return not notify.paths or any(matches(path, notify.paths) for path in paths)


def _quiet(notify: NotifyTable, tier: Tier) -> Quiet | None:
    if notify.quiet is None or (notify.quiet_except and tier.rank >= notify.quiet_except.rank):
        return None
    return Quiet(*notify.quiet, notify.timezone)
