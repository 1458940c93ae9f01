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
    """One `@@` block: the header's context, the lines of both sides, and the lines that changed."""

    context: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]


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


def docstring_lines(side: tuple[str, ...]) -> set[str]:
    """Lines between triple quotes; a hunk whose first triple quote stands alone began inside a docstring."""
    if not any('"""' in line or "'''" in line for line in side):
        return set()
    first = next((line.strip() for line in side if '"""' in line or "'''" in line), "")
    inside, found = first in {'"""', "'''"}, set[str]()
    for line in side:
        quotes = line.count('"""') + line.count("'''")
        if inside or quotes:
            found.add(line)
        inside ^= quotes % 2 == 1
    return {line for line in found if "=" not in line.partition('"""')[0].partition("'''")[0] or line.count("=") == 0}


def _hunk(context: str, lines: list[str]) -> Hunk:
    before, after, removed, added = list[str](), list[str](), list[str](), list[str]()
    for line in lines:
        sign, text = line[:1], line[1:]
        if sign == "+":
            after.append(text)
            added.append(text)
        elif sign == "-":
            before.append(text)
            removed.append(text)
        elif sign == " ":
            before.append(text)
            after.append(text)
    return Hunk(context, tuple(before), tuple(after), tuple(removed), tuple(added))
