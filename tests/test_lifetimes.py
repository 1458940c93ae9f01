"""The lifetime of a cached prompt: whatever the rhythm of the calls, what is chosen costs about the least."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.lifetimes import Lifetimes
from workers.prices import Lifetime, price_of

MODEL = "claude-haiku-5-5"
HOUR = 3600.0


class Clock:
    """Seconds, set by the test."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def chosen(times: list[float], model: str = MODEL) -> list[Lifetime | None]:
    clock = Clock()
    lifetimes = Lifetimes(clock)
    found = list[Lifetime | None]()
    for clock.now in times:
        found.append(lifetimes.choose(model, "prompt"))
    return found


def cost(times: list[float], lifetimes: list[Lifetime | None]) -> float:
    """The mean cost of a call in multiples of the input price, where an entry is ready at once."""
    price, until, total = price_of(MODEL), -1.0, 0.0
    assert price
    for at, lifetime in zip(times, lifetimes, strict=True):
        if lifetime is None:
            total += price.input
            continue
        total += price.cache_read if at < until else price.cache_write if lifetime == "5m" else price.cache_write_1h
        until = max(until, at + (300 if lifetime == "5m" else HOUR))
    return total / len(times) / price.input


def every(seconds: float, calls: int) -> list[float]:
    return [n * seconds for n in range(calls)]


def test_a_burst_is_cached_for_five_minutes_from_its_first_call() -> None:
    assert chosen(every(5, 30)) == ["5m"] * 30


def test_lone_calls_are_soon_not_cached_any_more() -> None:
    found = chosen(every(5 * HOUR, 40))
    assert found[0] == "5m"
    assert found[15:] == [None] * 25


def test_calls_some_minutes_apart_are_cached_for_an_hour() -> None:
    assert chosen(every(900, 60))[40:] == ["1h"] * 20


def test_a_new_rhythm_is_followed() -> None:
    slow = every(5 * HOUR, 40)
    burst = [slow[-1] + 10 * HOUR + at for at in every(5, 40)]
    found = chosen(slow + burst)
    assert found[39] is None
    assert found[-1] == "5m"


def test_calls_before_the_first_answer_has_begun_find_no_entry() -> None:
    assert chosen([0.0] * 40)[-1] is None


def test_prompts_and_models_are_told_apart() -> None:
    clock = Clock()
    lifetimes = Lifetimes(clock)
    for clock.now in every(5 * HOUR, 40):
        lone = lifetimes.choose(MODEL, "one")
    assert lone is None
    assert lifetimes.choose(MODEL, "other") == "5m"
    assert lifetimes.choose("claude-sonnet-5-5", "one") == "5m"


def test_a_model_without_a_price_is_cached_by_the_usual_multiples() -> None:
    assert chosen(every(5, 3), "claude-unknown-9") == ["5m"] * 3


def test_threads_share_one_count() -> None:
    lifetimes = Lifetimes()
    found = list[Lifetime | None]()
    threads = [threading.Thread(target=lambda: found.append(lifetimes.choose(MODEL, "one"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8


@pytest.mark.parametrize("daily", [0.3, 1, 3, 11, 34, 150, 2_000])
def test_any_rate_costs_about_what_the_best_fixed_choice_costs(daily: float) -> None:
    rng, at = random.Random(7), 0.0
    times = [at := at + rng.expovariate(daily / 86_400) for _ in range(600)]
    fixed: list[Lifetime | None] = [None, "5m", "1h"]
    best = min(cost(times, [lifetime] * 600) for lifetime in fixed)
    assert cost(times, chosen(times)) < best + 0.03


@given(waits=st.lists(st.floats(min_value=4, max_value=100_000), min_size=60, max_size=120))
@settings(max_examples=40)
def test_no_rhythm_costs_much_more_than_no_cache(waits: list[float]) -> None:
    at = 0.0
    times = [at := at + wait for wait in waits]
    assert cost(times, chosen(times)) < 1.25
