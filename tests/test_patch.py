"""Git's machine-readable output is read whole, whatever it holds, and refused when it is something else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gitclone import Clone
from workers.gitrepo import GitRepository
from workers.patch import diff_from_git, history_from_git


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("1771286400 +0545", "2026-02-17T05:45:00+05:45"),
        ("1771286400 -0330", "2026-02-16T20:30:00-03:30"),
        ("1771286400 +51800", "2026-02-17T00:00:00+00:00"),
        ("999999999999999 +0000", "9999-12-30T00:00:00+00:00"),
        ("-1 +9900", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_dates_of_broken_tools_are_bounded(raw: str, expected: str) -> None:
    zero = "0" * 40
    fields = [zero, zero, "", "a", "e", raw, "a", "e", raw, "message\n"]
    (commit,) = history_from_git("\0".join([*fields, ""]).encode())
    assert commit.committed_at.isoformat() == expected


@pytest.mark.parametrize("output", [b"", b"no end", b"sha\0parents\0\n:1 2\0path\0", b"1\0\0\n\0junk"])
def test_output_that_is_not_gits_is_refused(output: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        diff_from_git(output)


names = st.binary(min_size=1, max_size=12).filter(
    lambda name: (
        not {b"\0", b"/"} & {bytes([byte]) for byte in name}
        and name not in (b".", b"..")
        and b"git" not in name.lower()
    )
)
# Lines that look like git's own output are the ones a parser would trip over.
lines = st.one_of(
    st.binary(max_size=8).filter(lambda text: b"\0" not in text),
    st.sampled_from(
        [b"diff --git a/x b/x", b"@@ -1 +1 @@", b"--- a/x", b"\\ No newline at end of file", b"", b"\r", b"-", b"+"]
    ),
)
contents = st.tuples(st.lists(lines, max_size=6), st.sampled_from([b"", b"\n"])).map(
    lambda pair: b"\n".join(pair[0]) + pair[1]
)


@given(st.dictionaries(names, st.tuples(contents, contents), min_size=1, max_size=4))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_names_and_contents_come_back(
    tmp_path_factory: pytest.TempPathFactory, files: dict[bytes, tuple[bytes, bytes]]
) -> None:
    """The lines of each patch rebuild the old and the new content."""
    clone = Clone(tmp_path_factory.mktemp("any") / "clone")
    clone.commit("one", {name: old for name, (old, _) in files.items()})
    sha = clone.commit("two", {name: new for name, (_, new) in files.items()})
    found = GitRepository(clone.path).diff(sha).files
    assert [file.path for file in found] == [
        name.decode("utf-8", "replace") for name, (old, new) in sorted(files.items()) if old != new
    ]
    changed = [pair for _, pair in sorted(files.items()) if pair[0] != pair[1]]
    for file, (old, new) in zip(found, changed, strict=True):
        assert file.patch is not None
        # Three lines of context do not cover every file: each line of the patch must be a line of its side, in order.
        assert _is_part_of(_side(file.patch, "-"), old.decode("utf-8", "replace").split("\n"))
        assert _is_part_of(_side(file.patch, "+"), new.decode("utf-8", "replace").split("\n"))
        assert len(_side(file.patch, "+")) - len(_side(file.patch, "-")) == file.additions - file.deletions
        assert new.count(b"\n") - old.count(b"\n") == file.additions - file.deletions + _ends(old) - _ends(new)


def _side(patch: str, sign: str) -> list[str]:
    return [line[1:] for line in patch.split("\n") if line[:1] in (" ", sign)]


def _is_part_of(part: list[str], whole: list[str]) -> bool:
    remaining = iter(whole)
    return all(line in remaining for line in part)


def _ends(content: bytes) -> int:
    """One when the last line has no newline."""
    return int(bool(content) and not content.endswith(b"\n"))
