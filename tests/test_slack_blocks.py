"""Notices in Slack's form: whole messages, Slack's limits whatever is told, and texts that stay texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials

from core.models import Tier
from tests.fakes.slack_limits import fault
from tests.goldens import assert_golden
from tests.noticed import HOSTILE, any_notice, high, notices, settings
from tests.records import analysis, facts, record
from workers.notices import Notice, commit_notice
from workers.slack_blocks import MOST_CHARACTERS, blocks_json, slack_message

COMMIT = "https://github.com/octocat/hello-world/commit/0000001" + "0" * 33
PAGE = "https://daybook.test/octocat/hello-world/commit/0000001" + "0" * 33
DAY = "https://daybook.test/octocat/hello-world/2026-02-17"


def sent(notice: Notice) -> dict[str, Any]:
    message = slack_message(notice)
    return {"text": message.fallback, "blocks": blocks_json(message)}


def elements(blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What the rich texts of a message are made of."""
    for block in blocks:
        for part in block["elements"] if block["type"] == "rich_text" else []:
            for section in part["elements"] if part["type"] == "rich_text_list" else [part]:
                yield from section["elements"]


@pytest.mark.parametrize("name", notices())
def test_the_whole_message(name: str) -> None:
    message = sent(notices()[name])
    assert fault(message) is None
    assert_golden(f"slack-{name}.json", json.dumps(message, ensure_ascii=False, indent=1) + "\n")


@trials(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_notice())
def test_whatever_is_told_keeps_within_slacks_limits_and_leads_nowhere_else(notice: Notice) -> None:
    message = sent(notice)
    assert fault(message) is None
    assert len(message["text"]) + len(json.dumps(message["blocks"], ensure_ascii=False)) <= MOST_CHARACTERS
    assert {block["type"] for block in message["blocks"]} <= {"rich_text", "context"}
    for element in elements(message["blocks"]):
        assert element["type"] in {"text", "link", "user", "usergroup"}
        assert element.get("url") in {None, COMMIT, PAGE, DAY}
        assert element.get("user_id", "U0123456789") == "U0123456789"
        assert element.get("usergroup_id", "S0123456789") == "S0123456789"


@trials(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_notice())
def test_the_text_has_neither_markup_of_strangers_nor_half_an_entity(notice: Notice) -> None:
    text = slack_message(notice).text
    assert not {"<", ">"} & set(text)
    assert not re.search(r"&(?!(?:amp|lt|gt);)", text)
    assert text.encode().decode() == text


def test_a_hostile_title_is_shown_as_it_stands_and_mentions_nobody() -> None:
    message = sent(notices()["hostile"])
    title = next(element for element in elements(message["blocks"]) if element["type"] == "link")
    assert title["text"] == HOSTILE.replace("`", "")
    assert {element["type"] for element in elements(message["blocks"])} == {"text", "link"}
    assert "&lt;!channel&gt; &lt;@U0BOSS&gt;" in message["text"]


def test_code_spans_are_code_and_a_title_is_one_link() -> None:
    found = list(elements(sent(notices()["high-zh"])["blocks"]))
    code = [element["text"] for element in found if element.get("style", {}).get("code")]
    assert {"parse_header", "parser/header.py", "strict=True", "TypeError"} <= set(code)
    assert [element["url"] for element in found if element["type"] == "link"] == [COMMIT, PAGE]


def test_only_those_whom_slack_knows_are_mentioned() -> None:
    found = [
        element for element in elements(sent(notices()["high-zh"])["blocks"]) if element["type"].startswith("user")
    ]
    assert found == [{"type": "user", "user_id": "U0123456789"}, {"type": "usergroup", "usergroup_id": "S0123456789"}]


def test_a_title_without_a_link_keeps_its_code() -> None:
    found = list(elements(sent(notices()["local"])["blocks"]))
    assert found[2] == {"type": "text", "text": "strict", "style": {"bold": True, "code": True}}
    assert not any(element["type"] == "link" for element in found)


def test_what_has_no_room_is_left_out_from_the_longest_list_and_said() -> None:
    long = tuple(f"`a{n}` `b` " * 28 for n in range(5))
    written = analysis(Tier.HIGH, "en", scope=long, risks=long, advice=long)
    notice = commit_notice(high("en", analysis=written, facts=facts()), settings("en"))
    message = sent(notice)
    assert sum(len(part.lines) for part in notice.fields) == 15
    lists = [part for block in message["blocks"] for part in block["elements"] if part["type"] == "rich_text_list"]
    assert 3 <= sum(len(part["elements"]) for part in lists) < 15
    assert {"type": "text", "text": "and more"} in list(elements(message["blocks"]))


def test_a_text_for_notifications_is_one_line_with_the_address() -> None:
    long = record(1, Tier.MEDIUM, "Title & more", analysis=analysis(Tier.MEDIUM, "en", summary="One sentence. " * 60))
    text = slack_message(commit_notice(long, settings("en"))).text
    assert text.startswith("🟡 Title &amp; more — octocat/hello-world · main — One sentence. One sentence.")
    assert text.endswith(f"One sentence. … {COMMIT}")
    assert len(text) < 700
