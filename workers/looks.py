"""Both sides of a hunk → whether they differ in looks alone: spaces, quotes, line breaks, order of imports; pure."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import zip_longest

from workers.outlines import python_tree

_NOISE = str.maketrans("", "", " \t\r'\",;(){}\\")
_IMPORTS = ("import ", "from ", "#include", "use ", "using ")


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


def same_code(context: str, before: Sequence[str], after: Sequence[str], *, python: bool) -> bool:
    """Whether both sides of a hunk, without comments and docstrings, do the same in the same order.

    `context` is the hunk's header. In Python a line that is only further in or out does something else; where a side
    cannot be parsed, such a line is looked for instead.
    """
    if not python:
        return _bare("".join(before)) == _bare("".join(after))
    one, other = python_tree(context, before), python_tree(context, after)
    if one is not None and other is not None:
        return ast.dump(one) == ast.dump(other)
    moved = any(was != now and was.strip() == now.strip() for was, now in zip_longest(before, after, fillvalue=""))
    return not moved and _bare("".join(before)) == _bare("".join(after))


def _bare(text: str) -> str:
    return text.translate(_NOISE)
