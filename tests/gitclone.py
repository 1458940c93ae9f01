"""Builds small real git repositories for tests: any tree, any name, any parents, at any date; no work tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 2, 17, 4, 0, tzinfo=UTC)
Name = str | bytes


@dataclass(frozen=True)
class Entry:
    """A file that is not a plain one: mode `100755`, `120000` (symbolic link) or `160000` (submodule)."""

    mode: str
    content: bytes


def executable(content: Name) -> Entry:
    return Entry("100755", _bytes(content))


def symlink(target: Name) -> Entry:
    return Entry("120000", _bytes(target))


def submodule(sha: str) -> Entry:
    return Entry("160000", sha.encode())


class Clone:
    """A repository at `path` (bare, or with a `.git` folder whose files are not checked out).

    `commit` states the changes against the first parent's tree: a name with content, an Entry, or None to remove it.
    Commits are one minute apart from START unless a date is given.
    """

    def __init__(self, path: Path, *, bare: bool = False, branch: str = "main") -> None:
        self.path = path
        self.branch = branch
        self.git_dir = path if bare else path / ".git"
        self.trees: dict[str, dict[bytes, Entry]] = {}
        self.head: str | None = None
        kind = ["--bare"] if bare else []
        run_git("init", "--quiet", *kind, f"--initial-branch={branch}", str(path))

    def commit(
        self,
        message: str = "change",
        changes: Mapping[Name, Name | Entry | None] | None = None,
        *,
        parents: Sequence[str] | None = None,
        branch: str | None = None,
        when: datetime | None = None,
        author: str = "octocat <octocat@users.noreply.github.com>",
    ) -> str:
        """Make a commit and return its sha. Parents: those given, else the last commit that was made."""
        above = ([self.head] if self.head else []) if parents is None else list(parents)
        tree = dict(self.trees[above[0]]) if above else {}
        for name, content in (changes or {}).items():
            tree.pop(_bytes(name), None)
            if content is not None:
                tree[_bytes(name)] = content if isinstance(content, Entry) else Entry("100644", _bytes(content))
        moment = when or START + timedelta(minutes=len(self.trees))
        stream = _stream(message, tree, above, branch or self.branch, f"{author} {_date(moment)}")
        # cat-blob-fd is git's channel for answers; get-mark asks for the new commit's sha.
        answer = run_git("fast-import", "--quiet", "--force", "--cat-blob-fd=1", git_dir=self.git_dir, given=stream)
        sha = answer.decode().strip()
        self.trees[sha], self.head = tree, sha
        return sha

    def git(self, *arguments: str) -> str:
        """What a git command on this repository wrote."""
        return run_git(*arguments, git_dir=self.git_dir).decode("utf-8", "replace").strip()


def _stream(message: str, tree: Mapping[bytes, Entry], parents: Sequence[str], branch: str, who: str) -> bytes:
    parts = [f"commit refs/heads/{branch}\nmark :1\nauthor {who}\ncommitter {who}\n".encode(), _block(message.encode())]
    parts += [f"{'merge' if number else 'from'} {parent}\n".encode() for number, parent in enumerate(parents)]
    if not parents:  # fast-import goes on from the branch's tip unless told that there is none
        parts.insert(0, f"reset refs/heads/{branch}\n".encode())
    parts.append(b"deleteall\n")
    for name, entry in tree.items():
        if entry.mode == "160000":
            parts.append(b"M 160000 %s %s\n" % (entry.content, _quoted(name)))
        else:
            parts.append(b"M %s inline %s\n" % (entry.mode.encode(), _quoted(name)) + _block(entry.content))
    return b"".join([*parts, b"\n", b"get-mark :1\n"])


def run_git(*arguments: str, git_dir: Path | None = None, given: bytes = b"") -> bytes:
    """Run git without any configuration but the repository's own."""
    where = [] if git_dir is None else [f"--git-dir={git_dir}"]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *where, *arguments], env=environment, input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout


def _block(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _quoted(name: bytes) -> bytes:
    return b'"' + b"".join(b"\\%03o" % byte for byte in name) + b'"'


def _date(moment: datetime) -> str:
    return f"{int(moment.timestamp())} {moment:%z}"


def _bytes(value: Name) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
