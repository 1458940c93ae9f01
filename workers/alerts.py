"""Somebody is told: which conditions are wrong, told once each, and once more when they have cleared.

`conditions` is pure over a `State`; `watch` reads the state, compares it with what was told, and tells the rest: in
Slack, or Feishu where that alone is set, else as a line of the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

import redis
import structlog

from core.errors import Permanent, Transient
from core.ledger import AlertState, Target
from workers.closing import closes_at, grace
from workers.follow import followed
from workers.githublist import GitHubUpstream
from workers.pauses import PUBLISHING
from workers.publish import is_wanted

if TYPE_CHECKING:
    from core.ledger import Ledger, Meters, Refusal
    from workers.services import Services

log = structlog.get_logger()

MOST_FAILURES = 0.2  # of the commits that ended within an hour
FEWEST_ENDED = 5
FEWEST_MISSIGNED = 3  # deliveries within an hour
LONGEST_WAIT_SECONDS = 1800.0
LATE = timedelta(minutes=15)
UNPUBLISHED = timedelta(minutes=15)  # of attempts, before somebody is told of what may pass by itself
UNANSWERED = timedelta(hours=2)  # of a source; a limit of GitHub's is over within one
UNTOLD = timedelta(minutes=15)  # of attempts to post to a channel, likewise
BUSY_COMMITS = 5
LIKE_DAYS = 7  # days of the same kind that say what is usual
FULL_MEMORY = 0.8
CALM = timedelta(minutes=2)  # how long a condition must be gone before the all-clear: it may come and go
LINES_AT_ONCE = 20
LOCK_SECONDS = 120.0


@dataclass(frozen=True)
class Alert:
    """One condition that holds: its key, what to tell, and what to tell when it has cleared."""

    key: str
    text: str
    calm: str


@dataclass(frozen=True)
class Late:
    """Reports of a repository that are not there: the oldest such day, and how many days in all."""

    day: date
    days: int


@dataclass(frozen=True)
class Quiet:
    """The first day without a commit that is usually busy, and the usual number of commits."""

    day: date
    usual: float


@dataclass(frozen=True)
class Kept:
    """Reports that could not be published at a place: the oldest such day, how many days in all, and why."""

    day: date
    days: int
    reason: str


@dataclass(frozen=True)
class Mute:
    """A channel that notices cannot be posted to: how many wait, how many had to go, and why."""

    waiting: int
    dropped: int
    reason: str


@dataclass(frozen=True)
class Failing:
    """A repository whose source does not answer: for how many hours, and why."""

    hours: int
    reason: str


@dataclass(frozen=True)
class State:
    """What conditions are judged by."""

    analysed: int = 0
    failed: int = 0
    waiting: int = 0
    oldest_seconds: float = 0.0
    memory_used: int = 0
    memory_limit: int = 0
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    missigned: int = 0
    failing: Mapping[str, Failing] = field(default_factory=dict)
    late: Mapping[str, Late] = field(default_factory=dict)
    quiet: Mapping[str, Quiet] = field(default_factory=dict)
    kept: Mapping[tuple[str, Target], Kept] = field(default_factory=dict)
    mute: Mapping[str, Mute] = field(default_factory=dict)


def conditions(state: State) -> list[Alert]:
    """What is wrong, most pressing first; pure."""
    return [
        *_failures(state),
        *_oldest(state),
        *_memory(state),
        *_missigned(state),
        *(_refused(service, refusal) for service, refusal in sorted(state.refusals.items())),
        *(_failing(name, failing) for name, failing in sorted(state.failing.items())),
        *(_late(name, late) for name, late in sorted(state.late.items())),
        *(_quiet(name, quiet) for name, quiet in sorted(state.quiet.items())),
        *(_kept(name, target, kept) for (name, target), kept in sorted(state.kept.items())),
        *(_mute(channel, mute) for channel, mute in sorted(state.mute.items())),
    ]


def _failures(state: State) -> Iterator[Alert]:
    ended = state.analysed + state.failed
    if ended >= FEWEST_ENDED and state.failed > MOST_FAILURES * ended:
        share = (
            f"{state.failed} of {ended} commits that ended within the hour were given up ({state.failed / ended:.0%})"
        )
        yield Alert("failures", f"{share}; see `daybook failed`", "failures are below 20 % of the hour's commits again")


def _oldest(state: State) -> Iterator[Alert]:
    if state.waiting and state.oldest_seconds > LONGEST_WAIT_SECONDS:
        minutes = int(state.oldest_seconds // 60)
        text = f"the oldest of {state.waiting} waiting commits waits for {minutes} minutes; see `daybook status`"
        yield Alert("oldest", text, "no commit waits for more than 30 minutes any more")


def _memory(state: State) -> Iterator[Alert]:
    if state.memory_limit and state.memory_used > FULL_MEMORY * state.memory_limit:
        used = f"{state.memory_used / state.memory_limit:.0%} of its {state.memory_limit / 2**20:.0f} MiB"
        text = f"Redis uses {used} (maxmemory); when it is full, pushes are refused: raise maxmemory"
        yield Alert("memory", text, "Redis uses less than 80 % of its memory again")


def _missigned(state: State) -> Iterator[Alert]:
    if state.missigned >= FEWEST_MISSIGNED:
        text = (
            f"{state.missigned} deliveries within the hour were signed with another secret and refused: compare the "
            "webhook's secret on GitHub with GITHUB_WEBHOOK_SECRET; their commits come hourly, by reconciliation"
        )
        yield Alert("missigned", text, "deliveries are signed with our secret again")


def _refused(service: str, refusal: Refusal) -> Alert:
    who = "the model's API" if service == "anthropic" else "GitHub"
    text = f"{refusal.why}; what needs it waits, and goes on by itself then"
    return Alert(f"refused {service}", text, f"{who} takes the credentials again")


def _failing(name: str, failing: Failing) -> Alert:
    text = (
        f"{name}: its source has not answered for {failing.hours} hours: {failing.reason}; "
        "commits that no webhook tells of are not found meanwhile"
    )
    return Alert(f"source {name}", text, f"{name}: its source answers again")


def _late(name: str, late: Late) -> Alert:
    more = f" (and of {late.days - 1} more days)" if late.days > 1 else ""
    text = f"{name}: the report of {late.day}{more} is late; see `daybook status` and the control worker's log"
    return Alert(f"late {name}", text, f"{name}: no report is late any more")


def _quiet(name: str, quiet: Quiet) -> Alert:
    text = (
        f"{name}: no commit on {quiet.day}, when {quiet.usual:g} are usual; look at the webhook's deliveries, or run "
        f"`daybook backfill {name} --day {quiet.day}`"
    )
    return Alert(f"quiet {name}", text, f"{name}: commits arrive again")


def _kept(name: str, target: Target, kept: Kept) -> Alert:
    more = f" (and of {kept.days - 1} more day{'s' * (kept.days > 2)})" if kept.days > 1 else ""
    text = (
        f"{name}: the report of {kept.day}{more} cannot be published ({target}): {kept.reason}; it is tried again for "
        f"a week, or at once by `daybook publish {name} {kept.day}`"
    )
    return Alert(f"publish {name} {target}", text, f"{name}: reports are published again ({target})")


def _mute(channel: str, mute: Mute) -> Alert:
    gone = f"; {mute.dropped} were dropped so far" if mute.dropped else ""
    waiting = "1 notice waits" if mute.waiting == 1 else f"{mute.waiting} notices wait"
    text = f"nothing can be posted to {channel}: {mute.reason}; {waiting}, for a week at most{gone}"
    return Alert(f"channel {channel}", text, f"notices are posted to {channel} again")


def quiet_since(counts: Mapping[date, int], last: date, today: date) -> Quiet | None:
    """The first day since the last commit's that is over, was silent, and is usually busy; pure.

    What is usual is the median of the last 7 days of the same kind (workdays, weekends) up to the last commit's day,
    so that a long silence does not come to be usual. `counts` holds what `days_like` names.
    """
    day = last + timedelta(days=1)
    end = min(today, last + timedelta(days=8))  # the days after the first week repeat its kinds
    while day < end:
        usual = median(counts.get(like, 0) for like in days_like(day, last))
        if usual >= BUSY_COMMITS:
            return Quiet(day, usual)
        day += timedelta(days=1)
    return None


def days_like(day: date, last: date) -> list[date]:
    """The last 7 days up to `last` that are workdays or weekends as `day` is."""
    before = (last - timedelta(days=back) for back in range(40))
    return [other for other in before if (other.weekday() >= 5) == (day.weekday() >= 5)][:LIKE_DAYS]


def turn(known: Mapping[str, AlertState], now: datetime, alerts: Sequence[Alert]) -> dict[str, AlertState]:
    """What is known after another look: new conditions, those that are gone, those that came back; pure.

    A condition that is gone before somebody was told of it is still told, then its all-clear.
    """
    holding = {alert.key: alert for alert in alerts}
    after: dict[str, AlertState] = {}
    for key, alert in holding.items():
        before = known.get(key) or AlertState(text=alert.text, calm=alert.calm, since=now)
        fresh = {} if before.told else {"text": alert.text}  # what was not told yet is told as it is now
        after[key] = before.model_copy(update={"gone_since": None, **fresh})
    for key, state in known.items():
        if key not in holding:
            after[key] = state if state.gone_since else state.model_copy(update={"gone_since": now})
    return after


def watch(services: Services, now: datetime | None = None) -> None:
    """Look once and tell what is new; a second scheduler's call finds the lock taken and leaves."""
    lock = services.ledger.lock("watch", LOCK_SECONDS)
    if not lock.acquire():
        return
    try:
        _watch(services, now or datetime.now(UTC))
    finally:
        try:
            lock.release()
        except redis.exceptions.LockError:
            log.warning("watch_slow", seconds=LOCK_SECONDS)


def _watch(services: Services, now: datetime) -> None:
    ledger = services.ledger
    known = ledger.alerts()
    states = turn(known, now, conditions(read_state(services, now)))
    ledger.keep_alerts({key: state for key, state in states.items() if known.get(key) != state})
    raised = [key for key, state in states.items() if not state.told]
    if raised and _tell(services, {key: states[key] for key in raised[:LINES_AT_ONCE]}, calm=False):
        told = {key: states[key].model_copy(update={"told": True}) for key in raised[:LINES_AT_ONCE]}
        ledger.keep_alerts(told)
        states |= told
    calm = {key: state for key, state in states.items() if state.told and _cleared(state, now)}
    some = dict(list(calm.items())[:LINES_AT_ONCE])
    if some and _tell(services, some, calm=True):
        ledger.keep_alerts(dict.fromkeys(some))


def _cleared(state: AlertState, now: datetime) -> bool:
    return state.gone_since is not None and now - state.gone_since >= CALM


def _tell(services: Services, states: Mapping[str, AlertState], *, calm: bool) -> bool:
    """Tell of conditions that are new, or gone; False when it has to be tried again."""
    channel = services.channels.for_alerts()
    if channel is None:
        _log(states, calm=calm)
        return True
    if services.ledger.paused(channel.service):
        return False
    try:
        channel.say(message(list(states.values()), services, calm=calm))
    except Transient as error:
        if error.retry_after:
            services.ledger.pause(channel.service, error.retry_after)
        log.warning("alert_not_sent", alerts=sorted(states), reason=str(error))
        return False
    except Permanent as error:
        log.error("alert_not_sent", alerts=sorted(states), reason=str(error))  # noqa: TRY400 - no fault of ours
        return False
    return True


def _log(states: Mapping[str, AlertState], *, calm: bool) -> None:
    for key, state in states.items():
        if calm:
            log.warning("all_clear", alert=key, text=state.calm)
        else:
            log.error("alert", alert=key, text=state.text)


def message(states: Sequence[AlertState], services: Services, *, calm: bool) -> str:
    """What the channel is sent: a line for each condition; times in the report's time zone."""
    zone = services.settings.zone
    if calm:
        return "\n".join(
            f"✅ All clear: {state.calm} (since {state.since.astimezone(zone):%Y-%m-%d %H:%M})" for state in states
        )
    return "\n".join(f"🚨 Daybook: {state.text}" for state in states)


def read_state(services: Services, now: datetime) -> State:
    """What the ledger has now; a few round trips, whatever the number of repositories."""
    ledger = services.ledger
    meters = ledger.meters()
    seen = ledger.first_seen_all()
    return State(
        analysed=meters.analysed_within_hour,
        failed=meters.failed_within_hour,
        waiting=meters.waiting,
        oldest_seconds=meters.oldest_waiting_seconds,
        memory_used=meters.memory_used,
        memory_limit=meters.memory_limit,
        missigned=meters.missigned_within_hour,
        refusals=_refusals(services),
        failing=_failing_sources(services, now),
        late=_late_reports(services, meters, seen, now),
        quiet=_quiet_repositories(ledger, [name for name in seen if services.settings.repository(name)], now),
        kept=_kept_reports(services, now),
        mute=_mute_channels(ledger, now),
    )


def _refusals(services: Services) -> dict[str, Refusal]:
    """Services that refuse the credentials that are set; one that is not asked any more will not take them again."""
    settings = services.settings
    asked = {"github": True, PUBLISHING: settings.publish_token, "anthropic": settings.anthropic_api_key}
    return {service: told for service, told in services.ledger.refusals().items() if asked.get(service)}


def _failing_sources(services: Services, now: datetime) -> dict[str, Failing]:
    """Repositories whose source fails for longer than limits and outages last; refused credentials are told of once."""
    ledger, refused = services.ledger, "github" in services.ledger.refusals()
    names = {name.lower() for name in followed(services)}
    found = {}
    for name, outcome in ledger.failing_sources().items():
        since = outcome.failing_since
        if since is None or name.lower() not in names or (refused and outcome.source == GitHubUpstream.kind):
            continue
        if now - since > UNANSWERED:
            found[name] = Failing(int((now - since).total_seconds() // 3600), outcome.why)
    return found


def _mute_channels(ledger: Ledger, now: datetime) -> dict[str, Mute]:
    """Channels with notices that cannot be posted: at once where a person has to mend something, else after a while."""
    found = {}
    for name, state in ledger.outboxes().items():
        why = state.trouble
        if why and state.waiting and (why.permanent or now.timestamp() - why.since > UNTOLD.total_seconds()):
            found[name] = Mute(state.waiting, state.dropped, why.reason)
    return found


def _kept_reports(services: Services, now: datetime) -> dict[tuple[str, Target], Kept]:
    """What could not be published: at once where a person has to mend something, else after a while."""
    found: dict[tuple[str, Target], Kept] = {}
    for (name, day, target), why in services.ledger.unpublished().items():
        if is_wanted(services, name, target) and (why.permanent or now - why.since > UNPUBLISHED):
            before = found.get((name, target))
            days = before.days + 1 if before else 1
            found[name, target] = Kept(before.day if before else day, days, why.reason)
    return found


def _late_reports(services: Services, meters: Meters, seen: Mapping[str, datetime], now: datetime) -> dict[str, Late]:
    """Repositories whose report should be there: after its time, the grace and 15 minutes."""
    found = {}
    due = _last_day_due(services, now)
    for name, first in seen.items():
        last = meters.reports[name].day if name in meters.reports else None
        owed = services.ledger.day_of(first)  # earlier days, such as a replay's, are written when they are found
        day = max(owed, last + timedelta(days=1)) if last else owed
        if day <= due:
            found[name] = Late(day, (due - day).days + 1)
    return found


def _last_day_due(services: Services, now: datetime) -> date:
    """The latest day whose report should be there by now."""
    day = services.ledger.day_of(now)
    while closes_at(services, day) + grace(services) + LATE > now:
        day -= timedelta(days=1)
    return day


def _quiet_repositories(ledger: Ledger, names: Sequence[str], now: datetime) -> dict[str, Quiet]:
    """Repositories with a day that is over without a commit, though it is usually busy."""
    today = ledger.day_of(now)
    found = {}
    for name, landed in ledger.last_landings(names).items():
        last = ledger.day_of(landed)
        if last >= today - timedelta(days=1):
            continue  # the usual case costs no further question
        days = {like for back in range(1, 8) for like in days_like(last + timedelta(days=back), last)}
        if quiet := quiet_since(ledger.landed_counts(name, sorted(days)), last, today):
            outcome = ledger.outcome(name)
            if not (outcome and outcome.renamed):  # its commits come under the other name
                found[name] = quiet
    return found
