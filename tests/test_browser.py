"""The pages in a real Chromium: nothing broken, nothing loaded from elsewhere, readable on a phone, links that lead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request

from core.ledger import Ledger
from report.json import report_json
from tests.chromium import NEEDS_CHROMIUM, chromium
from tests.records import REPOSITORY, report, varied_day
from tests.running import web_process

DAY = date(2026, 2, 17)

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def base(redis_url: str, ledger: Ledger, tmp_path: Path) -> Iterator[str]:
    ledger.save_report(REPOSITORY, DAY, report_json([report(varied_day())]))
    ledger.redis.hset("daybook:repositories", REPOSITORY, 1)
    with web_process(redis_url, tmp_path) as url:
        yield url


class Watched:
    """A page whose console, failures and requests are written down."""

    def __init__(self, browser: Browser, width: int, scheme: str = "light") -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._requested)

    def _requested(self, request: Request) -> None:
        self.requests.append(request.url)


@pytest.mark.parametrize("width", [360, 768, 1280, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_is_whole_at_every_width(browser: Browser, base: str, width: int, scheme: str) -> None:
    watched = Watched(browser, width, scheme)
    page = watched.page
    page.goto(f"{base}/{REPOSITORY}/{DAY}")
    assert watched.complaints == []
    assert watched.requests == [f"{base}/{REPOSITORY}/{DAY}"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    levels = page.eval_on_selector_all("h1,h2,h3,h4,h5,h6", "found => found.map(h => +h.tagName[1])")
    nav = page.eval_on_selector_all("nav h2", "found => found.length")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert nav == 1
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [int(part) for part in background[4:-1].split(",")[:3]] if background.startswith("rgb(") else [0, 0, 0]
    assert (sum(channels) > 380) is (scheme == "light"), background
    page.close()


def test_every_link_of_the_contents_leads_to_its_commit(browser: Browser, base: str) -> None:
    watched = Watched(browser, 1280)
    page = watched.page
    page.goto(f"{base}/{REPOSITORY}/{DAY}")
    targets = page.eval_on_selector_all("a[href^='#']", "found => found.map(a => a.getAttribute('href').slice(1))")
    assert len(targets) > 15
    missing = page.evaluate("ids => ids.filter(id => !document.getElementById(id))", targets)
    assert missing == []
    last = page.locator("nav.contents a").last
    wanted = last.get_attribute("href")
    last.click()
    assert page.url.endswith(wanted or "?")
    top = "document.getElementById(id).getBoundingClientRect().top"
    seen = f"id => {top} > -2 && {top} < innerHeight"
    page.wait_for_function(seen, arg=(wanted or "")[1:], timeout=5000)
    page.close()


def test_the_archive_leads_to_the_report_and_back(browser: Browser, base: str) -> None:
    watched = Watched(browser, 390)
    page = watched.page
    page.goto(base)
    page.get_by_role("link", name=str(DAY)).first.click()
    assert page.url == f"{base}/{REPOSITORY}/{DAY}"
    page.locator("nav.bar a").first.click()
    assert page.url.split("#")[0] == f"{base}/"
    assert watched.complaints == []
    page.close()


def test_the_page_prints(browser: Browser, base: str, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(f"{base}/{REPOSITORY}/{DAY}")
    page.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "page.pdf").stat().st_size > 20_000
    page.close()
