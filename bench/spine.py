"""From POST to stored analysis on an idle system, and the peak memory of each process.

    python -m bench.spine CLONE [--commits 200]

Starts a whole Daybook without a model, posts the clone's latest pushes one at a time, each when the one before it is
analysed, and prints the median and 99th percentile; then posts as many again in one go for the throughput.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from pydantic import SecretStr

from cli.replay import HOOK_PATH, chosen, post
from core.ledger import Ledger
from tests.conftest import SHANGHAI
from tests.running import SECRET, Daybook, daybook
from workers.gitrepo import GitRepository
from workers.landings import Landing

NAME = "octocat/bench"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--commits", type=int, default=200)
    options = parser.parse_args()
    pushes = chosen(options.clone, last=2 * options.commits)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "daybook.toml").write_text(
            f'[[repository]]\nname = "{NAME}"\nsource = "{options.clone.resolve()}"\n'
        )
        with daybook(Path(folder)) as running:
            measure(running, pushes, options)


def measure(running: Daybook, pushes: list[Landing], options: argparse.Namespace) -> None:
    """Latency one by one, throughput in one go, memory at the end."""
    ledger = Ledger(running.redis.url, SHANGHAI)
    branch = GitRepository(options.clone).default_branch()
    half = len(pushes) // 2
    waits = []
    for push in pushes[:half]:
        started = time.perf_counter()
        list(post([push], running.base + HOOK_PATH, SecretStr(SECRET), name=NAME, branch=branch))
        while not ((record := ledger.record(NAME, push.head.sha)) and record.analysis):
            time.sleep(0.001)
        waits.append(time.perf_counter() - started)
    waits.sort()
    print(f"POST to stored analysis, {half} pushes one by one: median {1000 * statistics.median(waits):.0f} ms, "
          f"p99 {1000 * waits[int(0.99 * (half - 1))]:.0f} ms, max {1000 * waits[-1]:.0f} ms")  # fmt: skip
    started = time.perf_counter()
    list(post(pushes[half:], running.base + HOOK_PATH, SecretStr(SECRET), name=NAME, branch=branch))
    running.await_(lambda: ledger.status([]).waiting == 0, 300)
    commits = sum(len(push.commits) for push in pushes[half:])
    seconds = time.perf_counter() - started
    print(f"{commits} commits posted in one go: {seconds:.1f} s, {commits / seconds:.0f} commits/s")
    for name, pid in running.supervisor.pids().items():
        own = psutil.Process(pid)
        family = [own, *own.children(recursive=True)]
        peaks = [peak_megabytes(process.pid) for process in family]
        print(f"peak memory {name:<8} {' + '.join(f'{peak:.0f}' for peak in peaks)} MB")
    ledger.close()


def peak_megabytes(pid: int) -> float:
    """Peak resident memory of a process, from /proc (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
