"""The price table: whole, by the documented multiples, and what a call costs by it."""

from __future__ import annotations

import tomllib

import pytest

from core.models import Usage
from core.settings import Settings
from workers import prices
from workers.prices import price_of

NAMES = [model["name"] for model in tomllib.loads(prices._TABLE.read_text(encoding="utf-8"))["model"]]
USAGE = Usage(input_tokens=1_000, cached_tokens=3_000, cache_write_tokens=2_000, output_tokens=500, calls=1)


@pytest.mark.parametrize("name", NAMES)
def test_every_price_follows_the_documented_multiples(name: str) -> None:
    price = price_of(name)
    assert price
    assert price.cache_write == pytest.approx(1.25 * price.input)
    assert price.cache_write_1h == pytest.approx(2 * price.input)
    assert 0.05 * price.input <= price.cache_read <= 0.1 * price.input
    assert price.output == pytest.approx(5 * price.input)
    assert 512 <= price.cache_minimum <= 4_096
    assert price.window in {200_000, 1_000_000}
    assert price.batch_factor == 0.5


def test_the_default_models_have_a_price() -> None:
    fields = Settings.model_fields
    assert all(price_of(fields[f"daybook_model_{tier}"].default) for tier in ("high", "medium", "low"))


def test_a_dated_snapshot_costs_what_its_model_costs() -> None:
    assert price_of("claude-haiku-4-5-20251001") == price_of("claude-haiku-4-5")
    assert price_of("claude-haiku-4-5x") is None


def test_the_cost_of_a_call_in_dollars() -> None:
    price = price_of("claude-sonnet-5-5")
    assert price
    # 1,000 fresh at 2, 3,000 read at 0.10, 2,000 written at 2.50 or 4, 500 answered at 10, per million.
    assert price.cost(USAGE) == pytest.approx(0.0123)
    assert price.cost(USAGE, lifetime="1h") == pytest.approx(0.0153)
    assert price.cost(USAGE, batch=True) == pytest.approx(0.00615)


def test_a_prompt_over_the_limit_costs_more_and_cached_tokens_count() -> None:
    price = price_of("claude-haiku-5-5")
    assert price
    at = Usage(input_tokens=10_000, cached_tokens=90_000, output_tokens=1_000)
    assert price.cost(at) == pytest.approx((10_000 * 0.1 + 90_000 * 0.01 + 1_000 * 0.5) / 1e6)
    over = at.model_copy(update={"input_tokens": 10_001})
    assert price.cost(over) == pytest.approx(5 * (10_001 * 0.1 + 90_000 * 0.01 + 1_000 * 0.5) / 1e6)
