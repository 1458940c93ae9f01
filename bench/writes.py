"""How many writes a second one Redis takes: the script that records a push of one commit, asked by redis-benchmark.

    python -m bench.writes [--requests 20000] [--clients 50] [--json FILE]

The server is the embedded one, with `appendfsync always` as it comes and with `everysec`, in turn, three times; medians
are told. Every request is a commit of its own, but for the odd number that comes twice. `redis-benchmark` is part of
Redis (Debian: `redis-tools`).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from bench.figures import higher, write
from core.ledger import Ledger
from core.ledger.packing import packed_commit
from core.redis_server import RedisServer
from tests.records import REPOSITORY, record

ROUNDS = 3
POLICIES = ("always", "everysec")
COLUMNS = 8  # of the table: command, requests a second, and six of latency


def main() -> None:
    """Run, print, and write the figures if they are wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rates = {policy: list[float]() for policy in POLICIES}
    for _ in range(ROUNDS):
        for policy in POLICIES:
            rates[policy].append(rate(policy, options.requests, options.clients))
    told = {policy: statistics.median(found) for policy, found in rates.items()}
    for policy, value in told.items():
        print(f"appendfsync {policy}: {value:,.0f} writes/s ({min(rates[policy]):,.0f} to {max(rates[policy]):,.0f})")
    write(options.json, {f"writes_{policy}_per_second": higher(told[policy], "writes/s") for policy in told})


def rate(policy: str, requests: int, clients: int) -> float:
    """Writes a second that an empty Redis takes with this `appendfsync`."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        url = urlsplit(server.start())
        try:
            ledger = Ledger(server.url, ZoneInfo("UTC"))
            ledger.ready()
            ledger.redis.config_set("appendfsync", policy)
            sha = ledger.redis.script_load(ledger._scripts["receive"].script)  # noqa: SLF001 - the one that receiving runs
            ledger.close()
            command = ["redis-benchmark", "-p", str(url.port), "-a", str(url.password), "-n", str(requests),
                       "-c", str(clients), "-r", "1000000000", "--csv", "EVALSHA", sha, "0", *pushed()]  # fmt: skip
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        finally:
            server.stop()
    return float(answer.splitlines()[-1].rsplit('","', COLUMNS - 1)[1])  # the first column is the command, unescaped


def pushed() -> list[str]:
    """The script's arguments for one commit; the tool puts a number of its own into each sha."""
    commit = record(1).commit.model_copy(update={"message": "Change the way that requests are admitted (#1)\n\n" * 4})
    kept = packed_commit(commit).decode()
    score = repr(commit.landed_at.timestamp())
    head = f'{{"sha":"{commit.sha}","pushed_at":{score}}}'
    return [REPOSITORY, score, "", commit.branch, head, "2026-02-17", "fetch", "30",
            f"{'a' * 28}__rand_int__", score, kept, '{"body":"' + "x" * 700 + '"}']  # fmt: skip


if __name__ == "__main__":
    main()
