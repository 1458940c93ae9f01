"""Highlights: composed of facts, or written by the model at the day's close, each line with commits of the day."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.models import ChangeType, CommitRecord, Correction, Tier, Usage
from report.daily import DailyReport
from report.highlights import Highlight, Written, basis
from report.markdown import markdown
from tests.fakes.anthropic import Behaviour
from tests.records import analysis, facts, record, report, sha_of, triage
from tests.working import KEY, NAME, Worker, worker
from workers.conversation import Mend
from workers.days import write_day
from workers.highlights_question import HighlightsQuestion


def commits(*tiers: Tier, language: Any = "en") -> list[CommitRecord]:
    return [
        record(n, tier, f"Title {n}", analysis=analysis(tier, language, summary=f"Changes `part_{n}`. And more."))
        for n, tier in enumerate(tiers, 1)
    ]


def lines(*records: CommitRecord) -> list[tuple[str, list[int]]]:
    """The composed lines of a day, each with the numbers of its commits."""
    made = report(records, language="en").highlights
    return [(line.text, [int(sha[:7], 16) for sha in line.shas]) for line in made]


H, M, L = Tier.HIGH, Tier.MEDIUM, Tier.LOW


@pytest.mark.parametrize(
    ("tiers", "count"),
    [((), 0), ((L, L, L), 0), ((M,), 1), ((H, M), 2), ((M,) * 9, 3), ((H, M, M, M), 3), ((H,) * 5, 5), ((H,) * 6, 6)],
)
def test_a_day_has_as_many_lines_as_it_has_news(tiers: tuple[Tier, ...], count: int) -> None:
    assert len(lines(*commits(*tiers))) == count


def test_more_than_six_are_told_together_in_the_last_line() -> None:
    found = lines(*commits(*[H] * 9))
    assert found[:5] == [(f"Changes `part_{n}`.", [n]) for n in (1, 2, 3, 4, 5)]
    assert found[5] == ("4 more commits of high importance.", [6, 7, 8, 9])


def test_what_must_be_acted_on_comes_first_and_a_pull_request_has_one_line() -> None:
    feature = analysis(H, "en", types=(ChangeType.FEATURE,), summary="Adds `a.b`! Then more.")
    breaking = analysis(H, "en", types=(ChangeType.REFACTOR, ChangeType.BREAKING), summary="Drops Python 3.9")
    first, second = facts(pull_request=7), facts(pull_request=8)
    assert lines(
        record(1, M, analysis=analysis(M, "en", summary="Slower."), facts=first, triage=triage(M)),
        record(2, H, analysis=feature, facts=first),
        record(3, H, analysis=breaking, facts=second),
        record(4, H, "Waits", analysis=None, facts=None),
    ) == [("Drops Python 3.9", [3]), ("Adds `a.b`!", [2, 1])]


def test_a_line_by_the_rules_names_what_changed_where_there_is_room() -> None:
    short = "Changes `api`: “stop the penalty”. New default: `Options.penalty` (`1.1` → `1.0`). Third."
    long = "Changes `api`: “stop the penalty”. " + "So many words " * 50 + "."
    for summary, told in ((short, short.removesuffix(" Third.")), (long, "Changes `api`: “stop the penalty”.")):
        by_rules = analysis(H, "en", summary=summary, origin="rules")
        assert lines(record(1, H, analysis=by_rules))[0][0] == told


def test_a_line_never_ends_within_what_it_quotes() -> None:
    quote = "Changes `api`: “Honour seed 0”. The author says: “It was ignored (e.g. `a`). It is the default.” More."
    abbreviated = "Reads a module, e.g. torch. More."
    long = quote.replace("ignored", "ignored " * 130)
    for summary, told in (
        (quote, quote.removesuffix(" More.")),
        (abbreviated, abbreviated),
        (long, "Changes `api`: “Honour seed 0”."),
    ):
        by_rules = analysis(H, "en", summary=summary, origin="rules")
        assert lines(record(1, H, analysis=by_rules))[0][0] == told


def test_lines_that_say_the_same_are_one() -> None:
    alike = [record(n, H, analysis=analysis(H, "en", summary="Drops it.")) for n in (8, 9)]
    assert lines(*alike, *commits(M)) == [("Drops it.", [8, 9]), ("Changes `part_1`.", [1])]


PART = """\
<a id="highlights-octocat.hello-world"></a>

### ✨ Highlights

- Changes `part_1`. ([`0000001`](#commit-octocat.hello-world-0000001000000000000000000000000000000000))

> Taken from the commits' analyses.
"""


def test_every_line_leads_to_its_commits() -> None:
    assert PART in markdown([report(commits(H, L), language="en")])


def written(of: DailyReport, **changes: Any) -> Written:
    usage = Usage(input_tokens=5, output_tokens=1, cost_usd=0.25, calls=1)
    values = {"basis": basis(of.entries, of.language), "lines": (Highlight(text="Said.", shas=(sha_of(1),)),)}
    return Written(**{**values, "model": "claude-sonnet-5-5", "usage": usage, **changes})


def test_what_the_model_wrote_holds_as_long_as_the_same_commits_matter() -> None:
    day = commits(H, M, M, L)
    kept = written(report(day, language="en"))
    shown = report(day, language="en", written=kept)
    assert (shown.highlights, shown.highlights_by) == (kept.lines, "claude-sonnet-5-5")
    assert "> Written by claude-sonnet-5-5 from the day's analyses." in markdown([shown])
    assert shown.usage.cost_usd == round(0.25 + 4 * 0.000195, 6)
    assert shown.spending.high == 0.250195
    more_low = report([*day, record(9, L)], language="en", written=kept)
    assert more_low.highlights == kept.lines
    lowered = Correction(tier=L, why="not for us", at=datetime(2026, 2, 18, tzinfo=UTC))
    for other in ([*day, record(9, M)], [day[0].model_copy(update={"correction": lowered}), *day[1:]]):
        assert report(other, language="en", written=kept).highlights_by is None
    assert report(day, written=kept).highlights_by is None  # in another language
    assert report(day, language="en", written=written(report(day), lines=())).highlights_by is None


@pytest.fixture
def at_work(tmp_path: Path, redis_url: str) -> Iterator[Worker]:
    with worker(tmp_path, redis_url, report_dir=tmp_path / "reports") as made:
        yield made


def analysed(at_work: Worker, *names: str) -> None:
    for name in names:
        at_work.analyse(at_work.push(f"Change {name}", {f"vital/{name}.py": f"x = '{name}'\n"}))


def closed(at_work: Worker) -> DailyReport:
    services = at_work.services
    return write_day(services, NAME, services.ledger.day_of(datetime.now(UTC)))


def days_asked(at_work: Worker) -> list[str]:
    """The prompts of the calls about a whole day."""
    prompts = (request.prompt for request in at_work.api.requests if request.path == "/v1/messages")
    return [prompt for prompt in prompts if prompt.startswith("Write the highlights")]


def test_the_model_is_asked_once_for_the_same_commits_and_what_it_costs_is_counted(at_work: Worker) -> None:
    analysed(at_work, "a", "b", "c")
    spent = at_work.services.ledger.spent_in_all()[NAME, H].calls
    first = closed(at_work)
    assert first.highlights_by == "claude-sonnet-5-5"
    assert [line.text for line in first.highlights] == [f"`{line.shas[0][:7]}` reaches every deployment."
                                                        for line in first.highlights]  # fmt: skip
    assert {sha for line in first.highlights for sha in line.shas} == {entry.sha for entry in first.entries}
    assert at_work.services.ledger.spent_in_all()[NAME, H].calls == spent + 1
    assert closed(at_work) == first
    assert len(days_asked(at_work)) == 1
    analysed(at_work, "d")
    assert len(closed(at_work).highlights) == 4
    assert len(days_asked(at_work)) == 2


def test_two_notable_commits_need_no_editor(at_work: Worker) -> None:
    analysed(at_work, "a", "b")
    assert len(closed(at_work).highlights) == 2
    assert days_asked(at_work) == []


@pytest.mark.parametrize(
    ("behaviour", "asked", "again"),
    [
        (Behaviour.REFUSAL, 1, 1),
        (Behaviour.INVENTED_NAMES, 2, 2),
        (Behaviour.SCHEMA_MISMATCH, 2, 2),
        (Behaviour.WRONG_LANGUAGE, 2, 2),
        (Behaviour.ERROR_500, 1, 2),
    ],
)
def test_a_failure_leaves_lines_composed_of_facts(
    at_work: Worker, behaviour: Behaviour, asked: int, again: int
) -> None:
    analysed(at_work, "a", "b", "c")
    at_work.api.otherwise = behaviour
    shown = closed(at_work)
    assert (len(shown.highlights), shown.highlights_by) == (3, None)
    assert len(days_asked(at_work)) == asked
    closed(at_work)  # only what may go better the next time is tried again
    assert len(days_asked(at_work)) == again


def test_a_sentence_with_an_invented_name_is_taken_out(at_work: Worker) -> None:
    analysed(at_work, "a", "b", "c")
    at_work.api.otherwise = Behaviour.ONE_INVENTED_NAME
    assert [line.text for line in closed(at_work).highlights if "phantom" in line.text] == []
    assert len(days_asked(at_work)) == 1


def test_no_money_no_question(tmp_path: Path, redis_url: str) -> None:
    with worker(tmp_path, redis_url, report_dir=tmp_path, daybook_daily_budget_usd=0.00001) as poor:
        analysed(poor, "a", "b", "c")
        assert closed(poor).highlights_by is None
        assert days_asked(poor) == []


def test_commits_that_are_kept_from_the_model_are_not_told_of(tmp_path: Path, redis_url: str) -> None:
    table = {"analysis": {"high": "rules"}}
    with worker(tmp_path, redis_url, table=table, report_dir=tmp_path) as discreet:
        analysed(discreet, "a", "b", "c")
        assert len(closed(discreet).highlights) == 3
        assert discreet.asked() == []


def test_the_prompt_is_fenced_by_a_random_tag_and_holds_no_secret(at_work: Worker) -> None:
    secret = "ghp_" + "a1B2" * 9
    for name in "abc":
        at_work.analyse(at_work.push(f"Use {secret}\u202e in {name}", {f"vital/{name}.py": f"x = '{name}'\n"}))
    closed(at_work)
    (prompt,) = days_asked(at_work)
    (tag,) = set(re.findall(r"</?(day-[0-9a-f]{16})>", prompt))
    assert prompt.count(f"<{tag}>") == prompt.count(f"</{tag}>") == 2
    assert secret not in prompt
    assert KEY not in prompt
    assert "Use [redacted: GitHub token]<U+202E> in a" in prompt


def question(*tiers: Tier) -> HighlightsQuestion:
    day = report(commits(*tiers), language="en")
    return HighlightsQuestion(day, day.entries, "claude-sonnet-5-5")


def answer(*told: tuple[str, list[str]]) -> str:
    return json.dumps({"lines": [{"text": text, "commits": cited} for text, cited in told]})


GOOD = [
    ("Part 1 is other now.", [sha_of(1)[:7]]),
    ("Part 2 too.", [sha_of(2)]),
    ("And part 3.", [sha_of(3)[:8].upper()]),
]


def test_a_good_answer_is_kept_with_whole_shas() -> None:
    found = question(H, H, H).read(answer(*GOOD))
    assert [(line.text, line.shas) for line in found] == [
        (text, (sha_of(n),)) for n, (text, _) in enumerate(GOOD, 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (GOOD[:2], "there are 2 lines, not 3 to 6"),
        (GOOD * 3, "there are 9 lines, not 3 to 6"),
        ([*GOOD[:2], ("Part 9.", [sha_of(9)])], "a line cites a commit that is not among those shown"),
        ([*GOOD[:2], ("Part 3.", ["000000"])], "a line cites a commit that is not among those shown"),
        ([*GOOD[:2], ("Part 3.", [])], "the reply does not fit the schema"),
        ([*GOOD[:2], ("## Part 3", [sha_of(3)])], "text contains a Markdown heading"),
        ([*GOOD[:2], ("word " * 130, [sha_of(3)])], "text is longer than 120 characters"),
        # What stands in another commit does not prove it for this one.
        ([*GOOD[:2], ("`part_1` is gone.", [sha_of(3)])], "lines name what the commits they cite do not have"),
    ],
)
def test_an_answer_that_cites_or_says_wrongly_is_refused(told: list[tuple[str, list[str]]], fault: str) -> None:
    with pytest.raises(Mend, match=fault):
        question(H, H, H).read(answer(*told))
