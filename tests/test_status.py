"""`daybook status`: what the meters know, for a person and for programs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.status import document, text
from core.ledger import Claim, Ledger, Stage
from core.models import Tier, Usage
from tests.pushes import REPOSITORY, push, sha
from tests.test_ledger import claimed, given_up
from workers.celeryconfig import QUEUES


def begun(claim: Claim, seconds: float) -> Claim:
    """A claim of so many seconds ago."""
    assert claim.began
    return replace(claim, began=claim.began - seconds)


def worked(ledger: Ledger) -> None:
    """Three commits received, one told of again; one given up, one put off, one not begun; four requests refused."""
    ledger.receive(push([1, 2, 3]), [b"{}"] * 3)
    ledger.receive(push([3]), [b"{}"])
    first, second = claimed(ledger), claimed(ledger, commit_id=f"{REPOSITORY}@{sha(2)}")
    assert ledger.finish(begun(first, 0.5), given_up(first.record))
    assert ledger.retry(begun(second, 1.5), 60, "busy")
    ledger.refused({401: 3, 415: 1})


def test_for_a_person(ledger: Ledger) -> None:
    worked(ledger)
    ledger.pulse("worker@host/1")
    mean = ledger.meters().stages[Stage.FETCH].mean_seconds
    assert 1 <= mean < 60  # of 0.5 and 1.5, and what the test takes
    assert text(ledger.meters(("fetch", "analyse")), None).splitlines() == [
        "commits   3 received, 0 analysed, 2 waiting, 1 given up",
        "oldest    0 s waiting",
        "today     3 received, 1 given up",
        "model     0 calls today, $0.00",
        "queues    fetch 3, analyse 0",
        f"fetch     2 there, 1 put off, 1 given up, {mean:.2f} s a run",
        "analyse   0 there, none done, 0.00 s a run",
        "refused   3 with 401, 1 with 415",
        "processes worker@host/1",
        "beat      none leads",
        "sweep     never ran",
    ]


def test_for_programs(ledger: Ledger) -> None:
    worked(ledger)
    found = document(ledger.meters(QUEUES), None)
    assert {"received", "analysed", "waiting", "failed", "oldest_waiting_seconds", "cost_usd_today", "queues",
            "reports"} <= set(found)  # fmt: skip
    fetch = found["stages"]["fetch"]
    assert (found["received"], found["duplicates"], found["failed"], found["refused"]) == (
        3,
        1,
        1,
        {"401": 3, "415": 1},
    )
    expected = {
        "done": 0, "put_off": 1, "paused": 0, "given_up": 1, "lost": 0, "waiting": 2,
    }  # fmt: skip
    assert {key: fetch[key] for key in expected} == expected
    assert fetch["mean_seconds"] >= 1


def test_a_fresh_daybook(ledger: Ledger) -> None:
    found = document(ledger.meters(("fetch",)), None)
    assert (found["reports"], found["spent_today"], found["budget"], found["token_ratios"]) == ({}, [], None, {})
    assert text(ledger.meters(("fetch",)), None).splitlines()[1] == "oldest    nothing waits"


def spent(ledger: Ledger) -> None:
    """Three calls for one repository and one for another, one under way, some made shallower."""
    usage = Usage(
        input_tokens=1700, cached_tokens=40000, cache_write_tokens=300, output_tokens=900, cost_usd=0.75, calls=2
    )
    ledger.spend(usage, REPOSITORY, Tier.HIGH)
    ledger.spend(Usage(input_tokens=500, output_tokens=100, cost_usd=0.0005, calls=1), REPOSITORY, Tier.LOW)
    ledger.spend(Usage(input_tokens=500, output_tokens=100, cost_usd=1.0, calls=1), "acme/tools", Tier.MEDIUM)
    assert ledger.reserve("a commit", 0.125, 10)
    ledger.degraded("medium")
    ledger.degraded("rules")
    ledger.calibrate("claude-haiku-5-5", 1000, 1250)


def test_money_for_a_person(ledger: Ledger) -> None:
    spent(ledger)
    assert text(ledger.meters(), 2.0).splitlines()[3:10] == [
        "model     4 calls today, $1.75",
        "tokens    2,700 fresh, 40,000 cached, 300 written, 1,100 output",
        "spent     acme/tools: medium $1.0000 in 1 call",
        f"spent     {REPOSITORY}: high $0.7500 in 2 calls, low $0.0005 in 1 call",
        "budget    94% of $2.00 today used, $0.12 of it by calls under way: high commits are analysed at medium depth",
        "          made shallower today: 1 to medium depth, 1 to rules",
        "estimates claude-haiku-5-5 × 1.25",
    ]


def test_money_for_programs(ledger: Ledger) -> None:
    spent(ledger)
    found = document(ledger.meters(), 2.0)
    assert found["cost_usd_today"] == 1.7505
    assert (found["tokens_today"], found["tokens_today_by_kind"]) == (
        44100,
        {"fresh": 2700, "cached": 40000, "written": 300, "output": 1100},
    )
    assert found["spent_today"][0] == {
        "repository": "acme/tools", "tier": "medium", "input_tokens": 500, "cached_tokens": 0, "cache_write_tokens": 0,
        "output_tokens": 100, "cost_usd": 1.0, "calls": 1,
    }  # fmt: skip
    assert [(row["repository"], row["tier"]) for row in found["spent_today"][1:]] == [
        (REPOSITORY, "high"),
        (REPOSITORY, "low"),
    ]
    assert found["budget"] == {
        "usd": 2.0, "spent_usd": 1.7505, "reserved_usd": 0.125, "share": 0.9377, "depth": "medium",
        "degraded_today": {"medium": 1, "low": 0, "rules": 1},
    }  # fmt: skip
    assert found["token_ratios"] == {"claude-haiku-5-5": 1.25}


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (4.0, "budget    25% of $4.00 today used: every commit at its tier's depth"),
        (1.25, "budget    80% of $1.25 today used: high commits are analysed at medium depth"),
        (1.0, "budget    100% of $1.00 today used: analyses are composed by rules"),
        (0.0, "budget    100% of $0.00 today used: analyses are composed by rules"),
    ],
)
def test_what_the_budget_still_allows(ledger: Ledger, budget: float, told: str) -> None:
    ledger.spend(Usage(cost_usd=1.0, calls=1), REPOSITORY, Tier.HIGH)
    assert [line for line in text(ledger.meters(), budget).splitlines() if line.startswith("budget")] == [told]


def test_only_the_dearest_repositories_have_a_line(ledger: Ledger) -> None:
    for number in range(1, 13):
        ledger.spend(Usage(cost_usd=number / 4, calls=1), f"acme/tool-{number}", Tier.LOW)
    lines = text(ledger.meters(), None).splitlines()
    assert lines[4] == "spent     acme/tool-12: low $3.0000 in 1 call"
    assert lines[13:15] == ["spent     acme/tool-3: low $0.7500 in 1 call", "          and $0.7500 for 2 more"]
