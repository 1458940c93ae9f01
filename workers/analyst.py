"""The Anthropic client: one commit in, one checked analysis out, with what it cost.

Retrying later is the ledger's business, so the SDK's own retries are off. Within one analysis only three things are
mended, each once: a reply that was cut off (more room), a prompt that was too long (a smaller view of the diff), and a
reply that fails its check (asked again with the fault named).
"""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Literal

import anthropic
import httpx2
from anthropic.types import MessageParam, OutputConfigParam, TextBlockParam
from pydantic import BaseModel, NonNegativeInt, SecretStr, ValidationError

from core.errors import Permanent, Transient
from core.models import Analysis, Commit, Diff, Facts, Language, Tier, Triage, Usage
from workers.deadlines import obey, within
from workers.diffview import DiffView, view
from workers.prices import price_of
from workers.prompts import correction, system_prompt, user_message
from workers.redact import redact, redact_diff
from workers.replies import InvalidReply, Reply, checked_reply, schema_for

# A worker process runs up to 512 threads; each may keep its connection.
_CONNECTIONS = 600
_CONNECT_TIMEOUT = 10.0
TOTAL_SECONDS = 540.0
_LONGEST_WAIT = 15 * 60.0
# A wrong key, an empty account or an unknown model is mended by a person: look again now and then, give up nothing.
_ACCOUNT_WAIT = 60.0

_TOO_LONG = ("prompt is too long", "exceed context limit", "context window")
_ACCOUNT_TROUBLE = ("credit balance", "usage limits", "spend limit", "billing")


class AnalysisRefused(Permanent):
    """The model gave no usable analysis of this commit; `usage` is what the attempt cost all the same."""

    def __init__(self, reason: str, usage: Usage | None = None) -> None:
        super().__init__(reason)
        self.usage = usage or Usage()


class ReplyTruncated(AnalysisRefused):
    """The reply did not fit, even with more room; a shallower depth may."""


class ModelUnavailable(Transient):
    """The API cannot answer now; `usage` is what earlier calls of the same attempt cost."""

    def __init__(self, reason: str, *, retry_after: float | None = None, shared: bool = False) -> None:
        super().__init__(reason, retry_after=retry_after, shared=shared)
        self.usage = Usage()


@dataclass(frozen=True, slots=True)
class Depth:
    """What an analysis of a tier may use. `max_tokens` has room for thinking, which counts towards it."""

    max_tokens: int
    budget_tokens: int
    effort: Literal["low", "medium", "high"]


DEPTHS = {
    Tier.LOW: Depth(max_tokens=4_000, budget_tokens=6_000, effort="low"),
    Tier.MEDIUM: Depth(max_tokens=8_000, budget_tokens=16_000, effort="low"),
    Tier.HIGH: Depth(max_tokens=16_000, budget_tokens=48_000, effort="medium"),
}


class _Remedy(Enum):
    MORE_ROOM = "more room"
    SMALLER_VIEW = "smaller view"
    CORRECTION = "correction"


class _Mend(Exception):
    """A call that is worth repeating at once in another form."""

    def __init__(self, remedy: _Remedy, reason: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


class _Block(BaseModel):
    type: str
    text: str = ""


class _Tokens(BaseModel):
    input_tokens: NonNegativeInt
    output_tokens: NonNegativeInt
    cache_read_input_tokens: NonNegativeInt | None = None
    cache_creation_input_tokens: NonNegativeInt | None = None


class _Answer(BaseModel):
    """What is used of the API's message, read from its bytes: the SDK hands on what does not fit its types."""

    stop_reason: str | None
    content: list[_Block]
    usage: _Tokens

    @property
    def text(self) -> str:
        """The text blocks; thinking blocks come before them and are none of our business."""
        return "".join(block.text for block in self.content if block.type == "text")


@dataclass(frozen=True, slots=True)
class _Question:
    """One commit as it is put to the model; `asked` changes it for the next call."""

    commit: Commit
    facts: Facts
    triage: Triage
    diff: Diff
    language: Language
    model: str
    max_tokens: int
    budget_tokens: int
    fault: str | None = None
    shown: DiffView = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown", view(self.diff, self.facts, self.budget_tokens))

    @property
    def depth(self) -> Tier:
        return self.triage.tier

    def mended(self, mend: _Mend) -> _Question:
        if mend.remedy is _Remedy.MORE_ROOM:
            return replace(self, max_tokens=self.max_tokens * 2)
        if mend.remedy is _Remedy.SMALLER_VIEW:
            return replace(self, budget_tokens=self.budget_tokens // 4)
        return replace(self, fault=str(mend))

    def messages(self) -> list[MessageParam]:
        tag = f"commit-{secrets.token_hex(8)}"
        text = user_message(self.commit, self.facts, self.triage, self.shown, tag)
        if self.fault:
            text = f"{text}\n\n{correction(self.fault)}"
        # Facts and metadata can hold secrets too, so the whole message goes through once more.
        return [{"role": "user", "content": redact(text)}]


class Analyst:
    """Asks the model for analyses. One instance serves all threads of a process; it keeps one connection pool."""

    def __init__(
        self,
        *,
        api_key: SecretStr,
        base_url: str,
        models: Mapping[Tier, str],
        timeout: float,
        total: float = TOTAL_SECONDS,
    ) -> None:
        """Seconds: `timeout` is the longest silence in one call, `total` the limit for all calls of one analysis."""
        limits = httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        patience = anthropic.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT))
        http_client = anthropic.DefaultHttpxClient(limits=limits, timeout=patience)
        obey(http_client)
        self._client = anthropic.Anthropic(
            api_key=api_key.get_secret_value(),
            base_url=base_url,
            timeout=patience,
            max_retries=0,
            http_client=http_client,
        )
        self._total = total
        self._models = dict(models)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def unpriced(self) -> tuple[str, ...]:
        """Models in use that the price table does not know; their calls are counted as free of charge."""
        return tuple(sorted({model for model in self._models.values() if not price_of(model)}))

    def analyse(self, commit: Commit, facts: Facts, triage: Triage, diff: Diff, language: Language) -> Analysis:
        """The analysis of a commit at the depth of its tier.

        Raises AnalysisRefused (Permanent) when the model gave nothing usable for this commit, and ModelUnavailable
        (Transient) when the API cannot answer now.
        """
        with within(self._total):
            return self._analyse(commit, facts, triage, diff, language)

    def _analyse(self, commit: Commit, facts: Facts, triage: Triage, diff: Diff, language: Language) -> Analysis:
        depth = DEPTHS[triage.tier]
        model = self._models[triage.tier]
        question = _Question(
            commit=commit,
            facts=facts,
            triage=triage,
            diff=redact_diff(diff),
            language=language,
            model=model,
            max_tokens=depth.max_tokens,
            budget_tokens=depth.budget_tokens,
        )
        usage, used = Usage(), set[_Remedy]()
        while True:
            try:
                answer = self._ask(question)
                usage = _sum(usage, _usage_of(answer, model))
                reply = _reply_of(answer, question)
            except _Mend as mend:
                if mend.remedy in used:
                    refusal = ReplyTruncated if mend.remedy is _Remedy.MORE_ROOM else AnalysisRefused
                    raise refusal(str(mend), usage) from None
                used.add(mend.remedy)
                question = question.mended(mend)
            except (AnalysisRefused, ModelUnavailable) as error:
                error.usage = usage
                raise
            else:
                return _analysis(reply, question, usage)

    def _ask(self, question: _Question) -> _Answer:
        system: TextBlockParam = {
            "type": "text",
            "text": system_prompt(question.depth, question.language),
            "cache_control": {"type": "ephemeral"},
        }
        try:
            response = self._client.messages.with_raw_response.create(
                model=question.model,
                max_tokens=question.max_tokens,
                system=[system],
                messages=question.messages(),
                output_config=_output_config(question),
            )
            return _Answer.model_validate_json(response.http_response.content)
        except ValidationError:
            raise ModelUnavailable("the model's API answered with something that is not a message") from None
        except anthropic.APIError as error:
            # Not `from error`: the SDK's text quotes the answer's body, which may quote the prompt.
            raise _translated(error) from None


def _output_config(question: _Question) -> OutputConfigParam:
    price = price_of(question.model)
    config: OutputConfigParam = {"format": {"type": "json_schema", "schema": schema_for(question.depth)}}
    if price and price.effort:
        config["effort"] = DEPTHS[question.depth].effort
    return config


def _reply_of(answer: _Answer, question: _Question) -> Reply:
    """The checked reply of an answer that ended as it should; every other stop reason by its name."""
    match answer.stop_reason:
        case "end_turn":
            try:
                return checked_reply(answer.text, question.depth, question.language)
            except InvalidReply as fault:
                raise _Mend(_Remedy.CORRECTION, str(fault)) from None
        case "max_tokens":
            raise _Mend(_Remedy.MORE_ROOM, f"the reply did not fit into {question.max_tokens} tokens (max_tokens)")
        case "model_context_window_exceeded":
            raise _Mend(_Remedy.SMALLER_VIEW, "the commit does not fit the model (model_context_window_exceeded)")
        case "refusal":
            raise AnalysisRefused("the model declined to analyse this commit (refusal)")
        case reason:
            name = reason if reason in {"pause_turn", "tool_use", "stop_sequence"} else "unknown"
            raise AnalysisRefused(f"the model stopped for a reason that was not asked for ({name})")


def _analysis(reply: Reply, question: _Question, usage: Usage) -> Analysis:
    return Analysis(
        origin="model",
        language=question.language,
        depth=question.depth,
        types=reply.types,
        summary=reply.summary,
        scope=reply.scope,
        insights=reply.insights,
        risks=reply.risks,
        advice=reply.advice,
        model=question.model,
        usage=usage,
        unseen=question.shown.unseen,
    )


def _usage_of(answer: _Answer, model: str) -> Usage:
    tokens = answer.usage
    usage = Usage(
        input_tokens=tokens.input_tokens,
        cached_tokens=tokens.cache_read_input_tokens or 0,
        cache_write_tokens=tokens.cache_creation_input_tokens or 0,
        output_tokens=tokens.output_tokens,
        calls=1,
    )
    price = price_of(model)
    return usage.model_copy(update={"cost_usd": price.cost(usage)}) if price else usage


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        cache_write_tokens=one.cache_write_tokens + other.cache_write_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cost_usd=one.cost_usd + other.cost_usd,
        calls=one.calls + other.calls,
    )


def _translated(error: anthropic.APIError) -> Exception:
    """What the caller should do about an error of the SDK, in our words: never the key, the prompt or the body."""
    if isinstance(error, anthropic.APITimeoutError):
        return ModelUnavailable("the model's API did not answer in time")
    if not isinstance(error, anthropic.APIStatusError):
        return ModelUnavailable("the model's API cannot be reached, or broke the connection")
    status, said = error.status_code, str(error.api_message or "")[:300].lower()
    told = _told(error)
    if status == 413 or (status == 400 and any(words in said for words in _TOO_LONG)):
        return _Mend(_Remedy.SMALLER_VIEW, f"the prompt is too long for the model's API ({told})")
    if status in {401, 402, 403} or (status == 400 and any(words in said for words in _ACCOUNT_TROUBLE)):
        reason = f"the model's API refuses the key or the account ({told}); see ANTHROPIC_API_KEY and its credit"
        return ModelUnavailable(reason, retry_after=_ACCOUNT_WAIT, shared=True)
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
