"""The fake Slack keeps Slack's rules, so that tests against it mean something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.fakes.slack import TOKEN, FakeSlack


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
    ],
)
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


def test_a_message_is_kept_with_its_blocks(fake: FakeSlack) -> None:
    answer = call(fake, "chat.postMessage", channel="#alerts", text="x", blocks=[section("y")], thread_ts="1.2")
    assert (answer["ok"], answer["channel"], answer["ts"]) == (True, "#alerts", fake.messages[0].ts)
    assert (fake.messages[0].text, fake.messages[0].thread, fake.messages[0].blocks) == ("x", "1.2", (section("y"),))


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
    fake.misbehave("reset")
    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.post(url, trust_env=False)
