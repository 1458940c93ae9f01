"""Analyses by batch, over the wire: together at half the price; nothing is lost or paid twice when it goes wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.ledger import Stage
from core.models import Analysis, ChangeType, CommitRecord, Correction, Diff, Facts, FileChange, Tier, Triage
from core.settings import RepositorySettings, Settings
from tests.fakes.anthropic import Behaviour, FakeAnthropic
from tests.fakes.anthropic_batches import PATH
from tests.pushes import REPOSITORY, push, sha
from workers.app import app
from workers.batches import MARGIN, SEND_TURN, work_on_batches
from workers.celeryconfig import beat_schedule, task_routes
from workers.services import Services, connect
from workers.stages import STAGE_SECONDS, analyse_commit, run
from workers.tasks import STAGES

KEY = "key-for-tests-0123456789"
PATCH = "@@ -1,2 +1,2 @@ def add(self):\n-    return 1\n+    return 2\n unchanged = True"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAnthropic]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FakeAnthropic(key=KEY) as fake:
        fake.batches.seconds = 3600
        yield fake


@contextmanager
def connected(redis_url: str, api: FakeAnthropic, folder: Path, **values: Any) -> Iterator[Services]:
    settings = Settings(
        _env_file=None, anthropic_api_key=SecretStr(KEY), anthropic_base_url=api.url, report_dir=folder,
        report_language="en", **values,
    )  # fmt: skip
    table = RepositorySettings(name=REPOSITORY, source=str(folder), analysis={Tier.LOW: "batch", Tier.MEDIUM: "batch"})
    services = connect(settings.model_copy(update={"daybook_repositories": (table,)}), redis_url)
    assert services.analyst
    try:
        yield services
    finally:
        services.analyst.close()
        services.ledger.close()


@pytest.fixture
def services(redis_url: str, api: FakeAnthropic, tmp_path: Path) -> Iterator[Services]:
    with connected(redis_url, api, tmp_path) as made:
        yield made


def commit_id(number: int) -> str:
    return f"{REPOSITORY}@{sha(number)}"


def bring(services: Services, *numbers: int, tier: Tier = Tier.LOW) -> None:
    """Commits of a long closed day that were fetched and judged, and their first turn in the analyse stage."""
    ledger = services.ledger
    ledger.receive(push(numbers), [b"fetch"] * len(numbers))
    facts = Facts(files=1, additions=1, deletions=1, code_lines=2)
    triage = Triage(tier=tier, type=ChangeType.BUGFIX, score=0.5, reasons=())
    file = FileChange(path="engine/scheduler.py", status="modified", additions=1, deletions=1, patch=PATCH)
    for number in numbers:
        claim = ledger.claim(commit_id(number), Stage.FETCH)
        assert claim
        record = claim.record.model_copy(update={"facts": facts, "triage": triage})
        diff = Diff(sha=sha(number), parents=(), files=(file,), additions=1, deletions=1)
        assert ledger.advance(claim, record, Stage.ANALYSE, diff, b"analyse")
        claim = ledger.claim(commit_id(number), Stage.ANALYSE)
        assert claim
        run(services, claim, analyse_commit)


def let_wait(services: Services) -> None:
    """As ten minutes do."""
    for name in services.ledger.redis.zrange("daybook:parked", 0, -1):
        services.ledger.redis.zadd("daybook:parked", {name: time.time() - 601})
        services.ledger.redis.hset(f"daybook:work:{name.decode()}", "parked_at", time.time() - 601)


def let_time_run_out(services: Services, *numbers: int) -> None:
    """As six hours do."""
    for number in numbers:
        services.ledger.redis.hset(f"daybook:work:{commit_id(number)}", "not_before", time.time())
        services.ledger.redis.zadd("daybook:due:analyse", {commit_id(number): time.time()})


def look_again(services: Services) -> None:
    """The next round, as late as it may come."""
    for batch in services.ledger.batches():
        services.ledger.redis.hset(f"daybook:batch:{batch.key}", "asked", time.time() - 300)
    work_on_batches(services)


def work(services: Services) -> None:
    """What the sweep and the workers do with whatever is due now."""
    services.ledger.redis.delete("fetch", "analyse")
    for found, stage in services.ledger.sweep().due:
        claim = services.ledger.claim(found, stage)
        assert claim
        run(services, claim, STAGES[stage])


def sent(services: Services, *numbers: int) -> None:
    """Commits that went out with one batch."""
    bring(services, *numbers)
    let_wait(services)
    work_on_batches(services)
    (batch,) = services.ledger.batches()
    assert batch.id


def answered(services: Services, api: FakeAnthropic) -> None:
    """The batch is worked on, its answers are fetched, and their commits go through the stage again."""
    api.clock.advance(3600)
    look_again(services)
    assert services.ledger.batches() == []
    work(services)


def record(services: Services, number: int) -> CommitRecord:
    found = services.ledger.record(REPOSITORY, sha(number))
    assert found
    return found


def analysis(services: Services, number: int) -> Analysis:
    found = record(services, number).analysis
    assert found
    return found


def posts(api: FakeAnthropic, path: str) -> int:
    return sum(request.method == "POST" and request.path == path for request in api.requests)


def singles(api: FakeAnthropic) -> int:
    return posts(api, "/v1/messages")


def batches_sent(api: FakeAnthropic) -> int:
    return posts(api, PATH)


def test_low_commits_go_out_together_at_half_the_price_and_high_ones_at_once(
    services: Services, api: FakeAnthropic
) -> None:
    bring(services, 99, tier=Tier.HIGH)
    assert analysis(services, 99).batch is False
    assert singles(api) == 1
    bring(services, *range(1, 20))
    work_on_batches(services)
    assert batches_sent(api) == 0  # nineteen are too few
    bring(services, 20)
    work_on_batches(services)
    work_on_batches(services)
    assert batches_sent(api) == 1
    assert services.ledger.status([]).waiting == 20
    assert services.ledger.meters().oldest_waiting_seconds == 0
    before = services.ledger.status([]).today["cost_usd"]
    answered(services, api)
    assert singles(api) == 1
    found = [analysis(services, number) for number in range(1, 21)]
    assert all(one.origin == "model" and one.batch and one.depth is Tier.LOW and one.usage.calls == 1 for one in found)
    cost = sum(one.usage.cost_usd for one in found)
    assert services.ledger.status([]).today["cost_usd"] == pytest.approx(before + cost)
    assert services.ledger.status([]).waiting == 0
    assert services.ledger.redis.keys("daybook:waits:*") == services.ledger.redis.keys("daybook:batch:*") == []


def test_an_answer_by_batch_costs_half_of_a_direct_one(services: Services, api: FakeAnthropic) -> None:
    bring(services, 1, 2)
    let_time_run_out(services, 1, 2)
    work(services)
    sent(services, 3, 4)
    answered(services, api)
    one, other = analysis(services, 2), analysis(services, 4)  # each of them has its prompt from the cache
    assert (one.batch, other.batch) == (False, True)
    assert other.usage == one.usage.model_copy(update={"cost_usd": other.usage.cost_usd})
    assert other.usage.cost_usd == pytest.approx(one.usage.cost_usd / 2)


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour.BAD_REQUEST, Behaviour.OVERLOADED, Behaviour.EXPIRED, Behaviour.CANCELED, Behaviour.TRUNCATED,
     Behaviour.SCHEMA_MISMATCH, Behaviour.INVALID_JSON, Behaviour.WRONG_LANGUAGE, Behaviour.CONTEXT_EXCEEDED],
)  # fmt: skip
def test_what_a_batch_does_not_answer_well_is_asked_for_directly(
    services: Services, api: FakeAnthropic, behaviour: Behaviour
) -> None:
    api.script(Behaviour.FINE, behaviour)
    sent(services, 1, 2)
    answered(services, api)
    assert (analysis(services, 1).batch, analysis(services, 2).batch) == (True, False)
    assert analysis(services, 2).origin == "model"
    assert singles(api) == 1
    spent = services.ledger.status([]).today["cost_usd"]
    stored = sum(analysis(services, number).usage.cost_usd for number in (1, 2))
    unused = behaviour not in {Behaviour.BAD_REQUEST, Behaviour.OVERLOADED, Behaviour.EXPIRED, Behaviour.CANCELED}
    assert (spent > stored + 1e-6) == unused  # an answer that is of no use is paid for too


def test_a_commit_that_the_model_declines_is_shown_by_its_facts(services: Services, api: FakeAnthropic) -> None:
    api.script(Behaviour.REFUSAL)
    sent(services, 1)
    answered(services, api)
    assert analysis(services, 1).origin == "degraded"
    assert singles(api) == 0
    assert services.ledger.status([]).today["cost_usd"] > 0


def test_a_commit_that_the_model_raises_is_read_again_directly(services: Services, api: FakeAnthropic) -> None:
    api.opinions[sha(1)] = ("medium", "Callers must change.")
    sent(services, 1)
    answered(services, api)
    assert analysis(services, 1).depth is Tier.MEDIUM
    assert analysis(services, 1).usage.calls == 2
    assert singles(api) == 1


def test_what_a_batch_has_not_answered_in_time_is_asked_for_directly_and_the_batch_cancelled(
    services: Services, api: FakeAnthropic
) -> None:
    sent(services, 1, 2)
    let_time_run_out(services, 1)
    work(services)
    assert (singles(api), analysis(services, 1).batch) == (1, False)
    look_again(services)
    (batch,) = services.ledger.batches()
    cancel = f"{PATH}/{batch.id}/cancel"
    assert posts(api, cancel) == 0  # one of them is still wanted
    let_time_run_out(services, 2)
    work(services)
    api.batches.cancelling = 60
    look_again(services)
    look_again(services)
    assert posts(api, cancel) == 1
    api.clock.advance(60)
    look_again(services)
    assert services.ledger.batches() == []
    assert services.ledger.status([]).analysed == 2


def test_an_answer_that_comes_too_late_is_counted_and_dropped(services: Services, api: FakeAnthropic) -> None:
    sent(services, 1, 2)
    let_time_run_out(services, 1)
    work(services)
    direct = analysis(services, 1)
    answered(services, api)
    assert analysis(services, 1) == direct
    today = services.ledger.status([]).today
    assert today["model_calls"] == 3
    assert today["cost_usd"] > direct.usage.cost_usd + analysis(services, 2).usage.cost_usd


def test_a_batch_whose_sending_was_cut_off_is_sent_once_more_then_asked_for_directly(
    services: Services, api: FakeAnthropic
) -> None:
    bring(services, 1)
    let_wait(services)
    api.script_batches(Behaviour.RESET, Behaviour.RESET)
    for count in (1, 2):
        work_on_batches(services)
        work_on_batches(services)  # not again at once
        assert batches_sent(api) == count
        services.ledger.redis.delete(f"daybook:turn:{SEND_TURN}")
    work_on_batches(services)
    assert (batches_sent(api), singles(api)) == (2, 0)
    work(services)
    assert (batches_sent(api), singles(api), analysis(services, 1).batch) == (2, 1, False)


def test_a_batch_whose_sender_was_killed_is_sent_once_more(services: Services, api: FakeAnthropic) -> None:
    bring(services, 1)
    let_wait(services)
    services.ledger.begin_batch(most=9, fewest=1, patience=0, left=0)  # and then the process is gone
    work_on_batches(services)
    assert batches_sent(api) == 1
    answered(services, api)
    assert analysis(services, 1).batch


@pytest.mark.parametrize("behaviour", [Behaviour.RATE_LIMITED, Behaviour.UNAUTHORIZED, Behaviour.OVERLOADED])
def test_a_limit_pauses_all_calls_and_loses_nothing(
    services: Services, api: FakeAnthropic, behaviour: Behaviour
) -> None:
    bring(services, 1)
    let_wait(services)
    for _ in range(3):
        api.script_batches(behaviour)
        work_on_batches(services)
        assert services.ledger.paused("anthropic") > 0
        work_on_batches(services)
        services.ledger.redis.delete("daybook:pause:anthropic", f"daybook:turn:{SEND_TURN}")
    assert batches_sent(api) == 3
    work_on_batches(services)
    api.script_batches(behaviour)
    look_again(services)  # asking after it fails
    services.ledger.redis.delete("daybook:pause:anthropic")
    answered(services, api)
    assert analysis(services, 1).batch


def test_an_api_that_fails_while_it_is_asked_after_a_batch_is_asked_again(
    services: Services, api: FakeAnthropic
) -> None:
    sent(services, 1)
    api.clock.advance(3600)
    api.script_batches(Behaviour.ERROR_500, Behaviour.FINE, Behaviour.FINE, Behaviour.RESET)
    look_again(services)
    look_again(services)  # it has ended, but the answers break off
    assert len(services.ledger.batches()) == 1
    answered(services, api)
    assert (batches_sent(api), singles(api), analysis(services, 1).batch) == (1, 0, True)


def test_what_the_budget_does_not_allow_is_not_sent(redis_url: str, api: FakeAnthropic, tmp_path: Path) -> None:
    with connected(redis_url, api, tmp_path, daybook_daily_budget_usd=0.000001) as services:
        bring(services, 1)
        let_wait(services)
        work_on_batches(services)
        assert batches_sent(api) == 0
        work(services)
        assert (analysis(services, 1).origin, analysis(services, 1).limit) == ("rules", "budget")


def test_the_money_of_a_batch_stays_set_aside(redis_url: str, api: FakeAnthropic, tmp_path: Path) -> None:
    with connected(redis_url, api, tmp_path, daybook_daily_budget_usd=1.0) as services:
        sent(services, 1, 2)
        (batch,) = services.ledger.batches()
        assert 0 < batch.dollars < 0.01
        services.ledger.redis.delete("daybook:reserved")  # as 15 minutes do
        work_on_batches(services)
        assert not services.ledger.reserve("another", 1.0, 1.0)
        answered(services, api)
        assert services.ledger.redis.zcard("daybook:reserved") == 0


def test_a_commit_whose_diff_has_expired_is_fetched_again(services: Services, api: FakeAnthropic) -> None:
    bring(services, 1)
    let_wait(services)
    services.ledger.redis.delete(f"daybook:diff:{commit_id(1)}")
    work_on_batches(services)
    assert batches_sent(api) == 0
    work(services)
    assert services.ledger.redis.hget(f"daybook:work:{commit_id(1)}", "stage") == b"fetch"


def test_a_person_who_raises_a_commit_makes_its_answer_useless(services: Services, api: FakeAnthropic) -> None:
    sent(services, 1)
    services.ledger.correct(commit_id(1), Correction(tier=Tier.HIGH, why="it breaks us", at=datetime.now(UTC)))
    answered(services, api)
    assert (analysis(services, 1).depth, analysis(services, 1).batch) == (Tier.HIGH, False)
    assert services.ledger.status([]).today["model_calls"] == 2


def test_a_second_scheduler_leaves_while_one_is_at_it(services: Services, api: FakeAnthropic) -> None:
    bring(services, 1)
    let_wait(services)
    lock = services.ledger.lock("batch", 10)
    assert lock.acquire()
    work_on_batches(services)
    assert batches_sent(api) == 0
    lock.release()
    work_on_batches(services)
    assert batches_sent(api) == 1


def test_a_batch_that_the_api_has_lost_is_given_up_after_a_day(services: Services) -> None:
    sent(services, 1)
    (batch,) = services.ledger.batches()
    services.ledger.redis.hset(f"daybook:batch:{batch.key}", "begun", time.time() - 27 * 3600)
    work_on_batches(services)
    assert services.ledger.batches() == []
    work(services)
    assert analysis(services, 1).batch is False


def test_beat_looks_after_batches_where_nothing_waits_behind_them() -> None:
    assert "daybook.batch" in app.tasks
    assert beat_schedule["batch"]["task"] == "daybook.batch"
    assert task_routes["daybook.batch"] == {"queue": "upstream"}
    assert timedelta(seconds=STAGE_SECONDS[Stage.ANALYSE]) < MARGIN
