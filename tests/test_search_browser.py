"""Search in a real Chromium against a real web process: by keyboard, without script, on a phone, for axe-core."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from core.ledger import Ledger
from report.json import report_json
from tests.chromium import NEEDS_CHROMIUM, chromium
from tests.records import REPOSITORY, report, varied_day
from tests.running import web_process

AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
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
        _wait_for_the_index(url)
        yield url


def _wait_for_the_index(url: str) -> None:
    """A search that comes first makes the index, and shows what there is when that takes long."""
    deadline = time.monotonic() + 60
    while not httpx2.get(f"{url}/search.json", params={"q": "diffusion"}, timeout=30).json()["complete"]:
        assert time.monotonic() < deadline, "the search index is still not made"
        time.sleep(0.1)


@pytest.mark.parametrize("start", ["/", f"/{REPOSITORY}/{DAY}"])
def test_a_commit_is_found_by_keyboard_alone_without_script(browser: Browser, base: str, start: str) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{base}{start}")
    box = page.locator("form.find input[name=q]")
    box.focus()
    page.keyboard.type("diffusion")
    page.keyboard.press("Enter")
    expect(page.locator("mark")).to_have_text("Diffusion")
    page.get_by_role("link", name="[Diffusion] Fix get model name").click()
    assert page.url.startswith(f"{base}/{REPOSITORY}/{DAY}#commit-")
    assert complaints == []
    page.context.close()


def test_filters_narrow_and_stay_filled_in(browser: Browser, base: str) -> None:
    page = browser.new_page()
    page.goto(f"{base}/search")
    page.get_by_text("缩小范围").click()
    page.get_by_label("重要程度").select_option("高")
    page.get_by_label("从").fill("2026-02-17")
    page.get_by_role("main").get_by_role("button", name="搜索").click()
    expect(page.get_by_text("找到 2 个提交")).to_be_visible()
    assert page.get_by_label("重要程度").input_value() == "high"
    assert page.get_by_label("从").input_value() == "2026-02-17"
    page.close()


@pytest.mark.skipif(not AXE.exists() and not os.environ.get("CI"), reason="needs `npm install --prefix tests/axe`")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(browser: Browser, base: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800}, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    for path in ("/search?q=parse_header&tier=high&from=x", "/search?q=parse_header&tier=high", "/search", "/"):
        page.goto(f"{base}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.evaluate(AXE.read_text("utf-8"))
        outcome = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        faults = [(fault["id"], [node["html"][:120] for node in fault["nodes"][:3]]) for fault in outcome["violations"]]
        assert (path, faults) == (path, [])
    context.close()
