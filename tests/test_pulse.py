"""A process is on the list of those alive while it runs, and off it once it has stopped cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from core.ledger import Ledger
from tests.conftest import SHANGHAI
from tests.running import PLAIN
from workers.app import message, wake
from workers.pulse import pulse


def await_alive(ledger: Ledger, names: int) -> list[str]:
    deadline = time.monotonic() + 30
    while len(alive := sorted(ledger.meters().alive)) != names and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive


def test_the_name_is_taken_off_at_the_end_even_of_a_failure(ledger: Ledger, redis_url: str) -> None:
    with suppress(SystemExit), pulse(Ledger(redis_url, ledger.zone), "worker", 0.01):
        (name,) = await_alive(ledger, 1)
        assert name.startswith("worker@")
        sys.exit(1)
    time.sleep(0.05)
    assert ledger.meters().alive == {}


def test_without_redis_the_work_goes_on_and_its_end_leaves_no_thread() -> None:
    with pulse(Ledger("redis://127.0.0.1:1/0", SHANGHAI, timeout=0.2), "worker", 0.01):
        time.sleep(0.05)
        assert "pulse" in {thread.name for thread in threading.enumerate()}
    assert "pulse" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["worker", "control"])
def test_a_stopped_process_is_not_told_to_be_alive(ledger: Ledger, redis_url: str, tmp_path: Path, kind: str) -> None:
    words = [sys.executable, "-m", "cli.main", kind]
    process = subprocess.Popen(words, cwd=tmp_path, env=PLAIN | {"REDIS_URL": redis_url}, stdout=subprocess.DEVNULL)
    try:
        (name,) = await_alive(ledger, 1)
        assert name.startswith(f"{kind}@")
        queue, work = ("fetch", message("fetch", "a/b@1234")) if kind == "worker" else ("control", wake("watch"))
        ledger.enqueue(queue, [work])
        while ledger.redis.llen(queue):  # until Celery takes work, and has its signals set up
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        assert ledger.meters().alive == {}
    finally:
        process.kill()
        process.wait()
