"""Makes an httpx2 client obey deadlines."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

from workers.deadlines import current


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
