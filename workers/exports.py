"""One side of a hunk in a language other than Python → the functions and types that its file exports; pure, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple


class Export(NamedTuple):
    """A function or a type that others can name; a method's name begins with its type's."""

    kind: Literal["function", "class"]
    name: str


_TYPE_WORDS = frozenset(
    {"class", "interface", "enum", "struct", "trait", "type", "record", "union", "enum class", "enum struct"}
)
# A line that exports something: the word for its kind, then its name.
_JAVASCRIPT = re.compile(
    r"^export (?:default )?(?:declare )?(?:abstract )?(?:async )?"
    r"(function|class|const|interface|type|enum)\*? (\w{1,80})"
)
# A type, or what is called; a constant or a property is neither.
_JAVA = re.compile(
    r"^\s{0,12}public (?:static |final |abstract |async |override |virtual |sealed ){0,4}"
    r"(?:(class|interface|enum|record) (\w{1,80})|([\w<>\[\],.?]{1,60}) (\w{1,80})\s?[(<])"
)
_GO = re.compile(r"^(func|type) (?:\((?:\w{0,30} )?\*?(\w{1,60})(?:\[[^\]]{1,60}\])?\) )?([A-Z]\w{0,80})")
_RUST = re.compile(
    r"^(\s{0,12})pub (?:async |unsafe |const |extern \"C\" ){0,3}(fn|struct|enum|trait|type|mod|union) (\w{1,80})"
)
_RUST_IMPL = re.compile(r"^(?:unsafe )?impl(?:<.{0,120}?>)? (?:.{1,120}? for )?&?(?:\w{1,40}::){0,4}(\w{1,60})")
_C_TYPE = re.compile(
    r"^(class|struct|union|enum class|enum struct|enum) (?:[A-Z_]{3,40} )?(\w{1,80}) ?(?:final ?)?(?:$|[:{])"
)
_C_FUNCTION = re.compile(
    r"^(?:[\w:<>,*&~]{1,60} ){1,5}[*&]{0,2}(\w{1,80}) ?\((?:[^;{}]{0,200}[;{,)])?(?: const| noexcept| override){0,3}$"
)
_PROTO = re.compile(r"^(message|service|enum) (\w{1,80})")
_PROTO_CALL = re.compile(r"^\s{1,8}rpc (\w{1,80}) ?\(")
_INDENT, _LINE = 8, 400
_BLANK = frozenset(" \t")
_ACCESS = frozenset({"public:", "protected:", "private:"})
_CLOSED = ("protected:", "private:")
# Words that begin a statement or an expression, not a declaration.
_STATEMENTS = (
    "return ", "else ", "throw ", "delete ", "new ", "goto ", "case ", "using ", "typedef ", "co_return ", "friend ",
)  # fmt: skip
_NO_NAMES = frozenset(
    (
        "if", "for", "while", "return", "switch", "sizeof", "catch", "defined", "alignas", "decltype", "constexpr",
        "volatile", "operator", "asm", "assert", "static_assert", "auto", "void", "bool", "char", "int", "float",
        "double", "size_t", "int8_t", "int16_t", "int32_t", "int64_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t",
        "noexcept", "requires",
    )
)  # fmt: skip
# What a parameter cannot begin with: the line is a variable and the values that it is made of.
_VALUE = re.compile(r"[(,] ?(?:-?\d|[\"'])")


def exports(path: str, lines: tuple[str, ...], context: str = "") -> Iterator[Export]:
    """What a file in a language other than Python exports; C and C++ by their headers.

    `context` is the hunk's header: it may name the type that the lines belong to.
    """
    suffix = path[path.rfind(".") :].lower()
    if suffix in {".h", ".hpp", ".hh", ".hxx"}:
        yield from _declared(lines, context)
    elif suffix == ".go":
        yield from _of_go(lines)
    elif suffix == ".rs":
        yield from _of_rust(lines, context)
    elif suffix in {".js", ".ts", ".tsx", ".jsx", ".mjs"}:
        yield from _by_words(_JAVASCRIPT, lines)
    elif suffix in {".java", ".cs", ".kt"}:
        yield from _by_words(_JAVA, lines)
    elif suffix == ".proto":
        yield from _of_proto(lines, context)


def _by_words(pattern: re.Pattern[str], lines: tuple[str, ...]) -> Iterator[Export]:
    for line in lines:
        if found := pattern.match(line):
            word, name = (group for group in found.groups() if group)
            yield from _export(word, name)


def _export(word: str, name: str) -> Iterator[Export]:
    if not name.startswith("_") and name not in _NO_NAMES:
        yield Export("class" if word in _TYPE_WORDS else "function", name)


def _of_go(lines: tuple[str, ...]) -> Iterator[Export]:
    """Methods by their type; those of a type that is not exported are reached through interfaces alone."""
    for line in lines:
        if line.startswith(("func ", "type ")) and (found := _GO.match(line)):
            word, owner, name = found.groups()
            if owner is None:
                yield from _export(word, name)
            elif owner[0].isupper():
                yield Export("function", f"{owner}.{name}")


def _of_rust(lines: tuple[str, ...], context: str) -> Iterator[Export]:
    """Methods by the type of their `impl`, as far as it is in view."""
    owner = _implemented(context)
    for line in lines:
        if line.startswith(("impl", "unsafe impl", "}")):
            owner = _implemented(line)
        elif "pub " in line and (found := _RUST.match(line)):
            indent, word, name = found.groups()
            yield from _export(word, f"{owner}::{name}" if owner and indent else name)


def _of_proto(lines: tuple[str, ...], context: str) -> Iterator[Export]:
    """Messages, and the calls of a service by its name."""
    opened = _PROTO.match(context)
    service = opened.group(2) if opened and opened.group(1) == "service" else ""
    for line in lines:
        if found := _PROTO.match(line):
            service = found.group(2) if found.group(1) == "service" else ""
            yield Export("class", found.group(2))
        elif "rpc " in line and (call := _PROTO_CALL.match(line)):
            yield Export("function", f"{service}.{call.group(1)}" if service else call.group(1))


def _implemented(line: str) -> str:
    found = _RUST_IMPL.match(line)
    return found.group(1) if found else ""


def _declared(lines: tuple[str, ...], context: str) -> Iterator[Export]:
    """What a header declares, members by their class; a declaration may go on below, a call may not look like one."""
    owner, hidden = _opened(" ".join(context.split()))
    hidden = hidden and context.startswith(_CLOSED)
    for line in lines:
        if len(line) > _LINE or not line.strip() or len(line) - len(line.lstrip()) > _INDENT:
            continue
        text = " ".join(line.partition("//")[0].split())
        if text.endswith(":") and text in _ACCESS:
            hidden = text != "public:"
        elif found := _C_TYPE.match(text):
            if not (hidden and line[:1] in _BLANK):
                yield from _export(found.group(1), found.group(2))
            if line[:1] not in _BLANK:
                owner, hidden = _opened(text)
        elif line.startswith("}"):
            owner, hidden = "", False
        elif not hidden and (name := _called(text, indented=line[:1] in _BLANK)) and name != owner:
            yield from _export("function", f"{owner}::{name}" if owner and line[:1] in _BLANK else name)


def _opened(text: str) -> tuple[str, bool]:
    """The class that a line opens, and whether what follows is its own business."""
    found = _C_TYPE.match(text)
    return (found.group(2), found.group(1) == "class") if found else ("", text in _ACCESS and text != "public:")


def _called(text: str, *, indented: bool) -> str:
    """The function that a line of a header declares, if any."""
    if "(" not in text or text.startswith(_STATEMENTS):
        return ""
    found = _C_FUNCTION.match(text)
    if not found or found.group(1) in _NO_NAMES or (indented and _VALUE.search(text, found.end(1))):
        return ""
    return found.group(1)
