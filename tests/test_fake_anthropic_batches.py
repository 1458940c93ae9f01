"""The fake Anthropic's message batches take, work on, end and refuse what the real ones do; through the real SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types.messages import MessageBatch

from tests.fakes.anthropic import Behaviour, FakeAnthropic
from tests.fakes.anthropic_batches import Batches
from tests.test_fake_anthropic import LONG, REQUEST, marked

DAY = 86_400


@pytest.fixture
def api() -> Iterator[FakeAnthropic]:
    with FakeAnthropic(key="key-for-tests") as server:
        yield server


@pytest.fixture
def client(api: FakeAnthropic) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="key-for-tests", base_url=api.url, max_retries=0, timeout=20) as sdk:
        yield sdk


def order(custom_id: str, **changes: Any) -> Any:
    return {"custom_id": custom_id, "params": {**REQUEST, **changes}}


def create(client: anthropic.Anthropic, *custom_ids: str) -> MessageBatch:
    return client.messages.batches.create(requests=[order(custom_id) for custom_id in custom_ids])


def results(client: anthropic.Anthropic, batch: MessageBatch) -> dict[str, Any]:
    return {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}


def test_a_batch_is_worked_on_for_its_time_and_then_gives_its_messages(
    client: anthropic.Anthropic, api: FakeAnthropic
) -> None:
    api.batches.seconds = 3_600
    made = create(client, "a", "b")
    assert made.processing_status == "in_progress"
    assert made.request_counts.model_dump() == {
        "processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0,
    }  # fmt: skip
    assert (made.ended_at, made.results_url) == (None, None)
    assert (made.expires_at - made.created_at).total_seconds() == DAY

    api.clock.advance(3_590)
    assert client.messages.batches.retrieve(made.id).processing_status == "in_progress"
    with pytest.raises(anthropic.AnthropicError, match="No `results_url`"):
        client.messages.batches.results(made.id)

    api.clock.advance(10)
    ended = client.messages.batches.retrieve(made.id)
    assert ended.ended_at
    assert (ended.processing_status, (ended.ended_at - ended.created_at).total_seconds()) == ("ended", 3_600)
    assert (ended.request_counts.processing, ended.request_counts.succeeded) == (0, 2)
    found = results(client, made)
    assert list(found) == ["b", "a"]  # not in the order of the requests
    assert json.loads(found["a"].message.content[0].text).keys() == {"summary", "advice"}
    assert found["a"].message.usage.service_tier == "batch"


def test_its_requests_share_the_cache(client: anthropic.Anthropic) -> None:
    orders = [order(custom_id, system=[marked(LONG, "1h")]) for custom_id in "abc"]
    found = results(client, client.messages.batches.create(requests=orders))
    usages = [found[custom_id].message.usage for custom_id in "abc"]
    assert [usage.cache_creation_input_tokens for usage in usages] == [882, 0, 0]
    assert [usage.cache_read_input_tokens for usage in usages] == [0, 882, 882]


def test_single_requests_fail_as_told_and_by_their_own_faults(client: anthropic.Anthropic, api: FakeAnthropic) -> None:
    api.script(Behaviour.FINE, Behaviour.OVERLOADED, Behaviour.EXPIRED, Behaviour.CANCELED, Behaviour.REFUSAL)
    orders = [order(custom_id) for custom_id in "abcde"]
    orders += [order("f", max_tokens=-1), order("g", temperature=1), order("h", model="claude-none")]
    batch = client.messages.batches.create(requests=orders)
    found = results(client, batch)
    assert {custom_id: result.type for custom_id, result in found.items()} == {
        "a": "succeeded", "b": "errored", "c": "expired", "d": "canceled", "e": "succeeded", "f": "errored",
        "g": "errored", "h": "errored",
    }  # fmt: skip
    assert found["e"].message.stop_reason == "refusal"
    assert {custom_id: found[custom_id].error.error.type for custom_id in "bfgh"} == {
        "b": "overloaded_error", "f": "invalid_request_error", "g": "invalid_request_error", "h": "not_found_error",
    }  # fmt: skip
    assert client.messages.batches.retrieve(batch.id).request_counts.model_dump() == {
        "processing": 0, "succeeded": 2, "errored": 4, "canceled": 1, "expired": 1,
    }  # fmt: skip


def test_a_batch_that_is_not_done_within_a_day_expires(client: anthropic.Anthropic, api: FakeAnthropic) -> None:
    api.batches.seconds = 2 * DAY
    batch = create(client, "a", "b")
    api.clock.advance(DAY - 1)
    assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
    api.clock.advance(1)
    ended = client.messages.batches.retrieve(batch.id)
    assert (ended.processing_status, ended.request_counts.expired) == ("ended", 2)
    assert {result.type for result in results(client, batch).values()} == {"expired"}


def test_a_cancelled_batch_takes_a_while_to_end(client: anthropic.Anthropic, api: FakeAnthropic) -> None:
    api.batches.seconds, api.batches.cancelling = 3_600, 30
    batch = create(client, "a")
    cancelled = client.messages.batches.cancel(batch.id)
    assert cancelled.cancel_initiated_at
    assert cancelled.processing_status == "canceling"
    with pytest.raises(anthropic.BadRequestError, match="still being processed"):
        client.messages.batches.delete(batch.id)
    api.clock.advance(30)
    assert client.messages.batches.retrieve(batch.id).request_counts.canceled == 1
    assert results(client, batch)["a"].type == "canceled"
    with pytest.raises(anthropic.BadRequestError, match="already ended"):
        client.messages.batches.cancel(batch.id)
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)


def test_batches_are_listed_newest_first_in_pages(client: anthropic.Anthropic) -> None:
    made = [create(client, "a").id for _ in range(5)]
    pages = list(client.messages.batches.list(limit=2).iter_pages())
    assert [[batch.id for batch in page.data] for page in pages] == [made[:2:-1], made[2:0:-1], made[:1]]
    before = client.messages.batches.list(limit=2, before_id=made[0])
    assert [batch.id for batch in before.data] == [made[2], made[1]]
    assert before.has_more
    with pytest.raises(anthropic.BadRequestError, match="between 1 and 1000"):
        client.messages.batches.list(limit=0)


@pytest.mark.parametrize(
    ("orders", "fault"),
    [
        ([], "between 1 and 100000 items"),
        ([order("")], r"requests\.0\.custom_id: String should match pattern"),
        ([order("owner/name@sha")], r"requests\.0\.custom_id: String should match pattern"),
        ([order("a" * 65)], r"requests\.0\.custom_id: String should match pattern"),
        ([order("a"), order("b"), order("a")], "found more than once: a"),
        ([{"custom_id": "a"}], "custom_id and params are required"),
        ([{"custom_id": "a", "params": {}}] * 100_001, "between 1 and 100000 items"),
    ],
)
def test_a_batch_in_a_wrong_form_is_refused(client: anthropic.Anthropic, orders: Any, fault: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=fault):
        client.messages.batches.create(requests=orders)


def test_a_batch_that_is_too_large_is_refused(api: FakeAnthropic) -> None:
    """Asked without a body of that size."""
    request = httpx2.Client(base_url=api.url, headers={"x-api-key": "key-for-tests", "anthropic-version": "2023-06-01"})
    with request as http:
        http.post("/v1/messages/batches", json={"requests": [order("a")]}).raise_for_status()
    batches: Batches = api.batches
    with pytest.raises(Exception, match="maximum size") as caught:
        batches.answer(api.requests[0], 256 * 1024 * 1024 + 1)
    assert getattr(caught.value, "status", None) == 413


def test_what_was_ordered_is_recorded(client: anthropic.Anthropic, api: FakeAnthropic) -> None:
    create(client, "a", "b")
    assert {custom_id: asked.prompt for custom_id, asked in api.requests[0].orders.items()} == dict.fromkeys(
        "ab", REQUEST["messages"][0]["content"]
    )


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (Behaviour.RATE_LIMITED, anthropic.RateLimitError),
        (Behaviour.TOO_LARGE, anthropic.ContentTooLargeError),
        (Behaviour.RESET, anthropic.APIConnectionError),
        (Behaviour.HANG, anthropic.APITimeoutError),
    ],
)
def test_the_endpoints_fail_as_told(
    client: anthropic.Anthropic, api: FakeAnthropic, behaviour: Behaviour, error: type[Exception]
) -> None:
    api.script_batches(behaviour)
    with pytest.raises(error):
        create(client.with_options(timeout=1), "a")
    lost = behaviour in {Behaviour.RESET, Behaviour.HANG}  # the batch was made, and its maker does not know its name
    assert len(client.messages.batches.list().data) == lost


def test_the_key_is_asked_for(api: FakeAnthropic) -> None:
    with (
        anthropic.Anthropic(api_key="wrong", base_url=api.url, max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        create(client, "a")
