"""Notices as cards of Feishu: whole cards, the limit in bytes, and texts of strangers shown as they stand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.goldens import assert_golden
from tests.noticed import HOSTILE, any_notice, notices
from workers.feishu_card import MOST_BYTES, feishu_card
from workers.notices import Notice

COMMIT = "https://github.com/octocat/hello-world/commit/0000001" + "0" * 33
PAGE = "https://daybook.test/octocat/hello-world/commit/0000001" + "0" * 33
DAY = "https://daybook.test/octocat/hello-world/2026-02-17"
AT = "<at id=ou_0123abcd></at>"
PLAIN = {"paragraph_open", "paragraph_close", "inline", "text", "text_special", "softbreak", "code_inline"}
OURS = {"strong_open", "strong_close", "link_open", "link_close"}


def tokens(card: dict[str, Any]) -> list[Token]:
    """What CommonMark makes of all Markdown of a card."""
    found: list[Token] = []
    for element in card["body"]["elements"]:
        if element["tag"] == "markdown":
            for token in MarkdownIt("commonmark").parse(element["content"].replace(AT, "")):
                found += [token, *(token.children or [])]
    return found


@pytest.mark.parametrize("name", ["high-zh", "rules", "hostile", "list", "digest-zh", "outage", "reverted", "test"])
def test_the_whole_card(name: str) -> None:
    card = feishu_card(notices()[name])
    assert_golden(f"feishu-{name}.json", json.dumps(card, ensure_ascii=False, indent=1) + "\n")


@trials(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_notice())
def test_whatever_is_told_keeps_within_the_limit_and_is_text(notice: Notice) -> None:
    card = feishu_card(notice)
    assert len(json.dumps(card, ensure_ascii=False).encode()) <= MOST_BYTES
    assert card["header"]["title"]["content"]
    assert {token.type for token in tokens(card)} <= PLAIN | OURS
    links = [str(token.attrGet("href")) for token in tokens(card) if token.type == "link_open"]
    buttons = [
        element["behaviors"][0]["default_url"] for element in card["body"]["elements"] if element["tag"] == "button"
    ]
    assert {*links, *buttons} <= {COMMIT, PAGE, DAY}


@trials(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_notice())
def test_no_tag_stands_in_a_card_but_a_mention_of_ours(notice: Notice) -> None:
    for element in feishu_card(notice)["body"]["elements"]:
        if element["tag"] == "markdown":
            assert "<" not in element["content"].replace(AT, "")


def test_a_hostile_title_is_shown_as_it_stands() -> None:
    card = feishu_card(notices()["hostile"])
    assert card["header"]["title"] == {"tag": "plain_text", "content": "🟢 " + HOSTILE.replace("`", "")}
    shown = "".join(token.content for token in tokens(card) if token.type in {"text", "text_special"})
    assert "x*y*_z_<b> · *bold* _it_ ~gone~ co*de <!channel> <@U0BOSS>" in shown


def test_a_title_of_one_long_word_is_cut_and_not_lost() -> None:
    long = replace(notices()["hostile"], headline="x" * 300)
    title = feishu_card(long)["header"]["title"]["content"]
    assert title == "🟢 " + "x" * 199 + "…"


def test_only_those_whom_feishu_knows_are_mentioned() -> None:
    assert feishu_card(notices()["high-zh"])["body"]["elements"][1]["content"] == f"请留意 {AT}"
    assert AT not in json.dumps(feishu_card(notices()["morning"]))
