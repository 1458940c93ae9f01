"""A file's hunks → the definitions that hold its changed lines, such as `Engine.stop`; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from workers.hunks import Hunk
from workers.outlines import Span, is_macro, outline

_DEFINED = re.compile(
    r"^(\s{0,24})(?:export |pub |public |static |async |inline |virtual |__global__ ){0,3}"
    r"(?:def|enum class|enum struct|class|func|fn|function|struct|interface|trait|enum|impl|module)\s"
    r"(?:\(\w{0,30} ?\*?\w{1,60}\) )?"
    r"([A-Za-z_]\w{1,80})"
)
_C_FUNCTION = re.compile(
    r"^()[A-Za-z_][\w:<>,*& ]{0,120}?\b((?:[A-Za-z_]\w{0,60}::){0,4}~?[A-Za-z_]\w{1,80})\([^;]{0,200}$"
)
_PYTHON = (".py", ".pyi")
_PYTHON_DEFINES = re.compile(r"\s{0,40}(?:(?:async def|def|class)\b|@)")
_CONTAINER = re.compile(
    r"^\s{0,24}(?:[a-z]{1,12} ){0,4}(?:class|struct|union|interface|trait|impl|module|record|enum|namespace|extern)\b"
)
_NOT_NAMES = frozenset({"if", "for", "while", "switch", "return", "self", "typename", "else", "class", "struct"})
_OUTSIDE = ("#", "//", "/*", "public:", "private:", "protected:")


def touched(path: str, hunks: Sequence[Hunk]) -> Iterator[str]:
    """The qualified name of each definition with a changed line, in the order of the file; a name may come twice."""
    for hunk in hunks:
        if path.endswith(_PYTHON) and hunk.added_at and not any(_PYTHON_DEFINES.match(line) for line in hunk.removed):
            # Both sides have the same definitions, so that parsing one of them is enough.
            yield from holders(path, hunk.context, hunk.after, sorted({*hunk.added_at, *_gone_after(hunk)}))
            continue
        yield from holders(path, hunk.context, hunk.after, hunk.added_at)
        yield from holders(path, hunk.context, hunk.before, hunk.removed_at)


def _gone_after(hunk: Hunk) -> Iterator[int]:
    """For each removed line within something, the place of the last kept line of text before it."""
    added, removed = frozenset(hunk.added_at), frozenset(hunk.removed_at)
    kept = iter(place for place in range(len(hunk.after)) if place not in added)
    last = -1
    for place, line in enumerate(hunk.before):
        if place not in removed:
            here = next(kept)
            last = here if line.strip() else last
        elif last >= 0 and line[:1] in {" ", "\t"}:
            yield last


def holders(path: str, context: str, lines: tuple[str, ...], changed: Sequence[int]) -> Iterator[str]:
    """The definitions that hold the `changed` places of one side of a hunk, each once; `context` is the hunk's header.

    Blank lines belong to nothing.
    """
    places = [place for place in changed if lines[place].strip()]
    if not places:
        return
    holder, held = _held(context, lines)
    if held == len(lines) and not _CONTAINER.match(context):
        yield holder  # what is defined within a function belongs to it
        return
    spans = outline(path, context, lines)
    if spans is None:
        yield from _by_lines(context, lines, places)
        return
    owners = [holder] * held + [""] * (len(lines) - held)
    for name, first, last in sorted(spans, key=_outer_first):
        inside = range(max(first, 0), min(last + 1, len(lines)))
        owners[inside.start : inside.stop] = [name] * len(inside)
    yield from dict.fromkeys(owners[place] for place in places if owners[place])


def _outer_first(span: Span) -> tuple[int, int]:
    return span.first, -span.last


def _held(context: str, lines: tuple[str, ...]) -> tuple[str, int]:
    """What the hunk's header defines, and before which line its inside ends."""
    found = _DEFINED.match(context) or _C_FUNCTION.match(context)
    if not found or found.group(2) in _NOT_NAMES or (found.re is _C_FUNCTION and is_macro(found.group(2))):
        return "", 0
    depth = len(found.group(1).expandtabs(8))
    for place, line in enumerate(lines):
        text = line.expandtabs(8)
        if text.strip() and len(text) - len(text.lstrip()) <= depth and not text.lstrip().startswith(_OUTSIDE):
            return found.group(2), place if text.strip()[0] not in "{}" else place + 1
    return found.group(2), len(lines)


def _by_lines(context: str, lines: tuple[str, ...], places: Sequence[int]) -> Iterator[str]:
    """Where there is no parser: the definitions among the changed lines, and the header's."""
    found = [_DEFINED.match(lines[place]) for place in places]
    for match in (*found, _DEFINED.match(context) or _C_FUNCTION.match(context)):
        if match and match.group(2) not in _NOT_NAMES:
            yield match.group(2)
