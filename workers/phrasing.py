"""Names, lists and bounded texts as an analysis writes them: code spans that hold, joined lists, width; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from report.labels import Labels
from workers.message import one_line

NAME_LIMIT = 70
# Longest quoted title, in characters.
TITLE_LIMIT = 140

_UNIT = re.compile(r"[A-Za-z0-9_]+|[^\sA-Za-z0-9_]")
_CHINESE_GAP = re.compile(r"(?<=[\u4e00-\u9fff）]) (?=[\u4e00-\u9fff（，。、])")
_SPAN = re.compile(r"`[^`]{1,160}`")


def code(name: str) -> str:
    """A name in a code span. No Markdown escape works inside one, so a backtick becomes an apostrophe."""
    inner = one_line(name, NAME_LIMIT).replace("`", "'")
    return f"`{inner}`" if inner else "``"


def quoted(title: str, limit: int = TITLE_LIMIT) -> str:
    """An untrusted title to be quoted: one line, cut after a whole word, its code spans kept where they are whole."""
    text = one_line(title, limit)
    if text.endswith("…") and not title.rstrip().endswith("…"):
        words = text.rpartition(" ")[0].rstrip(" ,;:")
        text = f"{words}…" if len(words) > limit // 2 else text
    return text if "`" not in _SPAN.sub("", text) else text.replace("`", "'")


def listed(items: Sequence[str], labels: Labels, limit: int = 3, *, more: bool = False) -> str:
    """`a`, `b` and `c`; what is beyond `limit` is counted, or said to be there when `items` is cut (`more`)."""
    return joined([code(item) for item in dict.fromkeys(items)], labels, limit, more=more)


def joined(shown: Sequence[str], labels: Labels, limit: int = 3, *, more: bool = False) -> str:
    """Ready pieces as a list, like `listed`."""
    if len(shown) > limit or (more and shown):
        head = labels.phrase("list_comma").join(shown[:limit])
        return labels.phrase("list_open" if more else "list_more", items=head, n=len(shown) - limit)
    if len(shown) < 2:
        return "".join(shown)
    return labels.phrase("list_and", items=labels.phrase("list_comma").join(shown[:-1]), last=shown[-1])


def spaced(text: str) -> str:
    """A space stands between code and Chinese, never between Chinese and Chinese."""
    return _CHINESE_GAP.sub("", text)


def width(text: str) -> int:
    """Length as the page counts it: an ASCII word is one, any other visible character is one."""
    return sum(1 for _ in _UNIT.finditer(text))


def fitted(text: str, limit: int) -> str:
    """The text cut to a width, never inside a code span."""
    if width(text) <= limit:
        return text
    end = 0
    for count, unit in enumerate(_UNIT.finditer(text), start=1):
        if count >= limit:
            break
        end = unit.end()
    kept = text[:end]
    if kept.count("`") % 2:
        kept = kept[: kept.rindex("`")]
    return kept.rstrip(" ,;:、，；：。.") + "…"


def sentences(parts: Iterable[str], labels: Labels) -> str:
    """Sentences one after the other, with the language's own spacing."""
    return labels.phrase("sentence_space").join(part for part in parts if part)
