"""Measurements that a message quotes: which are found, and how much of a gain each tells of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import Reason, Tier
from core.settings import RepositorySettings
from tests.patches import commit, diff, edited
from workers.facts import facts_from
from workers.measurements import best_gain, measurements
from workers.rules import load_rules
from workers.triage import triage

TOLD: dict[str, tuple[str, float]] = {
    "It is 1.35x faster now.": ("1.35x faster", 1.35),
    "top-p is 10-29x faster": ("10-29x faster", 29.0),
    "a speedup of 2x": ("speedup of 2x", 2.0),
    "12% less memory": ("12% less", 1.12),
    "from 120 ms -> 80 ms": ("120 ms -> 80 ms", 1.5),
    "from 16 to 13 us": ("16 to 13 us", 16 / 13),
    "from 2,000 to 3,400 tok/s": ("2,000 to 3,400 tok/s", 1.7),
    "from 3,400 to 2,000 tok/s": ("3,400 to 2,000 tok/s", 2 / 3.4),
    "2x slower without it": ("2x slower", 1.0),
    "at 3,400 tok/s": ("3,400 tok/s", 1.0),
}


@pytest.mark.parametrize("text", TOLD)
def test_a_measurement_and_its_gain(text: str) -> None:
    said, times = TOLD[text]
    assert measurements(text) == (said,)
    assert best_gain([said]).times == pytest.approx(times)


def test_the_largest_gain_is_named() -> None:
    assert best_gain(measurements("1.1x faster, and 3x faster in prefill")) == (3.0, "3x faster")
    assert best_gain(()) == (1.0, "")


def test_what_measures_a_gain_is_high_where_many_have_it() -> None:
    def judged(message: str) -> tuple[Tier, Reason]:
        shown = edited("app/core.py", "    return a + 1", "    return a + 2")
        made, plain = commit(message), RepositorySettings(name="octocat/hello-world")
        found = triage(made, facts_from(made, diff(shown)), load_rules(), plain)
        return found.tier, found.reasons[0]

    assert judged("Skip the reset\n\nDecoding is 1.23x faster.") == (
        Tier.HIGH,
        Reason(code="measured", subject="1.23x faster"),
    )
    assert judged("Skip the reset\n\nDecoding is 1.05x faster.")[0] is Tier.MEDIUM
    assert judged("[rocm] Skip the reset\n\nDecoding is 1.23x faster.")[0] is Tier.MEDIUM


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    found = measurements(text)
    assert len(found) <= 8
    assert all(len(said) <= 60 and "\n" not in said for said in found)
    assert best_gain(found).times >= 0
