"""The client of Anthropic's Messages API: one request in, one answer out, and requests in batches.

Retrying later is the ledger's business, so the SDK's own retries are off. Errors come out in our words: the SDK's text
quotes the answer's body, which may quote the prompt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import anthropic
import httpx2
from anthropic.types import MessageParam, OutputConfigParam, TextBlockParam
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import BaseModel, Field, NonNegativeInt, SecretStr, ValidationError

from workers.deadlines import current, seconds_left
from workers.fair_semaphore import FairSemaphore
from workers.httpx2_deadlines import obey
from workers.lifetimes import Lifetimes
from workers.model_errors import AnalysisRefused, ModelUnavailable, TooLong
from workers.orders import Effort
from workers.prices import Lifetime, price_of
from workers.spending import Tokens

# A worker process runs up to 512 threads; each may keep its connection.
_CONNECTIONS = 600
_CONNECT_TIMEOUT = 10.0
# A batch is worked on for up to an hour and more:
# https://platform.claude.com/docs/en/build-with-claude/batch-processing
_BATCH_LIFETIME: Lifetime = "1h"
_LONGEST_WAIT = 15 * 60.0
# A wrong key, an empty account or an unknown model is mended by a person: look again now and then, give up nothing.
_ACCOUNT_WAIT = 60.0

_TOO_LONG = ("prompt is too long", "exceed context limit", "context window")
_ACCOUNT_TROUBLE = ("credit balance", "usage limits", "spend limit", "billing")


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it is made; `system` is the same for many calls, so it is what the API is asked to cache."""

    model: str
    max_tokens: int
    system: str
    text: str
    schema: dict[str, Any]
    effort: Effort


class _Block(BaseModel):
    type: str
    text: str = ""


class Answer(BaseModel):
    """What is used of the API's message, read from its bytes: the SDK hands on what does not fit its types."""

    stop_reason: str | None
    content: list[_Block]
    usage: Tokens

    @property
    def text(self) -> str:
        """The text blocks; thinking blocks come before them and are none of our business."""
        return "".join(block.text for block in self.content if block.type == "text")


class BatchAnswer(BaseModel):
    """What became of one request of a batch; `message` is there when it succeeded."""

    type: Literal["succeeded", "errored", "canceled", "expired"]
    message: Answer | None = None


class _Count(BaseModel):
    input_tokens: NonNegativeInt


class _Batch(BaseModel):
    id: str = Field(min_length=1)
    processing_status: str


class _Line(BaseModel):
    custom_id: str
    result: BatchAnswer


@dataclass(frozen=True, slots=True, eq=False)
class _Limit:
    """A limit that a call has met; each is another."""

    reason: str
    retry_after: float | None
    refused: bool


class MessagesApi:
    """One instance serves all threads of a process; it keeps one connection pool."""

    def __init__(self, *, api_key: SecretStr, base_url: str, timeout: float, calls: FairSemaphore) -> None:
        """`timeout` is the longest silence in one call, in seconds; the caller's `within` limits whole calls.

        Each call for an answer takes one of the places of `calls`.
        """
        limits = httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        patience = anthropic.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT))
        http_client = anthropic.DefaultHttpxClient(limits=limits, timeout=patience)
        obey(http_client)
        self._lifetimes = Lifetimes()
        self._calls = calls
        self._limit: _Limit | None = None  # that was met last
        self._client = anthropic.Anthropic(
            api_key=api_key.get_secret_value(),
            base_url=base_url,
            timeout=patience,
            max_retries=0,
            http_client=http_client,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, request: Request) -> Answer:
        """The API's answer; raises TooLong, AnalysisRefused or ModelUnavailable."""
        with self._turn(), _translated():
            lifetime = self._lifetimes.choose(request.model, request.system)
            response = self._client.messages.with_raw_response.create(**_params(request, lifetime))
            return Answer.model_validate_json(response.http_response.content)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait, within this thread's deadline, until a call may be made; raises ModelUnavailable.

        A limit that another call meets meanwhile holds for those that wait too.
        """
        known = self._limit
        if not self._calls.acquire(seconds_left(current())):
            raise ModelUnavailable("there was no turn to call the model's API in time")
        if (met := self._limit) and met is not known:
            self._calls.release()
            raise ModelUnavailable(met.reason, retry_after=met.retry_after, shared=True, refused=met.refused)
        try:
            yield
        except ModelUnavailable as error:
            if error.shared:
                self._limit = _Limit(str(error), error.retry_after, error.refused)
            raise
        finally:
            self._calls.release()

    def count(self, request: Request) -> int | None:
        """The prompt's tokens as the API counts them; None where a stand-in of the API does not count."""
        params = _params(request, None)
        try:
            with _translated():
                response = self._client.messages.with_raw_response.count_tokens(
                    model=params["model"],
                    system=params["system"],
                    messages=params["messages"],
                    output_config=params["output_config"],
                )
                return _Count.model_validate_json(response.http_response.content).input_tokens
        except (ModelUnavailable, AnalysisRefused) as error:
            if isinstance(error, ModelUnavailable) and error.shared:
                raise
            return None  # the call itself shows what is wrong, and a prompt that is too long is mended then

    def submit(self, requests: Mapping[str, Request]) -> str:
        """Send requests as one batch, each under its own id of letters, digits, `-` and `_`; the batch's id."""
        rows = [{"custom_id": name, "params": _params(request, _BATCH_LIFETIME)} for name, request in requests.items()]
        with _translated():
            response = self._client.messages.batches.with_raw_response.create(requests=rows)  # type: ignore[arg-type]
            return _Batch.model_validate_json(response.http_response.content).id

    def ended(self, batch_id: str) -> bool:
        """Whether all requests of a batch have their result."""
        with _translated():
            response = self._client.messages.batches.with_raw_response.retrieve(batch_id)
            return _Batch.model_validate_json(response.http_response.content).processing_status == "ended"

    def cancel(self, batch_id: str) -> None:
        """Ask for a batch's end; what is under way may still be answered."""
        with _translated():
            self._client.messages.batches.cancel(batch_id)

    def answers(self, batch_id: str) -> list[tuple[str, BatchAnswer]]:
        """A batch's answers by their requests' ids, in any order; a line that cannot be read is left out."""
        with _translated():
            response = self._client.messages.batches.with_raw_response.results(batch_id)
            lines = response.http_response.iter_lines()
            found = [(line.custom_id, line.result) for line in map(_line, lines) if line]
        if not found:
            raise ModelUnavailable("the model's API answered with something that is not a batch's results")
        return found


def _params(request: Request, lifetime: Lifetime | None) -> MessageCreateParamsNonStreaming:
    system: TextBlockParam = {"type": "text", "text": request.system}
    if lifetime:
        system["cache_control"] = {"type": "ephemeral", "ttl": lifetime}
    message: MessageParam = {"role": "user", "content": request.text}
    config: OutputConfigParam = {"format": {"type": "json_schema", "schema": request.schema}}
    price = price_of(request.model)
    if price and price.effort:
        config["effort"] = request.effort
    return {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "system": [system],
        "messages": [message],
        "output_config": config,
    }


def _line(text: str) -> _Line | None:
    try:
        return _Line.model_validate_json(text)
    except ValidationError:
        return None


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of the SDK and its transport as ours."""
    try:
        yield
    except ValidationError:
        raise ModelUnavailable("the model's API answered with something that is not a message") from None
    except anthropic.AnthropicError as error:
        raise _error(error) from None
    except httpx2.HTTPError:  # while a body is read; before that the SDK has its own
        raise ModelUnavailable("the model's API broke off its answer") from None


def _error(error: anthropic.AnthropicError) -> Exception:
    """What the caller should do about an error of the SDK, in our words: never the key, the prompt or the body."""
    if isinstance(error, anthropic.APITimeoutError):
        return ModelUnavailable("the model's API did not answer in time")
    if not isinstance(error, anthropic.APIStatusError):
        return ModelUnavailable("the model's API cannot be reached, or broke the connection")
    status, said = error.status_code, str(error.api_message or "")[:300].lower()
    told = _told(error)
    if status == 413 or (status == 400 and any(words in said for words in _TOO_LONG)):
        return TooLong(f"the prompt is too long for the model's API ({told})")
    if status in {401, 402, 403} or (status == 400 and any(words in said for words in _ACCOUNT_TROUBLE)):
        reason = f"the model's API refuses the key or the account ({told}); see ANTHROPIC_API_KEY and its credit"
        return ModelUnavailable(reason, retry_after=_ACCOUNT_WAIT, refused=True)
    if status == 404:
        reason = (
            f"the model's API does not know the model or the path ({told}); see DAYBOOK_MODEL_* and ANTHROPIC_BASE_URL"
        )
        return ModelUnavailable(reason, retry_after=_ACCOUNT_WAIT)
    if status in {408, 409, 429} or status >= 500:
        wait = _retry_after(error.response.headers)
        return ModelUnavailable(f"the model's API is busy ({told})", retry_after=wait, shared=status in {429, 529})
    return AnalysisRefused(f"the model's API refuses the request ({told})")


def _told(error: anthropic.APIStatusError) -> str:
    """Status, kind and request id of an error; a kind or id that does not look like one is left out."""
    kind = str(error.error_code or error.type or "")
    request = str(error.request_id or "")
    parts = [f"HTTP {error.status_code}"]
    parts += [kind] * bool(re.fullmatch(r"[a-z_]{3,60}", kind))
    parts += [f"request {request}"] * bool(re.fullmatch(r"req_[A-Za-z0-9]{1,40}", request))
    return ", ".join(parts)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the Retry-After header (a number or a date), at most 15 minutes."""
    written = headers.get("retry-after", "")
    try:
        seconds = float(written)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(written).astimezone(UTC) - datetime.now(UTC)).total_seconds()
        except ValueError:
            return None
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else None
