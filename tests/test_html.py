"""The HTML page: whole texts, live links, a strict outline, nothing from outside, inert texts of strangers."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from base64 import b64encode
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given

from core.models import Correction, Insights, Opinion, Reason, Tier, Unseen, Verdict
from report.html import commit_page, content_security_policy, html_page
from report.prose import clean
from report.trend import DayCount
from tests.goldens import assert_golden
from tests.hostile import hostile_text
from tests.outline import assert_sound, html_outline
from tests.records import START, analysis, facts, judged_day, pages, record, report, triage, varied_day

PAGES = pages()


def without_style(page: str) -> str:
    """The page with its style sheet and script left out, so that goldens show content."""
    bare = re.sub(r"(?s)<(style|script)>.*?</\1>", r"<\1></\1>", page)
    return re.sub(r"sha256-[A-Za-z0-9+/=]+", "sha256", bare)


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
    outline = html_outline(page)
    assert not {"img", "iframe", "object", "image", "use", "foreignobject"} & outline.kinds.keys()
    assert outline.kinds["script"] == 1
    assert not re.search(r"@import|url\(|src=|srcset=|action=|xlink|fetch\(|XMLHttpRequest|import\(", page)
    assert re.findall(r"<link [^>]*>", page) == ['<link rel="icon" href="data:,">']


@pytest.mark.parametrize("kind", ["style", "script"])
def test_the_policy_knows_the_style_and_the_script_by_their_hashes(kind: str) -> None:
    page = html_page(PAGES["varied-zh"])
    found = re.search(rf"(?s)<{kind}>(.*)</{kind}>", page)
    assert found is not None
    assert "<" not in found[1]
    digest = b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    allowed = dict(part.strip().split(" ", 1) for part in content_security_policy().split(";"))
    assert f"'sha256-{digest}'" in allowed[f"{kind}-src"].split()
    assert "unsafe" not in content_security_policy()


def test_the_low_tier_is_folded_unless_it_is_all_there_is() -> None:
    folded, alone = html_page([report(varied_day())]), html_page([report([record(1), record(2)])])
    assert re.search(r'<section class="group low"[^>]*>\n<details>', folded)
    assert re.search(r'<section class="group low"[^>]*>\n<details open>', alone)


def test_a_page_of_92_commits_is_under_400_kb() -> None:
    items = ("多卡环境下若张量并行数与模型内部不一致，`load_weights` 会报错，升级前核对部署参数。" * 2,) * 4
    full: dict[str, Any] = dict.fromkeys(("scope", "advice", "risks"), items)
    full["insights"] = Insights(**dict.fromkeys(Insights.model_fields, "入口函数更名，旧调用方须改用 `forward`。" * 5))
    summary = "统一注意力后端的接口，参数 `mixed_qkv` 只接受单一张量。" * 8
    tiers = [(Tier.HIGH, Tier.MEDIUM, Tier.LOW, Tier.LOW)[n % 4] for n in range(92)]
    records = [
        record(n, tier, f"[Attention] Unify the interface of hybrid backends, part {n} (#{18000 + n})",
               facts=facts(areas=(f"python/runtime/layers/part_{n % 7}", f"test/part_{n % 5}")),
               analysis=analysis(tier, summary=summary, **(full if tier is Tier.HIGH else {})))
        for n, tier in enumerate(tiers)
    ]  # fmt: skip
    earlier = [DayCount(day=date(2026, 1, 18) + timedelta(days=n), high=n, medium=9, low=40) for n in range(30)]
    assert len(html_page([report(records, earlier=earlier)]).encode()) < 400_000


def test_a_commit_page_has_one_title() -> None:
    outline = html_outline(commit_page(report(varied_day()[:1])))
    assert outline.headings == [(1, "Parse headers in two layers, drop strict and keep [PCG] tags (#18164)")]


def test_a_commit_page_says_who_came_to_its_tier() -> None:
    page = commit_page(report(judged_day()[:1]))
    assert "模型由中升为高：旧客户端升级后请求会被拒绝；规则的依据：改动了 parser" in page
    assert "差异较长，分 5 部分读完。" in page
    assert "已删去 2 处提交中查无出处的名称或数字。" in page


COMPILED = """
import jinja2
from report.html import html_page, load_templates
from tests.records import pages
load_templates()
compiled, compile = [], jinja2.Environment.compile
jinja2.Environment.compile = lambda self, source, name=None, *others, **options: (
    compiled.append(name), compile(self, source, name, *others, **options))[1]
for reports in pages().values():
    html_page(reports)
print(compiled)
"""


def test_after_templates_were_loaded_a_days_page_compiles_none() -> None:
    ended = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.strip() == "[]"


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
        opinion=Opinion(tier=Tier.HIGH, reason=text),
    )
    moved = Verdict(tier=Tier.HIGH, rule="moved")
    by_hand = Correction(tier=Tier.LOW, why=text, at=START)
    judged = triage(
        Tier.MEDIUM, written.types[0], Reason(code="security", subject=text), Reason(code="x", subject=text)
    )
    high = record(1, Tier.HIGH, text, author=text, branch=text, analysis=written, triage=judged, verdict=moved)
    low = record(2, Tier.LOW, text, author=text, analysis=analysis(summary=text), correction=by_hand)
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
