"""What the model is shown of a diff: whole hunks, the most telling files first, and a list of what it is not shown."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import Diff, Facts, FileChange, Unseen
from workers.diffview import LINE_LIMIT, estimate_tokens, split_hunks, view, visible

PATCH = "@@ -1,3 +1,3 @@ def run():\n a\n-b\n+B\n c"
NO_FACTS = Facts(files=0, additions=0, deletions=0, code_lines=0)


def change(path: str, patch: str | None = PATCH, **fields: object) -> FileChange:
    lines = (patch or "").split("\n")
    given_fields = {
        "path": path,
        "status": "modified",
        "additions": sum(line.startswith("+") for line in lines),
        "deletions": sum(line.startswith("-") for line in lines),
        "patch": patch,
        **fields,
    }
    return FileChange.model_validate(given_fields)


def diff_of(*files: FileChange, truncated: bool = False) -> Diff:
    return Diff(
        sha="a" * 40,
        parents=("b" * 40,),
        files=files,
        additions=sum(file.additions for file in files),
        deletions=sum(file.deletions for file in files),
        truncated=truncated,
    )


def test_a_whole_view() -> None:
    diff = diff_of(
        change("poetry.lock"),
        change("tests/test_engine.py"),
        change("docs/logo.png", None, missing="binary"),
        change("engine/scheduler.py"),
        change("engine/old.py", None, status="renamed", previous_path="engine/older.py"),
        change("third_party/zlib/inflate.c"),
        change("data/big.json", None, missing="too_large", additions=90_000),
        truncated=True,
    )

    shown = view(diff, NO_FACTS, 4_000)

    assert (
        shown.text
        == """\
=== engine/old.py (was engine/older.py) [renamed, +0 -0]
=== engine/scheduler.py [modified, +1 -1]
@@ -1,3 +1,3 @@ def run():
 a
-b
+B
 c
=== data/big.json [modified, +90000 -0] [patch too large for the source to give: not shown]
=== tests/test_engine.py [modified, +1 -1]
@@ -1,3 +1,3 @@ def run():
 a
-b
+B
 c
=== docs/logo.png [modified, +0 -0] [binary file: not shown]
=== poetry.lock [modified, +1 -1] [lock file: not shown]
=== third_party/zlib/inflate.c [modified, +1 -1] [vendored file: not shown]
(The source listed only part of this commit's files.)"""
    )
    assert shown.unseen == (
        Unseen(path="data/big.json", lines=90_000),
        Unseen(path="poetry.lock", lines=2),
        Unseen(path="third_party/zlib/inflate.c", lines=2),
    )


def test_a_hunk_that_does_not_fit_is_left_out_whole_and_counted() -> None:
    large = "@@ -10,0 +11,200 @@\n" + "\n".join(f"+line number {n}" for n in range(200))
    small = "@@ -500 +700 @@\n-x\n+y"

    shown = view(diff_of(change("engine/a.py", f"{PATCH}\n{large}\n{small}")), NO_FACTS, 200)

    assert (
        shown.text == "=== engine/a.py [modified, +202 -2] [1 of 3 hunks not shown]\n"
        "@@ -1,3 +1,3 @@ def run():\n a\n-b\n+B\n c\n@@ -500 +700 @@\n-x\n+y"
    )
    assert shown.unseen == (Unseen(path="engine/a.py", lines=200),)


def test_the_files_that_changed_most_come_first_within_their_role() -> None:
    facts = NO_FACTS.model_copy(update={"paths": ("engine/z.py", "engine/a.py")})
    text = view(diff_of(change("engine/a.py"), change("engine/b.py"), change("engine/z.py")), facts, 4_000).text
    assert [line.split()[1] for line in text.split("\n") if line.startswith("===")] == [
        "engine/z.py",
        "engine/a.py",
        "engine/b.py",
    ]


def test_thousands_of_files_stay_within_the_budget() -> None:
    files = [change(f"engine/module_{n}.py", None, status="renamed", previous_path=f"m_{n}.py") for n in range(3_000)]

    shown = view(diff_of(*files), NO_FACTS, 1_000)

    assert estimate_tokens(shown.text) <= 1_000
    listed = shown.text.count("===")
    assert listed > 15
    assert shown.text.endswith(f"({3_000 - listed} more files changed, not shown.)")
    assert len(shown.unseen) == 3_000 - listed


def test_an_over_long_line_is_cut_and_marked() -> None:
    patch = "@@ -0,0 +1,2 @@\n+" + "x" * 5_000 + "\n+short"
    lines = view(diff_of(change("engine/a.py", patch)), NO_FACTS, 4_000).text.split("\n")
    assert lines[2:] == [
        "+" + "x" * (LINE_LIMIT - 1) + f"… [{5_001 - LINE_LIMIT} more characters of this line]",
        "+short",
    ]


def test_invisible_characters_are_written_out() -> None:
    assert visible("a\u202eb\u200bc\x00d\ufeff\U000e0041e\x1b[31m") == (
        "a<U+202E>b<U+200B>c<U+0000>d<U+FEFF><U+E0041>e<U+001B>[31m"
    )
    assert visible("é 中文 \t ⚠\ufe0f tab\nline") == "é 中文 \t ⚠ tab\nline"
    hostile = change("engine/a\n=== b.py\u202e", "@@ -1 +1 @@\n-a\r\n+a\n+\x0b\u2028b", previous_path="c\n.py")
    assert view(diff_of(hostile), NO_FACTS, 4_000).text == (
        "=== engine/a<U+000A>=== b.py<U+202E> (was c<U+000A>.py) [modified, +2 -1]\n"
        "@@ -1 +1 @@\n-a␍\n+a\n+<U+000B><U+2028>b"
    )


def test_an_empty_diff_is_an_empty_view() -> None:
    assert view(diff_of(), NO_FACTS, 1_000).text == ""
    assert view(diff_of(change("engine/a.py", "")), NO_FACTS, 1_000).text == "=== engine/a.py [modified, +0 -0]"


def test_tokens_are_estimated_by_script() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("a" * 360) == 100
    assert estimate_tokens("变更摘要") == 4
    assert estimate_tokens("a" * 36 + "中") == 11


LINE = st.builds(str.__add__, st.sampled_from([" ", "+", "-"]), st.text(alphabet="abc @(){}=中é", max_size=40))
HUNK = st.builds(
    lambda start, lines: "\n".join((f"@@ -{start} +{start} @@", *lines)),
    st.integers(1, 9_999),
    st.lists(LINE, min_size=1, max_size=12),
)
PATCHES = st.lists(HUNK, min_size=1, max_size=6).map("\n".join)
PATHS = st.sampled_from(["engine/a.py", "api/b.py", "tests/test_c.py", "README.md", "uv.lock", "csrc/k.cu", "d.toml"])
FILES = st.dictionaries(PATHS, PATCHES, max_size=7).map(lambda found: [change(*item) for item in found.items()])


@given(FILES, st.integers(60, 900))
@settings(max_examples=60)
def test_nothing_is_cut_inside_a_hunk_and_shown_and_unseen_are_the_whole(files: list[FileChange], budget: int) -> None:
    shown = view(diff_of(*files), NO_FACTS, budget)

    assert estimate_tokens(shown.text) <= budget
    whole_hunks = {hunk for file in files for hunk in split_hunks(file.patch or "")}
    for block in shown.text.split("\n==="):
        _, _, patch = block.partition("\n")
        hunks = [hunk for hunk in split_hunks(patch) if hunk.startswith("@@")]
        assert {hunk.partition("\n(")[0] for hunk in hunks} <= whole_hunks
    seen = sum(line[:1] in {"+", "-"} for line in shown.text.split("\n"))
    unseen = sum(part.lines for part in shown.unseen)
    assert seen + unseen == sum(file.additions + file.deletions for file in files)


@given(PATCHES)
def test_hunks_joined_are_the_patch_again(patch: str) -> None:
    hunks = split_hunks(patch)
    assert "\n".join(hunks) == patch
    assert all(hunk.startswith("@@ -") and hunk.count("\n@@ ") == 0 for hunk in hunks)
