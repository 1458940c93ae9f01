"""Which channel a name stands for, and that a notice reaches each kind of channel in that channel's own form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from core.notify_settings import FeishuBot
from core.settings import Settings
from tests.fakes.feishu import SECRET, FakeFeishu
from tests.fakes.slack import TOKEN, FakeSlack
from tests.notices import a_notice
from workers.channels import Channels, channels_of


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeSlack, FakeFeishu]]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        yield stack.enter_context(FakeSlack()), stack.enter_context(FakeFeishu())


def channels(world: tuple[FakeSlack, FakeFeishu], *kinds: str, **more: Any) -> Channels:
    slack, feishu = world
    values: dict[str, dict[str, Any]] = {
        "bot": {"slack_bot_token": TOKEN, "slack_api_url": slack.api_url},
        "webhook": {"slack_webhook_url": slack.webhook_url},
        "feishu": {"feishu_webhook_url": feishu.url, "feishu_secret": SECRET},
    }
    chosen = {key: value for kind in kinds for key, value in values[kind].items()}
    return channels_of(Settings(_env_file=None, **chosen, **more))


def test_a_notice_reaches_each_kind_of_channel(world: tuple[FakeSlack, FakeFeishu]) -> None:
    slack, feishu = world
    known = channels(world, "bot", "webhook", "feishu")
    services = []
    for name in ("#daybook", "C0ALERTS", "webhook", "feishu:default"):
        channel = known.channel(name)
        assert channel
        channel.post(a_notice("one", "a/b@1"))
        services.append(channel.service)
    assert [(found.channel, found.ids, bool(found.blocks)) for found in slack.messages] == [
        ("#daybook", ("a/b@1",), True), ("#alerts", ("a/b@1",), True), ("webhook", (), True),
    ]  # fmt: skip
    assert [message.given["msg_type"] for message in feishu.messages] == ["interactive"]
    assert services == ["slack:#daybook", "slack:C0ALERTS", "slack:webhook", "feishu:default"]


def test_what_is_not_set_is_no_channel(world: tuple[FakeSlack, FakeFeishu]) -> None:
    none = channels(world)
    assert [none.channel(name) for name in ("#daybook", "C0001", "webhook", "feishu:default")] == [None] * 4
    assert none.for_alerts() is None
    assert channels(world, "feishu").channel("feishu:other") is None


def test_a_second_custom_bot_has_its_own_channel(world: tuple[FakeSlack, FakeFeishu]) -> None:
    bot = FeishuBot(name="team", url=SecretStr(world[1].url), secret=SecretStr(SECRET))
    found = channels(world, daybook_feishu=(bot,)).channel("feishu:team")
    assert found
    found.say("one")
    assert (found.service, [message.text for message in world[1].messages]) == ("feishu:team", ["one"])


@pytest.mark.parametrize(
    ("kinds", "settings", "service"),
    [
        (
            ("bot", "webhook", "feishu"),
            {"slack_channel": "#daybook", "slack_alert_channel": "#alerts"},
            "slack:#alerts",
        ),
        (("bot", "webhook", "feishu"), {"slack_channel": "#daybook"}, "slack:#daybook"),
        (("bot", "webhook", "feishu"), {}, "slack:webhook"),
        (("webhook", "feishu"), {"slack_channel": "#daybook"}, "slack:webhook"),
        (("bot", "feishu"), {}, "feishu:default"),
    ],
)
def test_where_alerts_go(
    world: tuple[FakeSlack, FakeFeishu], kinds: tuple[str, ...], settings: dict[str, str], service: str
) -> None:
    found = channels(world, *kinds, **settings).for_alerts()
    assert found
    assert found.service == service


def test_the_id_of_a_channel_is_learnt_once_for_a_process(world: tuple[FakeSlack, FakeFeishu]) -> None:
    known = channels(world, "bot")
    first, second = known.channel("#daybook"), known.channel("#daybook")
    assert first
    assert second
    posted = first.post(a_notice("one", "a/b@1"))
    assert second.find(["a/b@1"], datetime.now(UTC)) == {"a/b@1": posted}
    assert world[0].calls == ["/api/chat.postMessage", "/api/conversations.history"]
