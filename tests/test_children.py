"""The control worker's children: as many as long tasks need and two more, so that the sweep is never stuck."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import billiard.pool
import psutil
import pytest

from tests.reliability import ledger_of
from tests.running import daybook
from workers.children import FREE, wanted

MOST = 11
FOLLOWED = '[[repository]]\nname = "octocat/hello-world"\nfollow = ["poll"]\n'


@pytest.mark.parametrize(
    ("held", "stuck", "said"),
    [(0, 0, FREE), (1, 0, 1 + FREE), (2, 0, 2 + FREE), (2, 6, 8), (9, 1, MOST), (MOST, 5, MOST)],
)
def test_two_are_free_and_what_finds_none_gets_one(held: int, stuck: int, said: int) -> None:
    assert wanted(held, stuck, MOST) == said


def test_a_child_does_not_wait_half_a_minute_for_a_parent_that_is_ending_too(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("billiard.pool.time.sleep", slept.append)
    child: Any = object.__new__(billiard.pool.Worker)
    child.on_ready_counter = SimpleNamespace(value=0)
    assert not child._ensure_messages_consumed(completed=1), "its parent has read nothing"
    assert 0.5 < sum(slept) < 2
    slept.clear()
    child.on_ready_counter.value = 1
    assert child._ensure_messages_consumed(completed=1)
    assert slept == []


@contextmanager
def silent_server() -> Iterator[str]:
    """An HTTP address that accepts connections and never answers; refused and cut off at the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    kept.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for connection in kept:
                connection.close()


@pytest.mark.slow
@pytest.mark.kills(minutes=1)
@pytest.mark.timeout(240)
def test_while_github_is_silent_children_are_added_the_sweep_goes_on_and_they_leave_again(tmp_path: Path) -> None:
    (tmp_path / "daybook.toml").write_text(FOLLOWED)
    with ExitStack() as silence:
        github = silence.enter_context(silent_server())
        with daybook(tmp_path, GITHUB_API_URL=github, GITHUB_TOKEN="x" * 20) as running:
            ledger = ledger_of(running)
            control = psutil.Process(running.supervisor.pids()["control"])
            running.await_(lambda: len(control.children()) > FREE, seconds=80)  # a poll waits for GitHub
            sweeps: set[int] = set()

            def swept_again() -> bool:
                meters = ledger.meters()
                sweeps.add(round(meters.at - (meters.sweep_seconds or 0.0)))
                return len(sweeps) > 4

            running.await_(swept_again)
            silence.close()
            running.await_(lambda: len(control.children()) == FREE, seconds=100)
            assert control.pid == running.supervisor.pids()["control"]
            ledger.close()
