"""Leadership: of any number of `daybook beat` one sends, and another takes over soon after it is gone."""

from __future__ import annotations

import os
import secrets
import socket
import time
from typing import TYPE_CHECKING

import redis
import structlog

from core.redis_connections import briefly

if TYPE_CHECKING:
    from core.ledger import Ledger

log = structlog.get_logger()

LEAD_SECONDS = 10.0  # after its last renewal a leader is taken for dead
RENEW_SECONDS = 2.0
LOOK_SECONDS = 1.0  # how often who stands by looks whether it may lead


class Leadership:
    """One process's part in a lead that is held in Redis. The constructor does no I/O."""

    def __init__(self, ledger: Ledger, what: str) -> None:
        self._ledger, self._what = ledger, what
        self._name = f"{what}@{socket.gethostname()}/{os.getpid()}"
        self._holder = f"{self._name} {secrets.token_hex(8)}"
        self._renewed = float("-inf")
        self._seen: str | None = None

    def is_ours(self) -> bool:
        """Whether this process leads; asks Redis when it was not asked within RENEW_SECONDS, frozen time included.

        Who could not ask does not lead: without Redis there is nothing to send to either.
        """
        now = _seconds()
        if self._seen == self._name and now - self._renewed < RENEW_SECONDS:
            return True
        try:
            leader = self._ledger.lead(self._what, self._holder, LEAD_SECONDS)
        except redis.RedisError as error:
            self._note(f"nobody known ({briefly(error)})")
            return False
        self._renewed = now
        self._note(leader.partition(" ")[0] if leader != self._holder else self._name)
        return leader == self._holder

    def resign(self) -> None:
        """Let another one lead at once; if Redis does not answer, it does so in LEAD_SECONDS."""
        try:
            self._ledger.resign(self._what, self._holder)
        except redis.RedisError as error:
            log.info("resign_failed", reason=type(error).__name__)

    def _note(self, leader: str) -> None:
        if leader != self._seen:
            log.info(f"{self._what}_leads" if leader == self._name else f"{self._what}_stands_by", leader=leader)
        self._seen = leader


def _seconds() -> float:
    """A clock that nobody sets and that runs on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
