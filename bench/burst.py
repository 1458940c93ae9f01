"""A burst: 1,000 commits posted within five seconds while the model takes five seconds for each answer.

    python -m bench.burst CLONE [--sizes 1000] [--delay 5] [--concurrency 100] [--seconds 5] [--json FILE]

Starts a whole Daybook and the fake Anthropic, in a process of its own, and posts the clone's last commits evenly over
some seconds, one push each, as pushes of today. Tells the time from the first POST to the last stored analysis against
the ideal (as many waves of answers as the concurrency makes), the worker's peak memory, how long deliveries took until
the end, the largest gap between sweeps, and what a `daybook report` took in the middle and took before.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import SecretStr

from bench.figures import Figures, calibration, cpu_seconds, growth, lower, peak_megabytes, write
from bench.rulebook import last_commits
from cli.replay import HOOK_PATH, delivery_headers, push_payload
from core.ledger import Ledger
from core.redis_server import free_port
from tests.conftest import SHANGHAI
from tests.running import PLAIN, SECRET, Daybook, daybook

NAME = "octocat/burst"
BRANCH = "burst"  # one that the clone does not have, so that reconciliation brings nothing
POSTERS = 8
PROBE_SECONDS = 0.2
REPORTS = 3  # before the burst
WAIT_SECONDS = 600.0


@dataclass
class Watched:
    """What is measured meanwhile; times in seconds."""

    deliveries: list[float] = field(default_factory=list)
    refused: int = 0
    sweeps: list[float] = field(default_factory=list)
    reports: list[float] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--sizes", default="1000", help="numbers of commits, each in a run of its own")
    parser.add_argument("--delay", type=float, default=5.0, help="seconds that the model takes for an answer")
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0, help="over which the pushes are spread")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures, took = Figures(), list[tuple[float, float]]()
    for size in sorted(map(int, options.sizes.split(","))):
        with tempfile.TemporaryDirectory() as folder:
            found = burst(Path(folder), options, size)
        took.append((size, found[f"burst {size} seconds to ideal"].value))
        figures |= found
    if len(took) > 1:
        exponent = growth(took)
        print(f"the time against the ideal grows with the number of commits to the power of {exponent:.2f}")
        figures["burst growth"] = lower(exponent, "exponent of seconds to ideal")
    write(options.json, figures)


def burst(folder: Path, options: argparse.Namespace, size: int) -> Figures:
    """One burst of so many commits on a Daybook of its own."""
    (folder / "daybook.toml").write_text(
        f'[[repository]]\nname = "{NAME}"\nsource = "{options.clone.resolve()}"\nbranches = ["{BRANCH}"]\n'
    )
    bodies = list(pushes_of_today(options.clone, size))
    with model(options.delay) as url, daybook(
        folder, ANTHROPIC_API_KEY="burst", ANTHROPIC_BASE_URL=url, DAYBOOK_CONCURRENCY=str(options.concurrency)
    ) as running:  # fmt: skip
        ledger = Ledger(running.redis.url, SHANGHAI)
        post(running, bodies[0])
        running.await_(lambda: ledger.status([]).analysed == 1, WAIT_SECONDS)
        before = statistics.median(report(folder, running) for _ in range(REPORTS))
        figures = measured(running, ledger, bodies[1:], options, before, folder)
        ledger.close()
    return {f"burst {size} {name}": figure for name, figure in figures.items()}


def measured(
    running: Daybook, ledger: Ledger, bodies: Sequence[bytes], options: argparse.Namespace, idle: float, folder: Path
) -> Figures:
    """Post everything, watch, wait, and tell."""
    assert ledger.status([]).received == 1, "something else than the bench brought commits"
    watched, loop = Watched(), calibration()
    worker = running.supervisor.pids()["worker"]
    before, began = cpu_seconds(worker), time.perf_counter()
    watchers = [
        threading.Thread(target=deliver, args=(running, bodies, options.seconds, watched)),
        threading.Thread(target=watch_sweeps, args=(running, watched)),
        threading.Thread(target=make_reports, args=(running, folder, watched)),
    ]
    for watcher in watchers:
        watcher.start()
    running.await_(lambda: ledger.status([]).analysed + len(ledger.failed()) > len(bodies), WAIT_SECONDS)
    seconds, cpu = time.perf_counter() - began, cpu_seconds(worker) - before
    watched.over.set()
    for watcher in watchers:
        watcher.join()
    assert running.supervisor.pids()["worker"] == worker, "the worker was started again"
    given_up = [record.failure.reason for record in ledger.failed() if record.failure]
    print(f"{len(given_up)} commits given up and shown by their facts {given_up[:3]}")  # it may name a wrong file
    assert not watched.refused, f"{watched.refused} deliveries were refused"
    ideal, cpu_each = math.ceil(len(bodies) / options.concurrency) * options.delay, cpu / len(bodies)
    peak = peak_megabytes(worker)
    print(
        f"{len(bodies)} commits: {seconds:.1f} s from the first POST to the last analysis, ideal {ideal:.0f} s; "
        f"worker {1000 * cpu_each:.1f} ms of CPU a commit ({cpu_each / loop:.2f} calibration loops), peak {peak:.0f} MB"
    )
    return {
        "seconds to ideal": lower(seconds / ideal, "of the ideal"),
        "worker cpu": lower(cpu_each / loop, "calibration loops a commit"),
        "worker peak": lower(peak, "MB"),
        **meanwhile(watched, idle),
    }


def meanwhile(watched: Watched, idle: float) -> Figures:
    """How deliveries, sweeps and reports fared; `idle` is the seconds that a report took before."""
    waits, gaps = sorted(watched.deliveries), [b - a for a, b in zip(watched.sweeps, watched.sweeps[1:], strict=False)]
    p99 = waits[int(0.99 * (len(waits) - 1))]
    print(
        f"  {len(waits)} deliveries: median {1000 * statistics.median(waits):.1f} ms, p99 {1000 * p99:.1f} ms, "
        f"largest {1000 * waits[-1]:.1f} ms"
    )
    print(f"  {len(watched.sweeps)} sweeps, at most {max(gaps, default=0):.1f} s apart; daybook report {idle:.1f} s "
          f"before, {', '.join(f'{one:.1f}' for one in watched.reports)} s meanwhile", flush=True)  # fmt: skip
    return {
        "webhook p99": lower(1000 * p99, "ms"),
        "sweep gap": lower(max(gaps, default=0.0), "s"),
        "report": lower(max(watched.reports, default=idle) / idle, "of the time before"),
    }


def pushes_of_today(clone: Path, commits: int) -> Iterator[bytes]:
    """One push for each of the last commits and one before them, as of now."""
    now = datetime.now(UTC)
    for push in last_commits(clone, commits + 1):
        for commit in push.commits:
            moved = replace(commit, committed_at=now, authored_at=now)
            payload = push_payload(replace(push, before=commit.parents[0], commits=(moved,)), NAME, BRANCH)
            yield json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


@contextmanager
def model(delay: float) -> Iterator[str]:
    """The stand-in of the Messages API in a process of its own; yields its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.anthropic", "--port", str(port := free_port()), "--delay", str(delay)],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout
        assert process.stdout.readline(), "the model's stand-in did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def post(running: Daybook, body: bytes, connection: http.client.HTTPConnection | None = None) -> tuple[int, float]:
    """Deliver a push; its status and how long it took."""
    line = connection or http.client.HTTPConnection(urlsplit(running.base).netloc, timeout=30)
    headers = delivery_headers(body, str(uuid4()), SecretStr(SECRET))
    started = time.perf_counter()
    line.request("POST", HOOK_PATH, body, headers)
    answer = line.getresponse()
    answer.read()
    return answer.status, time.perf_counter() - started


def deliver(running: Daybook, bodies: Sequence[bytes], seconds: float, watched: Watched) -> None:
    """Post all within some seconds, over a few connections; then one again now and then until it is over."""
    began, turn = time.perf_counter(), iter(enumerate(bodies))

    def work() -> None:
        line = http.client.HTTPConnection(urlsplit(running.base).netloc, timeout=30)
        while (taken := next(turn, None)) is not None:
            number, body = taken
            time.sleep(max(0.0, began + seconds * number / len(bodies) - time.perf_counter()))
            note(post(running, body, line), watched)

    posters = [threading.Thread(target=work) for _ in range(POSTERS)]
    for poster in posters:
        poster.start()
    for poster in posters:
        poster.join()
    print(f"posted within {time.perf_counter() - began:.1f} s", flush=True)
    line = http.client.HTTPConnection(urlsplit(running.base).netloc, timeout=30)
    while not watched.over.wait(PROBE_SECONDS):
        note(post(running, bodies[-1], line), watched)


def note(delivered: tuple[int, float], watched: Watched) -> None:
    """Keep how long a delivery took, and whether it was taken."""
    status, seconds = delivered
    watched.deliveries.append(seconds)
    watched.refused += status >= http.client.MULTIPLE_CHOICES


def watch_sweeps(running: Daybook, watched: Watched) -> None:
    """Note each sweep by the time that it writes down."""
    ledger, last = Ledger(running.redis.url, SHANGHAI), None
    while not watched.over.wait(0.05):
        if (swept := ledger.redis.get("daybook:swept")) != last:
            watched.sweeps.append(float(swept))
            last = swept
    ledger.close()


def make_reports(running: Daybook, folder: Path, watched: Watched) -> None:
    """Ask for today's report again and again, with a rest between."""
    while not watched.over.wait(8):
        watched.reports.append(report(folder, running))


def report(folder: Path, running: Daybook) -> float:
    """Seconds that `daybook report` takes for today."""
    command = [sys.executable, "-m", "cli.main", "report", NAME, datetime.now(SHANGHAI).date().isoformat()]
    environment = PLAIN | {"REDIS_URL": running.redis.url, "DAYBOOK_CONFIG": str(folder / "daybook.toml")}
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
