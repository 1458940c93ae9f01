"""Which repositories are followed, and whose turn it is to be polled or reconciled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import redis
import structlog

from core.models import Found
from workers.deliveries import ask_again
from workers.reconcile import Reconciled, reconcile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workers.services import Services

log = structlog.get_logger()

RECONCILE_SECONDS = 3600.0
LEFT_SECONDS = 300.0  # until what was left to its delivery is looked at again
POLL_SECONDS = 60.0
LONGEST_POLL_SECONDS = 3600.0
FAILED_POLL_SECONDS = 120.0
PLENTY = 0.5  # of the allowed requests; with less of them left, polls come more rarely
# One round over all repositories, and the work on one of them; each longer than its requests may take.
ROUND_SECONDS = 240.0
LOCK_SECONDS = 900.0


def followed(services: Services) -> list[str]:
    """The repositories that can be asked about: those of daybook.toml, else those that pushes arrived from."""
    tables = services.settings.daybook_repositories
    names = [table.name for table in tables] or services.ledger.repositories()
    return [name for name in names if has_source(services, name)]


def has_source(services: Services, name: str) -> bool:
    """Whether there is someone to ask: not for `local/…`, which is on no host, nor for what is followed no more."""
    table = services.settings.repository(name)
    return table is not None and (table.source != "github" or not name.startswith("local/"))


def found_by(services: Services, name: str) -> Found:
    """What commits count as that a comparison finds: polling is the way of a repository without a webhook."""
    return Found.BACKFILL if "webhook" in services.repository(name).follow else Found.POLL


def reconcile_due(services: Services) -> None:
    """Reconcile the repositories whose hour is over, and ask GitHub for the deliveries that failed."""

    def work(name: str) -> None:
        result = reconcile(services, name, found_by(services, name))
        if result.left or result.retry_after:
            soon = max(LEFT_SECONDS, result.retry_after or 0.0)
            services.ledger.next_turn(turn("reconcile", name), min(soon, RECONCILE_SECONDS))
        table = services.repository(name)
        if result.ok and not result.renamed and table.source == "github" and "webhook" in table.follow:
            ask_again(services, name)

    _round(services, "reconcile", followed(services), RECONCILE_SECONDS, work)


def poll_due(services: Services) -> None:
    """Poll the repositories that are followed without a webhook, each at its own pace."""

    def work(name: str) -> None:
        result = reconcile(services, name, Found.POLL)
        services.ledger.next_turn(turn("poll", name), poll_seconds(result))

    polled = [name for name in followed(services) if "poll" in services.repository(name).follow]
    _round(services, "poll", polled, POLL_SECONDS, work)


def poll_seconds(result: Reconciled) -> float:
    """How long to wait before the next poll: longer when few requests are left, or after a failure."""
    if not result.ok:
        return min(LONGEST_POLL_SECONDS, max(FAILED_POLL_SECONDS, result.retry_after or 0.0))
    if result.remaining is None or result.remaining >= PLENTY:
        return POLL_SECONDS
    return min(LONGEST_POLL_SECONDS, POLL_SECONDS * PLENTY / max(result.remaining, 1e-6))


def turn(kind: str, name: str) -> str:
    """The ledger's name for a turn."""
    return f"{kind}:{name.lower()}"


def _round(services: Services, kind: str, names: Iterable[str], seconds: float, work: Callable[[str], None]) -> None:
    """Do what is due, one repository after the other; a second call meanwhile leaves at once."""
    ledger = services.ledger
    whole = ledger.lock(f"round:{kind}", LOCK_SECONDS)
    if not whole.acquire():
        return
    until = time.monotonic() + ROUND_SECONDS
    try:
        for name in names:
            if time.monotonic() > until:
                return  # the others keep their turn for the next round
            _in_turn(services, kind, name, seconds, work)
            whole.reacquire()
    except redis.exceptions.LockError:
        log.warning("round_slow", kind=kind, seconds=LOCK_SECONDS)
    finally:
        _release(whole)


def _in_turn(services: Services, kind: str, name: str, seconds: float, work: Callable[[str], None]) -> None:
    """Do the work for a repository when it is due and nobody else asks about it."""
    lock = services.ledger.lock(f"upstream:{name.lower()}", LOCK_SECONDS)
    if not lock.acquire():
        return
    try:
        if services.ledger.take_turn(turn(kind, name), seconds):
            work(name)
    finally:
        _release(lock)


def _release(lock: redis.lock.Lock) -> None:
    try:
        lock.release()
    except redis.exceptions.LockError:
        log.warning("lock_lost", lock=str(lock.name))
