"""Texts cut to a number of characters at the end of a sentence; pure."""

from __future__ import annotations

import re

from report.prose import clean, spans

# What a text is made of: `code`, the end of a sentence (an ASCII full stop has white space behind it), a word, a sign.
_PIECE = re.compile(r"`[^`]*`|(?P<end>[。！？；]|[.!?](?=\s))|[0-9A-Za-z_]+|.", re.DOTALL)
_MARK = "…"
_LOOSE = " ,;:，；：、(（"


def cut(text: str, limit: int) -> str:
    """One line of at most `limit` characters of an untrusted text, as Slack counts them (UTF-16 units).

    Whole sentences as far as they fit; where not even the first one does, whole words and `code` spans, and `…`.
    """
    text = clean(text)
    if width(text) <= limit:
        return text
    sentence, whole = _ends(text, limit)
    if sentence:
        return f"{text[:sentence]} {_MARK}"
    if whole:
        return f"{text[:whole].rstrip(_LOOSE)}{_MARK}"
    return f"{_narrow(text.replace('`', ''), limit - 1)}{_MARK}"


def width(text: str) -> int:
    """The number of UTF-16 units, by which JavaScript and so Slack count."""
    return len(text) + sum(character > "\uffff" for character in text)


def plain(text: str) -> str:
    """A text without the backticks of its `code` spans, in one line."""
    return "".join(span.text for span in spans(text))


def _ends(text: str, limit: int) -> tuple[int, int]:
    """Where the last sentence ends that fits with a space and the mark, and the last piece that fits with the mark."""
    sentence = whole = used = 0
    for match in _PIECE.finditer(text):
        used += width(match[0])
        if used > limit - 1:
            break
        whole = match.end()
        if match["end"] and used <= limit - 2:
            sentence = whole
    return sentence, whole


def _narrow(text: str, room: int) -> str:
    """At most `room` units of a text, whole characters."""
    used = 0
    for index, character in enumerate(text):
        used += width(character)
        if used > room:
            return text[:index]
    return text
