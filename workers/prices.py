"""What a model call costs and what each model takes: a dated table, prices.toml, checked when it is read."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from core.models import Frozen, Usage

_TABLE = Path(__file__).with_name("prices.toml")
_MILLION = 1_000_000
Lifetime = Literal["5m", "1h"]


class ModelPrice(Frozen):
    """One model's prices in US dollars per million tokens."""

    name: str
    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_write: float = Field(ge=0, description="of an entry of five minutes")
    cache_write_1h: float = Field(ge=0, description="of an entry of one hour")
    cache_read: float = Field(ge=0)
    cache_minimum: int = Field(gt=0, description="tokens of the shortest prompt that is cached at all")
    window: int = Field(gt=0, description="tokens of prompt and answer together")
    batch_factor: float = Field(default=0.5, gt=0, le=1, description="of each price, in the Message Batches API")
    prompt_limit: int | None = Field(default=None, gt=0, description="tokens beyond which `long_factor` holds")
    long_factor: float = Field(default=1, ge=1)
    effort: bool = Field(description="whether the model takes `output_config.effort`")

    def cost(self, usage: Usage, *, lifetime: Lifetime = "5m", batch: bool = False) -> float:
        """US dollars for the tokens of one call, by the lifetime of the cache entry that it may have written."""
        prompt = usage.input_tokens + usage.cached_tokens + usage.cache_write_tokens
        factor = self.long_factor if self.prompt_limit and prompt > self.prompt_limit else 1
        dollars = (
            usage.input_tokens * self.input
            + usage.cached_tokens * self.cache_read
            + usage.cache_write_tokens * (self.cache_write if lifetime == "5m" else self.cache_write_1h)
            + usage.output_tokens * self.output
        )
        return factor * (self.batch_factor if batch else 1) * dollars / _MILLION


class _Table(Frozen):
    model: tuple[ModelPrice, ...]


@cache
def _prices() -> dict[str, ModelPrice]:
    table = _Table.model_validate(tomllib.loads(_TABLE.read_text(encoding="utf-8")))
    return {price.name: price for price in table.model}


def price_of(model: str) -> ModelPrice | None:
    """The price of a model or of a dated snapshot of it; None for one that the table does not know."""
    return _prices().get(re.sub(r"-\d{8}$", "", model))
