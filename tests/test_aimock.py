"""Daybook's analyst against aimock, a stand-in of the Messages API that another project wrote.

It knows no count_tokens, batches, prompt cache or refusal and ignores the reply's schema; what it does know, it shapes
by its own reading of Anthropic's documentation and not by ours.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from core.models import Analysis, ChangeType, Commit, Diff, Facts, FileChange, Opinion, Tier, Triage
from core.redis_server import free_port
from workers.analyst import AnalysisRefused, Analyst, ModelUnavailable, ReplyTruncated
from workers.orders import Order

AIMOCK = Path(__file__).parent / "aimock" / "node_modules" / ".bin" / "llmock"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("node") or (not AIMOCK.exists() and not os.environ.get("CI")),
        reason="needs node and `npm install --prefix tests/aimock`",
    ),
]

MODELS = {Tier.HIGH: "claude-sonnet-5-5", Tier.MEDIUM: "claude-haiku-5-5", Tier.LOW: "claude-haiku-5-5"}
PATCH = "@@ -1,2 +1,2 @@ def admit(self):\n-    return True\n+    return bool(self.prompt)\n unchanged = True"
FACTS = Facts(files=1, additions=1, deletions=1, code_lines=2, paths=("engine/scheduler.py",))
REPLY = {
    "summary": "`admit` in `engine/scheduler.py` now refuses an empty prompt.",
    "scope": ["callers of `admit`"],
    "advice": ["Callers that send empty prompts must handle the refusal."],
    "types": ["bugfix"],
    "tier": "medium",
    "tier_reason": "Input that used to be taken is now refused.",
}
USAGE = {"input_tokens": 2_000, "output_tokens": 150}


def answers(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Fixtures of aimock: each is for the commits whose message has its `when`."""
    return [
        {"match": {"userMessage": row["when"], **row.get("match", {})}, "response": row["then"], **row.get("also", {})}
        for row in rows
    ]


def said(reply: Any, **more: Any) -> dict[str, Any]:
    return {"content": reply if isinstance(reply, str) else json.dumps(reply), "usage": USAGE, **more}


def failed(status: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": "as told", "type": kind}, "status": status, **more}


FIXTURES = answers(
    {"when": "a good reply", "then": said(REPLY)},
    {"when": "mended", "match": {"sequenceIndex": 0}, "then": said("Here is the analysis.")},
    {"when": "mended", "then": said(REPLY)},
    {"when": "prose", "then": said("Here is the analysis.")},
    {"when": "cut", "then": said('{"summary": "`admit`', finishReason="length")},
    {"when": "tool", "then": said(REPLY, finishReason="tool_calls")},
    {"when": "limited", "then": failed(429, "rate_limit_error", retryAfter=7)},
    {"when": "overloaded", "then": failed(529, "overloaded_error")},
    {"when": "broken", "then": failed(500, "api_error")},
    {"when": "key", "then": failed(401, "authentication_error")},
    {"when": "garbled", "then": said(REPLY), "also": {"chaos": {"malformedRate": 1.0}}},
    {"when": "dropped", "then": said(REPLY), "also": {"chaos": {"disconnectRate": 1.0}}},
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}))
    base = f"http://127.0.0.1:{(port := free_port())}"
    command = ["node", str(AIMOCK), "--port", str(port), "--fixtures", str(fixtures), "--log-level", "silent"]
    with subprocess.Popen(command) as process:
        try:
            wait_for(base)
            yield base
        finally:
            process.terminate()


def wait_for(base: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            httpx2.get(f"{base}/health", timeout=2, trust_env=False).raise_for_status()
        except httpx2.HTTPError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def analyst(url: str) -> Iterator[Analyst]:
    made = Analyst(api_key=SecretStr("key-for-tests"), base_url=url, models=MODELS, timeout=20)
    yield made
    made.close()


def order(message: str, depth: Tier = Tier.MEDIUM) -> Order:
    commit = Commit(
        repository="octocat/Hello-World",
        sha="7fd1a60b01f91b314f59955a4e4d4e80d8edf11d",
        message=message,
        author="octocat",
        committed_at=datetime(2026, 2, 17, 8, 30, tzinfo=UTC),
        landed_at=datetime(2026, 2, 17, 9, 0, tzinfo=UTC),
        position=0,
        branch="main",
    )
    change = FileChange(path="engine/scheduler.py", status="modified", additions=1, deletions=1, patch=PATCH)
    diff = Diff(sha=commit.sha, parents=(), files=(change,), additions=1, deletions=1)
    judged = Triage(tier=depth, type=ChangeType.BUGFIX, score=0.5, reasons=())
    return Order(commit, FACTS, judged, diff, "en", depth)


def analyse(analyst: Analyst, message: str, depth: Tier = Tier.MEDIUM) -> Analysis:
    asked = order(message, depth)
    return analyst.analyse(asked.commit, asked.facts, asked.triage, asked.diff, asked.language, asked.depth)


def test_an_analysis_is_made_from_a_good_reply(analyst: Analyst) -> None:
    analysis = analyse(analyst, "a good reply")
    assert analysis.summary == REPLY["summary"]
    assert (analysis.scope, analysis.advice) == (tuple(REPLY["scope"]), tuple(REPLY["advice"]))
    assert analysis.opinion == Opinion(tier=Tier.MEDIUM, reason="Input that used to be taken is now refused.")
    usage = analysis.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.calls) == (2_000, 150, 0, 1)


def test_a_reply_that_is_not_json_is_asked_for_once_more(analyst: Analyst) -> None:
    analysis = analyse(analyst, "mended")
    assert (analysis.summary, analysis.usage.calls) == (REPLY["summary"], 2)
    with pytest.raises(AnalysisRefused, match="the reply is not valid JSON") as caught:
        analyse(analyst, "prose")
    assert caught.value.usage.calls == 2


def test_a_reply_that_is_always_cut_is_given_up_at_the_lowest_depth(analyst: Analyst) -> None:
    with pytest.raises(ReplyTruncated) as caught:
        analyse(analyst, "cut")
    assert caught.value.usage.calls == 4  # twice at medium depth, twice at low


@pytest.mark.parametrize(
    ("message", "reason", "retry_after", "shared"),
    [
        ("limited", "the model's API is busy (HTTP 429, rate_limit_error)", 7.0, True),
        ("overloaded", "the model's API is busy (HTTP 529, overloaded_error)", None, True),
        ("broken", "the model's API is busy (HTTP 500, api_error)", None, False),
        ("garbled", "the model's API answered with something that is not a message", None, False),
        ("dropped", "the model's API cannot be reached, or broke the connection", None, False),
        (
            "key",
            (
                "the model's API refuses the key or the account (HTTP 401, authentication_error); "
                "see ANTHROPIC_API_KEY and its credit"
            ),
            60.0,
            True,
        ),
        (
            "nothing is known of it",
            (
                "the model's API does not know the model or the path (HTTP 404, invalid_request_error); "
                "see DAYBOOK_MODEL_* and ANTHROPIC_BASE_URL"
            ),
            60.0,
            False,
        ),
    ],
)
def test_its_errors_say_what_to_do(
    analyst: Analyst, message: str, reason: str, retry_after: float | None, shared: bool
) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        analyse(analyst, message)
    assert (str(caught.value), caught.value.retry_after, caught.value.shared) == (reason, retry_after, shared)


def test_another_stop_reason_is_a_refusal(analyst: Analyst) -> None:
    with pytest.raises(AnalysisRefused, match=r"\(tool_use\)"):
        analyse(analyst, "tool")


def test_an_api_without_batches_is_said_to_be_one(analyst: Analyst) -> None:
    with pytest.raises(ModelUnavailable, match=r"does not know the model or the path \(HTTP 404, not_found\)"):
        analyst.submit({"one": order("a good reply", Tier.LOW)})
