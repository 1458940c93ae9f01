"""Diff + budget → the part the model is shown, and what was left out; or all of it, in several parts; pure.

Whole hunks, as a rule: the model never judges half a change. Only a new or deleted file, and in several parts a hunk
that is larger than a part, is split, at line borders. What matters most comes first; what nobody reads (lock files,
generated and vendored code, binaries) is one line each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil

from core.models import Diff, Facts, FileChange, FileRole, Unseen
from workers.fileroles import role_of

# Longer lines are data or minified code; the rest of the line is cut and the cut is marked.
LINE_LIMIT = 1_000
PATH_LIMIT = 300
# Room for the lines that say how much is not listed, and for the note on hunks beside a file's heading.
_RESERVE, _HEADING_NOTE = 40, 12
# Fewer lines of a hunk than this tell nothing.
_FEWEST_LINES = 8
# A file larger than this share of a part is not kept together at the price of an unfilled part.
_KEPT_TOGETHER = 4

_ORDER = (
    FileRole.INTERFACE,
    FileRole.SOURCE,
    FileRole.KERNEL,
    FileRole.MANIFEST,
    FileRole.BUILD,
    FileRole.CONFIG,
    FileRole.CI,
    FileRole.TEST,
    FileRole.EXAMPLE,
    FileRole.DOCS,
)
_ONE_LINE = {
    FileRole.LOCK: "lock file",
    FileRole.GENERATED: "generated file",
    FileRole.VENDORED: "vendored file",
    FileRole.BINARY: "binary file",
}
_MISSING = {"binary": "binary file", "too_large": "patch too large for the source to give"}

_HEADER = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(.{0,400})")
_CONTEXT_LIMIT = 80
# What starts at the left margin and is neither a bracket nor a comment: a definition, or as good a border as one.
_TOP_LEVEL = re.compile(r"[ +-](?:@|[A-Za-z_])")
# Control, zero-width, bidirectional and tag characters: they could hide text from whoever reads the diff.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# Text of these alone has nothing to be written out; to find that for a whole hunk costs next to nothing.
_PLAIN = bytes((0x09, 0x0A, *range(0x20, 0x7F)))
# They choose between two looks of the character before; emoji are full of them, and they say nothing.
_VARIATION = re.compile("[\ufe00-\ufe0f]")


@dataclass(frozen=True, slots=True)
class DiffView:
    """What the model is shown, and the parts of the diff it is not."""

    text: str
    unseen: tuple[Unseen, ...]


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is: code has some 3.6 ASCII characters to a token, Chinese about one each."""
    return ceil(_weight(text))


def _weight(text: str) -> float:
    ascii_count = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return ascii_count / 3.6 + (len(text) - ascii_count)


def visible(text: str) -> str:
    """The text with control, zero-width and bidirectional characters written out, as `<U+202E>`."""
    if text.isascii() and text.isprintable():
        return text
    return _INVISIBLE.sub(lambda match: f"<U+{ord(match[0]):04X}>", _VARIATION.sub("", text))


def view(diff: Diff, facts: Facts, budget_tokens: int) -> DiffView:
    """The part of a diff that fits into a budget of (estimated) tokens, most telling files first.

    `unseen` names each file of which lines were left out, with the number of changed lines among them.
    """
    selection = _Selection(budget_tokens - _RESERVE)
    ordered = _ordered(diff, facts)
    readable = [change for change in ordered if change.patch and not _note(change)]
    last = readable[-1] if readable else None
    selection.add_rest([change for change in ordered if not selection.add(change, last=change is last)])
    return _joined(diff, selection.lines, selection.unseen)


def parts(diff: Diff, facts: Facts, budget_tokens: int, most: int) -> tuple[DiffView, ...]:
    """The whole readable diff in as few parts as it fits, each within a budget of (estimated) tokens; one at least.

    Files stay together where that costs no part; where one goes on in another part, its heading says `(continued)`.
    Only the last part has `unseen`: what nobody reads, and what did not fit into `most` parts.
    """
    covering = _Covering(budget_tokens - _RESERVE, most)
    for change in _ordered(diff, facts):
        covering.add(change)
    covering.end()
    *before, last = covering.parts
    unseen = [Unseen(path=path, lines=lines) for path, lines in covering.unseen.items()]
    return (*(DiffView("\n".join(part.lines), ()) for part in before), _joined(diff, last.lines, unseen))


def _joined(diff: Diff, lines: list[str], unseen: list[Unseen]) -> DiffView:
    note = ["(The source listed only part of this commit's files.)"] if diff.truncated else []
    return DiffView(text="\n".join((*lines, *note)), unseen=tuple(unseen))


def _ordered(diff: Diff, facts: Facts) -> list[FileChange]:
    return sorted(diff.files, key=lambda change: _rank(change, facts))


def _rank(change: FileChange, facts: Facts) -> tuple[int, int, str]:
    role = role_of(change)
    place = _ORDER.index(role) if role in _ORDER else len(_ORDER)
    named = facts.paths.index(change.path) if change.path in facts.paths else len(facts.paths)
    return place, named, change.path


@dataclass(slots=True)
class _Selection:
    """Takes hunks while they fit, and notes what does not."""

    left: int
    lines: list[str] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)

    def add(self, change: FileChange, *, last: bool) -> bool:
        """Show a file: its heading, then as many of its hunks as fit, in order. False: not even the heading fits.

        A new or deleted file is one hunk, so its beginning is shown; unless it is the last, it leaves the half of
        what there is to the others.
        """
        note = _note(change)
        heading = _heading(change)
        if (cost := estimate_tokens(heading) + _HEADING_NOTE) > self.left:
            return False
        self.left -= cost
        found = [] if note else [_shown(hunk) for hunk in split_hunks(change.patch or "")]
        shown, skipped = self._fitting(found)
        hidden = f" [{len(skipped)} of {len(found)} hunks not shown]" if skipped else ""
        if skipped == found and len(found) == 1 and change.status in {"added", "removed"}:
            shown, skipped, hidden = self._beginning(found[0], self.left if last else self.left // 2)
        self.lines += (f"{heading}{hidden}", *shown)
        if lines := _changed(change) if note else sum(map(_changed_lines, skipped)):
            self.unseen.append(Unseen(path=_path(change.path), lines=lines))
        return True

    def add_rest(self, changes: list[FileChange]) -> None:
        """Say how many files are not even listed; they are all unseen."""
        if changes:
            self.lines.append(_more_files(len(changes)))
        self.unseen += [Unseen(path=_path(change.path), lines=_changed(change)) for change in changes]

    def _fitting(self, found: list[str]) -> tuple[list[str], list[str]]:
        """The hunks that fit into what is left, and those that do not; a small one may follow one too large."""
        shown, skipped = list[str](), list[str]()
        for text in found:
            if (cost := estimate_tokens(text) + 1) <= self.left:
                shown.append(text)
                self.left -= cost
            else:
                skipped.append(text)
        return shown, skipped

    def _beginning(self, hunk: str, room: int) -> tuple[list[str], list[str], str]:
        """What is shown of a hunk, what is not, and the note on it."""
        if not (split := split_hunk(hunk, room)):
            return [], [hunk], " [1 of 1 hunks not shown]"
        shown, rest = split
        self.left -= estimate_tokens(shown) + 1
        lines = _changed_lines(rest)
        return [shown], [rest], f" [{lines} of {lines + _changed_lines(shown)} lines not shown]"


@dataclass(slots=True)
class _Part:
    """One part of a diff while it is filled."""

    left: int
    lines: list[str] = field(default_factory=list)
    current: FileChange | None = None

    def room(self, change: FileChange) -> int:
        """Tokens for hunks of this file, its heading paid."""
        return self.left - (0 if self.current is change else estimate_tokens(_heading(change)) + _HEADING_NOTE)

    def add(self, change: FileChange, texts: list[str], mark: str = "") -> None:
        """Show these hunks of a file, below its heading."""
        self.left = self.room(change) - sum(map(_cost, texts))
        if self.current is not change:
            self.lines.append(f"{_heading(change)}{mark}")
            self.current = change
        self.lines += texts


class _Covering:
    """Spreads files over parts: each into the first part where it fits, the large ones hunk by hunk."""

    def __init__(self, size: int, most: int) -> None:
        self.size, self.most = size, most
        self.parts = [_Part(size)]
        self.unseen: dict[str, int] = {}
        self._unlisted = 0

    def add(self, change: FileChange) -> None:
        """Place one file; what of it fits nowhere is unseen."""
        note = _note(change)
        texts = [] if note else [_shown(hunk) for hunk in split_hunks(change.patch or "")]
        whole = sum(map(_cost, texts))
        if note:
            self._miss(change, _changed(change))
        if place := self._place(change, whole):
            place.add(change, texts)
        elif texts:
            self._spread(change, texts)
        else:
            self._unlisted += 1

    def end(self) -> None:
        """Say in the last part how many files are not even listed."""
        if self._unlisted:
            self.parts[-1].lines.append(_more_files(self._unlisted))

    def _place(self, change: FileChange, cost: int) -> _Part | None:
        """The first part with room for a whole file; a new one, if that leaves little of the last one unused."""
        for part in self.parts:
            if part.room(change) >= cost:
                return part
        small, full = cost * _KEPT_TOGETHER <= self.size, self.parts[-1].left * _KEPT_TOGETHER <= self.size
        return self._new(change, cost) if cost and (small or full) else None

    def _new(self, change: FileChange, cost: int) -> _Part | None:
        fresh = _Part(self.size)
        if len(self.parts) >= self.most or fresh.room(change) < cost:
            return None
        self.parts.append(fresh)
        return fresh

    def _spread(self, change: FileChange, texts: list[str]) -> None:
        mark, missed = "", 0
        for text in texts:
            for piece, place in self._pieces(change, text):
                if place:
                    place.add(change, [piece], mark)
                    mark = " (continued)"
                else:
                    missed += _changed_lines(piece)
        self._unlisted += not mark
        self._miss(change, missed)

    def _pieces(self, change: FileChange, rest: str) -> Iterator[tuple[str, _Part | None]]:
        """A hunk, whole where it fits the last part or a new one, else in pieces; each with its place.

        A piece has to be added to its place before the next one is asked for.
        """
        while not (place := self._at_the_end(change, _cost(rest))):
            place = self.parts[-1]
            if not (split := split_hunk(rest, place.room(change))):
                split = split_hunk(rest, _Part(self.size).room(change))
                place = self._new(change, _cost(split[0])) if split else None
            if not split or not place:
                place = next((part for part in self.parts if part.room(change) >= _cost(rest)), None)
                break
            piece, rest = split
            yield piece, place
        yield rest, place

    def _at_the_end(self, change: FileChange, cost: int) -> _Part | None:
        last = self.parts[-1]
        return last if last.room(change) >= cost else self._new(change, cost)

    def _miss(self, change: FileChange, lines: int) -> None:
        if lines:
            self.unseen[_path(change.path)] = self.unseen.get(_path(change.path), 0) + lines


def split_hunk(hunk: str, room: int) -> tuple[str, str] | None:
    """The first lines of a hunk that fit into `room` tokens, and the rest, each with an `@@` header of its own.

    The border is best before a definition at the left margin, if there is one in the second half of what fits. None
    when not even a few lines fit, or the hunk has no header to go by.
    """
    head, *lines = hunk.split("\n")
    header = _HEADER.match(head)
    at = _border(lines, room - estimate_tokens(head) - _HEADING_NOTE) if header else 0
    if not header or at < _FEWEST_LINES or at >= len(lines):
        return None
    context = next((line[1:] for line in reversed(lines[:at]) if _TOP_LEVEL.match(line)), header[5].strip())
    old, new = (int(header[1]) + (header[2] == "0"), int(header[3]) + (header[4] == "0"))
    first, rest = lines[:at], lines[at:]
    old_rest, new_rest = old + _count(first, " -"), new + _count(first, " +")
    return (
        "\n".join((f"{_ranges(first, old, new)}{header[5]}", *first)),
        "\n".join((f"{_ranges(rest, old_rest, new_rest)} {context[:_CONTEXT_LIMIT]}".rstrip(), *rest)),
    )


def _border(lines: list[str], room: int) -> int:
    """After how many lines to split so that those before fit; 0 when none do."""
    weight, fits = 0.0, 0
    for line in lines:
        weight += _weight(line) + 1 / 3.6
        if weight > room:
            break
        fits += 1
    best = next((n for n in range(fits, fits // 2, -1) if n < len(lines) and _starts_block(lines, n)), fits)
    while 0 < best < len(lines) and lines[best].startswith("\\"):  # "\ No newline" belongs to the line before it
        best -= 1
    return best


def _starts_block(lines: list[str], at: int) -> bool:
    """Whether a definition starts here: at the left margin, and a decorator is not torn from what it decorates."""
    return bool(_TOP_LEVEL.match(lines[at])) and not lines[at - 1][1:2].startswith("@")


def _ranges(lines: list[str], old: int, new: int) -> str:
    """`@@ -a,b +c,d @@` as git writes it, for lines of which the next are `old` and `new`."""
    return f"@@ -{_range(old, _count(lines, ' -'))} +{_range(new, _count(lines, ' +'))} @@"


def _range(start: int, count: int) -> str:
    return f"{start}" if count == 1 else f"{start if count else max(start - 1, 0)},{count}"


def _count(lines: list[str], signs: str) -> int:
    return sum(line[:1] in signs if line else " " in signs for line in lines)


def split_hunks(patch: str) -> list[str]:
    """A patch as its hunks, each from its `@@` to before the next; joined by newlines they are the patch again."""
    first, *others = patch.split("\n@@ ")
    return [first, *(f"@@ {hunk}" for hunk in others)] if patch else []


def _shown(hunk: str) -> str:
    lines = hunk.split("\n")
    plain = hunk.isascii() and not hunk.encode().translate(None, _PLAIN)
    return hunk if plain and max(map(len, lines)) <= LINE_LIMIT else "\n".join(map(_line, lines))


def _cost(text: str) -> int:
    return estimate_tokens(text) + 1


def _more_files(count: int) -> str:
    return f"({count} more files changed, not shown.)"


def _note(change: FileChange) -> str | None:
    if change.missing:
        return _MISSING[change.missing]
    return _ONE_LINE.get(role_of(change)) if change.patch else None


def _heading(change: FileChange) -> str:
    moved = f" (was {_path(change.previous_path)})" if change.previous_path else ""
    note = f" [{note}: not shown]" if (note := _note(change)) else ""
    return f"=== {_path(change.path)}{moved} [{change.status}, +{change.additions} -{change.deletions}]{note}"


def _path(path: str) -> str:
    shown = visible(path).replace("\n", "<U+000A>").replace("\t", "<U+0009>")
    return shown if len(shown) <= PATH_LIMIT else f"{shown[:PATH_LIMIT]}…"


def _line(line: str) -> str:
    if line.endswith("\r"):
        return f"{_line(line[:-1])}␍"  # a change of line ends alone must still look like a change
    if len(line) > LINE_LIMIT:
        return f"{visible(line[:LINE_LIMIT])}… [{len(line) - LINE_LIMIT} more characters of this line]"
    return visible(line)


def _changed(change: FileChange) -> int:
    return change.additions + change.deletions


def _changed_lines(hunk: str) -> int:
    return sum(line[:1] in {"+", "-"} for line in hunk.split("\n"))
