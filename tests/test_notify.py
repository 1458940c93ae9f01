"""Telling of commits, from the ledger over the wire into the fake Slack's channels: once each, in order, and truly."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from cli.status import document, text
from core.ledger import Filing, Intent, Ledger
from core.models import Tier
from core.outage import Outage
from report.throttle import Throttle
from tests.fakes.slack import FakeSlack, Message
from tests.telling import CHANNEL, REPOSITORY, P, Teller, teller
from webhook.metrics import Refusals, create_metrics
from workers.alerts import Mute, conditions, read_state
from workers.days import write_day
from workers.notify import digest_soon

POST = "chat.postMessage"


@pytest.fixture
def daybook(redis_url: str) -> Iterator[Teller]:
    with teller(redis_url) as found:
        yield found


def ids(messages: list[Message]) -> list[tuple[str, ...]]:
    return [message.ids for message in messages]


def test_a_finished_commit_is_told_once(daybook: Teller) -> None:
    one = daybook.finish(1)
    assert ids(daybook.tell()) == [(one.id,)]
    assert daybook.slack.messages[0].channel == CHANNEL
    daybook.again(one, Tier.LOW)
    daybook.tell()
    assert daybook.slack.calls == [f"/api/{POST}"]
    told = daybook.services.ledger.told_of([one.id])[one.id][CHANNEL]
    assert (told.channel, told.ts) == ("C0DAYBOOK", daybook.slack.messages[0].ts)
    assert daybook.services.ledger.outboxes()[CHANNEL].waiting == 0
    assert not daybook.services.ledger.notices_wait()


def test_commits_that_are_ready_are_told_as_they_landed_whatever_is_still_at_work(daybook: Teller) -> None:
    later, earlier = daybook.finish(7), daybook.finish(3)
    started = time.monotonic()
    assert ids(daybook.tell()) == [(earlier.id,), (later.id,)]
    assert time.monotonic() - started < 15
    sent = [message.at for message in daybook.slack.messages]
    assert sent[1] - sent[0] > 1
    first_of_all = daybook.finish(1)  # its analysis took longer
    assert ids(daybook.tell())[2:] == [(first_of_all.id,)]


def test_more_than_five_come_in_one_list(daybook: Teller) -> None:
    commits = [daybook.finish(number) for number in (6, 5, 4, 3, 2, 1)]
    assert ids(daybook.tell()) == [tuple(one.id for one in reversed(commits))]
    assert daybook.slack.messages[0].text.startswith("6 commits")


@pytest.mark.slow
def test_many_more_come_in_lists_that_slack_takes(daybook: Teller) -> None:
    commits = [daybook.finish(number) for number in range(110)]
    messages = daybook.tell()
    assert [name for message in messages for name in message.ids] == [one.id for one in commits]
    assert [len(message.ids) for message in messages] == [100, 10]


def test_nothing_is_told_before_the_commits_of_a_push_could_come_together(daybook: Teller) -> None:
    one = daybook.finish(1)
    daybook.services.ledger.redis.zadd(f"{P}notify", {f"new {one.id}": time.time()})
    assert daybook.tell() == []
    daybook.wait()
    assert ids(daybook.tell()) == [(one.id,)]


def test_a_post_whose_answer_was_lost_is_found_and_not_repeated(daybook: Teller) -> None:
    daybook.slack.misbehave("lost", path=POST)
    one = daybook.finish(1)
    assert ids(daybook.tell()) == [(one.id,)]
    assert daybook.services.ledger.told_of([one.id]) == {}
    daybook.wait()
    assert ids(daybook.tell()) == [(one.id,)]
    assert daybook.services.ledger.told_of([one.id])[one.id][CHANNEL].ts == daybook.slack.messages[0].ts


def test_a_post_that_never_arrived_is_repeated(daybook: Teller) -> None:
    daybook.slack.misbehave("reset", path=POST)
    one = daybook.finish(1)
    assert daybook.tell() == []
    daybook.wait()
    assert ids(daybook.tell()) == [(one.id,)]
    state = daybook.services.ledger.outboxes()[CHANNEL]
    assert (state.repeated, state.told, state.trouble) == (1, 1, None)


def test_without_the_right_to_read_it_is_repeated_rather_than_lost(daybook: Teller) -> None:
    assert daybook.slack.scopes
    daybook.slack.scopes -= {"channels:history", "channels:read", "groups:read"}
    daybook.slack.misbehave("reset", path=POST)
    one = daybook.finish(1)
    daybook.tell()
    daybook.wait()
    assert ids(daybook.tell()) == [(one.id,)]


def test_a_webhook_is_posted_to_at_least_once(redis_url: str) -> None:
    with teller(redis_url, bot=False) as daybook:
        daybook.slack.misbehave("lost")
        daybook.finish(1)
        assert len(daybook.tell()) == 1
        daybook.wait()
        assert len(daybook.tell()) == 2
        daybook.wait()
        assert len(daybook.tell()) == 2


def test_a_limit_is_waited_out_by_due_time(daybook: Teller) -> None:
    daybook.slack.misbehave("limited", retry_after=40, path=POST)
    one = daybook.finish(1)
    started = time.monotonic()
    assert daybook.tell() == []
    assert time.monotonic() - started < 20  # it does not sleep for what Slack asked
    trouble = daybook.services.ledger.trouble(CHANNEL)
    assert trouble
    assert 35 < trouble.until - time.time() < 45
    assert not trouble.permanent
    assert daybook.services.ledger.intent(CHANNEL) is None  # refused, so that nobody has to look for it
    daybook.wait()
    assert ids(daybook.tell()) == [(one.id,)]


@pytest.mark.slow
def test_a_channel_that_refuses_waits_longer_each_time_and_harms_no_other(redis_url: str) -> None:
    tables = [{"channel": "#gone"}, {"channel": "#alerts"}]
    with teller(redis_url, table={"notify": tables}) as daybook:
        one = daybook.finish(1)
        waits = []
        for _ in range(3):
            assert [(message.channel, message.ids) for message in daybook.tell()] == [("#alerts", (one.id,))]
            trouble = daybook.services.ledger.trouble("#gone")
            assert trouble
            assert trouble.permanent
            assert "channel_not_found" in trouble.reason
            waits.append(trouble.until - time.time())
            early = trouble.model_copy(update={"until": time.time()})
            daybook.services.ledger.note_trouble("#gone", early)
        assert waits[0] > 5
        assert waits[2] > 1.3 * waits[1] > 1.3 * 1.3 * waits[0]
        daybook.slack.channels["#gone"] = "C0GONE"
        assert [message.channel for message in daybook.tell()] == ["#alerts", "#gone"]
        assert daybook.services.ledger.trouble("#gone") is None


def test_what_slack_takes_in_no_form_is_in_nobodys_way(daybook: Teller) -> None:
    for _ in range(3):  # whole, as its text, and without its metadata
        daybook.slack.refuse(POST, "invalid_blocks")
    bad, good = daybook.finish(1), daybook.finish(2)
    daybook.tell()
    state = daybook.services.ledger.outboxes()[CHANNEL]
    assert (state.waiting, state.trouble) == (2, None)
    daybook.wait()
    assert sorted(ids(daybook.tell())) == sorted([(bad.id,), (good.id,)])


def test_late_findings_of_past_days_stand_in_digests_only(daybook: Teller) -> None:
    daybook.backfilled(1, datetime.now(UTC) - timedelta(days=1, minutes=1))
    today = daybook.backfilled(2, datetime.now(UTC) - timedelta(seconds=1))
    assert ids(daybook.tell()) == [(today.id,)]


def quiet_now() -> dict[str, object]:
    now = datetime.now(UTC)
    hours = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M}"
    return {"channel": CHANNEL, "quiet": hours, "timezone": "UTC", "quiet_except": "high"}


def test_what_waits_in_quiet_hours_comes_together_and_high_breaks_through(redis_url: str) -> None:
    with teller(redis_url, table={"notify": [quiet_now()]}) as daybook:
        one, urgent, two = daybook.finish(1), daybook.finish(2, tier=Tier.HIGH), daybook.finish(3)
        assert ids(daybook.tell()) == [(urgent.id,)]
        assert daybook.services.ledger.outboxes()[CHANNEL].waiting == 2
        for _ in range(150):  # more than an hour
            daybook.wait()
        assert ids(daybook.tell()) == [(urgent.id,), (one.id, two.id)]
        (before,) = (message.text for message in daybook.slack.messages if len(message.ids) == 2)
        daybook.retier(one, Tier.HIGH)
        daybook.tell()
        for _ in range(150):
            daybook.wait()
        daybook.tell()
        (after,) = (message for message in daybook.slack.messages if len(message.ids) == 2)
        assert (after.text, after.edited) == (before, True), "what waited for the morning is the morning's still"


@pytest.mark.slow
def test_a_day_has_one_digest_whatever_is_repeated(daybook: Teller, tmp_path: Path) -> None:
    services, now = daybook.services, datetime.now(UTC)
    day = services.ledger.day_of(now)
    daybook.finish(1, tier=Tier.HIGH)
    daybook.tell()
    digest_soon(services, REPOSITORY, day)  # killed before the report was kept
    daybook.tell()
    assert len(daybook.slack.messages) == 1
    object.__setattr__(services.settings, "report_dir", tmp_path)
    write_day(services, REPOSITORY, day)
    daybook.wait()
    daybook.wait()
    daybook.tell()
    assert ids(daybook.slack.messages)[1:] == [(f"{REPOSITORY} {day}",)]
    daybook.finish(2)
    write_day(services, REPOSITORY, day)
    digest_soon(services, REPOSITORY, day)
    daybook.tell()
    assert [name for name in ids(daybook.slack.messages) if name == (f"{REPOSITORY} {day}",)] == [
        (f"{REPOSITORY} {day}",)
    ]
    digest_soon(services, REPOSITORY, day - timedelta(days=3))
    assert services.ledger.outboxes()[CHANNEL].waiting == 0


def test_with_no_channel_nothing_is_kept(redis_url: str) -> None:
    with teller(redis_url, slack_bot_token=None) as daybook:
        daybook.finish(1)
        daybook.tell()
        digest_soon(daybook.services, REPOSITORY, daybook.services.ledger.day_of(datetime.now(UTC)))
        keys = {key.decode() for key in daybook.services.ledger.redis.keys(f"{P}*")}
        assert not {key for key in keys if "outbox" in key or "notify" in key or "told:" in key}


def test_a_channel_that_nothing_is_set_for_says_so(redis_url: str) -> None:
    with teller(redis_url, table={"notify": [{"channel": "feishu:team"}]}) as daybook:
        daybook.finish(1)
        assert daybook.tell() == []
        trouble = daybook.services.ledger.trouble("feishu:team")
        assert trouble
        assert trouble.reason == "nothing is set for the channel feishu:team; run `daybook check`"


def test_what_waited_for_a_week_is_dropped_and_counted(daybook: Teller) -> None:
    daybook.slack.misbehave("error", path=POST)
    daybook.finish(1)
    daybook.tell()
    ledger = daybook.services.ledger
    for entry, note in ledger.redis.hgetall(f"{P}outbox:{CHANNEL}").items():
        old = json.loads(note) | {"filed": time.time() - 7.01 * 86400}
        ledger.redis.hset(f"{P}outbox:{CHANNEL}", entry, json.dumps(old))
    daybook.wait()
    assert daybook.tell() == []
    state = ledger.outboxes()[CHANNEL]
    assert (state.waiting, state.dropped) == (0, 1)


def test_a_channel_keeps_five_thousand_notices(ledger: Ledger) -> None:
    filings = [Filing("#x", f"commit a/b@{number:040x}", number, float(number)) for number in range(5003)]
    assert ledger.file(filings) == 3
    state = ledger.outboxes()["#x"]
    assert (state.waiting, state.dropped) == (5000, 3)
    assert ledger.waiting("#x", 10**9)[0].entry == f"commit a/b@{3:040x}"
    assert ledger.file(filings[10:20]) == 0


def test_a_holder_that_lost_the_lock_begins_nothing_and_settles_nothing(ledger: Ledger) -> None:
    lock = ledger.lock("notify", 10)
    assert lock.acquire()
    intent = Intent(ids=("a",), entries=("commit a",), told={}, at=1.5)
    assert not ledger.intend("#x", intent, "another's")
    assert ledger.intent("#x") is None
    assert ledger.intend("#x", intent, lock.local.token.decode())
    assert ledger.intent("#x") == intent
    assert not ledger.settle("#x", "told", intent=intent.model_copy(update={"at": 2.0}))
    assert not ledger.settle("#x", "moot", entries=["commit a"])
    assert ledger.settle("#x", "told", intent=intent)
    assert ledger.intent("#x") is None


def test_two_rounds_at_a_time_are_one(daybook: Teller) -> None:
    lock = daybook.services.ledger.lock("notify", 10)
    assert lock.acquire()
    daybook.finish(1)
    assert daybook.tell() == []
    lock.release()
    assert len(daybook.tell()) == 1


def test_every_message_of_ours_passes_the_fakes_limits(daybook: Teller) -> None:
    """The fake refuses what Slack would; a text alone instead of the blocks would hide that."""
    for number in range(7):
        daybook.finish(number, f"Change {'x' * 300} & <b> {number}", Tier.HIGH)
    assert len(daybook.tell()) == 1
    assert isinstance(daybook.slack, FakeSlack)
    assert daybook.slack.messages[0].blocks


def test_a_channel_that_cannot_be_told_is_seen_and_alerted_on_once(daybook: Teller) -> None:
    services, now = daybook.services, datetime.now(UTC)
    daybook.slack.archived.add(CHANNEL)
    daybook.finish(1)
    daybook.tell()
    reason = "Slack refuses #daybook: is_archived; the channel is archived: name another one"
    [alert] = [one for one in conditions(read_state(services, now)) if one.key.startswith("channel")]
    assert alert.text == f"nothing can be posted to #daybook: {reason}; 1 notice waits, for a week at most"
    states = services.ledger.outboxes()
    lines = text(services.ledger.meters(), None, states).splitlines()
    told = [line for line in lines if line.startswith("notices")]
    waited = round(states[CHANNEL].oldest_seconds)
    assert told == [f"notices   #daybook: 0 messages told, 1 waiting, the oldest for {waited} s; {reason}"]
    document_of = document(services.ledger.meters(), None, states)["notices"][CHANNEL]
    assert (document_of["waiting"], document_of["trouble"]) == (1, reason)
    daybook.slack.archived.clear()
    daybook.wait()
    daybook.tell()
    assert not [one for one in conditions(read_state(services, now)) if one.key.startswith("channel")]


def test_what_passes_by_itself_is_alerted_on_after_a_while(daybook: Teller) -> None:
    services, now = daybook.services, datetime.now(UTC)
    daybook.slack.misbehave("error", times=10)
    daybook.finish(1)
    daybook.tell()
    assert read_state(services, now + timedelta(minutes=10)).mute == {}
    assert read_state(services, now + timedelta(minutes=20)).mute == {
        CHANNEL: Mute(waiting=1, dropped=0, reason="Slack is busy (HTTP 500)")
    }


@pytest.mark.slow
def test_what_is_told_already_takes_nobodys_turn(daybook: Teller) -> None:
    commits = [daybook.finish(number) for number in range(30)]
    daybook.tell()
    for one in commits:
        daybook.again(one, Tier.LOW)
    new = daybook.finish(40)
    assert ids(daybook.tell())[1:] == [(new.id,)]


def test_the_figures_of_channels_are_scraped(daybook: Teller) -> None:
    services = daybook.services
    daybook.finish(1)
    daybook.tell()
    app = Flask("metrics")
    ledger = services.ledger
    app.register_blueprint(
        create_metrics(ledger, services.settings, Throttle(), Refusals(ledger), Outage("redis://localhost"))
    )
    lines = app.test_client().get("/metrics", headers={"Host": "127.0.0.1"}).text.splitlines()
    assert [line for line in lines if line.startswith("daybook_notices")] == [
        'daybook_notices_total{channel="#daybook",outcome="told"} 1.0',
        'daybook_notices_total{channel="#daybook",outcome="repeated"} 0.0',
        'daybook_notices_total{channel="#daybook",outcome="dropped"} 0.0',
        'daybook_notices_waiting{channel="#daybook"} 0.0',
        'daybook_notices_oldest_seconds{channel="#daybook"} 0.0',
    ]
