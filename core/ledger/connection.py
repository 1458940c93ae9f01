"""The connection to Redis, the scripts it runs, and how a record is packed."""

from __future__ import annotations

import zlib
from datetime import date, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.models import CommitRecord, Correction

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

P = "daybook:"
LEASE_SECONDS = 30.0
PATIENCE_SECONDS = 30.0  # how long a message may be missing before its commit is queued again
SCRIPTS = (
    "receive", "claim", "renew", "advance", "finish", "retry", "sweep", "pause", "lost", "meters", "pulse", "reopen",
    "spend", "reserve", "calibrate", "reanalyse", "park", "batch_take", "batch_back", "batch_answer", "expire",
    "notify_file", "notify_intend", "notify_settle",
)  # fmt: skip


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
    ) -> None:
        self.zone = zone
        self.lease_seconds = lease_seconds
        self.patience_seconds = patience_seconds
        # Any: redis-py types each answer as the union of what every option could make of it.
        self.redis: Any = redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            max_connections=1024,
        )
        prelude = files("core.ledger").joinpath("lua/prelude.lua").read_text("utf-8")
        self._scripts = {
            name: self.redis.register_script(
                prelude + files("core.ledger").joinpath(f"lua/{name}.lua").read_text("utf-8")
            )
            for name in SCRIPTS
        }

    def _run(self, name: str, *arguments: bytes | str | float) -> Any:
        return self._scripts[name](args=arguments)

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

    def ping(self) -> None:
        """Raise redis.RedisError when Redis does not answer."""
        self.redis.ping()


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moment of a calendar day in a zone and the first after it; 23 to 25 hours apart where clocks change."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = date.fromordinal(day.toordinal() + 1)
    return start, datetime(following.year, following.month, following.day, tzinfo=zone)


def packed(record: CommitRecord) -> bytes:
    """A record as it is stored: compressed JSON without what has its default, nor the correction, kept by itself."""
    return zlib.compress(record.model_dump_json(exclude_defaults=True, exclude={"correction"}).encode(), 6)


def unpacked(stored: bytes, correction: bytes | None) -> CommitRecord:
    """A stored record with its correction, if any.

    Fields that a newer version wrote are passed over, so that versions can run side by side.
    """
    record = CommitRecord.model_validate_json(zlib.decompress(stored), extra="ignore")
    if not correction:
        return record
    return record.model_copy(update={"correction": Correction.model_validate_json(correction)})
