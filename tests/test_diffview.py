"""What the model is shown of a diff: the most telling files first, and a list of what it is not shown; or all of it."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import Diff, Facts, FileChange, Unseen
from workers.diffview import LINE_LIMIT, DiffView, estimate_tokens, parts, split_hunk, split_hunks, view, visible

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


NEW_MODULE = """\
@@ -0,0 +1,14 @@
+import os
+
+@cached
+def first():
+    count(1)
+    count(1)
+    count(1)
+    count(1)
+
+@cached
+def second():
+    return 2  # the second
+
+END = 1"""


def test_a_new_file_that_does_not_fit_is_shown_up_to_a_definition() -> None:
    shown = view(diff_of(change("engine/new.py", NEW_MODULE, status="added")), NO_FACTS, 110)

    assert (
        shown.text
        == """\
=== engine/new.py [added, +14 -0] [5 of 14 lines not shown]
@@ -0,0 +1,9 @@
+import os
+
+@cached
+def first():
+    count(1)
+    count(1)
+    count(1)
+    count(1)
+"""
    )
    assert shown.unseen == (Unseen(path="engine/new.py", lines=5),)


def test_a_deleted_file_leaves_half_of_the_room_to_the_others() -> None:
    gone = "@@ -1,400 +0,0 @@\n" + "\n".join(f"-line number {n}" for n in range(400))
    small = "@@ -1,20 +1,20 @@\n" + "\n".join(f"+y = {n}" for n in range(20))

    shown = view(diff_of(change("api/old.py", gone, status="removed"), change("engine/b.py", small)), NO_FACTS, 400)

    assert small in shown.text
    assert [part.path for part in shown.unseen] == ["api/old.py"]
    assert shown.text.split("\n")[:2] == [
        f"=== api/old.py [removed, +0 -400] [{shown.unseen[0].lines} of 400 lines not shown]",
        f"@@ -1,{400 - shown.unseen[0].lines} +0,0 @@",
    ]


def test_a_split_hunk_has_a_header_on_each_side() -> None:
    hunk = """\
@@ -10,11 +20,12 @@ class A:
     a
-    b
+    B
+    C
     c
     d
     e
     f
 def g():
     h
-    i
     j
+    k
\\ No newline at end of file"""

    split = split_hunk(hunk, 45)

    assert split == (
        "@@ -10,6 +20,7 @@ class A:\n     a\n-    b\n+    B\n+    C\n     c\n     d\n     e\n     f",
        "@@ -16,4 +27,4 @@ class A:\n def g():\n     h\n-    i\n     j\n+    k\n\\ No newline at end of file",
    )
    assert split_hunk(hunk, 20) is None
    assert split_hunk(hunk.partition("\n")[2], 45) is None


def test_parts_in_full() -> None:
    long = "@@ -0,0 +1,18 @@ def run():\n" + "\n".join(f"+    step({n})" for n in range(18))
    diff = diff_of(change("engine/a.py", long), change("uv.lock"), truncated=True)

    first, second = parts(diff, NO_FACTS, 130, 3)

    assert (
        first.text
        == """\
=== engine/a.py [modified, +18 -0]
@@ -0,0 +1,13 @@ def run():
+    step(0)
+    step(1)
+    step(2)
+    step(3)
+    step(4)
+    step(5)
+    step(6)
+    step(7)
+    step(8)
+    step(9)
+    step(10)
+    step(11)
+    step(12)"""
    )
    assert (
        second.text
        == """\
=== engine/a.py [modified, +18 -0] (continued)
@@ -0,0 +14,5 @@ def run():
+    step(13)
+    step(14)
+    step(15)
+    step(16)
+    step(17)
=== uv.lock [modified, +1 -1] [lock file: not shown]
(The source listed only part of this commit's files.)"""
    )
    assert (first.unseen, second.unseen) == ((), (Unseen(path="uv.lock", lines=2),))


def test_small_files_stay_together_and_a_diff_that_fits_is_one_part() -> None:
    files = [change(f"engine/m{n}.py") for n in range(40)]

    assert parts(diff_of(*files), NO_FACTS, 4_000, 12) == (view(diff_of(*files), NO_FACTS, 4_000),)
    found = parts(diff_of(*files), NO_FACTS, 300, 12)
    assert "(continued)" not in "".join(part.text for part in found)
    assert sum(part.text.count("===") for part in found) == 40
    assert parts(diff_of(), NO_FACTS, 300, 12) == (DiffView("", ()),)


def test_a_commit_of_20000_lines_is_covered_whole() -> None:
    lines = [f"+    value_{n} = compute_the_next_value(value_{n - 1}, {n}, option='a{n}')" for n in range(5_000)]
    new = change("engine/new.py", "@@ -0,0 +1,5000 @@\n" + "\n".join(lines), status="added")
    hunks = ["@@ -{0},9 +{0},9 @@\n".format(n * 100) + "\n".join(lines[n * 10 : n * 10 + 10]) for n in range(500)]
    files = [new, *(change(f"engine/m{n}.py", "\n".join(hunks)) for n in range(3))]

    found = parts(diff_of(*files), NO_FACTS, 80_000, 12)

    assert 6 <= len(found) <= 12
    assert not any(part.unseen for part in found)
    assert all(estimate_tokens(part.text) <= 80_000 for part in found)
    shown = [line for part in found for line in part.text.split("\n") if line.startswith("+")]
    assert sorted(shown) == sorted(line for file in files for line in (file.patch or "").split("\n") if line[0] == "+")


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


@given(FILES, st.integers(60, 900), st.integers(1, 4))
@settings(max_examples=100)
def test_each_changed_line_is_in_one_part_or_unseen(files: list[FileChange], budget: int, most: int) -> None:
    found = parts(diff_of(*files), NO_FACTS, budget, most)

    assert 1 <= len(found) <= most
    assert all(estimate_tokens(part.text) <= budget for part in found)
    assert not any(part.unseen for part in found[:-1])
    text = "\n".join(part.text for part in found)
    seen = [line for line in text.split("\n") if line[:1] in {"+", "-"}]
    changed = [line for file in files for line in (file.patch or "").split("\n") if line[:1] in {"+", "-"}]
    assert Counter(seen) <= Counter(changed)
    assert len(seen) + sum(part.lines for part in found[-1].unseen) == len(changed)


@given(HUNK, st.integers(1, 200))
def test_the_two_sides_of_a_split_are_the_hunk_again(hunk: str, room: int) -> None:
    if split := split_hunk(hunk, room):
        assert "\n".join(side.partition("\n")[2] for side in split) == hunk.partition("\n")[2]
        assert estimate_tokens(split[0]) < room
