"""Leases kept alive: one thread per process renews what its tasks hold, each until its stage's deadline."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import redis
import structlog

from core.ledger import Claim, Ledger
from core.redis_connections import briefly

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger()


class Leases:
    """The leases of this process. A stage that outlives its deadline loses its lease, so that others may try."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: dict[str, tuple[str, float]] = {}
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def hold(self, claim: Claim, seconds: float) -> Iterator[None]:
        """Keep a claim's lease alive inside the block, for at most `seconds`."""
        with self._guard:
            self._held[claim.id] = (claim.token, time.monotonic() + seconds)
            if not self._thread or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._beat, name="leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._guard:
                if self._held.get(claim.id, ("", 0.0))[0] == claim.token:
                    del self._held[claim.id]

    def _beat(self) -> None:
        missed = set[tuple[str, str]]()
        while True:
            time.sleep(self._ledger.lease_seconds / 3)
            now = time.monotonic()
            with self._guard:
                alive = [(commit_id, token) for commit_id, (token, until) in self._held.items() if now < until]
            try:
                missed = self._renewed(alive, missed)
            except redis.RedisError as error:
                log.warning("lease_renewal_failed", reason=briefly(error))

    def _renewed(self, alive: list[tuple[str, str]], missed: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Renew, and return which leases are not held any more; those that were `missed` before already are told of.

        A stage gives its lease up a moment before its block ends, so that missing it once says nothing.
        """
        lost = self._ledger.renew(alive)
        gone = {(commit_id, token) for commit_id, token in alive if commit_id in lost}
        for commit_id, _ in gone & missed:
            log.warning("lease_lost", commit=commit_id)
        return gone
