"""A web process whose Redis cannot be used says so in its log: why, what to do, and not at each request."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
import redis
from structlog.testing import capture_logs

from core.outage import Outage
from core.redis_connections import NotWritable
from core.redis_server import RedisServer, free_port
from core.settings import Settings
from tests.running import PATIENCE_SECONDS, PLAIN, SECRET, deliver
from webhook.app import create_app

WRONG = "hunter2-hunter2"
PAGES = ("/readyz", "/metrics", "/", "/octocat/hello", "/search?q=a")


def wrong_url(server: RedisServer) -> str:
    return f"redis://:{WRONG}@{server.url.rpartition('@')[2]}"


def test_a_wrong_password_is_told_once_by_all_routes_together_and_again_after_a_minute(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    url, now = wrong_url(redis_server), [100.0]
    settings = Settings(_env_file=None, github_webhook_secret=SECRET, daybook_home=tmp_path, site_public=True)
    outage = Outage(url, clock=lambda: now[0])
    client = create_app(settings, url, outage).test_client()
    shown = url.replace(f":{WRONG}@", "")
    once = {
        "event": "redis_unusable",
        "log_level": "warning",
        "reason": f"Redis refuses the password of REDIS_URL ({shown})",
        "remedy": "correct the password in REDIS_URL and start this process again",
    }
    with capture_logs() as logged:
        outage.look(5.0)
        for page in PAGES * 2:
            assert client.get(page).status_code == 503
    assert [line for line in logged if line["event"] == "redis_unusable"] == [once]
    now[0] += 60
    with capture_logs() as logged:
        for page in PAGES:
            client.get(page)
    assert [line for line in logged if line["event"] == "redis_unusable"] == [once]


def test_each_reason_is_told_by_itself_even_where_two_take_turns() -> None:
    now = [100.0]
    outage = Outage("redis://:secret@redis.example:6380/2", clock=lambda: now[0])
    refused = redis.ConnectionError("Error 111 connecting to redis.example:6380. Connection refused.")
    errors = (
        refused,
        redis.TimeoutError("Timeout reading from socket"),
        redis.OutOfMemoryError("command not allowed"),
        NotWritable("this Redis takes no writes: a replica"),
        redis.ResponseError("beginning with: 'secret'"),
    )
    with capture_logs() as logged:
        for _ in range(3):
            now[0] += 10
            for error in errors:
                outage.tell(error)
    here = "at REDIS_URL (redis://redis.example:6380/2:"
    assert [line["reason"] for line in logged] == [
        f"Redis does not answer {here} Error 111 connecting to redis.example:6380. Connection refused)",
        f"Redis does not answer {here} Timeout reading from socket)",
        f"Redis fails {here} OutOfMemoryError)",
        f"Redis fails {here} this Redis takes no writes: a replica)",
        f"Redis fails {here} ResponseError)",
    ]


@pytest.mark.slow
def test_the_web_process_says_at_its_start_what_is_wrong_and_not_again_at_each_request(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    base = f"http://127.0.0.1:{(port := free_port())}"
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "web", "--port", str(port)], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=PLAIN | {"REDIS_URL": wrong_url(redis_server), "GITHUB_WEBHOOK_SECRET": SECRET},
    )  # fmt: skip
    lines: list[str] = []
    told = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            lines.append(line)
            told.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert told.wait(PATIENCE_SECONDS)
        assert "redis_unusable" in lines[0]
        assert await_port(base)
        for page in PAGES:
            assert httpx2.get(f"{base}{page}", trust_env=False, timeout=30).status_code == 503
        assert deliver(base, b"{}", event="push").status_code == 400
    finally:
        process.terminate()
        process.wait(20)
        reader.join()
        if process.stdout:
            process.stdout.close()
    said = "".join(lines)
    assert said.count("redis_unusable") == 1, said
    assert 'remedy="correct the password in REDIS_URL and start this process again"' in said
    assert WRONG not in said


def await_port(base: str) -> bool:
    """Whether the web process takes a connection in time."""
    deadline = threading.Event()
    timer = threading.Timer(PATIENCE_SECONDS, deadline.set)
    timer.start()
    try:
        while not deadline.wait(0.05):
            with suppress(httpx2.TransportError):
                return httpx2.get(f"{base}/healthz", trust_env=False, timeout=5).status_code == 200
    finally:
        timer.cancel()
    return False
