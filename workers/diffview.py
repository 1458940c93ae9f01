"""Diff + budget → the part the model is shown, and what was left out; pure.

Whole hunks only: the model never judges half a change. What matters most comes first and is shown first when the
budget is short; what nobody reads (lock files, generated and vendored code, binaries) is one line each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import ceil

from core.models import Diff, Facts, FileChange, FileRole, Unseen
from workers.fileroles import role_of

# Longer lines are data or minified code; the rest of the line is cut and the cut is marked.
LINE_LIMIT = 1_000
PATH_LIMIT = 300
# Room for the lines that say how much is not listed, and for the note on hunks beside a file's heading.
_RESERVE, _HEADING_NOTE = 40, 12

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

_HUNK = re.compile(r"^@@ ", re.MULTILINE)
# Control, zero-width, bidirectional and tag characters: they could hide text from whoever reads the diff.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# They choose between two looks of the character before; emoji are full of them, and they say nothing.
_VARIATION = re.compile("[\ufe00-\ufe0f]")


@dataclass(frozen=True, slots=True)
class DiffView:
    """What the model is shown, and the parts of the diff it is not."""

    text: str
    unseen: tuple[Unseen, ...]


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is: code has some 3.6 ASCII characters to a token, Chinese about one each."""
    ascii_count = len(text.encode("ascii", "ignore"))
    return ceil(ascii_count / 3.6 + (len(text) - ascii_count))


def visible(text: str) -> str:
    """The text with control, zero-width and bidirectional characters written out, as `<U+202E>`."""
    return _INVISIBLE.sub(lambda match: f"<U+{ord(match[0]):04X}>", _VARIATION.sub("", text))


def view(diff: Diff, facts: Facts, budget_tokens: int) -> DiffView:
    """The part of a diff that fits into a budget of (estimated) tokens, most telling files first.

    `unseen` names each file of which hunks were left out, with the number of changed lines in them.
    """
    selection = _Selection(budget_tokens - _RESERVE)
    ordered = sorted(diff.files, key=lambda change: _rank(change, facts))
    selection.add_rest([change for change in ordered if not selection.add(change)])
    if diff.truncated:
        selection.lines.append("(The source listed only part of this commit's files.)")
    return DiffView(text="\n".join(selection.lines), unseen=tuple(selection.unseen))


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

    def add(self, change: FileChange) -> bool:
        """Show a file: its heading, then as many of its hunks as fit, in order. False: not even the heading fits."""
        note = _note(change)
        heading = f"{_heading(change)}{f' [{note}: not shown]' if note else ''}"
        if (cost := estimate_tokens(heading) + _HEADING_NOTE) > self.left:
            return False
        self.left -= cost
        shown, skipped = ([], []) if note else self._fitting(change.patch or "")
        hidden = f" [{len(skipped)} of {len(shown) + len(skipped)} hunks not shown]" if skipped else ""
        self.lines += (f"{heading}{hidden}", *shown)
        if note and _changed(change):
            self.unseen.append(Unseen(path=_path(change.path), lines=_changed(change)))
        if skipped:
            self.unseen.append(Unseen(path=_path(change.path), lines=sum(map(_changed_lines, skipped))))
        return True

    def add_rest(self, changes: list[FileChange]) -> None:
        """Say how many files are not even listed; they are all unseen."""
        if changes:
            self.lines.append(f"({len(changes)} more files changed, not shown.)")
        self.unseen += [Unseen(path=_path(change.path), lines=_changed(change)) for change in changes]

    def _fitting(self, patch: str) -> tuple[list[str], list[str]]:
        """The hunks that fit into what is left, and those that do not; a small one may follow one too large."""
        shown, skipped = list[str](), list[str]()
        for hunk in split_hunks(patch):
            text = "\n".join(map(_line, hunk.split("\n")))
            if (cost := estimate_tokens(text) + 1) <= self.left:
                shown.append(text)
                self.left -= cost
            else:
                skipped.append(hunk)
        return shown, skipped


def split_hunks(patch: str) -> list[str]:
    """A patch as its hunks, each from its `@@` to before the next; joined by newlines they are the patch again."""
    if not patch:
        return []
    starts = [match.start() for match in _HUNK.finditer(patch)]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    return [patch[a : b - 1] for a, b in zip(starts, (*starts[1:], len(patch) + 1), strict=True)]


def _note(change: FileChange) -> str | None:
    if change.missing:
        return _MISSING[change.missing]
    return _ONE_LINE.get(role_of(change)) if change.patch else None


def _heading(change: FileChange) -> str:
    moved = f" (was {_path(change.previous_path)})" if change.previous_path else ""
    return f"=== {_path(change.path)}{moved} [{change.status}, +{change.additions} -{change.deletions}]"


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
