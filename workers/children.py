"""How many child processes the control worker keeps: one for each task that takes long, and two that are free.

Celery's own autoscaler forks for every message that waits, so that each minute's rounds, which take milliseconds, would
start as many children as there are kinds of them.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any, cast

import billiard.pool
from celery.worker import state
from celery.worker.autoscale import Autoscaler

FREE = 2  # so that the sweep is never stuck behind what takes long, and a burst of short rounds is soon through
LOOK_SECONDS = 0.5
LONG_SECONDS = 0.3
KEEP_SECONDS = 20.0  # how long a child that nothing needs is kept

# A child that ends waits until its parent has read its last result, for half a minute by itself. A parent that ends too
# may read no more, and no result of ours says anything: in tenths of a second.
billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 10


def wanted(held: int, stuck: int, most: int) -> int:
    """How many children there should be while `held` of them are at long tasks and `stuck` tasks find none."""
    return min(held + max(stuck, FREE), most)


class Children(Autoscaler):
    """Looks every half second, in the worker's own loop, and starts or ends children."""

    def __init__(self, pool: Any, most: int, least: int = FREE, worker: Any = None, mutex: Any = None) -> None:
        super().__init__(pool, most, least, worker=worker, keepalive=LOOK_SECONDS, mutex=mutex)
        self._waiting: Collection[str] = ()
        self._needed_at = time.monotonic()

    def _maybe_scale(self, req: object = None) -> bool:
        if req is not None:  # a message says nothing yet: most tasks are done before the next look
            return False
        need = wanted(_held(), self._stuck(), self.max_concurrency)
        now, pool = time.monotonic(), cast("Any", self.pool)
        if need >= self.processes:
            self._needed_at = now
        if need > self.processes:
            pool.grow(need - self.processes)
            return True
        if need < self.processes and now - self._needed_at > KEEP_SECONDS:
            with suppress(ValueError):  # all are at work after all
                pool.shrink(self.processes - need)
            return True
        return False

    def _stuck(self) -> int:
        """How many tasks no child has taken since the last look."""
        waiting = {request.id for request in state.reserved_requests if request not in state.active_requests}
        before, self._waiting = self._waiting, waiting
        return len(waiting.intersection(before))


def _held() -> int:
    now = time.time()
    return sum(1 for request in state.active_requests if now - request.time_start > LONG_SECONDS)
