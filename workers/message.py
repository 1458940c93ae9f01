"""A commit message → what it says: prefixes, pull request, issues, revert, series, meaning; pure, linear, bounded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from core.models import RevertOf
from core.robots import is_upkeep_robot
from workers.authored import HEADING, authored
from workers.measurements import measurements
from workers.vocabulary import ASIDE, CLEARER, DANGERS, MARKS, MEANINGS, PREFIXES, STATED

TITLE_LIMIT = 300
BODY_LIMIT = 8_000

# `[fix](kernel): ` is read as `[fix] [kernel] ` would be.
_BRACKET = re.compile(r"\[([^\[\]]{1,40})\](?:\(([^()]{1,40})\)(!?):)?[:\s]{0,3}")
_CONVENTIONAL = re.compile(r"([A-Za-z][A-Za-z_+-]{0,20})(?:\(([^()]{0,60})\)|\[([^\[\]]{0,60})\])?(!?) ?:\s{0,3}(?=\S)")
# `fix - text`, where the word is one of those that name a kind of change.
_DASHED = re.compile(r"([A-Za-z]{2,12})(?:\(([^()]{1,40})\))? - (?=\S)")
_KINDS = frozenset({*PREFIXES, "test", "tests", "docs", "doc", "ci"})
# A bullet, or the code of an emoji.
_ORNAMENT = re.compile(r"(?:[*•-]|:[a-z][a-z_]{1,30}:)\s{1,3}")
_TRAILING_PULL = re.compile(r"\s{0,4}\((?:PR )?[#!](\d{1,9})\)\s{0,4}$")
_MERGED_PULL = re.compile(r"^Merge pull request #(\d{1,9})\b")
# What GitHub calls the merge of a private fork, in which what an advisory tells of was mended out of sight.
_FROM_FORK = "Merge commit from fork"
_MERGE = re.compile(r"^Merge (?:pull request|(?:remote-tracking )?branch(?:es)?|tag|commit|PR)\b", re.IGNORECASE)
_CLOSES = re.compile(r"\b(?:fix(?:es|ed)?|close[sd]?|resolve[sd]?):?\s{1,3}(?:issue\s)?#(\d{1,9})\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w/])#(\d{1,9})\b")
_SERIES = re.compile(r"(?<![\w./])(\d{1,2})\s?/\s?(\d{1,2}|[nN])(?![\w./])")
_REVERT_TITLE = re.compile(r"^(?:revert|back out|backout|undo)\b[:\s]{0,3}", re.IGNORECASE)
_REVERTED_SHA = re.compile(r"\b(?:reverts?|back(?:s|ed)? out|undo(?:es)?) commit ([0-9a-f]{7,64})\b", re.IGNORECASE)
_BREAKING = re.compile(
    r"(?:(?<!no )(?<!No )(?<!non-)\bBREAKING(?:[ -](?:CHANGES?|API))?+\b|^(?:#{1,6} )?[Bb]reaking changes?+\b)"
    r"(?!\W{0,6}(?:[Nn]one|[Nn]o|N/?A|n/a)\b)",
    re.MULTILINE,
)
_TRAILER = re.compile(
    r"^(?:(?=[a-z-]{4,45} ?:)(?:[a-z-]{2,42}-by|change-id|pull-request|co-?authors?|ai-usage) ?:|cc\b)", re.IGNORECASE
)
_COAUTHOR = re.compile(r"^co-authored-by:[ \t]{0,4}([^<\s][^<\n]{0,100})", re.IGNORECASE | re.MULTILINE)
_BOT = re.compile(r"\[bot\]$", re.IGNORECASE)


class _Words(NamedTuple):
    """What is said by any of these words: those of Latin letters, and those of characters that run on without borders.

    The latter are compiled when a text first has such characters; few processes meet any.
    """

    said: str
    latin: re.Pattern[str]
    runs: str


def _words(said: str, words: Sequence[str], end: str = "") -> _Words:
    """The words of Latin letters start at a border, and end at one where `end` says so."""
    latin, runs = "|".join(filter(str.isascii, words)), "|".join(word for word in words if not word.isascii())
    return _Words(said, re.compile(rf"\b(?:{latin}){end}", re.IGNORECASE), runs)


_MARKS = tuple(_words(mark, words) for mark, words in MARKS.items())
_STATED = tuple(_words(mark, words) for mark, words in STATED.items())
_DANGERS = tuple(re.compile(rf"\b{words}" if words.isascii() else words, re.IGNORECASE) for words in DANGERS)
_ASIDE = tuple(_words(what, words) for what, words in ASIDE.items())
_CLEARER = (_words("clearer", CLEARER),)
# A squash's bullet that says what was mended; a commit that brings something new mends its own faults on the way.
_MENDS = re.compile(r"^\* ((?:fix(?:es|ed)?|avoid|prevent)\b.{0,200})", re.IGNORECASE | re.MULTILINE)
_WORD = re.compile(r"[a-z0-9]{2,40}")
_MEANINGS = tuple(_words(said, words, end=r"\b") for said, words in MEANINGS.items())


@dataclass(frozen=True, slots=True)
class Message:
    """What a message says; `core` is the title without prefixes and pull request number.

    `lead` is the body as far as it speaks of the commit as a whole; the bullets that a squash leaves behind tell of
    steps, some of them taken back by later ones. `benchmarks` are measurements, `coauthors` names.
    `stated`: the marks that title or lead state in so many words;
    `danger`: they name an attack; `clearer`: the title says that a message or error is made clearer; `aside`: it is
    about tests (`test`), documents (`docs`) or annotations of types (`typing`).
    """

    title: str
    core: str
    prose: str
    lead: str
    prefixes: tuple[str, ...]
    pull_request: int | None
    issues: tuple[int, ...]
    reverts: RevertOf | None
    series: tuple[int, int] | None
    breaking: bool
    title_marks: tuple[str, ...]
    body_marks: tuple[str, ...]
    meaning: str | None
    prefix_meaning: str | None
    stated: tuple[str, ...]
    danger: bool
    clearer: bool
    aside: str | None
    benchmarks: tuple[str, ...]
    coauthors: tuple[str, ...]

    @property
    def opening(self) -> str:
        """The title's first words, which say what it is about; later ones tell what came along."""
        return _opening(self.core)

    @property
    def merge(self) -> bool:
        """Whether the title is one that git or GitHub gives to a merge."""
        return bool(_MERGE.match(self.title))

    @property
    def advisory(self) -> bool:
        """Whether the title is the one that GitHub gives to what mends a security advisory."""
        return self.title.startswith(_FROM_FORK)


@lru_cache(maxsize=64)
def read_message(message: str) -> Message:
    """Read a commit message of any size and content; never raises."""
    first, _, rest = message.strip().partition("\n")
    title, body = one_line(first, TITLE_LIMIT), authored(rest[:BODY_LIMIT])
    bare, pull_request = _without_pull_request(title)
    prefixes, core, shout = _split_prefixes(bare)
    prose = _prose(body)
    lead = _lead(prose, core)
    told = HEADING.sub("", lead)  # what a heading asks after need not be so
    title_marks, meaning = _said_in(core, _MARKS), _meaning(core)
    mended = _said_in("\n".join(_MENDS.findall(prose)), _STATED) if meaning in {"fix", None} else ()
    return Message(
        title=title,
        core=core,
        prose=prose,
        lead=lead,
        prefixes=prefixes,
        pull_request=pull_request,
        issues=_issues(title, body, pull_request),
        reverts=_reverts(bare, core, prefixes, body),
        series=_series(title),
        breaking=shout or "breaking" in prefixes or bool(_BREAKING.search(f"{title}\n{body}")),
        title_marks=title_marks,
        body_marks=tuple(mark for mark in dict.fromkeys((*_said_in(told, _MARKS), *mended)) if mark not in title_marks),
        meaning=meaning,
        prefix_meaning=next((PREFIXES[prefix] for prefix in prefixes if prefix in PREFIXES), None),
        stated=(*_said_in(f"{core}\n{told}", _STATED), *mended),
        danger=danger_rank(f"{core}\n{told}") is not None,
        clearer=bool(_said_in(core, _CLEARER)),
        aside=_aside(core),
        benchmarks=measurements(f"{core}\n{body}"),
        coauthors=_coauthors(rest[:BODY_LIMIT]),
    )


def danger_rank(text: str) -> int | None:
    """How grave an attack or weakness the text names, in words that mean nothing else: 0 gravest, None for none."""
    return next((rank for rank, pattern in enumerate(_DANGERS) if pattern.search(text)), None)


def one_line(text: str, limit: int) -> str:
    """Untrusted text as one line without control, format or bidi characters, cut to `limit` characters."""
    seen = text[: limit * 4]
    joined = " ".join((seen if seen.isprintable() else _printable(seen)).split())
    return joined if len(joined) <= limit else joined[: limit - 1].rstrip() + "…"


def _printable(text: str) -> str:
    """Text without characters that cannot be shown; ends of lines are spaces."""
    return "".join(
        " " if char in "\t\r\n\v\f\x85\u2028\u2029" else char
        for char in text
        if char in "\t\r\n\v\f\x85" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
    )


def _without_pull_request(title: str) -> tuple[str, int | None]:
    """The title without its trailing `(#123)`s; the last one is the pull request, as GitHub's squash writes it."""
    if merged := _MERGED_PULL.match(title):
        return title, int(merged.group(1))
    number = None
    for _ in range(3):
        found = _TRAILING_PULL.search(title)
        if not found:
            break
        number = number or int(found.group(1))
        title = title[: found.start()].rstrip()
    return title, number


def _split_prefixes(title: str) -> tuple[tuple[str, ...], str, bool]:
    """`[A] [B] fix(c)!: text` → (("a", "b", "fix", "c"), "text", True)."""
    prefixes, shout, rest = list[str](), False, title.strip()
    for _ in range(6):
        if ornament := _ORNAMENT.match(rest):
            rest = rest[ornament.end() :]
        elif (dashed := _DASHED.match(rest)) and dashed.group(1).lower() in _KINDS:
            prefixes += [part.strip().lower() for part in dashed.groups() if part]
            rest = rest[dashed.end() :]
        elif bracket := _BRACKET.match(rest):
            prefixes += [part.strip().lower() for part in bracket.group(1, 2) if part]
            shout |= bool(bracket.group(3))
            rest = rest[bracket.end() :].lstrip(": ")
        elif conventional := _CONVENTIONAL.match(rest):
            prefixes += [part.strip().lower() for part in conventional.group(1, 2, 3) if part]
            shout |= bool(conventional.group(4))
            rest = rest[conventional.end() :]
        else:
            break
    return tuple(prefixes), rest.strip() or title.strip(), shout


def _issues(title: str, body: str, pull_request: int | None) -> tuple[int, ...]:
    numbers = [int(found) for found in (*_NUMBER.findall(title), *_CLOSES.findall(body))]
    return tuple(dict.fromkeys(number for number in numbers if number != pull_request))[:10]


def _reverts(bare: str, core: str, prefixes: tuple[str, ...], body: str) -> RevertOf | None:
    """A squashed body may speak of reverts inside the branch; only what the commit as a whole undoes counts."""
    said = _REVERT_TITLE.match(bare) or _REVERT_TITLE.match(core)
    if not said and "revert" not in prefixes:
        lead = body.strip().split("\n* ", 1)[0]
        found = None if lead.startswith("* ") else _REVERTED_SHA.search(lead)
        return RevertOf(sha=_whole_sha(found.group(1))) if found else None
    quoted = _REVERT_TITLE.sub("", core, count=1).strip().strip('"“”').strip()
    _, number = _without_pull_request(quoted)
    if number is None and (mentioned := re.match(r"^(?:PR\s)?#(\d{1,9})\b", quoted)):
        number = int(mentioned.group(1))
    found = _REVERTED_SHA.search(body)
    return RevertOf(sha=_whole_sha(found.group(1)) if found else None, pull_request=number, title=quoted or None)


def _whole_sha(text: str) -> str | None:
    """An abbreviated sha cannot be stored as one."""
    return text.lower() if len(text) in {40, 64} else None


def _series(title: str) -> tuple[int, int] | None:
    """`[2/3]` → (2, 3); `2/N` → (2, 0): the total is not known."""
    found = _SERIES.search(title)
    if not found:
        return None
    part, total = int(found.group(1)), 0 if found.group(2) in "nN" else int(found.group(2))
    return (part, total) if part and (not total or part <= total) else None


def _coauthors(body: str) -> tuple[str, ...]:
    """The people named in trailers, without their addresses."""
    names = (one_line(name, 80) for name in _COAUTHOR.findall(body))
    return tuple(dict.fromkeys(name for name in names if not (_BOT.search(name) or is_upkeep_robot(name))))[:10]


def _prose(body: str) -> str:
    """The body without trailers, code fences, quoted text and commands over several lines.

    A quote reaches to the next empty line, a command to the first line that does not end in a backslash.
    """
    lines, fenced, quoted, command = list[str](), False, False, False
    for line in body.split("\n"):
        stripped = line.strip()[:600]
        quoted = bool(stripped) and (quoted or stripped.startswith(">"))
        goes_on = stripped.endswith("\\")
        if stripped.startswith(("```", "~~~")):
            fenced = not fenced
        elif not (fenced or quoted or command or goes_on or _TRAILER.match(stripped)):
            lines.append(stripped)
        command = goes_on
    return "\n".join(lines)


def _lead(prose: str, core: str) -> str:
    """What stands before the first bullet of a squash, or under a first bullet that repeats the title.

    Where later bullets tell more, only the first paragraph of that is kept: it says what was wrong, which they seldom
    take back; the remedy they often do.
    """
    sections = re.split(r"^\* ", prose.strip(), flags=re.MULTILINE)
    if sections[0].strip():
        return sections[0].strip()
    first, _, text = (sections[1] if len(sections) > 1 else "").partition("\n")
    if not _repeats(first, core):
        return ""
    later = any("\n\n" in section.strip() for section in sections[2:])
    return text.strip().split("\n\n")[0] if later else text.strip()


def _repeats(bullet: str, core: str) -> bool:
    """Whether a bullet says much the same as the title."""
    said, title = set(_WORD.findall(bullet.lower())), set(_WORD.findall(core.lower()))
    return bool(title) and len(said & title) >= 0.6 * len(title)


def _said_in(text: str, vocabulary: tuple[_Words, ...]) -> tuple[str, ...]:
    """What a text says in words of a vocabulary, in the vocabulary's order."""
    said = tuple(words.said for words in vocabulary if words.latin.search(text))
    if text.isascii():
        return said
    return tuple(one.said for one in vocabulary if one.said in said or (one.runs and re.search(one.runs, text)))


def _aside(core: str) -> str | None:
    """What the title is about, when it is nothing that reaches a user."""
    return next(iter(_said_in(_opening(core), _ASIDE)), None)


def _opening(core: str) -> str:
    return " ".join(core.split()[:6])


def _meaning(core: str) -> str | None:
    """What the title says was done: the verb that stands first, among its first three words."""
    lead = " ".join(core.split()[:3])
    hits = [
        (found.start(), order, words.said)
        for order, words in enumerate(_MEANINGS)
        if (found := words.latin.search(lead))
    ]
    if not lead.isascii():
        hits += [
            (found.start(), order, words.said)
            for order, words in enumerate(_MEANINGS)
            if words.runs and (found := re.search(words.runs, lead))
        ]
    return min(hits)[2] if hits else None
