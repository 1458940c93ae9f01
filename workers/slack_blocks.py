"""Notice → Slack's Block Kit, with a `text` for notifications; pure.

Texts stand in `rich_text`, whose elements are literal: no mention, link or emphasis can come out of a title there.
https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    PlainTextObject,
    RichTextBlock,
    RichTextElementParts,
    RichTextListElement,
    RichTextSectionElement,
)

from report.labels import labels
from report.prose import spans
from workers.notices import TIER_MARKS, lesser
from workers.sentences import cut, plain, width
from workers.slack import Message, escaped

if TYPE_CHECKING:
    from workers.notices import Line, Notice, Part

MOST_CHARACTERS: Final = 12_000  # of text and blocks as JSON; Slack refuses more than about 13,200
TEXT_LIMIT: Final = 600
CONTEXT_LIMIT: Final = 1_000

_Parts = RichTextElementParts


def slack_message(notice: Notice) -> Message:
    """The message of a notice, within Slack's limits: what has no room is left out, the least important first."""
    message = _message(notice)
    while _size(message) > MOST_CHARACTERS and (less := lesser(notice)) is not None:
        notice, message = less, _message(less)
    return message


def blocks_json(message: Message) -> list[dict[str, Any]]:
    """The blocks as Slack's API and its Block Kit Builder take them."""
    return [block.to_dict() for block in message.blocks]


def _message(notice: Notice) -> Message:
    return Message(_text(notice), tuple(_blocks(notice)))


def _size(message: Message) -> int:
    return width(message.text) + width(json.dumps(blocks_json(message), ensure_ascii=False))


def _text(notice: Notice) -> str:
    """One line for notifications and screen readers, and the whole message where Slack does not take the blocks."""
    parts = (f"{_mark(notice)}{plain(notice.headline)}", *notice.facts[:1], plain(notice.summary))
    # Cut before it is escaped: no entity is ever halved.
    told = escaped(cut(" — ".join(part for part in parts if part), TEXT_LIMIT))
    return f"{told} {notice.link}" if notice.link else told


def _mark(notice: Notice) -> str:
    return f"{TIER_MARKS[notice.tier]} " if notice.tier and notice.kind in ("commit", "test") else ""


def _blocks(notice: Notice) -> Iterator[Block]:
    yield _block(*_head(notice))
    if facts := " · ".join(fact for fact in map(plain, notice.facts) if fact):
        # Not `emoji`: a name such as :tada: is a part of a branch or an author's name.
        yield ContextBlock(elements=[PlainTextObject(text=cut(facts, CONTEXT_LIMIT), emoji=False)])
    if notice.notes:
        yield _block(*_lines(notice.notes))
    if notice.summary:
        yield _block(*_inline(notice.summary))
    for part in notice.fields:
        yield RichTextBlock(elements=[*_part(part)])
    if notice.page and notice.page != notice.link:
        word = "notify_page" if notice.kind in ("commit", "update") else "notify_report"
        yield _block(_Parts.Link(url=notice.page, text=labels(notice.language).word(word)))


def _block(*elements: Any) -> Block:
    return RichTextBlock(elements=[RichTextSectionElement(elements=elements)])


def _head(notice: Notice) -> Iterator[Any]:
    if mark := _mark(notice):
        yield _Parts.Text(text=mark)
    bold = notice.kind != "update"
    if notice.link:
        yield _link(notice.headline, notice.link, bold=bold)
    else:
        yield from _inline(notice.headline, bold=bold)
    mentioned = [element for name in notice.mention if (element := _mention(name))]
    if mentioned:
        yield _Parts.Text(text=f"\n{labels(notice.language).word('notify_mention')} ")
    for index, element in enumerate(mentioned):
        if index:
            yield _Parts.Text(text=" ")
        yield element


def _mention(name: str) -> Any:
    """Of a person or a user group of Slack; None for other services' ids."""
    if name.startswith(("U", "W")):
        return _Parts.User(user_id=name)
    return _Parts.UserGroup(usergroup_id=name) if name.startswith("S") else None


def _lines(notes: Sequence[str]) -> Iterator[Any]:
    for index, note in enumerate(notes):
        yield _Parts.Text(text="\n› " if index else "› ")
        yield from _inline(note)


def _part(part: Part) -> Iterator[Any]:
    label = _Parts.Text(text=plain(part.label), style=_Parts.TextStyle(bold=True))
    yield RichTextSectionElement(elements=[label])
    items = [RichTextSectionElement(elements=[*_line(line)]) for line in part.lines]
    if part.more:
        items.append(RichTextSectionElement(elements=[*_inline(part.more)]))
    if items:
        yield RichTextListElement(elements=items, style="bullet")


def _line(line: Line) -> Iterator[Any]:
    if line.link and not line.name:
        yield _link(line.text, line.link)
        return
    yield from _inline(line.text)
    if line.name:
        yield _Parts.Text(text=" ")
        yield _link(line.name, line.link) if line.link else _Parts.Text(text=line.name)


def _link(text: str, url: str, *, bold: bool = False) -> Any:
    """One link of the whole text; its `code` spans as plain words, as a link in pieces is several links."""
    return _Parts.Link(url=url, text=plain(text) or "?", style=_Parts.TextStyle(bold=True) if bold else None)


def _inline(text: str, *, bold: bool = False) -> Iterator[Any]:
    """An untrusted text as literal elements, its `code` spans as code; never nothing, which Slack refuses."""
    pieces = groupby(spans(text), lambda span: span.kind == "code")
    joined = [("".join(span.text for span in found), code) for code, found in pieces]
    for piece, code in joined or [("?", False)]:
        style = _Parts.TextStyle(bold=bold or None, code=code or None) if bold or code else None
        yield _Parts.Text(text=piece, style=style)
