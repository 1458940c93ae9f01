"""What the fake Anthropic says: names of the commit, the tier it was told, and bad replies on demand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import anthropic
import pytest
from pydantic import BaseModel

from tests.fakes.anthropic import Behaviour, FakeAnthropic
from tests.test_fake_anthropic import PROMPT, create


@pytest.fixture
def api() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as server:
        yield server


@pytest.fixture
def client(api: FakeAnthropic) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="key-for-tests", base_url=api.url, max_retries=0, timeout=20) as sdk:
        yield sdk


SHA = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d"
JUDGED = f"Commit: {SHA}\n- Rules' first guess: feature, high\n{PROMPT}\n=== b.py (was a.py) [renamed, +1 -1]\n"


class Note(BaseModel):
    path: str
    what: str


class Judged(BaseModel):
    summary: str
    advice: list[str]
    tier: Literal["high", "medium", "low"]
    tier_reason: str


class Notes(BaseModel):
    notes: list[Note]


def answered(client: anthropic.Anthropic, model: type[BaseModel], **changes: Any) -> dict[str, Any]:
    form = {"format": {"type": "json_schema", "schema": anthropic.transform_schema(model)}}
    asked = {"messages": [{"role": "user", "content": JUDGED}], "system": "Write every text in English.", **changes}
    found: dict[str, Any] = json.loads(create(client, output_config=form, **asked).content[0].text)  # type: ignore[union-attr]
    return found


def test_it_agrees_with_the_rules_unless_it_is_told_another_opinion_of_the_commit(
    client: anthropic.Anthropic, api: FakeAnthropic
) -> None:
    usual = "Its reach is what the rules say."
    seen = []
    for opinion in (None, ("low", None), ("low", "Nobody calls it.")):
        if opinion:
            api.opinions[SHA] = opinion
        reply = answered(client, Judged)
        seen.append((reply["tier"], reply["tier_reason"]))
    assert seen == [("high", usual), ("low", usual), ("low", "Nobody calls it.")]
    api.opinions["0" * 40] = ("medium", None)
    other = [{"role": "user", "content": JUDGED.replace(SHA, "0" * 40)}]
    assert answered(client, Judged, messages=other)["tier"] == "medium"


def test_notes_speak_of_each_file_that_is_shown(client: anthropic.Anthropic) -> None:
    assert answered(client, Notes) == {
        "notes": [
            {"path": "engine/scheduler.py", "what": "`engine/scheduler.py` now checks its input before it runs."},
            {"path": "b.py", "what": "`b.py` now checks its input before it runs."},
        ]
    }


def test_it_invents_names_as_told(client: anthropic.Anthropic, api: FakeAnthropic) -> None:
    good = answered(client, Judged)
    api.script(Behaviour.ONE_INVENTED_NAME)
    assert answered(client, Judged) == {**good, "advice": [*good["advice"], "Check what `phantom_dispatch` returns."]}
    api.otherwise = Behaviour.INVENTED_NAMES
    for _ in range(2):
        bad = answered(client, Judged)
        invented = "Check what `phantom_dispatch` returns. `engine/phantom_router.py` gains `--phantom-window`."
        assert (bad["summary"], bad["advice"], bad["tier"]) == (invented, [invented], "high")
    assert answered(client, Notes)["notes"] == [{"path": "engine/phantom_router.py", "what": invented}]


def test_it_leaks_an_example_as_told(client: anthropic.Anthropic, api: FakeAnthropic) -> None:
    system = 'Write in English. An example: {"tier": "low", "summary": "The word `zither` is spelt \\"right\\" now."}'
    api.script(Behaviour.EXAMPLE_LEAKED)
    assert answered(client, Judged, system=system)["summary"] == 'The word `zither` is spelt "right" now.'
