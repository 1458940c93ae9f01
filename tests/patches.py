"""Builders for tests of triage: a Commit and a Diff from a kept patch, or from a few lines."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from core.models import Commit, Diff, FileChange

PAYLOADS = Path(__file__).with_name("payloads")
SHA, PARENT = "a" * 40, "b" * 40
_FILE = re.compile(r"^diff --git a/(.+) b/(.+)$", re.MULTILINE)


def commit(message: str, *, author: str = "octocat", login: str | None = None, sha: str = SHA) -> Commit:
    """A commit with this message."""
    when = datetime(2026, 2, 17, 9, 0, tzinfo=UTC)
    return Commit(
        repository="octocat/hello-world",
        sha=sha,
        message=message,
        author=author,
        login=login,
        committed_at=when,
        landed_at=when,
        position=0,
        branch="main",
    )


def change(path: str, patch: str | None = None, *, status: str = "modified") -> FileChange:
    """A changed file whose counts follow from its patch."""
    lines = (patch or "").split("\n")
    return FileChange.model_validate(
        {
            "path": path,
            "status": status,
            "patch": patch,
            "additions": sum(line.startswith("+") for line in lines),
            "deletions": sum(line.startswith("-") for line in lines),
        }
    )


def diff(*files: FileChange, parents: tuple[str, ...] = (PARENT,)) -> Diff:
    """A diff of these files."""
    return Diff(
        sha=SHA,
        parents=parents,
        files=files,
        additions=sum(file.additions for file in files),
        deletions=sum(file.deletions for file in files),
    )


def edited(path: str, removed: str = "", added: str = "", context: str = "") -> FileChange:
    """A file with one hunk that replaces some lines by others."""
    lines = [*(f"-{line}" for line in removed.splitlines()), *(f"+{line}" for line in added.splitlines())]
    return change(path, "\n".join([f"@@ -10,9 +10,9 @@ {context}", " ", *lines, " "]))


def payload(name: str) -> tuple[Commit, Diff]:
    """A real commit kept under payloads/: sha, author, message, then git's patch."""
    text = (PAYLOADS / name).read_text(encoding="utf-8")
    heads = [*_FILE.finditer(text)]
    sha, author, message = text[: heads[0].start()].split("\n", 2)
    ends = [*(head.start() for head in heads[1:]), len(text)]
    files = [_file(head, text[head.end() : end]) for head, end in zip(heads, ends, strict=True)]
    return commit(message, author=author, sha=sha), diff(*files)


def _file(head: re.Match[str], body: str) -> FileChange:
    first = body.find("\n@@")
    preamble = body[: first if first >= 0 else len(body)]
    status = "added" if "\nnew file" in preamble else "removed" if "\ndeleted file" in preamble else "modified"
    return change(head.group(2), body[first + 1 :].rstrip("\n") if first >= 0 else None, status=status)
