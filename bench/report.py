"""Assembling and rendering a day of 20 to 10,000 commits: time, memory and how they grow; and a page from the archive.

    python -m bench.report [--sizes 20,200,2000,10000]

Each size is measured in a process of its own, three times after a first one; the best is told. A growth of 1.00 is
linear. Memory is the peak of the whole process above what it had before. Then a day of 92 commits is served by a real
`daybook web`: the first request, which reads and renders, and 200 more.
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
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2

from core.ledger import Ledger
from core.models import ChangeType, CommitRecord, Insights, PublicChange, Reason, Tier
from core.redis_server import RedisServer
from report.daily import DailyReport
from report.html import html_page
from report.json import report_from_json, report_json
from report.markdown import markdown
from tests.conftest import SHANGHAI
from tests.records import START, analysis, facts, record, report, triage
from tests.running import web_process

SIZES = (20, 200, 2000, 10_000)
ROUNDS = 3
SERVED = 92
REQUESTS = 200
LIMIT_MS = 50.0
TIERS = (Tier.HIGH, Tier.MEDIUM, Tier.LOW, Tier.LOW)
TEXT = "注意力后端的参数 `mixed_qkv` 只接受合并后的张量；多卡环境下并行数不一致时 `load_weights` 报错（#{n}）。"

Figures = dict[str, float]


def main() -> None:
    """Run and print; exit 1 when the served page is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one)))
        return
    grown([int(size) for size in options.sizes.split(",")])
    served()


def commits(count: int) -> list[CommitRecord]:
    """A day of `count` commits: all tiers, 3 KB of analysis for a high one, every 50th takes the one before it back."""
    return [_commit(n, count) for n in range(count)]


def _commit(n: int, count: int) -> CommitRecord:
    tier, text = TIERS[n % 4], TEXT.format(n=18000 + n)
    title = f"[Part {n % 23}] Unify the interface of hybrid backends, step {n} (#{18000 + n})"
    if n % 50 == 49:
        title = f'Revert "[Part {(n - 1) % 23}] Unify the interface of hybrid backends, step {n - 1} (#{17999 + n})"'
    lists: dict[str, Any] = {"scope": (text,) * 3, "advice": (text,) * 2} if tier is not Tier.LOW else {}
    if tier is Tier.HIGH:
        lists |= {"risks": (text,) * 3, "insights": Insights(**dict.fromkeys(Insights.model_fields, text * 2))}
    change = PublicChange(kind="flag", action="added", name=f"--option-{n}", path="server/args.py")
    at = START + timedelta(seconds=n * 82_000 / count)
    return record(
        n, tier, title, author=f"Engineer {n % 97}", landed_at=at, committed_at=at,
        facts=facts(areas=(f"part_{n % 23}",), changes=(change,) if n % 10 == 0 else (), pull_request=18000 + n),
        triage=triage(tier, ChangeType.FEATURE, Reason(code="base_product", subject=f"part_{n % 23}")),
        analysis=analysis(tier, summary=text * 2, **lists),
    )  # fmt: skip


def measured(count: int) -> Figures:
    """Seconds of each step, the bytes of its outcome, and the peak of the process in megabytes."""
    records = commits(count)
    day = report(records)
    before = _peak_mb()
    steps: dict[str, Callable[[], object]] = {
        "assemble": lambda: report(records),
        "markdown": lambda: markdown([day]),
        "html": lambda: html_page([day]),
        "json": lambda: report_json([day]),
    }
    found = {name: _best(step) for name, step in steps.items()}
    raw = report_json([day])
    kilobytes = len(html_page([day]).encode()) / 1000
    return found | {"read": _best(lambda: report_from_json(raw)), "mb": _peak_mb() - before, "html_kb": kilobytes}


def _best(step: Callable[[], object]) -> float:
    step()
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        step()
        times.append(time.process_time() - started)
    return min(times)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def grown(sizes: Sequence[int]) -> None:
    """A line for each size, and how each figure grows from the second size on."""
    found = {size: _measured_apart(size) for size in sizes}
    names = list(next(iter(found.values())))
    print("commits  " + "".join(f"{name:>11}" for name in names))
    for size, figures in found.items():
        shown = (figures[name] if name in {"mb", "html_kb"} else 1000 * figures[name] for name in names)
        print(f"{size:>7}  " + "".join(f"{value:>11,.1f}" for value in shown))
    print("(milliseconds of CPU time; `mb`: peak memory above that of the records; `html_kb`: the page)")
    for small, large in pairwise(sizes):
        steps = {name: _exponent(found[small][name], found[large][name], large / small) for name in names}
        print(f"growth {small} to {large}: " + ", ".join(f"{name} {value:.2f}" for name, value in steps.items()))


def _measured_apart(size: int) -> Figures:
    command = [sys.executable, "-m", "bench.report", "--one", str(size)]
    told: Figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def _exponent(small: float, large: float, times: float) -> float:
    """How often the size's growth is in the figure's: 1 is linear."""
    return math.log(max(large, 1e-9) / max(small, 1e-9)) / math.log(times)


def served() -> None:
    """A day of 92 commits from the archive, over HTTP."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder) / "redis")
        server.start()
        try:
            day = report(commits(SERVED))
            waits = _asked(server.url, Path(folder), day)
        finally:
            server.stop()
    first, *warm = waits
    warm.sort()
    median, late = statistics.median(warm), warm[int(0.99 * (len(warm) - 1))]
    print(f"{SERVED} commits from the archive: first {first:.1f} ms, then median {median:.1f} ms, p99 {late:.1f} ms")
    if late > LIMIT_MS:
        raise SystemExit(f"slower than {LIMIT_MS:.0f} ms")


def _asked(redis_url: str, folder: Path, day: DailyReport) -> list[float]:
    """Milliseconds from each request to the whole page."""
    ledger = Ledger(redis_url, SHANGHAI)
    ledger.redis.hset("daybook:repositories", day.repository, START.timestamp())
    ledger.save_report(day.repository, day.day, report_json([day]))
    ledger.close()
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
