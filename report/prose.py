"""Untrusted text made inert: titles, authors, paths and analyses on their way into Markdown and HTML."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterator

# Nothing to see, but between `@` and a name it keeps GitHub from pinging, and the line is not broken there.
WORD_JOINER = "\u2060"

# Format characters (category Cf) that are drawn: the number and verse signs of Arabic, Syriac and Kaithi.
_DRAWN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
# Letters without a glyph: the Hangul and Khmer fillers.
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0")

_TOKEN = re.compile(
    r"(?P<url>(?:https?|ftp)://[!-;=?-_a-~]*|www\.[!-;=?-_a-~]+)"
    r"|(?<![a-z0-9_/&.#-])(?:(?P<place>[a-z0-9][a-z0-9-]{0,38}/[a-z0-9_.-]{1,100})?#|GH-)"
    r"(?P<number>[1-9][0-9]{0,9})(?![a-z0-9_])",
    re.IGNORECASE | re.ASCII,
)
_AFTER_URL = ".,;:!?'\")]}*_~"

_SPECIAL = re.compile(
    r"(?P<mark>[\\`*\[\]~|])"
    r"|(?P<entity>[<$]|&(?=[#A-Za-z]))"
    r"|(?P<name>@(?=[A-Za-z0-9_-])|#(?=[0-9])|\bGH-(?=[0-9]))"
    r"|(?<![^\W_])_|_(?![^\W_])",  # an underscore inside a word emphasises nothing
    re.IGNORECASE,
)
_ENTITY = {"<": "&lt;", "$": "&#36;", "&": "&amp;"}
_BLOCK_START = re.compile(r"(?:[0-9]{1,9}(?=[.)])|(?=[-+=:#>]))")


@dataclass(frozen=True)
class Origin:
    """The repository a text comes from, and where it is on the web, if anywhere (`https://github.com`)."""

    repository: str
    web_url: str | None

    def commit(self, sha: str) -> str | None:
        """The web page of a commit of the repository."""
        return f"{self.web_url}/{self.repository}/commit/{sha}" if self.web_url else None

    def issue(self, number: str, repository: str | None = None) -> str | None:
        """The web page of an issue or pull request; GitHub forwards from one to the other."""
        return f"{self.web_url}/{repository or self.repository}/issues/{number}" if self.web_url else None


class Span(NamedTuple):
    """A piece of a text: plain words, code, a bare URL, or a reference such as `#12` or `owner/repo#12`."""

    kind: Literal["text", "code", "url", "reference"]
    text: str
    number: str = ""
    repository: str | None = None


def clean(text: str) -> str:
    """One line without control, bidirectional and invisible characters; white space folded to single spaces."""
    if not (text.isprintable() and _BLANK.isdisjoint(text)):  # texts that need a look at each character are few
        text = "".join(map(_visible, text))
    return " ".join(text.split())


def _visible(character: str) -> str:
    if character.isprintable():  # the common case: letters, digits, punctuation, symbols, the plain space
        return "" if character in _BLANK else character
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category == "Cs" or (ord(character) & 0xFFFE) == 0xFFFE:
        return "\ufffd"
    return character if category in {"Co", "Cn"} or character in _DRAWN else ""


def cut_title(title: str) -> str:
    """A title for the contents: over 60 characters, 57 of them and three dots."""
    title = clean(title)
    return title if len(title) <= 60 else f"{title[:57]}..."


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, an ASCII word counting as one; cut between words and never inside `code`."""
    text = clean(text)
    if _fitting(text, limit) == len(text):
        return text
    return f"{text[: _fitting(text, limit - 1)].rstrip(' ,;:，；：、')}…"


def _fitting(text: str, limit: int) -> int:
    """Where the longest start of a cleaned text ends that weighs no more than `limit`."""
    used = end = 0
    for stop, weight in _atoms(text):
        used += weight
        if used > limit:
            break
        end = stop
    return end


def _atoms(text: str) -> Iterator[tuple[int, int]]:
    """(end, weight) of each code span, ASCII word, space and other character of a cleaned text."""
    for code, start, stop in _code_spans(text):
        words = list(re.finditer(r"[!-~]+|[^ -~]| ", text[start:stop]))
        if code:
            yield stop, sum(word[0] != " " for word in words)
        else:
            yield from ((start + word.end(), int(word[0] != " ")) for word in words)


def _code_spans(text: str) -> Iterator[tuple[bool, int, int]]:
    """(is it code, start, stop) of the pieces of a text, by CommonMark's rule: a run of n backticks closes n."""
    unclosed: set[int] = set()
    position = 0
    for ticks in re.finditer(r"`+", text):
        size = len(ticks[0])
        if ticks.start() < position or size in unclosed:
            continue
        close = re.compile(rf"(?<!`)`{{{size}}}(?!`)").search(text, ticks.end())
        if close is None:
            unclosed.add(size)
            continue
        if position < ticks.start():
            yield False, position, ticks.start()
        yield True, ticks.start(), close.end()
        position = close.end()
    if position < len(text):
        yield False, position, len(text)


def spans(text: str) -> Iterator[Span]:
    """The pieces of an untrusted text, cleaned, in order."""
    text = clean(text)
    for code, start, stop in _code_spans(text):
        piece = text[start:stop]
        if not code:
            yield from _references(piece)
        elif content := piece.strip("`").strip():
            yield Span("code", content)
        else:
            yield Span("text", piece)


def _references(text: str) -> Iterator[Span]:
    """The URLs, references and plain words of a text without code."""
    position = 0
    for match in _TOKEN.finditer(text):
        stop = match.start() + len(match[0].rstrip(_AFTER_URL)) if match["url"] else match.end()
        if position < match.start():
            yield Span("text", text[position : match.start()])
        whole = text[match.start() : stop]
        yield Span("url", whole) if match["url"] else Span("reference", whole, match["number"], match["place"])
        position = stop
    if position < len(text):
        yield Span("text", text[position:])


def markdown_text(text: str, origin: Origin | None = None, *, cell: bool = False) -> str:
    """An untrusted text as Markdown that shows its characters and does nothing else.

    Safe at the start of a line, in a heading, in a link's text and, with `cell`, in a table. `code` spans stay code;
    with an `origin` that is on the web, `#12` becomes a link to it. Bare URLs become code, which nobody links.
    """
    line = ""
    for span in spans(text):
        piece = _markdown_span(span, origin, cell=cell)
        # Two code spans side by side would lend each other their backticks.
        line += WORD_JOINER + piece if line.endswith("`") and piece.startswith("`") else piece
    if start := _BLOCK_START.match(line):  # a list, heading, quote, rule or table row would begin here
        line = f"{start[0]}\\{line[start.end() :]}"
    if line.endswith("#") and not line.endswith("\\#"):  # a closing sequence of a heading would be dropped
        line = f"{line[:-1]}\\#"
    return line


def markdown_code(text: str, *, cell: bool = False) -> str:
    """A path or other literal as a code span, whatever backticks and pipes it holds; nothing for an empty one."""
    content = clean(text)
    if not content:
        return ""
    if cell:  # renderers disagree on a backslash before a table's pipe
        content = content.replace("\\|", f"\\{WORD_JOINER}|")
    fence = "`" * (1 + max(map(len, re.findall(r"`+", content)), default=0))
    pad = " " if content.startswith("`") or content.endswith("`") else ""
    return fence + pad + (content.replace("|", "\\|") if cell else content) + pad + fence


def _markdown_span(span: Span, origin: Origin | None, *, cell: bool) -> str:
    if span.kind in {"code", "url"}:
        return markdown_code(span.text, cell=cell)
    if span.kind == "reference" and origin and (target := origin.issue(span.number, span.repository)):
        return f"[{span.text.replace('_', chr(92) + '_')}]({target})"
    return _escaped(span.text)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(_escape_one, text)


def _escape_one(match: re.Match[str]) -> str:
    if match["name"]:
        return match[0] + WORD_JOINER
    return _ENTITY[match[0]] if match["entity"] else f"\\{match[0]}"


def html_text(text: str, origin: Origin | None = None) -> Markup:
    """An untrusted text as HTML: `code` spans become code, `#12` a link to its repository, the rest is shown as is."""
    return Markup("").join(_html_span(span, origin) for span in spans(text))


def _html_span(span: Span, origin: Origin | None) -> Markup:
    if span.kind == "code":
        return Markup("<code>{}</code>").format(span.text)
    if span.kind == "reference" and origin and (target := origin.issue(span.number, span.repository)):
        return Markup('<a href="{}">{}</a>').format(target, span.text)
    return escape(span.text)
