"""Where commits and diffs come from when the source is a local clone: the git command, read-only.

Needs git 2.31 or newer. No setting of the user or the machine has an effect, nothing is fetched, no program named in
the clone's configuration is started. Diffs come from a few processes that are kept for a while, see gitprocess.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Final

from core.errors import DaybookError, Permanent, Transient
from core.models import SHA_PATTERN, Diff
from workers import gitprocess
from workers.gitprocess import Command, Ended, Overlong
from workers.landings import Landing, landings_from
from workers.patch import DIFF_FORMAT, HISTORY_FORMAT, CommitInfo, diff_from_git, history_from_git

# A commit whose diff is longer than this is listed without patches, so that one import of a vendored tree does not
# take the worker's memory.
MAX_DIFF_BYTES: Final = 128 * 1024 * 1024
HISTORY_SECONDS: Final = 600.0
USAGE: Final = 129  # how git ends when it does not know an option

_SAFE: Final = (
    "--no-pager",
    "-c", "core.quotePath=true",  # names in patch headers stay on one line
    "-c", "core.attributesFile=" + os.devnull,
    "-c", "core.bigFileThreshold=32m",  # a larger file is binary to git: it is not read into memory
    "-c", "core.deltaBaseCacheLimit=16m",  # of each process that is kept for the next commit
    "-c", "core.fsmonitor=false",
    "-c", "diff.suppressBlankEmpty=false",
    "-c", "diff.indentHeuristic=true",
    "-c", "diff.interHunkContext=0",
    "-c", "i18n.logOutputEncoding=UTF-8",
    "-c", "log.showSignature=false",
    "-c", "protocol.allow=never",  # a partial clone would fetch what it lacks
)  # fmt: skip
_DIFF: Final = (
    "diff-tree", "--root", "--diff-merges=first-parent", "-r", "-z", "--always", "--raw", "--no-abbrev",
    "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "--ignore-submodules=none", "-O" + os.devnull,
)  # fmt: skip
_PATCH: Final = (
    "--format=" + DIFF_FORMAT, "-M50%", "-l1000", "--numstat", "--diff-algorithm=myers", "--submodule=short",
    "--src-prefix=a/", "--dst-prefix=b/", "--full-index",
)  # fmt: skip
_HISTORY: Final = (*_DIFF, "--no-renames", "--date=raw", "--no-notes", "--format=" + HISTORY_FORMAT)

# How git says (in English, see LC_ALL below) that the clone lacks what was asked for.
_UNKNOWN = re.compile(r"bad object|bad revision|unknown revision|not a commit|is a (?:tree|blob)|ambiguous argument")


class _Failed(Exception):
    """Git ended with an error: its first line."""


class GitRepository:
    """A clone on this machine, bare or not. Safe to share between threads; the constructor does no I/O."""

    def __init__(self, path: Path, *, timeout_seconds: float = 60.0, max_diff_bytes: int = MAX_DIFF_BYTES) -> None:
        self.path = path
        self.max_diff_bytes = max_diff_bytes
        self.timeout_seconds = timeout_seconds

    def diff(self, sha: str) -> Diff:
        """What the commit changed against its first parent, with the values GitHub's commit API gives.

        Raises Permanent when the clone has no such commit or (shallow) lacks its parent; Transient when git took too
        long or failed, or the clone is not there.
        """
        with _for_the_pipeline(self.path, sha):
            try:
                # What a kept process has no answer to is asked again by itself: git then says what is wrong.
                output = self._asked(sha) or self._git(*_DIFF, *_PATCH, "-U3", sha, limit=self.max_diff_bytes)
            except Overlong:
                output = self._git(*_DIFF, *_PATCH, sha)
            diff = diff_from_git(output)
            if not diff.parents and diff.sha in self._boundary():
                raise Permanent(f"the clone at {self.path} ends at {sha[:12]}: run git fetch --unshallow there")
            return diff

    def commit_info(self, sha: str) -> CommitInfo:
        """The commit's people, dates, message and touched paths. Raises as `diff` does."""
        with _for_the_pipeline(self.path, sha):
            return history_from_git(self._git(*_HISTORY, sha))[0]

    def first_parent(
        self,
        rev: str = "HEAD",
        *,
        last: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Landing]:
        """The pushes that made the branch `rev`, oldest first, by its first-parent commits.

        `since` (included) and `until` (excluded) go by the committer date of the first-parent commit; `last` keeps the
        newest ones. Raises DaybookError with a remedy.
        """
        tip = self.resolve(rev)
        with _for_a_person(self.path):
            bounded = last is not None and since is None and until is None
            count = [f"--max-count={last}"] if bounded else []
            listing = self._git("rev-list", "--first-parent", "--timestamp", *count, tip, "--", seconds=HISTORY_SECONDS)
            wanted = _within(listing, since, until)[:last]
            boundary = self._boundary()
            wanted = [sha for sha in wanted if sha not in boundary]
            if not wanted:
                return []
            return landings_from(self._between(wanted[-1], wanted[0]), set(wanted), tip=wanted[0])

    def landed(self, base: str, head: str) -> list[Landing] | None:
        """What landed on the way to `head` that `base` lacks, oldest first; None when the clone has no `base`.

        Raises DaybookError with a remedy.
        """
        with _for_a_person(self.path):
            return landings_from(self._history(head, f"^{base}"), None, tip=head) if self._has(base) else None

    def lacking(self, before: str, after: str) -> list[str] | None:
        """The commits of `before` that `after` lacks, oldest first; None when the clone has not both."""
        with _for_a_person(self.path):
            if not (self._has(before) and self._has(after)):
                return None
            return self._git("rev-list", "--topo-order", "--reverse", before, f"^{after}", "--").decode().split()

    def branches(self) -> dict[str, str]:
        """Branch → sha: the clone's own branches, and those of origin that it has none of its own for."""
        found: dict[str, str] = {}
        with _for_a_person(self.path):
            for folder in ("refs/remotes/origin/", "refs/heads/"):
                listed = self._git("for-each-ref", "--format=%(objectname) %(refname)", folder)
                rows = (line.split(" ", 1) for line in listed.decode("utf-8", "replace").splitlines())
                found |= {name.removeprefix(folder): sha for sha, name in rows}
        found.pop("HEAD", None)
        return found

    def resolve(self, rev: str) -> str:
        """The sha of a branch, tag or other revision. Raises DaybookError when there is none."""
        with _for_a_person(self.path):
            try:
                listed = self._git("rev-list", "--max-count=1", "--end-of-options", rev, "--").decode().strip()
            except _Failed as error:
                if not _UNKNOWN.search(str(error)):
                    raise
                listed = ""
        if not re.fullmatch(SHA_PATTERN, listed):
            raise DaybookError(f"{self.path} has no commit {rev!r}: name a branch, a tag or a sha that the clone has")
        return listed

    def default_branch(self) -> str:
        """The branch that HEAD names, else the one that origin's HEAD names, else `main`."""
        with _for_a_person(self.path):
            for reference, prefix in (("HEAD", "refs/heads/"), ("refs/remotes/origin/HEAD", "refs/remotes/origin/")):
                try:
                    full = self._git("symbolic-ref", "--quiet", reference).decode("utf-8", "replace").strip()
                except _Failed:  # HEAD is detached, or there is no such reference
                    continue
                return full.removeprefix(prefix)
        return "main"

    def origin(self) -> str | None:
        """The URL of the remote `origin` as written in the clone's configuration, or None."""
        with _for_a_person(self.path):
            try:
                return self._git("config", "--get", "remote.origin.url").decode("utf-8", "replace").strip() or None
            except _Failed:
                return None

    def _between(self, oldest: str, newest: str) -> list[CommitInfo]:
        """Each commit that came onto the branch with `oldest` and after it up to `newest`; parents before children."""
        parents = self._git("rev-list", "--parents", "--max-count=1", oldest, "--").decode().split()[1:]
        return self._history(newest, *(f"^{parent}" for parent in parents[:1]))

    def _history(self, *selection: str) -> list[CommitInfo]:
        text = "".join(f"{revision}\n" for revision in selection)
        order = self._git("rev-list", "--topo-order", "--reverse", "--stdin", text=text, seconds=HISTORY_SECONDS)
        return history_from_git(self._git(*_HISTORY, "--stdin", text=order.decode(), seconds=HISTORY_SECONDS))

    def _has(self, sha: str) -> bool:
        try:
            self._git("cat-file", "-e", f"{sha}^{{commit}}")
        except _Failed:
            return False
        return True

    def _boundary(self) -> frozenset[str]:
        """Where a shallow clone ends: commits that look as if they had no parents."""
        try:
            return frozenset(self._shallow.read_text(encoding="ascii").split())
        except FileNotFoundError:
            return frozenset()

    @cached_property
    def _shallow(self) -> Path:
        return _common_dir(self._git_dir) / "shallow"

    def _asked(self, sha: str) -> bytes:
        """What a git process that is kept says of a commit; nothing when it does not know it, or ended.

        A process knows where a shallow clone ended when it began: an answer counts if that is so still. Whatever else
        changes in a clone is found when it is looked for; a commit is the same for ever. Without an index the files
        `.gitattributes` in it have no effect, as they have none on git's other commands here.
        """
        environment = _environment() | {"GIT_INDEX_FILE": str(self._git_dir / "no-index-for-daybook")}
        words = ["git", *_SAFE, f"--git-dir={self._git_dir}", *_DIFF, *_PATCH, "-U3", "--stdin"]
        command = Command.of(words, self._git_dir, environment, _stamp(self._shallow))
        try:
            answer = gitprocess.shared.ask(command, sha, seconds=self.timeout_seconds, limit=self.max_diff_bytes)
        except TimeoutError:
            raise TimeoutError(_late(self.timeout_seconds)) from None
        except (Ended, FileNotFoundError):
            return b""
        return answer if _stamp(self._shallow) == command.stamp else b""

    @cached_property
    def _git_dir(self) -> Path:
        """Found by ourselves and given to git: its own search refuses clones of another user."""
        inside = self.path / ".git"
        if inside.is_file():  # a worktree or a submodule: the file says where its repository is
            pointer = inside.read_text(encoding="utf-8", errors="surrogateescape")
            return (self.path / pointer.removeprefix("gitdir:").strip()).resolve()
        for candidate in (inside, self.path):
            if (candidate / "HEAD").is_file() and (_common_dir(candidate) / "objects").is_dir():
                return candidate.resolve()
        raise DaybookError(f"{self.path} is not a git repository: give the path of a clone")

    def _git(
        self, *arguments: str, text: str | None = None, seconds: float | None = None, limit: int | None = None
    ) -> bytes:
        """What one git command wrote. Raises _Failed, Overlong, TimeoutError, DaybookError."""
        command = ["git", *_SAFE, f"--git-dir={self._git_dir}", *arguments]
        # Files, not pipes: neither side can then wait for the other.
        with tempfile.TemporaryFile() as complaint, _input(text) as given:
            code, output = _run(command, self._git_dir, given, complaint, seconds or self.timeout_seconds, limit)
            if code != 0:
                complaint.seek(0)
                lines = complaint.read(4096).decode("utf-8", "replace").strip().splitlines()
                said = lines[0] if lines else f"git ended with {code}"
                if "unrecognized argument" in said or code == USAGE:
                    raise DaybookError(f"git is too old ({said}): install git 2.31 or newer")
                raise _Failed(said)
        return output


@contextmanager
def _input(text: str | None) -> Iterator[IO[bytes]]:
    if text is None:
        with Path(os.devnull).open("rb") as nothing:
            yield nothing
        return
    with tempfile.TemporaryFile() as file:
        file.write(text.encode())
        file.seek(0)
        yield file


def _run(
    command: Sequence[str], folder: Path, given: IO[bytes], complaint: IO[bytes], seconds: float, limit: int | None
) -> tuple[int, bytes]:
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=_environment(), stdin=given, stdout=subprocess.PIPE, stderr=complaint
        )
    except FileNotFoundError as error:
        raise DaybookError("git was not found: install git 2.31 or newer, or put it on PATH") from error
    overdue = threading.Event()

    def stop() -> None:
        overdue.set()
        process.kill()

    timer = threading.Timer(seconds, stop)
    with process:
        timer.start()
        try:
            assert process.stdout is not None
            output = process.stdout.read(-1 if limit is None else limit + 1)
            if limit is not None and len(output) > limit:
                process.kill()
                raise Overlong
            code = process.wait()
        finally:
            timer.cancel()
    if overdue.is_set():
        raise TimeoutError(_late(seconds))
    return code, output


def _late(seconds: float) -> str:
    return f"git took over {seconds:g} seconds"


def _environment() -> dict[str, str]:
    """Only what git needs: without HOME there is no user configuration, without GIT_* no caller's repository."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    return kept | {
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }


@contextmanager
def _for_the_pipeline(path: Path, sha: str) -> Iterator[None]:
    if not re.fullmatch(SHA_PATTERN, sha):
        raise Permanent(f"{sha[:80]!r} is not a commit id")
    try:
        yield
    except _Failed as error:
        if _UNKNOWN.search(str(error)):  # a push is told of before a mirror has fetched it
            raise Transient(f"the clone at {path} has no commit {sha}: run git fetch there") from error
        raise Transient(f"git failed in {path}: {error}") from error
    except (TimeoutError, OSError, DaybookError) as error:
        raise Transient(f"{path}: {error}") from error
    except (ValueError, IndexError, KeyError) as error:
        raise Permanent(f"git's answer about {sha} in {path} could not be read: {error}") from error


@contextmanager
def _for_a_person(path: Path) -> Iterator[None]:
    try:
        yield
    except _Failed as error:
        raise DaybookError(f"git failed in {path}: {error}") from error
    except OSError as error:  # TimeoutError is one
        raise DaybookError(f"{path} cannot be read: {error}") from error


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file does; nothing for a file that is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_mtime_ns, found.st_ino, found.st_size


def _common_dir(git_dir: Path) -> Path:
    """Where a worktree keeps what it shares with its clone; the folder itself for a clone."""
    try:
        return git_dir / (git_dir / "commondir").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return git_dir


def _within(listing: bytes, since: datetime | None, until: datetime | None) -> list[str]:
    """The shas of `rev-list --timestamp` lines in that span; git's own filter stops at the first older commit."""
    pairs = (line.split() for line in listing.decode().splitlines())
    return [
        sha
        for stamp, sha in pairs
        if (since is None or int(stamp) >= since.timestamp()) and (until is None or int(stamp) < until.timestamp())
    ]
