"""The HTML page: whole texts, live links, a strict outline, nothing from outside, inert texts of strangers."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode

import pytest
from hypothesis import given

from core.models import Insights, Reason, Tier, Unseen
from report.html import commit_page, content_security_policy, html_page
from report.prose import clean
from tests.goldens import assert_golden
from tests.hostile import hostile_text
from tests.outline import assert_sound, html_outline
from tests.records import analysis, pages, record, report, triage, varied_day

PAGES = pages()


def without_style(page: str) -> str:
    """The page with its style sheet left out, so that goldens show content."""
    return re.sub(r"(?s)<style>.*</style>", "<style></style>", re.sub(r"'sha256-[^']+'", "'sha256'", page))


@pytest.mark.parametrize("name", PAGES)
def test_whole_page(name: str) -> None:
    assert_golden(f"{name}.html", without_style(html_page(PAGES[name])))


@pytest.mark.parametrize("name", PAGES)
def test_links_are_alive_and_the_outline_is_strict(name: str) -> None:
    outline = html_outline(html_page(PAGES[name]))
    assert_sound(outline)
    for report_ in PAGES[name]:
        assert {report_.anchor(entry) for entry in report_.entries} <= set(outline.inner_links)


@pytest.mark.parametrize("name", PAGES)
def test_the_page_asks_nobody_for_anything(name: str) -> None:
    page = html_page(PAGES[name])
    assert not {"script", "img", "iframe", "object", "form", "svg"} & html_outline(page).kinds.keys()
    assert not re.search(r"@import|url\(|src=|srcset=", page)
    assert re.findall(r"<link [^>]*>", page) == ['<link rel="icon" href="data:,">']


def test_the_policy_knows_the_style_by_its_hash() -> None:
    page = html_page(PAGES["varied-zh"])
    style = re.search(r"(?s)<style>(.*)</style>", page)
    assert style is not None
    digest = b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in content_security_policy()


def test_a_commit_page_has_one_title() -> None:
    outline = html_outline(commit_page(report(varied_day()[:1])))
    assert outline.headings == [(1, "Parse headers in two layers, drop strict and keep [PCG] tags (#18164)")]


def test_pages_of_different_days_or_none_are_refused() -> None:
    with pytest.raises(ValueError, match="one day"):
        html_page([])


def strangers(text: str) -> str:
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
    )
    judged = triage(Tier.HIGH, written.types[0], Reason(code="security", subject=text), Reason(code="x", subject=text))
    high = record(1, Tier.HIGH, text, author=text, branch=text, analysis=written, triage=judged)
    low = record(2, Tier.LOW, text, author=text, analysis=analysis(summary=text))
    day = report([high, low], web_url=None, asked=text, source_ok=False)
    return html_page([day]) + commit_page(report([high], web_url=None))


@given(hostile_text().filter(clean))
def test_no_text_changes_the_structure(text: str) -> None:
    plain, outline = html_outline(strangers("plain")), html_outline(strangers(text))
    # `code` and nothing else may come and go with the text.
    assert outline.kinds | {"code": 0} == plain.kinds | {"code": 0}
    assert outline.levels == plain.levels
    assert outline.links == plain.links
    assert outline.ids == plain.ids


@pytest.mark.parametrize("text", ["", " \n ", "\u200b", "\x00"])
def test_empty_texts_leave_a_sound_page(text: str) -> None:
    assert_sound(html_outline(strangers(text)[: strangers(text).index("</html>") + 7]))
