"""What a repository's source has against what the ledger has: the rest is recorded and queued, as a push would be.

Everything here may run twice, and at the same time: a commit is received once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from core.errors import Permanent, Transient
from core.ledger import SETTLE_SECONDS, ForcedPush, Stage, day_bounds
from core.models import Commit, Found, Push
from workers.app import messages
from workers.clonelist import CloneUpstream
from workers.githublist import GitHubUpstream
from workers.intake import Arrival, taken_commit
from workers.upstream import Way

if TYPE_CHECKING:
    from core.settings import RepositorySettings
    from workers.landings import Landing
    from workers.services import Services
    from workers.upstream import Described, Upstream

log = structlog.get_logger()

FORCED_DAYS = timedelta(days=3)
LONGEST_AGO = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What the source was asked and what came of it; `found` = `queued` + `known` + those of ignored authors.

    `left` counts the landings that were left to their deliveries, which may be under way; `remaining` is the share of
    the allowed requests that is left, `retry_after` the seconds that a limit asks to wait. `renamed` is the other name
    that the repository has now and is followed by: nothing is compared under the old one, or each commit would be
    received, analysed and told of under both.
    """

    repository: str
    source: str
    asked: tuple[str, ...] = ()
    found: int = 0
    queued: int = 0
    known: int = 0
    left: int = 0
    ok: bool = True
    why: str = ""
    retry_after: float | None = None
    remaining: float | None = None
    renamed: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    """One comparison of one repository."""

    services: Services
    upstream: Upstream
    repository: str
    table: RepositorySettings
    found_by: Found
    now: datetime


def reconcile(services: Services, name: str, found_by: Found, *, now: datetime | None = None) -> Reconciled:
    """Record what each followed branch has and the ledger lacks; raises redis.RedisError alone.

    A source that fails is in the answer, the log and the ledger; what was recorded until then stays.
    """
    moment = now or datetime.now(UTC)

    def compare(run: _Run, heads: dict[str, str]) -> Iterator[Reconciled]:
        for branch, head in heads.items():
            yield _branch(run, branch, head)
        _ask_what_was_replaced(run)
        services.ledger.answered(run.repository, run.upstream.kind, heads, moment)

    return _asked(services, name, found_by, moment, compare)


def backfill(services: Services, name: str, since: datetime, until: datetime | None = None) -> Reconciled:
    """Record what landed from `since` on and before `until`; raises redis.RedisError alone."""

    def compare(run: _Run, heads: dict[str, str]) -> Iterator[Reconciled]:
        for branch, head in heads.items():
            yield _recorded(run, branch, run.upstream.within(head, since, until))

    return _asked(services, name, Found.BACKFILL, datetime.now(UTC), compare)


def _asked(
    services: Services,
    name: str,
    found_by: Found,
    now: datetime,
    compare: Callable[[_Run, dict[str, str]], Iterator[Reconciled]],
) -> Reconciled:
    table = services.repository(name)
    upstream = _upstream(services, name, table)
    repository = _spelled(services, name)
    parts: list[Reconciled] = []
    try:
        described = upstream.describe(again=found_by is not Found.POLL)
        repository = _spelled(services, name, described)
        if renamed := _followed_by(services, name, described):
            services.ledger.answered(repository, upstream.kind, (), now, renamed=renamed)
            return Reconciled(repository, upstream.kind, remaining=upstream.remaining, renamed=renamed)
        heads = upstream.heads(table.branches or (described.default_branch,))
        parts.extend(compare(_Run(services, upstream, repository, table, found_by, now), heads))
    except (Transient, Permanent) as error:
        services.ledger.unanswered(repository, upstream.kind, str(error), now)
        log.warning("source_failed", repository=repository, reason=str(error))
        failed = Reconciled(repository, upstream.kind, ok=False, why=str(error))
        after = error.retry_after if isinstance(error, Transient) else None
        return replace(_summed(failed, parts), retry_after=after, remaining=upstream.remaining)
    told = _summed(Reconciled(repository, upstream.kind, tuple(sorted(heads))), parts)
    log.info("reconciled", repository=repository, found=told.found, queued=told.queued, by=found_by)
    return replace(told, remaining=upstream.remaining)


def _summed(told: Reconciled, parts: Sequence[Reconciled]) -> Reconciled:
    sums = {name: sum(getattr(part, name) for part in parts) for name in ("found", "queued", "known", "left")}
    return replace(told, **sums)


def _upstream(services: Services, name: str, table: RepositorySettings) -> Upstream:
    if table.source == "github":
        return GitHubUpstream(services.github, services.ledger, name)
    return CloneUpstream(Path(table.source), name)


def _spelled(services: Services, name: str, described: Described | None = None) -> str:
    """How a repository is recorded: as GitHub spells it, or as it is in the ledger already.

    One that was given another name altogether keeps the one that its settings have.
    """
    if described and described.name.lower() == name.lower() and services.repository(name).source == "github":
        return described.name
    if described and described.name.lower() != name.lower():
        tables = services.settings.daybook_repositories
        remedy = "change it in daybook.toml" if tables else "none: it is followed by its new name from its next push on"
        log.warning("repository_renamed", repository=name, now=described.name, remedy=remedy)
    return next((known for known in services.ledger.repositories() if known.lower() == name.lower()), name)


def _followed_by(services: Services, name: str, described: Described) -> str:
    """The other name that a repository was given, if it is followed by that name too; else ""."""
    now = described.name.lower()
    if now == name.lower() or services.settings.repository(now) is None:
        return ""
    known = (known.lower() for known in services.ledger.repositories())
    return described.name if services.settings.daybook_repositories or now in known else ""


def _branch(run: _Run, branch: str, head: str) -> Reconciled:
    ledger = run.services.ledger
    done = ledger.reconciled_heads(run.repository).get(branch)
    way = _way(run, branch, done, head)
    settled = _settled(run, way.landings)
    told = replace(_recorded(run, branch, settled), left=len(way.landings) - len(settled))
    if len(settled) == len(way.landings):
        if done and not way.straight:
            _note_forced(run, ForcedPush(branch=branch, before=done, after=head, pushed_at=run.now))
        ledger.save_reconciled(run.repository, {branch: head})
    elif settled and way.straight:
        ledger.save_reconciled(run.repository, {branch: settled[-1].head.sha})
    return told


def _way(run: _Run, branch: str, done: str | None, head: str) -> Way:
    """What landed since the last known commit of the branch; without one, since the first day it was heard of."""
    ledger = run.services.ledger
    base = done or ledger.first_before(run.repository, branch)
    if base == head:
        return Way(())
    if base and (way := run.upstream.between(base, head)):
        return way
    return Way(tuple(run.upstream.within(head, _since(run))), straight=base is None)


def _since(run: _Run) -> datetime:
    ledger = run.services.ledger
    outcome = ledger.outcome(run.repository)
    last = outcome.answered_at if outcome and outcome.answered_at else ledger.first_seen(run.repository)
    day = ledger.day_of(max(min(last, run.now), run.now - LONGEST_AGO))
    return day_bounds(day, ledger.zone)[0]


def _settled(run: _Run, landings: Sequence[Landing]) -> list[Landing]:
    """The landings up to the first whose delivery may be under way, which knows better when it landed.

    With polling there is nothing to wait for.
    """
    if run.found_by is Found.POLL:
        return list(landings)
    latest = run.now - timedelta(seconds=SETTLE_SECONDS)
    fresh = [landing.head.sha for landing in landings if landing.head.committed_at > latest]
    delivered = run.services.ledger.known(run.repository, fresh)
    return list(takewhile(lambda one: one.head.committed_at <= latest or one.head.sha in delivered, landings))


def _recorded(run: _Run, branch: str, landings: Sequence[Landing]) -> Reconciled:
    ledger = run.services.ledger
    shas = [commit.sha for landing in landings for commit in landing.commits]
    known = ledger.known(run.repository, shas)
    queued, met = 0, len(known)
    for landing in landings:
        commits = tuple(_commits(run, branch, landing, known))
        if not commits:
            continue
        push = Push(repository=run.repository, branch=branch, before=landing.before, after=landing.head.sha,
                    pushed_at=commits[0].landed_at, delivery="", commits=commits)  # fmt: skip
        fresh, twice = ledger.receive(push, messages(Stage.FETCH, [commit.id for commit in commits]))
        queued, met = queued + fresh, met + twice
    return Reconciled(run.repository, run.upstream.kind, found=len(shas), queued=queued, known=met)


def _commits(run: _Run, branch: str, landing: Landing, known: set[str]) -> Iterator[Commit]:
    """What a landing brought and nobody has told of yet; all of it landed when its first-parent commit was made."""
    landed_at = min(landing.head.committed_at, run.now).astimezone(UTC)
    arrival = Arrival(run.repository, branch, landed_at, run.found_by)
    for position, told in enumerate(landing.commits):
        if told.sha in known:
            continue
        commit = taken_commit(
            arrival,
            run.table,
            sha=told.sha,
            message=told.message,
            author=told.author.name,
            login=told.author.login,
            committed_at=told.committed_at,
            position=position,
        )
        if commit:
            yield commit


def _note_forced(run: _Run, push: ForcedPush) -> None:
    """Write down a forced push that no delivery told of."""
    ledger = run.services.ledger
    outcome = ledger.outcome(run.repository)
    since = outcome.answered_at if outcome and outcome.answered_at else run.now - FORCED_DAYS
    told = ledger.forced_pushes(run.repository, since - timedelta(minutes=5), run.now + timedelta(days=1))
    # One that led to where the branch stood the last time is an earlier one.
    if not any(one.branch == push.branch and one.after != push.before for one in told):
        seen = Push(repository=run.repository, **push.model_dump(), forced=True, delivery="seen", commits=())
        ledger.receive(seen, [])


def _ask_what_was_replaced(run: _Run) -> None:
    ledger = run.services.ledger
    for push in ledger.forced_pushes(run.repository, run.now - FORCED_DAYS, run.now + timedelta(days=1)):
        asked, _ = ledger.replaced(run.repository, push)
        if not asked:
            ledger.save_replaced(run.repository, push, run.upstream.missing(push.before, push.after))
