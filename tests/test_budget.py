"""The day's budget: full depth, then medium depth, then the rules; never silently, and never twice for one commit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog.testing

from core.ledger import Stage
from core.models import Tier, Usage, Verdict
from tests.fakes.anthropic import Behaviour
from tests.test_judges import DOCS, FIX, HAIKU, SONNET, VITAL, tell
from tests.working import NAME, Worker, analysis_and_verdict, worker
from workers.orders import order_of

BUDGET = 1.0


def spend(bench: Worker, dollars: float) -> None:
    """Let so much of the day's budget be gone."""
    bench.services.ledger.spend(Usage(cost_usd=dollars, calls=1), NAME, Tier.HIGH)


def reserved(bench: Worker) -> int:
    """How many reservations are open."""
    return int(bench.services.ledger.redis.zcard("daybook:reserved"))


@pytest.mark.parametrize(
    ("gone", "asked", "origin", "limit", "depth"),
    [
        (0.0, [(SONNET, "high")], "model", None, Tier.HIGH),
        (0.79, [(HAIKU, "medium")], "model", "budget", Tier.MEDIUM),
        (0.95, [(HAIKU, "medium")], "model", "budget", Tier.MEDIUM),
        (1.0, [], "rules", "budget", Tier.HIGH),
    ],
)
def test_a_high_commit_as_the_budget_goes(
    tmp_path: Path,
    redis_url: str,
    gone: float,
    asked: list[tuple[str, str]],
    origin: str,
    limit: str | None,
    depth: Tier,
) -> None:
    with worker(tmp_path, redis_url, daybook_daily_budget_usd=BUDGET) as bench:
        spend(bench, gone)
        commit_id = bench.push(*VITAL)
        with structlog.testing.capture_logs() as logs:
            record = bench.analyse(commit_id)
        analysis, verdict = analysis_and_verdict(record)
        assert bench.asked() == asked
        assert (analysis.origin, analysis.limit, analysis.depth) == (origin, limit, depth)
        assert (record.tier, record.failure) == (Tier.HIGH, None)
        assert verdict == Verdict(tier=Tier.HIGH, rule="agreed" if asked else "rules")
        degraded = [entry for entry in logs if entry["event"] == "budget_degraded"]
        assert len(degraded) == (limit is not None)
        counted = bench.services.ledger.redis.hgetall("daybook:meters")
        to = None if limit is None else "medium" if asked else "rules"
        assert {key for key in counted if key.startswith(b"degraded")} == ({f"degraded {to}".encode()} if to else set())
        assert reserved(bench) == 0


@pytest.mark.parametrize(("gone", "calls"), [(0.95, 1), (1.0, 0)])
def test_medium_and_low_commits_are_asked_about_until_the_whole_budget_is_gone(
    tmp_path: Path, redis_url: str, gone: float, calls: int
) -> None:
    with worker(tmp_path, redis_url, daybook_daily_budget_usd=BUDGET) as bench:
        spend(bench, gone)
        for change, tier in ((FIX, Tier.MEDIUM), (DOCS, Tier.LOW)):
            before = len(bench.asked())
            analysis, _ = analysis_and_verdict(bench.analyse(bench.push(*change)))
            assert len(bench.asked()) - before == calls
            assert analysis.limit == (None if calls else "budget")
            assert analysis.depth is tier


def test_a_raised_commit_that_cannot_be_afforded_keeps_its_first_reading(tmp_path: Path, redis_url: str) -> None:
    with worker(tmp_path, redis_url, daybook_daily_budget_usd=BUDGET) as bench:
        spend(bench, 0.79)
        commit_id = bench.push(*FIX)
        tell(bench, commit_id, "high")
        analysis, verdict = analysis_and_verdict(bench.analyse(commit_id))
        assert bench.asked() == [(HAIKU, "medium")]
        assert (analysis.depth, analysis.limit) == (Tier.MEDIUM, "budget")
        assert verdict == Verdict(tier=Tier.HIGH, rule="moved")
        assert reserved(bench) == 0


def test_calls_under_way_count_so_that_many_at_once_do_not_all_take_the_last_dollar(
    tmp_path: Path, redis_url: str
) -> None:
    with worker(tmp_path, redis_url, daybook_daily_budget_usd=0.2) as bench:
        ids = [bench.push("Tidy the core", {"vital/engine.py": f"value = {n}\n"}) for n in range(6)]
        bench.api.delay = 0.5
        with ThreadPoolExecutor(6) as pool:
            records = list(pool.map(bench.analyse, ids))
        spent = sum(usage.cost_usd for usage in bench.services.ledger.spent_in_all().values())
        assert reserved(bench) == 0
    limits = [record.analysis.limit for record in records if record.analysis]
    assert 0 < limits.count(None) < 6  # each is estimated at about six cents
    assert spent < 0.2


def test_what_was_set_aside_is_given_back_when_the_call_fails(tmp_path: Path, redis_url: str) -> None:
    with worker(tmp_path, redis_url, daybook_daily_budget_usd=BUDGET) as bench:
        commit_id = bench.push(*VITAL)
        bench.api.script(Behaviour.ERROR_500)
        bench.stage(commit_id, Stage.ANALYSE)
        assert bench.record(commit_id).analysis is None
        assert reserved(bench) == 0


def test_an_estimate_is_near_the_price(tmp_path: Path, redis_url: str) -> None:
    with worker(tmp_path, redis_url) as bench:
        commit_id = bench.push(*FIX)
        claim = bench.services.ledger.claim(commit_id, Stage.ANALYSE)
        assert claim
        order = order_of(claim.record, claim.diff, "en")
        assert order
        assert bench.services.analyst
        estimate = bench.services.analyst.estimate(
            order.commit, order.facts, order.triage, order.diff, order.language, order.depth
        )
        paid = bench.services.analyse(order).usage.cost_usd
    assert 0.8 * paid < estimate < 4 * paid
