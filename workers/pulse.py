"""A sign of life: each worker process writes down every few seconds that it is there, for `daybook check`."""

from __future__ import annotations

import os
import socket
import threading
import time

import redis
import structlog

from core.ledger import Ledger

log = structlog.get_logger()

PULSE_SECONDS = 15.0
GONE_SECONDS = 60.0  # a process that was silent for so long is dead, or cut off from Redis


def start_pulse(ledger: Ledger, name: str, seconds: float = PULSE_SECONDS) -> None:
    """Begin to write signs of life under `name@host/pid`, from a thread of its own, until the process ends.

    The ledger must be this thread's own: children that the process forks must not find its connection in use.
    """
    process = f"{name}@{socket.gethostname()}/{os.getpid()}"
    threading.Thread(target=_beat, args=(ledger, process, seconds), name="pulse", daemon=True).start()


def _beat(ledger: Ledger, process: str, seconds: float) -> None:
    while True:
        try:
            ledger.pulse(process)
        except redis.RedisError as error:
            log.warning("pulse_failed", reason=type(error).__name__)
        time.sleep(seconds)
