"""Calls to outside services under their shared pause: none while one lasts, and a limit that is met starts one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from core.errors import Transient
from core.ledger import Ledger

PUBLISHING: Final = "github:publish"  # GitHub by a PUBLISH_TOKEN of its own
SERVICES: Final = ("github", PUBLISHING, "anthropic")  # that many callers share; each channel is one too


class Paused(Transient):
    """The service is paused for everyone; `retry_after` is when this caller's place comes. It never counts."""

    def __init__(self, reason: str, wait: float, *, refused: bool = False) -> None:
        super().__init__(reason, retry_after=wait, shared=True, refused=refused)


@contextmanager
def admitted(ledger: Ledger, service: str) -> Iterator[None]:
    """Call a service (`github`, `anthropic`, a channel's) inside the block.

    Raises Paused instead of calling it, and when the call meets a limit.
    """
    admission = ledger.admit(service)
    if admission.wait:
        raise Paused(_said(ledger, service), admission.wait)
    try:
        yield
    except Transient as error:
        if not error.shared:
            raise
        if error.refused:
            ledger.refuse(service, str(error))
        place = ledger.pause(service, error.retry_after, str(error))
        raise Paused(str(error), place, refused=error.refused) from error
    if admission.refused:
        ledger.accepted(service)


def _said(ledger: Ledger, service: str) -> str:
    pause = ledger.pauses([service]).get(service)
    why = f": {pause.why}" if pause and pause.why else ""
    return f"calls to {service} are paused{why}"
