"""Untrusted text made inert: titles, authors, paths and analyses on their way into Markdown and HTML."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Literal, NamedTuple

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Nothing to see, but between `@` and a name it keeps GitHub from pinging, and the line is not broken there.
WORD_JOINER = "\u2060"

# Format characters (category Cf) that are drawn: the number and verse signs of Arabic, Syriac and Kaithi.
_DRAWN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
# Letters without a glyph: the Hangul and Khmer fillers.
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_ANY_BLANK = re.compile(f"[{''.join(sorted(_BLANK))}]")

_BACKTICKS = re.compile(r"`+")
_ATOM = re.compile(r"[!-~]+|[^ -~]| ")
_TOKEN = re.compile(
    r"(?P<url>(?:https?|ftp)://[!-;=?-_a-~]*|www\.[!-;=?-_a-~]+)"
    r"|(?<![a-z0-9_/&.#-])(?:(?P<place>[a-z0-9][a-z0-9-]{0,38}/[a-z0-9_.-]{0,99}[a-z0-9_])?#|GH-)"
    r"(?P<number>[1-9][0-9]{0,9})(?![a-z0-9_])",
    re.IGNORECASE | re.ASCII,
)
# A branch may be called after an issue, as in `octocat/fix#12`; it names no repository.
_BRANCH = re.compile(r"Merge (?:pull request #[0-9]{1,10} from |(?:remote-tracking )?branch ')(?P<name>\S{1,300})")
_AFTER_URL = ".,;:!?'\")]}*_~"

# What may have to be escaped; a class alone, which is searched for many times faster than alternatives are.
_SPECIAL = re.compile(r"[\\`*\[\]~|<$&@#_]")
_ISSUE = re.compile(r"\bGH-(?=[0-9])", re.IGNORECASE)
_ALWAYS = {"<": "&lt;", "$": "&#36;", **{mark: f"\\{mark}" for mark in "\\`*[]~|"}}
_ENTITY_GOES_ON = frozenset(f"#{ascii_letters}")
_ASCII_DIGITS = frozenset(digits)
_NAME_GOES_ON = frozenset(f"_-{ascii_letters}{digits}")
_HTML_SPECIAL = re.compile(r"[&<>\"']")
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
    if not (text.isprintable() and (text.isascii() or _ANY_BLANK.search(text) is None)):
        text = "".join(map(_visible, text))  # texts that need a look at each character are few
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
    return text if len(text) <= limit else _shortened(text, limit)


@lru_cache(256)  # each form of a commit asks for the same
def _shortened(text: str, limit: int) -> str:
    """A cleaned text, as it is or cut to make room for `…`."""
    used = stop = end = 0  # `end` is that of the longest start which leaves room
    for stop, weight in _atoms(text):
        used += weight
        if used > limit:
            break
        end = stop if used < limit else end
    if used <= limit and stop == len(text):
        return text
    return f"{text[:end].rstrip(' ,;:，；：、')}…"


def _atoms(text: str) -> Iterator[tuple[int, int]]:
    """(end, weight) of each code span, ASCII word, space and other character of a cleaned text."""
    for code, start, stop in _code_spans(text):
        words = _ATOM.finditer(text, start, stop)
        if code:
            yield stop, sum(word[0] != " " for word in words)
        else:
            yield from ((word.end(), int(word[0] != " ")) for word in words)


def _code_spans(text: str) -> Iterator[tuple[bool, int, int]]:
    """(is it code, start, stop) of the pieces of a text, by CommonMark's rule: a run of n backticks closes n."""
    runs = [run.span() for run in _BACKTICKS.finditer(text)]
    unclosed: set[int] = set()
    place = position = 0
    while place < len(runs):
        start, stop = runs[place]
        size = stop - start
        close = _closing(runs, place + 1, size) if size not in unclosed else 0
        if not close:
            unclosed.add(size)
            place += 1
            continue
        if position < start:
            yield False, position, start
        position = runs[close][1]
        yield True, start, position
        place = close + 1
    if position < len(text):
        yield False, position, len(text)


def _closing(runs: Sequence[tuple[int, int]], first: int, size: int) -> int:
    """Which run of backticks is the next of a size; 0 when none is."""
    return next((place for place in range(first, len(runs)) if runs[place][1] - runs[place][0] == size), 0)


@lru_cache(256)  # each form of a commit asks for the same; nobody changes them
def spans(text: str) -> Sequence[Span]:
    """The pieces of an untrusted text, cleaned, in order."""
    text = clean(text)
    if "`" not in text:
        return _references(text)
    found: list[Span] = []
    for code, start, stop in _code_spans(text):
        piece = text[start:stop]
        if not code:
            found += _references(piece)
        elif content := piece.strip("`").strip():
            found.append(Span("code", content))
        else:
            found.append(Span("text", piece))
    return found


def _references(text: str) -> list[Span]:
    """The URLs, references and plain words of a text without code."""
    if not _may_refer(text):
        return [Span("text", text)] if text else []
    found: list[Span] = []
    position = 0
    branch = _BRANCH.match(text)
    start, end = branch.span("name") if branch else (0, 0)
    for match in _TOKEN.finditer(text):
        if start <= match.start() < end:
            continue
        stop = match.start() + len(match[0].rstrip(_AFTER_URL)) if match["url"] else match.end()
        if position < match.start():
            found.append(Span("text", text[position : match.start()]))
        whole = text[match.start() : stop]
        found.append(Span("url", whole) if match["url"] else Span("reference", whole, match["number"], match["place"]))
        position = stop
    if position < len(text):
        found.append(Span("text", text[position:]))
    return found


def _may_refer(text: str) -> bool:
    """Whether a look for URLs and references is worth its while: it costs as much as all the rest."""
    if "#" in text or "://" in text:
        return True
    lower = text.lower()
    return "www." in lower or "gh-" in lower


def markdown_text(text: str, origin: Origin | None = None, *, cell: bool = False) -> str:
    """An untrusted text as Markdown that shows its characters and does nothing else.

    Safe at the start of a line, in a heading, in a link's text and, with `cell`, in a table. `code` spans stay code;
    with an `origin` that is on the web, `#12` becomes a link to it. Bare URLs become code, which nobody links.
    """
    pieces: list[str] = []
    ticked = False
    for span in spans(text):
        piece = _markdown_span(span, origin, cell=cell)
        if ticked and piece[0] == "`":  # two code spans side by side would lend each other their backticks
            pieces.append(WORD_JOINER)
        pieces.append(piece)
        ticked = piece[-1] == "`"
    line = "".join(pieces)
    if start := _BLOCK_START.match(line):  # a list, heading, quote, rule or table row would begin here
        line = f"{start[0]}\\{line[start.end() :]}"
    if line.endswith("#") and not line.endswith("\\#"):  # a closing sequence of a heading would be dropped
        line = f"{line[:-1]}\\#"
    return line


def markdown_code(text: str, *, cell: bool = False) -> str:
    """A path or other literal as a code span, whatever backticks and pipes it holds; nothing for an empty one."""
    content = clean(text)
    return _fenced(content, cell=cell) if content else ""


def _fenced(content: str, *, cell: bool) -> str:
    if cell and "|" in content:  # renderers disagree on a backslash before a table's pipe
        content = content.replace("\\|", f"\\{WORD_JOINER}|").replace("|", "\\|")
    if "`" not in content:
        return f"`{content}`"
    fence = "`" * (1 + max(map(len, _BACKTICKS.findall(content))))
    pad = " " if content.startswith("`") or content.endswith("`") else ""
    return fence + pad + content + pad + fence


def _markdown_span(span: Span, origin: Origin | None, *, cell: bool) -> str:
    if span.kind in {"code", "url"}:
        return _fenced(span.text, cell=cell)
    if span.kind == "reference" and origin and (target := origin.issue(span.number, span.repository)):
        return f"[{span.text.replace('_', chr(92) + '_')}]({target})"
    return _escaped(span.text)


def _escaped(text: str) -> str:
    if "-" in text and "gh-" in text.lower():
        text = _ISSUE.sub(rf"\g<0>{WORD_JOINER}", text)
    return _SPECIAL.sub(_escape_one, text)


def _escape_one(match: re.Match[str]) -> str:
    mark = match[0]
    if always := _ALWAYS.get(mark):
        return always
    before, after = match.string[match.start() - 1 : match.start()], match.string[match.end() : match.end() + 1]
    if mark == "_":  # inside a word it emphasises nothing
        return mark if before.isalnum() and after.isalnum() else "\\_"
    if mark == "&":
        return "&amp;" if after in _ENTITY_GOES_ON else mark
    named = after in _NAME_GOES_ON if mark == "@" else after in _ASCII_DIGITS
    return mark + WORD_JOINER if named else mark


def html_text(text: str, origin: Origin | None = None) -> Markup:
    """An untrusted text as HTML: `code` spans become code, `#12` a link to its repository, the rest is shown as is."""
    return Markup("".join([_html_span(span, origin) for span in spans(text)]))  # noqa: S704 - each span is escaped


def _html_span(span: Span, origin: Origin | None) -> str:
    text = html_escaped(span.text)
    if span.kind == "code":
        return f"<code>{text}</code>"
    if span.kind == "reference" and origin and (target := origin.issue(span.number, span.repository)):
        return f'<a href="{html_escaped(target)}">{text}</a>'
    return text


def html_escaped(text: str) -> str:
    """A text whose signs are shown, as `markupsafe.escape` writes them; a `str`, to be put together with others."""
    if _HTML_SPECIAL.search(text) is None:
        return text
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&#34;").replace("'", "&#39;")
