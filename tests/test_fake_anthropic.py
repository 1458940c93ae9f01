"""The fake Anthropic refuses what the real API refuses, and answers as it does; asked through the real SDK."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import httpx2
import pytest
from pydantic import BaseModel, Field

from tests.fakes.anthropic import Behaviour, FakeAnthropic

PROMPT = "=== engine/scheduler.py [modified]\n@@ -1 +1 @@\n-a\n+b"


class Answer(BaseModel):
    summary: str = Field(max_length=100)
    advice: list[str] = Field(max_length=3)


SCHEMA = anthropic.transform_schema(Answer)
REQUEST: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": PROMPT}],
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
}


@pytest.fixture
def api() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as server:
        yield server


@pytest.fixture
def client(api: FakeAnthropic) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="key-for-tests", base_url=api.url, max_retries=0, timeout=20) as sdk:
        yield sdk


LONG = "Be exact. " * 300


def marked(text: str, ttl: str = "5m") -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}}


def create(client: anthropic.Anthropic, **changes: Any) -> anthropic.types.Message:
    request = {name: value for name, value in (REQUEST | changes).items() if value is not None}
    message: anthropic.types.Message = client.messages.create(**request)
    return message


def test_it_answers_in_the_schema_and_names_a_file_of_the_diff(client: anthropic.Anthropic, api: FakeAnthropic) -> None:
    message = create(client, system="Write every text in English.")

    assert message.stop_reason == "end_turn"
    assert [block.type for block in message.content] == ["text"]
    assert json.loads(message.content[0].text) == {  # type: ignore[union-attr]
        "summary": "`engine/scheduler.py` now checks its input before it runs; "
        "invalid requests fail early, valid ones are unchanged.",
        "advice": ["Run your regression requests through `engine/scheduler.py` before you upgrade."],
    }
    assert message.usage.output_tokens > 40
    assert api.requests[0].prompt == PROMPT
    assert api.requests[0].headers["authorization"] == "Bearer key-for-tests"


def test_it_writes_chinese_when_the_prompt_asks_for_it(client: anthropic.Anthropic) -> None:
    text = create(client, system="Write in simplified Chinese.").content[0].text  # type: ignore[union-attr]
    assert json.loads(text)["summary"].startswith("`engine/scheduler.py` 的处理流程")


TREE = {"type": "array", "items": {"$ref": "#/$defs/A"}}
EITHER = {"anyOf": [{"type": "string"}, {"type": "null"}]}
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
        ({"max_tokens": 200_000}, "max_tokens: 200000 > 128000"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": [{"role": "user", "content": " "}]}, "text content blocks must be non-empty"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0.role"),
        (
            {"messages": [*REQUEST["messages"], {"role": "assistant", "content": "{"}]},
            "does not support assistant message",
        ),
        ({"extra_body": {"temperature": 0.2}}, "temperature: Extra inputs are not permitted"),
        ({"output_config": {"effort": "extreme"}}, "output_config.effort"),
        ({"model": "claude-haiku-4-5"}, "This model does not support the effort parameter."),
        (
            {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5},
            "at most 4|maximum of 4",
        ),
        ({"system": [{"type": "text", "text": "x", "cache_control": {"type": "forever"}}]}, "system.0.cache_control"),
        ({"system": [marked("x"), marked("y", "1h")]}, "a ttl='1h' cache_control block must not come after"),
        ({"system": [marked("x", "2h")]}, "Input should be '5m' or '1h'"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2_000}}, "is not supported for this model"),
        ({"thinking": {"type": "sometimes"}}, "thinking: Input should be of type"),
        ({"model": "claude-haiku-4-5", "output_config": None, "max_tokens": 64_001}, "64001 > 64000"),
        (
            {"model": "claude-haiku-4-5", "output_config": None, "thinking": {"type": "adaptive"}},
            "adaptive thinking is not supported",
        ),
        (
            {"model": "claude-haiku-4-5", "output_config": None, "thinking": {"type": "enabled", "budget_tokens": 9}},
            "greater than or equal to 1024",
        ),
        (
            {
                "model": "claude-haiku-4-5",
                "output_config": None,
                "messages": [{"role": "user", "content": "a" * 700_000}],
            },
            "prompt is too long: 205882 tokens > 200000 maximum",
        ),
    ],
)
def test_it_refuses_what_the_real_api_refuses(
    client: anthropic.Anthropic, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message) as caught:
        create(client, **changes)
    assert caught.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "object", "properties": {}}, "'additionalProperties' must be explicitly set to false"),
        ({**OBJECT, "properties": {"a": {"type": "string", "maxLength": 3}}}, "'maxLength' is not supported"),
        ({**OBJECT, "properties": {"a": {"type": "integer", "minimum": 3}}}, "'minimum' is not supported"),
        ({**OBJECT, "properties": {"a": {"type": "array", "items": {"type": "string"}, "minItems": 2}}}, "minItems"),
        ({**OBJECT, "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/Gone"}}}}, "cannot be resolved"),
        ({**OBJECT, "properties": {"a": {"description": "no type"}}}, "Schema type is required"),
        ({**OBJECT, "properties": {"a": {"enum": [{"b": 1}]}}}, "'enum' values must be"),
        ({**OBJECT, "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": TREE}}, "Circular references"),
        ({**OBJECT, "properties": {f"p{n}": {"type": "string"} for n in range(25)}}, "too many optional parameters"),
        (
            {**OBJECT, "properties": {f"p{n}": EITHER for n in range(17)}, "required": [f"p{n}" for n in range(17)]},
            "too many parameters with union types",
        ),
    ],
)
def test_it_refuses_schemas_outside_the_subset(
    client: anthropic.Anthropic, schema: dict[str, Any], message: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message):
        create(client, output_config={"format": {"type": "json_schema", "schema": schema}})


def test_an_unknown_model_is_not_found(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="model: claude-none"):
        create(client, model="claude-none", output_config=None)


def test_a_key_and_a_version_are_asked_for(api: FakeAnthropic) -> None:
    post = httpx2.post(f"{api.url}/v1/messages", json=REQUEST, headers={"anthropic-version": "2023-06-01"})
    assert (post.status_code, post.json()["error"]["type"]) == (401, "authentication_error")
    post = httpx2.post(f"{api.url}/v1/messages", json=REQUEST, headers={"x-api-key": "k"})
    assert (post.status_code, post.json()["error"]["message"]) == (400, "anthropic-version: header is required")
    api.key = "right"
    with (
        anthropic.Anthropic(api_key="wrong", base_url=api.url, max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        create(client)


def test_broken_bodies_and_unknown_paths_are_refused(api: FakeAnthropic) -> None:
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    assert httpx2.post(f"{api.url}/v1/messages", content=b"{", headers=headers).status_code == 400
    assert httpx2.get(f"{api.url}/v1/nothing", headers=headers).status_code == 404


def test_tokens_are_counted_and_models_listed(client: anthropic.Anthropic, api: FakeAnthropic) -> None:
    counted = client.messages.count_tokens(model="claude-haiku-5-5", messages=[{"role": "user", "content": "a" * 340}])
    assert counted.input_tokens == 100
    api.characters_per_token = 3.0
    counted = client.messages.count_tokens(model="claude-haiku-5-5", messages=[{"role": "user", "content": "a" * 330}])
    assert counted.input_tokens == 110
    assert "claude-sonnet-5-5" in [model.id for model in client.models.list()]
    assert client.models.retrieve("claude-haiku-5-5").max_input_tokens == 1_000_000


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (Behaviour.RATE_LIMITED, anthropic.RateLimitError),
        (Behaviour.OVERLOADED, anthropic.OverloadedError),
        (Behaviour.ERROR_500, anthropic.InternalServerError),
        (Behaviour.UNAUTHORIZED, anthropic.AuthenticationError),
        (Behaviour.FORBIDDEN, anthropic.PermissionDeniedError),
        (Behaviour.NOT_FOUND, anthropic.NotFoundError),
        (Behaviour.NO_CREDIT, anthropic.BadRequestError),
        (Behaviour.PROMPT_TOO_LONG, anthropic.BadRequestError),
        (Behaviour.TOO_LARGE, anthropic.ContentTooLargeError),
        (Behaviour.BAD_REQUEST, anthropic.BadRequestError),
        (Behaviour.RESET, anthropic.APIConnectionError),
    ],
)
def test_it_fails_as_told_and_then_behaves(
    client: anthropic.Anthropic, api: FakeAnthropic, behaviour: Behaviour, error: type[Exception]
) -> None:
    api.retry_after = "7"
    api.script(behaviour)
    with pytest.raises(error) as caught:
        create(client)
    assert type(caught.value) is error
    if isinstance(caught.value, anthropic.APIStatusError):
        assert caught.value.response.headers["retry-after"] == "7"
        assert caught.value.request_id == "req_011CfakeRequest"
    assert create(client).stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("behaviour", "stop_reason", "reads_as_json"),
    [
        (Behaviour.THINKING, "end_turn", True),
        (Behaviour.TRUNCATED, "max_tokens", False),
        (Behaviour.CONTEXT_EXCEEDED, "model_context_window_exceeded", False),
        (Behaviour.REFUSAL, "refusal", False),
        (Behaviour.PAUSE_TURN, "pause_turn", True),
        (Behaviour.TOOL_USE, "tool_use", True),
        (Behaviour.STOP_SEQUENCE, "stop_sequence", True),
        (Behaviour.INVALID_JSON, "end_turn", False),
    ],
)
def test_it_answers_badly_as_told(
    client: anthropic.Anthropic, api: FakeAnthropic, behaviour: Behaviour, stop_reason: str, reads_as_json: bool
) -> None:
    api.script(behaviour)
    message = create(client)
    text = "".join(block.text for block in message.content if block.type == "text")
    try:
        json.loads(text)
    except ValueError:
        assert not reads_as_json
    else:
        assert reads_as_json
    assert message.stop_reason == stop_reason
    assert (message.content[0].type == "thinking") == (behaviour is Behaviour.THINKING) if message.content else True


def test_a_reply_that_needs_more_than_max_tokens_is_cut(client: anthropic.Anthropic) -> None:
    message = create(client, max_tokens=10)
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 10)
    assert create(client, max_tokens=0).content == []


def test_older_models_think_by_a_budget(client: anthropic.Anthropic) -> None:
    old = {"model": "claude-haiku-4-5", "output_config": None, "max_tokens": 2_000}
    assert create(client, **old, thinking={"type": "enabled", "budget_tokens": 1_024}).stop_reason == "end_turn"
    assert create(client, thinking={"type": "adaptive"}).stop_reason == "end_turn"


def test_it_hangs_as_told(client: anthropic.Anthropic, api: FakeAnthropic) -> None:
    api.script(Behaviour.HANG)
    with pytest.raises(anthropic.APITimeoutError):
        create(client, timeout=0.2)


def test_it_holds_a_hundred_requests_at_once(api: FakeAnthropic) -> None:
    api.together = 100
    with (
        anthropic.Anthropic(api_key="key-for-tests", base_url=api.url, max_retries=0, timeout=60) as patient,
        ThreadPoolExecutor(100) as pool,
    ):
        messages = list(pool.map(lambda _: create(patient), range(100)))
    assert {message.stop_reason for message in messages} == {"end_turn"}
    assert api.most_concurrent == len(api.requests) == 100


def test_its_answers_can_be_delayed(client: anthropic.Anthropic, api: FakeAnthropic) -> None:
    api.delay = 0.2
    started = time.monotonic()
    create(client)
    assert time.monotonic() - started >= 0.2
