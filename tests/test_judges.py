"""Two judges, one policy, end to end: what the model makes of a commit, what the rules hold, what a person says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.ledger import Stage
from core.models import Correction, Tier, Usage, Verdict, added
from tests.fakes.anthropic import Behaviour
from tests.working import NAME, Worker, analysis_and_verdict, worker
from workers.app import messages

FIX = (
    "Fix the answer to empty input",
    {"src/engine.py": "def f(x):\n    if not x:\n        return None\n    return x\n"},
)
TIDY = ("Tidy the scheduler", {"src/engine.py": "second = 2\nfirst = 1\n"})
DOCS = ("Say more in the guide", {"docs/guide.md": "Another sentence.\n"})
VITAL = ("Tidy the core", {"vital/engine.py": "second = 2\nfirst = 1\n"})
SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-5-5"
WHY = "Callers see another result."


@pytest.fixture
def bench(tmp_path: Path, redis_url: str) -> Iterator[Worker]:
    with worker(tmp_path, redis_url) as made:
        yield made


def tell(bench: Worker, commit_id: str, tier: str, reason: str = WHY) -> None:
    """Let the model have this opinion of a commit."""
    bench.api.opinions[commit_id.partition("@")[2]] = (tier, reason)


def usage_in_ledger(bench: Worker) -> Usage:
    return added(*bench.services.ledger.spent_in_all().values())


def test_judges_who_agree_need_one_call(bench: Worker) -> None:
    record = bench.analyse(bench.push(*FIX))
    analysis, verdict = analysis_and_verdict(record)
    assert verdict == Verdict(tier=Tier.MEDIUM, rule="agreed")
    assert (record.tier, analysis.depth, analysis.limit) == (Tier.MEDIUM, Tier.MEDIUM, None)
    assert bench.asked() == [(HAIKU, "medium")]


def test_a_raised_commit_is_read_once_more_at_the_verdicts_depth(bench: Worker) -> None:
    commit_id = bench.push(*FIX)
    tell(bench, commit_id, "high")
    record = bench.analyse(commit_id)
    analysis, verdict = analysis_and_verdict(record)
    assert verdict == Verdict(tier=Tier.HIGH, rule="moved")
    assert (record.tier, analysis.depth, analysis.model) == (Tier.HIGH, Tier.HIGH, SONNET)
    assert analysis.opinion
    assert analysis.opinion.reason == WHY
    assert bench.asked() == [(HAIKU, "medium"), (SONNET, "high")]
    assert analysis.usage.calls == 2
    assert usage_in_ledger(bench) == analysis.usage


def test_two_tiers_are_one_step_and_never_a_third_reading(bench: Worker) -> None:
    commit_id = bench.push(*TIDY)
    tell(bench, commit_id, "high")
    record = bench.analyse(commit_id)
    analysis, verdict = analysis_and_verdict(record)
    assert verdict == Verdict(tier=Tier.MEDIUM, rule="one_step")
    assert analysis.depth is Tier.MEDIUM
    assert bench.asked() == [(HAIKU, "low"), (HAIKU, "medium")]


def test_a_lowered_commit_keeps_what_was_written(bench: Worker) -> None:
    commit_id = bench.push(*FIX)
    tell(bench, commit_id, "low")
    record = bench.analyse(commit_id)
    analysis, verdict = analysis_and_verdict(record)
    assert verdict == Verdict(tier=Tier.LOW, rule="moved")
    assert (record.tier, analysis.depth) == (Tier.LOW, Tier.MEDIUM)
    assert len(bench.asked()) == 1


def test_facts_hold_against_the_model_in_both_directions(bench: Worker) -> None:
    docs, vital = bench.push(*DOCS), bench.push(*VITAL)
    tell(bench, docs, "high")
    tell(bench, vital, "low")
    assert analysis_and_verdict(bench.analyse(docs))[1] == Verdict(tier=Tier.LOW, rule="ceiling", fact="only_docs")
    assert analysis_and_verdict(bench.analyse(vital))[1] == Verdict(tier=Tier.HIGH, rule="floor", fact="watched")
    assert [depth for _, depth in bench.asked()] == ["low", "high"]


@pytest.mark.parametrize("behaviour", [Behaviour.REFUSAL, Behaviour.ERROR_500, Behaviour.RATE_LIMITED])
def test_a_second_reading_that_fails_loses_nothing(bench: Worker, behaviour: Behaviour) -> None:
    commit_id = bench.push(*FIX)
    tell(bench, commit_id, "high")
    bench.api.script(Behaviour.FINE, behaviour)
    record = bench.analyse(commit_id)
    analysis, verdict = analysis_and_verdict(record)
    assert verdict == Verdict(tier=Tier.HIGH, rule="moved")
    assert (record.tier, analysis.depth, analysis.limit) == (Tier.HIGH, Tier.MEDIUM, None)
    assert (analysis.origin, record.failure) == ("model", None)
    assert usage_in_ledger(bench).calls == (2 if behaviour is Behaviour.REFUSAL else 1)


def test_a_reply_that_did_not_fit_is_not_read_deeper(bench: Worker) -> None:
    commit_id = bench.push(*FIX)
    tell(bench, commit_id, "high")
    bench.api.script(Behaviour.TRUNCATED, Behaviour.TRUNCATED)
    analysis, verdict = analysis_and_verdict(bench.analyse(commit_id))
    assert (analysis.depth, analysis.limit, verdict.tier) == (Tier.LOW, "room", Tier.HIGH)
    assert [depth for _, depth in bench.asked()] == ["medium", "medium", "low"]


@pytest.mark.parametrize("said", [Tier.LOW, Tier.HIGH])
def test_a_persons_tier_sets_the_depth_and_the_model_moves_nothing(bench: Worker, said: Tier) -> None:
    commit_id = bench.push(*FIX)
    correction = Correction(tier=said, why="Our fork builds on it.", at=datetime(2026, 2, 17, tzinfo=UTC))
    assert bench.services.ledger.correct(commit_id, correction)
    tell(bench, commit_id, "high")
    record = bench.analyse(commit_id)
    analysis, verdict = analysis_and_verdict(record)
    assert (record.tier, analysis.depth) == (said, said)
    assert verdict == Verdict(tier=Tier.HIGH, rule="moved")
    assert len(bench.asked()) == 1


def test_by_the_rules_alone_nobody_is_asked(tmp_path: Path, redis_url: str) -> None:
    with worker(tmp_path, redis_url, table={"analysis": "rules"}) as bench:
        analysis, verdict = analysis_and_verdict(bench.record(bench.push(*FIX)))
        assert bench.api.requests == []
    assert (analysis.origin, analysis.limit) == ("rules", None)
    assert verdict == Verdict(tier=Tier.MEDIUM, rule="rules")


def test_code_that_is_kept_from_the_model_at_a_tier_is_not_shown_to_it_there(tmp_path: Path, redis_url: str) -> None:
    with worker(tmp_path, redis_url, table={"analysis": {"high": "rules"}}) as bench:
        commit_id = bench.push(*FIX)
        tell(bench, commit_id, "high")
        record = bench.analyse(commit_id)
        assert bench.asked() == [(HAIKU, "medium")]
    assert record.tier is Tier.HIGH


def test_a_commit_that_the_model_refuses_is_shown_by_its_facts(bench: Worker) -> None:
    commit_id = bench.push(*FIX)
    bench.api.script(Behaviour.INVENTED_NAMES, Behaviour.INVENTED_NAMES)
    record = bench.analyse(commit_id)
    assert record.analysis
    assert record.failure
    assert (record.analysis.origin, record.tier) == ("degraded", Tier.MEDIUM)
    assert record.failure.reason.startswith("it names what the commit does not have: `")
    spent = bench.services.ledger.spent_in_all()
    assert {spender: usage.calls for spender, usage in spent.items()} == {(NAME, Tier.MEDIUM): 2}


def test_a_refused_commit_is_shown_as_deeply_as_a_person_wanted_it(bench: Worker) -> None:
    commit_id = bench.push(*FIX)
    wanted = Correction(tier=Tier.HIGH, why="Our fork builds on it.", at=datetime(2026, 2, 17, tzinfo=UTC))
    bench.services.ledger.correct(commit_id, wanted)
    bench.api.script(Behaviour.REFUSAL)
    record = bench.analyse(commit_id)
    assert record.analysis
    assert (record.tier, record.analysis.depth, record.analysis.origin) == (Tier.HIGH, Tier.HIGH, "degraded")
    assert (record.verdict, record.triage and record.triage.tier) == (None, Tier.MEDIUM)


def test_a_new_reading_that_is_refused_leaves_the_old_analysis(bench: Worker) -> None:
    commit_id = bench.push(*FIX)
    before = bench.analyse(commit_id)
    bench.services.ledger.correct(
        commit_id, Correction(tier=Tier.HIGH, why="Ours.", at=datetime(2026, 2, 17, tzinfo=UTC))
    )
    assert bench.services.ledger.reanalyse(commit_id, messages(Stage.FETCH, [commit_id])[0])
    bench.stage(commit_id, Stage.FETCH)
    bench.api.script(Behaviour.REFUSAL)
    after = bench.analyse(commit_id)
    assert (after.analysis, after.failure, after.tier) == (before.analysis, None, Tier.HIGH)
    assert usage_in_ledger(bench).calls == 2
    assert bench.services.ledger.failed() == []


def test_a_diff_that_expired_is_read_again(bench: Worker) -> None:
    commit_id = bench.push(*FIX)
    bench.services.ledger.redis.delete(f"daybook:diff:{commit_id}")
    bench.stage(commit_id, Stage.ANALYSE)
    bench.stage(commit_id, Stage.FETCH)
    assert bench.analyse(commit_id).tier is Tier.MEDIUM


def test_each_answer_corrects_the_estimate_of_its_model(bench: Worker) -> None:
    ratio = bench.services.ledger.token_ratio
    bench.api.characters_per_token = 1.8
    assert ratio(HAIKU) == 1.0
    bench.analyse(bench.push(*FIX))
    assert ratio(HAIKU) == pytest.approx(3.6 / 1.8, rel=0.15)
    assert ratio(SONNET) == 1.0
