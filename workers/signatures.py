"""One side of a Python hunk → the public functions, classes, parameters and configuration fields it shows; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Bounds of one signature; a longer one is not compared.
_SIGNATURE_LINES = 60
_SIGNATURE_CHARS = 4_000

_DEF = re.compile(r"^( {0,24}|\t{0,6})(?:async )?def ([A-Za-z_]\w{0,80})\s?\(")
_CLASS = re.compile(r"^( {0,24}|\t{0,6})class ([A-Za-z_]\w{0,80})")
_FIELD = re.compile(r"^(?: {4}|\t)([A-Za-z_]\w{0,60})\s?:(?!=)(.{1,300})$")
_PARAMETER = re.compile(r"^(\*{0,2}[A-Za-z_]\w{0,60}|\*|/)")
_PARAMETER_LINE = re.compile(r"^\s{1,40}(?:\*{0,2}[a-z_]\w{0,60}\s?[:=,].{0,200}|\*,|/,)$")
_CONFIG_CLASS = re.compile(
    r"(?:Configs?|Settings|Options|Opts|Args|Arguments|Params|Parameters|Request|Response|Usage|Input|Inputs)$"
)
_METHOD_INDENTS = frozenset({" " * 4, " " * 2, "\t"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class as one side shows it; `parameters` is None when its signature was not seen whole."""

    kind: str
    name: str
    parameters: tuple[tuple[str, str | None], ...] | None = None


@dataclass(frozen=True, slots=True)
class ConfigField:
    """A field of a configuration class; `default` is None when it is required."""

    name: str
    default: str | None


def definitions(lines: Sequence[str], context: str) -> Iterator[Definition | ConfigField]:
    """What one side of a hunk defines at module or class level, private names left out."""
    scope = _scope_from(context)
    if (start := _open_signature(lines, context)) is not None:
        yield start
    for index, line in enumerate(lines):
        if "class " in line and (found := _CLASS.match(line)):
            if not found.group(1):
                scope = _Scope(owner=found.group(2))
                if _public(found.group(2)):
                    yield Definition("class", found.group(2))
        elif "def " in line and (found := _DEF.match(line)):
            yield from _function(lines, index, found, scope)
            scope = scope if found.group(1) else _Scope(nested=True)
        elif scope.configures and (config := _field(scope.owner or "", line)):
            yield config
        elif line[:1] not in {"", " ", "\t", ")", "#"}:
            scope = _Scope()


class _Scope:
    """The class that the lines belong to, or that they are within a module's function."""

    def __init__(self, owner: str | None = None, *, nested: bool = False) -> None:
        self.owner = owner
        self.nested = nested
        self.configures = bool(owner and _public(owner) and _CONFIG_CLASS.search(owner))


def _scope_from(context: str) -> _Scope:
    found = _CLASS.match(context)
    return _Scope(owner=found.group(2)) if found else _Scope(nested=bool(_DEF.match(context)))


def _function(lines: Sequence[str], index: int, found: re.Match[str], scope: _Scope) -> Iterator[Definition]:
    indent, name = found.group(1), found.group(2)
    if not indent and _public(name):
        yield _definition(lines, index, name)
    owner = scope.owner if indent in _METHOD_INDENTS and not scope.nested else None
    if owner and _public(owner) and (_public(name) or name == "__init__"):
        yield _definition(lines, index, f"{owner}.{name}")


def _public(name: str) -> bool:
    return not name.startswith("_")


def _field(owner: str, line: str) -> ConfigField | None:
    found = _FIELD.match(line)
    if not found or found.group(1).startswith("_"):
        return None
    _, equals, default = found.group(2).partition("=")
    return ConfigField(f"{owner}.{found.group(1)}", default.split("  #")[0].strip().rstrip(",") if equals else None)


def _open_signature(lines: Sequence[str], context: str) -> Definition | None:
    """A hunk that begins inside the signature its header names: the parameters seen are compared as far as they go."""
    found = _DEF.match(context)
    if not found or found.group(1) or not _public(found.group(2)) or ")" in context:
        return None
    seen = list[str]()
    for line in lines[:_SIGNATURE_LINES]:
        if line.lstrip().startswith(")"):
            return Definition("function", found.group(2), _parameters("".join(seen))) if seen else None
        if not _PARAMETER_LINE.match(line):
            return None
        seen.append(line)
    return None


def _definition(lines: Sequence[str], index: int, name: str) -> Definition:
    inside = _inside(lines, index)
    return Definition("function", name, None if inside is None else _parameters(inside))


def _inside(lines: Sequence[str], index: int) -> str | None:
    """The text between a signature's parentheses, or None when it does not close in view."""
    text = "\n".join(lines[index : index + _SIGNATURE_LINES])[:_SIGNATURE_CHARS]
    start, depth, quote = text.find("("), 0, ""
    for position in range(start, len(text)):
        char = text[position]
        if quote:
            quote = "" if char in (quote, "\n") else quote
        elif char in "'\"":
            quote = char
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
            if not depth:
                return text[start + 1 : position]
    return None


def _parameters(inside: str) -> tuple[tuple[str, str | None], ...]:
    found = list[tuple[str, str | None]]()
    for part in split_arguments(inside):
        name = _PARAMETER.match(part.strip())
        if name and name.group(1) not in {"self", "cls", "*", "/"}:
            found.append((name.group(1), _default(part)))
    return tuple(found)


def _default(parameter: str) -> str | None:
    _, equals, default = parameter.partition("=")
    return " ".join(default.split("#")[0].split()) if equals else None


def split_arguments(inside: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes."""
    parts, depth, quote, start = list[str](), 0, "", 0
    for position, char in enumerate(inside):
        if quote:
            quote = "" if char in (quote, "\n") else quote
        elif char in "'\"":
            quote = char
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
        elif char == "," and depth <= 0:
            parts.append(inside[start:position])
            start = position + 1
    return [part for part in (*parts, inside[start:]) if part.strip()]
