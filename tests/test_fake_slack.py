"""The fake Slack keeps Slack's rules, so that tests against it mean something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.fakes.slack import TOKEN, FakeSlack
from tests.fakes.slack_limits import blocks_fault


@pytest.fixture
def fake() -> Iterator[FakeSlack]:
    with FakeSlack() as slack:
        yield slack


def call(fake: FakeSlack, method: str, token: str = TOKEN, **body: Any) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    found: dict[str, Any] = httpx2.post(fake.api_url + method, json=body, headers=headers, trust_env=False).json()
    return found


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"channel": "#alerts"}, "no_text"),
        ({"channel": "#nowhere", "text": "x"}, "channel_not_found"),
        ({"channel": "#alerts", "text": "x" * 13_201}, "msg_too_long"),
        ({"channel": "#alerts", "text": "x", "blocks": [section("y" * 3_001)]}, "invalid_blocks"),
        ({"channel": "#alerts", "text": "x", "blocks": [section("y")] * 51}, "invalid_blocks"),
        ({"channel": "#alerts", "text": "x", "thread_ts": "1.2"}, "thread_not_found"),
        ({"channel": "#alerts", "text": "x", "metadata": {"event_type": "x"}}, "invalid_metadata_format"),
        ({"channel": "#alerts", "text": "x", "metadata": {"event_type": "a b", "event_payload": {}}},
         "invalid_metadata_format"),
        ({"channel": "#alerts", "text": "x", "metadata": {"event_type": "x", "event_payload": {"a": "y" * 16_000}}},
         "metadata_too_large"),
    ],
)  # fmt: skip
def test_what_slack_refuses_is_refused(fake: FakeSlack, body: dict[str, Any], error: str) -> None:
    assert call(fake, "chat.postMessage", **body) == {"ok": False, "error": error}
    assert fake.messages == []


def test_tokens_are_checked(fake: FakeSlack) -> None:
    assert call(fake, "auth.test", token="xoxb-other") == {"ok": False, "error": "invalid_auth"}
    assert call(fake, "auth.test", token="") == {"ok": False, "error": "not_authed"}
    assert call(fake, "auth.test")["ok"]
    assert call(fake, "files.upload") == {"ok": False, "error": "unknown_method"}


def test_an_archived_channel(fake: FakeSlack) -> None:
    fake.archived.add("#alerts")
    assert call(fake, "chat.postMessage", channel="#alerts", text="x") == {"ok": False, "error": "is_archived"}


def rich(**element: Any) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [element]}]}


@pytest.mark.parametrize(
    ("block", "wrong"),
    [
        (section("y"), None),
        (section(""), "1 to 3000 characters are wanted"),
        ({"type": "section"}, "section: text or fields"),
        ({"type": "section", "fields": [{"type": "mrkdwn", "text": "y"}] * 11}, "section.fields: 1 to 10 are wanted"),
        ({"type": "section", "text": {"type": "mrkdwn", "text": "y"}, "colour": "red"},
         "section: a key that it does not have"),
        ({"type": "section", "text": {"type": "mrkdwn", "text": "y", "emoji": True}}, "emoji: of plain texts only"),
        ({"type": "header", "text": {"type": "mrkdwn", "text": "y"}}, "a text object (plain_text) is wanted"),
        ({"type": "header", "text": {"type": "plain_text", "text": "y" * 151}}, "1 to 150 characters are wanted"),
        ({"type": "context", "elements": []}, "context.elements: 1 to 10 are wanted"),
        ({"type": "divider"}, None),
        ({"type": "markdown", "text": "y" * 12_001}, "markdown: at most 12,000 characters in all"),
        ({"type": "marquee"}, "marquee is not a block"),
        (rich(type="text", text="y", style={"bold": True}), None),
        (rich(type="text", text=""), "text: empty"),
        (rich(type="text", text="y", style={"blink": True}), "a style that is none"),
        (rich(type="link", url="https://example.org/a", text="y"), None),
        (rich(type="link", url="javascript:alert(1)"), "url: not one"),
        (rich(type="user", user_id="U123"), None),
        (rich(type="user", user_id="<@U123>"), "user: an id"),
        (rich(type="broadcast", range="here"), None),
        (rich(type="marquee"), "marquee is unknown"),
        ({"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "y" * 76}}]},
         "1 to 75 characters are wanted"),
    ],
)  # fmt: skip
def test_blocks_are_checked_as_the_documentation_has_them(block: dict[str, Any], wrong: str | None) -> None:
    assert blocks_fault([block]) == wrong


def test_block_ids_are_unique() -> None:
    assert blocks_fault([{"type": "divider", "block_id": "a"}] * 2) == "block_id: twice the same"


def test_a_message_is_kept_and_read_back_with_its_metadata(fake: FakeSlack) -> None:
    metadata = {"event_type": "daybook_commit", "event_payload": {"ids": ["a"]}}
    first = call(fake, "chat.postMessage", channel="#alerts", text="x", blocks=[section("y")], metadata=metadata)
    assert (first["ok"], first["channel"], first["ts"]) == (True, "C0ALERTS", fake.messages[0].ts)
    assert (fake.messages[0].text, fake.messages[0].blocks, fake.messages[0].ids) == ("x", (section("y"),), ("a",))
    call(fake, "chat.postMessage", channel="C0ALERTS", text="reply", thread_ts=first["ts"])
    call(fake, "chat.postMessage", channel="C0ALERTS", text="last")

    def texts(method: str, **given: Any) -> list[str]:
        return [row["text"] for row in call(fake, method, channel="C0ALERTS", **given)["messages"]]

    assert texts("conversations.history") == ["last", "x"]
    assert texts("conversations.history", oldest=fake.messages[1].ts) == ["last"]
    assert texts("conversations.replies", ts=first["ts"]) == ["x", "reply"]
    page = call(fake, "conversations.history", channel="C0ALERTS", limit=1, include_all_metadata=True)
    assert (page["has_more"], page["response_metadata"]) == (True, {"next_cursor": "1"})
    second = call(fake, "conversations.history", channel="C0ALERTS", cursor="1", include_all_metadata=True)
    assert [row["metadata"] for row in second["messages"]] == [metadata]
    assert call(fake, "conversations.history", channel="#alerts") == {"ok": False, "error": "channel_not_found"}


def test_a_change_needs_the_channels_id_and_a_message(fake: FakeSlack) -> None:
    ts = call(fake, "chat.postMessage", channel="#alerts", text="x", blocks=[section("y")])["ts"]
    assert call(fake, "chat.update", channel="#alerts", ts=ts, text="z")["error"] == "channel_not_found"
    assert call(fake, "chat.update", channel="C0ALERTS", ts="1.2", text="z")["error"] == "message_not_found"
    assert call(fake, "chat.update", channel="C0ALERTS", ts=ts, text="z")["ok"]
    assert [(found.text, found.blocks, found.edited) for found in fake.messages] == [("z", (), True)]


def test_scopes_are_told_and_kept(fake: FakeSlack) -> None:
    fake.scopes = {"chat:write"}
    fake.private.add("#alerts")
    missing = {"ok": False, "error": "missing_scope", "needed": "groups:history", "provided": "chat:write"}
    assert call(fake, "conversations.history", channel="C0ALERTS") == missing
    assert call(fake, "conversations.list", types="private_channel")["needed"] == "groups:read"
    headers = {"authorization": f"Bearer {TOKEN}"}
    told = httpx2.post(fake.api_url + "auth.test", headers=headers, trust_env=False).headers["x-oauth-scopes"]
    assert told == "chat:write"


def test_a_channel_takes_one_message_a_second_when_it_is_paced(fake: FakeSlack) -> None:
    fake.pace = 1.0
    url, headers = fake.api_url + "chat.postMessage", {"authorization": f"Bearer {TOKEN}"}

    def post(channel: str) -> httpx2.Response:
        return httpx2.post(url, json={"channel": channel, "text": "x"}, headers=headers, trust_env=False)

    answers = [post(channel) for channel in ("#alerts", "#alerts", "#daybook")]
    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert answers[1].headers["retry-after"] == "1"


def test_a_refusal_that_was_ordered_is_for_its_method_alone(fake: FakeSlack) -> None:
    fake.refuse("chat.postMessage", "restricted_action")
    assert call(fake, "auth.test")["ok"]
    assert call(fake, "chat.postMessage", channel="#alerts", text="x")["error"] == "restricted_action"
    assert call(fake, "chat.postMessage", channel="#alerts", text="x")["ok"]


def test_the_webhook_answers_in_words(fake: FakeSlack) -> None:
    def post(content: bytes) -> tuple[int, str]:
        answer = httpx2.post(fake.webhook_url, content=content, trust_env=False)
        return answer.status_code, answer.text

    assert post(b'{"text": "x"}') == (200, "ok")
    assert post(b"{}") == (400, "no_text")
    assert post(b"[") == (400, "invalid_payload")
    fake.hook_open = False
    assert post(b'{"text": "x"}') == (404, "no_service")
    assert fake.texts == ["x"]


def test_bad_days_pass_in_order(fake: FakeSlack) -> None:
    fake.misbehave("limited", 2, retry_after=3)
    fake.misbehave("error")
    url = fake.api_url + "auth.test"
    answers = [httpx2.post(url, headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 429, 500, 200]
    assert answers[0].headers["retry-after"] == "3"
    for ending in ("reset", "lost"):
        fake.misbehave(ending)
        with pytest.raises(httpx2.RemoteProtocolError):
            call(fake, "chat.postMessage", channel="#alerts", text=ending)
    assert fake.texts == ["lost"]
