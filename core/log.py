"""Logs of every process: one line an event, with ids and never bodies; set secrets are blotted out."""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from core.light_imports import once_loaded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.settings import Settings

_FIRST = ("timestamp", "level", "event")
SHORTEST_SECRET = 6  # blotting out shorter values would garble ordinary words


class _Blot(logging.Formatter):
    """Replaces every secret value in a finished line, tracebacks included."""

    def __init__(self, inner: logging.Formatter, secrets: Sequence[str]) -> None:
        super().__init__()
        self._inner = inner
        self._secrets = sorted((secret for secret in secrets if len(secret) >= SHORTEST_SECRET), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        return self.blotted(self._inner.format(record))

    def blotted(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line


def logfmt(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    """An event as one line: time, level and event first.

    The line is that of structlog's LogfmtRenderer, which looks at every character of every name; ours are Python's.
    """
    first = {name: value for name in _FIRST if (value := event.pop(name, None)) is not None}
    return " ".join([_pair(name, value) for name, value in {**first, **event}.items()])


def _pair(name: str, value: object) -> str:
    if value is True:
        return name
    text = "" if value is None else "false" if value is False else str(value)
    if '"' in text or "=" in text or " " in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}="{text}"'.replace("\n", "\\n")
    return f"{name}={text}".replace("\n", "\\n")


class _Lines:
    """Writes structlog's finished lines where the standard library's go, whose records of an event cost four times it.

    As there, a line that cannot be written is no reason to fail.
    """

    def __init__(self, stream: TextIO, blot: _Blot, guard: threading.RLock) -> None:
        self._stream = stream
        self._blot = blot
        self._guard = guard

    def write(self, line: str) -> None:
        """Write a line, secrets blotted out."""
        text = self._blot.blotted(line) + "\n"
        with self._guard, suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()

    debug = info = warning = error = critical = exception = write


class Log:
    """A module's log that loads structlog when there is something to tell, for what short commands load."""

    def __getattr__(self, level: str) -> Any:
        """The method of structlog's that tells an event of this level."""
        return getattr(structlog.get_logger(), level)


def only_errors() -> None:
    """Let a command speak for itself: events are for the processes, which set their log up themselves."""
    once_loaded("structlog", _configure_only_errors)


def _configure_only_errors() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def configure_logging(
    settings: Settings, process: str, *, extra_secrets: Sequence[str] = (), stream: TextIO | None = None
) -> None:
    """Send structlog's and the standard library's events of this process to standard error, one line each."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, logfmt],
    )
    blot = _Blot(formatter, (*settings.secrets(), *extra_secrets))
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(blot)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in (
        "httpx2",
        "httpcore2",
        "urllib3",
        "kombu",
        "celery.beat",
        "celery.app.trace",
        "celery.worker.strategy",
        "celery.worker.request",  # "discarding revoked task": of each round that nobody was there for in time
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    assert handler.lock  # shared, as it is made anew in a child
    lines = _Lines(handler.stream, blot, handler.lock)
    structlog.configure(
        processors=[*shared, logfmt],
        logger_factory=lambda *_: lines,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    structlog.contextvars.bind_contextvars(process=process)
