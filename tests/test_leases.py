"""A stage's lease is kept for it, and only one that is really lost is told of."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from structlog.testing import capture_logs

from core.ledger import Ledger
from tests.conftest import SHANGHAI
from tests.test_ledger import claimed, lose_leases, received
from workers.leases import Leases


class Stepped(Ledger):
    """A ledger whose renewals of leases go through one at a time."""

    def __init__(self, url: str) -> None:
        super().__init__(url, SHANGHAI, lease_seconds=0.6, patience_seconds=0.6)
        self.comes, self.goes, self.stepped = threading.Semaphore(0), threading.Semaphore(0), True

    def renew(self, held: Iterable[tuple[str, str]]) -> set[str]:
        if self.stepped:
            self.comes.release()
            assert self.goes.acquire(timeout=60)
        return super().renew(held)

    def step(self) -> None:
        """Let the renewal that waits through; return when all that follows it was done."""
        self.goes.release()
        assert self.comes.acquire(timeout=60)


def test_a_lease_that_was_given_up_a_moment_ago_is_not_told_of_and_one_that_is_lost_is(redis_url: str) -> None:
    ledger = Stepped(redis_url)
    received(ledger, 1)
    claim = claimed(ledger)
    with capture_logs() as lines, Leases(ledger).hold(claim, 60):
        assert ledger.comes.acquire(timeout=60)
        ledger.step()
        ledger.retry(claim, 0, "given up")
        ledger.step()
        assert lines == []
        ledger.step()
        assert lines == [{"event": "lease_lost", "commit": claim.id, "log_level": "warning"}]
        ledger.stepped = False
        ledger.goes.release()
    ledger.close()


def test_a_lease_that_is_kept_outlives_its_seconds(redis_url: str) -> None:
    ledger = Ledger(redis_url, SHANGHAI, lease_seconds=1.5)
    received(ledger, 1)
    claim = claimed(ledger)
    with Leases(ledger).hold(claim, 60):
        lose_leases(ledger)
        assert ledger.retry(claim, 0, "still ours")
    ledger.close()
