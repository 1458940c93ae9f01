"""One side of a hunk → the flags, environment variables, routes, metrics and exports it names; pure, bounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["function", "class", "flag", "environment", "route", "metric"]

_CALL_CHARS = 900
_VALUE_CHARS = 300

_FLAG_CALL = re.compile(r"\b(?:add_argument|add_option|option|Option|addOption)\(")
_FLAG = re.compile(r"[\"'](--[A-Za-z][\w-]{1,60})")
_DEFAULT = re.compile(r"\bdefault\s?=\s?(?=\S)")
# Left out of the help on purpose: nobody is told of such a flag.
_HIDDEN = re.compile(r"\b(?:help\s?=\s?(?:argparse\.)?SUPPRESS|hidden\s?=\s?True)\b")
_GO_FLAG = re.compile(
    r"\b(?:flag|flags|pflag|fs|cmd\.Flags\(\)|cmd\.PersistentFlags\(\))\.\w{3,16}\((?:&[\w.]{1,60}, )?"
    r"\"([\w-]{2,60})\", ?(?:\"\w?\", ?)?([^,\n]{1,60})"
)
_RUST_FLAG = re.compile(r"#\[(?:arg|clap|structopt)\([^\n]{0,120}\blong ?= ?\"([\w-]{2,60})\"")
_GFLAG = re.compile(
    r"\b(?:DEFINE_(?:bool|int32|int64|uint64|string|double)|ABSL_FLAG)\("
    r"(?:[\w:]{1,40}, ?)?(\w{2,60}), ?([^,\n]{1,60}),"
)

_ENVIRONMENT = re.compile(
    r"(?:\bos\.environ(?:\.get\(|\[)|\b(?:getenv|GetEnv|secure_getenv|env::var(?:_os)?|LookupEnv"
    r"|Getenv|env_var|get_env\w{0,12}|env_\w{1,12})\()"
    r"\s?[\"']([A-Z][A-Z0-9_]{2,60})[\"'](?:, ?([^,\n)]{1,60}))?(?!\]\s?=[^=])"
)
_NODE_ENVIRONMENT = re.compile(r"\bprocess\.env(?:\.|\[[\"'])([A-Z][A-Z0-9_]{2,60})")
_TABLE_ENVIRONMENT = re.compile(r"^\s{1,8}([A-Z][A-Z0-9_]{3,60}) ?= ?Env\w{1,12}\(([^()\n]{0,60})\)", re.MULTILINE)

_ROUTE = re.compile(
    r"@[\w.]{1,40}\.(?:route|get|post|put|patch|delete|websocket|api_route)\("
    r"\s{0,12}(?:path ?= ?)?[rf]?[\"'](/[^\"'\s]{0,120})[\"']"
)
_JS_ROUTE = re.compile(r"\b(?:app|router|server)\.(?:get|post|put|patch|delete)\([\"'`](/[^\"'`\s]{0,120})[\"'`]")
_METRIC = re.compile(
    r"\b(?:Counter|Gauge|Histogram|Summary|\w{0,12}_(?:counter|gauge|histogram)_cls)\("
    r"\s{0,24}(?:name ?= ?)?[\"']([a-zA-Z][\w:]{3,80})[\"']"
)

# A line that exports something: the word for its kind, then its name.
_JAVASCRIPT = re.compile(r"^export (?:default )?(?:async )?(function|class|const|interface|type|enum)\*? (\w{1,80})")
_GO = re.compile(r"^(func|type) (?:\(\w{0,30} ?\*?\w{1,60}\) )?([A-Z]\w{0,80})")
_RUST = re.compile(
    r"^\s{0,12}pub (?:async |unsafe |const |extern \"C\" ){0,3}(fn|struct|enum|trait|type|mod) (\w{1,80})"
)
_JAVA = re.compile(
    r"^\s{0,12}public (?:static |final |abstract |async |override |virtual |sealed ){0,4}"
    r"(class|interface|enum|record|[\w<>\[\],.?]{1,60}) (\w{1,80})"
)
_C = re.compile(
    r"^\s{0,8}(?:(class|struct|enum class|enum) (?:[A-Z_]{3,40} )?"
    r"(\w{1,80})(?! ?;)\b"
    r"|(?:[\w:<>,*&~]{1,60} ){1,5}[*&]{0,2}(\w{1,80})\([^;{}]{0,200}[;{]$)"
)
_EXPORTS = {
    **dict.fromkeys((".js", ".ts", ".tsx", ".jsx", ".mjs"), _JAVASCRIPT),
    ".go": _GO,
    ".rs": _RUST,
    **dict.fromkeys((".java", ".cs", ".kt"), _JAVA),
    **dict.fromkeys((".h", ".hpp", ".hh", ".hxx"), _C),
}
_PREPROCESSED = (".h", ".hpp", ".hh", ".hxx", ".inl", ".c", ".cc", ".cpp", ".cxx", ".cu", ".cuh", ".hip", ".m", ".mm")
_CONDITION = re.compile(r"^\s{0,8}#\s{0,4}(if|ifdef|ifndef|else|elif|endif)\b\s{0,4}(.{0,20})")
_CONDITIONS = re.compile(r"^[ +-]\s{0,8}#\s{0,4}(?:if|el|endif)", re.MULTILINE)  # any of these, in a patch
_NEVER = re.compile(r"^(?:0|false)\b")
_TYPE_WORDS = frozenset({"class", "interface", "enum", "struct", "trait", "type", "record", "enum class"})


@dataclass(frozen=True, slots=True)
class Named:
    """A thing users can name, and the default that stands beside it, if any."""

    kind: Kind
    name: str
    value: str | None = None
    hidden: bool = False


def is_conditional(path: str, patch: str) -> bool:
    """Whether a patch is of C or its kin and shows conditions of its preprocessor."""
    return path.lower().endswith(_PREPROCESSED) and bool(_CONDITIONS.search(patch))


def compiled(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines of a conditional file without what stands below an `#if 0` in view."""
    kept, dead = list[str](), list[bool]()
    for line in lines:
        if found := _CONDITION.match(line):
            _enter(dead, found.group(1), never=bool(_NEVER.match(found.group(2))))
        elif not any(dead):
            kept.append(line)
    return tuple(kept)


def _enter(dead: list[bool], word: str, *, never: bool) -> None:
    """Keep count of the conditions that are open, and of which is never met."""
    if word.startswith("if"):
        dead.append(word == "if" and never)
    elif dead and word == "endif":
        dead.pop()
    elif dead:
        dead[-1] = word == "elif" and never


Finder = Callable[[str], Iterator[Named]]


def finders(text: str) -> tuple[Finder, ...]:
    """Which of the flags, environment variables, routes and metrics there may be in a text, or in a part of it."""
    return tuple(finder for finder, hinted in _FINDERS if hinted(text))


def named_things(text: str, found_by: tuple[Finder, ...]) -> Iterator[Named]:
    """Flags, environment variables, routes and metrics in one side of a hunk, in any language."""
    for finder in found_by:
        yield from finder(text)


def exports(path: str, lines: tuple[str, ...]) -> Iterator[Named]:
    """What a file in a language other than Python exports; C and C++ by their headers."""
    pattern = _EXPORTS.get(path[path.rfind(".") :].lower())
    if pattern is None:
        return
    for line in lines:
        if found := pattern.match(line):
            words = [group for group in found.groups() if group]
            if not words[-1].startswith("_") and words[-1] not in {"if", "for", "while", "return", "switch", "sizeof"}:
                yield Named("class" if words[0] in _TYPE_WORDS else "function", words[-1])


def _may_call(text: str) -> bool:
    return "--" in text and ("ption(" in text or "add_argument(" in text)


def _may_define(text: str) -> bool:
    return "lags()." in text or "flag" in text or "FLAG" in text or "DEFINE_" in text


def _may_flag(text: str) -> bool:
    return _may_call(text) or _may_define(text) or "#[" in text


def _flags(text: str) -> Iterator[Named]:
    if _may_call(text):
        for call in _FLAG_CALL.finditer(text):
            arguments = _call(text, call.end())
            if found := _FLAG.search(arguments):
                default = _DEFAULT.search(arguments)
                value = _value(arguments, default.end()) if default else None
                yield Named("flag", found.group(1), value, hidden=bool(_HIDDEN.search(arguments)))
    if _may_define(text):
        for pattern in (_GO_FLAG, _GFLAG):
            for found in pattern.finditer(text):
                yield Named("flag", f"--{found.group(1)}", _value(text, found.start(2)))
    if "#[" in text:
        for found in _RUST_FLAG.finditer(text):
            yield Named("flag", f"--{found.group(1)}")


def _call(text: str, start: int) -> str:
    """The arguments of a call that opens just before `start`, as far as they are in view."""
    piece = text[start : start + _CALL_CHARS]
    return piece[: _end(piece, ")")[0]]


def _value(text: str, start: int) -> str | None:
    """The value that begins at `start`, whole: up to the comma, bracket, comment or line's end that closes it."""
    piece = text[start : start + _VALUE_CHARS]
    end, within = _end(piece, ",\n)]}#")
    return " ".join(piece[:end].split()) + ("…" if within else "") or None


def _end(piece: str, stops: str) -> tuple[int, bool]:
    """Where the first of `stops` stands outside brackets and quotes, or the end and whether it lies within some."""
    depth, quote = 0, ""
    for position, char in enumerate(piece):
        if quote:
            closes = char == "\n" or (char == quote and piece[position - 1] != "\\")
            quote = "" if closes else quote
        elif char in "\"'":
            quote = char
        elif depth <= 0 and char in stops:
            return position, False
        else:
            depth += (char in "([{") - (char in ")]}")
    return len(piece), depth > 0 or bool(quote)


def _may_read_environment(text: str) -> bool:
    return "env" in text or "Env" in text


def _environment(text: str) -> Iterator[Named]:
    if _may_read_environment(text):
        for found in _ENVIRONMENT.finditer(text):
            value = _value(text, found.start(2)) if found.group(2) else None
            yield Named("environment", found.group(1), value)
        for found in _NODE_ENVIRONMENT.finditer(text):
            yield Named("environment", found.group(1))
        for found in _TABLE_ENVIRONMENT.finditer(text):
            yield Named("environment", found.group(1), found.group(2).strip() or None)


def _may_route(text: str) -> bool:
    return '"/' in text or "'/" in text or "`/" in text


def _routes(text: str) -> Iterator[Named]:
    if not _may_route(text):
        return
    for pattern in (_ROUTE, _JS_ROUTE):
        for found in pattern.finditer(text):
            yield Named("route", found.group(1))


def _may_measure(text: str) -> bool:
    return any(word in text for word in ("Counter(", "Gauge(", "Histogram(", "Summary(", "_cls("))


def _metrics(text: str) -> Iterator[Named]:
    if not _may_measure(text):
        return
    for found in _METRIC.finditer(text):
        yield Named("metric", found.group(1))


_FINDERS: tuple[tuple[Finder, Callable[[str], bool]], ...] = (
    (_flags, _may_flag), (_environment, _may_read_environment), (_routes, _may_route), (_metrics, _may_measure),
)  # fmt: skip
