"""Long commits read in parts: covered whole, by notes of the medium model and one analysis of the high one."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from core.models import Analysis, Diff, Facts, FileChange, Tier, Unseen
from tests.fakes.anthropic import Behaviour, FakeAnthropic
from tests.patches import change, commit, diff
from tests.test_analyst import KEY, MODELS, triage
from workers.analyst import AnalysisRefused, Analyst, ModelUnavailable, Order
from workers.calibration import Uncalibrated
from workers.deadlines import within
from workers.diffview import DiffView
from workers.facts import facts_from
from workers.fair_semaphore import FairSemaphore
from workers.reading import MOST_PARTS, unread_of

COMMIT = commit("Rewrite the scheduler")
HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"


def long_file(number: int, lines: int, status: str = "added") -> FileChange:
    body = "\n".join(f"+value_{number}_{line} = compute({line}, 'some argument of it')" for line in range(lines))
    return change(f"engine/part_{number}.py", f"@@ -0,0 +1,{lines} @@\n{body}", status=status)


def long_diff(files: int = 10, lines: int = 2_000) -> Diff:
    """20,000 added lines as a rule, of some 350,000 tokens."""
    return diff(*(long_file(number, lines) for number in range(files)))


@pytest.fixture
def api() -> Iterator[FakeAnthropic]:
    with FakeAnthropic(key=KEY) as server:
        yield server


@pytest.fixture
def analyst(api: FakeAnthropic) -> Iterator[Analyst]:
    made = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=MODELS, timeout=20)
    yield made
    made.close()


def facts(changes: Diff) -> Facts:
    return facts_from(COMMIT, changes)


def analyse(analyst: Analyst, changes: Diff, depth: Tier = Tier.HIGH) -> Analysis:
    return analyst.analyse(COMMIT, facts(changes), triage(depth), changes, "en", depth)


def asked(api: FakeAnthropic) -> list[str]:
    """The models of the calls for messages, in their order."""
    return [request.body["model"] for request in api.requests if request.path == "/v1/messages"]


def test_twenty_thousand_lines_are_covered_whole(analyst: Analyst, api: FakeAnthropic) -> None:
    changes = long_diff()
    analysis = analyse(analyst, changes)

    notes = [request.prompt for request in api.requests if request.body["model"] == HAIKU]
    shown = [line for prompt in notes for line in re.findall(r"^\+(value_\w+) =", prompt, re.MULTILINE)]
    assert len(shown) == len(set(shown)) == 20_000
    assert analysis.unseen == ()
    assert analysis.parts == len(notes)
    assert 4 <= analysis.parts <= 8
    assert asked(api) == [HAIKU] * analysis.parts + [SONNET]
    assert analysis.usage.calls == analysis.parts + 1
    assert (analysis.depth, analysis.model, analysis.limit) == (Tier.HIGH, SONNET, None)
    assert sorted(re.findall(r"Note what part (\d+) of", " ".join(notes))) == [
        str(number) for number in range(1, analysis.parts + 1)
    ]
    last = api.requests[-1].prompt
    assert all(f"engine/part_{number}.py" in last for number in range(10))
    assert len(last) < len(notes[0])


def test_what_one_view_of_its_depth_shows_is_read_at_once(analyst: Analyst, api: FakeAnthropic) -> None:
    assert analyse(analyst, long_diff(2, 100)).parts == 1
    assert asked(api) == [SONNET]
    analyse(analyst, long_diff(4), Tier.MEDIUM)
    assert asked(api) == [SONNET, HAIKU]


def test_what_is_one_part_is_shown_as_it_is(analyst: Analyst, api: FakeAnthropic) -> None:
    analysis = analyse(analyst, long_diff(2, 1_700))
    assert (analysis.parts, analysis.unseen) == (1, ())
    assert asked(api) == [SONNET]
    assert api.requests[0].prompt.count("\n+value_") == 3_400


def test_generated_files_alone_make_no_parts(analyst: Analyst, api: FakeAnthropic) -> None:
    lock = change("uv.lock", "\n".join(["@@ -0,0 +1,90000 @@", *("+x" * 20 for _ in range(9_000))]))
    analysis = analyse(analyst, diff(lock, long_file(1, 50)))
    assert (analysis.parts, analysis.unseen) == (1, (Unseen(path="uv.lock", lines=9_000),))
    assert asked(api) == [SONNET]


def test_a_part_without_notes_is_listed_as_unseen(analyst: Analyst, api: FakeAnthropic) -> None:
    api.script(Behaviour.REFUSAL)
    analysis = analyse(analyst, long_diff())
    refused = next(request for request in api.requests if request.body["model"] == HAIKU)
    assert sum(unseen.lines for unseen in analysis.unseen) == refused.prompt.count("\n+value_") > 1_000
    assert analysis.usage.calls == analysis.parts + 1


def test_notes_are_mended_as_analyses_are(analyst: Analyst, api: FakeAnthropic) -> None:
    api.script(Behaviour.INVALID_JSON, Behaviour.TRUNCATED)
    analysis = analyse(analyst, long_diff())
    assert analysis.unseen == ()
    assert analysis.usage.calls == analysis.parts + 3


def test_an_api_that_cannot_answer_ends_the_reading_and_all_its_calls_are_paid_for(
    analyst: Analyst, api: FakeAnthropic
) -> None:
    api.script(Behaviour.FINE, Behaviour.FINE, Behaviour.OVERLOADED)
    with pytest.raises(ModelUnavailable) as caught:
        analyse(analyst, long_diff(20))
    answered = len(asked(api)) - 1
    assert caught.value.usage.calls == answered < MOST_PARTS


def test_a_conclusion_that_is_refused_costs_what_the_notes_cost_too(analyst: Analyst, api: FakeAnthropic) -> None:
    parts = analyse(analyst, long_diff()).parts
    api.script(*[Behaviour.FINE] * parts, Behaviour.REFUSAL)
    with pytest.raises(AnalysisRefused) as refused:
        analyse(analyst, long_diff())
    assert refused.value.usage.calls == parts + 1


def test_the_threads_of_a_reading_end_with_its_deadline_and_that_with_the_callers(api: FakeAnthropic) -> None:
    api.otherwise = Behaviour.HANG
    for outer, total in ((60.0, 0.4), (0.6, 540.0)):
        analyst = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=MODELS, timeout=30, total=total)
        started = time.monotonic()
        with within(outer), pytest.raises(ModelUnavailable, match="did not answer in time"):
            analyse(analyst, long_diff())
        assert 0.5 < time.monotonic() - started < 15  # silence alone would be 30 s
        analyst.close()


def test_parts_make_no_more_calls_at_a_time_than_there_may_be(api: FakeAnthropic) -> None:
    api.delay = 0.05
    analyst = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=MODELS, timeout=20, calls=FairSemaphore(2))
    whole = [analyse(analyst, long_diff())]
    one = threading.Thread(target=lambda: whole.append(analyse(analyst, long_diff())))
    one.start()
    whole.append(analyse(analyst, long_diff()))
    one.join()
    analyst.close()
    assert [analysis.unseen for analysis in whole] == [()] * 3
    assert api.most_concurrent == 2


def test_who_gets_no_turn_to_call_within_its_deadline_tries_later(api: FakeAnthropic) -> None:
    calls = FairSemaphore(1)
    assert calls.acquire(0)
    analyst = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=MODELS, timeout=20, total=0.2, calls=calls)
    with pytest.raises(ModelUnavailable, match="no turn"):
        analyse(analyst, long_diff(1, 10))
    calls.release()
    assert analyse(analyst, long_diff(1, 10)).usage.calls == 1
    analyst.close()


def test_beyond_twelve_parts_the_rest_is_unseen(analyst: Analyst) -> None:
    analysis = analyse(analyst, long_diff(30, 2_400))
    assert analysis.parts == MOST_PARTS
    assert sum(unseen.lines for unseen in analysis.unseen) > 10_000


class Learnt(Uncalibrated):
    """What comparisons have taught so far."""

    def token_ratio(self, model: str) -> float:
        return 1.2 if model == HAIKU else 1.0


def test_parts_are_cut_smaller_where_the_api_counts_more_than_the_model_takes_at_its_price(api: FakeAnthropic) -> None:
    api.characters_per_token = 2.4  # 1.5 times the estimate
    analyst = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=MODELS, timeout=20, calibration=Learnt())
    analysis = analyse(analyst, long_diff(50, 400))
    analyst.close()
    counts = [request for request in api.requests if request.path == "/v1/messages/count_tokens"]
    notes = [request for request in api.requests if request.path == "/v1/messages" and request.body["model"] == HAIKU]
    assert api.count(counts[0]) > 100_000 > max(map(api.count, notes))
    assert analysis.unseen == ()


def test_near_its_limit_the_model_counts_and_the_view_becomes_smaller(api: FakeAnthropic) -> None:
    api.characters_per_token = 2.4
    analyst = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=dict.fromkeys(Tier, HAIKU), timeout=20)
    analysis = analyse(analyst, long_diff(10, 545))
    analyst.close()
    counted, asked_for = (request for request in api.requests if request.path.startswith("/v1/messages"))
    assert (counted.path, asked_for.path) == ("/v1/messages/count_tokens", "/v1/messages")
    assert api.count(counted) > 100_000 >= api.count(asked_for) > 80_000
    assert analysis.unseen
    assert sum(unseen.lines for unseen in analysis.unseen) + asked_for.prompt.count("\n+value_") == 5_450


def test_an_estimate_counts_every_part(analyst: Analyst) -> None:
    changes = long_diff()
    estimate = analyst.estimate(COMMIT, facts(changes), triage(Tier.HIGH), changes, "en", Tier.HIGH)
    paid = analyse(analyst, changes).usage.cost_usd
    assert 0.8 * paid < estimate < 4 * paid


def test_a_commit_of_several_parts_is_not_for_a_batch(analyst: Analyst) -> None:
    short, long = long_diff(1, 10), long_diff()
    orders = [Order(COMMIT, facts(one), triage(Tier.HIGH), one, "en", Tier.HIGH) for one in (short, long)]
    assert [analyst.in_one_call(order) for order in orders] == [True, False]


def test_what_a_lost_part_showed() -> None:
    moved = "=== a/b.py (was c.py) [renamed, +2 -1]\n@@ -1 +1 @@\n-old\n+new\n+more"
    going_on = "=== d [x].py [modified, +1 -0] (continued)\n@@ -1 +1,2 @@\n same\n+++ plus"
    text = f"{moved}\n{going_on}"
    assert unread_of(DiffView(text, ())) == (Unseen(path="a/b.py", lines=3), Unseen(path="d [x].py", lines=1))
