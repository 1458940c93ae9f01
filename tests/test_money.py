"""Money on a real Redis: counted once, told by day, repository and tier, and never promised twice under a budget."""

from __future__ import annotations

import socket
import threading
import time
from datetime import datetime
from urllib.parse import urlsplit

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from core.ledger import Claim, Ledger
from core.ledger.money import RESERVED_SECONDS, spending
from core.models import CommitRecord, Tier, Usage
from tests.conftest import SHANGHAI
from tests.pushes import LANDED, REPOSITORY, sha
from tests.test_ledger import ID, claimed, done, given_up, received

# The dollars are a power of two, so that sums are exact.
USAGE = Usage(
    input_tokens=700, cached_tokens=4000, cache_write_tokens=300, output_tokens=150, cost_usd=0.015625, calls=2
)


def paid(record: CommitRecord, usage: Usage = USAGE) -> CommitRecord:
    """A finished record of the low tier, whose analysis cost something."""
    analysed = done(record)
    assert analysed.analysis
    return analysed.model_copy(update={"analysis": analysed.analysis.model_copy(update={"usage": usage})})


def today(ledger: Ledger) -> dict[tuple[str, Tier], Usage]:
    return dict(ledger.spent(datetime.now(SHANGHAI).date()))


def times(count: int) -> Usage:
    """What `count` such analyses cost together."""
    return Usage.model_validate({name: value * count for name, value in USAGE})


def finish(ledger: Ledger, number: int) -> Claim:
    received(ledger, number)
    claim = claimed(ledger, commit_id=f"{REPOSITORY}@{sha(number)}")
    assert ledger.finish(claim, paid(claim.record))
    return claim


def test_what_an_analysis_cost_is_counted_by_day_repository_and_tier_and_for_ever(ledger: Ledger) -> None:
    finish(ledger, 1)
    assert today(ledger) == {(REPOSITORY, Tier.LOW): USAGE}
    ledger.spend(USAGE, REPOSITORY, Tier.HIGH)
    ledger.spend(USAGE, "acme/tools", Tier.LOW)
    ledger.spend(Usage(), "acme/idle", Tier.LOW)
    expected = {("acme/tools", Tier.LOW): USAGE, (REPOSITORY, Tier.HIGH): USAGE, (REPOSITORY, Tier.LOW): USAGE}
    assert today(ledger) == ledger.spent_in_all() == expected
    assert list(today(ledger)) == list(expected)
    assert ledger.spent(LANDED.date()) == {}
    counted = ledger.meters().today
    assert counted["cost_usd"] == 3 * 0.015625
    assert [counted[name] for name in ("model_calls", "input_tokens", "cached_tokens", "cache_write_tokens",
                                       "output_tokens")] == [6, 2100, 12000, 900, 450]  # fmt: skip
    key = f"daybook:spent:{datetime.now(SHANGHAI).date()}"
    assert 399 * 86400 < ledger.redis.ttl(key) <= 400 * 86400
    assert ledger.redis.ttl("daybook:spent") == -1


def test_a_result_whose_answer_was_lost_is_written_again_without_being_counted_twice(ledger: Ledger) -> None:
    claim = finish(ledger, 1)
    before = ledger.redis.hgetall("daybook:totals")
    assert ledger.finish(claim, paid(claim.record))
    assert ledger.redis.hgetall("daybook:totals") == before
    assert today(ledger) == {(REPOSITORY, Tier.LOW): USAGE}
    stranger = Claim(record=claim.record, stage=claim.stage, token="another")
    assert not ledger.finish(stranger, paid(claim.record))
    assert 0 < ledger.redis.ttl(f"daybook:finished:{ID}") <= 120


def two_connections(upstream: tuple[str, int], listener: socket.socket) -> None:
    """Pass bytes to Redis and back; on the first connection the answer to a script is swallowed, and the line cut."""
    for cut in (True, False):
        near, _ = listener.accept()
        with near, socket.create_connection(upstream) as far:
            while asked := near.recv(65536):
                far.sendall(asked)
                answer = far.recv(65536)
                if cut and b"EVALSHA" in asked:
                    break
                near.sendall(answer)


def test_a_connection_that_breaks_after_the_write_costs_nothing_twice(ledger: Ledger, redis_url: str) -> None:
    finish(ledger, 1)  # Redis knows the script
    received(ledger, 2)
    claim = claimed(ledger, commit_id=f"{REPOSITORY}@{sha(2)}")
    address = urlsplit(redis_url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = (address.hostname or "", address.port or 0)
        line = threading.Thread(target=two_connections, args=(upstream, listener), daemon=True)
        line.start()
        through = Ledger(redis_url.replace(f":{address.port}", f":{listener.getsockname()[1]}"), SHANGHAI)
        with pytest.raises(redis.ConnectionError):
            through.finish(claim, paid(claim.record))
        assert through.finish(claim, paid(claim.record))
        through.close()
        line.join(timeout=10)
    assert ledger.status([]).analysed == 2
    assert today(ledger) == {(REPOSITORY, Tier.LOW): times(2)}


def test_an_answer_that_was_lost_is_remembered_when_the_commit_was_opened_again(ledger: Ledger) -> None:
    claim = finish(ledger, 1)
    assert ledger.reanalyse(ID, b"again")
    assert ledger.finish(claim, paid(claim.record))
    assert ledger.status([]).waiting == 1
    second = claimed(ledger)
    assert ledger.finish(second, paid(second.record))
    assert today(ledger) == {(REPOSITORY, Tier.LOW): times(2)}


def test_at_most_two_hundred_repositories_are_told_apart(ledger: Ledger) -> None:
    for number in range(203):
        ledger.spend(USAGE, f"acme/tool-{number:03}", Tier.LOW)
    ledger.spend(USAGE, "acme/tool-000", Tier.HIGH)
    spent = ledger.spent_in_all()
    assert len({repository for repository, _ in spent}) == 201
    assert spent["other", Tier.LOW] == times(3)
    assert spent["acme/tool-000", Tier.HIGH] == USAGE
    assert list(spent)[-1] == ("other", Tier.LOW)


def test_money_that_is_set_aside_cannot_be_spent_twice(ledger: Ledger) -> None:
    ledger.spend(Usage(cost_usd=0.5, calls=1), REPOSITORY, Tier.HIGH)
    assert ledger.reserve("one", 0.3, 1.0)
    assert not ledger.reserve("two", 0.3, 1.0)
    assert ledger.reserve("two", 0.1, 1.0)
    assert ledger.meters().reserved_usd == pytest.approx(0.4)
    assert not ledger.reserve("one", 0.5, 1.0)  # what it had stays
    assert ledger.reserve("one", 0.375, 1.0)  # in place of the 0.3
    assert ledger.meters().reserved_usd == pytest.approx(0.475)
    ledger.release("two")
    ledger.release("two")
    assert ledger.meters().reserved_usd == pytest.approx(0.375)
    assert not ledger.reserve("three", 0.2, 0.8)
    assert ledger.reserve("three", 0.0, 0.9)
    assert not ledger.reserve("four", 0.01, 0)


def test_a_reservation_dies_by_itself(ledger: Ledger) -> None:
    before = time.time()
    assert ledger.reserve("killed", 1.0, 1.0)
    (member, ends) = ledger.redis.zrange("daybook:reserved", 0, -1, withscores=True)[0]
    assert before + RESERVED_SECONDS - 1 < ends < time.time() + RESERVED_SECONDS + 1
    assert not ledger.reserve("next", 1.0, 1.0)
    ledger.redis.zadd("daybook:reserved", {member: time.time() - 1})
    assert ledger.meters().reserved_usd == 0
    assert ledger.reserve("next", 1.0, 1.0)
    assert ledger.redis.zcard("daybook:reserved") == 1


def test_fifty_at_once_get_what_there_is_and_no_more(ledger: Ledger) -> None:
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda holder=f"commit {n}": answers.append(ledger.reserve(holder, 0.125, 1.0)))
        for n in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (answers.count(True), answers.count(False)) == (8, 42)


def test_estimates_of_tokens_are_corrected_by_what_was_counted(ledger: Ledger) -> None:
    assert ledger.token_ratio("claude-haiku-5-5") == 1.0
    ledger.calibrate("claude-haiku-5-5", 1000, 1200)
    assert ledger.token_ratio("claude-haiku-5-5") == pytest.approx(1.2)
    ledger.calibrate("claude-haiku-5-5", 3000, 3000)
    assert ledger.token_ratio("claude-haiku-5-5") == pytest.approx((1200 * 0.98 + 3000) / (1000 * 0.98 + 3000))
    for _ in range(200):
        ledger.calibrate("claude-haiku-5-5", 1000, 1500)
    assert ledger.token_ratio("claude-haiku-5-5") == pytest.approx(1.5, abs=0.01)
    assert ledger.token_ratio("claude-sonnet-5-5") == 1.0


def test_a_count_that_cannot_be_does_not_spoil_the_ratio(ledger: Ledger) -> None:
    ledger.calibrate("odd", 0, 500)
    ledger.calibrate("odd", 500, 0)
    assert ledger.token_ratio("odd") == 1.0
    ledger.calibrate("odd", 1, 1_000_000)
    assert ledger.token_ratio("odd") == 4.0
    ledger.calibrate("even", 1_000_000, 1)
    assert ledger.token_ratio("even") == 0.25
    assert ledger.meters().token_ratios == {"even": 0.25, "odd": 4.0}


def test_calls_for_a_commit_that_is_given_up_are_paid_for_all_the_same(ledger: Ledger) -> None:
    received(ledger, 1)
    claim = claimed(ledger)
    ledger.spend(USAGE, REPOSITORY, Tier.MEDIUM)
    assert ledger.finish(claim, given_up(claim.record))
    assert today(ledger) == {(REPOSITORY, Tier.MEDIUM): USAGE}
    assert (ledger.meters().total("failed"), ledger.meters().total("analysed")) == (1, 0)


def test_degradations_are_counted_for_the_day_and_for_ever(ledger: Ledger) -> None:
    ledger.degraded("medium")
    ledger.degraded("medium")
    ledger.degraded("rules")
    meters = ledger.meters()
    assert meters.degraded == {"medium": 2, "low": 0, "rules": 1}
    assert (meters.today["degraded_medium"], meters.today["degraded_rules"]) == (2, 1)


@given(st.dictionaries(st.tuples(st.text(), st.sampled_from(Tier)), st.integers(0, 10**12), max_size=20))
def test_any_name_is_read_back_from_its_field(calls: dict[tuple[str, Tier], int]) -> None:
    rows = {f"{repository} {tier} model_calls": float(count) for (repository, tier), count in calls.items()}
    assert spending(rows) == {spender: Usage(calls=count) for spender, count in calls.items()}
