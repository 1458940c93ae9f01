"""One side of a hunk → the flags, environment variables, routes and metrics it names; pure, bounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["flag", "environment", "route", "metric"]

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
# An attribute of clap's, and what stands between it and the field that it is about.
_RUST_ARGUMENT = re.compile(r"#\[(?:arg|clap|structopt)\(")
_RUST_FIELD = re.compile(
    r"\)\]\s{0,60}(?:(?://|#\[)[^\n]{0,200}\n\s{0,60}){0,12}(?:pub(?:\(\w{1,12}\))? )?(?:r#)?([a-z]\w{1,60}):"
)
_RUST_LONG = re.compile(r"(?:^|[\s,(])long\b(?:\s?=\s?\"([\w-]{2,60})\")?")
_RUST_DEFAULT = re.compile(r"\bdefault_value(?:_t|s_t)?\s?=\s?(?=\S)")
_RUST_HIDDEN = re.compile(r"\bhide\s?=\s?true\b")
_RUST_ENVIRONMENT = re.compile(
    r"(?:^|[\s,(])env\b(?:\s?=\s?(?:\"([A-Z][A-Z0-9_]{2,60})\"|(?:\w{1,40}::){1,3}([A-Z][A-Z0-9_]{2,60})))?"
)
_GFLAG = re.compile(
    r"\b(?:DEFINE_(?:bool|int32|int64|uint64|string|double)|ABSL_FLAG)\("
    r"(?:[\w:]{1,40}, ?)?(\w{2,60}), ?([^,\n]{1,60}),"
)

# Read by a project's own reader too, which has the word in its name: `envOrDefault("PORT", "80")`, `EnvVar("PORT")`.
_ENVIRONMENT = re.compile(
    r"[Ee]nv(?:(?P<table>iron(?:\.get\(|\[))|::var(?:_os)?\(|(?P<reader>(?!\w{0,20}Error)\w{0,24}\())"
    r"\s{0,24}[\"'](?P<name>[A-Z][A-Z0-9_]{2,60})[\"'](?:,\s{0,24}(?P<value>[^,\n)]{1,60}))?(?!\]\s?=[^=])"
)
# What stands before that word where it is set, for oneself or another process, or belongs to something else.
_WRITES = re.compile(
    r"(?:(?:^|[^a-zA-Z])(?:un|re)?set(?:_\w{1,8})?_?"
    r"|(?:del|temp|tmp|patch|with|stub|mock|put|write|export|remove|make)_?|\.)$",
    re.IGNORECASE,
)
_NODE_ENVIRONMENT = re.compile(r"\bprocess\.env(?:\.|\[[\"'])([A-Z][A-Z0-9_]{2,60})")
# A variable's name that a constant holds under the same name, or that a table of typed readers is asked for.
_CONSTANT_ENVIRONMENT = re.compile(r"\bconst ([A-Z][A-Z0-9]{0,30}_[A-Z0-9_]{1,60}): &(?:'static )?str = \"\1\"")
_READ_ENVIRONMENT = re.compile(
    r"=\s(?:Bool|String|Uint|Int|Float|Duration|Var)\w{0,16}\("
    r"\"([A-Z][A-Z0-9]{0,30}_[A-Z0-9_]{1,60})\"(?:, ?([^,\n)]{1,60}))?"
)
_READERS = ('str = "', "= Bool", "= String", "= Uint", "= Int", "= Float", "= Duration", "= Var(")
_TABLE_ENVIRONMENT = re.compile(
    r"^\s{1,8}([A-Z][A-Z0-9_]{3,60}) ?= ?Env\w{1,12}\((?![\"'][A-Z])([^()\n]{0,60})\)", re.MULTILINE
)

# What the system, the compiler or the launcher of many processes sets: every program may look at it, none owns it.
_OF_ALL = frozenset(
    (
        "PATH", "HOME", "USER", "USERNAME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "SHELL", "PWD", "TMPDIR", "TEMP",
        "TMP", "LANG", "LC_ALL", "TERM", "HOSTNAME", "DISPLAY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
        "CI", "GITHUB_ACTIONS", "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "LD_LIBRARY_PATH", "LD_PRELOAD",
        "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "GROUP_RANK", "MASTER_ADDR",
        "MASTER_PORT", "PROGRAMFILES", "SYSTEMROOT", "TERM_PROGRAM", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES", "ZE_AFFINITY_MASK",
    )
)  # fmt: skip

# What makes a Python function one that runs on a device.
_DEVICE_CODE = (
    "@triton.jit", "@gluon.jit", "@cute.kernel", "@cute.jit", "@tilelang.jit", "@T.prim_func", "@cuda.jit",
    "@wp.kernel", "@nki.jit",
)  # fmt: skip

_ROUTE = re.compile(
    r"@[\w.]{1,40}\.(?:route|get|post|put|patch|delete|websocket|api_route)\("
    r"\s{0,12}(?:path ?= ?)?[rf]?[\"'](/[^\"'\s]{0,120})[\"']"
)
_JS_ROUTE = re.compile(r"\b(?:app|router|server)\.(?:get|post|put|patch|delete)\([\"'`](/[^\"'`\s]{0,120})[\"'`]")
_METRIC = re.compile(
    r"\b(?:Counter|Gauge|Histogram|Summary|\w{0,12}_(?:counter|gauge|histogram)_cls)\("
    r"\s{0,24}(?:name ?= ?)?[\"']([a-zA-Z][\w:]{3,80})[\"']"
)

_PREPROCESSED = (".h", ".hpp", ".hh", ".hxx", ".inl", ".c", ".cc", ".cpp", ".cxx", ".cu", ".cuh", ".hip", ".m", ".mm")
_CONDITION = re.compile(r"^\s{0,8}#\s{0,4}(if|ifdef|ifndef|else|elif|endif)\b\s{0,4}(.{0,20})")
_CONDITIONS = re.compile(r"^[ +-]\s{0,8}#\s{0,4}(?:if|el|endif)", re.MULTILINE)  # any of these, in a patch
_NEVER = re.compile(r"^(?:0|false)\b")


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


def finders(text: str, *, kernel: bool = False) -> tuple[Finder, ...]:
    """Which of the flags, environment variables, routes and metrics there may be in a text, or in a part of it.

    A file of kernels takes flags only where it is run by itself, to try them: those are no user's.
    """
    found = tuple(finder for finder, hinted in _FINDERS if hinted(text))
    alone = _flags in found and (kernel or any(word in text for word in _DEVICE_CODE))
    return tuple(finder for finder in found if finder is not _flags) if alone else found


def named_things(text: str, found_by: tuple[Finder, ...]) -> Iterator[Named]:
    """Flags, environment variables, routes and metrics in one side of a hunk, in any language."""
    for finder in found_by:
        yield from finder(text)


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
        yield from _of_clap(text)


def _of_clap(text: str) -> Iterator[Named]:
    """The flags of a Rust program, and the variables that stand for them; both are called as their field may be."""
    for call in _RUST_ARGUMENT.finditer(text):
        arguments = _call(text, call.end())
        end = call.end() + len(arguments)
        field = _RUST_FIELD.match(text, end)
        default, hidden = _RUST_DEFAULT.search(arguments), bool(_RUST_HIDDEN.search(arguments))
        value = _value(arguments, default.end()) if default else None
        if (long := _RUST_LONG.search(arguments)) and (name := long[1] or (field and field[1].replace("_", "-"))):
            yield Named("flag", f"--{name}", value, hidden=hidden)
        if variable := _RUST_ENVIRONMENT.search(arguments):
            name = variable[1] or variable[2] or (field and field[1].upper())
            if name:
                yield Named("environment", name, value, hidden=hidden)


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
    return "env" in text or "Env" in text or any(reader in text for reader in _READERS)


def _environment(text: str) -> Iterator[Named]:
    return (named for named in _read(text) if named.name not in _OF_ALL)


def _read(text: str) -> Iterator[Named]:
    """The environment variables that a text reads, the system's too."""
    if _may_read_environment(text):
        for found in _ENVIRONMENT.finditer(text):
            if _reads(found, text[max(0, found.start() - 16) : found.start()]):
                value = _value(text, found.start("value")) if found["value"] else None
                yield Named("environment", found["name"], value)
        for found in _NODE_ENVIRONMENT.finditer(text):
            yield Named("environment", found.group(1))
        for found in _TABLE_ENVIRONMENT.finditer(text):
            yield Named("environment", found.group(1), found.group(2).strip() or None)
        if _READERS[0] in text:
            for found in _CONSTANT_ENVIRONMENT.finditer(text):
                yield Named("environment", found.group(1))
        if any(reader in text for reader in _READERS[1:]):
            for found in _READ_ENVIRONMENT.finditer(text):
                yield Named("environment", found.group(1), _value(text, found.start(2)) if found.group(2) else None)


def _reads(found: re.Match[str], before: str) -> bool:
    """Whether what names a variable reads the process's own; `before` are the characters that stand before it."""
    if before.endswith(("setLevel(", "setLevel(os.", "setLevel(os.get", "setLevel(get")):
        return False  # each module's own logger reads the same one
    if found["table"]:
        return before.endswith("os.")
    return not (found["reader"] and _WRITES.search(before))


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
