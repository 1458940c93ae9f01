"""Figures of a bench as a flat JSON for comparison with an earlier run, and what makes them fit for it."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import psutil

_TURNS = 300_000
_CALIBRATIONS = 5


class Figure(NamedTuple):
    """One figure: `better` says in which direction it improves."""

    value: float
    better: Literal["higher", "lower"]
    unit: str


def write_figures(path: Path | None, figures: Mapping[str, Figure]) -> None:
    """Write name → {value, better, unit} as JSON; nothing where no path is given."""
    if path:
        rows = {name: {**figure._asdict(), "value": round(figure.value, 4)} for name, figure in figures.items()}
        path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def calibration() -> float:
    """Seconds of CPU that a fixed loop of plain Python takes now; a busy neighbour of the core slows it too."""
    return statistics.median(_loop() for _ in range(_CALIBRATIONS))


def _loop() -> float:
    started, x = time.process_time(), 0
    for turn in range(_TURNS):
        x = (31 * x + turn) & 0xFFFFFFFF
    return time.process_time() - started


def growth(measured: Sequence[tuple[float, float]]) -> float:
    """The exponent by which a figure grows with size, over the whole span of (size, figure); 1.0 is linear."""
    (small, first), (large, last) = measured[0], measured[-1]
    return math.log(last / first) / math.log(large / small) if len(measured) > 1 else math.nan


def steps(measured: Sequence[tuple[float, float]]) -> list[float]:
    """The exponent between each size and the next."""
    return [growth(pair) for pair in pairwise(measured)]


def family(pid: int) -> list[psutil.Process]:
    """A process and its descendants that are alive."""
    try:
        own = psutil.Process(pid)
        return [own, *own.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, those that have ended and were waited for included."""
    total = 0.0
    for process in family(pid):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:  # it ended meanwhile; its parent has its time
            continue
    return total


def resident_megabytes(pid: int) -> float:
    """Resident memory of one process now."""
    return psutil.Process(pid).memory_info().rss / 2**20


def peak_megabytes(pid: int) -> float:
    """Peak resident memory of one process, from /proc (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
