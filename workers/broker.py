"""How Celery's processes talk to Redis: as the ledger does; they look every second whether it is back.

What is wrong with it is told as the web process tells it: once, and again each minute.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import redis
import structlog
from celery.app import amqp
from kombu import Connection as KombuConnection
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as transport

from core.ledger.places import PREFIX
from core.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.redis_address import RedisAddress

log = structlog.get_logger()

# Of what kombu would connect with; the rest is the address's.
_KOMBUS_OPTIONS = (
    "connection_class", "socket_timeout", "socket_connect_timeout", "health_check_interval", "max_connections",
)  # fmt: skip


class Channel(transport.Channel):
    """Connects by the address of our own url, by Sentinel too, and notices what the ledger's connections notice.

    It outlives a message that is none: by itself the worker would end, and each commit in its hands with it.
    """

    from_transport_options = (*transport.Channel.from_transport_options, "address")
    address: RedisAddress  # one of the transport's options, see `connect_broker`

    @property
    def connection_class(self) -> Any:  # type: ignore[override] # kombu only reads it
        """What kombu derives its connections from."""
        return self.address.connection_class

    def _get_pool(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002 - kombu's signature
        theirs = self._connparams(asynchronous=asynchronous)  # type: ignore[attr-defined] # kombu's stub leaves it out
        self.keyprefix_fanout = self.keyprefix_fanout.format(db=self.address.db)
        return self.address.pool(**{name: theirs[name] for name in _KOMBUS_OPTIONS if name in theirs})

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc] # kombu's stub leaves it out
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            log.exception("garbage_in_queue", reason=type(error).__name__)  # it is off the queue already
            return True


class Transport(transport.Transport):
    """Redis with our channels. A connection is there when Redis takes writes, without which a worker can do nothing.

    One that is full or read-only answers, and the worker would connect and lose it a hundred times a second, or end.
    """

    Channel = Channel

    def establish_connection(self) -> Any:
        """Connect; raises redis.ConnectionError, upon which kombu waits and tries again."""
        connection: Any = super().establish_connection()
        try:
            channel = connection._avail_channels[-1]  # noqa: SLF001 - the one that kombu has just tried by a PING
            channel.client.set(f"{PREFIX}lock:broker", "", xx=True)  # refused as any write, and else without effect
        except redis.RedisError:
            self.close_connection(connection)
            raise
        return connection


# Ours in the place of kombu's own: its pooled connections are of a class that no seam can replace.
TRANSPORT_ALIASES["redis"] = f"{__name__}:{Transport.__name__}"


class Connection(KombuConnection):
    """A connection that tries again soon, and says once a minute why there is none, not at each attempt."""

    def _ensure_connection(  # type: ignore[override] # kombu's stub wants whole seconds
        self,
        errback: Callable[..., Any] | None = None,
        max_retries: int | None = None,
        interval_start: float = 0.2,
        interval_step: float = 0.4,
        interval_max: float = 1.0,
        **options: Any,
    ) -> Any:
        """Wait until there is a connection, as whatever asks for one does; `errback` is told of no error of Redis's.

        kombu's own waits grow to 30 s, so that work would rest that long after Redis is back.
        """

        def tell(error: Exception, *interval: float) -> None:
            if isinstance(error, redis.RedisError):
                _outage((self.transport_options or {})["address"]).tell(error)
            elif errback:
                errback(error, *interval)

        intervals: Any = (interval_start, interval_step, interval_max)
        return super()._ensure_connection(tell, max_retries, *intervals, **options)


@cache
def _outage(address: RedisAddress) -> Outage:
    return Outage(address)


class AMQP(amqp.AMQP):
    """Celery's seam for another class of connection."""

    Connection = Connection
