"""One commit asked of GitHub and of a clone gives the same Diff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from core.models import Diff
from tests.fakes.github import FakeGitHub
from tests.gitclone import Clone, Entry, Name, executable, submodule, symlink
from workers.github import GitHub
from workers.gitrepo import GitRepository

NAME = "octocat/Hello-World"
LONG = "".join(f"line {number}\n" for number in range(30))


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


@pytest.fixture
def github(clone: Clone) -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        fake.add_repository(NAME, clone.path)
        yield fake


def both(github: FakeGitHub, clone: Clone, sha: str) -> tuple[Diff, Diff]:
    return GitHub(api_url=github.url).diff(NAME, sha), GitRepository(clone.path).diff(sha)


CASES: dict[str, tuple[Mapping[Name, Name | Entry | None], Mapping[Name, Name | Entry | None]]] = {
    "modified": ({"a": LONG}, {"a": LONG.replace("line 3\n", "line three\n").replace("line 27\n", "")}),
    "added and deleted": ({"a": "x\n"}, {"a": None, "b": LONG}),
    "pure rename": ({"a": LONG}, {"a": None, "dir/b": LONG}),
    "rename with an edit": ({"a": LONG}, {"a": None, "b": LONG + "more\n"}),
    "too different for a rename": ({"a": LONG}, {"a": None, "b": "line 1\nother\n"}),
    "binary added": ({"a": "x"}, {"b": b"\0\1\2"}),
    "binary changed": ({"b": b"\0\1\2"}, {"b": b"\0\1\3"}),
    "binary removed": ({"b": b"\0\1\2"}, {"b": None}),
    "text to binary": ({"b": "text\n"}, {"b": b"\0\1\3"}),
    "mode": ({"a": "x\n"}, {"a": executable("x\n")}),
    "mode and content": ({"a": "x\n"}, {"a": executable("y\n")}),
    "empty added": ({"a": "x"}, {"b": ""}),
    "empty removed": ({"b": "", "c": "x"}, {"b": None}),
    "emptied": ({"b": "x\n"}, {"b": ""}),
    "no newline at the end": ({"a": "x\ny"}, {"a": "x\nz"}),
    "newline added": ({"a": "x"}, {"a": "x\n"}),
    "carriage returns": ({"a": "x\r\ny\r\n"}, {"a": "x\r\nz\r\n"}),
    "symbolic link": ({"a": symlink("one")}, {"a": symlink("two"), "b": symlink("three")}),
    "file becomes a link": ({"a": "x\n"}, {"a": symlink("two")}),
    "submodule": ({"m": submodule("1" * 40)}, {"m": submodule("2" * 40), "n": submodule("3" * 40)}),
    "names": (
        {"a": "x"},
        {
            "中文 文件.md": "x\n",
            'q"uote': "x\n",
            "new\nline": "x\n",
            "tab\t": "x\n",
            "\\": "x\n",
            "*?[a]": "x\n",
            ":(top)": "x",
        },
    ),
    "names that are not text": ({"a": "x"}, {b"caf\xe9": b"caf\xe9\n"}),
    "lines like git's own": ({"a": "-- a/x\n++ b/x\n"}, {"a": "@@ -1 +1 @@\ndiff --git a/x b/x\n\\ No newline\n"}),
    "nothing": ({"a": "x"}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_both_sources_agree(github: FakeGitHub, clone: Clone, case: str) -> None:
    before, after = CASES[case]
    clone.commit("one", before)
    from_github, from_clone = both(github, clone, clone.commit("two", after))
    assert from_github == from_clone
    assert (from_clone.files != ()) == bool(after)


def test_the_root_commit(github: FakeGitHub, clone: Clone) -> None:
    from_github, from_clone = both(github, clone, clone.commit("one", {"a": LONG, "b": b"\0", "c": ""}))
    assert from_github == from_clone
    assert from_github.parents == ()


def test_a_merge_against_its_first_parent(github: FakeGitHub, clone: Clone) -> None:
    base = clone.commit("base", {"a": "1\n", "b": "1\n"})
    side = clone.commit("side", {"b": "2\n"}, parents=[base], branch="side")
    main = clone.commit("main", {"a": "2\n"}, parents=[base])
    from_github, from_clone = both(github, clone, clone.commit("merge", {"b": "2\n"}, parents=[main, side]))
    assert from_github == from_clone
    assert [file.path for file in from_github.files] == ["b"]


def test_the_one_known_difference_is_a_binary_file_renamed_with_a_change(github: FakeGitHub, clone: Clone) -> None:
    """GitHub gives it no mark by which it could be told from a pure rename."""
    content = bytes(range(256)) * 8
    clone.commit("one", {"a.bin": content})
    from_github, from_clone = both(github, clone, clone.commit("two", {"a.bin": None, "b.bin": content + b"\0"}))
    assert from_github.files[0].missing is None
    assert from_clone.files[0].missing == "binary"
    assert from_github.files[0] == from_clone.files[0].model_copy(update={"missing": None})
