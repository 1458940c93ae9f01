"""A breaker: after Redis did not answer, calls fail at once for a second, so that no request queues behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import redis

from core.redis_connections import briefly

if TYPE_CHECKING:
    from core.outage import Outage

T = TypeVar("T")

OPEN_SECONDS = 1.0


class RedisUnavailable(Exception):
    """Redis did not take the call; the sender may try again."""

    status = 503


class Breaker:
    """Wraps calls to Redis and has their failures told.

    While open, one call a second is let through to see whether Redis is back.
    """

    def __init__(self, outage: Outage, clock: Callable[[], float] = time.monotonic) -> None:
        self._outage = outage
        self._clock = clock
        self._guard = threading.Lock()
        self._open_until: float | None = None

    def call(self, function: Callable[[], T]) -> T:
        """Run the function; raises RedisUnavailable when Redis fails or just did."""
        self._pass()
        try:
            result = function()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            with self._guard:
                self._open_until = self._clock() + OPEN_SECONDS
            self._outage.tell(error)
            raise RedisUnavailable(briefly(error)) from error
        except redis.RedisError as error:  # a key of the wrong type, say: it answers, so others may go on
            self._outage.tell(error)
            raise RedisUnavailable(briefly(error)) from error
        with self._guard:
            self._open_until = None
        return result

    def _pass(self) -> None:
        with self._guard:
            if self._open_until is None:
                return
            if self._clock() < self._open_until:
                raise RedisUnavailable("not tried: it just failed")
            self._open_until = self._clock() + OPEN_SECONDS
