"""Whole days in every form: the reference day, a quiet one, an outage, 92 commits and two repositories; en and zh."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from core.models import ChangeType, CommitRecord, Found, Language, PublicChange, Reason, Tier
from report.daily import DailyReport
from report.html import html_page
from report.json import report_from_json, report_json
from report.markdown import markdown
from report.trend import DayCount
from tests.goldens import assert_golden
from tests.outline import assert_sound, html_outline, markdown_outline
from tests.records import analysis, facts, record, report, triage, varied_day
from tests.reference_day import REPOSITORY
from tests.reference_texts import written_day
from tests.renderers import RENDERERS, rendered_outline
from tests.test_html import without_style

LANGUAGES: tuple[Language, ...] = ("zh", "en")
EARLIER = tuple(
    DayCount(day=date(2026, 1, 19) + timedelta(days=n), high=n % 4, medium=n % 7, low=10 + n) for n in range(29)
)
BUSY = 92
BUSY_TITLES = (
    "[Feature] Add the flag --kv-cache-dtype to the server, part {n} (#{pull})",
    "fix: `split` of a | b fails for <think> tags, see octocat/x#{n} (#{pull})",
    "[{n}/92] Refactor the scheduler so that its very long titles are cut in the contents (#{pull})",
    "docs: tell @hubot where https://example.com/{n} went (#{pull})",
)


def busy_day(language: Language) -> list[CommitRecord]:
    """92 commits: every third found by reconciliation, titles that break pages, changes that users notice."""
    return [_busy(n, language) for n in range(BUSY)]


def _busy(n: int, language: Language) -> CommitRecord:
    tier = (Tier.HIGH, Tier.MEDIUM, Tier.LOW, Tier.LOW)[n % 4]
    kind = (ChangeType.FEATURE, ChangeType.BUGFIX, ChangeType.REFACTOR, ChangeType.DOCS)[n % 4]
    change = PublicChange(kind="flag", action="added", name=f"--kv-cache-dtype-{n}", path="server/args.py")
    return record(
        n, tier, BUSY_TITLES[n % 4].format(n=n + 1, pull=19000 + n), author=f"Engineer {n % 11}",
        landed_at=record(0).commit.landed_at + timedelta(minutes=14 * n),
        committed_at=record(0).commit.landed_at + timedelta(minutes=14 * n, seconds=-n),
        found_by=Found.BACKFILL if n % 3 == 0 else Found.PUSH,
        facts=facts(areas=(f"part_{n % 9}",), changes=(change,) if tier is Tier.HIGH else (), additions=37 * n),
        triage=triage(tier, kind, Reason(code="base_product", subject=f"part_{n % 9}")),
        analysis=analysis(tier, language, types=(kind,)),
    )  # fmt: skip


def _days(language: Language) -> dict[str, list[DailyReport]]:
    asked = {"zh": "分支 main，2026-02-17 00:00 至 24:00", "en": "branch main, 2026-02-17 00:00 to 24:00"}[language]
    outage = {"source_ok": False, "asked": asked, "language": language}
    two = report(varied_day(language)[:3], language=language), report([], "octocat/outage", **outage)
    return {
        "reference": [report(written_day(language), REPOSITORY, language=language, earlier=EARLIER)],
        "quiet": [report([], "octocat/quiet", language=language, earlier=EARLIER)],
        "outage": [report([], "octocat/outage", **outage)],
        "busy": [report(busy_day(language), language=language, earlier=EARLIER)],
        "two": list(two),
    }


DAYS = {f"{name}-{language}": page for language in LANGUAGES for name, page in _days(language).items()}


@pytest.mark.parametrize("name", DAYS)
def test_the_whole_markdown(name: str) -> None:
    assert_golden(f"day__{name}.md", markdown(DAYS[name]))


@pytest.mark.parametrize("name", [name for name in DAYS if not name.startswith("busy")])
def test_the_whole_html(name: str) -> None:
    assert_golden(f"day__{name}.html", without_style(html_page(DAYS[name])))


@pytest.mark.parametrize("name", ["reference-zh", "reference-en"])
def test_the_whole_json(name: str) -> None:
    raw = report_json(DAYS[name])
    assert_golden(f"day__{name}.json", json.dumps(json.loads(raw), ensure_ascii=False, indent=1) + "\n")
    assert [report_from_json(raw)] == DAYS[name]


@pytest.mark.parametrize("name", DAYS)
def test_the_same_records_in_any_order_give_the_same_bytes(name: str) -> None:
    again = _days("zh" if name.endswith("zh") else "en")[name.rpartition("-")[0]]
    assert report_json(again) == report_json(DAYS[name])
    if name.startswith("reference"):
        language: Language = "zh" if name.endswith("zh") else "en"
        turned = report(written_day(language)[::-1], REPOSITORY, language=language, earlier=EARLIER[::-1])
        assert markdown([turned]) == markdown(DAYS[name])


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("name", DAYS)
def test_every_link_has_its_target_by_every_markdown_renderer(name: str, renderer: str) -> None:
    outline = rendered_outline(markdown(DAYS[name]), renderer)
    assert_sound(outline)
    targets = {day.anchor(commit) for day in DAYS[name] for commit in day.commits}
    assert targets <= set(outline.ids)
    assert {day.anchor(entry) for day in DAYS[name] for entry in day.entries} <= set(outline.inner_links)


@pytest.mark.parametrize("name", DAYS)
def test_every_link_of_the_html_has_its_target(name: str) -> None:
    outline = html_outline(html_page(DAYS[name]))
    assert_sound(outline)
    assert {day.anchor(commit) for day in DAYS[name] for commit in day.commits} <= set(outline.ids)


@pytest.mark.parametrize("name", DAYS)
def test_the_renderers_agree(name: str) -> None:
    page = markdown(DAYS[name])
    first, *others = (rendered_outline(page, renderer) for renderer in RENDERERS)
    for other in others:
        assert (other.headings, other.links, other.ids) == (first.headings, first.links, first.ids)
        assert other.kinds == first.kinds


@pytest.mark.parametrize("name", DAYS)
def test_the_headings_are_those_of_the_source(name: str) -> None:
    """The outline that a renderer makes is the one that was meant: no text became a heading, none was lost."""
    outline = markdown_outline(markdown(DAYS[name]))
    commits = sum(len(day.entries) for day in DAYS[name])
    assert outline.levels.count(4) == commits
    assert outline.levels.count(2) == len(DAYS[name])


def test_the_reference_day_in_numbers() -> None:
    """Its two pairs cancel out: what was two high commits and two low ones is two entries, filed low."""
    (day,) = DAYS["reference-zh"]
    assert (len(day.commits), len(day.entries)) == (19, 17)
    assert (day.tiers.high, day.tiers.medium, day.tiers.low) == (0, 2, 17)
    assert (day.coverage.covered, day.coverage.total) == (19, 19)
    folded = {entry.sha[:7]: [commit.sha[:7] for commit in entry.folded] for entry in day.entries if entry.folded}
    assert folded == {"bfe34c9": ["26b2c63"], "b158f5d": ["5e3103a"]}
