"""Daybook's real processes for tests: started, waited for, ended; and deliveries as GitHub posts them."""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx2

from cli.supervisor import PROCESSES, Supervisor
from cli.up import await_ready
from core.redis_server import RedisServer, free_port

SECRET = "It's a Secret to Everybody"
PATIENCE_SECONDS = 240.0  # a busy machine is slow, and that is no fault: only what never comes fails a test
# Only what a process needs: no setting of the machine reaches a test.
PLAIN = {
    key: os.environ[key]
    for key in ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
    if key in os.environ
}


def signature(body: bytes, secret: str = SECRET) -> str:
    """`X-Hub-Signature-256` of a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def deliver(base: str, body: bytes, *, event: str = "push", **headers: str) -> httpx2.Response:
    """Post a signed delivery; keyword headers replace the usual ones (`x_hub_signature_256="…"`)."""
    usual = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": str(uuid4()),
        "x-hub-signature-256": signature(body),
    }
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    # Loading the authorities of TLS, which is not spoken here, would take twenty times as long as the delivery.
    return httpx2.post(f"{base}/webhooks/github", content=body, headers=usual | given, timeout=30, trust_env=False,
                       verify=False)  # fmt: skip


@contextmanager
def web_process(redis_url: str, folder: Path, **environment: str) -> Iterator[str]:
    """A real `daybook web` on loopback; yields its base URL."""
    base = f"http://127.0.0.1:{(port := free_port())}"
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "web", "--port", str(port)],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=PLAIN | {"REDIS_URL": redis_url, "GITHUB_WEBHOOK_SECRET": SECRET} | environment,
    )  # fmt: skip
    assert process.stdout
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        assert await_ready(base, PATIENCE_SECONDS), "".join(lines)
        yield base
    finally:
        process.terminate()
        process.wait(20)
        reader.join()
        process.stdout.close()


@dataclass
class Daybook:
    """A whole Daybook with an embedded Redis, tended by a thread of its own."""

    base: str
    supervisor: Supervisor
    redis: RedisServer
    lines: list[str] = field(default_factory=list)

    def await_(self, condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Tend the processes until the condition holds; fails with what they said last when it does not."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "\n".join(self.lines[-40:])
            self.supervisor.tick()
            time.sleep(0.05)


@contextmanager
def daybook(folder: Path, only: Collection[str] = PROCESSES, **environment: str) -> Iterator[Daybook]:
    """Web, worker, control and beat as `daybook up` runs them, or some of them, in a folder of their own."""
    redis = RedisServer(folder / ".daybook")
    (folder / "daybook.toml").touch()
    port = free_port()
    lines: list[str] = []
    arguments = {name: ("--port", str(port)) if name == "web" else () for name in PROCESSES if name in only}
    supervisor = Supervisor(
        PLAIN
        | {
            "REDIS_URL": redis.reserve(),
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "DAYBOOK_HOME": str(folder / ".daybook"),
            "DAYBOOK_CONFIG": str(folder / "daybook.toml"),
            "REPORT_DIR": str(folder / "reports"),
        }
        | environment,
        arguments,
        lambda name, line: lines.append(f"{name}: {line}"),
        redis,
    )
    running = Daybook(f"http://127.0.0.1:{port}", supervisor, redis, lines)
    supervisor.start()
    try:
        assert await_ready(running.base, PATIENCE_SECONDS), "\n".join(lines)
        yield running
    finally:
        supervisor.stop()
