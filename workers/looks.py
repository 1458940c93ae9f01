"""Both sides of a hunk → whether they differ in looks alone: spaces, quotes, order of imports, old type hints; pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from workers.outlines import python_tree
from workers.signatures import split_arguments

# Either kind of quote marks a text; without any, the same word is a name.
_NOISE = str.maketrans("'", '"', " \t\r,;(){}\\")
_IMPORTS = ("import ", "from ", "#include", "use ", "using ")
# Names of types that Python has by itself now, and those that its `|` writes.
_OLD_NAMES = ("List", "Dict", "Tuple", "Set", "FrozenSet", "Type", "Optional", "Union")
_OLD_TYPE = re.compile(rf"\b(?:typing\.|t\.)?({'|'.join(_OLD_NAMES)})\[")
_TYPING = ("from typing import ", "from typing_extensions import ", "from __future__ import annotations")
_HINTS = (*_TYPING, *(f"{name}[" for name in _OLD_NAMES))
_TYPES_A_LINE = 40
# A type in quotes after a parameter's or a field's name, or after the arrow.
_QUOTED_HINT = re.compile(r"((?:\w:|->)\s?)\"([A-Za-z][\w.\[\], |]{0,120})\"(?=\s?[,)=:]|$)")


def has_old_types(lines: Sequence[str]) -> bool:
    """Whether there may be anything in these lines that `with_plain_types` writes otherwise."""
    text = "\n".join(lines)
    return any(hint in text for hint in _HINTS)


def with_plain_types(lines: Sequence[str]) -> list[str]:
    """Lines of Python with type hints as they are written today, and without what was imported for them."""
    kept = (_QUOTED_HINT.sub(r"\1\2", line) if '"' in line else line for line in lines)
    return [_plain_types(line) if "[" in line else line for line in kept if not line.lstrip().startswith(_TYPING)]


def _plain_types(line: str) -> str:
    """`Optional[List[int]]` → `list[int] | None`; what goes on in the next line stays as it is."""
    for _ in range(_TYPES_A_LINE):
        found = _OLD_TYPE.search(line)
        end = _closing(line, found.end()) if found else -1
        if not found or end < 0:
            return line
        name, inside = found[1], line[found.end() : end]
        line = f"{line[: found.start()]}{_plain_type(name, inside)}{line[end + 1 :]}"
    return line


def _plain_type(name: str, inside: str) -> str:
    if name == "Optional":
        return f"{inside} | None"
    if name == "Union":
        return " | ".join(part.strip() for part in split_arguments(inside))
    return f"{name.lower()}[{inside}]"


def _closing(line: str, start: int) -> int:
    """Where the bracket closes that is open at `start`, or -1."""
    depth = 1
    for at in range(start, len(line)):
        depth += (line[at] == "[") - (line[at] == "]")
        if not depth:
            return at
    return -1


def same_words(went: Sequence[str], came: Sequence[str]) -> bool:
    """Whether the lines that came say what those that went said; imports may do so in another order."""
    if not went or not came:
        return not any(_bare(line) for line in (*went, *came))
    if only_imports(went) and only_imports(came):
        return sorted(map(_bare, went)) == sorted(map(_bare, came))
    return _bare("".join(went)) == _bare("".join(came))


def only_imports(lines: Sequence[str]) -> bool:
    """Whether all lines, or none, bring in names from elsewhere; what order they have does not matter."""
    return all(line.lstrip().startswith(_IMPORTS) for line in lines)


def only_indented(went: Sequence[str], came: Sequence[str]) -> bool:
    """Whether all that changed is how far in the lines stand; in Python they do something else there."""
    return [line.strip() for line in went] == [line.strip() for line in came] and list(went) != list(came)


def same_order(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether both sides of a hunk, without comments and docstrings, say the same in the same order."""
    return _bare("".join(before)) == _bare("".join(after))


def same_tree(context: str, before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether Python's parser reads the same in both sides, or cannot read one; `context` is the hunk's header.

    It tells texts apart that differ in their spaces, and takes far longer than to compare lines.
    """
    one, other = python_tree(context, before), python_tree(context, after)
    return one is None or other is None or ast.dump(one) == ast.dump(other)


def _bare(text: str) -> str:
    return text.translate(_NOISE)
