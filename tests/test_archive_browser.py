"""The pages of the archive in a real Chromium: they fit, load nothing, complain of nothing, and axe-core agrees."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.chromium import NEEDS_CHROMIUM, chromium
from tests.records import REPOSITORY
from tests.serving import Client, serving
from tests.test_archive import filled
from tests.test_page import AXE

BASE = f"/{REPOSITORY}"
PATHS = ["/", BASE, f"{BASE}/2026", f"{BASE}/2026-02", f"{BASE}/2026-W08", f"{BASE}/author/The%20Octocat",
         f"{BASE}/area/core", f"{BASE}/2026-03-07", "/2026-02-17"]  # fmt: skip

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def site() -> Iterator[Client]:
    with serving(filled(), report_language="en") as client:
        yield client


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
@pytest.mark.parametrize("path", PATHS)
def test_it_fits_and_asks_for_nothing_else(browser: Browser, site: Client, path: str, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: told.append(request.url))
    page.goto(f"http://127.0.0.1:{site.port}{path}")
    assert told == [f"http://127.0.0.1:{site.port}{path}"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()


@pytest.mark.skipif(not AXE.exists() and not os.environ.get("CI"), reason="needs `npm install --prefix tests/axe`")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing(browser: Browser, site: Client, path: str, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{site.port}{path}")
    page.evaluate(AXE.read_text())
    outcome = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(one["id"], one["nodes"][0]["html"]) for one in outcome["violations"]] == []
    context.close()
