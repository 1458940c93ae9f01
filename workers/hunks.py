"""A patch → its hunks, each as the text before and the text after; pure, linear, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A hostile or generated file must not cost more than an ordinary one: what lies beyond is not read.
LINE_LIMIT = 400
PATCH_LIMIT = 400_000

_HEADER = re.compile(r"^@@ -\d{1,9}(?:,\d{1,9})? \+\d{1,9}(?:,\d{1,9})? @@ ?(.{0,300})")


@dataclass(frozen=True, slots=True)
class Hunk:
    """One `@@` block: the header's context, the lines of both sides, and the lines that changed.

    `removed_at` and `added_at` are the places of `removed` within `before`, and of `added` within `after`.
    """

    context: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]
    removed_at: tuple[int, ...]
    added_at: tuple[int, ...]


def hunks(patch: str) -> Iterator[Hunk]:
    """The hunks of a patch in order; what is not a patch at all is one hunk of context, or nothing."""
    context, lines = "", list[str]()
    for raw in patch[:PATCH_LIMIT].split("\n"):
        header = _HEADER.match(raw[:LINE_LIMIT]) if raw.startswith("@@") else None
        if not header:
            lines.append(raw[:LINE_LIMIT])
            continue
        if lines:
            yield _hunk(context, lines)
        context, lines = header.group(1), []
    if lines:
        yield _hunk(context, lines)


def has_docstrings(text: str) -> bool:
    """Whether `docstring_lines` would find any in a text or a part of it; to look takes a fraction of the search."""
    return '"""' in text or "'''" in text


def docstring_lines(side: tuple[str, ...]) -> set[str]:
    """Lines between triple quotes.

    A hunk whose first triple quote stands alone began inside a docstring, unless the line above opens a block.
    """
    inside, found = _begins_inside(side), set[str]()
    for line in side:
        if '"""' in line or "'''" in line:
            found.add(line)
            inside ^= (line.count('"""') + line.count("'''")) % 2 == 1
        elif inside:
            found.add(line)
    return {line for line in found if "=" not in line or "=" not in line.partition('"""')[0].partition("'''")[0]}


def comment_lines(side: tuple[str, ...]) -> set[str]:
    """Lines between `/*` and `*/` where the opening sign begins a line; a hunk may have begun between the two."""
    inside, opened, found = False, False, set[str]()
    if "*/" not in (text := "\n".join(side)) and "/*" not in text:
        return found
    for place, line in enumerate(side):
        bare = line.strip()
        if bare == "*/" and not opened:
            found.update(side[:place])
        if inside or bare.startswith("/*"):
            opened, inside = True, "*/" not in bare
            if inside or bare.endswith("*/"):
                found.add(line)
    return found


def _begins_inside(side: tuple[str, ...]) -> bool:
    above = ""
    for line in side:
        if '"""' in line or "'''" in line:
            return line.strip() in {'"""', "'''"} and not above.rstrip().endswith(":")
        above = line if line.strip() else above
    return False


def _hunk(context: str, lines: list[str]) -> Hunk:
    before, after = list[str](), list[str]()
    removed_at, added_at = list[int](), list[int]()
    for line in lines:
        sign = line[:1]
        if sign == " ":
            text = line[1:]
            before.append(text)
            after.append(text)
        elif sign == "+":
            added_at.append(len(after))
            after.append(line[1:])
        elif sign == "-":
            removed_at.append(len(before))
            before.append(line[1:])
    removed, added = [before[place] for place in removed_at], [after[place] for place in added_at]
    return Hunk(context, tuple(before), tuple(after), tuple(removed), tuple(added), tuple(removed_at), tuple(added_at))
