"""A sign of life: each worker process writes down every few seconds that it is there, for `daybook check`."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import redis
import structlog

from core.ledger import Ledger
from core.redis_connections import briefly

log = structlog.get_logger()

PULSE_SECONDS = 15.0
JOIN_SECONDS = 5.0
READY_STEP_SECONDS = 1.0
GONE_SECONDS = 60.0  # a process that was silent for so long is dead, or cut off from Redis


@contextmanager
def pulse(
    ledger: Ledger, name: str, seconds: float = PULSE_SECONDS, ready: threading.Event | None = None
) -> Iterator[None]:
    """Write signs of life under `name@host/pid` inside the block, from a thread of its own; its end takes the name off.

    The first is written when the process is `ready`, if an event says so.

    The ledger must be this thread's own: children that the process forks must not find its connection in use.
    """
    process = process_name(name, os.getpid())
    stopping = threading.Event()
    told = (ledger, process, seconds, stopping, ready)
    thread = threading.Thread(target=_beat, args=told, name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        if thread.is_alive():  # a forked child has no such thread, and leaves the name be
            stopping.set()
            thread.join(JOIN_SECONDS)
            _sign_off(ledger, process)


def process_name(name: str, pid: int) -> str:
    """What a process of this machine is called among those alive."""
    return f"{name}@{socket.gethostname()}/{pid}"


def _beat(
    ledger: Ledger, process: str, seconds: float, stopping: threading.Event, ready: threading.Event | None
) -> None:
    while ready and not ready.wait(READY_STEP_SECONDS):
        if stopping.is_set():
            return
    while True:
        try:
            ledger.pulse(process)
        except redis.RedisError as error:
            log.warning("pulse_failed", reason=briefly(error))
        if stopping.wait(seconds):
            return


def _sign_off(ledger: Ledger, process: str) -> None:
    try:
        ledger.sign_off(process)
    except redis.RedisError as error:  # Redis may have stopped before
        log.info("sign_off_failed", reason=type(error).__name__)
