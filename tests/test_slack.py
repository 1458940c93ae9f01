"""Slack's clients against the fake workspace: what stands in the channel, and what each failure means to the caller."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from slack_sdk.models.blocks import DividerBlock, MarkdownTextObject, SectionBlock
from structlog.testing import capture_logs

from core.errors import Permanent, Transient
from tests.fakes.slack import HOOK_PATH, TOKEN, FakeSlack
from tests.notices import a_notice
from workers.channels import MessageGone, MessageRefused, Posted
from workers.slack import MOST_CHARACTERS, Bot, Message, Render, Slack, SlackChannel, escaped
from workers.slack_errors import ScopeMissing
from workers.slack_webhook import SlackWebhook

if TYPE_CHECKING:
    from workers.notices import Notice

ONE = Message("one")
SINCE = datetime.now(UTC) - timedelta(minutes=1)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlack]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FakeSlack() as slack:
        yield slack


def bot(fake: FakeSlack, **changes: Any) -> Slack:
    values: dict[str, Any] = {"api_url": fake.api_url, "timeout": 5} | changes
    return Slack(values.pop("token", SecretStr(TOKEN)), **values)


def plain(notice: Notice) -> Message:
    """A renderer for tests of the way, not of the words."""
    return Message(notice.headline, [section(notice.headline)])


def section(text: str) -> SectionBlock:
    return SectionBlock(text=MarkdownTextObject(text=text))


def too_many(notice: Notice) -> Message:
    """More blocks than Slack takes."""
    return Message(notice.headline, [DividerBlock()] * 51)


def channel(fake: FakeSlack, name: str = "#daybook", render: Render = plain, timeout: int = 5) -> SlackChannel:
    return SlackChannel(bot(fake, timeout=timeout), name, render)


def hook(fake: FakeSlack, render: Render = plain, timeout: int = 5) -> SlackWebhook:
    return SlackWebhook(SecretStr(fake.webhook_url), render, timeout=timeout)


def test_a_notice_stands_with_its_ids_and_a_second_one_in_its_thread(fake: FakeSlack) -> None:
    first = channel(fake).post(a_notice("one", "a/b@1", "a/b@2"))
    assert first == Posted("C0DAYBOOK", fake.messages[0].ts)
    second = channel(fake).post(a_notice("two", "a/b@1 reverted"), thread=first.ts)
    assert second.channel == "C0DAYBOOK"
    assert [(found.channel, found.text, found.ids, found.thread) for found in fake.messages] == [
        ("#daybook", "one", ("a/b@1", "a/b@2"), None), ("#daybook", "two", ("a/b@1 reverted",), first.ts),
    ]  # fmt: skip
    assert fake.messages[0].blocks == ({"type": "section", "text": {"type": "mrkdwn", "text": "one"}},)
    assert fake.messages[0].given["unfurl_links"] is False
    assert fake.messages[0].given["unfurl_media"] is False


def test_a_message_is_changed_in_place_and_keeps_its_ids(fake: FakeSlack) -> None:
    posted = channel(fake).post(a_notice("one", "a/b@1"))
    channel(fake).update(posted, a_notice("one, reverted", "a/b@1"))
    assert [(found.text, found.ids, found.ts, found.edited) for found in fake.messages] == [
        ("one, reverted", ("a/b@1",), posted.ts, True)
    ]
    assert fake.messages[0].blocks[0]["text"]["text"] == "one, reverted"


@pytest.mark.parametrize("error", ["message_not_found", "cant_update_message", "edit_window_closed"])
def test_a_message_that_is_gone_is_told_apart_from_a_channel_in_trouble(fake: FakeSlack, error: str) -> None:
    posted = channel(fake).post(a_notice("one", "a/b@1"))
    fake.refuse("chat.update", error)
    with pytest.raises(MessageGone, match=error):
        channel(fake).update(posted, a_notice("two", "a/b@1"))
    with pytest.raises(MessageGone, match="thread_not_found"):
        channel(fake).post(a_notice("two", "x"), thread="1.000000")
    fake.refuse("chat.update", "channel_not_found")
    with pytest.raises(Permanent) as caught:
        channel(fake).update(posted, a_notice("two", "a/b@1"))
    assert not isinstance(caught.value, MessageGone)


def test_ids_are_found_by_a_process_that_posted_nothing(fake: FakeSlack) -> None:
    first = channel(fake).post(a_notice("one", "a/b@1"))
    listed = channel(fake).post(a_notice("list", "a/b@2", "a/b@3"))
    channel(fake, "#alerts").post(a_notice("elsewhere", "a/b@4"))
    found = channel(fake).find({"a/b@1", "a/b@3", "a/b@4", "a/b@5"}, SINCE)
    assert found == {"a/b@1": first, "a/b@3": listed}
    assert channel(fake).find({"a/b@1"}, datetime.now(UTC) + timedelta(hours=1)) == {}


def test_the_search_goes_on_over_pages_and_ends_when_all_are_found(fake: FakeSlack) -> None:
    fake.page = 3
    posted = [channel(fake).post(a_notice(str(number), f"a/b@{number}")) for number in range(10)]
    fake.calls.clear()
    assert bot(fake).find("C0DAYBOOK", {"a/b@0", "a/b@9"}, SINCE) == {"a/b@0": posted[0], "a/b@9": posted[9]}
    assert len(fake.calls) == 4
    fake.calls.clear()
    assert bot(fake).find("C0DAYBOOK", {"a/b@8"}, SINCE) == {"a/b@8": posted[8]}
    assert len(fake.calls) == 1


def test_messages_in_threads_are_found_in_their_thread_alone(fake: FakeSlack) -> None:
    parent = channel(fake).post(a_notice("one", "a/b@1"))
    line = channel(fake).post(a_notice("reverted", "a/b@1 reverted"), thread=parent.ts)
    assert channel(fake).find({"a/b@1 reverted"}, SINCE) == {}
    both = {"a/b@1", "a/b@1 reverted"}
    assert channel(fake).find(both, SINCE, thread=parent.ts) == {"a/b@1 reverted": line}


@pytest.mark.parametrize(
    "metadata",
    [
        {"event_type": "other", "event_payload": {"ids": ["a/b@1"]}},
        {"event_type": "daybook_commit", "event_payload": {"ids": "a/b@1"}},
        {"event_type": "daybook_commit", "event_payload": {"ids": [["a/b@1"], None]}},
        {"event_type": "daybook_commit", "event_payload": {}},
    ],
)
def test_metadata_of_others_are_no_ids(fake: FakeSlack, metadata: dict[str, Any]) -> None:
    client = bot(fake)
    posted = client.post("#daybook", ONE, ids=["a/b@1"])
    fake.messages.append(fake.messages[0].__class__("#daybook", "x", ts="9999999999.000001", metadata=metadata))
    assert client.find("#daybook", ["a/b@1"], SINCE) == {"a/b@1": posted}


def test_a_channels_id_is_asked_for_once_and_learnt_from_posts(fake: FakeSlack) -> None:
    fake.page = 1
    fake.channels["#hidden"] = "C0HIDDEN"
    fake.private.add("#hidden")
    client = bot(fake)
    assert client.channel_id("C0999") == "C0999"
    assert fake.calls == []
    assert (client.channel_id("#hidden"), client.channel_id("#alerts")) == ("C0HIDDEN", "C0ALERTS")
    assert set(fake.calls) == {"/api/conversations.list"}
    asked = len(fake.calls)
    assert client.channel_id("hidden") == "C0HIDDEN"
    assert len(fake.calls) == asked
    other = bot(fake)
    other.post("#daybook", ONE)
    fake.calls.clear()
    assert other.channel_id("#daybook") == "C0DAYBOOK"
    assert fake.calls == []


def test_a_channel_that_is_not_there_and_rights_that_are_missing(fake: FakeSlack) -> None:
    with pytest.raises(Permanent) as caught:
        bot(fake).channel_id("#nowhere")
    assert str(caught.value) == ("Slack has no #nowhere that the bot can see; name another channel, or invite the bot")
    fake.scopes = {"chat:write", "channels:read"}
    with pytest.raises(ScopeMissing) as missing:
        bot(fake).channel_id("#nowhere")
    assert str(missing.value) == (
        "Slack has no public channel #nowhere; for a private one, Slack refuses #nowhere: missing_scope; "
        "give the Slack app the scope groups:read and install it again"
    )
    with pytest.raises(ScopeMissing, match="the scope channels:history and"):
        bot(fake).try_reading("#daybook")
    fake.scopes.add("channels:history")
    bot(fake).try_reading("#daybook")
    fake.outside.add("#daybook")
    with pytest.raises(Permanent, match="not_in_channel; invite the bot into the channel"):
        bot(fake).try_reading("#daybook")


def test_a_message_by_webhook(fake: FakeSlack) -> None:
    assert hook(fake).post(a_notice("one", "a/b@1")) == Posted()
    assert [(found.channel, found.text, len(found.blocks)) for found in fake.messages] == [("webhook", "one", 1)]
    assert fake.calls == [HOOK_PATH]
    assert hook(fake).find({"a/b@1"}, SINCE) == {}
    with pytest.raises(MessageGone, match="set SLACK_BOT_TOKEN"):
        hook(fake).update(Posted(), a_notice("two", "a/b@1"))
    assert (hook(fake).can_update, hook(fake).can_search) == (False, False)


@pytest.mark.parametrize("way", [channel, hook])
def test_blocks_that_slack_refuses_are_left_out_so_that_the_notice_is_told(fake: FakeSlack, way: Any) -> None:
    with capture_logs() as lines:
        way(fake, render=too_many).post(a_notice("one", "a/b@1"))
    assert [(found.text, found.blocks) for found in fake.messages] == [("one", ())]
    assert [(line["event"], line["ids"]) for line in lines] == [("slack_message_refused", ("a/b@1",))]


def test_a_change_that_slack_refuses_is_made_in_text(fake: FakeSlack) -> None:
    posted = channel(fake).post(a_notice("one", "a/b@1"))
    channel(fake, render=too_many).update(posted, a_notice("two", "a/b@1"))
    assert [(found.text, found.blocks, found.ids) for found in fake.messages] == [("two", (), ("a/b@1",))]


def test_ids_without_room_are_left_out_so_that_the_notice_is_told(fake: FakeSlack) -> None:
    with capture_logs() as lines:
        channel(fake).post(a_notice("one", *(f"octocat/hello-world@{number:040d}" for number in range(300))))
    assert [(found.text, found.ids) for found in fake.messages] == [("one", ())]
    assert [line["reason"] for line in lines] == ["Slack refuses #daybook: metadata_too_large"] * 2


def test_a_notice_that_is_taken_in_no_form_is_told_apart_from_a_channel_in_trouble(fake: FakeSlack) -> None:
    for _ in range(3):
        fake.refuse("chat.postMessage", "invalid_blocks")
    with capture_logs(), pytest.raises(MessageRefused, match="#daybook: invalid_blocks"):
        channel(fake).post(a_notice("one", "a/b@1"))
    assert len(fake.calls) == 3


def test_an_id_that_fails_is_not_used_again(fake: FakeSlack) -> None:
    client = bot(fake)
    client.post("#daybook", ONE)
    fake.channels["#daybook"] = "C0ANEW"
    with pytest.raises(Permanent, match="channel_not_found"):
        client.post("#daybook", ONE)
    assert client.post("#daybook", ONE).channel == "C0ANEW"


def test_what_the_sdk_itself_refuses_is_the_messages_fault(fake: FakeSlack) -> None:
    with pytest.raises(MessageRefused):
        bot(fake).post("#daybook", Message("one", [section("x" * 3_001)]))
    assert fake.calls == []


@pytest.mark.parametrize("way", [channel, hook])
def test_plain_words_of_ours_hold_no_markup(fake: FakeSlack, way: Any) -> None:
    way(fake).say("🚨 1 < 2 & <!channel>")
    assert fake.texts == ["🚨 1 &lt; 2 &amp; &lt;!channel&gt;"]


def test_who_the_bot_is_and_what_it_may_do(fake: FakeSlack) -> None:
    fake.scopes = {"chat:write", "channels:history"}
    assert bot(fake).whoami() == Bot("daybook", "Octo Team", frozenset({"chat:write", "channels:history"}))
    fake.scopes = None
    assert bot(fake).whoami() == Bot("daybook", "Octo Team", None)
    assert fake.messages == []


@pytest.mark.parametrize("way", [channel, hook])
def test_a_limit_is_transient_with_slacks_own_wait_and_not_tried_again(fake: FakeSlack, way: Any) -> None:
    fake.misbehave("limited", retry_after=42)
    with pytest.raises(Transient) as caught:
        way(fake).post(a_notice("one", "a/b@1"))
    assert (caught.value.retry_after, caught.value.shared) == (42.0, True)
    assert len(fake.calls) == 1


@pytest.mark.parametrize("way", [channel, hook])
def test_more_than_a_message_a_second_is_refused(fake: FakeSlack, way: Any) -> None:
    fake.pace = 60.0
    made = way(fake)
    made.post(a_notice("one", "a/b@1"))
    with pytest.raises(Transient) as caught:
        made.post(a_notice("two", "a/b@2"))
    assert (caught.value.retry_after, fake.texts) == (1.0, ["one"])


@pytest.mark.parametrize("way", [channel, hook])
@pytest.mark.parametrize(
    ("trouble", "said", "standing"),
    [
        ("error", "Slack is busy (HTTP 500)", []),
        ("garbage", "Slack's answer has an unexpected form (HTTP 200)", []),
        ("reset", "Slack cannot be reached (RemoteDisconnected)", []),
        ("lost", "Slack cannot be reached (RemoteDisconnected)", ["one"]),
    ],
)
def test_bad_days_are_transient_and_nothing_is_sent_twice(
    fake: FakeSlack, way: Any, trouble: Any, said: str, standing: list[str]
) -> None:
    fake.misbehave(trouble)
    with pytest.raises(Transient) as caught:
        way(fake).post(a_notice("one", "a/b@1"))
    assert (str(caught.value), fake.texts, len(fake.calls)) == (said, standing, 1)


def test_a_message_whose_answer_was_lost_is_found(fake: FakeSlack) -> None:
    known = channel(fake)
    known.post(a_notice("zero", "a/b@0"))
    fake.scopes = {"chat:write", "channels:history"}  # the id is known: nothing else is needed
    fake.misbehave("lost", path="chat.postMessage")
    with pytest.raises(Transient):
        known.post(a_notice("one", "a/b@1"))
    assert known.find(["a/b@1"], SINCE) == {"a/b@1": Posted("C0DAYBOOK", fake.messages[1].ts)}


def test_bad_days_of_a_search_are_transient(fake: FakeSlack) -> None:
    for trouble in ("limited", "error", "garbage", "reset"):
        fake.misbehave(trouble, path="conversations.history")
        with pytest.raises(Transient):
            bot(fake).find("C0DAYBOOK", ["a/b@1"], SINCE)


@pytest.mark.parametrize("way", [channel, hook])
def test_a_slow_answer_ends_at_the_timeout(fake: FakeSlack, way: Any) -> None:
    fake.misbehave("slow")
    started = time.monotonic()
    with pytest.raises(Transient, match="did not answer in time"):
        way(fake, timeout=1).say("one")
    assert time.monotonic() - started < 20


def test_a_closed_port_is_transient_and_the_webhooks_address_is_not_told(fake: FakeSlack) -> None:
    for made in (
        SlackWebhook(SecretStr(f"http://127.0.0.1:1{HOOK_PATH}"), plain, timeout=1),
        SlackChannel(bot(fake, api_url="http://127.0.0.1:1/api/"), "#daybook", plain),
    ):
        with pytest.raises(Transient) as caught:
            made.say("one")
        assert str(caught.value) == "Slack cannot be reached (ConnectionRefusedError)"


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({"token": SecretStr("xoxb-wrong")}, "#daybook", ("Slack refuses #daybook: invalid_auth; SLACK_BOT_TOKEN is "
         "not valid (any more): copy the bot token from the app's page at Slack")),
        ({}, "#nowhere",
         "Slack refuses #nowhere: channel_not_found; name a channel the bot can see, or invite the bot"),
        ({"api_url": "ftp://slack.example/"}, "#daybook",
         "the Slack client refuses: SlackRequestError; check SLACK_API_URL"),
    ],
)  # fmt: skip
def test_what_a_person_must_mend_is_permanent_with_a_remedy(
    fake: FakeSlack, changes: dict[str, Any], name: str, said: str
) -> None:
    with pytest.raises(Permanent) as caught:
        bot(fake, **changes).post(name, ONE)
    assert str(caught.value) == said
    assert fake.messages == []


def test_a_webhook_that_was_taken_away_is_permanent(fake: FakeSlack) -> None:
    fake.hook_open = False
    with pytest.raises(Permanent) as caught:
        hook(fake).say("one")
    assert str(caught.value) == (
        "Slack refuses: no_service (HTTP 404); make a new incoming webhook at Slack and set SLACK_WEBHOOK_URL"
    )


@pytest.mark.parametrize("way", [channel, hook])
def test_a_text_beyond_slacks_limit_is_cut_and_sent(fake: FakeSlack, way: Any) -> None:
    way(fake).say("x" * 50_000)
    assert fake.texts == ["x" * (MOST_CHARACTERS - 1) + "…"]


def test_nothing_of_a_failure_is_logged_by_the_sdk(fake: FakeSlack, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for trouble in ("error", "reset", "garbage"):
        fake.misbehave(trouble)
        with pytest.raises(Transient):
            channel(fake).say("a message of ours")
    hook(fake).say("a message of ours")
    assert TOKEN not in caplog.text
    assert "a message of ours" not in caplog.text


@given(st.text())
def test_escaped_text_can_hold_no_special_command(text: str) -> None:
    shown = escaped(text)
    assert not {"<", ">"} & set(shown)
    assert shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text
