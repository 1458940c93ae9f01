"""The connection to Redis, and the scripts it runs."""

from __future__ import annotations

from datetime import date, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import redis
from hiredis import pack_command

from core.ledger.layout import bring_up_to_date
from core.ledger.places import PREFIX
from core.redis_address import address_from_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from zoneinfo import ZoneInfo

P = PREFIX
LEASE_SECONDS = 30.0
PATIENCE_SECONDS = 30.0  # how long a message may be missing before its commit is queued again
CONFIRMED_SHARE = 0.7  # of a command's time that replicas have for confirming a write
_AHEAD = 2  # commands that are sent without an answer
SCRIPTS = (
    "receive", "claim", "renew", "advance", "finish", "retry", "sweep", "pause", "lost", "meters", "pulse", "reopen",
    "spend", "reserve", "calibrate", "reanalyse", "park", "batch_take", "batch_back", "batch_answer", "expire",
    "notify_file", "notify_intend", "notify_settle", "lead", "kin", "take", "keep",
)  # fmt: skip


class Unconfirmed(redis.TimeoutError):
    """A write stands in Redis, and too few of its replicas have said in time that they have it too."""


class Connection:
    """One client for a ledger, its scripts, its zone and its clockwork."""

    def __init__(
        self,
        url: str,
        zone: ZoneInfo,
        *,
        timeout: float = 10.0,
        lease_seconds: float = LEASE_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        min_replicas: int = 0,
    ) -> None:
        self.zone = zone
        self.lease_seconds = lease_seconds
        self.patience_seconds = patience_seconds
        self.min_replicas = min_replicas
        self._confirm_ms = int(timeout * CONFIRMED_SHARE * 1000)
        self._up_to_date = False
        # Any: redis-py types each answer as the union of what every option could make of it.
        self.redis: Any = address_from_url(url).client(timeout)
        prelude = files("core.ledger").joinpath("lua/prelude.lua").read_text("utf-8")
        self._scripts = {
            name: self.redis.register_script(
                prelude + files("core.ledger").joinpath(f"lua/{name}.lua").read_text("utf-8")
            )
            for name in SCRIPTS
        }

    def _run(self, name: str, *arguments: bytes | str | float) -> Any:
        return self._with_script(name, lambda sha: self._evaluated(sha, arguments))

    def _with_script(self, name: str, ask: Callable[[str], Any]) -> Any:
        """What `ask` makes of a script's digest; a Redis that does not know the script is given it."""
        self.bring_up_to_date()
        script = self._scripts[name]
        try:
            return ask(script.sha)
        except redis.exceptions.NoScriptError:
            self.redis.script_load(script.script)
            return ask(script.sha)

    def _evaluated(self, sha: str, arguments: Sequence[bytes | str | float]) -> Any:
        """A script's answer, asked for on a connection of the pool: redis-py's own way takes twice the time.

        It goes by the repetitions that we do not want and the conversions that no script needs; the connection hangs up
        by itself on whatever is no answer. Arguments are packed by what redis-py packs them by.
        """
        pool = self.redis.connection_pool
        connection = pool.get_connection()
        try:
            command: Any = ("EVALSHA", sha, 0, *arguments)  # hiredis types a tuple of one
            connection.send_packed_command((pack_command(command),))
            return connection.read_response()
        finally:
            pool.release(connection)

    def _answers(self, commands: Sequence[Any]) -> list[Any]:
        """The answers to some commands, each a tuple; one is sent before the last is answered, so that Redis works too.

        No more than that, as Redis would hold the answers. Raises the first error, and then the others are lost.
        """
        packed = [pack_command(command) for command in commands]
        pool = self.redis.connection_pool
        connection = pool.get_connection()
        found: list[Any] = []
        try:
            connection.send_packed_command(packed[:_AHEAD])
            for following in range(_AHEAD, len(packed) + _AHEAD):
                found.append(connection.read_response())
                connection.send_packed_command(packed[following : following + 1])
        except BaseException:
            connection.disconnect()  # answers are on their way that nobody waits for
            raise
        finally:
            pool.release(connection)
        return found

    def bring_up_to_date(self) -> None:
        """Move what an older version stored to where this one looks for it; looked for once by each ledger."""
        if not self._up_to_date:
            bring_up_to_date(self.redis)
            self._up_to_date = True

    def _run_confirmed(self, name: str, *arguments: bytes | str | float) -> Any:
        """Run a script and let `min_replicas` replicas confirm what it wrote, in the same round trip.

        Raises Unconfirmed when they do not; the write stands, and running the script again must do no harm.
        """
        if not self.min_replicas:
            return self._run(name, *arguments)
        return self._with_script(name, lambda sha: self._confirmed(sha, arguments))

    def _confirmed(self, sha: str, arguments: Sequence[bytes | str | float]) -> Any:
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.evalsha(sha, 0, *arguments)
            pipe.execute_command("WAIT", self.min_replicas, self._confirm_ms)  # counts this connection's own writes
            answer, confirmed = pipe.execute(raise_on_error=False)
        if isinstance(answer, Exception):
            raise answer
        self._refuse_too_few(confirmed)
        return answer

    def _refuse_too_few(self, confirmed: int | Exception) -> None:
        if isinstance(confirmed, Exception):
            raise confirmed
        if confirmed < self.min_replicas:
            raise Unconfirmed(f"{confirmed} of {self.min_replicas} replicas have confirmed the write")

    def day_of(self, moment: datetime) -> date:
        """The report day that a moment belongs to."""
        return moment.astimezone(self.zone).date()

    def day_of_second(self, second: float) -> date:
        """The report day that a unix time belongs to."""
        return datetime.fromtimestamp(second, self.zone).date()

    def _today(self) -> str:
        return datetime.now(self.zone).date().isoformat()

    def lock(self, name: str, seconds: float) -> redis.lock.Lock:
        """A lock that ends by itself after `seconds`; acquiring it does not wait."""
        lock: redis.lock.Lock = self.redis.lock(f"{P}lock:{name}", timeout=seconds, blocking=False)
        return lock

    def close(self) -> None:
        """Close the connections."""
        self.redis.close()

    def ready(self) -> None:
        """Raise redis.RedisError when Redis takes no writes, or has too few replicas to confirm what is received."""
        # One that is full or read-only answers a PING. This is refused as any write, and else without effect.
        self.redis.set(f"{P}lock:ready", "", xx=True)
        if self.min_replicas:
            self._refuse_too_few(self.redis.execute_command("WAIT", self.min_replicas, 1))
        self.bring_up_to_date()


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moment of a calendar day in a zone and the first after it; 23 to 25 hours apart where clocks change."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = date.fromordinal(day.toordinal() + 1)
    return start, datetime(following.year, following.month, following.day, tzinfo=zone)
