"""What waits for a batch, on a real Redis: nothing is forgotten, sent a third time, or answered twice."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from cli.status import document, text
from core.ledger import Claim, Ledger, Stage, Standing
from core.models import Diff
from core.settings import Settings
from tests.pushes import REPOSITORY, commit, sha
from tests.test_ledger import DIFF, done, judged, lose_leases, received
from tests.test_metrics import told
from workers.batches import latest_answer
from workers.services import connect

HOUR = timedelta(hours=1)


def commit_id(number: int) -> str:
    return f"{REPOSITORY}@{sha(number)}"


def soon() -> datetime:
    return datetime.now(UTC) + HOUR


def analysing(ledger: Ledger, number: int) -> Claim:
    """A claim on a fetched commit."""
    received(ledger, number)
    claim = ledger.claim(commit_id(number), Stage.FETCH)
    assert claim
    assert ledger.advance(claim, judged(claim.record), Stage.ANALYSE, DIFF, b"analyse")
    return again(ledger, number)


def again(ledger: Ledger, number: int) -> Claim:
    claim = ledger.claim(commit_id(number), Stage.ANALYSE)
    assert claim
    return claim


def parked(ledger: Ledger, *numbers: int) -> None:
    for number in numbers:
        assert ledger.park(analysing(ledger, number), soon()) == Standing("parked")


def time_is_up(ledger: Ledger, *numbers: int) -> None:
    """As if commits that are parked for an hour had been parked an hour ago."""
    for number in numbers:
        found, earlier = commit_id(number), -HOUR.total_seconds()
        ledger.redis.hincrbyfloat(f"daybook:work:{found}", "not_before", earlier)
        for key in ("daybook:due:analyse", "daybook:open"):
            ledger.redis.zincrby(key, earlier, found)


def begun(ledger: Ledger, **changes: float) -> tuple[str, dict[str, str]]:
    """A batch of what is parked, however little."""
    bounds = {"most": 500, "fewest": 1, "patience": 600.0, "left": 60.0} | changes
    return ledger.begin_batch(most=int(bounds["most"]), fewest=int(bounds["fewest"]), patience=bounds["patience"],
                              left=bounds["left"])  # fmt: skip


def due(ledger: Ledger) -> list[str]:
    """What the sweep queues again; as with a worker that has just emptied the queue."""
    ledger.redis.delete("fetch", "analyse")
    return sorted(found for found, _ in ledger.sweep().due)


def test_a_parked_commit_stays_open_and_is_left_alone_until_its_time(ledger: Ledger) -> None:
    parked(ledger, 1)
    time.sleep(0.35)  # longer than the queue's patience and the lease
    assert due(ledger) == []
    assert ledger.claim(commit_id(1), Stage.ANALYSE) is None
    assert ledger.status([]).waiting == 1
    assert ledger.meters().oldest_waiting_seconds == 0
    time_is_up(ledger, 1)
    assert due(ledger) == [commit_id(1)]
    assert 0.3 < ledger.meters().oldest_waiting_seconds < 60  # since it is owed
    claim = again(ledger, 1)
    assert ledger.park(claim, soon()) == Standing("direct")
    assert claim.diff == DIFF
    assert ledger.finish(claim, done(claim.record))
    assert begun(ledger)[1] == {}


def test_without_time_for_a_batch_or_after_a_lost_lease_a_commit_is_asked_for_directly(ledger: Ledger) -> None:
    assert ledger.park(analysing(ledger, 1), None) == Standing("direct")
    assert ledger.park(analysing(ledger, 2), datetime.now(UTC)) == Standing("direct")
    held = analysing(ledger, 3)
    lose_leases(ledger)
    assert ledger.park(held, soon()) == Standing("lost")
    suspect = ledger.claim_suspect("alone")
    assert suspect
    assert ledger.park(suspect, soon()) == Standing("direct")
    assert begun(ledger)[1] == {}


def test_a_batch_begins_when_enough_wait_or_one_has_waited_long(ledger: Ledger) -> None:
    parked(ledger, 1, 2)
    assert begun(ledger, fewest=3)[1] == {}
    parked(ledger, 3)
    key, ids = begun(ledger, fewest=3, most=2)
    assert ids == {f"{key}-1": commit_id(1), f"{key}-2": commit_id(2)}
    assert begun(ledger, fewest=3)[1] == {}
    assert list(begun(ledger, fewest=3, patience=0)[1].values()) == [commit_id(3)]
    assert [batch.id for batch in ledger.batches()] == [None, None]


def test_what_has_little_time_left_is_due_instead_of_sent(ledger: Ledger) -> None:
    parked(ledger, 1, 2)
    assert begun(ledger, left=7200)[1] == {}
    assert due(ledger) == [commit_id(1), commit_id(2)]
    assert ledger.park(again(ledger, 1), soon()) == Standing("direct")
    assert ledger.batches() == []


def test_an_answer_is_kept_once_and_its_commit_is_due(ledger: Ledger) -> None:
    parked(ledger, 1, 2)
    key, _ = begun(ledger)
    ledger.sent(key, "msgbatch_1", 0.25)
    (batch,) = ledger.batches()
    assert (batch.key, batch.id, batch.dollars, batch.cancelled) == (key, "msgbatch_1", 0.25, False)
    assert ledger.wanted(key) == 2
    assert ledger.keep_answer(key, f"{key}-2", b"two") == ("kept", commit_id(2))
    assert ledger.keep_answer(key, f"{key}-2", b"two again") == ("known", "")
    assert ledger.keep_answer(key, "of somebody else", b"three") == ("known", "")
    assert ledger.wanted(key) == 1
    assert due(ledger) == [commit_id(2)]
    claim = again(ledger, 2)
    assert ledger.park(claim, soon()) == Standing("answered", b"two")
    assert ledger.park(claim, soon()) == Standing("answered", b"two")  # nothing is used up before it is stored
    assert ledger.drop_answer(claim)
    assert not ledger.drop_answer(claim)
    assert ledger.park(claim, soon()) == Standing("direct")
    assert ledger.give_back(key, "direct") == 1  # the batch is over
    assert due(ledger) == [commit_id(1)]
    assert ledger.park(again(ledger, 1), soon()) == Standing("direct")
    assert ledger.batches() == []
    assert ledger.redis.keys("daybook:waits:*") == ledger.redis.keys("daybook:batch:*") == []


def test_an_answer_for_a_commit_that_is_asked_for_directly_comes_too_late(ledger: Ledger) -> None:
    parked(ledger, 1, 2)
    key, _ = begun(ledger)
    time_is_up(ledger, 1, 2)
    assert ledger.wanted(key) == 0
    held = again(ledger, 1)
    assert ledger.keep_answer(key, f"{key}-1", b"held") == ("late", commit_id(1))
    assert ledger.park(held, None) == Standing("direct")
    over = again(ledger, 2)
    assert ledger.park(over, None) == Standing("direct")
    assert ledger.retry(over, 60, "the API is away")  # put off, so that nobody holds it
    assert ledger.keep_answer(key, f"{key}-2", b"put off") == ("late", commit_id(2))


def test_an_answer_that_comes_before_its_commit_is_claimed_at_its_time_is_still_taken(ledger: Ledger) -> None:
    parked(ledger, 1)
    key, _ = begun(ledger)
    time_is_up(ledger, 1)
    assert ledger.keep_answer(key, f"{key}-1", b"one") == ("kept", commit_id(1))
    assert ledger.park(again(ledger, 1), None) == Standing("answered", b"one")


def test_a_batch_that_was_begun_and_perhaps_sent_is_sent_at_most_once_more(ledger: Ledger) -> None:
    parked(ledger, 1)
    for key in ("first", "second"):
        key, ids = begun(ledger)
        assert list(ids.values()) == [commit_id(1)]
        assert ledger.give_back(key, "again") == 1
        assert ledger.batches() == []
    assert begun(ledger)[1] == {}
    assert due(ledger) == [commit_id(1)]


def test_what_was_not_sent_does_not_count_as_sent(ledger: Ledger) -> None:
    parked(ledger, 1, 2)
    for _ in range(3):
        key, _ = begun(ledger)
        assert ledger.give_back(key, "uncounted", [f"{key}-2"]) == 1
        assert ledger.give_back(key, "uncounted", []) == 0
        assert list(begun(ledger)[1].values()) == [commit_id(2)]  # at once, in a batch of its own
        for batch in ledger.batches():
            ledger.give_back(batch.key, "uncounted")
    assert due(ledger) == []


def test_a_commit_that_was_reopened_belongs_to_no_batch_any_more(ledger: Ledger) -> None:
    parked(ledger, 1)
    key, _ = begun(ledger)
    ledger.redis.delete(f"daybook:work:{commit_id(1)}")  # as finishing does
    assert ledger.keep_answer(key, f"{key}-1", b"late") == ("late", commit_id(1))
    assert ledger.give_back(key, "direct") == 0
    assert not ledger.redis.exists(f"daybook:work:{commit_id(1)}")


def test_a_person_who_asks_for_a_commit_again_does_not_wait_for_its_batch(ledger: Ledger) -> None:
    parked(ledger, 1, 2)
    assert ledger.reanalyse(commit_id(1), b"again")
    assert not ledger.reanalyse(commit_id(1), b"again")
    key, ids = begun(ledger)
    assert list(ids.values()) == [commit_id(2)]
    assert ledger.reanalyse(commit_id(2), b"again")
    assert ledger.wanted(key) == 0
    assert ledger.keep_answer(key, f"{key}-1", b"late") == ("late", commit_id(2))
    assert due(ledger) == [commit_id(1), commit_id(2)]
    assert ledger.park(again(ledger, 2), soon()) == Standing("direct")


def test_the_diff_of_a_parked_commit_can_be_read(ledger: Ledger) -> None:
    parked(ledger, 1)
    found: Diff | None = ledger.diff(commit_id(1))
    assert found == DIFF
    assert ledger.diff(commit_id(2)) is None


@pytest.mark.parametrize(
    ("now", "latest"),
    [  # the 17th of February closes at 00:30 of the 18th in Shanghai, which is 16:30 in UTC
        (datetime(2026, 2, 17, 5, 0, tzinfo=UTC), datetime(2026, 2, 17, 11, 0, tzinfo=UTC)),
        (datetime(2026, 2, 17, 12, 0, tzinfo=UTC), datetime(2026, 2, 17, 16, 0, tzinfo=UTC)),
        (datetime(2026, 2, 17, 15, 29, tzinfo=UTC), datetime(2026, 2, 17, 16, 0, tzinfo=UTC)),
        (datetime(2026, 2, 17, 15, 30, tzinfo=UTC), None),  # the hour before
        (datetime(2026, 2, 17, 18, 29, tzinfo=UTC), None),  # the page waits for its last commits
        (datetime(2026, 2, 17, 18, 30, tzinfo=UTC), datetime(2026, 2, 18, 0, 30, tzinfo=UTC)),  # closed: no hurry
    ],
)
def test_until_when_a_commit_can_wait(redis_url: str, now: datetime, latest: datetime | None) -> None:
    services = connect(Settings(_env_file=None), redis_url)
    assert latest_answer(services, commit(1), now) == latest
    services.ledger.close()


def test_how_many_wait_for_a_batch_is_told(ledger: Ledger) -> None:
    fresh = text(ledger.meters(), None)
    assert "batch" not in fresh
    parked(ledger, 1, 2, 3)
    key, ids = begun(ledger, most=2)
    ledger.sent(key, "msgbatch_1", 0.0)
    now = ledger.meters()
    assert (now.waiting, now.batch_unsent, now.batch_sent) == (3, 1, 2)
    line = "batch     3 of the waiting are left to a batch: 1 to be sent, 2 sent and not answered yet"
    assert line in text(now, None).splitlines()
    assert document(now, None)["batch"] == {"unsent": 1, "sent": 2}
    figures = told(ledger)
    assert [figures["daybook_commits_in_batch", state] for state in ("unsent", "sent")] == [1.0, 2.0]
    number = next(number for number in (1, 2, 3) if commit_id(number) in ids.values())
    time_is_up(ledger, number)
    assert ledger.park(again(ledger, number), soon()) == Standing("direct")
    assert ledger.meters().batch_sent == 1
