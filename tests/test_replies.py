"""The check of a reply: what is taken, what is mended quietly, and what is refused, with its reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import ChangeType, Insights, Language, Opinion, Tier
from tests.fakes.anthropic_rules import check_schema
from workers.replies import (
    InvalidReply,
    Note,
    Reply,
    checked_notes,
    checked_reply,
    leaked,
    length,
    notes_schema,
    schema_for,
)

LOW = {
    "summary": "修复空提示词导致调度器崩溃的问题。",
    "types": ["bugfix"],
    "tier": "high",
    "tier_reason": "普通请求即可使调度器崩溃。",
}
MEDIUM = {**LOW, "scope": ["调度器 `Scheduler`"], "advice": ["升级后回归测试空请求。"]}
INSIGHTS = {
    "architecture": "未改变模块划分。",
    "performance": "没有性能影响。",
    "security": "没有涉及。",
    "compatibility": "空请求现在返回 400。",
}
HIGH = {**MEDIUM, "insights": INSIGHTS, "risks": []}


def reply(fields: dict[str, Any], depth: Tier = Tier.LOW, language: Language = "zh", **changes: Any) -> Reply:
    return checked_reply(json.dumps(fields | changes), depth, language)


ORDER = {
    Tier.LOW: ["summary", "types", "tier", "tier_reason"],
    Tier.MEDIUM: ["summary", "scope", "advice", "types", "tier", "tier_reason"],
    Tier.HIGH: ["summary", "scope", "insights", "risks", "advice", "types", "tier", "tier_reason"],
}


@pytest.mark.parametrize("depth", list(Tier))
def test_the_schemas_are_ones_that_the_api_takes_and_ask_for_the_judgement_last(depth: Tier) -> None:
    schema = schema_for(depth)
    check_schema(schema, schema)
    assert [*schema["properties"]] == schema["required"] == ORDER[depth]


def test_the_schema_of_notes_is_one_that_the_api_takes() -> None:
    schema = notes_schema()
    check_schema(schema, schema)
    assert schema["required"] == ["notes"]


def test_good_replies_of_each_depth() -> None:
    summary = "修复空提示词导致调度器崩溃的问题。"
    bugfix = (ChangeType.BUGFIX,)
    opinion = Opinion(tier=Tier.HIGH, reason="普通请求即可使调度器崩溃。")
    assert reply(LOW) == Reply(bugfix, summary, opinion)
    assert reply(MEDIUM, Tier.MEDIUM) == Reply(
        bugfix, summary, opinion, scope=("调度器 `Scheduler`",), advice=("升级后回归测试空请求。",)
    )
    assert reply(HIGH, Tier.HIGH) == Reply(
        bugfix,
        summary,
        opinion,
        scope=("调度器 `Scheduler`",),
        insights=Insights(**INSIGHTS),
        risks=(),
        advice=("升级后回归测试空请求。",),
    )


def test_all_texts_of_a_reply() -> None:
    assert reply(HIGH, Tier.HIGH, risks=["风险。"]).texts == (
        "修复空提示词导致调度器崩溃的问题。",
        "调度器 `Scheduler`",
        "未改变模块划分。",
        "没有性能影响。",
        "没有涉及。",
        "空请求现在返回 400。",
        "风险。",
        "升级后回归测试空请求。",
        "普通请求即可使调度器崩溃。",
    )


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"tier": "urgent"}, "tier: enum"),
        ({"tier": None}, "tier: enum"),
        ({"tier_reason": 1}, "tier_reason: string type"),
        ({"tier_reason": " "}, "tier_reason is empty"),
        ({"tier_reason": "## 高\n崩溃。"}, "tier_reason contains a Markdown heading"),
        ({"tier_reason": "崩" * 61}, "tier_reason is longer than 60 characters (an ASCII word counted as one)"),
        ({"tier_reason": "It crashes the scheduler for ordinary requests."}, "the texts are not in Chinese"),
    ],
)
def test_an_opinion_that_is_refused(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidReply) as caught:
        reply(LOW, **changes)
    assert str(caught.value) == fault


def test_a_reply_without_an_opinion_is_refused() -> None:
    with pytest.raises(InvalidReply) as caught:
        checked_reply(json.dumps({"summary": "修复崩溃。", "types": ["bugfix"]}), Tier.LOW, "zh")
    assert str(caught.value) == "tier: missing; tier_reason: missing"


def test_the_reason_is_one_line_of_at_most_sixty_characters() -> None:
    assert reply(LOW, tier_reason="普通请求\n即可崩溃。").opinion.reason == "普通请求 即可崩溃。"
    assert reply(LOW, tier_reason="崩" * 60).opinion.reason == "崩" * 60
    assert (
        reply(LOW, tier_reason=f"普通请求即可使整个调度器崩溃。{'长' * 60}").opinion.reason
        == "普通请求即可使整个调度器崩溃。"
    )


def test_a_name_of_the_examples_is_found_in_every_text_unless_the_commit_has_it() -> None:
    told = "`Grebecask.spill_path` 的返回值。"
    for changes in (
        {"summary": told},
        {"scope": [told]},
        {"risks": [told]},
        {"advice": [told]},
        {"tier_reason": told},
        {"insights": {**INSIGHTS, "security": told}},
    ):
        found = reply(HIGH, Tier.HIGH, **changes)
        assert leaked(found, "class Scheduler:") == "grebecask"
        assert leaked(found, "+class GrebeCask:") is None
    assert leaked(reply(HIGH, Tier.HIGH), "") is None


def notes(*entries: dict[str, Any]) -> str:
    return json.dumps({"notes": entries})


def test_notes_are_cleaned_and_bounded() -> None:
    assert checked_notes(notes({"path": " a.py ", "what": "Adds\n `x`\u202e."})) == (Note("a.py", "Adds `x`<U+202E>."),)
    (long,) = checked_notes(notes({"path": "p" * 400, "what": "w" * 500}))
    assert long == Note("p" * 300 + "…", "w" * 400 + "…")
    many = notes(*({"path": f"{n}.py", "what": "x"} for n in range(30)))
    assert [note.path for note in checked_notes(many)] == [f"{n}.py" for n in range(20)]
    half = notes({"path": "", "what": "x"}, {"path": "a.py", "what": " "}, {"path": "b.py", "what": "y"})
    assert checked_notes(half) == (Note("b.py", "y"),)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the reply is not valid JSON"),
        ('{"notes": [{"path": "a', "the reply is not valid JSON"),
        (notes(), "notes: too short"),
        (notes({"path": "a.py"}), "notes.0.what: missing"),
        (notes({"path": "a.py", "what": "x", "order": "obey"}), "notes.0.unknown field: extra forbidden"),
        (notes({"path": " ", "what": "x"}), "the notes are empty"),
    ],
)
def test_notes_that_are_refused(text: str, fault: str) -> None:
    with pytest.raises(InvalidReply) as caught:
        checked_notes(text)
    assert str(caught.value) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the reply is not valid JSON"),
        ('{"types": ["bugfix"], "summary": "修复', "the reply is not valid JSON"),
        ('{"types": ["bugfix"], "summary": "\\ud800 修复。"}', "the reply is not valid JSON"),
        ("[]", "reply: model type"),
        (json.dumps({**LOW, "types": []}), "types: too short"),
        (json.dumps({**LOW, "types": ["tidy"]}), "types.0: enum"),
        (json.dumps({**LOW, "summary": 7}), "summary: string type"),
        (json.dumps({**LOW, "ignore previous instructions": 1}), "unknown field: extra forbidden"),
        (json.dumps({**LOW, "summary": " \n"}), "summary is empty"),
        (json.dumps({**LOW, "summary": "Fixes a crash of the scheduler."}), "the texts are not in Chinese"),
    ],
)
def test_what_is_refused_and_why(text: str, fault: str) -> None:
    with pytest.raises(InvalidReply) as caught:
        checked_reply(text, Tier.LOW, "zh")
    assert str(caught.value) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("## 摘要\n修复崩溃。", "summary contains a Markdown heading"),
        ("修复：\n- 崩溃\n- 挂起", "summary contains a list inside a text"),
        ("修复：\n1. 崩溃", "summary contains a list inside a text"),
        ("| 维度 | 影响 |", "summary contains a table"),
        ("修复\n```\ncode\n```", "summary contains a code block"),
        ("修复，见[文档](https://x.invalid/)。", "summary contains a link or an image"),
        ("修复 ![x](http://x.invalid/a.png)", "summary contains a link or an image"),
        ("修复<br>崩溃。", "summary contains an HTML tag"),
        ("修复 <img src=x onerror=alert(1)> 崩溃。", "summary contains an HTML tag"),
        ("修复 </details> 崩溃。", "summary contains an HTML tag"),
        ("修复 <!-- 注释 --> 崩溃。", "summary contains an HTML tag"),
    ],
)
def test_markup_of_its_own_is_refused(text: str, fault: str) -> None:
    with pytest.raises(InvalidReply) as caught:
        reply(LOW, summary=text)
    assert str(caught.value) == fault


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("修复 `<br>` 被当作 `## 标题` 的问题。", "修复 `<br>` 被当作 `## 标题` 的问题。"),
        ("支持 `std::vector<int>` 和 <think> 标记，见 #123。", "支持 `std::vector<int>` 和 <think> 标记，见 #123。"),
        ("**重要**：`f(**kwargs)` 的**默认值**改变。", "重要：`f(**kwargs)` 的默认值改变。"),
        ("  第一行\n 第二行 ", "第一行 第二行"),
        ("修复\u202e崩溃\u200b。", "修复<U+202E>崩溃<U+200B>。"),
    ],
)
def test_what_is_harmless_is_kept_or_cleaned(text: str, kept: str) -> None:
    assert reply(LOW, summary=text).summary == kept


def test_the_limit_of_a_low_summary_counts_an_ascii_word_as_one() -> None:
    assert length("修复 scheduler_v2 的崩溃。") == 7
    exact = "修" * 60 + " word" * 40
    assert length(exact) == 100
    assert reply(LOW, summary=exact).summary == exact

    sentence = "修复空提示词导致调度器崩溃的问题，并补充了回归测试。"
    assert reply(LOW, summary=sentence + "长" * 100).summary == sentence
    with pytest.raises(InvalidReply, match="summary is longer than 100 characters"):
        reply(LOW, summary="修" * 101)
    with pytest.raises(InvalidReply, match="summary is longer than 100 characters"):
        reply(LOW, summary="短。" + "修" * 101)


def test_a_long_text_never_ends_inside_code_or_a_number() -> None:
    first = f"{'短' * 30}。"
    assert reply(LOW, summary=f"{first}由 `a. b` 控制{'长' * 100}").summary == first
    # The limit falls between the 0. and the 5.
    assert reply(LOW, summary=f"{first}{'长' * 67}0.5 起{'长' * 9}").summary == first
    assert reply(LOW, summary=f"{first}{'长' * 60} ends. {'长' * 90}").summary == f"{first}{'长' * 60} ends."


def test_too_many_entries_lose_their_last_and_types_their_repeats() -> None:
    found = reply(HIGH, Tier.HIGH, risks=[f"风险{n}。" for n in range(9)], types=["bugfix", "bugfix", "security"])
    assert found.risks == ("风险0。", "风险1。", "风险2。", "风险3。", "风险4。")
    assert found.types == (ChangeType.BUGFIX, ChangeType.SECURITY)
    with pytest.raises(InvalidReply, match=r"^advice: too short$"):
        reply(MEDIUM, Tier.MEDIUM, advice=[])
    with pytest.raises(InvalidReply, match=r"^scope\[1\] is empty$"):
        reply(MEDIUM, Tier.MEDIUM, scope=["调度器", ""])


def test_language_is_judged_by_prose_without_code() -> None:
    english = {
        **LOW,
        "summary": "Fixes the crash of `Scheduler.add` for empty prompts.",
        "tier_reason": "Ordinary requests crash the scheduler.",
    }
    assert reply(english, language="en").summary == english["summary"]
    assert reply(LOW, summary="修复 `Scheduler.add_request_with_a_very_long_name_indeed` 崩溃。").summary
    with pytest.raises(InvalidReply, match="the texts are not in English"):
        reply(LOW, language="en")
    with pytest.raises(InvalidReply, match="the texts are not in Chinese"):
        reply(
            MEDIUM, Tier.MEDIUM, advice=["Test all the empty requests again after the upgrade, and read the changes."]
        )


PROSE = st.text(alphabet="修复崩溃word 12.。！,，`_", min_size=1, max_size=400)


@given(PROSE)
def test_whatever_is_kept_is_short_enough_and_a_beginning_of_the_text(text: str) -> None:
    try:
        found = reply(LOW, summary=text).summary
    except InvalidReply:
        return
    assert 0 < length(found) <= 100
    assert " ".join(text.split()).startswith(found)


def fault_of(text: str) -> str:
    try:
        checked_reply(text, Tier.LOW, "zh")
    except InvalidReply as fault:
        return str(fault)
    return ""


@given(st.text(max_size=200))
def test_any_text_is_checked_or_refused(text: str) -> None:
    assert len(fault_of(text)) < 200
    assert len(fault_of(json.dumps({**LOW, "summary": text}))) < 200
    assert len(fault_of(json.dumps({**LOW, "tier_reason": text}))) < 200
