"""What the log says of a Redis that cannot be used: why, and what to do; not at each request that meets it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import redis

from core.log import Log
from core.redis_address import address_from_url
from core.redis_connections import NotWritable

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.redis_address import RedisAddress

AGAIN_SECONDS = 60.0

log = Log()


class Outage:
    """Tells each reason once, and again when it still holds after a minute. Safe to share between threads."""

    def __init__(self, place: str | RedisAddress, clock: Callable[[], float] = time.monotonic) -> None:
        """`place` is its url, or what was read from one."""
        self._address = address_from_url(place) if isinstance(place, str) else place
        self._clock = clock
        self._guard = threading.Lock()
        self._told: dict[str, float] = {}

    def look(self, seconds: float) -> None:
        """Ask Redis for a sign of life within so many seconds, and tell why there is none."""
        client = self._address.client(seconds)
        try:
            client.ping()
        except redis.RedisError as error:
            self.tell(error)
        finally:
            client.close()

    def tell(self, error: redis.RedisError) -> None:
        """Warn of what Redis answered a call with, unless that was just done."""
        why, now = why_unusable(self._address, error), self._clock()
        with self._guard:
            told = {reason: at for reason, at in self._told.items() if now - at < AGAIN_SECONDS}
            self._told = {why: now} | told
            if why in told:
                return
        log.warning("redis_unusable", reason=why, remedy=remedy(error, " and start this process again"))


def why_unusable(address: RedisAddress, error: redis.RedisError) -> str:
    """What an error of redis-py says of the Redis at an address, in a line without its password."""
    if isinstance(error, (redis.AuthenticationError, redis.exceptions.AuthenticationWrongNumberOfArgsError)):
        if address.password is None:
            return f"Redis wants a password, and REDIS_URL has none ({address.shown})"
        return f"Redis refuses the password of REDIS_URL ({address.shown})"
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError)) and not isinstance(error, NotWritable):
        return f"Redis does not answer at REDIS_URL ({address.shown}: {_reason(error)})"
    return f"Redis fails at REDIS_URL ({address.shown}: {_reason(error)})"


def _reason(error: redis.RedisError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "its certificate is not trusted; name who signed it in REDIS_CA_FILE"
    if "DB index is out of range" in str(error):
        return "it has no database of this number"
    may_quote = isinstance(error, redis.ResponseError) and not isinstance(error, redis.exceptions.NoPermissionError)
    return ("" if may_quote else str(error).rstrip(".")) or type(error).__name__  # of a command: what was sent


def remedy(error: redis.RedisError, then: str = "") -> str:
    """What a person can do about it; `then` is what follows upon another REDIS_URL."""
    if isinstance(error, NotWritable):
        return error.remedy
    if isinstance(error, redis.AuthenticationError):
        return f"correct the password in REDIS_URL{then}"
    if isinstance(error, redis.ResponseError):
        return "run `daybook check`, and look into Redis's log"
    return f"start it, or correct REDIS_URL{then}"
