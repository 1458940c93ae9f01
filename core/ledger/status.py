"""Status: the numbers of the ledger, in one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.ledger.connection import Connection, P


@dataclass(frozen=True)
class Status:
    """Numbers for `daybook status`; times in seconds."""

    received: int
    analysed: int
    waiting: int
    failed: int
    oldest_waiting_seconds: float
    leases_lost: int
    today: Mapping[str, float]
    queues: Mapping[str, int]


class StatusLedger(Connection):
    """What is waiting, done and lost."""

    def status(self, queues: Sequence[str]) -> Status:
        """What is waiting, done and lost, in one round trip."""
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(f"{P}totals").hgetall(f"{P}count:{self._today()}").zcard(f"{P}open").zcard(f"{P}failed")
            pipe.zrange(f"{P}open", 0, 0, withscores=True).time()
            for queue in queues:
                pipe.llen(queue)
            totals, today, waiting, failed, oldest, (seconds, _), *depths = pipe.execute()
        counts = {key.decode(): int(float(value)) for key, value in totals.items()}
        return Status(
            received=counts.get("received", 0), analysed=counts.get("analysed", 0), waiting=waiting, failed=failed,
            oldest_waiting_seconds=round(max(0.0, seconds - oldest[0][1]), 1) if oldest else 0.0,
            leases_lost=counts.get("leases_lost", 0),
            today={key.decode(): float(value) for key, value in today.items()},
            queues=dict(zip(queues, depths, strict=True)),
        )  # fmt: skip
