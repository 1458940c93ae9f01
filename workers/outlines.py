"""One side of a hunk → its definitions and the lines each spans, by the language's own parser; pure, bounded."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Language, Node

# A side beyond these is not parsed: no hunk that a person wrote is as long.
LINES_LIMIT = 3_000
CHARS_LIMIT = 120_000
_NODES_LIMIT = 40_000
_NAME_LIMIT = 120

_PYTHON = re.compile(r"^(\s{0,24})(?:async )?(def|class) ([A-Za-z_]\w{0,80})")
_NAME = re.compile(r"[\w~$#]{1,100}(?:(?:::|\.)[\w~$#]{1,100}){0,8}")
_MACRO = re.compile(r"[A-Z][A-Z0-9]{0,40}(?:_[A-Z0-9]{1,40}){1,8}")
# What a parser takes for a name where a macro or a cut hunk misled it.
_KEYWORDS = frozenset(("if", "for", "while", "switch", "return", "else", "do", "case", "constexpr", "const", "static"))
# An escape that is none makes Python's parser warn; what stands in a text is of no interest here.
_ESCAPE = re.compile(r"\\[^\n'\"]")


class Span(NamedTuple):
    """A definition by its qualified name, and its first and last line, counted from 0."""

    name: str
    first: int
    last: int


def outline(path: str, header: str, lines: Sequence[str]) -> list[Span] | None:
    """The definitions that one side of a hunk shows, outer ones first; None where no parser knows the language.

    `header` is the line that the hunk's `@@` names; where it opens a definition, the lines are read as its inside.
    Line -1 is the header itself. Never raises on any content.
    """
    suffix = path[path.rfind(".") :].lower()
    if suffix not in {".py", ".pyi"} and suffix not in _GRAMMARS:
        return None
    if len(lines) > LINES_LIMIT or sum(map(len, lines)) > CHARS_LIMIT:
        return None
    if suffix in {".py", ".pyi"}:
        return _python(header, lines)
    opening = _opened(header)
    text = "\n".join([*opening, *lines, *("};" for _ in opening)]).encode("utf-8", "replace")
    return list(_tree_spans(suffix, text, len(opening)))


def _python(header: str, lines: Sequence[str]) -> list[Span]:
    whole = "\n".join(lines)
    if "def " not in whole and "class " not in whole:
        return []  # most hunks lie within what their header names
    opening = _staircase(header, lines)
    tree = _parsed([*opening, *lines])
    if tree is None:
        return list(_python_by_indent([*opening, *lines], len(opening)))
    return list(_python_spans(tree.body, "", len(opening)))


def python_tree(header: str, lines: Sequence[str]) -> ast.Module | None:
    """One side of a Python hunk as its parser reads it, below what its header opens; None where it cannot be parsed."""
    if len(lines) > LINES_LIMIT or sum(map(len, lines)) > CHARS_LIMIT:
        return None
    return _parsed([*_staircase(header, lines), *lines])


def _parsed(lines: Sequence[str]) -> ast.Module | None:
    text = _ESCAPE.sub("//", "\n".join(lines).replace("\0", " ")).replace("\f", " ").replace("\r", " ")
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _staircase(header: str, lines: Sequence[str]) -> list[str]:
    """The lines that must stand before a piece of Python, so that each of its steps outwards meets an open block."""
    depth = least = _depth(next((line for line in lines if line.strip()), ""))
    levels = {0} if least else set[int]()
    for line in lines:
        if not least:
            break
        if line.strip() and _depth(line) < least:
            least = _depth(line)
            levels.add(least)
    found = _PYTHON.match(header)
    owner = _depth(header) if found else -1
    if found and owner < depth:
        levels.add(owner)
    opened = f"{found.group(2)} {found.group(3)}{'()' if found.group(2) == 'def' else ''}:" if found else ""
    return [" " * level + (opened if level == owner else "if 1:") for level in sorted(levels)]


def _depth(line: str) -> int:
    expanded = line.expandtabs(8)
    return len(expanded) - len(expanded.lstrip())


def _python_spans(body: Sequence[ast.stmt], owner: str, shift: int) -> Iterator[Span]:
    """The functions and classes of a block; what is defined within a function belongs to it."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{owner}.{node.name}" if owner else node.name
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield Span(name[:_NAME_LIMIT], first - 1 - shift, (node.end_lineno or node.lineno) - 1 - shift)
            if isinstance(node, ast.ClassDef):
                yield from _python_spans(node.body, name, shift)
        else:
            inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
            yield from _python_spans(inner, owner, shift)


def _python_by_indent(lines: Sequence[str], shift: int) -> Iterator[Span]:
    """The same, where a cut hunk does not parse: a definition ends where the text is as far out as itself."""
    open_ones = list[tuple[int, str, str, int]]()
    for place, line in enumerate(lines):
        text = line.strip()
        if not text or text[0] in ")]}#":
            continue
        depth = _depth(line)
        while open_ones and open_ones[-1][0] >= depth:
            _, _, name, first = open_ones.pop()
            yield Span(name, first - shift, place - 1 - shift)
        found = _PYTHON.match(line)
        if found and not any(kind == "def" for _, kind, _, _ in open_ones):
            owner = f"{open_ones[-1][2]}." if open_ones else ""
            open_ones.append((depth, found.group(2), (owner + found.group(3))[:_NAME_LIMIT], place))
    for _, _, name, first in open_ones:
        yield Span(name, first - shift, len(lines) - 1 - shift)


def _opened(header: str) -> list[str]:
    """The header as a line that opens its block, or nothing where it opens none."""
    text = header.rstrip()
    if not re.match(r"[\w\s:<>,*&~()\[\].\"']{1,300}[{(,]?$", text) or text.endswith((";", "}", ":")):
        return []
    return [text if text.endswith("{") else f"{text.rstrip('(, ')}{_closing(text)} {{"]


def _closing(text: str) -> str:
    """A signature that the header cut off needs its closing parenthesis."""
    return ")" * max(text.rstrip("(, ").count("(") - text.count(")"), 0)


class _Grammar(NamedTuple):
    """A language's wheel, the function in it, and what joins an owner to its member."""

    module: str
    function: str = "language"
    joint: str = "."


_CPP = _Grammar("tree_sitter_cpp", joint="::")
_TYPESCRIPT = _Grammar("tree_sitter_typescript", "language_typescript")
_TSX = _Grammar("tree_sitter_typescript", "language_tsx")
_GRAMMARS = {
    **dict.fromkeys((".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".cu", ".cuh", ".hip", ".inl"), _CPP),
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), _Grammar("tree_sitter_javascript")),
    **dict.fromkeys((".ts", ".mts", ".cts"), _TYPESCRIPT),
    ".tsx": _TSX,
    ".rs": _Grammar("tree_sitter_rust", joint="::"),
    ".go": _Grammar("tree_sitter_go"),
    ".java": _Grammar("tree_sitter_java"),
}
# Node types that hold others and give them their name, and those that end the search.
_CONTAINERS = frozenset(
    ("class_specifier", "struct_specifier", "union_specifier", "class_declaration", "abstract_class_declaration",
     "class", "interface_declaration", "record_declaration", "impl_item", "trait_item")
)  # fmt: skip
_LEAVES = frozenset(
    ("function_definition", "enum_specifier", "preproc_function_def", "function_declaration", "method_declaration",
     "generator_function_declaration", "method_definition", "constructor_declaration", "function_item", "struct_item",
     "enum_item", "union_item", "macro_definition", "function_signature_item", "type_spec", "type_alias_declaration",
     "enum_declaration", "method_signature", "abstract_method_signature", "annotation_type_declaration")
)  # fmt: skip
# A declaration is one of a function only where it says so.
_DECLARATIONS = frozenset({"declaration", "field_declaration"})
_BOUND_FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function"})


@cache
def _language(grammar: _Grammar) -> Language:
    from tree_sitter import Language  # on first use: a process that reads no diffs does without

    return Language(getattr(import_module(grammar.module), grammar.function)())


def is_macro(name: str) -> bool:
    """Whether what looks like a function of C or C++ is a macro that is used: `PYBIND11_MODULE(m) {`."""
    return bool(_MACRO.fullmatch(name))


def _tree_spans(suffix: str, text: bytes, shift: int) -> Iterator[Span]:
    from tree_sitter import Parser  # see _language

    grammar = _GRAMMARS[suffix]
    waiting: list[tuple[Node, str]] = [(Parser(_language(grammar)).parse(text).root_node, "")]
    for _ in range(_NODES_LIMIT):
        if not waiting:
            return
        node, owner = waiting.pop()
        name = _name(node, owner)
        if name:
            joined = f"{owner}{grammar.joint}{name}" if owner else name
            yield Span(joined[:_NAME_LIMIT], node.start_point[0] - shift, node.end_point[0] - shift)
            owner = joined
        if not name or node.type in _CONTAINERS:
            waiting += [(child, owner) for child in reversed(node.named_children)]


def _name(node: Node, owner: str) -> str:
    """What a node defines, by its own name; "" when it defines nothing."""
    kind = node.type
    if kind in _DECLARATIONS:
        name = _declared(node, functions_only=True)
        return "" if is_macro(name) or _is_called(node, name, owner) else name
    if kind == "function_definition":
        name = _declared(node, functions_only=False)
        return "" if is_macro(name) or name.startswith("std::") else name
    if kind == "variable_declarator":
        value = node.child_by_field_name("value")
        return _text(node.child_by_field_name("name")) if value and value.type in _BOUND_FUNCTIONS else ""
    if kind == "method_declaration" and (receiver := node.child_by_field_name("receiver")):
        return f"{_receiver(receiver)}.{_text(node.child_by_field_name('name'))}"
    if kind not in _CONTAINERS and kind not in _LEAVES:
        return ""
    if kind.endswith("_specifier") and node.child_by_field_name("body") is None:
        return ""  # `struct Foo* x`: a use, not a definition
    return _bare(_text(node.child_by_field_name("type" if kind == "impl_item" else "name")))


def _declared(node: Node, *, functions_only: bool) -> str:
    """The name that a C or C++ declarator comes to, through pointers and references."""
    found, function = node.child_by_field_name("declarator"), False
    for _ in range(12):
        if found is None:
            return ""
        function |= found.type == "function_declarator"
        inner = found.child_by_field_name("declarator") or _only_reference(found)
        if inner is None:
            break
        found = inner
    return _bare(_text(found)) if function or not functions_only else ""


def _is_called(node: Node, name: str, owner: str) -> bool:
    """Whether what reads as a declaration is a call of a function that the hunk cut: it has no type, or hangs on one.

    `io::read(x);`, `read(x);`, `items.push(x);`; a constructor has no type either, but its class's name.
    """
    if "::" in name or any(child.type == "ERROR" and _text(child).endswith((".", "->")) for child in node.children):
        return True
    typed = node.child_by_field_name("type") is not None or name.startswith(("~", "operator"))
    return bool(name) and not typed and name != owner.rpartition("::")[2]


def _only_reference(node: Node) -> Node | None:
    return node.named_children[-1] if node.type == "reference_declarator" and node.named_children else None


def _receiver(node: Node) -> str:
    """`(s *Server[T])` → `Server`."""
    words = re.findall(r"\w{1,80}", _text(node).partition("[")[0])
    return words[-1] if words else ""


def _bare(name: str) -> str:
    """A name without its template arguments and spaces; what is no name is none."""
    bare = re.sub(r"\s|<.{0,200}", "", name) if not name.startswith("operator") else name
    named = _NAME.fullmatch(bare) and bare not in _KEYWORDS
    return bare if named or bare.startswith("operator") else ""


def _text(node: Node | None) -> str:
    return node.text.decode("utf-8", "replace")[:200] if node and node.text else ""
