"""A day of up to 10,000 commits from Redis to Markdown, HTML and JSON, beside what a plain way of doing it costs.

    python -m bench.report [--sizes 500,2000,10000] [--clone GIT-DIRECTORY] [--json FILE]

Each size is measured in a process of its own with a Redis of its own, filled as workers do it; the ways are measured in
turn, five times after a first one, and medians are told. The plain way is one HGETALL per commit and a Jinja2 template
for Markdown alone; the floor is one MGET of the Markdown's own bytes by commit, joined. A growth of 1.00 is linear.
Memory is the peak of the process above what it had before the first round. Then a day of 100 commits is served by a
real `daybook web`: the first request, which reads and renders, and 200 more. With a clone, `daybook report` is compared
with git-cliff on the clone's commits, and on 5,000 with its messages; see bench/changelogs.py.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import httpx2

from bench.changelogs import compared
from bench.figures import Figures, higher, lower, write
from bench.report_days import DAY, ZONE, commits, filled, floor, plainly, stored_plainly
from core.ledger import Ledger
from core.ledger.fragments import FORMS, Form
from core.redis_server import RedisServer
from core.settings import Settings
from report.daily import DailyReport
from report.html import html_bytes
from report.json import report_json
from report.markdown import markdown_bytes
from tests.records import REPOSITORY
from tests.running import web_process
from workers.assembling import assembled

SIZES = (500, 2000, 10_000)
ROUNDS = 5
SERVED = 100
REQUESTS = 200

Timings = dict[str, float]  # milliseconds of each way, by name; and `mb`


def main() -> None:
    """Run, print, and write the ratios if they are wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--clone", type=Path, help="a git directory of 2,000 commits or more")
    parser.add_argument("--json", type=Path, help="where the ratios are written")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one)))
        return
    told = grown([int(size) for size in options.sizes.split(",")])
    told |= served()
    if options.clone:
        told |= compared(options.clone)
    write(options.json, told)


def measured(count: int) -> Timings:
    """Milliseconds of each way (medians), bytes per commit of what is kept, and the peak in megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder) / "redis")
        server.start()
        try:
            return _measured(server.url, count)
        finally:
            server.stop()


def _measured(url: str, count: int) -> Timings:
    ledger, settings = Ledger(url, ZONE), Settings()
    rendering = filled(ledger, commits(count))
    stored_plainly(ledger.redis, commits(count))
    read_floor = floor(ledger.redis, day_of(ledger, settings))
    before = _peak_mb()
    ways: dict[str, Callable[[], object]] = {
        "all_forms": lambda: all_forms(day_of(ledger, settings)),
        "plain": lambda: plainly(ledger.redis),
        "markdown": lambda: markdown_bytes([day_of(ledger, settings, ("md",))]),
        "floor": read_floor,
    }
    ways["all_forms"]()
    figures = {"mb": _peak_mb() - before} | _in_turn(ways)
    day = day_of(ledger, settings)
    figures |= _in_turn({
        "assemble": lambda: day_of(ledger, settings),
        "markdown_alone": lambda: markdown_bytes([day]),
        "html_alone": lambda: html_bytes([day]),
        "json_alone": lambda: report_json([day]),
    })  # fmt: skip
    kept = sum(map(ledger.redis.strlen, ledger.redis.keys(f"daybook:fragments:{REPOSITORY}:{DAY}:*"))) / count
    return figures | {"rendered_once_ms": rendering, "kept_bytes": kept}


def day_of(ledger: Ledger, settings: Settings, forms: Sequence[Form] = FORMS) -> DailyReport:
    """The day as the night makes it, and `daybook report` in one form."""
    return assembled(ledger, settings, REPOSITORY, DAY, forms)


def all_forms(day: DailyReport) -> tuple[bytes, bytes, bytes]:
    """What the night writes."""
    return markdown_bytes([day]), html_bytes([day]), report_json([day])


def _in_turn(ways: dict[str, Callable[[], object]]) -> Timings:
    """Milliseconds by the clock, and in this process (`… cpu`)."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, way in ways.items():
            clock, cpu = time.perf_counter(), time.process_time()
            way()
            spent[name].append((time.perf_counter() - clock, time.process_time() - cpu))
    found: Timings = {}
    for name, times in spent.items():
        walls, cpus = zip(*times[1:], strict=True)
        found |= {name: 1000 * statistics.median(walls), f"{name} cpu": 1000 * statistics.median(cpus)}
    return found


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def grown(sizes: Sequence[int]) -> Figures:
    """A line for each figure, how it grows from size to size, and the ratios."""
    found = {size: _measured_apart(size) for size in sizes}
    print(f"{'commits':>18}" + "".join(f"{size:>12,}" for size in sizes) + "   growth")
    for name in found[sizes[0]]:
        values = [found[size][name] for size in sizes]
        steps = [
            f"{_exponent(a, b, q / p):.2f}" for (a, b), (p, q) in zip(pairwise(values), pairwise(sizes), strict=True)
        ]
        print(f"{name:>18}" + "".join(f"{value:>12,.1f}" for value in values) + f"   {', '.join(steps)}")
    told: Figures = {}
    for size, figures in found.items():
        told |= _ratios(size, figures)
    for small, large in pairwise(sizes):
        for name in ("all_forms cpu", "mb"):
            growth = _exponent(found[small][name], found[large][name], large / small)
            told[f"report.growth.{name.split()[0]}.{small}-{large}"] = lower(growth, "exponent")
    for name, one in told.items():
        print(f"{name}: {one.value} {one.unit}")
    return told


def _ratios(size: int, figures: Timings) -> Figures:
    return {
        f"report.plain_over_all_forms.{size}": higher(figures["plain"] / figures["all_forms"], "times"),
        f"report.plain_over_all_forms_cpu.{size}": higher(figures["plain cpu"] / figures["all_forms cpu"], "times"),
        f"report.markdown_over_floor.{size}": lower(figures["markdown"] / figures["floor"], "times"),
        f"report.markdown_alone_over_floor.{size}": lower(figures["markdown_alone"] / figures["floor"], "times"),
    }


def _measured_apart(size: int) -> Timings:
    command = [sys.executable, "-m", "bench.report", "--one", str(size)]
    told: Timings = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def _exponent(small: float, large: float, times: float) -> float:
    """How often the size's growth is in the figure's: 1 is linear."""
    return math.log(max(large, 1e-9) / max(small, 1e-9)) / math.log(times)


def served() -> Figures:
    """A day of 100 commits from the archive, over HTTP."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder) / "redis")
        server.start()
        try:
            ledger = Ledger(server.url, ZONE)
            filled(ledger, commits(SERVED))
            day = day_of(ledger, Settings())
            ledger.save_report(REPOSITORY, DAY, report_json([day]))
            waits = _asked(server.url, Path(folder), day)
        finally:
            server.stop()
    first, *warm = waits
    warm.sort()
    median, late = statistics.median(warm), warm[int(0.99 * (len(warm) - 1))]
    print(f"{SERVED} commits from the archive: first {first:.1f} ms, then median {median:.1f} ms, p99 {late:.1f} ms")
    return {"report.page_warm_ms": lower(median, "ms"), "report.page_first_ms": lower(first, "ms")}


def _asked(redis_url: str, folder: Path, day: DailyReport) -> list[float]:
    """Milliseconds from each request to the whole page."""
    waits = []
    with web_process(redis_url, folder) as base, httpx2.Client(trust_env=False, timeout=30) as client:
        client.get(f"{base}/{day.repository}/2026-02-16")  # not there: the process has loaded what it needs
        for _ in range(REQUESTS + 1):
            started = time.perf_counter()
            answer = client.get(f"{base}/{day.repository}/{day.day}")
            waits.append(1000 * (time.perf_counter() - started))
            assert answer.status_code == 200, answer.status_code
            assert answer.text.count("<article") == len(day.entries)
    return waits


if __name__ == "__main__":
    main()
