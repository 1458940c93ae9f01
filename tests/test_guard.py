"""The guard against regressions: what fell by more than 15 % is told, and nothing is passed over in silence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.figures import Figure, Figures, higher, lower, read, write
from bench.guard import BASELINE, Baseline, compared, figures_of, kept, save, worse_by

ROOT = Path(__file__).parent.parent


def findings(before: Figures, now: Figures, *asked: str) -> list[tuple[str, str]]:
    return [(finding.kind, finding.name) for finding in compared(before, now, asked or ("start",))]


@pytest.mark.parametrize(
    ("before", "now", "share"),
    [
        (lower(10, "x"), lower(12, "x"), 0.2),
        (lower(10, "x"), lower(8, "x"), 0.0),
        (higher(12, "x"), higher(10, "x"), 0.2),
        (higher(10, "x"), higher(12, "x"), 0.0),
        (lower(0, "x"), lower(1, "x"), float("inf")),
        (higher(1, "x"), higher(0, "x"), float("inf")),
        (lower(0, "x"), lower(0, "x"), 0.0),
    ],
)
def test_how_much_worse_follows_the_direction(before: Figure, now: Figure, share: float) -> None:
    assert worse_by(before, now) == pytest.approx(share)


def test_within_fifteen_percent_nothing_is_said_and_beyond_it_each_figure_is_named() -> None:
    before = {"start.a": lower(100, "x"), "start.b": higher(100, "x"), "start.c": lower(100, "x")}
    now = {"start.a": lower(114, "x"), "start.b": higher(80, "x"), "start.c": lower(116, "x")}
    assert findings(before, now) == [("worse", "start.b"), ("worse", "start.c")]


def test_a_figure_that_is_missing_new_or_turned_round_is_told() -> None:
    before = {"start.gone": lower(1, "x"), "start.turned": lower(1, "x"), "start.unit": lower(1, "MB")}
    now = {"start.new": lower(1, "x"), "start.turned": higher(1, "x"), "start.unit": lower(1, "GB")}
    assert findings(before, now) == [
        ("missing", "start.gone"), ("new", "start.new"), ("turned", "start.turned"), ("turned", "start.unit"),
    ]  # fmt: skip


def test_benchmarks_that_were_not_asked_for_are_not_missing() -> None:
    before = {"report.a": lower(1, "x"), "start.a": lower(1, "x")}
    assert findings(before, {"start.a": lower(1, "x")}, "start") == []
    assert findings(before, {"start.a": lower(1, "x")}, "start", "report") == [("missing", "report.a")]


def test_seconds_of_one_machine_are_not_held_against_another() -> None:
    before = {"start.up_ready_seconds": lower(1, "s"), "start.up_over_unit": lower(1, "x")}
    now = {"start.up_ready_seconds": lower(9, "s"), "start.up_over_unit": lower(9, "x")}
    assert findings(before, now) == [("worse", "start.up_over_unit")]


def test_files_are_read_as_they_were_written_and_repeated_names_are_refused(tmp_path: Path) -> None:
    figures = {"start.a": lower(1.23456, "x"), "start.b": higher(2, "y")}
    write(tmp_path / "a.json", figures)
    assert read(tmp_path / "a.json") == figures
    write(tmp_path / "b.json", {"start.b": higher(2, "y")})
    with pytest.raises(ValueError, match=r"b\.json repeats start\.b"):
        figures_of([tmp_path / "a.json", tmp_path / "b.json"])
    (tmp_path / "c.json").write_text('{"start.a": {"value": NaN}}')
    with pytest.raises(ValueError, match=r"c\.json holds no figures"):
        figures_of([tmp_path / "c.json"])


def guard(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.guard", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_writes_a_baseline_compares_with_it_and_says_what_fell(tmp_path: Path) -> None:
    file, baseline = tmp_path / "now.json", tmp_path / "baseline.json"
    write(file, {"start.a": lower(100, "x")})
    options = ("--figures", file, "--baseline", baseline)
    assert guard(*options).returncode == 1  # there is none yet
    assert guard(*options, "--write", "a test").returncode == 0
    assert guard(*options).returncode == 0
    write(file, {"start.a": lower(130, "x")})
    done = guard(*options)
    assert done.returncode == 1
    assert "WORSE    start.a: was 100 x, is 130 x: 30 % worse" in done.stdout
    assert "Traceback" not in guard("--figures", tmp_path / "none.json", "--baseline", baseline).stderr


def test_a_new_baseline_keeps_what_was_not_measured(tmp_path: Path) -> None:
    file, baseline = tmp_path / "now.json", tmp_path / "baseline.json"
    save(baseline, Baseline(date="2026-01-01", note="before", figures={"report.a": lower(1, "x")}))
    write(file, {"start.a": lower(2, "x")})
    assert guard("--figures", file, "--baseline", baseline, "--write", "now").returncode == 0
    found = kept(baseline)
    assert found
    assert found.note == "now"
    assert list(found.figures) == ["report.a", "start.a"]


def test_the_committed_baseline_can_be_read() -> None:
    found = kept(BASELINE)
    assert found
    assert found.figures
    assert found.note
