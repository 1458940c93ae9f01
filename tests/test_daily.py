"""A day's records become a report: order, groups, coverage."""

from __future__ import annotations

import random
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from core.models import Failure, Tier, Usage
from report.daily import Source, web_site
from report.figures import Coverage, Names, Spending, Tiers
from report.labels import labels
from report.view import anchor
from report.wording import day_notes, dollars
from tests.records import START, analysis, commit, judged_day, record, report, sha_of, varied_day


def test_coverage_counts_every_commit_once() -> None:
    day = report(varied_day())
    assert day.coverage == Coverage(total=6, covered=4, model=2, rules=1, degraded=2, pending=1, backfilled=1)
    assert day.tiers == Tiers(high=2, medium=2, low=2)
    assert [entry.state for entry in day.entries] == ["degraded", "rules", "pending", "model", "given_up", "model"]


def test_tokens_and_dollars_are_added_up() -> None:
    day = report([record(1), record(2), record(3, analysis=analysis(usage=Usage(output_tokens=5, cost_usd=0.1)))])
    assert day.usage == Usage(input_tokens=2400, cached_tokens=6000, output_tokens=305, cost_usd=0.10039, calls=2)


def test_what_the_budget_took_away_is_counted_by_what_was_done_instead() -> None:
    found = report(judged_day()).coverage
    assert (found.total, found.covered, found.model, found.rules) == (10, 10, 9, 1)
    assert (found.budget_shallower, found.budget_rules) == (1, 1)


def test_cost_by_tier_adds_up_and_batches_are_a_part_of_it() -> None:
    day = report(judged_day())
    assert day.spending == Spending(high=0.027975, medium=0.000195, low=0.00039, batch=0.000195, batched=1)
    assert day.spending.high + day.spending.medium + day.spending.low == pytest.approx(day.usage.cost_usd)


def test_names_looked_up_and_left_out_are_added_up() -> None:
    assert report(judged_day()).names == Names(checked=47, removed=3)


def test_an_outage_is_never_full_coverage() -> None:
    failure = Failure(stage="analyse", reason="down", attempts=8, failed_at=START)
    day = report([record(n, analysis=analysis(origin="degraded"), failure=failure) for n in range(1, 5)])
    assert (day.coverage.covered, day.coverage.degraded) == (0, 4)
    without = report([record(1, analysis=None, failure=failure)])
    assert (without.coverage.covered, without.coverage.degraded, without.coverage.pending) == (0, 1, 0)


def test_a_commit_that_the_model_refuses_is_covered_by_its_facts_and_one_without_a_diff_is_not() -> None:
    refused = Failure(stage="analyse", reason="the model refused", attempts=1, failed_at=START, transient=False)
    day = report([record(1, analysis=analysis(origin="degraded"), failure=refused)])
    assert (day.coverage.covered, day.coverage.degraded, day.entries[0].state) == (1, 1, "degraded")
    unread = refused.model_copy(update={"stage": "fetch"})
    day = report([record(1, analysis=analysis(origin="degraded"), failure=unread)])
    assert (day.coverage.covered, day.coverage.degraded, day.entries[0].state) == (0, 1, "given_up")


def test_newest_landing_first_then_place_in_push_then_sha() -> None:
    landed = START + timedelta(hours=9)
    records = [
        record(1, landed_at=landed, position=0, committed_at=START + timedelta(hours=20)),
        record(2, landed_at=landed, position=1),
        record(3, landed_at=landed, position=1),
        record(4, landed_at=landed + timedelta(seconds=1), position=0),
    ]
    assert [entry.sha for entry in report(records).entries] == [sha_of(n) for n in (4, 3, 2, 1)]


def test_the_same_records_in_any_order_give_the_same_report() -> None:
    records = varied_day()
    expected = report(records).model_dump_json()
    for seed in range(5):
        random.Random(seed).shuffle(records)
        assert report(records).model_dump_json() == expected


def test_groups_hold_their_tier_in_the_order_of_the_day() -> None:
    day = report(varied_day())
    assert [entry.sha for entry in day.group(Tier.HIGH)] == [sha_of(2), sha_of(1)]
    assert [entry.sha for entry in day.group(Tier.MEDIUM)] == [sha_of(4), sha_of(3)]


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("Fix it\n\nSigned-off-by: The Octocat", "Fix it"),
        ("Signed-off-by: The Octocat", sha_of(1)[:7]),
        ("\n\nCo-authored-by: hubot\n", sha_of(1)[:7]),
        ("\u200b\u202e", sha_of(1)[:7]),
        ("Standby: mode", "Standby: mode"),
    ],
)
def test_a_title_is_the_first_line_and_no_trailer(message: str, title: str) -> None:
    assert report([record(1, message=message)]).entries[0].title == title


def test_surplus_of_a_lowered_tier_is_hidden() -> None:
    lowered, raised = record(1, Tier.MEDIUM, analysis=analysis(Tier.HIGH)), record(2, Tier.HIGH, analysis=analysis())
    assert [entry.depth for entry in report([lowered, raised]).entries] == [Tier.LOW, Tier.MEDIUM]


def test_ids_of_look_alike_repositories_differ() -> None:
    names = ["a-b/c", "a/b-c", "a/b.c", "a/b-c-d", "stats-a/b", "A/c"]
    kinds = ["repository", "stats", "contents", "high", "medium", "low", "commit"]
    ids = [anchor(kind, name) for name in names for kind in kinds]  # type: ignore[arg-type]
    assert len(set(ids)) == len(ids)
    assert anchor("repository", "Octocat/Hello.World") == "repository-octocat.hello.world"


def test_the_site_is_taken_from_the_repository_page() -> None:
    assert web_site("https://github.com/octocat/hello-world/", "octocat/hello-world") == "https://github.com"
    assert web_site("https://ghe.example/sub", "octocat/hello-world") == "https://ghe.example/sub"
    assert web_site(None, "octocat/hello-world") is None


def test_what_is_no_repository_or_url_is_refused() -> None:
    with pytest.raises(ValidationError):
        report([], "../etc")
    with pytest.raises(ValidationError):
        report([], web_url="javascript:alert(1)")


def test_a_failed_source_and_what_it_was_asked_are_kept() -> None:
    assert report([], source_ok=False, asked="GET /commits").source == Source(ok=False, asked="GET /commits")


def test_commit_times_keep_their_instant() -> None:
    assert report([record(1)]).entries[0].committed_at == commit(1).committed_at


def test_commits_of_one_push_keep_their_order_where_some_are_shown_as_one() -> None:
    told = ["Add X (#1)", "Add Y (#2)", 'Revert "Add X" (#3)', "Add Z (#4)"]
    records = [record(at, message=text, landed_at=START, position=at) for at, text in enumerate(told)]
    day = report(records)
    assert [entry.sha for entry in day.entries] == [sha_of(n) for n in (3, 2, 1)]
    assert [commit.sha for commit in day.commits] == [sha_of(n) for n in (3, 2, 1, 0)]
    assert (day.tiers, day.count(Tier.LOW), day.coverage.total) == (Tiers(low=4), 4, 4)


@pytest.mark.parametrize(
    ("high", "medium", "told"),
    [
        (0.00042, 0.00014, "Cost: High $0.0004 · Medium $0.0002"),
        (0.00036, 0.00024, "Cost: High $0.0004 · Medium $0.0002"),
        (1.204, 0.3038, "Cost: High $1.21 · Medium $0.30"),
    ],
)
def test_what_is_told_of_the_cost_by_tier_adds_up(high: float, medium: float, told: str) -> None:
    records = [
        record(1, Tier.HIGH, analysis=analysis(usage=Usage(cost_usd=high, calls=1))),
        record(2, Tier.MEDIUM, analysis=analysis(usage=Usage(cost_usd=medium, calls=1))),
    ]
    day = report(records, language="en")
    assert day_notes(day, labels("en")) == [told.replace("High", "high").replace("Medium", "medium")]
    shown = [Decimal(part) for part in re.findall(r"\$([0-9.]+)", told)]
    assert f"${sum(shown)}" == dollars(day.usage.cost_usd)


def test_a_copy_with_other_entries_groups_these_and_not_the_first_ones() -> None:
    day = report([record(1, Tier.HIGH), record(2, Tier.LOW)])
    assert [len(day.group(tier)) for tier in Tier] == [1, 0, 1]
    assert len(day.commits) == 2
    (high,) = day.group(Tier.HIGH)
    alone = day.model_copy(update={"entries": (high,)})
    assert [len(alone.group(tier)) for tier in Tier] == [1, 0, 0]
    assert alone.commits == (high,)
    assert day.model_copy() == day
