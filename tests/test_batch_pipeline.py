"""Commits that go through the whole of Daybook by batch, as real processes; one of them is killed on the way."""

from __future__ import annotations

import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.replay import replay
from core.ledger import Ledger
from core.models import Tier
from tests.conftest import SHANGHAI
from tests.fakes.anthropic import FakeAnthropic
from tests.gitclone import START, Clone
from tests.reliability import DAY, NAME, calls, kill, ledger_of
from tests.running import SECRET, Daybook, daybook
from workers.app import wake

pytestmark = [pytest.mark.slow, pytest.mark.kills(minutes=3)]

KEY = "key-for-tests-0123456789"
LOW = 20
BATCHES = "/v1/messages/batches"


def clone_of(path: Path) -> Clone:
    """Twenty changes of a text that nobody builds on, and one function that is gone."""
    clone = Clone(path)
    clone.commit("Start", {"src/api.py": "def fetch(url):\n    return url\n"}, when=START - timedelta(days=1))
    for number in range(LOW):
        when = START + timedelta(seconds=10 * number)
        clone.commit(f"docs: say step {number} plainly", {"docs/steps.md": f"Step {number}.\n"}, when=when)
    clone.commit("Remove the old entry", {"src/api.py": "def load(path):\n    return path\n"},
                 when=START + timedelta(hours=1))  # fmt: skip
    return clone


def ticking(ledger: Ledger, last: list[float]) -> None:
    """Wake the task of batches every half second, where beat takes half a minute."""
    if time.monotonic() - last[0] > 0.5:
        last[0] = time.monotonic()
        ledger.enqueue("upstream", [wake("batch")])


def post(running: Daybook, clone: Clone) -> None:
    url = f"{running.base}/webhooks/github"
    for delivered in replay(clone.path, url, SecretStr(SECRET), name=NAME, last=LOW + 1, zone=SHANGHAI):
        assert delivered.status == 202


def test_low_commits_by_batch_and_a_high_one_at_once_while_the_sender_is_killed(tmp_path: Path) -> None:
    clone = clone_of(tmp_path / "clone")
    table = f'[[repository]]\nname = "{NAME}"\nsource = "{clone.path}"\nanalysis = {{ low = "batch" }}\n'
    (tmp_path / "daybook.toml").write_text(table)
    last = [0.0]
    with FakeAnthropic(key=KEY) as api:
        api.batches.seconds = 3600
        model = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": api.url, "DAYBOOK_LEASE_SECONDS": "3"}
        with daybook(tmp_path, **model) as running:
            ledger = ledger_of(running)

            def batch_is_out() -> bool:
                ticking(ledger, last)
                return any(batch.id for batch in ledger.batches()) and ledger.status([]).analysed == 1

            def all_are_done() -> bool:
                ticking(ledger, last)
                return ledger.status([]).analysed == LOW + 1

            post(running, clone)
            running.await_(batch_is_out)
            kill(running, "control", signal.SIGKILL)
            api.clock.advance(3600)
            running.await_(all_are_done, 480)  # a killed round's lock ends by itself, after three minutes
            records = ledger.records(NAME, DAY)
            ledger.close()
    analyses = {record.commit.sha: record.analysis for record in records}
    by_batch = [found for found in analyses.values() if found and found.batch]
    assert len(by_batch) == LOW
    assert all(found.origin == "model" and found.depth is Tier.LOW for found in by_batch)
    assert set(calls(api)) == {clone.head}
    batches = [len(request.orders) for request in api.requests if (request.method, request.path) == ("POST", BATCHES)]
    assert batches == [LOW]  # each was sent once
