"""The scheduler of beat: fixed intervals in memory, sent by the beat that leads, never far ahead of the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from celery.beat import ScheduleEntry, SchedulingError
from celery.beat import Scheduler as CeleryScheduler
from kombu.exceptions import OperationalError

from workers.leadership import LOOK_SECONDS

if TYPE_CHECKING:
    from workers.leadership import Leadership

log = structlog.get_logger()

MOST_WAITING = 20


class Scheduler(CeleryScheduler):
    """Sends while its process leads, and skips a turn while the queue is full.

    With no worker for weeks, messages would fill Redis's memory.
    """

    def __init__(self, *arguments: Any, leadership: Leadership, **options: Any) -> None:
        self._leadership = leadership
        self._closed = False
        super().__init__(*arguments, **options)

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Send one message that is due; seconds until the next call. The lead is proven before each."""
        if self._closed:
            raise SystemExit  # the signal's own is lost where it comes in the middle of a destructor
        if not self._leadership.is_ours():
            return LOOK_SECONDS
        return min(super().tick(*arguments, **options), LOOK_SECONDS)

    def close(self) -> None:
        """Let another beat lead."""
        self._closed = True
        self._leadership.resign()
        super().close()

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
            try:
                return super().apply_async(entry, producer=producer, advance=advance, **kwargs)
            except SchedulingError as error:  # Redis is away; Celery would log how it came here, in thirty lines
                log.warning("not_sent", task=entry.task, reason=" ".join(str(error.__context__ or error).split()))
                return None
        return self.reserve(entry) if advance else None

    def _waiting(self, queue: str) -> int:
        try:
            with self.app.connection_for_read() as connection:
                channel: Any = connection.default_channel  # the Redis transport's has a client
                return int(channel.client.llen(queue))
        except OperationalError:
            return 0  # sending will meet the same fault and say so
