"""Both sides of a hunk → whether they differ in looks alone: spaces, quotes, line breaks, order of imports; pure."""

from __future__ import annotations

import ast
from collections.abc import Sequence

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
