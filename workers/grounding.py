"""A reply checked against its commit: what it names and the commit does not have is taken out and counted; pure.

Names are what stands in backticks, and in the prose what cannot be an ordinary word: flags, paths, snake_case, calls,
URLs, commit ids, CVEs, references, and numbers with their units. A name that is not there takes its sentence with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from core.models import Commit, Diff, Facts, Insights
from workers.evidence import SMALL, Evidence, plain
from workers.replies import Reply

REMOVED_LIMIT = 20
NAME_LIMIT = 80
# A long analysis names about a hundred things; what is named beyond this counts as not found.
NAMES_LIMIT = 500

_SPAN = re.compile(r"(`{1,2})(?!`)([^`\n]+)\1(?!`)")
# A sentence ends before white space or at a Chinese full stop, closing quotes and brackets included.
_END = re.compile(r"[。！？；][”’」』）)\]]{0,3}\s*|[.!?;][\"'”’)\]]{0,3}(?:\s+|$)")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|incl|fig|no|al)|\b[A-Za-z])\.$", re.IGNORECASE)
_SEMICOLON = re.compile(r"[；;]\s*$")

_NAME = re.compile(
    r"""
    (?P<url>https?://[^\s`"'<>()，。；、）】」]+)
  | (?P<cve>CVE-\d{4}-\d{4,9})
  | (?P<reference>(?<![\w&])\#\d+)
  | (?P<flag>(?<![\w-])--[A-Za-z][\w-]*)
  | (?P<word>(?<![\w./-])[./]{0,3}\w[\w./-]*(?:\(\))?)
    """,
    re.VERBOSE | re.ASCII,
)
_FILE = re.compile(
    r"\.(?:py|pyi|c|cc|cpp|h|hpp|cu|cuh|rs|go|java|jsx?|tsx?|sh|md|rst|txt|json|ya?ml|toml|cfg|ini|proto)$"
)
_SNAKE = re.compile(r"[A-Za-z0-9]_+[A-Za-z0-9]")
_SHA = re.compile(r"(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,40}")
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])(?<![A-Za-z]-)(?<!#)(?:v(?=\d+\.\d))?(?P<digits>\d+(?:[,，]\d{3})*(?:\.\d+)*(?:e[+-]?\d+)?|\.\d+)"
    r"(?P<unit>\s?(?:%|％|percent\b|per\ cent\b|×(?!\s?\w)|倍|times\b|-?fold\b|x(?![A-Za-z0-9])|[KMGT]i?B\b|[mµun]s\b)"
    r"|[A-Za-z]{1,12})?"
    r"(?P<counted>\s?行|\s(?:more|others?)\b)?",
    re.IGNORECASE,
)
# Line numbers, and how many more there are of something: they follow from the diff without standing in it.
_COUNTED = re.compile(r"(?:\blines?\s|第\s?|(?:另外|其余|其他)\s?|\bL)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Grounded:
    """A reply without what its commit does not have.

    `checked` is how many names were looked up, `missing` how many of them were not found, `removed` those as written
    (at most REMOVED_LIMIT, NAME_LIMIT characters each). With `too_many` the reply is not to be used: a field that it
    cannot do without is empty, or over a third of the names, and at least two, were not found.
    """

    reply: Reply
    checked: int
    missing: int
    removed: tuple[str, ...]
    too_many: bool


def ground(reply: Reply, commit: Commit, facts: Facts, diff: Diff) -> Grounded:
    """Look up each file, symbol, flag, variable and number of a reply, and take out what is not there."""
    lookup = _Lookup(Evidence(commit, facts, diff))
    kept = replace(
        reply,
        summary=lookup.kept(reply.summary),
        scope=lookup.entries(reply.scope),
        insights=reply.insights and Insights(**{name: lookup.kept(text) for name, text in reply.insights}),
        risks=lookup.entries(reply.risks),
        advice=lookup.entries(reply.advice),
        opinion=reply.opinion.model_copy(update={"reason": lookup.kept(reply.opinion.reason)}),
    )
    missing = [name for name, found in lookup.names.items() if not found]
    lost = not kept.summary or any(not text for _, text in kept.insights or ())
    return Grounded(
        reply=kept,
        checked=len(lookup.names),
        missing=len(missing),
        removed=tuple(map(_shown, missing[:REMOVED_LIMIT])),
        too_many=lost or (len(missing) >= 2 and 3 * len(missing) > len(lookup.names)),
    )


@dataclass(slots=True)
class _Lookup:
    """Looks each name up once."""

    evidence: Evidence
    names: dict[str, bool] = field(default_factory=dict)

    def entries(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(kept for text in texts if (kept := self.kept(text)))

    def kept(self, text: str) -> str:
        """The text without the sentences that name what is not there."""
        parts = sentences(text)
        true = [self._true(part) for part in parts]
        if all(true):
            return text
        kept = "".join(part for part, holds in zip(parts, true, strict=True) if holds).rstrip()
        if true[-1] or not (end := _SEMICOLON.search(kept)):
            return kept
        return f"{kept[: end.start()]}{'。' if end[0].startswith('；') else '.'}"

    def _true(self, sentence: str) -> bool:
        found = [self._found(name, kind, unit) for name, kind, unit in _named(sentence)]  # all count, also after a miss
        return all(found)

    def _found(self, name: str, kind: str, unit: str) -> bool:
        if name not in self.names:
            found = len(self.names) < NAMES_LIMIT and self._look_up(name, kind, unit)
            if found is None:
                return True
            self.names[name] = found
        return self.names[name]

    def _look_up(self, name: str, kind: str, unit: str) -> bool | None:
        if kind == "number":
            return self._has_number(plain(name.removesuffix(unit)).strip("v "), _unit(unit))
        if kind == "reference":
            return self.evidence.has_reference(name[1:])
        if kind == "sha":
            return self.evidence.has_sha(name)
        return self.evidence.has(name)

    def _has_number(self, digits: str, unit: str) -> bool | None:
        """None for a small count: it is not looked up."""
        small = not unit and digits.isdigit() and len(digits) < 3 and int(digits) <= SMALL
        return None if small else self.evidence.has_number(digits, unit)


def sentences(text: str) -> list[str]:
    """A text as its sentences, each with the white space behind it; joined they are the text again.

    No sentence ends within a code span, after an abbreviation, or at the point of a number or version.
    """
    spans = [(span.start(), span.end()) for span in _SPAN.finditer(text)]
    parts, start, at = list[str](), 0, 0
    for end in _END.finditer(text):
        while at < len(spans) and spans[at][1] <= end.start():
            at += 1
        if at < len(spans) and spans[at][0] < end.start():
            continue
        if _ABBREVIATION.search(text[max(start, end.start() - 10) : end.start() + 1]):
            continue
        parts.append(text[start : end.end()])
        start = end.end()
    return [*parts, text[start:]] if start < len(text) else parts


def _named(sentence: str) -> Iterator[tuple[str, str, str]]:
    """(name, kind, unit) of all that a sentence names."""
    for span in _SPAN.finditer(sentence):
        yield from _span(span[2].strip())
    prose = _SPAN.sub(lambda span: " " * len(span[0]), sentence)
    for match in _NAME.finditer(prose):
        if kind := _kind(match):
            yield match[0].rstrip(".,:;/-"), kind, ""
    prose = _NAME.sub(lambda match: " " * len(match[0]) if _kind(match) else match[0], prose)
    for match in _NUMBER.finditer(prose):
        if not match["counted"] and not _COUNTED.search(prose[max(0, match.start() - 6) : match.start()]):
            yield match[0], "number", match["unit"] or ""


def _span(code: str) -> Iterator[tuple[str, str, str]]:
    if re.fullmatch(r"#\d+", code):
        yield code, "reference", ""
    elif (number := _NUMBER.fullmatch(code)) and not number["counted"]:
        yield code, "number", number["unit"] or ""
    else:
        yield code, "name", ""


def _kind(match: re.Match[str]) -> str:
    """What a word of the prose names; empty for an ordinary one."""
    if match.lastgroup != "word":
        return "reference" if match.lastgroup == "reference" else "name"
    word = match[0].rstrip(".:/-")
    if _SHA.fullmatch(word):
        return "sha"
    return "name" if word.endswith("()") or _FILE.search(word) or _SNAKE.search(word) else ""


def _unit(written: str) -> str:
    unit = plain(written).strip()
    if unit in {"%", "percent", "per cent"}:
        return "%"
    return "x" if unit in {"x", "×", "倍", "times", "fold", "-fold"} else unit


def _shown(name: str) -> str:
    return "".join(filter(str.isprintable, name))[:NAME_LIMIT]
