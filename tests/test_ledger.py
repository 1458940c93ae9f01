"""The ledger's promises, on a real Redis: once each, nothing lost, nobody overwrites another's result."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import redis

from core.ledger import MOST_LOSSES, Claim, Ledger, Stage, Swept, day_bounds
from core.ledger.work import MOST_LOST_LEASES, PART, SUSPECT_PLACES
from core.models import Analysis, ChangeType, CommitRecord, Diff, Facts, Failure, Tier, Triage
from core.redis_connections import NotWritable
from tests.pushes import LANDED, REPOSITORY, push, sha

ID = f"{REPOSITORY}@{sha(1)}"
DIFF = Diff(sha=sha(1), parents=(sha(0),), files=(), additions=0, deletions=0)


def received(ledger: Ledger, *numbers: int) -> tuple[int, int]:
    return ledger.receive(push(numbers), [f"message {number}".encode() for number in numbers])


def judged(record: CommitRecord) -> CommitRecord:
    facts = Facts(files=1, additions=2, deletions=3, code_lines=5)
    triage = Triage(tier=Tier.LOW, type=ChangeType.CHORE, score=0.5, reasons=())
    return record.model_copy(update={"facts": facts, "triage": triage})


def done(record: CommitRecord, summary: str = "done") -> CommitRecord:
    analysis = Analysis(origin="rules", language="zh", depth=Tier.LOW, types=(ChangeType.CHORE,), summary=summary)
    return judged(record).model_copy(update={"analysis": analysis, "finished_at": LANDED})


def claimed(ledger: Ledger, stage: Stage = Stage.FETCH, commit_id: str = ID) -> Claim:
    claim = ledger.claim(commit_id, stage)
    assert claim
    return claim


def lose_leases(ledger: Ledger) -> Swept:
    """Let every lease run out while somebody sweeps, as when a worker dies and Redis does not."""
    time.sleep(ledger.lease_seconds * 1.1)
    ledger.redis.set("daybook:swept", time.time())
    return ledger.sweep()


def given_up(record: CommitRecord) -> CommitRecord:
    failure = Failure(stage="fetch", reason="gone", attempts=1, failed_at=LANDED)
    return done(record).model_copy(update={"failure": failure})


def test_a_push_is_recorded_and_queued_once_whatever_is_repeated(ledger: Ledger) -> None:
    assert received(ledger, 1, 2, 3) == (3, 0)
    assert received(ledger, 1, 2, 3) == (0, 3)
    assert received(ledger, 3, 4) == (1, 1)
    assert ledger.redis.lrange("fetch", 0, -1) == [b"message 4", b"message 3", b"message 2", b"message 1"]
    records = ledger.records(REPOSITORY, date(2026, 2, 17))
    assert {record.commit.sha for record in records} == {sha(1), sha(2), sha(3), sha(4)}
    assert ledger.record(REPOSITORY, sha(2)) == CommitRecord(commit=push([1, 2, 3]).commits[1])
    assert ledger.status(["fetch"]).received == 4


def test_a_large_push_is_handed_over_in_parts_and_is_whole(ledger: Ledger) -> None:
    numbers = list(range(1, 2 * PART + 8))
    twice = [*numbers, 3]
    assert received(ledger, *numbers[: PART + 5]) == (PART + 5, 0)
    assert received(ledger, *twice) == (PART + 2, PART + 6)
    assert ledger.redis.lrange("fetch", 0, -1) == [f"message {number}".encode() for number in reversed(numbers)]
    records = ledger.records(REPOSITORY, date(2026, 2, 17))
    assert [record.commit.sha for record in records] == [sha(number) for number in numbers]
    assert ledger.status([]).received == ledger.status([]).waiting == len(numbers)
    assert ledger.redis.zcard(f"daybook:pushes:{REPOSITORY}") == 2
    assert json.loads(ledger.redis.hget(f"daybook:heads:{REPOSITORY}", "main"))["sha"] == sha(3)


def test_a_push_that_breaks_off_between_its_parts_is_made_whole_by_its_redelivery(ledger: Ledger) -> None:
    numbers = range(1, 4 * PART + 1)
    long = push(numbers)
    long = long.model_copy(
        update={"commits": tuple(one.model_copy(update={"message": "x" * 10_000}) for one in long.commits)}
    )
    messages = [f"message {number}".encode() for number in numbers]
    ledger.redis.config_set("maxmemory", ledger.redis.info("memory")["used_memory"] + PART * 15_000)
    try:
        with pytest.raises(NotWritable, match="its memory is full"):
            ledger.receive(long, messages)
    finally:
        ledger.redis.config_set("maxmemory", 0)
    arrived = ledger.redis.llen("fetch")
    assert arrived in (PART, 2 * PART)
    assert ledger.status([]).received == arrived
    assert not ledger.redis.exists(f"daybook:pushes:{REPOSITORY}", f"daybook:heads:{REPOSITORY}")
    assert ledger.receive(long, messages) == (len(numbers) - arrived, arrived)
    assert ledger.redis.lrange("fetch", 0, -1) == messages[::-1]
    assert ledger.status([]).received == len(ledger.records(REPOSITORY, date(2026, 2, 17))) == len(numbers)
    assert ledger.redis.zcard(f"daybook:pushes:{REPOSITORY}") == 1


def test_the_latest_5000_pushes_of_a_repository_are_kept_and_a_days_counters_for_400_days(ledger: Ledger) -> None:
    key = f"daybook:pushes:{REPOSITORY}"
    ledger.redis.zadd(key, {f'{{"delivery":"{number}"}}': number for number in range(4999)})
    for number in range(1, 4):
        ledger.receive(push([number], delivery=f"late {number}"), [b""])
        assert ledger.redis.zcard(key) == 5000
    assert ledger.redis.zrange(key, 0, 0, withscores=True)[0][1] == 2.0
    (counters,) = ledger.redis.keys("daybook:count:*")
    assert 399 * 86400 < ledger.redis.ttl(counters) <= 400 * 86400


def ready(ledger: Ledger, number: int, *, takes_long: bool) -> None:
    """Bring a commit to its analysis."""
    received(ledger, number)
    claim = claimed(ledger, commit_id=f"{REPOSITORY}@{sha(number)}")
    message = b'{"id": "%b"}' % claim.id.encode()
    assert ledger.advance(claim, judged(claim.record), Stage.ANALYSE, DIFF, message, takes_long=takes_long)


def taken(ledger: Ledger) -> str | None:
    claim = ledger.take([(Stage.ANALYSE, b'{"id": "')])
    return claim.record.commit.sha if claim else None


def test_what_takes_long_comes_first_by_turns_and_nothing_waits_for_ever(ledger: Ledger) -> None:
    for number in range(1, 9):
        ready(ledger, number, takes_long=number > 4)
    order = [taken(ledger) for _ in range(8)]
    assert sorted(filter(None, order)) == [sha(number) for number in range(1, 9)]
    assert [one for one in order if one in {sha(1), sha(2), sha(3), sha(4)}] == [sha(1), sha(2), sha(3), sha(4)]
    assert [one for one in order if one in {sha(5), sha(6), sha(7), sha(8)}] == [sha(5), sha(6), sha(7), sha(8)]
    assert order.index(sha(5)) <= 1
    assert order.index(sha(4)) <= 7
    assert {order.index(sha(number)) for number in (1, 2, 3)} < set(range(6))
    assert taken(ledger) is None
    assert ledger.redis.llen("analyse") == 0  # the messages of those that came first were taken off too


def test_what_takes_long_and_was_taken_by_its_message_is_not_taken_again(ledger: Ledger) -> None:
    ready(ledger, 1, takes_long=True)
    ready(ledger, 2, takes_long=False)
    assert ledger.claim(f"{REPOSITORY}@{sha(1)}", Stage.ANALYSE)
    assert [taken(ledger), taken(ledger), taken(ledger)] == [sha(2), None, None]
    assert not ledger.redis.exists("daybook:long:analyse")


def test_twenty_deliveries_at_once_are_one(ledger: Ledger) -> None:
    answers: list[tuple[int, int]] = []
    threads = [threading.Thread(target=lambda: answers.append(received(ledger, 1, 2))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [(0, 2)] * 19 + [(2, 0)]
    assert ledger.redis.llen("fetch") == 2


def test_commits_of_one_push_keep_their_order_and_pushes_theirs(ledger: Ledger) -> None:
    late = push([7, 5, 6], landed_at=LANDED + timedelta(hours=1))
    ledger.receive(late, [b""] * 3)
    ledger.receive(push([9, 8]), [b""] * 2)
    records = ledger.records(REPOSITORY, date(2026, 2, 17))
    assert [record.commit.sha for record in records] == [sha(number) for number in (9, 8, 7, 5, 6)]


def test_only_one_claim_is_given_and_only_its_token_writes(ledger: Ledger) -> None:
    received(ledger, 1)
    claim = claimed(ledger)
    assert ledger.claim(ID, Stage.FETCH) is None
    assert ledger.claim(ID, Stage.ANALYSE) is None
    stranger = Claim(record=claim.record, stage=claim.stage, token="not the token")
    assert not ledger.advance(stranger, judged(claim.record), Stage.ANALYSE, DIFF, b"next")
    assert not ledger.finish(stranger, done(claim.record))
    assert not ledger.retry(stranger, 1, "no")
    assert ledger.advance(claim, judged(claim.record), Stage.ANALYSE, DIFF, b"next")
    assert ledger.redis.lrange("analyse", 0, -1) == [b"next"]
    analysing = claimed(ledger, Stage.ANALYSE)
    assert analysing.diff == DIFF
    assert analysing.record == judged(claim.record)
    assert ledger.finish(analysing, done(analysing.record))
    assert ledger.record(REPOSITORY, sha(1)) == done(claim.record)
    assert ledger.claim(ID, Stage.ANALYSE) is None
    assert ledger.status([]).waiting == 0
    assert not ledger.redis.exists(f"daybook:diff:{ID}", f"daybook:work:{ID}")
    assert ledger.dirty_days()[0][:2] == (REPOSITORY, date(2026, 2, 17))


def test_what_waits_is_taken_in_order_and_what_has_no_work_is_passed_over(ledger: Ledger) -> None:
    numbers = range(1, 251)
    ledger.receive(push(numbers), [f"<{REPOSITORY}@{sha(number)}".encode() for number in numbers])
    queues = [(Stage.ANALYSE, b"<"), (Stage.FETCH, b"<")]
    first = ledger.take(queues)
    assert first
    assert (first.id, first.stage) == (ID, Stage.FETCH)
    assert ledger.claim(ID, Stage.FETCH) is None
    for number in range(2, 90):
        ledger.finish(claimed(ledger, commit_id=f"{REPOSITORY}@{sha(number)}"), done(first.record))
    ledger.redis.rpush("analyse", f"<{REPOSITORY}@{sha(200)}")  # of a commit that is in another stage
    second = ledger.take(queues)
    assert second
    assert second.id == f"{REPOSITORY}@{sha(90)}"
    assert ledger.redis.llen("analyse") == 0
    assert ledger.redis.llen("fetch") == 160
    assert ledger.take([(Stage.FETCH, b">")]) is None
    assert ledger.redis.llen("fetch") == 160
    assert ledger.finish(second, done(second.record))


def test_a_lost_message_is_found_by_the_sweep(ledger: Ledger) -> None:
    received(ledger, 1, 2)
    assert ledger.sweep().due == ()
    ledger.redis.delete("fetch")
    time.sleep(0.35)
    assert set(ledger.sweep().due) == {(ID, Stage.FETCH), (f"{REPOSITORY}@{sha(2)}", Stage.FETCH)}
    assert ledger.sweep().due == ()


def test_commits_still_in_a_long_queue_are_not_queued_again(ledger: Ledger) -> None:
    received(ledger, *range(1, 50))
    time.sleep(0.35)
    assert ledger.sweep().due == ()
    assert ledger.redis.llen("fetch") == 49


def test_a_stage_put_off_waits_its_time_and_counts_its_attempts(ledger: Ledger) -> None:
    received(ledger, 1)
    assert ledger.retry(claimed(ledger), 0.3, "GitHub answered 502")
    assert ledger.claim(ID, Stage.FETCH) is None
    assert ledger.sweep().due == ()
    time.sleep(0.35)
    assert ledger.sweep().due == ((ID, Stage.FETCH),)
    assert claimed(ledger).attempts == 1


def test_a_lease_that_runs_out_makes_a_suspect_which_is_worked_alone(ledger: Ledger) -> None:
    received(ledger, 1, 2)
    ledger.sweep()
    first, second = claimed(ledger), claimed(ledger, commit_id=f"{REPOSITORY}@{sha(2)}")
    swept = lose_leases(ledger)
    assert (swept.due, swept.wake) == ((), 2)
    assert not ledger.finish(first, done(first.record))
    assert ledger.claim(ID, Stage.FETCH) is None
    alone, other = ledger.claim_suspect("one"), ledger.claim_suspect("two")
    assert alone
    assert other
    assert (alone.lost, other.lost, {alone.id, other.id}) == (1, 1, {first.id, second.id})
    assert ledger.claim_suspect("three") is None
    assert ledger.sweep().wake == 0
    assert ledger.finish(alone, done(alone.record))


def test_only_so_many_suspects_are_worked_on_at_once(ledger: Ledger) -> None:
    received(ledger, *range(1, SUSPECT_PLACES + 3))
    for number in range(1, SUSPECT_PLACES + 3):
        claimed(ledger, commit_id=f"{REPOSITORY}@{sha(number)}")
    lose_leases(ledger)
    assert ledger.sweep().wake == SUSPECT_PLACES
    held = [ledger.claim_suspect(f"child {number}") for number in range(SUSPECT_PLACES + 2)]
    assert [claim is not None for claim in held] == [True] * SUSPECT_PLACES + [False] * 2
    assert ledger.sweep().wake == 0
    assert held[0]
    assert ledger.finish(held[0], done(held[0].record))
    assert ledger.sweep().wake == 1


def test_after_redis_was_away_leases_start_anew(ledger: Ledger) -> None:
    received(ledger, 1)
    claim = claimed(ledger)
    time.sleep(0.35)  # as long as nobody could renew
    assert ledger.sweep().wake == 0
    assert ledger.finish(claim, done(claim.record))


def test_a_suspect_passes_its_next_stage_as_a_suspect_too(ledger: Ledger) -> None:
    received(ledger, 1)
    claimed(ledger)
    lose_leases(ledger)
    alone = ledger.claim_suspect("one")
    assert alone
    assert ledger.advance(alone, judged(alone.record), Stage.ANALYSE, DIFF, b"next")
    assert ledger.redis.llen("analyse") == 0
    assert ledger.claim(ID, Stage.ANALYSE) is None
    again = ledger.claim_suspect("two")
    assert again
    assert again.stage is Stage.ANALYSE
    assert again.diff == DIFF


def test_a_renewed_lease_is_kept_and_a_lost_one_is_named(ledger: Ledger) -> None:
    received(ledger, 1)
    claim = claimed(ledger)
    for _ in range(3):
        time.sleep(0.2)
        assert ledger.renew([(claim.id, claim.token)]) == set()
    assert ledger.sweep().wake == 0
    assert ledger.renew([(claim.id, "another token")]) == {claim.id}
    assert ledger.finish(claim, done(claim.record))


def test_after_five_proven_losses_a_commit_is_handed_over_to_be_given_up(ledger: Ledger) -> None:
    received(ledger, 1)
    claimed(ledger)
    lose_leases(ledger)
    for number in range(MOST_LOSSES):
        ledger.redis.hset(f"daybook:work:{ID}", "not_before", 0)  # a loss has a pause of seconds
        ledger.redis.zadd("daybook:suspects", {ID: 0})
        assert ledger.sweep().poison == ()
        assert ledger.claim_suspect(f"child {number}")
        assert ledger.lost_alone(f"child {number}") == ID
        assert ledger.lost_alone(f"child {number}") is None
    (poison,) = ledger.sweep().poison
    assert (poison.id, poison.attempts, poison.lost) == (ID, MOST_LOSSES, MOST_LOSSES + 1)
    assert ledger.finish(poison, given_up(poison.record))
    assert [record.commit.id for record in ledger.failed()] == [ID]
    assert ledger.status([]).failed == 1


def test_a_commit_that_takes_its_host_along_is_given_up_too(redis_url: str) -> None:
    ledger = Ledger(redis_url, ZoneInfo("UTC"), lease_seconds=0.05, patience_seconds=0.05)
    received(ledger, 1)
    claimed(ledger)
    for number in range(MOST_LOST_LEASES - 1):
        assert lose_leases(ledger).poison == ()
        assert ledger.claim_suspect(f"child {number}")
    (poison,) = lose_leases(ledger).poison
    assert (poison.id, poison.attempts, poison.lost) == (ID, 0, MOST_LOST_LEASES)
    ledger.close()


def test_a_redelivery_opens_failed_work_again_and_leaves_finished_work_alone(ledger: Ledger) -> None:
    received(ledger, 1, 2)
    bad, good = claimed(ledger), claimed(ledger, commit_id=f"{REPOSITORY}@{sha(2)}")
    assert ledger.finish(bad, given_up(bad.record))
    assert ledger.finish(good, done(good.record))
    assert received(ledger, 1, 2) == (1, 1)
    assert ledger.failed() == []
    assert claimed(ledger).record.failure


def test_a_key_of_the_wrong_type_refuses_the_push_whole(ledger: Ledger) -> None:
    ledger.redis.set("daybook:due:fetch", "not a zset")
    with pytest.raises(redis.ResponseError, match="due:fetch is a string, not a zset"):
        received(ledger, 1)
    assert ledger.redis.keys("*") == [b"daybook:due:fetch"]


def test_reports_are_kept_and_a_day_that_changes_meanwhile_stays_dirty(ledger: Ledger) -> None:
    day = date(2026, 2, 17)
    assert ledger.report(REPOSITORY, day) is None
    ledger.save_report(REPOSITORY, day, b'{"one": 1}')
    ledger.save_report(REPOSITORY, day - timedelta(days=1), b"{}")
    assert ledger.report(REPOSITORY, day) == b'{"one": 1}'
    assert ledger.report_days(REPOSITORY) == [day, day - timedelta(days=1)]
    received(ledger, 1)
    claim = claimed(ledger)
    ledger.finish(claim, done(claim.record))
    ((_, _, changed),) = ledger.dirty_days()
    ledger.clean_day(REPOSITORY, day, changed - 1)
    assert len(ledger.dirty_days()) == 1
    ledger.clean_day(REPOSITORY, day, changed)
    assert ledger.dirty_days() == []


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Asia/Shanghai", date(2026, 3, 29), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Pacific/Kiritimati", date(2026, 1, 1), 24),
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(zone: str, day: date, hours: int) -> None:
    start, end = day_bounds(day, ZoneInfo(zone))
    assert (end.astimezone(UTC) - start.astimezone(UTC)) == timedelta(hours=hours)
    assert start.date() == day


def test_every_moment_belongs_to_one_day(ledger: Ledger) -> None:
    midnight = datetime(2026, 2, 16, 16, 0, tzinfo=UTC)  # in Shanghai
    ledger.receive(push([1], landed_at=midnight - timedelta(seconds=1)), [b""])
    ledger.receive(push([2], landed_at=midnight), [b""])
    assert [record.commit.sha for record in ledger.records(REPOSITORY, date(2026, 2, 16))] == [sha(1)]
    assert [record.commit.sha for record in ledger.records(REPOSITORY, date(2026, 2, 17))] == [sha(2)]
