"""The analyst's side of batches, over the wire: requests as direct calls make them, answers judged as theirs are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from core.models import Tier
from tests.fakes.anthropic import Behaviour, FakeAnthropic
from tests.test_analyst import COMMIT, DIFF, FACTS, KEY, MODELS, SECRET, triage
from workers.analyst import AnalysisRefused, Analyst, BatchAnswer, ModelUnavailable, NeedsDirectCall, Order
from workers.calibration import Uncalibrated

LOW = Order(COMMIT, FACTS, triage(Tier.LOW), DIFF, "en", Tier.LOW)
MEDIUM = Order(COMMIT, FACTS, triage(Tier.MEDIUM), DIFF, "zh", Tier.MEDIUM)


class Noted(Uncalibrated):
    """Keeps the comparisons."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int, int]] = []

    def calibrate(self, model: str, estimated: int, actual: int) -> None:
        self.found.append((model, estimated, actual))


@pytest.fixture
def api() -> Iterator[FakeAnthropic]:
    with FakeAnthropic(key=KEY) as server:
        yield server


@pytest.fixture
def noted() -> Noted:
    return Noted()


@pytest.fixture
def analyst(api: FakeAnthropic, noted: Noted) -> Iterator[Analyst]:
    made = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=MODELS, timeout=20, calibration=noted)
    yield made
    made.close()


def answers(analyst: Analyst, orders: dict[str, Order]) -> dict[str, BatchAnswer]:
    """The answers of a batch that ends at once."""
    batch = analyst.submit(orders)
    assert analyst.batch_ended(batch)
    return dict(analyst.batch_answers(batch))


def test_orders_of_any_depth_and_language_are_answered_at_half_the_price(
    analyst: Analyst, api: FakeAnthropic, noted: Noted
) -> None:
    orders = {"a_1": LOW, "b-2": MEDIUM}
    found = answers(analyst, orders)
    sent = next(request for request in api.requests if request.path == "/v1/messages/batches")
    assert SECRET not in str(sent.body)

    low, medium = (analyst.judge(orders[key], found[key]) for key in ("a_1", "b-2"))
    assert (low.depth, low.language, low.batch, low.parts) == (Tier.LOW, "en", True, 1)
    assert low.summary.startswith("`engine/scheduler.py` now checks its input")
    assert (medium.depth, medium.language, len(medium.advice)) == (Tier.MEDIUM, "zh", 1)
    assert low.opinion
    assert low.opinion.tier is Tier.LOW
    assert [model for model, _, _ in noted.found] == [MODELS[Tier.LOW], MODELS[Tier.MEDIUM]]
    assert all(0.8 < actual / estimated < 1.4 for _, estimated, actual in noted.found)

    usage = low.usage
    fresh, written, answered = usage.input_tokens * 0.10, usage.cache_write_tokens * 0.20, usage.output_tokens * 0.50
    assert usage.cost_usd == pytest.approx(0.5 * (fresh + written + answered) / 1_000_000)
    assert usage.cache_write_tokens > 0


def test_a_batch_takes_its_time_and_can_be_cancelled(analyst: Analyst, api: FakeAnthropic) -> None:
    api.batches.seconds = 3600
    batch = analyst.submit({"one": LOW})
    assert not analyst.batch_ended(batch)
    analyst.cancel(batch)
    assert analyst.batch_ended(batch)
    ((key, answer),) = analyst.batch_answers(batch)
    assert (key, answer.type, answer.message) == ("one", "canceled", None)


@pytest.mark.parametrize(
    ("behaviour", "reason", "calls"),
    [
        (Behaviour.EXPIRED, "the batch gave no answer (expired)", 0),
        (Behaviour.OVERLOADED, "the batch gave no answer (errored)", 0),
        (Behaviour.PROMPT_TOO_LONG, "the batch gave no answer (errored)", 0),
        (Behaviour.TRUNCATED, "the reply did not fit into 4000 tokens (max_tokens)", 1),
        (Behaviour.INVALID_JSON, "the reply is not valid JSON", 1),
        (Behaviour.CONTEXT_EXCEEDED, "the commit does not fit the model (model_context_window_exceeded)", 1),
    ],
)
def test_what_a_direct_call_may_mend_needs_one(
    analyst: Analyst, api: FakeAnthropic, behaviour: Behaviour, reason: str, calls: int
) -> None:
    api.script(behaviour)
    found = answers(analyst, {"one": LOW})
    with pytest.raises(NeedsDirectCall) as caught:
        analyst.judge(LOW, found["one"])
    assert str(caught.value) == reason
    assert caught.value.usage.calls == calls
    assert (caught.value.usage.cost_usd > 0) == (calls > 0)


def test_invented_names_need_a_direct_call_and_a_refusal_is_one(analyst: Analyst, api: FakeAnthropic) -> None:
    api.script(Behaviour.INVENTED_NAMES, Behaviour.REFUSAL)
    found = answers(analyst, {"one": MEDIUM, "two": MEDIUM})
    with pytest.raises(NeedsDirectCall, match="it names what the commit does not have"):
        analyst.judge(MEDIUM, found["one"])
    with pytest.raises(AnalysisRefused, match="declined") as refused:
        analyst.judge(MEDIUM, found["two"])
    assert refused.value.usage.calls == 1


@pytest.mark.parametrize("behaviour", [Behaviour.RESET, Behaviour.OVERLOADED, Behaviour.NO_MESSAGE])
def test_an_endpoint_that_cannot_answer_is_transient(
    analyst: Analyst, api: FakeAnthropic, behaviour: Behaviour
) -> None:
    api.script_batches(behaviour)
    with pytest.raises(ModelUnavailable):
        analyst.submit({"one": LOW})
    batch = analyst.submit({"one": LOW})
    api.script_batches(behaviour)
    with pytest.raises(ModelUnavailable):
        analyst.batch_ended(batch)
    api.script_batches(Behaviour.FINE, behaviour)
    with pytest.raises(ModelUnavailable):
        list(analyst.batch_answers(batch))


def test_a_batch_that_is_not_known_is_no_crash(analyst: Analyst) -> None:
    with pytest.raises(ModelUnavailable):
        analyst.batch_ended("msgbatch_01none")
