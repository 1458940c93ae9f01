"""What our libraries load and few or none of our processes use: not loaded, or when it is first used.

structlog loads rich for tracebacks in colour, redis-py the metrics of OpenTelemetry, which anthropic brings, and a
second client for asyncio, a sixth of a command's start. Whoever starts a process imports this file before the others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from threading import RLock
from typing import TYPE_CHECKING, Any

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


def later(package: str, *, without: str = "") -> None:
    """Let a package load when the first of its names is asked for, and then without another; importing it does not.

    Its modules can be imported by themselves. Python's own LazyLoader loads a package for them, and in 3.11 a second
    thread that asks meanwhile may find it half loaded.
    """
    parent, _, _ = package.rpartition(".")
    spec = PathFinder.find_spec(package, _path_of(parent) if parent else None)
    if package in sys.modules or spec is None or spec.loader is None:
        return  # whoever imports what is not there is told so
    module, loader, loading = module_from_spec(spec), spec.loader, RLock()

    def load(name: str) -> Any:
        with loading:
            if (then := _waiting.pop(package, None)) is not None:
                with hidden(without) if without else nullcontext():
                    loader.exec_module(module)
                for do in then:
                    do()
        if name in vars(module):
            return vars(module)[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    module.__getattr__ = load  # type: ignore[method-assign]
    sys.modules[package] = module
    _waiting[package] = []


def once_loaded(package: str, do: Callable[[], None]) -> None:
    """Do something when a package is loaded that may be so `later`; at once when it is already."""
    if package in _waiting:
        _waiting[package].append(do)
    else:
        do()


_waiting: dict[str, list[Callable[[], None]]] = {}  # what is to be done when a package is loaded that is not yet


def _path_of(package: str) -> list[str] | None:
    """Where a package's modules lie; it is not loaded for that."""
    spec = PathFinder.find_spec(package)
    return spec.submodule_search_locations if spec else None


later("structlog", without="rich")
later("redis.asyncio")
with hidden("opentelemetry"):
    import redis  # noqa: F401 - loaded here, so that it is loaded without it
