"""Why Slack would refuse a message: the limits of Block Kit, of texts and of metadata, as its documentation has them.

https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/reference/methods/chat.postMessage and
https://docs.slack.dev/messaging/message-metadata
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]

MOST_CHARACTERS = 13_200
MOST_BLOCKS = 50
METADATA_BYTES = 16_000  # Slack has a limit (`metadata_too_large`) and does not document it
SECTION_CHARACTERS = 3_000
HEADER_CHARACTERS = 150
MARKDOWN_CHARACTERS = 12_000


class Refused(Exception):
    """What is wrong, for a person; Slack itself says `invalid_blocks` alone."""


def fault(given: Any) -> str | None:
    """The error that Slack answers to a message with; None when it takes it."""
    if not isinstance(given, dict):
        return "invalid_payload"
    text, blocks = given.get("text") or "", given.get("blocks") or []
    if not text and not blocks:
        return "no_text"
    if len(text) + len(json.dumps(blocks, ensure_ascii=False)) * bool(blocks) > MOST_CHARACTERS:
        return "msg_too_long"
    if blocks_fault(blocks):
        return "invalid_blocks"
    return _metadata_fault(given.get("metadata"))


def blocks_fault(blocks: Any) -> str | None:
    """What is wrong with the blocks of a message; None when nothing is."""
    try:
        _blocks(blocks)
    except Refused as error:
        return str(error)
    return None


def _metadata_fault(metadata: Any) -> str | None:
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or metadata.keys() != {"event_type", "event_payload"}:
        return "invalid_metadata_format"
    name, payload = metadata["event_type"], metadata["event_payload"]
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_]{1,255}", name) or not isinstance(payload, dict):
        return "invalid_metadata_format"
    return "metadata_too_large" if len(json.dumps(metadata).encode()) > METADATA_BYTES else None


def _blocks(blocks: Any) -> None:
    _require(isinstance(blocks, list) and len(blocks) <= MOST_BLOCKS, "a list of at most 50 blocks is wanted")
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        _require(kind in _KINDS, f"{kind} is not a block")
        check, keys = _KINDS[str(kind)]
        _require(block.keys() <= keys | {"type", "block_id"}, f"{kind}: a key that it does not have")
        check(block)
    names = [block["block_id"] for block in blocks if "block_id" in block]
    _require(all(0 < len(name) <= 255 for name in names), "block_id: 1 to 255 characters")
    _require(len(set(names)) == len(names), "block_id: twice the same")
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    _require(markdown <= MARKDOWN_CHARACTERS, "markdown: at most 12,000 characters in all")


def _section(block: Json) -> None:
    _require("text" in block or "fields" in block, "section: text or fields")
    if "text" in block:
        _text(block["text"], SECTION_CHARACTERS)
    _each(block.get("fields"), 10, lambda item: _text(item, 2_000), "section.fields")
    if "accessory" in block:
        _element(block["accessory"])


def _header(block: Json) -> None:
    _text(block.get("text"), HEADER_CHARACTERS, plain=True)


def _context(block: Json) -> None:
    def item(found: Json) -> None:
        if found.get("type") != "image":
            _text(found, SECTION_CHARACTERS)

    _each(block.get("elements", []), 10, item, "context.elements")


def _actions(block: Json) -> None:
    _each(block.get("elements", []), 25, _element, "actions.elements")


def _element(element: Json) -> None:
    _require(element.get("type") == "button", "only buttons are used here")
    _text(element.get("text"), 75, plain=True)
    _url(element.get("url", "https://example.org"))


def _markdown(block: Json) -> None:
    _require(isinstance(block.get("text"), str) and bool(block["text"]), "markdown: a text")


def _rich_text(block: Json) -> None:
    _each(block.get("elements", []), None, _rich_part, "rich_text.elements")


def _rich_part(part: Json) -> None:
    kind = part.get("type")
    if kind == "rich_text_list":
        _require(part.get("style") in ("bullet", "ordered"), "rich_text_list: a style")
        for item in part.get("elements", []):
            _require(item.get("type") == "rich_text_section", "rich_text_list: sections only")
            _rich_part(item)
        return
    _require(kind in ("rich_text_section", "rich_text_quote", "rich_text_preformatted"), f"{kind} is no part of a text")
    for element in part.get("elements", []):
        _rich_element(element)


def _rich_element(element: Json) -> None:
    kind = element.get("type")
    if kind in ("text", "link"):
        _require(element.get("style", {}).keys() <= {"bold", "italic", "strike", "code"}, "a style that is none")
    if kind == "text":
        _require(isinstance(element.get("text"), str) and bool(element["text"]), "text: empty")
    elif kind == "link":
        _url(element.get("url"))
        _require(element.get("text", "x") != "", "link: an empty text")
    elif kind == "emoji":
        _require(bool(re.fullmatch(r"[a-z0-9_+'-]+", str(element.get("name")))), "emoji: a name")
    elif kind in ("user", "usergroup", "channel"):
        _require(bool(re.fullmatch(r"[A-Z0-9]{2,}", str(element.get(f"{kind}_id")))), f"{kind}: an id")
    else:
        _require(kind == "broadcast" and element.get("range") in ("here", "channel", "everyone"), f"{kind} is unknown")


def _text(found: Any, most: int, *, plain: bool = False) -> None:
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    _require(isinstance(found, dict) and found.get("type") in kinds, f"a text object ({' or '.join(kinds)}) is wanted")
    _require(found.keys() <= {"type", "text", "emoji", "verbatim"}, "a text object has no such key")
    _require(found["type"] == "plain_text" or "emoji" not in found, "emoji: of plain texts only")
    _require(
        isinstance(found.get("text"), str) and 0 < len(found["text"]) <= most, f"1 to {most} characters are wanted"
    )


def _url(url: Any) -> None:
    _require(isinstance(url, str) and bool(re.match(r"https?://[^\s|<>]+$", url)) and len(url) <= 3_000, "url: not one")


def _each(items: Any, most: int | None, check: Callable[[Json], None], name: str) -> None:
    if items is None:
        return
    _require(isinstance(items, list) and 0 < len(items) <= (most or len(items)), f"{name}: 1 to {most} are wanted")
    for item in items:
        _require(isinstance(item, dict), f"{name}: objects are wanted")
        check(item)


def _require(holds: bool, said: str) -> None:
    if not holds:
        raise Refused(said)


_KINDS: Mapping[str, tuple[Callable[[Json], None], set[str]]] = {
    "section": (_section, {"text", "fields", "accessory", "expand"}),
    "header": (_header, {"text"}),
    "divider": (lambda _: None, set[str]()),
    "context": (_context, {"elements"}),
    "actions": (_actions, {"elements"}),
    "markdown": (_markdown, {"text"}),
    "rich_text": (_rich_text, {"elements"}),
}
