"""The capacity page says what the committed figures say, and its arithmetic holds."""

from __future__ import annotations

import pytest

from bench.guard import BASELINE
from bench.scale import MEASURED, PAGE, TIERS, bounds, committed, figures, filled, machines, simulated, tables


def test_the_pages_tables_are_those_that_the_committed_figures_make() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, tables(figures(committed(BASELINE)))) == page, "run `python -m bench.scale --write`"


def test_a_figure_of_the_baseline_takes_the_place_of_an_earlier_one_and_says_so() -> None:
    found = figures({"memory_closed": 1500.0})
    assert found["memory_record_bytes"].value == 1500.0
    assert found["memory_record_bytes"].source == "`memory_closed` of the baseline"
    assert found["redis_writes_always_per_second"] == MEASURED["redis_writes_always_per_second"]


def test_half_the_memory_a_commit_is_twice_the_commits() -> None:
    def of(bytes_: float) -> float:
        found = bounds(figures({"memory_closed": bytes_}))
        return next(bound.commits for bound in found if "memory" in bound.what)

    assert of(1000.0) == pytest.approx(2 * of(2000.0))
    assert of(1000.0) == pytest.approx(0.8 * 64e9 / 1000 / 400)


def test_the_least_comes_first_and_a_busy_hour_needs_room() -> None:
    found = bounds(figures({}))
    assert [bound.commits for bound in found] == sorted(bound.commits for bound in found)
    assert all(bound.busy == pytest.approx(bound.commits / 3) or bound.even for bound in found)


def test_machines_help_until_something_else_ends() -> None:
    measured = figures({})
    one, ten = (machines(measured, count, None) for count in (1, 10))
    assert ten.commits == pytest.approx(10 * one.commits)
    assert machines(measured, 1000, None).how == "Redis's writes"
    for tier in TIERS:
        assert machines(measured, 1, tier).commits == machines(measured, 10, tier).commits


def test_a_day_waits_for_nothing_with_room_and_for_hours_without_and_the_same_each_time() -> None:
    assert simulated(1000, 100, 15.0) == (0.0, 0.0)
    few, many = simulated(20_000, 2, 15.0), simulated(20_000, 4, 15.0)
    assert few[1] > 3600
    assert many[1] < few[1]
    assert simulated(20_000, 2, 15.0) == few


def test_one_place_that_takes_all_day_makes_the_last_one_wait_for_the_others() -> None:
    median, late = simulated(100, 1, 10_000.0)
    assert 0 < median < late < 100 * 10_000 * 3


def test_a_mark_that_is_not_filled_is_refused() -> None:
    with pytest.raises(ValueError, match="the tables are"):
        filled("<!-- table: other -->\n<!-- end -->\n", {"bounds": "x"})
    assert filled("a\n<!-- table: bounds -->\nold\n<!-- end -->\n", {"bounds": r"\1"}) == (
        "a\n<!-- table: bounds -->\n\\1\n<!-- end -->\n"
    )
