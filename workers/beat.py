"""The scheduler of beat: fixed intervals, kept in memory, and never more than a few messages ahead of the workers."""

from __future__ import annotations

from typing import Any

from celery.beat import ScheduleEntry
from celery.beat import Scheduler as CeleryScheduler
from kombu.exceptions import OperationalError

MOST_WAITING = 20


class Scheduler(CeleryScheduler):
    """Skips a turn while the queue is full: with no worker for weeks, messages would fill Redis's memory."""

    def apply_async(
        self,
        entry: ScheduleEntry,
        producer: Any = None,
        advance: bool = True,  # noqa: FBT001, FBT002 - the base class's signature
        **kwargs: Any,
    ) -> Any:
        """Send an entry's message unless enough of them wait already."""
        queue = self.app.conf.task_routes[entry.task]["queue"]
        waiting = self._waiting(queue)
        if waiting < MOST_WAITING:
            return super().apply_async(entry, producer=producer, advance=advance, **kwargs)
        return self.reserve(entry) if advance else None

    def _waiting(self, queue: str) -> int:
        try:
            with self.app.connection_for_read() as connection:
                channel: Any = connection.default_channel  # the Redis transport's has a client
                return int(channel.client.llen(queue))
        except OperationalError:
            return 0  # sending will meet the same fault and say so
