"""Of any number of beats one sends; a dead or frozen one is replaced, and never do two send for longer than a tick."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from core.ledger import Ledger
from tests.conftest import SHANGHAI
from tests.running import PLAIN, web_process
from workers import leadership
from workers.celeryconfig import QUEUES, SWEEP_SECONDS
from workers.leadership import Leadership


@dataclass
class Reader:
    """Takes every message off the queues, as workers would; who sent which task, and when."""

    url: str
    sent: list[tuple[float, int, str]] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        """Until it is stopped."""
        ledger = Ledger(self.url, SHANGHAI)
        while not self._stopping.is_set():
            if taken := ledger.redis.brpop(QUEUES, 1):
                headers = json.loads(taken[1])["headers"]
                sender = re.match(r"gen(\d+)@", headers["origin"])
                assert sender
                self.sent.append((time.monotonic(), int(sender[1]), headers["task"]))
        ledger.close()

    def by(self, pid: int, since: float) -> list[str]:
        """What a process sent since a moment."""
        return [task for at, sender, task in list(self.sent) if sender == pid and at >= since]

    def seconds_until(self, pid: int, since: float) -> float:
        """How long it took from a moment until a process sent something; waits for it for a minute."""
        while not self.by(pid, since):
            assert time.monotonic() - since < 60, "nobody took over within a minute"
            time.sleep(0.05)
        return next(at for at, sender, _ in self.sent if sender == pid and at >= since) - since

    def stop(self) -> None:
        """Let the thread end."""
        self._stopping.set()


@contextmanager
def reading(url: str) -> Iterator[Reader]:
    """A reader in a thread of its own."""
    reader = Reader(url)
    thread = threading.Thread(target=reader.read)
    thread.start()
    try:
        yield reader
    finally:
        reader.stop()
        thread.join()


@contextmanager
def beats(url: str, folder: Path, count: int) -> Iterator[dict[int, subprocess.Popen[bytes]]]:
    """Real `daybook beat` processes by their pid."""
    words = [sys.executable, "-m", "cli.main", "beat"]
    started = [
        subprocess.Popen(words, cwd=folder, env=PLAIN | {"REDIS_URL": url}, stderr=subprocess.DEVNULL)
        for _ in range(count)
    ]
    try:
        yield {process.pid: process for process in started}
    finally:
        for process in started:
            process.kill()
            process.wait()


def leader_of(ledger: Ledger, among: int) -> int:
    """The pid of the beat that leads, once so many are there."""
    deadline = time.monotonic() + 60
    while ledger.meters().beat is None or sum(name.startswith("beat@") for name in ledger.meters().alive) < among:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(str(ledger.meters().beat).rpartition("/")[2])


@pytest.mark.slow
@pytest.mark.kills
@pytest.mark.timeout(300)
def test_a_frozen_and_a_killed_leader_are_replaced_and_two_never_send(
    ledger: Ledger, redis_url: str, tmp_path: Path
) -> None:
    with beats(redis_url, tmp_path, 2) as running, reading(redis_url) as reader:
        first = leader_of(ledger, 2)
        (second,) = running.keys() - {first}
        quiet = time.monotonic()
        reader.seconds_until(first, quiet)
        time.sleep(4 * SWEEP_SECONDS)
        seen = Counter(reader.by(first, quiet))
        assert not reader.by(second, quiet)
        assert seen["daybook.sweep"] <= (time.monotonic() - quiet) / SWEEP_SECONDS + 1

        frozen = time.monotonic()
        os.kill(first, signal.SIGSTOP)
        thawed_after = reader.seconds_until(second, frozen + 0.01)
        os.kill(first, signal.SIGCONT)
        thawed = time.monotonic()
        time.sleep(3 * SWEEP_SECONDS)
        assert len(reader.by(first, thawed)) <= 1  # the one that it was about to send
        assert Counter(reader.by(second, thawed))["daybook.sweep"] <= (time.monotonic() - thawed) / SWEEP_SECONDS + 1
        assert leader_of(ledger, 2) == second

        killed = time.monotonic()
        running[second].kill()
        replaced_after = reader.seconds_until(first, killed)
        print(f"beat: replaced {thawed_after:.1f} s after it froze, {replaced_after:.1f} s after it was killed")
        running[first].terminate()
        assert running[first].wait(30) == 0
        assert ledger.leader("beat") is None  # it says so, and the next need not wait


@pytest.mark.slow
@pytest.mark.kills
def test_status_check_and_metrics_tell_who_leads(ledger: Ledger, redis_url: str, tmp_path: Path) -> None:
    with beats(redis_url, tmp_path, 2):
        name = f"beat@{os.uname().nodename}/{leader_of(ledger, 2)}"
        environment = PLAIN | {"REDIS_URL": redis_url}
        status = subprocess.run([sys.executable, "-m", "cli.main", "status"], cwd=tmp_path, env=environment,
                                capture_output=True, text=True, check=True).stdout  # fmt: skip
        assert f"beat      {name} leads\n" in status
        ledger.redis.set("daybook:swept", time.time())
        check = subprocess.run([sys.executable, "-m", "cli.main", "check"], cwd=tmp_path, check=False,
                               env=environment | {"GITHUB_API_URL": "http://127.0.0.1:1"}, capture_output=True,
                               text=True).stdout  # fmt: skip
        assert f"; {name} leads, 1 more stands by" in check
        with web_process(redis_url, tmp_path) as base:
            assert f'daybook_beat_leads{{process="{name}"}} 1.0' in httpx2.get(f"{base}/metrics", trust_env=False).text


def test_a_lead_is_taken_kept_and_handed_on(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leadership, "RENEW_SECONDS", 0.0)
    one, other = Leadership(ledger, "beat"), Leadership(ledger, "beat")
    assert one.is_ours()
    assert not other.is_ours()
    other.resign()  # what is not its own
    assert one.is_ours()
    one.resign()
    assert other.is_ours()
    assert not one.is_ours()
    assert 0 < ledger.redis.pttl("daybook:lead:beat") <= leadership.LEAD_SECONDS * 1000
    ledger.redis.delete("daybook:lead:beat")  # a fail-over may lose it
    assert one.is_ours()
    assert not other.is_ours()


def test_without_redis_nobody_leads() -> None:
    nowhere = Leadership(Ledger("redis://127.0.0.1:1/0", SHANGHAI, timeout=0.2), "beat")
    assert not nowhere.is_ours()
    nowhere.resign()
