"""What a model call costs, and which models take an effort: a dated table, prices.toml, checked when it is read."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

from pydantic import Field

from core.models import Frozen, Usage

_TABLE = Path(__file__).with_name("prices.toml")
_MILLION = 1_000_000


class ModelPrice(Frozen):
    """One model's prices in US dollars per million tokens."""

    name: str
    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_write: float = Field(ge=0)
    cache_read: float = Field(ge=0)
    prompt_limit: int | None = Field(default=None, gt=0, description="tokens beyond which `long_factor` holds")
    long_factor: float = Field(default=1, ge=1)
    effort: bool = Field(description="whether the model takes `output_config.effort`")

    def cost(self, usage: Usage) -> float:
        """US dollars for the tokens of one call."""
        prompt = usage.input_tokens + usage.cached_tokens + usage.cache_write_tokens
        factor = self.long_factor if self.prompt_limit and prompt > self.prompt_limit else 1
        dollars = (
            usage.input_tokens * self.input
            + usage.cached_tokens * self.cache_read
            + usage.cache_write_tokens * self.cache_write
            + usage.output_tokens * self.output
        )
        return factor * dollars / _MILLION


class _Table(Frozen):
    model: tuple[ModelPrice, ...]


@cache
def _prices() -> dict[str, ModelPrice]:
    table = _Table.model_validate(tomllib.loads(_TABLE.read_text(encoding="utf-8")))
    return {price.name: price for price in table.model}


def price_of(model: str) -> ModelPrice | None:
    """The price of a model or of a dated snapshot of it; None for one that the table does not know."""
    return _prices().get(re.sub(r"-\d{8}$", "", model))
