"""What a commit itself names: the words, joined names and numbers of its message, paths, diff and facts; pure.

A name is looked for in the text itself, where its first few places decide as a rule. Where they leave it open, an index
is built, once for a commit, so that looking a name up does not depend on the size of its diff. Letter case is ignored,
and `-` and `_` are the same: a flag and its variable are one thing.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from http import HTTPStatus
from itertools import pairwise

from core.models import Commit, Diff, Facts

SMALL = 10  # "three parameters", "the first of 8": what a reader of the diff counts by himself


def _words(text: str) -> frozenset[str]:
    return frozenset(text.lower().split())


# What any engineer may name without the diff's help.
_GENERAL = _words(" ".join((*keyword.kwlist, *keyword.softkwlist, *dir(builtins)))) | _words(
    """self cls args kwargs null undefined nil nan inf true false yes no on off void bool char short long double
        unsigned signed const constexpr static struct union auto size_t ssize_t ptrdiff_t nullptr namespace std template
        typename operator new delete default switch case do goto func fn let mut impl trait enum interface var function
        string number array vector map list boolean integer real optional any unknown never this super public private
        protected extern volatile mutable virtual override throw throws catch half tensor dtype f16 f32 f64 i8 i32 i64
        u8 u32 u64 tf32 nvfp4 mxfp4 mxfp8 e4m3 e5m2 e8m0 cpu gpu tpu npu cuda rocm hip nccl ram vram
        get post put patch head options delete trace http https json yaml toml xml html css csv sql utf ascii base64 url
        uri api cli sdk rest grpc rpc tcp udp ssl tls jwt oauth cors ip dns id uuid env path main master head origin
        pip install uninstall upgrade python python3 pytest unittest git bisect revert rebase checkout clone grep curl
        docker compose build run make cmake ninja gcc clang nvcc npm npx node yarn cargo go bash sh sudo export
        kv cache prefill decode prompt token tokens batch attention softmax gemm moe lora tp dp ep pp graph stream
        low medium high breaking security feature bugfix performance refactor chore merge redacted u"""
)
_GENERAL_SHAPE = re.compile(r"(?:u?int|float|bfloat|fp|bf)\d{1,3}(?:_t|x\d{1,2}|_?e\dm\d(?:fn|fnuz)?)?|0x0{0,8}[0-9a]")

_WORD = re.compile(r"\w++", re.ASCII)
_PAIR = re.compile(r"(\w++)(?=([-./]\w+))", re.ASCII)
_WORD_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")  # of a text in lower case
# Places of a name that are looked at before the index is built: enough for what stands within longer names, too.
_PLACES = 40
_BEFORE_NUMBER = frozenset(" \t\n\"'`([{<>=:")  # neither a number nor the ranges of a hunk have these before a digit
_IN_NUMBER = frozenset("0123456789.e")
_FLAG = re.compile(r"(?<![\w-])--?\w[\w-]*", re.ASCII)
_REFERENCE = re.compile(r"(?:#|\bgh-|/pull/|/issues/|\bpr )(\d{1,9})(?!\d)")
_RANGES = re.compile(r"^@@ -[\d,]{1,20} \+[\d,]{1,20} @@", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:\.\d+)*(?:e[+-]?\d+(?!\d))?")
_FRACTION = re.compile(r"(?<![\w.])\.\d+")
_GROUPED = re.compile(r"(?<![\d_,.])\d{1,3}(?:[,_]\d{3})+(?![\d_])")
# Found by what follows the number: units are rarer than numbers.
_PERCENT = re.compile(r"%|％|percent|per cent|pct")
_FACTOR = re.compile(r"(?<=[\d ])x(?![a-z0-9])|×|倍|(?<=[\d -])(?:times|fold)|(?<=[\d ])\*")
_BEFORE_UNIT = re.compile(r"(\d+(?:\.\d+)?)[ -]?$")
_TIMES = re.compile(r"[*/×]=?\s?(\d+(?:\.\d+)?)")
_PLAIN = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_VERSION = re.compile(r"v?(\d+(?:\.\d+)+)(?:[-.]?[a-z]\w*)?", re.ASCII)

_JOINED = re.compile(r"(\w++)([^\w\s]*)", re.ASCII)
_PIECE = re.compile(r"[\w./:#+-]*\w[\w./:#+-]*", re.ASCII)
_LINE_NUMBER = re.compile(r":\d{1,7}(?:[-:]\d{1,7})?$")
_WILD = re.compile(r"[*{<…]|\.\.\.")
_EXTENSIONS = _words(
    """py pyi pyx c cc cpp cxx h hh hpp cu cuh rs go java kt js jsx ts tsx mjs vue rb php swift scala lua sh bash zsh
    ps1 bat md rst txt json jsonl yaml yml toml ini cfg conf xml html css scss csv proto sql ipynb lock cmake in jinja
    j2 dockerfile mk bazel bzl metal asm s ll tex svg png"""
)
# A small number of these is a measurement, not a count, and needs its proof.
_MEASURES = frozenset({"ms", "us", "µs", "ns", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib"})
_SCALES = {"k": 1, "m": 2, "g": 3, "t": 4, "b": 3}
_SHA = re.compile(r"[0-9a-f]{7,40}")


def plain(text: str) -> str:
    """The text in half-width characters and lower case, as names are compared."""
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).lower()


class Evidence:
    """The index of one commit."""

    def __init__(self, commit: Commit, facts: Facts, diff: Diff) -> None:
        paths = [path for change in diff.files for path in (change.path, change.previous_path) if path]
        told = (commit.message, commit.repository, commit.author, commit.login or "", commit.branch)
        patches = [change.patch for change in diff.files if change.patch]
        listed = "\n".join((commit.sha, *diff.parents, *_names_in(facts)))
        self._text = "\n".join((*map(plain, told), *map(str.lower, (listed, *paths, *patches))))
        self._counts = set(_counts(commit, facts, diff))

    @cached_property
    def _words(self) -> frozenset[str]:
        found = set(_WORD.findall(self._text))
        return frozenset(found | {word.strip("_") for word in found})

    @cached_property
    def _by_beginning(self) -> list[str]:
        return sorted(self._words)

    @cached_property
    def _by_end(self) -> list[str]:
        return sorted(word[::-1] for word in self._words)

    @cached_property
    def _pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset((word.strip("_"), joined.strip("_")) for word, joined in set(_PAIR.findall(self._text)))

    @cached_property
    def _flags(self) -> frozenset[str]:
        return frozenset(_FLAG.findall(self._text))

    @cached_property
    def _references(self) -> frozenset[str]:
        return frozenset(_REFERENCE.findall(self._text))

    @cached_property
    def _quantities(self) -> str:
        """The text without the line numbers of hunks: they prove no claim."""
        return _RANGES.sub("", self._text)

    @cached_property
    def _numbers(self) -> frozenset[str | float]:
        text = self._quantities
        written = {*_NUMBER.findall(text), *_FRACTION.findall(text)}
        grouped = {re.sub("[,_]", "", number) for number in set(_GROUPED.findall(text))}
        found: set[str | float] = set(grouped) | written | self._counts
        for number in (*written, *grouped):
            steps = number.split(".")
            found.update(".".join(steps[:n]) for n in range(2, min(len(steps), 6)))
            found.update(_value(number))
        return frozenset(found)

    @cached_property
    def _percents(self) -> frozenset[float]:
        return frozenset(self._before(_PERCENT))

    @cached_property
    def _factors(self) -> frozenset[float]:
        after = (value for number in set(_TIMES.findall(self._quantities)) for value in _value(number))
        return frozenset((*self._before(_FACTOR), *after))

    def _before(self, unit: re.Pattern[str]) -> Iterator[float]:
        text = self._quantities
        for match in unit.finditer(text):
            if found := _BEFORE_UNIT.search(text[max(0, match.start() - 20) : match.start()]):
                yield from _value(found[1])

    def has_number(self, number: str, unit: str = "") -> bool:
        """Whether the commit has a number (as `plain` gives it) with this unit; counts to ten need no proof."""
        digits = number.replace(",", "").replace("_", "")
        if not (values := _value(digits)):
            return digits in self._numbers
        value = values[0]
        if unit == "%":
            return value in {0.0, 100.0} or value in self._percents or round(value / 100, 9) in self._numbers
        if unit == "x":
            return value in self._factors or (not value.is_integer() and value in self._numbers)
        if value.is_integer() and value <= SMALL and unit not in _MEASURES:
            return True
        scale = _SCALES.get(unit[:1], 0)
        scaled = {value * base**scale for base in (1000, 1024)} if scale else set()
        if value in self._counts or self._writes(digits) or {digits, value} & self._numbers:
            return True
        return bool(scaled & self._numbers) or self._status(value)

    def has_reference(self, number: str) -> bool:
        """Whether the commit has the issue or pull request `#number`; no number is too small to be wrong here."""
        return number in self._references

    def has_sha(self, sha: str) -> bool:
        """Whether a commit id, perhaps shortened, is one that the commit names."""
        return _starts_one(sha, self._by_beginning)

    def has(self, code: str) -> bool | None:
        """Whether the commit has all the names in a piece of code; None when there is no name in it."""
        text = plain(code)
        pieces = _PIECE.findall(text)
        if not pieces:
            return None
        wild = bool(_WILD.search(text))
        return all(self._piece(piece, wild=wild) for piece in pieces)

    def _status(self, value: float) -> bool:
        """An HTTP status may stand in the code by its name."""
        names = [status.name.lower() for status in HTTPStatus if status == value]
        return any(self._has_word(name) or self._has_word(f"http_{int(value)}_{name}") for name in names)

    def _piece(self, written: str, *, wild: bool) -> bool:
        piece = _LINE_NUMBER.sub("", written).strip("./:#+-") or written.strip("./:#+-")  # `:443` is a number alone
        if piece in _GENERAL:
            return True
        if _PLAIN.fullmatch(piece) or _GROUPED.fullmatch(piece):
            return self.has_number(piece)
        if written.startswith("--") and not wild and "." not in written:
            return written in self._flags or self._as_variable(piece)
        if (version := _VERSION.fullmatch(piece)) and (self._writes(version[1]) or version[1] in self._numbers):
            return True
        if _SHA.fullmatch(piece) and self.has_sha(piece):
            return True
        found = _JOINED.findall(piece)
        if not all(self._word(word, wild=wild) for word, _ in found):
            return "-" in piece and self._as_variable(piece)
        path = piece.count("/") > 1 or found[-1][0] in _EXTENSIONS
        return all(
            wild or not _binding(joint, second, path=path) or self._adjoin(first, joint, second)
            for (first, joint), (second, _) in pairwise(found)
        ) or self._as_variable(piece)

    def _as_variable(self, piece: str) -> bool:
        """`--max-size` may stand in the code as `max_size`."""
        return not {"/", "."} & set(piece) and self._has_word(piece.replace("-", "_"))

    def _as_flag(self, word: str) -> bool:
        """`max_size` may stand in the code as `--max-size`."""
        steps = [step for step in word.split("_") if step]
        return len(steps) > 1 and all(self._adjoin(first, "-", second) for first, second in pairwise(steps))

    def _adjoin(self, first: str, joint: str, second: str) -> bool:
        first, joined = first.strip("_"), f"{joint}{second}".strip("_")
        found = self._stands(f"{first}{joined}") if first and joined != joint else None
        # Where the first word has underscores at its end, the two do not stand so.
        return (first, joined) in self._pairs if found is None or (not found and f"_{joint}" in self._text) else found

    def _has_word(self, word: str) -> bool:
        """Whether the text has the word, as it is or, where it has no underscores at its ends, between some."""
        if not _WORD.fullmatch(word):
            return False
        found = self._stands(word)
        return word in self._words if found is None else found

    def _stands(self, name: str) -> bool | None:
        """Whether a name stands in the text by itself, no word going on at its ends; None when that is left open."""
        at, open_ended = -1, False
        for _ in range(_PLACES):
            at = self._text.find(name, at + 1)
            if at < 0:
                return None if open_ended else False
            around = {self._text[at - 1 : at], self._text[at + len(name) : at + len(name) + 1]}
            if not around & _WORD_CHARACTERS:
                return True
            open_ended = open_ended or "_" in around
        return None

    def _writes(self, digits: str) -> bool:
        """Whether the first places of a number show that the text has it; where they do not, the index says."""
        at = -1
        for _ in range(_PLACES):
            at = self._text.find(digits, at + 1)
            if at <= 0:
                return False
            if (
                self._text[at - 1] in _BEFORE_NUMBER
                and self._text[at + len(digits) : at + len(digits) + 1] not in _IN_NUMBER
            ):
                return True
        return False

    def _word(self, word: str, *, wild: bool) -> bool:
        if word in _GENERAL or self._has_word(word) or self._has_word(word.strip("_")):
            return True
        if word.isdigit():
            return self.has_number(word)
        if _GENERAL_SHAPE.fullmatch(word) or not word.strip("_") or self._as_flag(word):
            return True
        if not wild or len(word) == 1:
            return False
        return _starts_one(word, self._by_beginning) or _starts_one(word[::-1], self._by_end)


def _binding(joint: str, second: str, *, path: bool) -> bool:
    """Whether two joined words must stand so in the commit; a class and its method need not."""
    return joint == "-" or (joint == "/" and path) or (joint == "." and second in _EXTENSIONS)


def _starts_one(beginning: str, ordered: list[str]) -> bool:
    at = bisect_left(ordered, beginning)
    return at < len(ordered) and ordered[at].startswith(beginning)


def _value(digits: str) -> tuple[float, ...]:
    """The number behind its digits; none for a version or what is too long to be a number."""
    whole = f"0{digits}" if digits.startswith(".") else digits
    return (float(whole),) if len(whole) <= 40 and _PLAIN.fullmatch(whole) else ()


def _names_in(facts: Facts) -> Iterator[str]:
    yield from (*facts.areas, *facts.paths, *facts.symbols, *facts.prefixes)
    for change in facts.changes:
        yield from (change.name, change.path, change.before or "", change.after or "")
    yield from (f"#{number}" for number in (*facts.issues, *([facts.pull_request] if facts.pull_request else [])))
    if facts.reverts:
        yield from (facts.reverts.sha or "", str(facts.reverts.pull_request or ""), facts.reverts.title or "")


def _counts(commit: Commit, facts: Facts, diff: Diff) -> Iterator[float]:
    """Numbers that follow from the commit without standing in it."""
    for additions, deletions in (
        (facts.additions, facts.deletions),
        (diff.additions, diff.deletions),
        *((change.additions, change.deletions) for change in diff.files),
    ):
        yield from (float(additions), float(deletions), float(additions + deletions), float(abs(additions - deletions)))
    yield from map(float, (facts.files, facts.code_lines, len(diff.files), *facts.roles.values()))
    yield from map(float, (len(facts.areas), len(facts.symbols), len(facts.changes), *(facts.series or ())))
    for moment in (commit.committed_at, commit.landed_at):
        yield from map(float, (moment.year, moment.month, moment.day))
