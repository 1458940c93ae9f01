"""The collector rests while much is built, and works again afterwards, whatever happened meanwhile."""

from __future__ import annotations

import gc

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


def test_a_collector_that_was_at_rest_before_stays_so() -> None:
    gc.disable()
    try:
        with undisturbed():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
