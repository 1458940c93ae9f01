"""What a model call uses and costs: from the API's token counts to `Usage`; pure."""

from __future__ import annotations

from pydantic import BaseModel, NonNegativeInt

from core.models import Usage
from workers.prices import Lifetime, price_of


class _Written(BaseModel):
    ephemeral_1h_input_tokens: NonNegativeInt = 0


class Tokens(BaseModel):
    """The `usage` of an API's message."""

    input_tokens: NonNegativeInt
    output_tokens: NonNegativeInt
    cache_read_input_tokens: NonNegativeInt | None = None
    cache_creation_input_tokens: NonNegativeInt | None = None
    cache_creation: _Written | None = None

    @property
    def lifetime(self) -> Lifetime:
        """How long what was written to the cache lives there; one request writes for one lifetime."""
        return "1h" if self.cache_creation and self.cache_creation.ephemeral_1h_input_tokens else "5m"

    @property
    def prompt(self) -> int:
        """All tokens of the prompt, wherever they were read from."""
        return self.input_tokens + (self.cache_read_input_tokens or 0) + (self.cache_creation_input_tokens or 0)


def usage_of(tokens: Tokens, model: str, *, batch: bool = False) -> Usage:
    """One call's usage with its price; a model that the price table does not know counts as free."""
    usage = Usage(
        input_tokens=tokens.input_tokens,
        cached_tokens=tokens.cache_read_input_tokens or 0,
        cache_write_tokens=tokens.cache_creation_input_tokens or 0,
        output_tokens=tokens.output_tokens,
        calls=1,
    )
    price = price_of(model)
    dollars = price.cost(usage, lifetime=tokens.lifetime, batch=batch) if price else 0.0
    return usage.model_copy(update={"cost_usd": dollars})
