"""What is built to stay: Python's collector rests meanwhile, or leaves alone for good what a process starts with."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_settled = False


def settle() -> None:
    """Set all that exists now aside for good: neither this process nor a child of it will look through it again.

    A child that did would write to, and so copy, every object of its parent.
    """
    global _settled  # it holds for the process and its children; to count what is set aside is to walk all of it
    gc.collect()
    gc.freeze()
    _settled = True


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let the collector of cycles rest; what is made by the thousand and stays is nothing for it.

    It holds for the process: other threads' cycles wait some milliseconds too. Where several do so at once, it works
    again when the first of them, which found it working, has ended. What was made in the meantime counts as old from
    then on, or its first work would be to look through all of it.
    """
    working = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if working:
            if not _settled:  # else what was set aside would come back with the rest
                gc.freeze()
                gc.unfreeze()  # into the oldest generation, in a step that looks at nothing
            gc.enable()
