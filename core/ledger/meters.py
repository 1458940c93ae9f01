"""Meters: counters and histograms kept in Redis, so that they are right under any number of processes and hosts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from core.ledger.connection import Connection, P
from core.ledger.money import Spending, spending, token_ratios
from core.ledger.runs import BUCKETS
from core.ledger.work import Stage

SLOT_SECONDS, SLOT_KEPT_SECONDS = 300, 7200  # as in lua/meters.lua and finish.lua
OUTCOMES = ("done", "put_off", "paused", "given_up", "lost")


@dataclass(frozen=True)
class StageMeter:
    """One stage: how many commits are in it, since when the oldest, and what became of its work so far.

    `put_off` is a retry that counts as an attempt, `paused` one for a limit that holds for everyone, `lost` a lease.
    `durations` counts runs by bucket (one more than BUCKETS), `seconds` is their sum. `crashes` are among those put
    off or given up: errors of Daybook itself.
    """

    waiting: int
    oldest_seconds: float
    outcomes: Mapping[str, int]
    crashes: int
    durations: tuple[int, ...]
    seconds: float

    @property
    def mean_seconds(self) -> float:
        """The mean duration of a run; 0 before the first."""
        return self.seconds / sum(self.durations) if sum(self.durations) else 0.0


@dataclass(frozen=True)
class LastReport:
    """A repository's latest report: its day, and when a report was last written (unix seconds); None without one."""

    day: date | None
    written_at: float | None


@dataclass(frozen=True)
class Meters:
    """What `/metrics`, `daybook status` and the alerts are made from, at one moment; ages in seconds.

    `alive` is each process's age of its last sign of life, `sweep_seconds` that of the last sweep, None before one;
    `beat` the one of them that leads.
    Of those `waiting`, `batch_unsent` are left to a batch that is to be sent, `batch_sent` to one that is under way.
    `missigned_within_hour` counts deliveries with a signature that another secret made.
    `reserved_usd` is set aside for calls under way, `degraded` counts analyses that the budget made shallower.
    """

    at: float
    totals: Mapping[str, float]
    today: Mapping[str, float]
    queues: Mapping[str, int]
    waiting: int
    failed: int
    suspects: int
    batch_unsent: int
    batch_sent: int
    oldest_waiting_seconds: float
    stages: Mapping[Stage, StageMeter]
    analysed_within_hour: int
    failed_within_hour: int
    missigned_within_hour: int
    refused: Mapping[int, int]
    reports: Mapping[str, LastReport]
    alive: Mapping[str, float]
    sweep_seconds: float | None
    beat: str | None
    memory_used: int
    memory_limit: int
    spent_today: Spending
    spent: Spending
    reserved_usd: float
    token_ratios: Mapping[str, float]
    degraded: Mapping[str, int]

    def total(self, name: str) -> float:
        """A counter since the beginning, such as `received`, `known`, `analysed`, `cost_usd`; 0 before the first."""
        return self.totals.get(name, 0.0)


class MeterLedger(Connection):
    """Counts what happens, and reads all counts at once."""

    def crashed(self, stage: Stage) -> None:
        """Count a fault of our own."""
        self.redis.hincrby(f"{P}meters", f"{stage} crashed", 1)

    def refused(self, statuses: Mapping[int, int], missigned: int = 0) -> None:
        """Add deliveries that were refused, by HTTP status, and how many of them had a signature, but a wrong one."""
        slot = f"{P}ended:{int(time.time() // SLOT_SECONDS)}"
        with self.redis.pipeline(transaction=False) as pipe:
            for status, count in statuses.items():
                pipe.hincrby(f"{P}meters", f"refused {status}", count)
            if missigned:
                pipe.hincrby(slot, "missigned", missigned).expire(slot, SLOT_KEPT_SECONDS)
            pipe.execute()

    def pulse(self, process: str) -> None:
        """Write down that a process is alive, by a name such as `worker@host/4711`."""
        self._run("pulse", process)

    def sign_off(self, process: str) -> None:
        """Take a process that stops off the list of those alive."""
        self.redis.zrem(f"{P}alive", process)

    def meters(self, queues: Sequence[str] = ()) -> Meters:
        """Every figure, in one round trip."""
        row = self._run("meters", self._today(), len(queues), *queues, *Stage)
        at, totals, today, meters, lengths, counts, stages, hour, reports, alive, swept, memory, money, beat = row
        counted = _numbers(meters)
        waiting, failed, suspects, oldest, unsent, sent = counts
        return Meters(
            at=float(at),
            totals=_numbers(totals),
            today=_numbers(today),
            queues=dict(zip(queues, lengths, strict=True)),
            waiting=waiting,
            failed=failed,
            suspects=suspects,
            batch_unsent=unsent,
            batch_sent=sent,
            oldest_waiting_seconds=float(oldest),
            stages={stage: _stage_meter(stage, rows, counted) for stage, rows in zip(Stage, stages, strict=True)},
            analysed_within_hour=hour[0],
            failed_within_hour=hour[1],
            missigned_within_hour=hour[2],
            refused={int(key.split()[1]): int(n) for key, n in counted.items() if key.startswith("refused ")},
            reports={name.decode(): _last_report(day, written) for name, day, written in sorted(reports)},
            alive={name: max(0.0, float(at) - seen) for name, seen in _numbers(alive).items()},
            sweep_seconds=max(0.0, float(at) - float(swept)) if swept else None,
            beat=beat.decode().partition(" ")[0] or None,
            memory_used=int(memory[0]),
            memory_limit=int(memory[1]),
            spent_today=spending(_numbers(money[0])),
            spent=spending(_numbers(money[1])),
            reserved_usd=float(money[2]),
            token_ratios=token_ratios(_numbers(money[3])),
            degraded={depth: int(counted.get(f"degraded {depth}", 0)) for depth in ("medium", "low", "rules")},
        )


def _stage_meter(stage: Stage, row: Sequence[Any], counted: Mapping[str, float]) -> StageMeter:
    def count(name: str) -> int:
        return int(counted.get(f"{stage} {name}", 0))

    return StageMeter(
        waiting=row[0],
        oldest_seconds=float(row[1]),
        outcomes={outcome: count(outcome) for outcome in OUTCOMES},
        crashes=count("crashed"),
        durations=tuple(count(f"le {bucket}") for bucket in range(len(BUCKETS) + 1)),
        seconds=counted.get(f"{stage} seconds", 0.0),
    )


def _last_report(day: bytes, written: bytes) -> LastReport:
    return LastReport(date.fromisoformat(day.decode()) if day else None, float(written) if written else None)


def _numbers(flat: Iterable[bytes]) -> dict[str, float]:
    """A hash or scored set as Lua returns it: names and numbers by turns."""
    items = iter(flat)
    return {name.decode(): float(number) for name, number in zip(items, items, strict=True)}
