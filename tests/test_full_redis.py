"""A Redis that answers and takes no writes, being full or a replica: who says so, and goes on later."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import redis

from core.ledger import Ledger
from core.outage import Outage, remedy
from core.redis_connections import NotWritable
from core.redis_server import RedisServer
from core.settings import Settings
from report.json import report_json
from tests.conftest import SHANGHAI
from tests.pushes import push
from tests.records import record, report
from tests.running import PATIENCE_SECONDS, PLAIN, SECRET, deliver, web_process
from tests.test_webhook import many
from webhook.app import create_app

TINY = "100kb"
FULL = "this Redis takes no writes: its memory is full"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path / "redis")
    found.start()
    yield found
    found.stop()


def say(server: RedisServer, *command: str) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command(*command)


def run(*arguments: str, url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli.main", *arguments], cwd=folder, capture_output=True, text=True,
                          env=PLAIN | {"REDIS_URL": url}, timeout=180, check=False)  # fmt: skip


@contextmanager
def process(name: str, url: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process of the Procfile, and its lines as they come."""
    running = subprocess.Popen([sys.executable, "-m", "cli.main", name], cwd=folder, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=PLAIN | {"REDIS_URL": url, "GITHUB_WEBHOOK_SECRET": SECRET})  # fmt: skip
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(running.stdout or ()), daemon=True)
    reader.start()
    try:
        yield running, lines
    finally:
        running.terminate()
        running.wait(60)
        reader.join()
        if running.stdout:
            running.stdout.close()


def await_line(words: str, lines: list[str], running: subprocess.Popen[str], times: int = 1) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while sum(words in line for line in lines) < times:
        assert running.poll() is None, "".join(lines)
        assert time.monotonic() < deadline, "".join(lines)
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["worker", "control"])
@pytest.mark.parametrize(
    ("refuse", "relent", "why"),
    [
        (("CONFIG", "SET", "maxmemory", TINY), ("CONFIG", "SET", "maxmemory", "0"), "its memory is full"),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "a replica"),
    ],
)
def test_a_worker_waits_for_a_redis_that_takes_no_writes_and_says_why(
    server: RedisServer, tmp_path: Path, name: str, refuse: tuple[str, ...], relent: tuple[str, ...], why: str
) -> None:
    """It ended, with a traceback, or came and went a hundred times a second, with a paragraph each time."""
    with process(name, server.url, tmp_path) as (running, lines):
        await_line("ready.", lines, running)
        say(server, *refuse)
        with redis.Redis.from_url(server.url) as client:  # the connection that it waits on is lost as well
            for row in client.client_list():
                if row["cmd"] in ("brpop", "blpop"):
                    client.client_kill_filter(_id=row["id"])
        await_line(f"no writes: {why}", lines, running)
        time.sleep(3)  # it looks each second
        said = "".join(lines)
        assert said.count("redis_unusable") <= 2, said  # another minute may have begun
        assert len(lines) < 30, said
        assert "Traceback" not in said
        assert "level=critical" not in said
        assert "DeprecationWarning" not in said
        said_before = len(lines)
        say(server, *relent)
        await_line("Connected to", lines[said_before:] or lines, running, times=1)
        with redis.Redis.from_url(server.url) as client:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not any(row["cmd"] in ("brpop", "blpop") for row in client.client_list()):
                assert time.monotonic() < deadline, "".join(lines)
                time.sleep(0.05)


@pytest.mark.slow
def test_a_web_process_is_not_ready_and_takes_nothing_while_redis_is_full(server: RedisServer, tmp_path: Path) -> None:
    with web_process(server.url, tmp_path) as base:
        say(server, "CONFIG", "SET", "maxmemory", TINY)
        answer = httpx2.get(f"{base}/readyz", trust_env=False)
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "redis": FULL})
        time.sleep(1.1)  # the breaker's second
        assert deliver(base, many(1)).status_code == 503
        say(server, "CONFIG", "SET", "maxmemory", "0")
        time.sleep(1.1)
        assert httpx2.get(f"{base}/readyz", trust_env=False).status_code == 200
        assert deliver(base, many(1)).status_code == 202


def test_each_way_of_refusing_a_write_is_told_with_its_remedy(server: RedisServer) -> None:
    ledger = Ledger(server.url, SHANGHAI)
    ledger.ready()
    say(server, "CONFIG", "SET", "maxmemory", TINY)
    with pytest.raises(NotWritable, match="its memory is full") as full:
        ledger.lead("beat", "a b", 10)  # a script
    assert remedy(full.value) == "raise its maxmemory, or keep less: LEDGER_DAYS"
    with pytest.raises(NotWritable, match="its memory is full"):
        ledger.ready()
    say(server, "CONFIG", "SET", "maxmemory", "0")
    say(server, "REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(NotWritable, match="a replica") as replica:
        ledger.ready()
    assert remedy(replica.value) == "point REDIS_URL at the primary, or bring its replicas back"
    say(server, "REPLICAOF", "NO", "ONE")
    ledger.ready()
    ledger.close()


@pytest.mark.slow
def test_a_command_says_in_a_line_that_redis_is_full(server: RedisServer, tmp_path: Path) -> None:
    ledger = Ledger(server.url, SHANGHAI)
    ledger.receive(push([1]), [b"x"])
    ledger.close()
    say(server, "CONFIG", "SET", "maxmemory", TINY)
    told = run("report", "octocat/hello-world", "2026-02-17", url=server.url, folder=tmp_path)
    assert told.returncode == 1
    shown = server.url.replace(server.url.partition("//")[2].partition("@")[0] + "@", "")
    assert told.stderr == (
        f"daybook: Redis fails at REDIS_URL ({shown}: {FULL}); raise its maxmemory, or keep less: LEDGER_DAYS\n"
    )
    checked = run("check", url=server.url, folder=tmp_path).stdout
    assert "wrong redis      it refuses writes: its memory is full → raise its maxmemory" in checked


def test_what_is_kept_can_be_read_while_redis_is_full(server: RedisServer, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, github_webhook_secret=SECRET, daybook_home=tmp_path, site_public=True)
    ledger = Ledger(server.url, SHANGHAI)
    made = report([record(1)])
    ledger.receive(push([1]), [b"x"])
    ledger.save_report(made.repository, made.day, report_json([made]), (0, 0, 1))
    client = create_app(settings, server.url, Outage(server.url)).test_client()
    assert client.get("/readyz").status_code == 200
    say(server, "CONFIG", "SET", "maxmemory", TINY)
    name, day = made.repository, made.day
    for page in ("", name, f"{name}/{day}", f"{name}/{day}.md", f"{name}/{day:%Y}", f"{name}/feed.atom", "metrics"):
        assert client.get(f"/{page}").status_code == 200, page
    ledger.close()


@pytest.mark.slow
def test_check_tells_of_replicas_that_no_push_is_accepted_without(server: RedisServer, tmp_path: Path) -> None:
    told = subprocess.run([sys.executable, "-m", "cli.main", "check"], cwd=tmp_path, capture_output=True, text=True,
                          env=PLAIN | {"REDIS_URL": server.url, "REDIS_MIN_REPLICAS": "1",
                                       "GITHUB_API_URL": "http://127.0.0.1:1"},
                          timeout=180, check=False).stdout  # fmt: skip
    assert "wrong redis      0 of 1 replicas have confirmed the write → bring replicas up" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "began", "gone"),
    [
        ("worker", "Connected to", "redis_unusable"),
        ("control", "Connected to", "redis_unusable"),
        ("beat", "beat_leads", "ConnectionError"),  # of its lead, its pulse, or its connection
    ],
)
def test_a_redis_that_is_gone_is_told_of_in_few_lines(
    server: RedisServer, tmp_path: Path, name: str, began: str, gone: str
) -> None:
    """It was a line a second, and beat's call stack."""
    with process(name, server.url, tmp_path) as (running, lines):
        await_line(began, lines, running)
        server.stop()
        await_line(gone, lines, running)
        time.sleep(4)
        said = "".join(lines)
        assert said.count("redis_unusable") <= 2, said  # another minute may have begun
        assert len(lines) < 25, said
        assert "Message Error" not in said
        assert "Traceback" not in said
        server.start()
        with redis.Redis.from_url(server.url) as client:  # it is at work again: who waits for messages, or sends them
            client.delete("control")
            until = time.monotonic() + PATIENCE_SECONDS
            while not (client.llen("control") or any(row["cmd"] == "brpop" for row in client.client_list())):
                assert time.monotonic() < until, "".join(lines)
                time.sleep(0.05)
