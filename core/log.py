"""Logs of every process: one line an event, with ids and never bodies; set secrets are blotted out."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.settings import Settings

SHORTEST_SECRET = 6  # blotting out shorter values would garble ordinary words


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Imports inside the block find no such package."""
    missing = object()
    before = sys.modules.get(package, missing)
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]
        if before is not missing:
            sys.modules[package] = before  # type: ignore[assignment]


# structlog loads rich, where it is installed, for coloured tracebacks that no process of ours prints: a tenth of a
# second and 5 MB each. Whoever starts a process imports this file before the others that log.
with _hidden("rich"):
    import structlog


class _Blot(logging.Formatter):
    """Replaces every secret value in a finished line, tracebacks included."""

    def __init__(self, inner: logging.Formatter, secrets: Sequence[str]) -> None:
        super().__init__()
        self._inner = inner
        self._secrets = sorted((secret for secret in secrets if len(secret) >= SHORTEST_SECRET), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line = self._inner.format(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line


def only_errors() -> None:
    """Let a command speak for itself: events are for the processes, which set their log up themselves."""
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
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Blot(formatter, (*settings.secrets(), *extra_secrets)))
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
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    structlog.contextvars.bind_contextvars(process=process)
