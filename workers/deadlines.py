"""Deadlines over whole calls: the timeouts of HTTP clients are for each wait, so a server that drips is never late.

Inside `within(90.0)` every wait of this thread ends at the deadline, on urllib3 with `urllib3_deadlines` loaded, and on
an httpx2 client that was told to obey (`httpx2_deadlines`).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

PATIENCE_SECONDS = 540.0  # where nobody set a deadline

_current = threading.local()


class Deadline:
    """A moment after which this thread's network calls end with an error, whatever the server does."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self._watched: HTTPConnection | None = None
        self._timer: threading.Timer | None = None
        self._guard = threading.Lock()

    @property
    def left(self) -> float:
        """Seconds until then, at least 0."""
        return max(0.0, self._at - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether it is past."""
        return self.left == 0.0

    def watch(self, connection: HTTPConnection | None) -> None:
        """Remember the connection that is in use; refuses a new request when the time is up.

        The first one starts the timer, which is a thread: clients that keep to a deadline by themselves do without.
        """
        with self._guard:
            self._watched = connection
            if connection is not None and self._timer is None:
                self._timer = threading.Timer(self.left, self.cut)
                self._timer.daemon = True
                self._timer.start()
        if connection is not None and self.over:
            raise TimeoutError("the deadline is over")

    def end(self) -> None:
        """Watch nothing any more."""
        self.watch(None)
        if self._timer:
            self._timer.cancel()

    def cut(self) -> None:
        """Wake the thread out of its wait: shutting a socket down ends a read, which closing it does not."""
        with self._guard:
            used = self._watched.sock if self._watched else None
            if used is not None:
                with suppress(OSError):  # it may have ended by itself
                    socket.socket.shutdown(used, socket.SHUT_RDWR)  # not SSLSocket's own, which drops the TLS state


@contextmanager
def within(seconds: float) -> Iterator[Deadline]:
    """Limit the network calls that this thread makes inside the block to `seconds` in all, or to an outer limit."""
    before = current()
    deadline = _current.deadline = Deadline(min(seconds, before.left) if before else seconds)
    try:
        yield deadline
    finally:
        deadline.end()
        _current.deadline = before


def seconds_left(deadline: Deadline | None) -> float:
    """Seconds until a deadline, or the patience there is without one."""
    return deadline.left if deadline else PATIENCE_SECONDS


def current() -> Deadline | None:
    """The deadline that this thread works under."""
    return getattr(_current, "deadline", None)
