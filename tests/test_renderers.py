"""Strangers' texts in every place of a page leave its structure as it is: by each renderer, in HTML, JSON and Atom."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings

from core.models import Correction, Failure, Insights, Opinion, PublicChange, Reason, Tier, Unseen, Verdict
from report.daily import DailyReport, Rewrite
from report.digest import digest_from_json
from report.feed import Feed, FeedDay, atom
from report.highlights import Highlight, Written, basis
from report.html import commit_page, html_page
from report.json import report_from_json, report_json
from report.letter import letter
from report.markdown import markdown
from report.parts import issue_text
from report.prose import clean
from report.stories import Relation
from tests.hostile import hostile_text
from tests.outline import Outline, html_outline
from tests.records import REPOSITORY, START, analysis, facts, record, report, sha_of, triage
from tests.renderers import RENDERERS, rendered_outline

UPDATED = datetime(2026, 2, 18, tzinfo=UTC)
GIVEN = hostile_text().filter(clean)  # of a text without anything to see, nothing is shown


@cache
def strangers(text: str) -> DailyReport:
    """A day on which every text that Daybook did not write is `text`: three commits, one of each tier."""
    written = analysis(
        Tier.HIGH, summary=text, scope=(text, text), risks=(text,), advice=(text,), model=text,
        insights=Insights(architecture=text, performance=text, security=text, compatibility=text),
        unseen=(Unseen(path=text, lines=3),), opinion=Opinion(tier=Tier.HIGH, reason=text),
    )  # fmt: skip
    renamed = PublicChange(kind="flag", action="renamed", name=text, before=text, after=text, path=text)
    changed = PublicChange(kind="config", action="default_changed", name=text, before=text, after=text, path=text)
    known = facts(areas=(text,), paths=(text,), symbols=(text,), changes=(renamed, changed), benchmarks=(text,))
    judged = triage(
        Tier.MEDIUM, written.types[0], Reason(code="security", subject=text), Reason(code="x", subject=text)
    )
    who = {"author": text, "login": None, "branch": text, "facts": known, "triage": judged}
    message = f"{text}\n\n{text}"
    high = record(1, Tier.HIGH, message, analysis=written, verdict=Verdict(tier=Tier.HIGH, rule="moved"), **who)
    failure = Failure(stage="analyse", reason=text, attempts=3, failed_at=START)
    shallow = analysis(Tier.MEDIUM, summary=text, origin="degraded")
    medium = record(2, Tier.MEDIUM, message, analysis=shallow, failure=failure, **who)
    by_hand = Correction(tier=Tier.LOW, why=text, at=START)
    low = record(3, Tier.LOW, message, analysis=analysis(summary=text), correction=by_hand, **who)
    pushed = Rewrite(branch=text, before=sha_of(7), after=sha_of(8), replaced=(sha_of(9),))
    day: dict[str, Any] = {"web_url": None, "asked": text, "source_ok": False, "rewrites": (pushed,)}
    first = report([high, medium, low], **day)
    lines = tuple(Highlight(text=text, shas=(sha_of(number),)) for number in (1, 2))
    told = Written(basis=basis(first.entries, "zh"), lines=lines, model=text, usage=written.usage)
    return with_relation(report([high, medium, low], written=told, **day), text)


def with_relation(day: DailyReport, text: str) -> DailyReport:
    """The day, with the first commit following up one of another day."""
    other = Relation(kind="follows_up", sha=sha_of(99), title=text, day=day.day, detail="")
    first = day.entries[0].model_copy(update={"relations": (other,)})
    return day.model_copy(update={"entries": (first, *day.entries[1:])})


def structure(outline: Outline) -> tuple[object, ...]:
    """All but the words: `code` and places to break a line alone may come and go with the text."""
    kinds = {kind: count for kind, count in outline.kinds.items() if kind not in {"code", "wbr"}}
    return outline.levels, outline.links, outline.ids, kinds


@pytest.mark.parametrize("renderer", RENDERERS)
@given(text=GIVEN)
@example(text="http://evil.test/?a=b\\|")
@example(text="`a\\|b` c\\\\|d")
@settings(max_examples=40)
def test_no_text_changes_what_a_renderer_makes_of_the_markdown(renderer: str, text: str) -> None:
    plain = rendered_outline(markdown([strangers("plain")]), renderer)
    assert structure(rendered_outline(markdown([strangers(text)]), renderer)) == structure(plain)


@given(text=GIVEN)
@settings(max_examples=40)
def test_no_text_changes_the_html(text: str) -> None:
    for page in (lambda one: html_page([one]), _first_commit, _mail):
        assert structure(html_outline(page(strangers(text)))) == structure(html_outline(page(strangers("plain"))))


def _mail(day: DailyReport) -> str:
    """A mail's HTML without the styles that mail programs want in each tag."""
    return re.sub(r' style="[^"]*"', "", letter(day, None).html)


def _first_commit(day: DailyReport) -> str:
    return commit_page(day.model_copy(update={"entries": day.entries[:1]}))


@given(text=GIVEN)
@settings(max_examples=40)
def test_no_text_changes_an_issue(text: str) -> None:
    found, plain = (issue_text(strangers(words), None) for words in (text, "plain"))
    assert (found.title, found.marker, len(found.parts)) == (plain.title, plain.marker, len(plain.parts))
    for part, usual in zip(found.parts, plain.parts, strict=True):
        assert part.count("<!-- daybook ") == 1
        assert structure(_without_marker(part)) == structure(_without_marker(usual))


def _without_marker(part: str) -> Outline:
    return rendered_outline(part.partition("\n")[2], "github")


def shape(value: object) -> object:
    """A document without its texts and lists' lengths kept: objects by key, lists item by item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else type(value).__name__


@given(text=hostile_text())
@settings(max_examples=40)
def test_no_text_changes_the_json(text: str) -> None:
    day = strangers(text)
    raw = report_json([day])
    assert report_from_json(raw) == day
    assert raw.count(b"\n") == 1
    assert shape(json.loads(raw)) == shape(json.loads(report_json([strangers("plain")])))


def feed(text: str) -> bytes:
    """A feed of one day of such texts."""
    digest = digest_from_json(report_json([strangers(text)]))
    return atom(Feed(REPOSITORY, "zh", "https://daybook.example", "daybook.example"), [FeedDay(digest, UPDATED)])


@given(text=GIVEN)
@settings(max_examples=40)
def test_no_text_changes_the_feed(text: str) -> None:
    found, plain = (ET.fromstring(feed(words)) for words in (text, "plain"))  # noqa: S314 - our own document
    assert [(one.tag, one.attrib) for one in found.iter()] == [(one.tag, one.attrib) for one in plain.iter()]
    contents = [html_outline(f"<h1>x</h1>{root.findtext('.//{*}content')}") for root in (found, plain)]
    assert structure(contents[0]) == structure(contents[1])
