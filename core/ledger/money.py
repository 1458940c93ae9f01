"""Money: what model calls cost, what is set aside under a day's budget, and how far estimates of tokens are off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Literal

from core.ledger.connection import Connection, P
from core.models import Tier, Usage

# While a call fits under this share of the day's budget, every commit is analysed at the depth of its tier.
FULL_DEPTH_SHARE = 0.8
RESERVED_SECONDS = 900.0
OTHER = "other"  # stands for the repositories beyond those that have figures of their own
FADING = 0.98
LOWEST_RATIO, HIGHEST_RATIO = 0.25, 4.0

# Fields of Usage by their counters' names, in the order of `spend` in lua/prelude.lua.
_FIELDS = {
    "cost_usd": "cost_usd", "model_calls": "calls", "input_tokens": "input_tokens", "cached_tokens": "cached_tokens",
    "cache_write_tokens": "cache_write_tokens", "output_tokens": "output_tokens",
}  # fmt: skip

Spending = Mapping[tuple[str, Tier], Usage]


class MoneyLedger(Connection):
    """What the model costs. Dollars are US dollars; a day is one of the report's time zone."""

    def spend(self, usage: Usage, repository: str, tier: Tier) -> None:
        """Count model calls that led to no stored analysis: they were paid for all the same."""
        self._run("spend", self._today(), repository, tier, *amounts(usage))

    def spent(self, day: date) -> Spending:
        """What a day's calls cost, by repository and tier; `other` stands for repositories beyond the first 200."""
        return spending(_floats(self.redis.hgetall(f"{P}spent:{day.isoformat()}")))

    def spent_in_all(self) -> Spending:
        """What all calls cost since the beginning, by repository and tier."""
        return spending(_floats(self.redis.hgetall(f"{P}spent")))

    def reserve(self, holder: str, dollars: float, limit: float) -> bool:
        """Set dollars aside for calls under way, if they fit: today's spending + all that is set aside <= `limit`.

        A holder has one reservation: a new one takes its place, a refused one leaves it. It ends at `release`, or by
        itself after 15 minutes.
        """
        seconds = RESERVED_SECONDS
        return bool(self._run("reserve", "take", holder, self._today(), repr(dollars), repr(limit), seconds))

    def release(self, holder: str) -> None:
        """Give back what a holder had set aside, once its cost is counted; nothing happens when it had nothing."""
        self._run("reserve", "release", holder)

    def degraded(self, to: Literal["medium", "low", "rules"]) -> None:
        """Count an analysis that the budget made shallower."""
        day = f"{P}count:{self._today()}"
        with self.redis.pipeline() as pipe:
            pipe.hincrby(f"{P}meters", f"degraded {to}", 1)
            pipe.hincrby(day, f"degraded_{to}", 1)
            pipe.expire(day, 400 * 86400)
            pipe.execute()

    def calibrate(self, model: str, estimated: int, actual: int, prompts: int = 1) -> None:
        """Compare the estimated tokens of a prompt, or of some, with what the API counted.

        That is fresh, cached and written ones together.
        """
        if estimated > 0 and actual > 0:
            self._run("calibrate", model, estimated, actual, FADING**prompts)

    def token_ratio(self, model: str) -> float:
        """By how much to multiply an estimate of tokens for this model, 0.25 to 4; 1.0 before any comparison."""
        estimated, actual = self.redis.hmget(f"{P}calibration", f"{model} estimated", f"{model} actual")
        return _ratio(float(estimated), float(actual)) if estimated and actual else 1.0


def amounts(usage: Usage) -> list[str]:
    """A usage as the arguments of `spend` in lua/prelude.lua."""
    return [repr(getattr(usage, field)) for field in _FIELDS.values()]


def spending(rows: Mapping[str, float]) -> dict[tuple[str, Tier], Usage]:
    """The fields `REPOSITORY TIER KIND` of a hash of spending, by repository and tier, in the order of both."""
    found: defaultdict[tuple[str, Tier], dict[str, float]] = defaultdict(dict)
    for key, value in rows.items():
        repository, tier, kind = key.rsplit(" ", 2)
        found[repository, Tier(tier)][_FIELDS[kind]] = value
    order = sorted(found, key=lambda spender: (spender[0] == OTHER, spender[0], -spender[1].rank))
    return {spender: Usage.model_validate(found[spender]) for spender in order}


def token_ratios(rows: Mapping[str, float]) -> dict[str, float]:
    """Each model's ratio, from the fields `MODEL estimated` and `MODEL actual`."""
    models = sorted({key.rpartition(" ")[0] for key in rows})
    return {model: _ratio(rows[f"{model} estimated"], rows[f"{model} actual"]) for model in models}


def _ratio(estimated: float, actual: float) -> float:
    """Held within bounds, so that an API that counts nonsense does not make views empty or boundless."""
    return min(HIGHEST_RATIO, max(LOWEST_RATIO, actual / estimated))


def _floats(rows: Mapping[bytes, bytes]) -> dict[str, float]:
    return {key.decode(): float(value) for key, value in rows.items()}
