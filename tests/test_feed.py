"""The Atom feed against RFC 4287: a strict checker, the whole text of a small feed, and hostile words."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import Tier
from report.digest import DayDigest, digest_from_json
from report.feed import Feed, FeedDay, atom, authority
from report.json import report_json
from tests.hostile import hostile_text
from tests.outline import html_outline
from tests.records import analysis, record, report, sha_of, varied_day

NS = "{http://www.w3.org/2005/Atom}"
XML = "{http://www.w3.org/XML/1998/namespace}"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
TAG = re.compile(
    r"tag:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?,\d{4}(-\d\d){0,2}:[A-Za-z0-9._~!$&'()*+,;=:@/?%-]+", re.ASCII
)
ONCE_IN_FEED = {"id", "title", "updated", "generator", "icon", "logo", "rights", "subtitle"}
ONCE_IN_ENTRY = {"id", "title", "updated", "content", "published", "rights", "source", "summary"}
KNOWN = {"feed", "id", "title", "updated", "generator", "link", "author", "entry", "content", "name"}
UPDATED = datetime(2026, 2, 17, 16, 30, tzinfo=UTC)
FEED = Feed("octocat/hello-world", "en", "https://daybook.example", "daybook.example")


def assert_valid(document: bytes) -> ET.Element:
    """Every rule of RFC 4287 that a feed of ours could break; returns its root."""
    assert document.startswith(b"<?xml version='1.0' encoding='utf-8'?>\n")
    root = ET.fromstring(document)  # noqa: S314 - our own document
    assert root.tag == f"{NS}feed"
    assert {element.tag for element in root.iter()} <= {f"{NS}{name}" for name in KNOWN}
    assert root.get(f"{XML}lang")
    # 4.1.1: one id, title and updated; an author for the feed or for every entry; at most one self link.
    _assert_parts(root, ONCE_IN_FEED)
    assert root.find(f"{NS}author/{NS}name") is not None
    assert len(root.findall(f"{NS}link[@rel='self']")) == 1
    entries = root.findall(f"{NS}entry")
    for entry in entries:
        _assert_parts(entry, ONCE_IN_ENTRY)
        _assert_content(entry)
    ids = [entry.findtext(f"{NS}id") for entry in entries]
    assert len(ids) == len(set(ids))
    # 4.2.15: an entry is not newer than what the feed says of itself.
    assert all((entry.findtext(f"{NS}updated") or "") <= (root.findtext(f"{NS}updated") or "") for entry in entries)
    return root


def _assert_parts(parent: ET.Element, once: set[str]) -> None:
    names = [child.tag.removeprefix(NS) for child in parent]
    assert all(names.count(name) == 1 for name in ("id", "title", "updated"))
    assert all(names.count(name) <= 1 for name in once)
    assert TAG.fullmatch(parent.findtext(f"{NS}id") or "")  # RFC 4151
    moment = parent.findtext(f"{NS}updated") or ""
    assert DATE.fullmatch(moment)  # 3.3: RFC 3339 with upper-case T and Z
    datetime.fromisoformat(moment)
    assert parent.findtext(f"{NS}title")
    for link in parent.findall(f"{NS}link"):
        assert set(link.attrib) <= {"rel", "href", "type", "title", "hreflang", "length"}
        assert urlsplit(link.attrib["href"]).scheme in {"http", "https"}
        assert len(link) == 0
        assert not link.text
    alternates = [(link.get("type"), link.get("hreflang")) for link in parent.findall(f"{NS}link[@rel='alternate']")]
    assert len(alternates) == len(set(alternates))


def _assert_content(entry: ET.Element) -> None:
    """4.1.3.3: content of type html is text alone, and sound HTML once unescaped, with absolute links."""
    content = entry.find(f"{NS}content")
    assert content is not None
    assert content.attrib == {"type": "html"}
    assert len(content) == 0
    outline = html_outline(content.text or "")
    assert all(urlsplit(link).scheme in {"http", "https"} for link in outline.links)
    assert set(outline.kinds) <= {"p", "h3", "ul", "li", "a", "br", "code"}


def digest(records: list[Any], **changes: Any) -> DayDigest:
    return digest_from_json(report_json([report(records, **changes)]))


def test_the_whole_feed_of_a_small_day() -> None:
    day = digest([record(1, Tier.HIGH, analysis=analysis(Tier.HIGH, "en")), record(2)])
    link = f"https://daybook.example/octocat/hello-world/2026-02-17#commit-octocat.hello-world-{sha_of(1)}"
    other = link.replace(sha_of(1), sha_of(2))
    assert atom(FEED, [FeedDay(day, UPDATED)]).decode() == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">'
        "<id>tag:daybook.example,2026:octocat/hello-world</id>"
        "<title>octocat/hello-world: daily update reports</title>"
        "<updated>2026-02-17T16:30:00Z</updated>"
        '<link rel="self" type="application/atom+xml" href="https://daybook.example/octocat/hello-world/feed.atom" />'
        '<link rel="alternate" type="text/html" href="https://daybook.example/octocat/hello-world" />'
        "<author><name>Daybook</name></author><generator>Daybook</generator>"
        "<entry><id>tag:daybook.example,2026:octocat/hello-world/2026-02-17</id>"
        "<title>octocat/hello-world 2026-02-17 · 2 commits · High 1</title>"
        "<updated>2026-02-17T16:30:00Z</updated>"
        '<link rel="alternate" type="text/html" href="https://daybook.example/octocat/hello-world/2026-02-17" />'
        '<content type="html">&lt;p&gt;2 commits · High 1 · Low 1&lt;/p&gt;\n'
        "&lt;h3&gt;Highlights&lt;/h3&gt;\n&lt;ul&gt;\n"
        "&lt;li&gt;Fixes a crash of &lt;code&gt;parse_header&lt;/code&gt; on empty input. "
        f'&lt;a href="{link}"&gt;&lt;code&gt;0000001&lt;/code&gt;&lt;/a&gt; &lt;/li&gt;\n&lt;/ul&gt;\n'
        "&lt;h3&gt;High-importance changes (1)&lt;/h3&gt;\n&lt;ul&gt;\n"
        f'&lt;li&gt;&lt;a href="{link}"&gt;Fix the parser (#12)&lt;/a&gt;&lt;br&gt;'
        "Fixes a crash of &lt;code&gt;parse_header&lt;/code&gt; on empty input.&lt;/li&gt;\n&lt;/ul&gt;\n"
        "&lt;h3&gt;Low-importance changes (1)&lt;/h3&gt;\n&lt;ul&gt;\n"
        f'&lt;li&gt;&lt;a href="{other}"&gt;Fix the parser (#12)&lt;/a&gt;&lt;/li&gt;\n&lt;/ul&gt;'
        "</content></entry></feed>\n"
    )


def test_it_is_valid_in_both_languages_whatever_the_day() -> None:
    for language in ("zh", "en"):
        feed = Feed("octocat/hello-world", language, "http://127.0.0.1:8000", authority(None))
        later = date(2026, 2, 18)
        days = [digest([], day=later), digest(varied_day(language))]
        root = assert_valid(atom(feed, [FeedDay(days[0], UPDATED + timedelta(1)), FeedDay(days[1], UPDATED)]))
        assert root.findtext(f"{NS}updated") == "2026-02-18T16:30:00Z"
        assert [entry.findtext(f"{NS}id") for entry in root.findall(f"{NS}entry")] == [
            "tag:localhost,2026:octocat/hello-world/2026-02-18",
            "tag:localhost,2026:octocat/hello-world/2026-02-17",
        ]


def test_a_repository_without_reports_has_an_empty_feed() -> None:
    assert assert_valid(atom(FEED, [])).findall(f"{NS}entry") == []


@given(st.lists(hostile_text(), min_size=1, max_size=3), hostile_text(), hostile_text())
def test_no_words_of_strangers_break_it(titles: list[str], author: str, summary: str) -> None:
    records = [
        record(n, tier, title, author=author, analysis=analysis(tier, "en", summary=summary))
        for n, title in enumerate(titles)
        for tier in [tuple(Tier)[n]]
    ]
    day = digest(records)
    root = assert_valid(atom(FEED, [FeedDay(day, UPDATED)]))
    content = root.findtext(f"{NS}entry/{NS}content") or ""
    assert html_outline(content).kinds["li"] == len(titles) + len(day.highlights)


@pytest.mark.parametrize(
    ("site_url", "host"),
    [
        (None, "localhost"),
        ("", "localhost"),
        ("https://Daybook.example:8443/reports/", "daybook.example"),
        ("http://192.0.2.7", "192.0.2.7"),
        ("http://[2001:db8::1]/", "localhost"),
        ("http://[", "localhost"),
        ("https://日报.example", "localhost"),
        ("daybook.example", "localhost"),
    ],
)
def test_the_authority_of_its_ids(site_url: str | None, host: str) -> None:
    assert authority(site_url) == host
