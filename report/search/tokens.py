"""Text → the tokens that the index holds, and a query → what is asked of it; pure.

Why not FTS5's own tokenizers: `trigram` finds nothing shorter than three characters, and most Chinese words have two;
`unicode61` takes a run of Chinese for one word and `max_num_seqs` apart but not `BatchSampler`. So the text is cut
here, and FTS5 (tokenize='ascii') splits at the spaces put between:
- each Han or kana character is a token, a Chinese word of any length a phrase of them: exact, also for one character;
- `--max-num-seqs`, `max_num_seqs`, `maxNumSeqs` are `max num seqs`, a path is its names, so that parts are found;
- what is written together is kept once more as a whole (`maxnumseqs`), for who types it without the joints.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from report.prose import clean

MOST_CHARACTERS = 400  # of a query that are looked at
MOST_TOKENS = 40  # of a query; more would only cost time

_HAN = "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LETTERS = rf"(?:(?![{_HAN}_])\w)+"
_WORD = re.compile(rf"[{_HAN}]|{_LETTERS}(?:[_-]+{_LETTERS})*")
_PART = re.compile(rf"[{_HAN}]|{_LETTERS}")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_TERM = re.compile(rf"[{_HAN}]+|{_LETTERS}(?:[_./:@-]+{_LETTERS})*")
_END = "¶"  # after each text, so that no phrase reaches from one into the next; no query has it, it is no letter
_PREFIX_DIGITS = 7  # fewer are a number, which is meant as it is written; more may be a sha's beginning


class Token(NamedTuple):
    """A part of a text as it is compared, where it stands there, and the number of the word it is part of."""

    text: str
    start: int
    end: int
    word: int


class Term(NamedTuple):
    """Tokens that have to follow each other, with `prefix` the last one's beginning; or the `whole` of a word's parts.

    `spread` asks for its phrases in any place, for Chinese that is written without spaces between its words.
    """

    parts: tuple[str, ...]
    prefix: bool
    whole: str = ""
    spread: tuple[tuple[str, ...], ...] = ()


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text, in order."""
    for number, word in enumerate(_WORD.finditer(text)):
        for part in _PART.finditer(text, word.start(), word.end()):
            start, shown = part.start(), part[0]
            for hump in _HUMP.split(shown):
                yield Token(_folded(hump), start, start + len(hump), number)
                start += len(hump)


def segmented(texts: Iterable[str]) -> tuple[str, list[str]]:
    """What FTS5 is given of some texts: their tokens, and the wholes of the words that have several parts."""
    parts: list[str] = []
    wholes: dict[str, None] = {}
    for text in texts:
        for word in _WORD.findall(text):
            found = _parts(word)
            parts += found
            if len(found) > 1:
                wholes["".join(found)] = None
        parts.append(_END)
    return " ".join(parts), list(wholes)


def terms(query: str) -> tuple[tuple[Term, ...], bool]:
    """What is asked for, all of which must be found; and whether the query was too long and the rest is left out.

    Signs are no syntax, whatever they mean to FTS5.
    """
    found: dict[Term, None] = {}
    room = MOST_TOKENS
    for match in _TERM.finditer(clean(query[:MOST_CHARACTERS])):
        term = _term(match[0])
        if len(term.parts) > room:
            if room:
                found[_shortened(term, room)] = None
            return tuple(found), True
        if term not in found:
            found[term] = None
            room -= len(term.parts)
    return tuple(found), len(query) > MOST_CHARACTERS


def expression(wanted: Iterable[Term]) -> str:
    """The terms as an FTS5 query."""
    return " AND ".join(f"({' OR '.join(_alternatives(term))})" for term in wanted)


class Reading:
    """A text that was cut once, to be asked where terms stand in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = list(tokens(text))
        self._at: dict[str, list[int]] = {}
        for place, token in enumerate(self._tokens):
            self._at.setdefault(token.text, []).append(place)

    def has(self, term: Term) -> bool:
        """Whether a term stands in it."""
        return next(self._places(term), None) is not None

    def hits(self, wanted: Iterable[Term]) -> list[tuple[int, int]]:
        """Where the terms stand, as (start, end), in order and apart from each other."""
        joined: list[tuple[int, int]] = []
        for start, end in sorted(place for term in wanted for place in self._places(term)):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return joined

    def _places(self, term: Term) -> Iterator[tuple[int, int]]:
        begun = set()
        whole = self._runs(term.parts, prefix=term.prefix)
        spread = [list(self._runs(pair, prefix=False)) for pair in term.spread]
        for start, end in (*whole, *(place for places in spread if all(spread) for place in places)):
            begun.add(start)
            yield start, end
        if term.whole:  # only where no part says it more exactly
            yield from ((start, end) for start, end in self._wholes(term) if start not in begun)

    def _runs(self, wanted: tuple[str, ...], *, prefix: bool) -> Iterator[tuple[int, int]]:
        size = len(wanted)
        for first in self._starts(wanted[0], prefix=prefix and size == 1):
            run = self._tokens[first : first + size]
            if len(run) == size and _follows(run, wanted, prefix=prefix):
                yield run[0].start, run[-1].end

    def _starts(self, token: str, *, prefix: bool) -> list[int]:
        if not prefix:
            return self._at.get(token, [])
        return [place for text, places in self._at.items() if text.startswith(token) for place in places]

    def _wholes(self, term: Term) -> Iterator[tuple[int, int]]:
        for word, start, end in self._words:
            if word.startswith(term.whole) if term.prefix else word == term.whole:
                yield start, end

    @cached_property
    def _words(self) -> list[tuple[str, int, int]]:
        """The words that have several parts, with where they stand."""
        groups = (list(run) for _, run in groupby(self._tokens, key=lambda token: token.word))
        return [("".join(one.text for one in run), run[0].start, run[-1].end) for run in groups if len(run) > 1]


def _follows(run: list[Token], wanted: tuple[str, ...], *, prefix: bool) -> bool:
    *others, last = [token.text for token in run]
    return others == list(wanted[:-1]) and (last.startswith(wanted[-1]) if prefix else last == wanted[-1])


def _parts(word: str) -> list[str]:
    if word.isascii() and word.isalnum() and (word.islower() or word.isdigit()):  # the common case
        return [word]
    return [_folded(hump) for part in _PART.findall(word) for hump in _HUMP.split(part)]


def _folded(part: str) -> str:
    """Without case, accents and width; quotes cannot come of it, nor spaces."""
    if part.isascii():
        return part.lower()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", part).casefold())
    return "".join(letter for letter in plain if letter.isalnum()) or part


def _term(shown: str) -> Term:
    parts = tuple(token.text for token in tokens(shown))
    if re.match(f"[{_HAN}]", shown):
        return Term(parts, prefix=False, spread=_pairs(parts))
    last = parts[-1]
    number = last.isdigit() and len(last) < _PREFIX_DIGITS
    whole = "".join(parts) if _WORD.fullmatch(shown) and not number else ""
    return Term(parts, prefix=len(last) > 1 and not number, whole=whole)


def _shortened(term: Term, size: int) -> Term:
    parts = term.parts[:size]
    return Term(parts, prefix=False, spread=_pairs(parts) if term.spread else ())


def _pairs(parts: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Four characters and more are likely words of two: those, the last of an odd number overlapping."""
    if len(parts) < 4:
        return ()
    starts = [*range(0, len(parts) - 1, 2), *([len(parts) - 2] if len(parts) % 2 else [])]
    return tuple(dict.fromkeys(parts[start : start + 2] for start in starts))


def _alternatives(term: Term) -> Iterator[str]:
    yield _phrase(term.parts, prefix=term.prefix)
    if term.whole and len(term.parts) > 1:
        yield _phrase((term.whole,), prefix=term.prefix)
    if term.spread:
        yield f"({' AND '.join(_phrase(pair, prefix=False) for pair in term.spread)})"


def _phrase(parts: tuple[str, ...], *, prefix: bool) -> str:
    return f'"{" ".join(parts)}"{"*" if prefix else ""}'
