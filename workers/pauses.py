"""Calls to outside services under their shared pause: none while one lasts, and a limit that is met starts one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import Transient
from core.ledger import Ledger


class Paused(Transient):
    """The service is paused for everyone; `retry_after` is when this caller's place comes. It never counts."""

    def __init__(self, reason: str, wait: float) -> None:
        super().__init__(reason, retry_after=wait, shared=True)


@contextmanager
def admitted(ledger: Ledger, service: str) -> Iterator[None]:
    """Call a service (`github`, `anthropic`, a channel's) inside the block.

    Raises Paused instead of calling it, and when the call meets a limit.
    """
    if wait := ledger.admit(service):
        raise Paused(f"calls to {service} are paused", wait)
    try:
        yield
    except Transient as error:
        if not error.shared:
            raise
        raise Paused(str(error), ledger.pause(service, error.retry_after)) from error
