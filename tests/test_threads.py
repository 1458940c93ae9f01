"""The pool of a worker's threads: full of tasks, it tells Celery's loop as soon as it is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from celery.worker import state
from kombu.asynchronous import Hub, get_event_loop, set_event_loop

from workers.threads import TaskPool


@pytest.fixture
def hub() -> Iterator[Hub]:
    before, hub = get_event_loop(), Hub()
    set_event_loop(hub)
    yield hub
    set_event_loop(before)
    hub.close()


@pytest.mark.parametrize(("reserved", "woken"), [(2, True), (0, False)])
def test_the_loop_is_woken_by_the_end_of_a_task_when_all_threads_were_at_work(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, reserved: int, woken: bool
) -> None:
    monkeypatch.setattr(state, "reserved_requests", set(range(reserved)))
    called, ended = list[object](), threading.Event()
    monkeypatch.setattr(hub, "call_soon", lambda *arguments: called.append(arguments))
    pool = TaskPool(2)
    pool.start()
    try:
        pool.apply_async(lambda: None, (), {}, callback=lambda _: ended.set())
        assert ended.wait(60)
    finally:
        pool.stop()  # waits for the thread, and so for what it does after the task
    assert bool(called) is woken
