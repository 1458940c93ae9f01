"""The fake Anthropic keeps prompt prefixes, forgets them and counts them as the real one does; through the real SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.fakes.anthropic import FakeAnthropic
from tests.test_fake_anthropic import LONG, PROMPT, create, marked


@pytest.fixture
def api() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as server:
        yield server


@pytest.fixture
def client(api: FakeAnthropic) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="key-for-tests", base_url=api.url, max_retries=0, timeout=20) as sdk:
        yield sdk


def cached(usage: anthropic.types.Usage) -> tuple[int | None, int | None, int]:
    """Tokens written to the cache, read from it, and neither."""
    return usage.cache_creation_input_tokens, usage.cache_read_input_tokens, usage.input_tokens


def test_a_marked_prefix_is_written_once_and_read_until_it_has_not_been_used_for_its_lifetime(
    client: anthropic.Anthropic, api: FakeAnthropic
) -> None:
    seen = []
    for wait in (0, 0, 299, 299, 301):
        api.clock.advance(wait)
        seen.append(cached(create(client, system=[marked(LONG)]).usage))
    assert seen == [(882, 0, 15), (0, 882, 15), (0, 882, 15), (0, 882, 15), (882, 0, 15)]


def test_an_entry_for_an_hour_is_counted_apart_and_lives_for_an_hour(
    client: anthropic.Anthropic, api: FakeAnthropic
) -> None:
    first = create(client, system=[marked(LONG, "1h")]).usage
    assert first.cache_creation
    assert (first.cache_creation.ephemeral_5m_input_tokens, first.cache_creation.ephemeral_1h_input_tokens) == (0, 882)
    api.clock.advance(3_599)
    assert cached(create(client, system=[marked(LONG, "1h")]).usage) == (0, 882, 15)
    api.clock.advance(3_601)
    assert cached(create(client, system=[marked(LONG, "1h")]).usage) == (882, 0, 15)


def test_what_follows_a_known_prefix_is_written_alone(client: anthropic.Anthropic) -> None:
    create(client, system=[marked(LONG)])
    message = {"role": "user", "content": [marked(PROMPT)]}
    assert cached(create(client, system=[marked(LONG)], messages=[message]).usage) == (15, 882, 0)
    assert cached(create(client, system=[marked(LONG)], messages=[message]).usage) == (0, 897, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "claude-sonnet-5-5"},
        {"system": [marked(f"{LONG}!")]},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "string"}}}},
    ],
)
def test_another_model_text_or_format_does_not_read_the_entry(
    client: anthropic.Anthropic, changes: dict[str, Any]
) -> None:
    create(client, system=[marked(LONG)])
    assert cached(create(client, **{"system": [marked(LONG)], **changes}).usage)[1] == 0


@pytest.mark.parametrize(
    ("changes", "tokens"),
    [
        ({"system": [marked("Brief.")]}, 2),
        ({"system": LONG}, 882),
        ({"system": [marked(LONG)], "model": "claude-haiku-4-5", "output_config": None}, 882),
    ],
)
def test_a_prefix_that_is_short_for_its_model_or_not_marked_is_never_cached(
    client: anthropic.Anthropic, changes: dict[str, Any], tokens: int
) -> None:
    for _ in range(2):
        assert cached(create(client, **changes).usage) == (0, 0, tokens + 15)
