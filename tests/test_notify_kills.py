"""Two hundred commits told through real processes, while the one that posts is killed at the worst moments."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from cli.replay import chosen
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.anthropic_behaviours import Behaviour
from tests.fakes.loopback import Answer
from tests.fakes.slack import TOKEN, FakeSlack
from tests.reliability import configure, ended, kill, ledger_of, many_commits, results
from tests.running import daybook
from tests.test_analyst import KEY
from tests.test_reliability import send

pytestmark = [pytest.mark.slow, pytest.mark.kills(minutes=1)]

COUNT = 200
KILLS = 5
BURST = 32  # commits before each kill
CHANNEL = "#daybook"
READY_SECONDS = 10.0  # what is gathered and a round's pace are 4; a busy machine takes longer


class Late(FakeSlack):
    """Answers a post a while after the message stands in the channel: time to be killed in between.

    While `losing`, the next post is lost on its way instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self.losing = False
        self.lost = 0

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        is_post = path.endswith("chat.postMessage")
        if is_post and self.losing:
            self.losing = False
            self.lost += 1
            time.sleep(0.8)
            return None
        found = super().answer(path, headers, body)
        if is_post:
            time.sleep(0.8)
        return found


def test_two_hundred_commits_and_five_kills_of_the_one_that_posts(tmp_path: Path) -> None:
    clone = many_commits(tmp_path / "clone", COUNT)
    api, slack = FakeAnthropic(key=KEY, delay=0.5), Late()
    slack.pace = 1.0
    api.script(*[Behaviour.ERROR_500] * 4)  # the first commits are tried again, seconds later
    environment = {
        "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": api.url, "DAYBOOK_CONCURRENCY": "4",
        "DAYBOOK_LEASE_SECONDS": "3", "SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": CHANNEL,
        "SLACK_API_URL": slack.api_url,
    }  # fmt: skip
    folder = configure(tmp_path, clone.path)
    with api, slack, daybook(folder, **environment) as running:
        ledger = ledger_of(running)
        pushes = chosen(clone.path, last=COUNT)
        for turn in range(KILLS):
            slack.losing = turn % 2 == 1
            seen, lost = len(slack.messages), slack.lost
            send(running, pushes[turn * BURST : (turn + 1) * BURST])
            running.await_(lambda seen=seen, lost=lost: len(slack.messages) > seen or slack.lost > lost)  # type: ignore[misc]
            kill(running, "control")  # its last message stands there or is lost, and nobody has noted which
        running.await_(lambda: told(slack) == KILLS * BURST)
        for place in range(KILLS * BURST, COUNT, 2):  # then a calmer time, in which most are told by themselves
            send(running, pushes[place : place + 2])
            time.sleep(1.3)
        running.await_(lambda: ended(ledger, COUNT))
        running.await_(lambda: told(slack) >= COUNT and not ledger.notices_wait())
        time.sleep(3)  # for what would come twice
        records, state = {record.commit.id: record for record in results(ledger)}, ledger.outboxes()[CHANNEL]
        ledger.close()
    messages = slack.messages
    ids = [name for message in messages for name in message.ids]
    gaps = [later.at - earlier.at for earlier, later in pairwise(messages)]
    places = {name: place for place, name in enumerate(sorted(records, key=lambda one: records[one].commit.landed_at))}
    early = {name: message.at for message in messages for name in message.ids}
    overtaken = [
        (one, other) for at, one in enumerate(ids) for other in ids[at + 1 :] if places[other] < places[one]
    ]  # fmt: skip
    searched = sum(call.endswith("conversations.history") for call in slack.calls)
    print(
        f"{COUNT} commits, {KILLS} kills: {len(ids)} told, {len(set(ids))} different, in {len(messages)} messages "
        f"({sum(len(message.ids) > 1 for message in messages)} lists); {searched} searches, {state.repeated} repeats; "
        f"shortest gap {min(gaps):.2f} s; {len(overtaken)} pairs where the earlier commit was not ready yet"
    )
    assert sorted(ids) == sorted(records)
    assert len(records) == COUNT
    assert min(gaps) > 0.9  # sent a second apart, and some are longer on their way
    assert state.repeated == slack.lost == KILLS // 2
    assert searched > slack.lost  # some were found
    assert all(list(message.ids) == sorted(message.ids, key=places.__getitem__) for message in messages)
    assert overtaken  # the commits that were tried again were in nobody's way
    for one, other in overtaken:
        finished = records[other].finished_at
        assert finished
        assert finished.timestamp() > early[one] - READY_SECONDS
    assert state.trouble is None


def told(slack: FakeSlack) -> int:
    """How many commits stand in the channel, each time that they do."""
    return sum(len(message.ids) for message in list(slack.messages))
