"""How fast pushes are received, beside other servers on the same machine; every figure as a ratio too.

    apt-get install wrk webhook
    npm install --prefix PEERS probot@14.3.2
    python3 -m venv PEERS/venv && PEERS/venv/bin/pip install -c constraints.txt -r bench/peers/requirements.txt \
        Flask 'celery[redis]' 'redis[hiredis]'
    python -m bench.receiving --peers PEERS [--commits 1 20] [--rounds 5] [--seconds 2] [--json FILE]

wrk posts signed pushes over 32 connections, each of its own commits under its own delivery id, at one server after
another, round after round; the medians are printed. Daybook runs as `daybook web`, once for each `appendfsync`; its
Redis must hold every commit that was answered with 202. Without --peers only Daybook and the null view run, and with
`--commits 1 20 200 2000 --connections 4` they show how the cost of a push grows with its commits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

import httpx2
import psutil
import redis
from pydantic import SecretStr

from bench.figures import Figures, higher, lower, read, write
from bench.peers.adnanh import hooks
from cli.replay import HOOK_PATH, delivery_headers
from core.redis_server import RedisServer, free_port
from tests.running import SECRET

PEERS = Path(__file__).parent / "peers"
EXAMPLE = Path(__file__).parents[1] / "tests" / "payloads" / "push__new_branch_one_commit.json"
REAL_MESSAGE = EXAMPLE.with_name("lmdeploy__batch_sessions.patch")
MEGABYTES = {1: 120, 20: 320}  # of deliveries: enough that none is posted twice at Daybook within a measurement
NULL, DAYBOOK, DELAY = "null view", "daybook", "celery .delay()"
FIGURES = {"rate": higher, "p99_ms": lower, "cpu_us": lower}


@dataclass(frozen=True)
class Contestant:
    """A server: how it is started on a port, and what its Redis is set to."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    fsync: str = "everysec"


@dataclass(frozen=True)
class Measured:
    """One run: requests a second, their 99th percentile, and the CPU of server and Redis for one request."""

    rate: float
    p99_ms: float
    cpu_us: float


@dataclass(frozen=True)
class Deliveries:
    """A file of ready requests of one length."""

    path: Path
    length: int
    commits: int


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="where probot and the virtual environment were installed")
    parser.add_argument("--commits", type=int, nargs="+", default=[1, 20], help="commits of a push")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--json", type=Path, help="write the ratios here; those of other sizes in it stay")
    options = parser.parse_args()
    ratios: Figures = {}
    cost: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        server = RedisServer(Path(folder) / "redis")
        server.start()
        running.callback(server.stop)
        contestants = [
            (one, running.enter_context(_serving(one, Path(folder), server.url)))
            for one in _contestants(options.peers.resolve() if options.peers else None, Path(folder))
        ]
        for commits in options.commits:
            deliveries = written(Path(folder), commits)
            medians = _rounds(contestants, deliveries, server, options)
            ratios |= _told(medians, deliveries)
            cost[commits] = next(one.cpu_us for name, one in medians.items() if name.startswith(DAYBOOK))
            deliveries.path.unlink()
    for (few, cheap), (more, dear) in pairwise(cost.items()):
        exponent = log(dear / cheap) / log(more / few)
        print(f"from {few} to {more} commits a push: {dear / cheap:.1f} × the CPU, exponent {exponent:.2f}")
    if options.json:
        write(options.json, (read(options.json) if options.json.exists() else {}) | ratios)


def _contestants(peers: Path | None, folder: Path) -> list[Contestant]:
    null = Contestant(NULL, (sys.executable, "-m", "bench.peers.null_view", "PORT"))
    web = (sys.executable, "-m", "cli.main", "web", "--port", "PORT")
    daybook = [Contestant(f"{DAYBOOK}, {fsync}", web, fsync=fsync) for fsync in ("everysec", "always")]
    if peers is None:
        return [null, *daybook]
    (peers / "probot.mjs").write_bytes((PEERS / "probot.mjs").read_bytes())  # Node looks for packages beside the file
    (folder / "hooks.json").write_text(hooks(SECRET))
    venv = peers / "venv" / "bin"
    gunicorn = (str(venv / "gunicorn"), "bench.peers.celery_delay:application", "--bind", "127.0.0.1:PORT")
    adnanh = (
        "webhook",
        "-hooks",
        str(folder / "hooks.json"),
        "-ip",
        "127.0.0.1",
        "-port",
        "PORT",
        "-urlprefix",
        "webhooks",
    )
    rpush = (str(venv / "python"), str(PEERS / "gidgethub_rpush.py"), "PORT", SECRET, "REDIS_URL")
    return [
        null,
        Contestant("probot", ("node", str(peers / "probot.mjs"), "PORT", SECRET)),
        daybook[0],
        Contestant("adnanh/webhook", adnanh),
        daybook[1],
        Contestant("aiohttp + gidgethub", rpush),
        Contestant(DELAY, (*gunicorn, "--workers", "2", "--threads", "16", "--log-level", "error")),
    ]


@contextmanager
def _serving(one: Contestant, folder: Path, redis_url: str) -> Iterator[tuple[psutil.Process, str]]:
    """Start a server in a folder of its own, wait for its first answer, and end it at last; yields it and its URL."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    places = {"PORT": str(port), "REDIS_URL": redis_url}
    command = [places.get(part, part.replace("PORT", str(port))) for part in one.command]
    secrets = {"REDIS_URL": redis_url, "GITHUB_WEBHOOK_SECRET": SECRET, "WEBHOOK_SECRET": SECRET}
    home = folder / one.name.replace("/", "-")
    home.mkdir()
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=home, stdout=log, stderr=log,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PEERS.parents[1])} | secrets | one.environment,
        )  # fmt: skip
    try:
        _await(base, process, home / "log")
        yield psutil.Process(process.pid), base
    finally:
        process.terminate()
        process.wait(20)


def _await(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx2.get(base, trust_env=False)
        except httpx2.TransportError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit(f"a server did not start: {log.read_text()}") from None
            time.sleep(0.05)
        else:
            return


def _rounds(
    contestants: list[tuple[Contestant, tuple[psutil.Process, str]]],
    deliveries: Deliveries,
    server: RedisServer,
    options: argparse.Namespace,
) -> dict[str, Measured]:
    runs: dict[str, list[Measured]] = {one.name: [] for one, _ in contestants}
    for number in range(options.rounds + 1):
        for one, (process, base) in contestants:
            seconds = options.seconds if number else 1  # the first round warms up
            wrk = ("wrk", "--threads", "1", "--connections", str(options.connections), "--duration", f"{seconds}s")
            if number:
                runs[one.name].append(_measured(one, process, base, deliveries, server, wrk))
            else:
                _told_by(wrk, base, deliveries)
    return {
        name: Measured(*(statistics.median(getattr(run, figure) for run in of_one) for figure in FIGURES))
        for name, of_one in runs.items()
    }


def _measured(
    one: Contestant,
    process: psutil.Process,
    base: str,
    deliveries: Deliveries,
    server: RedisServer,
    wrk: tuple[str, ...],
) -> Measured:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        client.config_set("appendfsync", one.fsync)
        family = [process, *process.children(recursive=True), psutil.Process(server.pid)]
        before = _cpu_seconds(family)
        told = _told_by(wrk, base, deliveries)
        used = _cpu_seconds(family) - before
        if told["refused"] or told["broken"] or not told["requests"]:
            raise SystemExit(f"{one.name}: {told}")
        if one.name.startswith(DAYBOOK):
            with client.pipeline() as pipe:
                messages, recorded = pipe.llen("fetch").hget("daybook:totals", "received").execute()
            assert messages == int(recorded or 0), "each commit once, each with its message"
            assert messages >= told["requests"] * deliveries.commits  # and what was answered after wrk's end
    return Measured(told["requests"] / told["seconds"], told["p99_ms"], 1e6 * used / told["requests"])


def _told_by(wrk: tuple[str, ...], base: str, deliveries: Deliveries) -> dict[str, Any]:
    command = [*wrk, "--timeout", "10s", "--script", str(PEERS / "deliveries.lua"), base, "--",
               str(deliveries.path), str(deliveries.length)]  # fmt: skip
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    told: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return told


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    """User and system time, of Linux's /proc."""
    times = [process.cpu_times() for process in processes]
    return sum(one.user + one.system for one in times)


def written(folder: Path, commits: int) -> Deliveries:
    """A file of signed pushes of so many commits, each with shas and a delivery id of its own."""
    parts = re.split(rb"@(\d{39})", _template(commits))
    places = parts[1::2]
    path, length, size = folder / f"{commits}.deliveries", 0, MEGABYTES.get(commits, 160) << 20
    with path.open("wb") as file:
        while file.tell() < size:
            number = file.tell()
            parts[1::2] = [_sha(number, place) for place in places]
            length = file.write(_request(b"".join(parts), f"72d3162e-cc78-11e3-81ab-{number:012x}"))
    return Deliveries(path, length, commits)


@lru_cache(8192)
def _sha(push: int, place: bytes) -> bytes:
    return hashlib.sha1(b"%d %b" % (push, place), usedforsecurity=False).hexdigest().encode()


def _request(body: bytes, delivery: str) -> bytes:
    headers = delivery_headers(body, delivery, SecretStr(SECRET)) | {"Host": "localhost", "Content-Length": len(body)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {HOOK_PATH} HTTP/1.1\r\n{lines}\r\n".encode() + body


def _template(commits: int) -> bytes:
    """GitHub's own example of a push, its first commit as it is, the others with a real message of one kilobyte.

    In place of each commit's sha stands `@` and its number.
    """
    push = json.loads(EXAMPLE.read_bytes())
    first = json.dumps(push["commits"][0])
    message = REAL_MESSAGE.read_text().partition("diff --git")[0].split("\n", 2)[2].strip()
    shas = [f"@{number:039d}" for number in range(commits + 1)]
    listed = [json.loads(first.replace(push["after"], sha)) for sha in shas[1:]]
    for commit in listed[1:]:
        commit["message"] = message
    push |= {"before": shas[0], "after": shas[-1], "commits": listed, "head_commit": listed[-1], "created": False,
             "compare": f"{push['repository']['html_url']}/compare/{shas[0]}...{shas[-1]}"}  # fmt: skip
    push["repository"]["pushed_at"] = int(time.time())
    return json.dumps(push, ensure_ascii=False, separators=(",", ":")).encode()


def _told(medians: dict[str, Measured], deliveries: Deliveries) -> Figures:
    """Print a table; returns Daybook's rates and its ratios to each of the others."""
    ratios: Figures = {}
    print(f"\n{deliveries.commits} commits a push, {deliveries.length} bytes; medians")
    for name, measured in medians.items():
        print(f"  {name:<22} {measured.rate:8.0f} requests/s   p99 {measured.p99_ms:7.1f} ms   "
              f"server and Redis {measured.cpu_us:7.0f} µs a request")  # fmt: skip
    daybooks = [name for name in medians if name.startswith(DAYBOOK)]
    for daybook in daybooks:
        rate = f"receiving_{deliveries.commits}_{daybook.partition(', ')[2]}_per_second"
        ratios[rate] = higher(medians[daybook].rate, "pushes/s")
        for other in (name for name in medians if name not in daybooks):
            row = []
            for figure, better in FIGURES.items():
                value = getattr(medians[daybook], figure) / getattr(medians[other], figure)
                key = f"receiving {deliveries.commits}, {daybook.partition(', ')[2]}: {figure} of {other}"
                ratios[key] = better(value, "ratio")
                row.append(f"{figure} × {value:.2f}")
            print(f"  {daybook} : {other}: {', '.join(row)}")
    return ratios


if __name__ == "__main__":
    missing = [tool for tool in ("wrk",) if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"install {', '.join(missing)}")
    main()
