"""What the fake GitHub knows of one repository, read from a real clone the plain way: a git command per question.

Deliberately not the product's parser: the tests that compare both would prove nothing.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass
class FakeRepository:
    """Commits by sha as GitHub's JSON, `files` not yet paged; loaded from a clone when first asked for."""

    name: str
    clone: Path | None = None
    private: bool = False
    writable: bool = True
    default_branch: str = "main"
    commits: dict[str, Json] = field(default_factory=dict)
    hooks: list[Json] = field(default_factory=list)
    deliveries: list[Json] = field(default_factory=list)
    redelivered: list[int] = field(default_factory=list)

    def commit(self, rev: str) -> Json | None:
        """The commit named by a sha or branch; None when there is none."""
        if rev in self.commits:
            return self.commits[rev]
        if self.clone is None:
            return None
        sha = self.git("rev-list", "--max-count=1", "--end-of-options", rev, "--", fails=True).decode().strip()
        return self.commits.setdefault(sha, self._load(sha)) if sha else None

    def shas(self, *arguments: str) -> list[str]:
        """What `git rev-list` lists, newest first."""
        return self.git("rev-list", *arguments).decode().split()

    def listed(self, shas: list[str]) -> list[Json]:
        """Commits as lists show them, without files, in one git command."""
        form = "--format=%x01%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
        text = self.git("log", "--no-walk=unsorted", form, *shas).decode("utf-8", "replace") if shas else ""
        found = []
        for row in text.split("\x01")[1:]:
            sha, tree, parents, *people, message = row.split("\0")
            whole = commit_json(self.name, sha, parents.split(), [], message.rstrip("\n"), tree=tree, people=people)
            found.append({key: value for key, value in whole.items() if key not in ("files", "stats")})
        return found

    def refs(self, prefix: str) -> list[Json]:
        """The branches that begin so."""
        rows = self.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/").decode().splitlines()
        pairs = [row.split(" ", 1) for row in rows]
        wanted = f"refs/heads/{prefix}"
        return [{"ref": name, "object": {"sha": sha}} for sha, name in pairs if name.startswith(wanted)]

    def _load(self, sha: str) -> Json:
        fields = self.git("show", "-s", "--format=%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B", sha)
        tree, parents, *people, message = fields.decode("utf-8", "replace").split("\0")
        files = self._files(sha, parents.split())
        return commit_json(self.name, sha, parents.split(), files, message.rstrip("\n"), tree=tree, people=people)

    def _files(self, sha: str, parents: list[str]) -> list[Json]:
        base = parents[0] if parents else self.git("hash-object", "-t", "tree", "/dev/null").decode().strip()
        fields = self.git("diff", "--raw", "-z", "--no-abbrev", "-M", base, sha).split(b"\0")
        files = []
        while fields and fields[0]:
            old_mode, new_mode, old, new, status = fields.pop(0)[1:].decode().split(" ")
            previous = fields.pop(0) if status[0] == "R" else None
            path = fields.pop(0)
            text = self.git("diff", "-M", base, sha, "--", *((previous, path) if previous else (path,)))
            blob = old if status == "D" else new
            mode_only = status == "M" and old == new and old_mode != new_mode
            files.append(_file_json(path, previous, "T" if mode_only else status[0], blob, text))
        return files

    def git(self, *arguments: str | bytes, fails: bool = False) -> bytes:
        command = ["git", "--literal-pathspecs", "-C", str(self.clone), *arguments]
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        assert fails or done.returncode == 0, done.stderr
        return done.stdout


_WORDS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "changed"}


def _file_json(path: bytes, previous: bytes | None, status: str, blob: str, text: bytes) -> Json:
    hunks: list[str] = []
    inside = False
    for line in text.decode("utf-8", "replace").removesuffix("\n").split("\n"):
        inside = line.startswith("@@ ") or (inside and not line.startswith("diff --git "))
        hunks += [line] if inside else []
    return file_json(
        path.decode("utf-8", "replace"),
        _WORDS[status],
        patch="\n".join(hunks) or None,
        blob=blob,
        previous=None if previous is None else previous.decode("utf-8", "replace"),
    )


def file_json(
    path: str,
    status: str = "modified",
    *,
    patch: str | None = None,
    additions: int | None = None,
    deletions: int | None = None,
    blob: str = "1" * 40,
    previous: str | None = None,
) -> Json:
    """One entry of `files`; counts come from the patch unless given (as for a file whose patch GitHub left out)."""
    body = (patch or "").split("\n")
    added = sum(line.startswith("+") for line in body) if additions is None else additions
    deleted = sum(line.startswith("-") for line in body) if deletions is None else deletions
    entry: Json = {
        "sha": blob, "filename": path, "status": status, "additions": added, "deletions": deleted,
        "changes": added + deleted,
    }  # fmt: skip
    if patch is not None:
        entry["patch"] = patch
    if previous is not None:
        entry["previous_filename"] = previous
    return entry


def commit_json(
    name: str,
    sha: str,
    parents: list[str],
    files: list[Json],
    message: str = "change",
    *,
    tree: str = "2" * 40,
    people: list[str] | None = None,
) -> Json:
    """A commit as `GET /repos/{owner}/{repo}/commits/{sha}` shows it, with all its files."""
    octocat = ["octocat", "octocat@users.noreply.github.com", "2026-02-17T04:00:00Z"]
    author, author_email, authored, committer, committer_email, committed = people or octocat * 2
    added, deleted = (sum(file[key] for file in files) for key in ("additions", "deletions"))
    return {
        "sha": sha,
        "html_url": f"https://github.com/{name}/commit/{sha}",
        "commit": {
            "author": {"name": author, "email": author_email, "date": authored},
            "committer": {"name": committer, "email": committer_email, "date": committed},
            "message": message,
            "tree": {"sha": tree},
        },
        "author": None,
        "committer": None,
        "parents": [{"sha": parent} for parent in parents],
        "stats": {"total": added + deleted, "additions": added, "deletions": deleted},
        "files": files,
    }
