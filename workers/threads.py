"""Celery's pool of threads; one that was full wakes the loop that reads messages as soon as it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.concurrency import thread
from celery.worker import state
from kombu.asynchronous import get_event_loop


class TaskPool(thread.TaskPool):
    """By itself the loop reads no message while all threads are at work, and looks again after up to a second."""

    def on_apply(
        self, target: Callable[..., Any], args: Any = None, kwargs: Any = None,
        callback: Callable[..., Any] | None = None, accept_callback: Callable[..., Any] | None = None, **options: Any,
    ) -> Any:  # fmt: skip
        """Let a thread run a task."""

        def ended(result: Any) -> None:
            if callback:
                callback(result)
            if len(state.reserved_requests) >= self.limit - 1 and (loop := get_event_loop()):
                loop.call_soon(_nothing)

        return super().on_apply(target, args, kwargs, ended, accept_callback, **options)


def _nothing() -> None:
    pass
