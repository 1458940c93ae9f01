"""Corrections on a real Redis: kept, joined wherever a record is read, and finished commits opened again."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

from core.ledger import Ledger, Stage
from core.models import Correction, Tier
from tests.pushes import REPOSITORY, push, sha
from tests.test_ledger import DIFF, ID, claimed, done, given_up, judged, received

DAY = date(2026, 2, 17)
HIGH = Correction(tier=Tier.HIGH, why="it changes the wire format", at=datetime(2026, 2, 18, 9, 0, tzinfo=UTC))
LOW = Correction(tier=Tier.LOW, why="a typo", at=datetime(2026, 2, 18, 9, 5, tzinfo=UTC))


def finished(ledger: Ledger, number: int = 1) -> None:
    received(ledger, number)
    claim = claimed(ledger, commit_id=f"{REPOSITORY}@{sha(number)}")
    assert ledger.finish(claim, done(claim.record))


def test_a_correction_is_joined_wherever_a_record_is_read_and_can_be_taken_back(ledger: Ledger) -> None:
    finished(ledger, 1)
    finished(ledger, 2)
    before = ledger.record(REPOSITORY, sha(1))
    assert before
    assert before.tier is Tier.LOW
    assert ledger.correct(ID, HIGH)
    corrected = ledger.record(REPOSITORY, sha(1))
    assert corrected == before.model_copy(update={"correction": HIGH})
    assert corrected.tier is Tier.HIGH
    assert [record.correction for record in ledger.records(REPOSITORY, DAY)] == [HIGH, None]
    assert ledger.correct(ID, LOW)
    assert [record.correction for record in ledger.records(REPOSITORY, DAY)] == [LOW, None]
    assert ledger.correct(ID, None)
    assert ledger.record(REPOSITORY, sha(1)) == before


def test_the_day_of_a_corrected_commit_is_made_again(ledger: Ledger) -> None:
    finished(ledger)
    ledger.clean_day(REPOSITORY, DAY, time.time())
    for said in (HIGH, None):
        assert ledger.dirty_days() == []
        assert ledger.correct(ID, said)
        assert [row[:2] for row in ledger.dirty_days()] == [(REPOSITORY, DAY)]
        ledger.clean_day(REPOSITORY, DAY, time.time() + 1)


def test_a_correction_of_a_commit_that_nobody_received_is_refused(ledger: Ledger) -> None:
    assert not ledger.correct(ID, HIGH)
    assert ledger.redis.keys("*") == []


def test_corrections_are_listed_by_commit(ledger: Ledger) -> None:
    received(ledger, 1, 2)
    elsewhere = push([3])
    renamed = [commit.model_copy(update={"repository": "acme/tools"}) for commit in elsewhere.commits]
    ledger.receive(elsewhere.model_copy(update={"repository": "acme/tools", "commits": tuple(renamed)}), [b"{}"])
    second, third = f"{REPOSITORY}@{sha(2)}", f"acme/tools@{sha(3)}"
    for commit_id, said in ((second, LOW), (ID, HIGH), (third, HIGH)):
        assert ledger.correct(commit_id, said)
    assert list(ledger.corrections().items()) == [(third, HIGH), (ID, HIGH), (second, LOW)]
    assert list(ledger.corrections(REPOSITORY).items()) == [(ID, HIGH), (second, LOW)]
    assert ledger.corrections("acme/nothing") == {}


def test_a_claim_carries_the_correction_and_a_result_does_not_store_it(ledger: Ledger) -> None:
    received(ledger, 1)
    assert ledger.correct(ID, HIGH)
    claim = claimed(ledger)
    assert claim.record.correction == HIGH
    assert ledger.advance(claim, judged(claim.record), Stage.ANALYSE, DIFF, b"next")
    assert ledger.correct(ID, LOW)
    analysing = claimed(ledger, Stage.ANALYSE)
    assert analysing.record.tier is Tier.LOW
    assert ledger.correct(ID, None)
    assert ledger.finish(analysing, done(analysing.record))
    kept = ledger.record(REPOSITORY, sha(1))
    assert kept
    assert kept.correction is None


def test_a_commit_that_was_given_up_shows_its_correction_too(ledger: Ledger) -> None:
    received(ledger, 1, 2)
    for number in (2, 1):
        claim = claimed(ledger, commit_id=f"{REPOSITORY}@{sha(number)}")
        assert ledger.finish(claim, given_up(claim.record))
    assert ledger.correct(ID, HIGH)
    assert [(record.commit.sha, record.correction) for record in ledger.failed()] == [(sha(2), None), (sha(1), HIGH)]


def test_a_finished_commit_is_analysed_anew_and_its_record_stays_meanwhile(ledger: Ledger) -> None:
    finished(ledger)
    ledger.redis.delete("fetch")
    before = ledger.record(REPOSITORY, sha(1))
    assert ledger.reanalyse(ID, b"again")
    assert not ledger.reanalyse(ID, b"and again")
    assert ledger.redis.lrange("fetch", 0, -1) == [b"again"]
    assert ledger.record(REPOSITORY, sha(1)) == before
    claim = claimed(ledger)
    assert not ledger.reanalyse(ID, b"and again")
    assert ledger.finish(claim, done(claim.record, "better"))
    after = ledger.record(REPOSITORY, sha(1))
    assert after
    assert after.analysis
    assert after.analysis.summary == "better"
    meters = ledger.meters()
    assert (meters.total("received"), meters.total("analysed"), meters.total("reanalysed")) == (1, 1, 1)
    assert meters.waiting == 0


def test_a_message_for_a_reopened_commit_that_is_lost_is_replaced(ledger: Ledger) -> None:
    finished(ledger)
    assert ledger.reanalyse(ID, b"again")
    ledger.redis.delete("fetch")
    time.sleep(0.35)
    assert ledger.sweep().due == ((ID, Stage.FETCH),)


def test_a_given_up_commit_that_is_analysed_anew_leaves_the_list_and_counts_as_analysed(ledger: Ledger) -> None:
    received(ledger, 1)
    claim = claimed(ledger)
    assert ledger.finish(claim, given_up(claim.record))
    assert ledger.reanalyse(ID, b"again")
    assert ledger.failed() == []
    again = claimed(ledger)
    assert ledger.finish(again, done(again.record).model_copy(update={"failure": None}))
    assert ledger.meters().total("analysed") == 1


def test_an_unknown_commit_is_not_opened(ledger: Ledger) -> None:
    assert not ledger.reanalyse(ID, b"again")
    assert ledger.redis.keys("*") == []
