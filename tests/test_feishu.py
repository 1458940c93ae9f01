"""Feishu's custom bot against a fake of it: what is sent, signed, and what each failure means to the caller."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from structlog.testing import capture_logs

from core.errors import Permanent, Transient
from core.notify_settings import FeishuBot
from core.settings import Settings
from tests.fakes.feishu import HOOK_PATH, SECRET, FakeFeishu
from tests.notices import a_notice
from workers.channels import MessageGone, MessageRefused, Posted
from workers.feishu import MOST_CHARACTERS, Feishu, signature

if TYPE_CHECKING:
    from workers.notices import Notice


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFeishu]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FakeFeishu() as feishu:
        yield feishu


def card(notice: Notice) -> Mapping[str, Any]:
    return {"elements": [{"tag": "div", "text": {"tag": "plain_text", "content": notice.headline}}]}


def bot(fake: FakeFeishu, **changes: Any) -> Feishu:
    values: dict[str, Any] = {"url": fake.url, "secret": SECRET, "render": card, "timeout": 5} | changes
    secret = values.pop("secret")
    return Feishu("feishu:default", SecretStr(values.pop("url")), SecretStr(secret) if secret else None, **values)


def test_a_notice_is_a_signed_card(fake: FakeFeishu) -> None:
    assert bot(fake).post(a_notice("缓存默认值改变 <&>", "a/b@1")) == Posted()
    given = fake.messages[0].given
    assert given.keys() == {"timestamp", "sign", "msg_type", "card"}
    assert (given["msg_type"], given["card"]) == ("interactive", card(a_notice("缓存默认值改变 <&>")))
    assert abs(time.time() - int(given["timestamp"])) < 10


def test_the_signature_of_the_documentations_sample() -> None:
    # As openssl computes it: printf '' | openssl dgst -sha256 -mac HMAC -macopt hexkey:3130300a64656d6f
    assert signature("demo", 100) == "jquNHnVOwmDRfw+vqTIrY5dooJAgi5EcRtLsQE4wfXg="


def test_without_a_key_nothing_is_signed(fake: FakeFeishu) -> None:
    fake.secret = None
    bot(fake, secret=None).say("one")
    assert fake.messages[0].given.keys() == {"msg_type", "content"}


def test_nothing_can_be_read_or_changed(fake: FakeFeishu) -> None:
    made = bot(fake)
    assert (made.can_update, made.can_search) == (False, False)
    assert made.find({"a/b@1"}, datetime.now(UTC)) == {}
    with pytest.raises(MessageGone, match="cannot change messages"):
        made.update(Posted(), a_notice("one", "a/b@1"))
    assert fake.calls == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (19001, ("Feishu refuses: 19001; the webhook's address is not valid (any more): copy it from the bot's page "
         "and set FEISHU_WEBHOOK_URL")),
        (19021, "Feishu refuses: 19021; check FEISHU_SECRET against the bot's signature key, and this machine's clock"),
        (19022, "Feishu refuses: 19022; add this machine's address to the bot's IP list, or switch the list off"),
        (19024, "Feishu refuses: 19024; switch the bot's keywords off and its signature on"),
    ],
)  # fmt: skip
def test_what_a_person_must_mend_is_permanent(fake: FakeFeishu, code: int, said: str) -> None:
    fake.code = code
    with pytest.raises(Permanent) as caught:
        bot(fake).post(a_notice("one", "a/b@1"))
    assert str(caught.value) == said


def test_a_wrong_key_and_a_wrong_address(fake: FakeFeishu) -> None:
    with pytest.raises(Permanent, match="19021; check FEISHU_SECRET"):
        bot(fake, secret="other").say("one")
    with pytest.raises(Permanent, match="19021; check FEISHU_SECRET"):
        bot(fake, secret=None).say("one")
    with pytest.raises(Permanent, match="19001; the webhook's address"):
        bot(fake, url=fake.base + "/open-apis/bot/v2/hook/other").say("one")
    for wrong in ("ftp://feishu.example/", "no address", "https://"):
        with pytest.raises(Permanent, match="FEISHU_WEBHOOK_URL is not an address"):
            bot(fake, url=wrong).say("one")
    assert fake.messages == []


def test_a_key_that_is_an_hour_old_is_refused(fake: FakeFeishu) -> None:
    old = int(time.time()) - 3_700
    body = {"timestamp": str(old), "sign": signature(SECRET, old), "msg_type": "interactive", "card": {}}
    headers = {"content-type": "application/json; charset=utf-8"}
    answer = httpx2.post(fake.url, content=json.dumps(body).encode(), headers=headers, trust_env=False)
    assert answer.json()["code"] == 19021


@pytest.mark.parametrize(
    "refused",
    [{"elements": []}, {"elements": [{"tag": "div", "text": {"tag": "plain_text", "content": "字" * 7_000}}]}],
)
def test_a_card_that_is_refused_or_too_large_is_told_as_its_headline(fake: FakeFeishu, refused: dict[str, Any]) -> None:
    with capture_logs() as lines:
        bot(fake, render=lambda _: refused).post(a_notice("one", "a/b@1"))
    assert [message.text for message in fake.messages] == ["one\nhttps://example.org/commit/1"]
    assert [(line["event"], line["ids"]) for line in lines] == [("feishu_card_refused", ("a/b@1",))]


def test_a_notice_that_is_taken_in_no_form_is_told_apart_from_a_bot_in_trouble(fake: FakeFeishu) -> None:
    fake.code = 99999
    with capture_logs(), pytest.raises(MessageRefused, match="Feishu refuses: 99999"):
        bot(fake).post(a_notice("one", "a/b@1"))
    fake.code = 19024
    with pytest.raises(Permanent) as caught:
        bot(fake).post(a_notice("one", "a/b@1"))
    assert not isinstance(caught.value, MessageRefused)


def test_the_limits_are_transient_with_feishus_own_wait(fake: FakeFeishu) -> None:
    fake.misbehave("limited", retry_after=42)
    with pytest.raises(Transient) as caught:
        bot(fake).say("one")
    assert (caught.value.retry_after, caught.value.shared) == (42.0, True)
    fake.paced, fake.clock = True, lambda: 1_795_000_000.0  # all within a second, however busy the machine is
    for _ in range(5):
        bot(fake).say("one")
    with pytest.raises(Transient) as caught:
        bot(fake).say("six")
    assert (caught.value.retry_after, caught.value.shared, len(fake.messages)) == (60.0, True, 5)


@pytest.mark.parametrize(
    ("trouble", "said", "standing"),
    [
        ("error", "Feishu is busy (HTTP 500)", 0),
        ("garbage", "Feishu's answer has an unexpected form (HTTP 200)", 0),
        ("reset", "Feishu cannot be reached (RemoteProtocolError)", 0),
        ("lost", "Feishu cannot be reached (RemoteProtocolError)", 1),
    ],
)
def test_bad_days_are_transient_and_nothing_is_sent_twice(
    fake: FakeFeishu, trouble: Any, said: str, standing: int
) -> None:
    fake.misbehave(trouble)
    with pytest.raises(Transient) as caught:
        bot(fake).post(a_notice("one", "a/b@1"))
    assert (str(caught.value), len(fake.messages), len(fake.calls)) == (said, standing, 1)


def test_a_slow_answer_ends_at_the_timeout_and_a_closed_port_is_transient(fake: FakeFeishu) -> None:
    fake.misbehave("slow")
    with pytest.raises(Transient, match="did not answer in time"):
        bot(fake, timeout=0.2).say("one")
    with pytest.raises(Transient) as caught:
        bot(fake, url=f"http://127.0.0.1:1{HOOK_PATH}").say("one")
    assert str(caught.value) == "Feishu cannot be reached (ConnectError)"


def test_the_address_and_the_key_are_in_no_error_and_no_warning(
    fake: FakeFeishu, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    said = []
    for trouble in ("error", "reset", "garbage", "limited"):
        fake.misbehave(trouble)
        with pytest.raises(Transient) as caught:
            bot(fake).say("a message of ours")
        said.append(str(caught.value))
    for secret in ("not-a-real-hook", SECRET, "a message of ours"):
        assert secret not in caplog.text + " ".join(said)


def test_addresses_and_keys_are_blotted_out_of_the_log() -> None:
    team = FeishuBot(name="team", url=SecretStr("https://x.example/team"), secret=SecretStr("key-of-team"))
    settings = Settings(
        _env_file=None, daybook_feishu=(team,), feishu_webhook_url="https://x.example/hook", feishu_secret="key-of-hook"
    )
    assert {"https://x.example/team", "key-of-team", "https://x.example/hook", "key-of-hook"} <= {*settings.secrets()}


@pytest.fixture(scope="module")
def open_fake() -> Iterator[FakeFeishu]:
    with FakeFeishu() as feishu:
        yield feishu


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_plain_text_is_told_as_it_is(open_fake: FakeFeishu, text: str) -> None:
    bot(open_fake).say(text)
    assert open_fake.messages[-1].text == text[:MOST_CHARACTERS]
