"""Notice → a card of Feishu or Lark, in the second version of their JSON; pure.

Its texts are Markdown: each sign that means something there is written as an entity when it comes from a repository, so
that no `<at>`, no link and no emphasis comes out of it.
https://open.feishu.cn/document/uAjLw4CM/ukzMukzMukzM/feishu-cards/card-json-v2-structure
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from core.models import Tier
from report.labels import labels
from report.prose import markdown_code, spans
from workers.notices import TIER_MARKS, lesser
from workers.sentences import cut, plain

if TYPE_CHECKING:
    from workers.notices import Line, Notice, Part

MOST_BYTES: Final = 18_000  # of the card; a request may have 20,000, signature and all
TITLE_LIMIT: Final = 200

_COLOURS: Final = {Tier.HIGH: "red", Tier.MEDIUM: "yellow", Tier.LOW: "green"}
_SIGNS = re.compile(r"(?![,;?%])[!-/:-@\[-`{-~]")

Json = dict[str, Any]


def feishu_card(notice: Notice) -> Json:
    """The card of a notice, within Feishu's limit: what has no room is left out, the least important first."""
    card = _card(notice)
    while len(json.dumps(card, ensure_ascii=False).encode()) > MOST_BYTES and (less := lesser(notice)) is not None:
        notice, card = less, _card(less)
    return card


def _card(notice: Notice) -> Json:
    mark = f"{TIER_MARKS[notice.tier]} " if notice.tier and notice.kind in ("commit", "test") else ""
    title = mark + cut(plain(notice.headline), TITLE_LIMIT)  # the mark apart: a cut may fall on the blank behind it
    return {
        "schema": "2.0",
        "header": {"title": _plain(title), "template": _COLOURS[notice.tier] if notice.tier else "blue"},
        "body": {"elements": [*_elements(notice)] or [_markdown(_text(notice.headline))]},
    }


def _elements(notice: Notice) -> Iterator[Json]:
    if facts := [fact for fact in map(plain, notice.facts) if fact]:
        yield _markdown(_escaped(" · ".join(facts))) | {"text_size": "notation"}
    if mentioned := [name for name in notice.mention if name.startswith("ou_")]:
        names = " ".join(f"<at id={name}></at>" for name in mentioned)
        yield _markdown(f"{labels(notice.language).word('notify_mention')} {names}")
    for note in notice.notes:
        yield _markdown(f"› {_text(note)}")
    if notice.summary:
        yield _markdown(_text(notice.summary))
    for part in notice.fields:
        yield _markdown("\n".join(_part(part)))
    yield from _buttons(notice)


def _part(part: Part) -> Iterator[str]:
    yield f"**{_escaped(plain(part.label))}**"
    yield from (f"• {_line(line)}" for line in part.lines)
    if part.more:
        yield f"• {_text(part.more)}"


def _line(line: Line) -> str:
    if line.link is None:
        return _text(line.text)
    if line.name:
        return f"{_text(line.text)} [{_escaped(line.name)}]({line.link})"
    return f"[{_escaped(plain(line.text)) or '?'}]({line.link})"


def _buttons(notice: Notice) -> Iterator[Json]:
    words = labels(notice.language)
    if notice.link and notice.link != notice.page:
        yield _button(words.word("view_commit"), notice.link)
    if notice.page:
        yield _button(
            words.word("notify_page" if notice.kind in ("commit", "update") else "notify_report"), notice.page
        )


def _button(text: str, url: str) -> Json:
    return {"tag": "button", "text": _plain(text), "behaviors": [{"type": "open_url", "default_url": url}]}


def _plain(text: str) -> Json:
    return {"tag": "plain_text", "content": text}


def _markdown(content: str) -> Json:
    return {"tag": "markdown", "content": content}


def _text(text: str) -> str:
    """An untrusted text as Markdown that shows it, its `code` spans as code where nothing in them can be a tag."""
    pieces = (
        markdown_code(span.text) if span.kind == "code" and not {"<", "&"} & set(span.text) else _escaped(span.text)
        for span in spans(text)
    )
    return "".join(pieces)


def _escaped(text: str) -> str:
    return _SIGNS.sub(lambda match: f"&#{ord(match[0])};", text)
