"""The Markdown page: whole texts, live links, a strict outline, and strangers' texts that change nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from core.models import Correction, Insights, Opinion, Reason, Tier, Unseen, Verdict
from report.markdown import markdown
from report.prose import clean
from tests.goldens import assert_golden
from tests.hostile import hostile_text
from tests.outline import assert_sound, markdown_outline
from tests.records import START, analysis, facts, pages, record, report, triage, varied_day

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_whole_page(name: str) -> None:
    assert_golden(f"{name}.md", markdown(PAGES[name]))


@pytest.mark.parametrize("name", PAGES)
def test_links_are_alive_and_the_outline_is_strict(name: str) -> None:
    outline = markdown_outline(markdown(PAGES[name]))
    assert_sound(outline)
    for report_ in PAGES[name]:
        assert {report_.anchor(entry) for entry in report_.entries} <= set(outline.inner_links)


def test_a_fork_with_the_same_commits_shares_the_page() -> None:
    fork = "hubot/hello-world"
    outline = markdown_outline(markdown([report(varied_day()), report(varied_day(repository=fork), fork)]))
    assert_sound(outline)
    assert len([name for name in outline.ids if name.startswith("commit-")]) == 12


def test_the_outline_is_title_repository_group_commit() -> None:
    assert markdown_outline(markdown([report(varied_day()[:1])])).headings == [
        (1, "每日更新报告（2026-02-17）"),
        (2, "octocat/hello-world"),
        (3, "📊 统计摘要"),
        (3, "✨ 今日要点"),
        (3, "📋 目录"),
        (3, "🔴 高重要度变更 (1)"),
        (4, "Parse headers in two layers, drop strict and keep [PCG] tags (#18164)"),
    ]


def test_pages_of_different_days_or_none_are_refused() -> None:
    with pytest.raises(ValueError, match="one day"):
        markdown([])


def test_an_analysis_of_part_of_a_diff_says_so() -> None:
    note = "来源只给出了差异的一部分，分析可能不完整。"
    assert note in markdown([report([record(1, facts=facts(incomplete=True))])])
    assert note not in markdown([report([record(1)])])


def test_trailers_are_nowhere() -> None:
    assert "Signed-off-by" not in markdown([report(varied_day())])


def strangers(text: str, web_url: str | None = None) -> str:
    """A page on which every text that Daybook did not write is `text`."""
    written = analysis(
        Tier.HIGH,
        summary=text,
        scope=(text, text),
        risks=(text,),
        advice=(text,),
        model=text,
        insights=Insights(architecture=text, performance=text, security=text, compatibility=text),
        unseen=(Unseen(path=text, lines=3),),
        opinion=Opinion(tier=Tier.HIGH, reason=text),
    )
    moved = Verdict(tier=Tier.HIGH, rule="moved")
    by_hand = Correction(tier=Tier.LOW, why=text, at=START)
    judged = triage(
        Tier.MEDIUM, written.types[0], Reason(code="security", subject=text), Reason(code="x", subject=text)
    )
    known = facts(areas=(text,), paths=(text,))
    high = record(
        1, Tier.HIGH, text, author=text, branch=text, analysis=written, triage=judged, verdict=moved, facts=known
    )
    low = record(2, Tier.LOW, text, author=text, analysis=analysis(summary=text), correction=by_hand)
    return markdown([report([high, low], web_url=web_url, asked=text, source_ok=False)])


@given(hostile_text().filter(clean))
def test_no_text_changes_the_structure(text: str) -> None:
    plain, outline = markdown_outline(strangers("plain")), markdown_outline(strangers(text))
    assert outline.levels == plain.levels
    assert outline.links == plain.links
    assert outline.ids == plain.ids
    assert outline.kinds == plain.kinds


@given(hostile_text())
def test_links_lead_to_commits_and_issues_only(text: str) -> None:
    page = re.compile(r"#[a-z]+-[\w.-]+|https://github\.com/[\w.-]+/[\w.-]+/(issues/[0-9]+|commit/[0-9a-f]{40})")
    for link in markdown_outline(strangers(text, "https://github.com/octocat/hello-world")).links:
        assert page.fullmatch(link), link


@pytest.mark.parametrize("text", ["", " \n ", "\u200b", "\x00"])
def test_empty_texts_leave_a_sound_page(text: str) -> None:
    assert_sound(markdown_outline(strangers(text)))
