"""The collector rests while much is built, and works again afterwards, whatever happened meanwhile."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from core.undisturbed import undisturbed


@undisturbed()
def broken() -> None:
    """Build something within something, and fail."""
    assert not gc.isenabled()
    with undisturbed():
        pass
    assert not gc.isenabled(), "the outer one is not over"
    raise LookupError


def test_the_collector_rests_and_works_again_even_after_an_error() -> None:
    assert gc.isenabled()
    for _ in range(2):
        with pytest.raises(LookupError):
            broken()
        assert gc.isenabled()


def test_what_was_made_is_not_looked_through_when_it_works_again_and_garbage_is_found_later() -> None:
    gc.collect()
    looked_at: list[int] = []

    def watch(phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            looked_at.append(len(gc.get_objects(0)))

    gc.callbacks.append(watch)
    try:
        with undisturbed():
            made: list[object] = [[] for _ in range(50_000)]
            ring: list[object] = [made]
            ring.append(ring)
        [[] for _ in range(5_000)]
        assert all(count < 50_000 for count in looked_at)
        del made, ring
        assert gc.collect() > 0
    finally:
        gc.callbacks.remove(watch)


def test_a_collector_that_was_at_rest_before_stays_so() -> None:
    gc.disable()
    try:
        with undisturbed():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


SETTLED = """
import gc
from core.undisturbed import settle, undisturbed

settle()
aside = gc.get_freeze_count()
with undisturbed():
    made = [[] for _ in range(1_000)]
assert gc.isenabled()
assert 0 < aside == gc.get_freeze_count(), "what was set aside came back"
made.append(made)
del made
assert gc.collect() > 0, "what was made since is looked through"
"""


def test_what_was_set_aside_for_good_stays_aside() -> None:
    subprocess.run([sys.executable, "-c", SETTLED], check=True)  # it would hold for the process of these tests
