"""Building many objects that stay, without Python's collector looking through them again and again meanwhile."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let the collector of cycles rest; what is made by the thousand and stays is nothing for it.

    It holds for the process: other threads' cycles wait some milliseconds too. Where several do so at once, it works
    again when the first of them, which found it working, has ended.
    """
    working = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if working:
            gc.enable()
