"""One side of a Python hunk → the public functions, classes, parameters and configuration fields it shows; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.hunks import docstring_lines, has_docstrings

# Bounds of one signature; a longer one is not compared.
_SIGNATURE_LINES = 60
_SIGNATURE_CHARS = 4_000

_DEF = re.compile(r"^( {0,24}|\t{0,6})(?:async )?def ([A-Za-z_]\w{0,80})\s?\(")
_CLASS = re.compile(r"^( {0,24}|\t{0,6})class ([A-Za-z_]\w{0,80})")
_FIELD = re.compile(r"^(?: {4}|\t)([A-Za-z_]\w{0,60})\s?:(?!=)(.{1,300})$")
_PARAMETER = re.compile(r"^(\*{0,2}[A-Za-z_]\w{0,60}|\*|/)")
# One parameter of a signature over several lines, and the line that closes it.
_PARAMETER_LINE = re.compile(
    r"^[ \t]{1,24}(?:\*{0,2}[A-Za-z_]\w{0,60}(?:\s?[:=][^\n]{1,300})?|\*|/),\s{0,4}(?:#.{0,200})?$"
)
_SIGNATURE_END = re.compile(r"^\)(?:\s?->.{1,300})?:")
# What users write instead of the field's own name.
_ALIAS = re.compile(r"\b(?:validation_)?alias\s?=\s?[\"']([\w.-]{1,60})[\"']")
_FIELD_VALUE = re.compile(r"^(?:pydantic\.|dataclasses\.)?[Ff]ield\(\s{0,4}(?:default\s?=\s?)?([^,()=]{1,80})[,)]")
_FIELD_FACTORY = re.compile(
    r"^(?:pydantic\.|dataclasses\.)?[Ff]ield\((?:[^()]{0,200}, ?)?default_factory\s?=\s?([\w.]{1,80})\s?[,)]"
)
_FIELD_CALL = re.compile(r"^(?:pydantic\.|dataclasses\.)?[Ff]ield\(")
# Configuration by its name, wherever it stands; the models of an interface only where the path says that it is one.
_CONFIG_CLASS = re.compile(r"(?:Configs?|Settings|Options|Opts|Args|Arguments)$")
_MODEL_CLASS = re.compile(r"(?:Params|Parameters|Request|Response|Usage|Input|Inputs)$")
_MODEL_BASE = re.compile(r"[(,.\s](?:BaseModel|TypedDict|Struct)\b")
_MODEL_PLACE = re.compile(
    r"(?:^|/)(?:serve|serving|server|api|apis|protocols?|schemas?|openai|rest|http)[^/]{0,40}(?:/|$)"
)
# What pydantic calls by itself, and nobody by its name.
_VALIDATOR = re.compile(r"\s{0,24}@(?:pydantic\.)?(?:\w{1,12}_)?(?:validator|serializer)\b")
_OF_A_MODEL = re.compile(r"^(?:Model|Text|Vision|Audio|Encoder|Decoder)(?:Args|Config)$")
_METHOD_INDENTS = frozenset({" " * 4, " " * 2, "\t"})
_PUNCTUATION = re.compile(r"[\"'()\[\]{},\n]")
# Text in quotes, or a comment: `def run(  # pylint: disable=unused-argument,invalid-name`.
_QUOTED_OR_COMMENT = re.compile(r"(\"[^\"\n]{0,400}\"|'[^'\n]{0,400}')|#[^\n]*")
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class as one side shows it; `parameters` is None when its signature was not seen whole.

    With `opened`, its `def` is the hunk's header, which stands for both sides and may have another name by now; the
    parameters are those below.
    """

    kind: str
    name: str
    parameters: tuple[tuple[str, str | None], ...] | None = None
    opened: bool = False


@dataclass(frozen=True, slots=True)
class ConfigField:
    """A field of a configuration class; `default` is None when it is required."""

    name: str
    default: str | None


def definitions(lines: tuple[str, ...], context: str, path: str = "") -> Iterator[Definition | ConfigField]:
    """What one side of a hunk defines at module or class level, private names left out.

    A signature counts only where its `def` itself is in view, as the hunk's header may name another function than the
    one that the lines belong to; or where the lines go on with one that the header leaves open.
    """
    yield from _continued(context, lines)
    models = bool(_MODEL_PLACE.search(path))
    described = "/models/" in path
    scope = _scope_from(context, models=models, described=described)
    text = "\n".join(lines)
    if not scope.configures and "def " not in text and "class " not in text:
        return
    prose = docstring_lines(lines) if has_docstrings(text) else ()
    for index, line in enumerate(lines):
        if "class " in line and (found := _CLASS.match(line)) and line not in prose:
            if not found.group(1):
                scope = _scope_from(line, models=models, described=described)
                if _public(found.group(2)):
                    yield Definition("class", found.group(2))
        elif "def " in line and (found := _DEF.match(line)) and line not in prose:
            yield from _function(lines, index, found, scope)
            scope = scope if found.group(1) else _Scope()
        elif scope.configures and line not in prose and (config := _field(scope.owner or "", lines, index)):
            yield config
        elif line[:1] not in {"", " ", "\t", ")", "#"}:
            scope = _Scope()


def is_configuration(name: str) -> bool:
    """Whether a class is a configuration, by its name."""
    return bool(_CONFIG_CLASS.search(name))


def is_model(name: str, path: str) -> bool:
    """Whether a class is what an interface takes or gives, by its name and place."""
    return bool(_MODEL_CLASS.search(name) and _MODEL_PLACE.search(path))


class _Scope:
    """The class that the lines belong to, or that they are within a module's function."""

    def __init__(self, owner: str | None = None, *, model: bool = False, described: bool = False) -> None:
        """A `model` is what an interface takes or gives; its fields count as settings do. Nobody sets a `described`."""
        self.owner = owner
        self.method_indent: str | None = None
        named = bool(owner and _public(owner))
        self.configures = named and not described and (model or bool(_CONFIG_CLASS.search(owner or "")))

    def holds(self, indent: str) -> bool:
        """Whether a `def` this deep is a method of the class, not a function within one."""
        if not self.owner or indent not in _METHOD_INDENTS:
            return False
        self.method_indent = self.method_indent or indent
        return indent == self.method_indent


def _scope_from(line: str, *, models: bool, described: bool = False) -> _Scope:
    """The scope that a `class` line opens; with `models`, its path is an interface's.

    `described`: the path is one of models' own files, whose arguments are read from what a model comes with.
    """
    found = _CLASS.match(line)
    if not found:
        return _Scope()
    if described and _OF_A_MODEL.search(found.group(2)):
        return _Scope(owner=found.group(2), described=True)
    model = models and bool(_MODEL_CLASS.search(found.group(2)) or _MODEL_BASE.search(line, found.end()))
    return _Scope(owner=found.group(2), model=model)


def _function(lines: Sequence[str], index: int, found: re.Match[str], scope: _Scope) -> Iterator[Definition]:
    indent, name = found.group(1), found.group(2)
    if not indent and _public(name):
        yield _definition(lines, index, name)
    owner = scope.owner if scope.holds(indent) else None
    if owner and _is_validator(lines, index):
        return
    if owner and _public(owner) and (_public(name) or name == "__init__"):
        yield _definition(lines, index, f"{owner}.{name}")


def _continued(context: str, lines: tuple[str, ...]) -> Iterator[Definition]:
    """The function whose signature the header opens, by those of its parameters that are in view."""
    found = _DEF.match(context) if "def " in context else None
    if not found or found.group(1) or not _public(found.group(2)) or _inside([context], 0) is not None:
        return
    if any(map(_is_of_a_kernel, (context, *lines))):
        return
    seen = list[str]()
    for line in lines[:_SIGNATURE_LINES]:
        if _SIGNATURE_END.match(line):
            break
        if not _PARAMETER_LINE.match(line):
            return
        seen.append(line.partition("  #")[0])
    yield Definition("function", found.group(2), _parameters("\n".join(seen)), opened=True)


def _is_of_a_kernel(line: str) -> bool:
    return "constexpr" in line or "_kernel(" in line


def _is_validator(lines: Sequence[str], index: int) -> bool:
    above = lines[max(0, index - 3) : index]
    decorators = [line for line in above if line.lstrip().startswith("@")]
    return any(map(_VALIDATOR.match, decorators)) and above[-1].lstrip().startswith(("@", ")"))


def _public(name: str) -> bool:
    return not name.startswith("_")


def _field(owner: str, lines: Sequence[str], index: int) -> ConfigField | None:
    found = _FIELD.match(lines[index])
    if not found or found.group(1).startswith("_"):
        return None
    _, equals, default = found.group(2).partition("=")
    value = default.split("  #")[0].strip().rstrip(",") if equals else None
    if value and value.endswith("("):
        value = f"{value}{' '.join((_inside((value, *lines[index + 1 :]), 0) or '').split())})"
    alias = _ALIAS.search(value) if value and "alias" in value else None
    return ConfigField(f"{owner}.{alias.group(1) if alias else found.group(1)}", _declared(value) if value else None)


def _declared(value: str) -> str | None:
    """The default that a field's value stands for: itself, or what `Field(…)` makes it of; None: none."""
    if inner := _FIELD_VALUE.match(value):
        return None if inner.group(1).strip() == "..." else inner.group(1).strip()
    if factory := _FIELD_FACTORY.match(value):
        return f"{factory.group(1)}()"
    return None if _FIELD_CALL.match(value) and "default" not in value else value


def _definition(lines: Sequence[str], index: int, name: str) -> Definition:
    inside = _inside(lines, index)
    return Definition("function", name, None if inside is None else _parameters(inside))


def _inside(lines: Sequence[str], index: int) -> str | None:
    """The text between a signature's parentheses, or None when it does not close in view."""
    text = _without_comments("\n".join(lines[index : index + _SIGNATURE_LINES])[:_SIGNATURE_CHARS])
    start, depth, quote = text.find("("), 0, ""
    for found in _PUNCTUATION.finditer(text, max(start, 0)):
        position, char = found.start(), found.group()
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


def _without_comments(text: str) -> str:
    return _QUOTED_OR_COMMENT.sub(lambda found: found[1] or "", text) if "#" in text else text


def _parameters(inside: str) -> tuple[tuple[str, str | None], ...]:
    found = list[tuple[str, str | None]]()
    for part in split_arguments(inside):
        name = _PARAMETER.match(part.strip())
        if name and name.group(1) not in {"self", "cls", "*", "/"}:
            found.append((name.group(1), _default(part)))
    return tuple(found)


def _default(parameter: str) -> str | None:
    _, equals, default = parameter.partition("=")
    return " ".join(default.split()) if equals else None


def split_arguments(inside: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes."""
    parts, depth, quote, start = list[str](), 0, "", 0
    for found in _PUNCTUATION.finditer(inside):
        position, char = found.start(), found.group()
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
