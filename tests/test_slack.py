"""Slack's client against the fake workspace: what is sent, what each failure means, and that nothing is sent twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from core.errors import Permanent, Transient
from core.settings import Settings
from tests.fakes.slack import HOOK_PATH, TOKEN, FakeSlack
from workers.slack import MOST_CHARACTERS, Bot, Slack, escaped


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlack]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FakeSlack() as slack:
        yield slack


def bot(fake: FakeSlack, **changes: Any) -> Slack:
    values: dict[str, Any] = {
        "token": SecretStr(TOKEN),
        "channel": "#alerts",
        "api_url": fake.api_url,
        "timeout": 5,
    } | changes
    return Slack(**values)


def hook(fake: FakeSlack) -> Slack:
    return Slack(webhook_url=SecretStr(fake.webhook_url), timeout=5)


def test_a_message_by_token_stands_in_its_channel_and_thread(fake: FakeSlack) -> None:
    first = bot(fake).post("one")
    assert first.channel == "#alerts"
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*two*"}}]
    bot(fake).post("two", channel="#daybook", blocks=blocks, thread=first.ts)
    assert [(found.channel, found.text, found.thread) for found in fake.messages] == [
        ("#alerts", "one", None), ("#daybook", "two", first.ts),
    ]  # fmt: skip
    assert fake.messages[1].blocks == tuple(blocks)
    assert fake.messages[0].given["unfurl_links"] in ("0", 0, False)


def test_a_message_by_webhook(fake: FakeSlack) -> None:
    hook(fake).post("one")
    assert [(found.channel, found.text) for found in fake.messages] == [("webhook", "one")]
    assert fake.calls == [HOOK_PATH]


def test_who_the_bot_is(fake: FakeSlack) -> None:
    assert bot(fake).whoami() == Bot("daybook", "Octo Team")
    assert fake.messages == []
    with pytest.raises(Permanent, match="post a message to try it"):
        hook(fake).whoami()


@pytest.mark.parametrize("way", [bot, hook])
def test_a_limit_is_transient_with_slacks_own_wait_and_not_tried_again(fake: FakeSlack, way: Any) -> None:
    fake.misbehave("limited", retry_after=42)
    with pytest.raises(Transient) as caught:
        way(fake).post("one")
    assert (caught.value.retry_after, caught.value.shared) == (42.0, True)
    assert len(fake.calls) == 1


@pytest.mark.parametrize("way", [bot, hook])
@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("error", "Slack is busy (HTTP 500)"),
        ("garbage", "Slack's answer has an unexpected form (HTTP 200)"),
        ("reset", "Slack cannot be reached (RemoteDisconnected)"),
    ],
)
def test_bad_days_are_transient_and_nothing_is_sent_twice(fake: FakeSlack, way: Any, trouble: Any, said: str) -> None:
    fake.misbehave(trouble)
    with pytest.raises(Transient) as caught:
        way(fake).post("one")
    assert str(caught.value) == said
    assert len(fake.calls) == 1


@pytest.mark.parametrize("way", ["bot", "hook"])
def test_a_slow_answer_ends_at_the_timeout(fake: FakeSlack, way: str) -> None:
    fake.misbehave("slow")
    slack = bot(fake, timeout=1) if way == "bot" else Slack(webhook_url=SecretStr(fake.webhook_url), timeout=1)
    started = time.monotonic()
    with pytest.raises(Transient, match="did not answer in time"):
        slack.post("one")
    assert time.monotonic() - started < 8


def test_a_closed_port_is_transient_and_the_webhooks_address_is_not_told(fake: FakeSlack) -> None:
    for slack in (
        Slack(webhook_url=SecretStr(f"http://127.0.0.1:1{HOOK_PATH}"), timeout=1),
        bot(fake, api_url="http://127.0.0.1:1/api/"),
    ):
        with pytest.raises(Transient) as caught:
            slack.post("one")
        assert str(caught.value) == "Slack cannot be reached (ConnectionRefusedError)"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token": SecretStr("xoxb-wrong")}, ("Slack refuses: invalid_auth; SLACK_BOT_TOKEN is not valid "
         "(any more): copy the bot token from the app's page at Slack")),
        ({"channel": "#nowhere"}, ("Slack refuses: channel_not_found; set SLACK_CHANNEL to a channel the bot "
         "can see, or invite the bot")),
        ({"channel": None}, "no Slack channel: set SLACK_CHANNEL"),
        ({"api_url": "ftp://slack.example/"}, "the Slack client refuses: SlackRequestError; check SLACK_API_URL"),
    ],
)  # fmt: skip
def test_what_a_person_must_mend_is_permanent_with_a_remedy(
    fake: FakeSlack, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(Permanent) as caught:
        bot(fake, **changes).post("one")
    assert str(caught.value) == said
    assert fake.messages == []


def test_a_webhook_that_was_taken_away_is_permanent(fake: FakeSlack) -> None:
    fake.hook_open = False
    with pytest.raises(Permanent) as caught:
        hook(fake).post("one")
    assert str(caught.value) == (
        "Slack refuses: no_service (HTTP 404); make a new incoming webhook at Slack and set SLACK_WEBHOOK_URL"
    )


@pytest.mark.parametrize("way", [bot, hook])
def test_a_text_beyond_slacks_limit_is_cut_and_sent(fake: FakeSlack, way: Any) -> None:
    way(fake).post("x" * 50_000)
    assert fake.texts == ["x" * (MOST_CHARACTERS - 1) + "…"]


def test_nothing_of_a_failure_is_logged_by_the_sdk(fake: FakeSlack, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for trouble in ("error", "reset", "garbage"):
        fake.misbehave(trouble)
        with pytest.raises(Transient):
            bot(fake).post("a message of ours")
    hook(fake).post("a message of ours")
    assert TOKEN not in caplog.text
    assert "a message of ours" not in caplog.text


@given(st.text())
def test_escaped_text_can_hold_no_special_command(text: str) -> None:
    shown = escaped(text)
    assert not {"<", ">"} & set(shown)
    assert shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


def test_a_mention_in_a_title_is_text() -> None:
    assert escaped("<!channel> & <@U1|you>") == "&lt;!channel&gt; &amp; &lt;@U1|you&gt;"


def test_the_client_of_the_settings() -> None:
    def made(**values: Any) -> Slack | None:
        return Slack.from_settings(Settings(_env_file=None, **values))

    assert made() is None
    assert made(slack_bot_token="xoxb-1") is None  # no channel: nowhere to post
    assert made(slack_bot_token="xoxb-1", slack_alert_channel="#alerts")
    assert made(slack_webhook_url="https://hooks.slack.example/x")
