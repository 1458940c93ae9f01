"""Diffs and history read from real local repositories."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from core.errors import DaybookError, Permanent, Transient
from core.models import Diff, FileChange
from tests.gitclone import START, Clone, executable, run_git, submodule, symlink
from workers.gitrepo import GitRepository
from workers.patch import MAX_PATCH_BYTES, Person


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def files_of(clone: Clone, sha: str) -> tuple[FileChange, ...]:
    return GitRepository(clone.path).diff(sha).files


def test_a_modified_file_has_githubs_shape(clone: Clone) -> None:
    parent = clone.commit("one", {"a.py": "def f():\n    return 1\n"})
    sha = clone.commit("two", {"a.py": "def f():\n    return 2\n"})
    assert GitRepository(clone.path).diff(sha) == Diff(
        sha=sha,
        parents=(parent,),
        files=(
            FileChange(
                path="a.py",
                status="modified",
                additions=1,
                deletions=1,
                patch="@@ -1,2 +1,2 @@\n def f():\n-    return 1\n+    return 2",
            ),
        ),
        additions=1,
        deletions=1,
    )


def test_the_root_commit_is_compared_with_nothing(clone: Clone) -> None:
    sha = clone.commit("one", {"a": "x\n"})
    diff = GitRepository(clone.path).diff(sha)
    assert diff.parents == ()
    assert diff.files == (FileChange(path="a", status="added", additions=1, patch="@@ -0,0 +1 @@\n+x"),)


def test_a_merge_is_compared_with_its_first_parent(clone: Clone) -> None:
    base = clone.commit("base", {"a": "1\n", "b": "1\n"})
    side = clone.commit("side", {"b": "2\n"}, parents=[base], branch="side")
    main = clone.commit("main", {"a": "2\n"}, parents=[base])
    merge = clone.commit("merge", {"b": "2\n"}, parents=[main, side])
    diff = GitRepository(clone.path).diff(merge)
    assert diff.parents == (main, side)
    assert diff.files == (
        FileChange(path="b", status="modified", additions=1, deletions=1, patch="@@ -1 +1 @@\n-1\n+2"),
    )


def test_an_empty_commit_has_no_files(clone: Clone) -> None:
    parent = clone.commit("one", {"a": "x"})
    sha = clone.commit("empty")
    assert GitRepository(clone.path).diff(sha) == Diff(sha=sha, parents=(parent,), files=(), additions=0, deletions=0)


def test_each_status(clone: Clone) -> None:
    long = "".join(f"line {number}\n" for number in range(20))
    clone.commit("one", {"mode": "x\n", "gone": "x", "moved": long, "edited": long + "y", "type": "x\n", "bin": b"\0"})
    sha = clone.commit(
        "two",
        {
            "mode": executable("x\n"),
            "gone": None,
            "moved": None,
            "moved to": long,
            "edited": None,
            "edited to": long + "z",
            "type": symlink("target"),
            "bin": b"\0\1",
            "empty": "",
            "module": submodule("1" * 40),
        },
    )
    assert {file.path: file for file in files_of(clone, sha)} == {
        "mode": FileChange(path="mode", status="changed"),
        "gone": FileChange(
            path="gone", status="removed", deletions=1, patch="@@ -1 +0,0 @@\n-x\n\\ No newline at end of file"
        ),
        "moved to": FileChange(path="moved to", previous_path="moved", status="renamed"),
        "edited to": FileChange(
            path="edited to",
            previous_path="edited",
            status="renamed",
            additions=1,
            deletions=1,
            patch="@@ -18,4 +18,4 @@ line 16\n line 17\n line 18\n line 19\n"
            "-y\n\\ No newline at end of file\n+z\n\\ No newline at end of file",
        ),
        "type": FileChange(
            path="type",
            status="changed",
            additions=1,
            deletions=1,
            patch="@@ -1 +0,0 @@\n-x\n@@ -0,0 +1 @@\n+target\n\\ No newline at end of file",
        ),
        "bin": FileChange(path="bin", status="modified", missing="binary"),
        "empty": FileChange(path="empty", status="added"),
        "module": FileChange(
            path="module", status="added", additions=1, patch="@@ -0,0 +1 @@\n+Subproject commit " + "1" * 40
        ),
    }


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "tab\there",
        "new\nline",
        '"quoted"',
        "back\\slash",
        "中文/文件",
        "diff --git a",
        "@@ -1 +1 @@",
        "-flag",
        " ",
    ],
)
def test_odd_names(clone: Clone, name: str) -> None:
    sha = clone.commit("one", {name: "x\n"})
    assert files_of(clone, sha) == (FileChange(path=name, status="added", additions=1, patch="@@ -0,0 +1 @@\n+x"),)


def test_bytes_that_are_not_text_are_replaced(clone: Clone) -> None:
    sha = clone.commit("one", {b"caf\xe9": b"caf\xe9\r\n"})
    assert files_of(clone, sha) == (
        FileChange(path="caf\ufffd", status="added", additions=1, patch="@@ -0,0 +1 @@\n+caf\ufffd\r"),
    )


def test_a_patch_over_the_limit_is_left_out_but_counted(clone: Clone) -> None:
    line = "x" * 1023 + "\n"
    sha = clone.commit("one", {"big": line * (MAX_PATCH_BYTES // 1024), "small": line})
    big, small = files_of(clone, sha)
    assert big == FileChange(path="big", status="added", additions=1024, missing="too_large")
    assert small.patch == "@@ -0,0 +1 @@\n+" + "x" * 1023


def test_a_diff_over_the_limit_is_listed_without_patches(clone: Clone) -> None:
    sha = clone.commit("one", {"a": "x\n" * 4000, "empty": ""})
    assert GitRepository(clone.path, max_diff_bytes=4096).diff(sha).files == (
        FileChange(path="a", status="added", additions=4000, missing="too_large"),
        FileChange(path="empty", status="added"),
    )


@pytest.mark.parametrize(("count", "listed", "truncated"), [(301, 301, False), (3000, 3000, False), (3001, 3000, True)])
def test_many_files(clone: Clone, count: int, listed: int, *, truncated: bool) -> None:
    sha = clone.commit("many", {f"f{number:04}": "x\n" for number in range(count)})
    diff = GitRepository(clone.path).diff(sha)
    assert (len(diff.files), diff.truncated, diff.additions) == (listed, truncated, count)
    assert diff.files[-1].path == f"f{listed - 1:04}"
    assert diff.files[-1].patch == "@@ -0,0 +1 @@\n+x"


def test_no_configuration_changes_the_diff(clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.commit("one", {"a.txt": "1\n\n\n2\n", ".gitattributes": "*.txt diff=odd\n"})
    sha = clone.commit("two", {"a.txt": None, "b.txt": "1\n\n\n3\n"})
    expected = GitRepository(clone.path).diff(sha)
    assert expected.files[0].previous_path == "a.txt"
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(trap.stat().st_mode | stat.S_IXUSR)
    settings_of_a_user = {
        "diff.external": str(trap), "diff.odd.textconv": str(trap), "diff.odd.command": str(trap), "color.ui": "always",
        "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "diff.renames": "false", "diff.context": "0",
        "diff.renameLimit": "1", "core.quotePath": "false", "diff.suppressBlankEmpty": "true", "core.pager": str(trap),
        "diff.algorithm": "patience", "core.fsmonitor": str(trap), "diff.orderFile": "/nowhere", "log.date": "relative",
    }  # fmt: skip
    home = tmp_path / "home"
    home.mkdir()
    for key, value in settings_of_a_user.items():
        clone.git("config", key, value)
        run_git("config", "--file", str(home / ".gitconfig"), key, value)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(trap))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_DIFF_OPTS", "-u0")
    assert GitRepository(clone.path).diff(sha) == expected
    assert GitRepository(clone.path).commit_info(sha).committed_at == START + timedelta(minutes=1)
    assert not (tmp_path / "sprung").exists()


def test_bare_clones_worktrees_and_their_relatives(clone: Clone, tmp_path: Path) -> None:
    sha = clone.commit("one", {"a": "x\n"})
    expected = GitRepository(clone.path).diff(sha)
    run_git("clone", "--quiet", "--bare", str(clone.path), str(tmp_path / "bare.git"))
    clone.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    for path in (tmp_path / "bare.git", tmp_path / "tree", clone.path / ".git"):
        assert GitRepository(path).diff(sha) == expected
        assert GitRepository(path).first_parent()[0].head.sha == sha


def test_a_commit_the_clone_lacks_may_come_with_the_next_fetch(clone: Clone) -> None:
    clone.commit("one", {"a": "x"})
    with pytest.raises(Transient, match=rf"^the clone at {clone.path} has no commit {'0' * 39}1: run git fetch there$"):
        GitRepository(clone.path).diff("0" * 39 + "1")
    with pytest.raises(Transient, match="has no commit"):
        GitRepository(clone.path).commit_info("0" * 39 + "1")


@pytest.mark.parametrize("sha", ["HEAD", "--output=x", "ABCDEF" * 7, "a" * 39, "a" * 40 + "\n", ""])
def test_only_a_sha_reaches_git(clone: Clone, sha: str) -> None:
    clone.commit("one", {"a": "x"})
    with pytest.raises(Permanent, match="is not a commit id"):
        GitRepository(clone.path).diff(sha)


def test_the_sha_of_a_tree_is_not_a_commit(clone: Clone) -> None:
    clone.commit("one", {"a": "x"})
    with pytest.raises(Permanent):
        GitRepository(clone.path).diff(clone.git("rev-parse", "HEAD^{tree}"))


def test_a_shallow_clone_does_not_pass_off_its_whole_tree_as_a_diff(clone: Clone, tmp_path: Path) -> None:
    old = clone.commit("one", {"a": "1\n"})
    new = clone.commit("two", {"a": "2\n"})
    run_git("clone", "--quiet", "--bare", "--depth=1", f"file://{clone.path}", str(tmp_path / "shallow"))
    shallow = GitRepository(tmp_path / "shallow")
    assert shallow.first_parent() == []
    with pytest.raises(Permanent, match="run git fetch --unshallow"):
        shallow.diff(new)
    with pytest.raises(Transient, match="has no commit"):
        shallow.diff(old)


def test_a_missing_clone_can_come_back(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for path in (tmp_path / "nothing", tmp_path / "plain"):
        with pytest.raises(Transient, match="is not a git repository: give the path of a clone"):
            GitRepository(path).diff("1" * 40)
        with pytest.raises(DaybookError, match="is not a git repository: give the path of a clone"):
            GitRepository(path).resolve("HEAD")


@pytest.fixture
def other_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a script named git first on PATH."""

    def install(script: str) -> None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    return install


def test_a_git_that_hangs_is_killed(clone: Clone, other_git: Callable[[str], None]) -> None:
    other_git("exec sleep 20")
    before = datetime.now(UTC)
    with pytest.raises(Transient, match=r"git took over 0\.1 seconds"):
        GitRepository(clone.path, timeout_seconds=0.1).diff("1" * 40)
    with pytest.raises(DaybookError, match=r"git took over 0\.1 seconds"):
        GitRepository(clone.path, timeout_seconds=0.1).resolve("HEAD")
    assert datetime.now(UTC) - before < timedelta(seconds=5)


def test_a_git_that_fails_for_another_reason_is_asked_again_later(
    clone: Clone, other_git: Callable[[str], None]
) -> None:
    other_git("echo 'fatal: Out of memory' >&2; exit 128")
    with pytest.raises(Transient, match=r"^git failed in .*: fatal: Out of memory$"):
        GitRepository(clone.path).diff("1" * 40)
    with pytest.raises(DaybookError, match=r"^git failed in .*: fatal: Out of memory$"):
        GitRepository(clone.path).first_parent("1" * 40)


def test_an_old_git_is_named(clone: Clone, other_git: Callable[[str], None]) -> None:
    other_git("echo 'fatal: unrecognized argument: --diff-merges=first-parent' >&2; exit 128")
    with pytest.raises(DaybookError, match=r"^git is too old \(.*\): install git 2\.31 or newer$"):
        GitRepository(clone.path).resolve("HEAD")


def test_without_git_the_message_says_so(clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.commit("one", {"a": "x"})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DaybookError, match=r"^git was not found: install git"):
        GitRepository(clone.path).resolve("HEAD")


def test_commit_info(clone: Clone) -> None:
    parent = clone.commit("one", {"gone": "0123456789\n", "kept": "x"})
    sha = clone.commit(
        "title\n\nbody  \n\n  Signed-off-by: x\n\n",
        {"gone": None, "new name": "0123456789\n", "kept": executable("x")},
        when=datetime(2026, 2, 17, 23, 59, tzinfo=timezone(timedelta(hours=8))),
        author="章鱼猫 <583231+octocat@users.noreply.github.com>",
    )
    info = GitRepository(clone.path).commit_info(sha)
    assert (info.sha, info.parents, info.tree) == (sha, (parent,), clone.git("rev-parse", "HEAD^{tree}"))
    assert info.message == "title\n\nbody  \n\n  Signed-off-by: x"
    assert info.author == info.committer == Person("章鱼猫", "583231+octocat@users.noreply.github.com")
    assert info.committed_at.isoformat() == "2026-02-17T23:59:00+08:00"
    assert (info.added, info.removed, info.modified) == (("new name",), ("gone",), ("kept",))


def test_history_is_pushes_oldest_first_with_what_each_merged(clone: Clone) -> None:
    root = clone.commit("root", {"a": "0"})
    side1 = clone.commit("side 1", {"b": "1"}, parents=[root], branch="side")
    side2 = clone.commit("side 2", {"b": "2"}, parents=[side1], branch="side")
    other = clone.commit("other", {"c": "1"}, parents=[side1], branch="other")
    main = clone.commit("main", {"a": "1"}, parents=[root])
    merge1 = clone.commit("merge 1", {"b": "2"}, parents=[main, side2])
    merge2 = clone.commit("merge 2", {"c": "1"}, parents=[merge1, other])
    octopus_side = clone.commit("late", {"d": "1"}, parents=[root], branch="late")
    octopus = clone.commit("octopus", {"d": "1"}, parents=[merge2, octopus_side, other])
    landings = GitRepository(clone.path).first_parent()
    assert [(landing.before, [commit.sha for commit in landing.commits]) for landing in landings] == [
        ("0" * 40, [root]),
        (root, [main]),
        (main, [side1, side2, merge1]),
        (merge1, [other, merge2]),
        (merge2, [octopus_side, octopus]),
    ]
    last = GitRepository(clone.path).first_parent(last=3)
    assert last == landings[2:]
    assert GitRepository(clone.path).first_parent("other")[-1].head.message == "other"


def test_history_of_a_span_goes_by_the_committer_date_of_the_first_parent(clone: Clone) -> None:
    def at(hour: int) -> datetime:
        return datetime(2026, 2, 17, hour, tzinfo=UTC)

    one = clone.commit("one", {"a": "1"}, when=at(1))
    side = clone.commit("side", {"b": "1"}, parents=[one], branch="side", when=at(0))
    skewed = clone.commit("skewed", {"a": "2"}, parents=[one], when=at(9))
    three = clone.commit("three", {"a": "3"}, parents=[skewed], when=at(3))
    merge = clone.commit("merge", {"b": "1"}, parents=[three, side], when=at(4))
    clone.commit("five", {"a": "5"}, when=at(5))
    span = GitRepository(clone.path).first_parent(since=at(3), until=at(5))
    assert [[commit.sha for commit in landing.commits] for landing in span] == [[three], [side, merge]]
    wide = GitRepository(clone.path).first_parent(since=at(1), until=at(5))
    assert [landing.head.message for landing in wide] == ["one", "three", "merge"]
    assert [landing.head.message for landing in GitRepository(clone.path).first_parent(until=at(5), last=1)] == [
        "merge"
    ]
    assert GitRepository(clone.path).first_parent(since=at(10)) == []


def test_revisions_and_branches(clone: Clone) -> None:
    repository = GitRepository(clone.path)
    with pytest.raises(DaybookError, match="has no commit 'HEAD': name a branch, a tag or a sha that the clone has"):
        repository.first_parent()
    sha = clone.commit("one", {"a": "x"})
    assert repository.resolve("main") == repository.resolve(sha[:10]) == sha
    for rev in ("nothing", "--all", "--output=x", ""):
        with pytest.raises(DaybookError, match="has no commit"):
            repository.resolve(rev)
    assert (repository.default_branch(), repository.origin()) == ("main", None)
    clone.git("config", "remote.origin.url", "git@github.com:octocat/Hello-World.git")
    assert repository.origin() == "git@github.com:octocat/Hello-World.git"
    clone.git("update-ref", "--no-deref", "HEAD", sha)
    clone.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    assert repository.default_branch() == "trunk"
