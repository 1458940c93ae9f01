"""What starting costs: `daybook --help`, `daybook up` until it is ready, and the memory of one that has nothing to do.

    python -m bench.start [--rounds 7] [--idle 60] [--json FILE]

Every start is a whole process, measured in turn with the unit, `python -c "import click, pydantic"`: the ratios are
those of medians, so that a slow machine, or a busy one, hardly moves them. CPU seconds are those of all processes
together. Memory is read `--idle` seconds after the start, of a Daybook without a model and of one with an Anthropic key
(that is never used). RSS counts what processes share in each of them, PSS divides it among them (Linux).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.figures import Figures, lower, write
from core.redis_server import free_port
from tests.running import PLAIN, SECRET

HELP = ["-m", "cli.main", "--help"]
UNIT = ["-c", "import click, pydantic"]
KEY = {"ANTHROPIC_API_KEY": "key-of-a-benchmark", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
READY_SECONDS = 120.0


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of CPU."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Memory:
    """Megabytes of one process."""

    rss: float
    pss: float


def main() -> None:
    """Measure, print, and write the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds before memory is read; 0 leaves it out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = started(options.rounds)
    if options.idle:
        figures |= idle(options.idle)
    for name, figure in figures.items():
        print(f"{name:<44} {figure.value:>8,.2f} {figure.unit}")
    if options.json:
        write(options.json, figures)


def started(rounds: int) -> Figures:
    """`--help` and `up`, each against the unit of the same round; the first round warms the disk and is left out."""
    found = [(run(UNIT), run(HELP), until_ready()) for _ in range(rounds + 1)]
    unit, help_, ready = (_median(costs) for costs in zip(*found[1:], strict=True))
    return {
        "start.help_seconds": lower(help_.wall, "s"),
        "start.help_cpu_over_unit": lower(help_.cpu / unit.cpu, "of the unit's CPU"),
        "start.up_ready_seconds": lower(ready.wall, "s"),
        "start.up_ready_over_unit": lower(ready.wall / unit.wall, "of the unit's time"),
        "start.up_ready_cpu_over_unit": lower(ready.cpu / unit.cpu, "of the unit's CPU"),
        "start.unit_seconds": lower(unit.wall, "s"),
    }


def _median(costs: tuple[Cost, ...]) -> Cost:
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))


def run(words: list[str]) -> Cost:
    """What a whole process of Python costs."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *words], env=PLAIN, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime)


def until_ready() -> Cost:
    """What `daybook up` costs until it says that it is ready: web, worker and control take work."""
    with up({}) as (process, seconds):
        return Cost(seconds, sum(_cpu(one) for one in family(process)))


@contextmanager
def up(environment: Mapping[str, str]) -> Iterator[tuple[psutil.Process, float]]:
    """A `daybook up` in a folder of its own, ready; yields it and how many seconds that took."""
    words = [sys.executable, "-m", "cli.main", "up", "--port", str(free_port())]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=folder, env={**PLAIN, "GITHUB_WEBHOOK_SECRET": SECRET, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            assert process.stdout
            said = []
            for line in process.stdout:
                said.append(line)
                if "ready: pages at" in line:
                    break
                assert time.perf_counter() - began < READY_SECONDS, "".join(said)
            else:
                raise AssertionError("".join(said))
            yield psutil.Process(process.pid), time.perf_counter() - began
        finally:
            process.terminate()
            process.communicate(timeout=90)


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all its descendants."""
    return [process, *process.children(recursive=True)]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def idle(seconds: float) -> Figures:
    """The memory of a Daybook without work, without and with a key; both wait at the same time."""
    with ExitStack() as stack:
        plain, keyed = (stack.enter_context(up(environment))[0] for environment in ({}, KEY))
        time.sleep(seconds)
        found, with_key = memory(plain), memory(keyed)
    return {
        "start.worker_idle_rss_mb": lower(found["worker"][0].rss, "MB"),
        "start.worker_idle_rss_mb_with_key": lower(with_key["worker"][0].rss, "MB"),
        "start.control_idle_pss_mb": lower(sum(one.pss for one in found["control"]), "MB"),
        "start.control_idle_pss_mb_with_key": lower(sum(one.pss for one in with_key["control"]), "MB"),
        "start.control_idle_processes": lower(len(found["control"]), "processes"),
        "start.all_idle_pss_mb": lower(sum(one.pss for group in found.values() for one in group), "MB"),
        "start.all_idle_pss_mb_with_key": lower(sum(one.pss for group in with_key.values() for one in group), "MB"),
    }


def memory(process: psutil.Process) -> dict[str, list[Memory]]:
    """Each process of an `up` by its name (`up`, `redis`, `web` …), with its own children after it."""
    groups = {"up": [_memory(process)]}
    for child in process.children():
        words = child.cmdline()
        name = "redis" if "redis-server" in words[0] else words[words.index("cli.main") + 1]
        groups[name] = [_memory(one) for one in family(child)]
    return groups


def _memory(process: psutil.Process) -> Memory:
    told = process.memory_full_info()
    return Memory(told.rss / 1e6, told.pss / 1e6)


if __name__ == "__main__":
    main()
