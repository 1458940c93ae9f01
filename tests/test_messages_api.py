"""The client of the Messages API over the wire: what becomes of everything that can go wrong with a call."""

from __future__ import annotations

import pickle
import socket
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import SecretStr

from core.errors import Permanent, Transient
from core.models import Usage
from tests.fakes.anthropic import Behaviour, FakeAnthropic
from tests.test_analyst import KEY, MODELS, analyse
from workers.analyst import AnalysisRefused, Analyst
from workers.fair_semaphore import FairSemaphore


@pytest.fixture
def api() -> Iterator[FakeAnthropic]:
    with FakeAnthropic(key=KEY) as server:
        yield server


@pytest.fixture
def analyst(api: FakeAnthropic) -> Iterator[Analyst]:
    made = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=MODELS, timeout=20)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("behaviour", "header", "retry_after", "shared"),
    [
        (Behaviour.RATE_LIMITED, "7", 7.0, True),
        (Behaviour.RATE_LIMITED, "0.5", 0.5, True),
        (Behaviour.RATE_LIMITED, None, None, True),
        (Behaviour.RATE_LIMITED, "86400", 900.0, True),
        (Behaviour.RATE_LIMITED, "-3", 0.0, True),
        (Behaviour.RATE_LIMITED, "nan", None, True),
        (Behaviour.RATE_LIMITED, "soon", None, True),
        (Behaviour.OVERLOADED, "30", 30.0, True),
        (Behaviour.OVERLOADED, None, None, True),
        (Behaviour.ERROR_500, None, None, False),
        (Behaviour.UNAUTHORIZED, None, 60.0, True),
        (Behaviour.FORBIDDEN, None, 60.0, True),
        (Behaviour.NO_CREDIT, None, 60.0, True),
        (Behaviour.NOT_FOUND, None, 60.0, False),
        (Behaviour.RESET, None, None, False),
        (Behaviour.NO_MESSAGE, None, None, False),
    ],
)
def test_what_passes_is_transient(
    analyst: Analyst,
    api: FakeAnthropic,
    behaviour: Behaviour,
    header: str | None,
    retry_after: float | None,
    shared: bool,
) -> None:
    api.retry_after = header
    api.script(behaviour)
    with pytest.raises(Transient) as caught:
        analyse(analyst)
    assert (caught.value.retry_after, caught.value.shared) == (retry_after, shared)
    assert len(api.requests) == 1  # the SDK did not retry by itself


def test_a_limit_holds_for_calls_that_wait_for_their_turn_and_not_for_later_ones(api: FakeAnthropic) -> None:
    api.script(Behaviour.RATE_LIMITED)
    api.retry_after = "7"
    calls = FairSemaphore(1)
    analyst = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=MODELS, timeout=20, calls=calls)
    assert calls.acquire(0)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(analyse, analyst) for _ in range(3)]
        while len(calls._waiting) < len(asked):  # nothing else tells that they have begun to wait
            time.sleep(0.005)
        calls.release()
        failures = [future.exception() for future in asked]
    waits = [(error.retry_after, error.shared) for error in failures if isinstance(error, Transient)]
    assert waits == [(7.0, True)] * 3
    assert len(api.requests) == 1
    assert analyse(analyst).summary
    analyst.close()


def test_a_retry_after_date_is_understood(analyst: Analyst, api: FakeAnthropic) -> None:
    api.retry_after = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    api.script(Behaviour.RATE_LIMITED)
    with pytest.raises(Transient) as caught:
        analyse(analyst)
    assert caught.value.retry_after == pytest.approx(100, abs=3)


def test_errors_say_what_to_do_and_quote_neither_key_nor_prompt(analyst: Analyst, api: FakeAnthropic) -> None:
    for behaviour, reason in {
        Behaviour.UNAUTHORIZED: "the model's API refuses the key or the account (HTTP 401, authentication_error, "
        "request req_011CfakeRequest); see ANTHROPIC_API_KEY and its credit",
        Behaviour.NOT_FOUND: "the model's API does not know the model or the path (HTTP 404, not_found_error, "
        "request req_011CfakeRequest); see DAYBOOK_MODEL_* and ANTHROPIC_BASE_URL",
        Behaviour.RATE_LIMITED: "the model's API is busy (HTTP 429, rate_limit_error, request req_011CfakeRequest)",
        # The fake's 400 quotes the whole prompt, as a proxy may.
        Behaviour.BAD_REQUEST: "the model's API refuses the request (HTTP 400, invalid_request_error, "
        "request req_011CfakeRequest)",
    }.items():
        api.script(behaviour)
        with pytest.raises((Transient, Permanent)) as caught:
            analyse(analyst)
        assert str(caught.value) == reason
        shown = "".join(traceback.format_exception(caught.value))
        assert KEY not in shown
        assert "return" + " 1" not in shown
        assert "Refuse empty prompts\n\n" not in shown


def test_a_slow_or_absent_api_is_transient(api: FakeAnthropic) -> None:
    hasty = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=MODELS, timeout=0.3)
    api.script(Behaviour.HANG)
    with pytest.raises(Transient, match="did not answer in time"):
        analyse(hasty)
    hasty.close()

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = Analyst(
            api_key=SecretStr(KEY), base_url=f"http://127.0.0.1:{taken.getsockname()[1]}", models=MODELS, timeout=5
        )
        with pytest.raises(Transient, match="cannot be reached"):
            analyse(nobody)
        nobody.close()


def test_one_analyst_serves_a_hundred_threads(api: FakeAnthropic) -> None:
    api.together = 100
    analyst = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=MODELS, timeout=60)
    with ThreadPoolExecutor(100) as pool:
        found = list(pool.map(lambda _: analyse(analyst), range(100)))
    analyst.close()
    assert {analysis.summary for analysis in found} == {found[0].summary}
    assert api.most_concurrent == len(api.requests) == 100


def test_the_errors_survive_a_process_border() -> None:
    refused = pickle.loads(pickle.dumps(AnalysisRefused("no", Usage(calls=2))))  # noqa: S301
    assert (str(refused), refused.usage) == ("no", Usage(calls=2))
