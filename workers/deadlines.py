"""Deadlines over whole calls: the timeouts of HTTP clients are for each wait, so a server that drips is never late.

Inside `within(90.0)` every wait of this thread on urllib3 or httpx2 ends at the deadline.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpcore2
import httpx2
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_current = threading.local()


class Deadline:
    """A moment after which this thread's network calls end with an error, whatever the server does."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self._watched: HTTPConnection | None = None
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
        """Remember the connection that is in use; refuses a new request when the time is up."""
        with self._guard:
            self._watched = connection
        if connection is not None and self.over:
            raise TimeoutError("the deadline is over")

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
    timer = threading.Timer(deadline.left, deadline.cut)
    timer.daemon = True
    timer.start()
    try:
        yield deadline
    finally:
        timer.cancel()
        deadline.watch(None)
        _current.deadline = before


def current() -> Deadline | None:
    """The deadline that this thread works under."""
    return getattr(_current, "deadline", None)


class _Plain(HTTPConnection):
    def request(self, *arguments: Any, **options: Any) -> None:
        if deadline := current():
            deadline.watch(self)
        super().request(*arguments, **options)


class _Tls(HTTPSConnection):
    def request(self, *arguments: Any, **options: Any) -> None:
        if deadline := current():
            deadline.watch(self)
        super().request(*arguments, **options)


# PyGithub makes its sessions itself; urllib3's own seam for another connection class is this attribute. Calls outside
# of `within` are not affected.
HTTPConnectionPool.ConnectionCls = _Plain
HTTPSConnectionPool.ConnectionCls = _Tls


class _Stream(httpcore2.NetworkStream):
    """A network stream none of whose waits is longer than what is left of its thread's deadline."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _shortened(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _shortened(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        shorter = _shortened(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, shorter))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        shorter = _shortened(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, shorter, local_address, socket_options))


def _shortened(timeout: float | None, late: type[Exception]) -> float | None:
    deadline = current()
    if deadline is None:
        return timeout
    if deadline.over:
        raise late("the deadline is over")
    return deadline.left if timeout is None else min(timeout, deadline.left)


def obey(client: httpx2.Client) -> None:
    """Make an httpx2 client end its waits at deadlines, through its proxies too; httpx2 has no public way for it."""
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001
