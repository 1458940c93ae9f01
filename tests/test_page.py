"""The page of a day as one file in a real Chromium: narrowing, folding, links, paper, and what axe-core has to say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from core.models import ChangeType, Tier
from report.daily import DailyReport
from report.html import html_page
from report.trend import DayCount
from tests.chromium import NEEDS_CHROMIUM, chromium
from tests.records import analysis, facts, record, report, varied_day

AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def day() -> DailyReport:
    """Five commits: one high, one medium, three low, of two types, areas and authors."""
    fix, docs = {"types": (ChangeType.BUGFIX,)}, {"types": (ChangeType.DOCS,)}
    records = [
        record(1, Tier.HIGH, "Drop the strict parser (#12)", analysis=analysis(Tier.HIGH, "en", **fix)),
        record(2, Tier.MEDIUM, "Fix the ＣＡＣＨＥ key", analysis=analysis(Tier.MEDIUM, "en", **fix), author="Hubot"),
        record(
            3, Tier.LOW, "Say how to install", analysis=analysis(Tier.LOW, "en", **docs), facts=facts(areas=("docs",))
        ),
        record(4, Tier.LOW, "Tidy the parser", analysis=analysis(Tier.LOW, "en", **fix), author="Hubot"),
        record(5, Tier.LOW, "Tidy <b> & more", analysis=analysis(Tier.LOW, "en", **fix), facts=facts(areas=("<b>",))),
    ]
    earlier = [
        DayCount(day=date(2026, 2, 17) - timedelta(days=n), high=n % 3, medium=n % 5, low=n) for n in range(1, 25)
    ]
    return report(records, language="en", earlier=earlier)


class Opened:
    """A page from a file, with its complaints."""

    def __init__(
        self, browser: Browser, folder: Path, *reports: DailyReport, fragment: str = "", **context: Any
    ) -> None:
        file = folder / "page.html"
        file.write_text(html_page(reports or [day()]), encoding="utf-8")
        self.page: Page = browser.new_context(**context).new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri() + fragment)

    def shown(self) -> list[int]:
        """The numbers of the commits that are not filtered out."""
        ids = self.page.eval_on_selector_all("article:not([hidden]) h4", "found => found.map(h => h.id)")
        return [int(name[-40:-33], 16) for name in ids]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    found = Opened(browser, tmp_path)
    yield found
    assert found.complaints == []
    found.page.context.close()


def test_text_narrows_as_one_types(opened: Opened) -> None:
    page = opened.page
    assert opened.shown() == [1, 2, 5, 4, 3]
    page.get_by_role("searchbox").press_sequentially("TIDY hubot")
    assert opened.shown() == [4]
    assert page.locator("output").inner_text() == "1 of 5 commits"
    expect(page.get_by_role("heading", name="Tidy the parser")).to_be_visible()  # its group opened for it
    left = page.locator(".contents a:visible").all_inner_texts()
    assert left[2:] == ["Highlights", "Low-importance changes (3)", "Tidy the parser"]
    expect(page.locator(".charts")).to_be_hidden()
    page.get_by_role("searchbox").fill("cache")
    assert opened.shown() == [2]  # full-width letters are letters
    page.get_by_role("searchbox").fill("0000003")
    assert opened.shown() == [3]
    page.get_by_role("searchbox").fill("no such thing")
    assert opened.shown() == []
    assert page.locator("output").inner_text() == "No commit matches."
    page.get_by_role("button", name="Clear filter").click()
    expect(page.locator("output")).to_have_text("")
    assert opened.shown() == [1, 2, 5, 4, 3]
    expect(page.get_by_role("heading", name="Tidy the parser")).to_be_hidden()  # and closed again


def test_tier_type_area_and_author_narrow_together(opened: Opened) -> None:
    page = opened.page
    page.get_by_role("checkbox", name="High").uncheck()
    assert opened.shown() == [2, 5, 4, 3]
    page.get_by_text("Type, area, author").click()
    page.get_by_label("Type of change").select_option("bug fix (4)")
    assert opened.shown() == [2, 5, 4]
    page.get_by_label("Author").select_option("Hubot (2)")
    assert opened.shown() == [2, 4]
    page.get_by_label("Area").select_option("parser (3)")
    page.get_by_role("checkbox", name="Medium").uncheck()
    assert opened.shown() == [4]
    page.get_by_label("Author").select_option("all")
    page.get_by_label("Area").select_option("<b> (1)")
    assert opened.shown() == [5]
    page.get_by_text("All 5 commits in order of time").click()
    assert page.locator(".timeline tbody tr:visible").count() == 1


def test_an_address_opens_what_hides_its_commit(browser: Browser, tmp_path: Path) -> None:
    low = day().anchor(day().entries[-1 - 2])  # the third commit: newest first
    found = Opened(browser, tmp_path, fragment=f"#{low}")
    page = found.page
    expect(page.locator(f"[id='{low}']")).to_be_in_viewport()
    page.get_by_role("searchbox").fill("strict parser")
    assert found.shown() == [1]
    page.evaluate("location.hash = '#top'")
    page.evaluate(f"location.hash = '#{low}'")
    expect(page.locator(f"[id='{low}']")).to_be_in_viewport()
    assert len(found.shown()) == 5
    expect(page.locator(".charts")).to_be_visible()
    page.locator(".group.low summary").first.click()
    link = page.locator(f".contents a[href='#{low}']")
    link.click()  # the address is this one already
    expect(page.locator(f"[id='{low}']")).to_be_in_viewport()
    assert found.complaints == []
    page.context.close()


def test_an_entry_of_two_commits_counts_and_is_found_as_two(browser: Browser, tmp_path: Path) -> None:
    newest, other, *rest = day().entries
    both = newest.model_copy(update={"folded": (other.member(),)})
    folded = day().model_copy(update={"entries": (both, *rest)})
    found = Opened(browser, tmp_path, folded, fragment=f"#{day().anchor(other)}")
    expect(found.page.get_by_text("Tidy the parser").last).to_be_in_viewport()
    found.page.get_by_text("Type, area, author").click()
    found.page.get_by_label("Author").select_option("Hubot (2)")
    assert found.page.locator("output").inner_text() == "3 of 5 commits"
    assert found.complaints == []
    found.page.context.close()


def test_a_link_is_copied(browser: Browser, tmp_path: Path) -> None:
    found = Opened(browser, tmp_path, permissions=["clipboard-read", "clipboard-write"])
    first = found.page.locator("article").first
    first.hover()
    first.get_by_role("button", name="Copy link").click()
    expect(first.get_by_role("button")).to_have_text("Copied")
    copied = found.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{(tmp_path / 'page.html').as_uri()}#{day().anchor(day().entries[-1])}"
    expect(first.get_by_role("button")).to_have_text("Copy link")
    found.page.context.close()


def test_without_script_all_is_there_and_nothing_is_offered_that_does_not_work(
    browser: Browser, tmp_path: Path
) -> None:
    low = day().anchor(day().entries[-1 - 2])
    found = Opened(browser, tmp_path, java_script_enabled=False)
    page = found.page
    expect(page.get_by_role("search")).to_be_hidden()
    expect(page.get_by_role("button", name="Copy link")).to_have_count(0)
    expect(page.get_by_role("heading", name="Say how to install")).to_be_hidden()
    page.locator(".group.low summary").click()
    expect(page.get_by_role("heading", name="Say how to install")).to_be_visible()
    page.locator(".group.low summary").click()
    page.goto(f"{page.url}#{low}")
    expect(page.locator(f"[id='{low}']")).to_be_in_viewport()
    page.context.close()


def test_the_whole_page_can_be_worked_by_keyboard(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#main$"))
    page.locator(".group.low summary").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("heading", name="Tidy the parser")).to_be_visible()
    unseen = page.evaluate(
        """() => [...document.querySelectorAll("a, button, summary, input, select")]
             .filter(part => part.checkVisibility())
             .filter(part => { part.focus(); return document.activeElement !== part; }).length"""
    )
    assert unseen == 0


@pytest.mark.parametrize("script", [True, False])
def test_paper_shows_what_the_screen_folds(browser: Browser, tmp_path: Path, script: bool) -> None:
    found = Opened(browser, tmp_path, java_script_enabled=script)
    found.page.emulate_media(media="print")
    if script:
        found.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    for title in ("Say how to install", "Drop the strict parser"):
        box = found.page.get_by_role("heading", name=title).bounding_box()
        assert box
        assert box["height"] > 5
    assert found.page.locator(".timeline tr").last.bounding_box()
    expect(found.page.locator(".side")).to_be_hidden()
    found.page.context.close()


@pytest.mark.parametrize("width", [360, 704, 1120, 1600])
def test_nothing_is_wider_than_the_page_folded_or_not(browser: Browser, tmp_path: Path, width: int) -> None:
    long = record(1, Tier.HIGH, "x" * 300, author="y" * 200, facts=facts(areas=("z" * 100 + "/" + "w" * 100,)))
    found = Opened(browser, tmp_path, report([*varied_day()[1:], long]), viewport={"width": width, "height": 800})
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    found.page.evaluate("document.querySelectorAll('details').forEach(box => { box.open = true; })")
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    found.page.context.close()


@pytest.mark.skipif(not AXE.exists() and not os.environ.get("CI"), reason="needs `npm install --prefix tests/axe`")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("which", ["day", "varied", "quiet"])
def test_axe_finds_nothing(browser: Browser, tmp_path: Path, which: str, width: int, scheme: str) -> None:
    reports = {"day": day(), "varied": report(varied_day()), "quiet": report([], source_ok=False)}
    size = {"width": width, "height": 900}
    found = Opened(browser, tmp_path, reports[which], viewport=size, color_scheme=scheme)
    found.page.evaluate("document.querySelectorAll('details').forEach(box => { box.open = true; })")
    found.page.evaluate(AXE.read_text("utf-8"))
    outcome = found.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [
        (fault["id"], fault["impact"], [node["html"][:120] for node in fault["nodes"][:3]])
        for fault in outcome["violations"]
    ] == []
    assert len(outcome["passes"]) > 15
    found.page.context.close()
