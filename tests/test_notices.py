"""What is told of commits and days, in words: what stands in a notice, what is left out, and where a text is cut."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import ChangeType, Correction, Reason, Tier
from report.prose import clean
from tests.hostile import hostile_text
from tests.noticed import high, many, notices, settings
from tests.records import REPOSITORY, analysis, commit, judged_day, record, report, sha_of, triage
from workers.notices import (
    Change,
    Line,
    Notice,
    Part,
    Repaired,
    Retiered,
    Reverted,
    commit_notice,
    lesser,
    update_notice,
)
from workers.roundups import digest_notice, list_notice
from workers.sentences import cut, width

REVERT = commit(9, 'Revert "Parse headers" (#18170)')


def test_a_high_commit_is_told_with_all_that_a_reader_must_know() -> None:
    notice = commit_notice(high("en"), settings("en"), mention=("U0123456789",))
    changes = tuple(Line(f"Removed (HTTP route): `/v1/headers/{number}`") for number in range(5))
    assert notice == Notice(
        kind="commit",
        id=(f"{REPOSITORY}@{sha_of(1)}",),
        language="en",
        headline="Parse headers in two layers, drop `strict` (#18164)",
        tier=Tier.HIGH,
        link=f"https://github.com/{REPOSITORY}/commit/{sha_of(1)}",
        page=f"https://daybook.test/{REPOSITORY}/commit/{sha_of(1)}",
        facts=(
            "octocat/hello-world · main", "The Octocat", "+1,234 −567", "14 files", "breaking change, refactoring",
        ),
        notes=("touches `parser/cli.py`, which is watched",),
        summary="Fixes a crash of `parse_header` on empty input.",
        fields=(
            Part("Scope", (Line("`parser/header.py`: all code that reads request headers"),)),
            Part("Potential risks", (
                Line("Code that passes `strict=True` raises `TypeError`."),
                Line("Own parsers have to handle empty input."),
            )),
            Part("Compatibility changes", changes, "and 3 more"),
            Part("Advice", (Line("Run the parser's tests again after the upgrade."),)),
        ),
        mention=("U0123456789",),
    )  # fmt: skip


def test_what_is_not_high_is_told_in_its_summary_alone() -> None:
    for tier in (Tier.MEDIUM, Tier.LOW):
        notice = commit_notice(record(1, tier, analysis=analysis(Tier.HIGH)), settings())
        assert (notice.fields, notice.notes) == ((), ())
        assert notice.summary == "修复 `parse_header` 在空输入时崩溃的问题。"


@pytest.mark.parametrize(("name", "word"), [("rules", "rules"), ("degraded", "degraded"), ("medium", None)])
def test_analyses_that_are_not_the_models_are_marked_in_a_word(name: str, word: str | None) -> None:
    facts = notices()[name].facts
    assert facts[-1] == word if word else not {"rules", "degraded"} & set(facts)
    assert any("composed from the facts" in note for note in notices()[name].notes) is (name == "degraded")


def test_without_a_site_or_a_host_nothing_is_linked() -> None:
    notice = commit_notice(high(repository="local/clone"), settings(site_url=None))
    assert (notice.link, notice.page) == (None, None)


def test_what_became_of_a_commit_is_told_in_its_thread_and_on_top_of_it() -> None:
    told, en = high("en"), settings("en")
    corrected = told.model_copy(
        update={"correction": Correction(tier=Tier.LOW, why="nobody uses it", at=datetime(2026, 2, 18, tzinfo=UTC))}
    )
    raised = judged_day("en")[0]
    lines: dict[Change, str] = {
        Reverted(REVERT): 'Reverted by Revert "Parse headers" (#18170) (`0000009`)',
        Reverted(REVERT, partly=True): 'Reverted in part by Revert "Parse headers" (#18170) (`0000009`)',
        Repaired(): "The analysis was made again: model claude-haiku-5-5",
    }
    for change, line in lines.items():
        assert update_notice(told, change, en).headline == line
        assert commit_notice(told, en, changes=(change,)).notes[0] == line
    lowered = update_notice(corrected, Retiered(Tier.HIGH), en)
    assert lowered.headline == "Tier changed from high to low: nobody uses it"
    moved = update_notice(raised, Retiered(Tier.MEDIUM), en)
    assert moved.headline == "Tier changed from medium to high: Old clients are refused."


def test_each_update_of_a_commit_has_an_id_of_its_own() -> None:
    changes: list[Change] = [Reverted(REVERT), Retiered(Tier.LOW), Retiered(Tier.MEDIUM), Repaired()]
    found = [update_notice(high(), change, settings()).id for change in changes]
    assert found == [
        (f"{REPOSITORY}@{sha_of(1)} {what}",)
        for what in (f"reverted {sha_of(9)}", "tier low high", "tier medium high", "repaired")
    ]


def test_a_burst_is_listed_by_tier_in_order_of_landing_and_the_rest_is_counted() -> None:
    notice = list_notice(many(30), settings("en"))
    assert notice.headline == "30 commits in octocat/hello-world"
    assert notice.id == tuple(f"{REPOSITORY}@{sha_of(number)}" for number in range(30))
    assert [(part.label, len(part.lines), part.more) for part in notice.fields] == [
        ("🔴 High (6)", 6, ""), ("🟡 Medium (6)", 6, ""), ("🟢 Low (18)", 8, "and 10 more"),
    ]  # fmt: skip
    links = [line.link for part in notice.fields for line in part.lines]
    shown = [4, 9, 14, 19, 24, 29, 1, 6, 11, 16, 21, 26, 0, 2, 3, 5, 7, 8, 10, 12]
    assert links == [f"https://github.com/{REPOSITORY}/commit/{sha_of(number)}" for number in shown]
    assert notice.page == f"https://daybook.test/{REPOSITORY}/2026-02-17"


def test_a_list_of_several_repositories_names_each() -> None:
    notice = notices()["morning"]
    assert notice.headline == "During quiet hours: 4 commits in 2 repositories"
    lines = [line.text for part in notice.fields for line in part.lines]
    assert lines[1] == "octocat/spoon-knife: Fix the parser (#12)"
    assert notice.page is None


def test_a_digest_says_what_a_reader_of_the_day_must_know() -> None:
    notice = notices()["digest-en"]
    assert notice.id == (f"{REPOSITORY} 2026-02-17",)
    assert notice.headline == "Daily update report (2026-02-17) · octocat/hello-world"
    assert notice.facts == ("7 commits", "🔴 High 3", "🟡 Medium 2", "🟢 Low 2")
    assert [(part.label, len(part.lines), part.more) for part in notice.fields] == [
        ("Highlights", 1, ""), ("🔴 High-importance changes", 3, ""), ("Compatibility changes", 8, ""),
    ]  # fmt: skip
    assert notice.notes[0].startswith("Covered 5/7 · model 3")


def test_a_digest_of_a_day_whose_source_failed_counts_nothing_and_says_so() -> None:
    notice = digest_notice(report([], source_ok=False), settings())
    assert notice.facts == ()
    assert notice.notes[0] == "数据源没有正常应答，无法确认本日有没有提交。"


def test_of_too_much_the_longest_lists_shrink_first_and_the_summary_goes_last() -> None:
    notice: Notice | None = commit_notice(
        high("en", triage=triage(Tier.HIGH, ChangeType.BREAKING, Reason(code="watched", subject="x"))), settings("en")
    )
    steps = []
    while notice:
        steps.append(([len(part.lines) for part in notice.fields], bool(notice.notes), bool(notice.summary)))
        notice = lesser(notice)
    assert steps == [
        ([1, 2, 5, 1], True, True), ([1, 2, 4, 1], True, True), ([1, 2, 3, 1], True, True),
        ([1, 2, 2, 1], True, True), ([1, 1, 2, 1], True, True), ([1, 1, 1, 1], True, True),
        ([1, 1, 1], True, True), ([1, 1], True, True), ([1], True, True), ([], True, True),
        ([], False, True), ([], False, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("One two. Three four. Five.", 26, "One two. Three four. Five."),
        ("One two. Three four. Five.", 25, "One two. Three four. …"),
        ("One two. Three four. Five.", 15, "One two. …"),
        ("One two three four five", 15, "One two three…"),
        ("改了 `a.b. c` 的一处。又改了一处。", 18, "改了 `a.b. c` 的一处。 …"),
        ("改了 `a long name` 的", 8, "改了…"),
        ("`a very long name indeed`", 8, "a very …"),
        ("😀😀😀😀", 6, "😀😀…"),
        ("v1.2.3 is out now", 8, "v1.2.3…"),
    ],
)
def test_a_text_is_cut_at_the_end_of_a_sentence_or_a_word(text: str, limit: int, shown: str) -> None:
    assert cut(text, limit) == shown


@given(hostile_text(), st.integers(4, 40))
def test_a_cut_text_fits_and_begins_as_the_whole_does(text: str, limit: int) -> None:
    shown = cut(text, limit)
    assert width(shown) <= limit
    if shown != clean(text):
        begun = shown.removesuffix("…").rstrip()
        assert clean(text).replace("`", "").startswith(begun.replace("`", ""))
        assert shown.count("`") % 2 == 0 or clean(text).count("`") % 2 == 1
