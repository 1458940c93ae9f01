"""What becomes of commits after they were told of: reverts, other tiers, repaired analyses, in the fake Slack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from core.models import Failure, Tier
from tests.fakes.slack import Message
from tests.records import analysis
from tests.telling import CHANNEL, Teller, teller

POST = "chat.postMessage"


@pytest.fixture
def daybook(redis_url: str) -> Iterator[Teller]:
    with teller(redis_url) as found:
        yield found


def ids(messages: list[Message]) -> list[tuple[str, ...]]:
    return [message.ids for message in messages]


def test_a_new_tier_changes_the_message_and_adds_a_line_below_it(daybook: Teller) -> None:
    one = daybook.finish(1, "Change the wire format", Tier.MEDIUM)
    before = daybook.tell()[0]
    daybook.retier(one, Tier.HIGH)
    after, line = daybook.tell()
    assert (after.ts, after.ids, after.edited, line.thread) == (before.ts, before.ids, True, before.ts)
    assert "it is in every deployment" in line.text
    assert "🔴" in after.text
    daybook.retier(one, Tier.HIGH)
    assert len(daybook.tell()) == 2


def test_a_line_whose_answer_was_lost_is_found_in_its_thread(daybook: Teller) -> None:
    one = daybook.finish(1, tier=Tier.MEDIUM)
    daybook.tell()
    daybook.retier(one, Tier.HIGH)
    daybook.slack.misbehave("lost", path=POST)
    assert len(daybook.tell()) == 2
    daybook.wait()
    assert len(daybook.tell()) == 2
    assert daybook.services.ledger.told_of([one.id])[one.id][CHANNEL].tier is Tier.HIGH


@pytest.mark.slow
def test_a_revert_is_told_where_the_commit_stands(daybook: Teller) -> None:
    one = daybook.finish(1, "Speed up the parser (#7)")
    daybook.tell()
    revert = daybook.finish(2, f'Revert "Speed up the parser (#7)"\n\nThis reverts commit {one.sha}.')
    messages = daybook.tell()
    assert sorted(message.ids[0] for message in messages) == sorted(
        [one.id, revert.id, f"{one.id} reverted {revert.sha}"]
    )
    assert messages[0].edited
    assert [message.thread for message in messages if "reverted" in message.ids[0]] == [messages[0].ts]
    daybook.again(revert, Tier.LOW)
    assert len(daybook.tell()) == 3


def test_a_revert_that_is_known_already_stands_in_the_first_message(daybook: Teller) -> None:
    sha = "00000010000000000000000000000000000000000"[:40]
    revert = daybook.finish(2, f"Revert it\n\nThis reverts commit {sha}.")
    daybook.tell()
    one = daybook.finish(1, "Speed up the parser")
    assert one.sha == sha
    assert ids(daybook.tell()) == [(revert.id,), (one.id,)]
    assert revert.sha[:7] in str(daybook.slack.messages[1].blocks)
    daybook.again(one, Tier.LOW)
    assert len(daybook.tell()) == 2


def test_a_repaired_analysis_is_told(daybook: Teller) -> None:
    failure = Failure(stage="analyse", reason="529", attempts=10, failed_at=datetime.now(UTC))
    one = daybook.finish(1, analysis=analysis(Tier.LOW, "en", origin="degraded"), failure=failure)
    first = daybook.tell()[0]
    assert daybook.services.ledger.reopen([one.id], [b"{}"]) == 1
    daybook.finished(one, Tier.LOW, failure=None)
    after, line = daybook.tell()
    assert (after.ts, after.edited, line.thread) == (first.ts, True, first.ts)
    assert line.ids == (f"{one.id} repaired",)


def test_a_list_is_brought_up_to_date_and_a_line_below_it_names_the_commit(daybook: Teller) -> None:
    commits = [daybook.finish(number) for number in range(6)]
    (first,) = daybook.tell()
    daybook.retier(commits[2], Tier.HIGH)
    listed, line = daybook.tell()
    assert (listed.ts, listed.ids, listed.edited, line.thread) == (first.ts, first.ids, True, first.ts)
    assert line.text == "Change number 2 (0000002): Tier changed from low to high: it is in every deployment"
    assert "🔴 High (1)" in str(listed.blocks)
    assert "🟢 Low (5)" in str(listed.blocks)


def test_a_list_says_what_was_taken_back_since(daybook: Teller) -> None:
    commits = [daybook.finish(number) for number in range(6)]
    daybook.tell()
    revert = daybook.finish(7, f"Revert it\n\nThis reverts commit {commits[3].sha}.")
    listed, *_ = daybook.tell()
    assert listed.edited
    assert f"Change number 3 · Reverted by {revert.sha[:7]}" in str(listed.blocks)
    assert "Reverted by" not in str(listed.blocks).replace(f"Change number 3 · Reverted by {revert.sha[:7]}", "")


def test_a_list_of_which_it_is_not_known_what_stood_in_it_gets_its_line_alone(daybook: Teller) -> None:
    commits = [daybook.finish(number) for number in range(6)]
    (first,) = daybook.tell()
    daybook.services.ledger.redis.delete(f"daybook:told:list {first.ts}")
    daybook.retier(commits[2], Tier.HIGH)
    listed, line = daybook.tell()
    assert (listed.edited, line.thread) == (False, listed.ts)


def test_a_deleted_message_is_left_alone(daybook: Teller) -> None:
    one, other = daybook.finish(1), daybook.finish(2)
    daybook.tell()
    del daybook.slack.messages[0]
    daybook.retier(one, Tier.HIGH)
    assert ids(daybook.tell()) == [(other.id,)]
    assert daybook.services.ledger.outboxes()[CHANNEL].waiting == 0


@pytest.mark.slow
def test_where_messages_cannot_be_changed_only_a_high_commit_gets_a_second_one(redis_url: str) -> None:
    with teller(redis_url, bot=False) as daybook:
        low, high = daybook.finish(1, tier=Tier.LOW), daybook.finish(2, tier=Tier.HIGH)
        assert len(daybook.tell()) == 2
        daybook.retier(low, Tier.MEDIUM)
        daybook.retier(high, Tier.MEDIUM)
        messages = daybook.tell()
        assert [message.text for message in messages[2:]] == [
            "Change number 2 (0000002): Tier changed from high to medium: it is in every deployment"
        ]
        daybook.retier(high, Tier.MEDIUM)
        assert len(daybook.tell()) == 3


def test_a_commit_that_comes_to_matter_is_told_if_it_is_news_still(redis_url: str) -> None:
    with teller(redis_url, slack_min_tier=Tier.HIGH) as daybook:
        fresh = daybook.finish(1)
        old = daybook.finish(2, landed_at=datetime.now(UTC) - timedelta(days=3))
        assert daybook.tell() == []
        daybook.retier(fresh, Tier.HIGH)
        daybook.retier(old, Tier.HIGH)
        assert ids(daybook.tell()) == [(fresh.id,)]


def test_a_message_that_can_be_changed_no_more_gets_its_line(daybook: Teller) -> None:
    one = daybook.finish(1)
    daybook.tell()
    daybook.slack.refuse("chat.update", "edit_window_closed")
    daybook.retier(one, Tier.HIGH)
    first, line = daybook.tell()
    assert (first.edited, line.thread) == (False, first.ts)
