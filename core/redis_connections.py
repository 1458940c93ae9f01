"""Connections that notice when their Redis takes no writes any more, and Sentinels that name the one that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import redis
from redis.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

SENTINELS_SHARE = 0.3  # of a connection's time that one Sentinel may take to answer

_NO_PRIMARY = ("a replica, or one with too few replicas", "point REDIS_URL at the primary, or bring its replicas back")
_FULL = ("its memory is full", "raise its maxmemory, or keep less: LEDGER_DAYS")
_NO_DISK = ("its disk cannot be written", "free its disk, and look into its log")
# How a Redis says that it takes no writes, why, and what to do: it has become a replica (READONLY, or UNBLOCKED to who
# waited in BRPOP), it has too few replicas (NOREPLICAS), or no room. redis-py cuts off the words that it knows (OOM,
# READONLY), and before Redis 7 a script's answer has them in its middle.
_REFUSALS = {
    "READONLY": _NO_PRIMARY, "NOREPLICAS": _NO_PRIMARY, "UNBLOCKED": _NO_PRIMARY, "read only replica": _NO_PRIMARY,
    "enough good replicas": _NO_PRIMARY, "command not allowed when used memory": _FULL, "MISCONF": _NO_DISK,
}  # fmt: skip


class NotWritable(redis.ConnectionError):
    """This Redis takes no writes: it is no primary (then ask again who is), or has no room. `remedy` is a person's."""

    def __init__(self, why: str, remedy: str = _NO_PRIMARY[1]) -> None:
        super().__init__(why)
        self.remedy = remedy


def briefly(error: redis.RedisError) -> str:
    """What a line of a log says of an error: its kind, or why there are no writes. No error's words that may quote."""
    return str(error) if isinstance(error, NotWritable) else type(error).__name__


class _Watchful:
    """Hangs up on a Redis that takes no writes, so that the next attempt finds out where they go now."""

    def read_response(self, *arguments: Any, disconnect_on_error: bool = True, **options: Any) -> Any:
        """As redis-py's. Half an answer is never left in the connection, which SentinelManagedConnection would do."""
        try:
            return super().read_response(*arguments, disconnect_on_error=disconnect_on_error, **options)  # type: ignore[misc]
        except redis.ResponseError as error:
            found = next((told for word, told in _REFUSALS.items() if word in str(error)), None)
            if isinstance(error, redis.ReadOnlyError):
                found = _NO_PRIMARY
            if found is None:
                raise
            self.disconnect()  # type: ignore[attr-defined]
            why, remedy = found
            raise NotWritable(f"this Redis takes no writes: {why}", remedy) from error


class _Master(_Watchful):
    """Asks a Redis that a Sentinel named whether it is the master: a Sentinel may be the last to hear of a change."""

    def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's signature
        """Introduce ourselves; raises NotWritable when this is no master."""
        super().on_connect_check_health(check_health=check_health)  # type: ignore[misc]
        self.send_command("ROLE", check_health=False)  # type: ignore[attr-defined]
        try:
            role = self.read_response(disable_decoding=True)[0]
        except redis.exceptions.NoPermissionError:
            return  # the first write will tell
        if role != b"master":
            raise NotWritable("a Sentinel named a Redis that is no master (yet, or any more)")


class _Plain(_Watchful, redis.Connection):
    """Over TCP."""


class _Tls(_Watchful, redis.SSLConnection):
    """Over TLS."""


class _Unix(_Watchful, redis.UnixDomainSocketConnection):
    """Through a socket of this machine."""


class _MasterPlain(_Master, SentinelManagedConnection):  # type: ignore[misc] # it has another default
    """To the master, over TCP."""


class _MasterTls(_Master, SentinelManagedSSLConnection):  # type: ignore[misc] # it has another default
    """To the master, over TLS."""


PLAIN: dict[str, type[Any]] = {"tcp": _Plain, "tls": _Tls, "unix": _Unix}
MASTER: dict[str, type[Any]] = {"tcp": _MasterPlain, "tls": _MasterTls}


class Sentinels(Sentinel):
    """Some Sentinels, of which the one that answered last is asked first.

    redis-py's own class reorders its list while other threads go through it, which can lose a Sentinel for good.
    """

    _first = 0

    @classmethod
    def at(cls, hosts: Sequence[tuple[str, int]], options: Mapping[str, Any]) -> Self:
        """Those at these hosts and ports, each connected to with redis-py's options; no I/O."""
        made: Any = cls
        found: Self = made(list(hosts), sentinel_kwargs=dict(options))
        return found

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Host and port of the master; raises MasterNotFoundError, a ConnectionError, with what each one said."""
        said = []
        first, count = self._first, len(self.sentinels)
        for place in (place % count for place in range(first, first + count)):
            state, why = self._asked(self.sentinels[place], service_name)
            if state:
                self._first = place
                return str(state["ip"]), int(state["port"])
            said.append(why)
        raise MasterNotFoundError(f"no Sentinel names a master of {service_name!r}: {', '.join(said)}")

    def _asked(self, sentinel: Any, service_name: str) -> tuple[dict[str, Any] | None, str]:
        """The master's state as one Sentinel sees it, or why there is none."""
        where = sentinel.connection_pool.connection_kwargs
        try:
            state = sentinel.sentinel_masters().get(service_name)
        except redis.AuthenticationError:
            return None, f"{where['host']}:{where['port']} refuses the password"
        except redis.RedisError as error:
            return None, f"{where['host']}:{where['port']} {error}"
        if state is None:
            return None, f"{where['host']}:{where['port']} watches no such service"
        alive = state["is_master"] and not (state["is_sdown"] or state["is_odown"])
        return (state, "") if alive else (None, f"{where['host']}:{where['port']} says that it is down")


class PoolOfMaster(SentinelConnectionPool):
    """Connections to whichever Redis is the master when they are made; closing it hangs up on the Sentinels too."""

    def disconnect(self, inuse_connections: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's signature
        """Hang up."""
        super().disconnect(inuse_connections)
        if inuse_connections:  # not by the pool itself, upon a new master
            self.sentinel_manager.close()
