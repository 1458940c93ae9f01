"""The figures of a bench as JSON, name → value, its unit and which way is better; and what makes them comparable."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, FiniteFloat, TypeAdapter

_TURNS = 300_000
_CALIBRATIONS = 5


class Figure(BaseModel):
    """One figure. `better` says whether a higher or a lower value is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: FiniteFloat
    better: Literal["higher", "lower"]
    unit: str


Figures = dict[str, Figure]
_FIGURES = TypeAdapter(Figures)


def lower(value: float, unit: str) -> Figure:
    """A figure that should be low; kept to four digits."""
    return Figure(value=float(f"{value:.4g}"), better="lower", unit=unit)


def higher(value: float, unit: str) -> Figure:
    """A figure that should be high; kept to four digits."""
    return Figure(value=float(f"{value:.4g}"), better="higher", unit=unit)


def read(path: Path) -> Figures:
    """The figures of a file; raises OSError, or ValueError (pydantic's) where it is not a map of figures."""
    return _FIGURES.validate_json(path.read_bytes())


def write(path: Path | None, figures: Mapping[str, Figure]) -> None:
    """Write a file of figures, a line each, by name; nothing where no path is given."""
    if path is None:
        return
    rows = (f"  {json.dumps(name)}: {figures[name].model_dump_json()}" for name in sorted(figures))
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n")


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
