"""Suspects: commits whose worker died with them, each worked on by a child process that does nothing else meanwhile.

The control worker's parent process sees its children die; it is the proof that counts against a commit. A parent that
dies takes its children with it and proves nothing: their leases run out, and the commits stay suspects.
"""

from __future__ import annotations

import signal
from typing import Any

import redis
import structlog
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_failure, worker_process_init

from core.redis_connections import briefly
from core.redis_server import die_with_parent
from workers.services import current
from workers.standstill import end_when_stuck

log = structlog.get_logger()


@worker_process_init.connect
def _child_started(**_: Any) -> None:
    die_with_parent(signal.SIGKILL)
    end_when_stuck(current().ledger.lease_seconds)


@task_failure.connect
def _count_loss(sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
    if sender.name != "daybook.suspect" or not isinstance(exception, WorkerLostError | TimeLimitExceeded):
        return
    try:
        commit = current().ledger.lost_alone(task_id)
    except redis.RedisError as error:  # its lease runs out then, which counts less
        log.warning("redis_failed", task="daybook.suspect", reason=briefly(error))
    else:
        log.warning("suspect_lost", commit=commit, reason=type(exception).__name__)
