"""What our libraries load where it is installed and no process of ours uses: a tenth of a second and 5 MB each.

structlog loads rich for tracebacks in colour, redis-py the metrics of OpenTelemetry, which anthropic brings. Whoever
starts a process imports this file before the others; what is loaded later finds both packages as ever.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def hidden(package: str) -> Iterator[None]:
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


with hidden("rich"):
    import structlog  # noqa: F401 - loaded here, so that it is loaded without it
with hidden("opentelemetry"):
    import redis  # noqa: F401
