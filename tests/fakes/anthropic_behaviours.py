"""What the fake Anthropic can be told to do with a request, and the answers, good and bad, that follow."""

from __future__ import annotations

import json
from enum import StrEnum

from tests.fakes.anthropic_replies import (
    Asked,
    reply_text,
    with_invented_names,
    with_one_invented_name,
    with_words_of_an_example,
)
from tests.fakes.anthropic_rules import Refused


class Behaviour(StrEnum):
    """What the server does with one request to create a message."""

    FINE = "fine"
    THINKING = "thinking"
    RATE_LIMITED = "rate limited"
    OVERLOADED = "overloaded"
    ERROR_500 = "error 500"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not found"
    NO_CREDIT = "no credit"
    PROMPT_TOO_LONG = "prompt too long"
    TOO_LARGE = "too large"
    BAD_REQUEST = "bad request"
    HANG = "hang"
    RESET = "reset"
    NO_MESSAGE = "no message"
    TRUNCATED = "truncated"
    REFUSAL = "refusal"
    CONTEXT_EXCEEDED = "context exceeded"
    PAUSE_TURN = "pause_turn"
    TOOL_USE = "tool_use"
    STOP_SEQUENCE = "stop_sequence"
    INVALID_JSON = "invalid JSON"
    SCHEMA_MISMATCH = "schema mismatch"
    WRONG_LANGUAGE = "wrong language"
    HEADING = "heading"
    ONE_INVENTED_NAME = "one invented name"
    INVENTED_NAMES = "invented names"
    EXAMPLE_LEAKED = "example leaked"
    EXPIRED = "expired"  # in batches alone
    CANCELED = "canceled"  # in batches alone


FAILURES = (Behaviour.RATE_LIMITED, Behaviour.OVERLOADED, Behaviour.ERROR_500, Behaviour.RESET, Behaviour.TRUNCATED,
            Behaviour.REFUSAL, Behaviour.INVALID_JSON, Behaviour.SCHEMA_MISMATCH)  # fmt: skip
"""What `--fail` picks from."""

_REFUSALS = {
    Behaviour.RATE_LIMITED: (429, "rate_limit_error", "This request would exceed your organization's rate limit"),
    Behaviour.OVERLOADED: (529, "overloaded_error", "Overloaded"),
    Behaviour.ERROR_500: (500, "api_error", "Internal server error"),
    Behaviour.UNAUTHORIZED: (401, "authentication_error", "invalid x-api-key"),
    Behaviour.FORBIDDEN: (403, "permission_error", "Your API key does not have permission to use the resource"),
    Behaviour.NOT_FOUND: (404, "not_found_error", "model: claude-none"),
    Behaviour.NO_CREDIT: (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
    Behaviour.PROMPT_TOO_LONG: (400, "invalid_request_error", "prompt is too long: 1200000 tokens > 1000000 maximum"),
    Behaviour.TOO_LARGE: (413, "request_too_large", "Request exceeds the maximum size"),
}
_STOPS = {
    Behaviour.TRUNCATED: "max_tokens",
    Behaviour.REFUSAL: "refusal",
    Behaviour.CONTEXT_EXCEEDED: "model_context_window_exceeded",
    Behaviour.PAUSE_TURN: "pause_turn",
    Behaviour.TOOL_USE: "tool_use",
    Behaviour.STOP_SEQUENCE: "stop_sequence",
}


def refusal_of(behaviour: Behaviour, prompt: str) -> Refused | None:
    """The error that a behaviour is answered with; None for one that is answered with a message."""
    if behaviour is Behaviour.BAD_REQUEST:
        return Refused(400, "invalid_request_error", f"messages.0.content: cannot be read: {prompt}")
    return Refused(*_REFUSALS[behaviour]) if behaviour in _REFUSALS else None


def stop_reason_of(behaviour: Behaviour) -> str:
    """Why the model stopped."""
    return _STOPS.get(behaviour, "end_turn")


def answer_text(asked: Asked, behaviour: Behaviour) -> str:
    """The text of an answer; the good one for behaviours that are not about its text."""
    whole = reply_text(asked)
    match behaviour:
        case Behaviour.REFUSAL:
            return ""
        case Behaviour.TRUNCATED | Behaviour.CONTEXT_EXCEEDED:
            return whole[: len(whole) // 2]
        case Behaviour.INVALID_JSON:
            return f"Here is the analysis: {whole}"
        case Behaviour.SCHEMA_MISMATCH:
            return json.dumps({"verdict": "fine"})
        case Behaviour.HEADING:
            fields = json.loads(whole)
            return json.dumps({**fields, "summary": f"## 摘要\n{fields['summary']}"}, ensure_ascii=False)
        case Behaviour.ONE_INVENTED_NAME:
            return with_one_invented_name(asked)
        case Behaviour.INVENTED_NAMES:
            return with_invented_names(asked)
        case Behaviour.EXAMPLE_LEAKED:
            return with_words_of_an_example(asked)
        case _:
            return whole
