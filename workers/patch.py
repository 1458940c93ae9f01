"""Git's machine-readable output → Diff and CommitInfo, in the terms of GitHub's commit API; pure.

The bytes are those of `git diff-tree -z` with the formats below. Names of files, people and commits may hold any byte
but NUL; text that is not UTF-8 is decoded with U+FFFD in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Literal

from core.models import Diff, FileChange

# GitHub's commit API lists no more files than this; a clone is cut at the same place, so that both say the same.
MAX_FILES: Final = 3000
# A longer patch of one file is left out; GitHub leaves out such patches too, at a limit that it does not publish.
MAX_PATCH_BYTES: Final = 1024 * 1024

DIFF_FORMAT: Final = "%H%x00%P"
HISTORY_FORMAT: Final = "%H%x00%T%x00%P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B"
_HISTORY_FIELDS: Final = 10

_SECTION = re.compile(rb"^diff --git ", re.MULTILINE)
_LATEST: Final = int(datetime(9999, 12, 30, tzinfo=UTC).timestamp())

Status = Literal["added", "removed", "modified", "renamed", "copied", "changed"]
_STATUS: Final[dict[bytes, Status]] = {
    b"A": "added",
    b"D": "removed",
    b"M": "modified",
    b"R": "renamed",
    b"C": "copied",
    b"T": "changed",
}


@dataclass(frozen=True, slots=True)
class Person:
    """An author or committer, as the commit spells it; `login` where the source knows the account."""

    name: str
    email: str
    login: str | None = None


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A commit without its diff. Dates are aware, in the offset the commit was made in.

    The three lists of paths compare with the first parent; a rename is one path removed and one added, as in GitHub's
    push event.
    """

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    authored_at: datetime
    committer: Person
    committed_at: datetime
    message: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    modified: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of `--raw`."""

    letter: bytes
    same_content: bool
    path: bytes
    previous: bytes | None


class _Reader:
    """Takes NUL-ended fields off the front of the output."""

    def __init__(self, output: bytes) -> None:
        self.output = output
        self.at = 0

    def field(self) -> bytes:
        end = self.output.index(b"\0", self.at)
        value = self.output[self.at : end]
        self.at = end + 1
        return value

    def skip(self, expected: bytes) -> bool:
        """Whether `expected` comes next; if so, it is taken."""
        found = self.output.startswith(expected, self.at)
        self.at += len(expected) if found else 0
        return found

    def sees(self, expected: bytes) -> bool:
        return self.output.startswith(expected, self.at)

    @property
    def at_end(self) -> bool:
        return self.at >= len(self.output)

    def rest(self) -> bytes:
        return self.output[self.at :]


def diff_from_git(output: bytes) -> Diff:
    """The Diff in the output of `git diff-tree --format=DIFF_FORMAT --raw --numstat [-p] -z -M` for one commit.

    Without `-p` every file that has changed lines is marked as too large. Raises ValueError when the output is not of
    that form.
    """
    reader = _Reader(output)
    sha, parents = reader.field().decode(), reader.field().decode().split()
    reader.skip(b"\n")
    entries = list(_entries(reader))
    counts = _counts(reader)
    patches = _patches(reader, entries)
    files = tuple(
        _file(entry, counts[entry.path], patch)
        for entry, patch in zip(entries[:MAX_FILES], patches, strict=False)  # patches has one for each entry
    )
    return Diff(
        sha=sha,
        parents=tuple(parents),
        files=files,
        additions=sum(added for added, _ in counts.values() if added is not None),
        deletions=sum(deleted for _, deleted in counts.values() if deleted is not None),
        truncated=len(entries) > MAX_FILES,
    )


def history_from_git(output: bytes) -> list[CommitInfo]:
    """The commits in the output of `git diff-tree --stdin --format=HISTORY_FORMAT --raw -z --no-renames --date=raw`.

    In the order of the output. Raises ValueError when it is not of that form.
    """
    reader = _Reader(output)
    commits = []
    while not reader.at_end:
        fields = [reader.field() for _ in range(_HISTORY_FIELDS)]
        reader.skip(b"\n")
        commits.append(_commit([_text(field) for field in fields], list(_entries(reader))))
    return commits


def _entries(reader: _Reader) -> Iterator[_Entry]:
    while reader.skip(b":"):
        _, _, old, new, status = reader.field().split(b" ")
        path, previous = reader.field(), None
        if status[:1] in (b"R", b"C"):
            path, previous = reader.field(), path
        yield _Entry(status[:1], old == new, path, previous)


def _counts(reader: _Reader) -> dict[bytes, tuple[int | None, int | None]]:
    """Added and deleted lines by path; None for a binary file. Stops at the patches."""
    counts = {}
    while not reader.at_end and not reader.sees(b"\0"):
        added, deleted, path = reader.field().split(b"\t", 2)
        if not path:  # a rename: the old and the new name follow
            reader.field()
            path = reader.field()
        counts[path] = (_number(added), _number(deleted))
    return counts


def _number(digits: bytes) -> int | None:
    return None if digits == b"-" else int(digits)


def _patches(reader: _Reader, entries: list[_Entry]) -> list[bytes | None]:
    """The hunks of each entry, in order.

    Outside hunks git quotes names that hold a newline, and inside them each line starts with a space, a sign or a
    backslash, so a line that starts with `diff --git` starts a file.
    """
    if not reader.skip(b"\0"):
        return [None] * len(entries)
    sections = iter(_SECTION.split(reader.rest())[1:])
    found = []
    for entry in entries:
        # A change of type (file to symbolic link, say) is written as a removal and an addition.
        parts = [_hunks(next(sections, b"")) for _ in range(2 if entry.letter == b"T" else 1)]
        found.append(b"\n".join(part for part in parts if part) or None)
    if next(sections, None) is not None:
        raise ValueError("git wrote more patches than files")
    return found


def _hunks(section: bytes) -> bytes:
    start = section.find(b"\n@@ ")
    return b"" if start < 0 else section[start + 1 :].removesuffix(b"\n")


def _file(entry: _Entry, counts: tuple[int | None, int | None], patch: bytes | None) -> FileChange:
    added, deleted = counts
    missing: Literal["binary", "too_large"] | None = None
    if added is None:
        patch, missing = None, "binary"
    elif added or deleted:
        patch = patch if patch is not None and len(patch) <= MAX_PATCH_BYTES else None
        missing = "too_large" if patch is None else None
    mode_only = entry.letter == b"M" and entry.same_content
    return FileChange(
        path=_text(entry.path),
        previous_path=None if entry.previous is None else _text(entry.previous),
        status="changed" if mode_only else _STATUS[entry.letter],
        additions=added or 0,
        deletions=deleted or 0,
        patch=None if patch is None else _text(patch),
        missing=missing,
    )


def _commit(fields: list[str], entries: list[_Entry]) -> CommitInfo:
    sha, tree, parents, author, author_email, authored, committer, committer_email, committed, message = fields
    paths: dict[bytes, list[str]] = {b"A": [], b"D": [], b"M": []}
    for entry in entries:
        paths.get(entry.letter, paths[b"M"]).append(_text(entry.path))
    return CommitInfo(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Person(author, author_email),
        authored_at=_moment(authored),
        committer=Person(committer, committer_email),
        committed_at=_moment(committed),
        message=message.rstrip("\n"),
        added=tuple(paths[b"A"]),
        removed=tuple(paths[b"D"]),
        modified=tuple(paths[b"M"]),
    )


def _moment(raw: str) -> datetime:
    """`1700000000 +0800`; commits made by broken tools hold years and offsets that do not exist."""
    seconds, _, offset = raw.partition(" ")
    minutes = int(offset[1:3]) * 60 + int(offset[3:5]) if re.fullmatch(r"[+-]\d{4}", offset) else 0
    minutes = minutes if minutes < 24 * 60 else 0
    zone = timezone(timedelta(minutes=-minutes if offset.startswith("-") else minutes))
    return datetime.fromtimestamp(min(max(int(seconds or 0), 0), _LATEST), UTC).astimezone(zone)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
