"""What a message says of other commits, in the forms that git, GitHub and people use."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.references import MOST_REFERENCES, Reference, references, series_key, title_key

REPOSITORY = "octocat/hello-world"
SHA, OTHER = "a1" * 20, "b2" * 20


def reverts(
    title: str = "", number: int = 0, sha: str = "", *, partial: bool = False, aside: bool = False
) -> Reference:
    return Reference("reverts", sha, number, title, partial, aside)


def relands(title: str = "", number: int = 0, sha: str = "") -> Reference:
    return Reference("relands", sha, number, title)


def follows(number: int = 0, sha: str = "") -> Reference:
    return Reference("follows_up", sha, number)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f'Revert "Add X"\n\nThis reverts commit {SHA}.', [reverts("add x", sha=SHA)]),
        ('Revert "Add X (#12)" (#13)', [reverts("add x", 12)]),
        ('Revert "Add X" (#13)\n\nReverts octocat/hello-world#12', [reverts("add x", 12)]),
        ('Revert "Add X" (#13)\n\nReverts other/repo#12', [reverts("add x")]),
        ('Revert "Add X" (#13)\n\nReverts https://github.com/octocat/hello-world/pull/12', [reverts("add x", 12)]),
        ('Revert "[A] Fix it (regression from #17)" (#18)', [reverts("[a] fix it (regression from #17)")]),
        ('Revert "Revert "Add X" (#12)" (#13)', [reverts('revert "add x"', 12)]),
        ('[ROCm] Revert "Add X" (#13)', [reverts("add x")]),
        ("[Revert] Add X (#13)", [reverts("add x")]),
        ("revert: feat: add X (#12) (#13)", [reverts("feat: add x", 12)]),
        ("fix(core): revert “Add X” (#13)", [reverts("add x")]),
        ("Revert #12 (#13)", [reverts(number=12)]),
        ("Revert PR #12: it broke the build", [reverts(number=12)]),
        ("Back out abc1234", [reverts(sha="abc1234")]),
        ('Partially revert "Add X" (#13)', [reverts("add x", partial=True)]),
        ('Revert "Add X" partially (#13)', [reverts("add x", partial=True)]),
        ("Revert parts of #12 (#14)", [reverts(number=12, partial=True)]),
        (f"Use the old pool\n\nThis partially reverts commit {SHA}.", [reverts(sha=SHA, partial=True, aside=True)]),
        ("Use the old pool\n\nThis reverts commits abc1234, def5678 and 9999999.",
         [reverts(sha="abc1234", aside=True), reverts(sha="def5678", aside=True), reverts(sha="9999999", aside=True)]),
        (f'Revert "Merge X"\n\nThis reverts commit {SHA}, reversing\nchanges made to {OTHER}.',
         [reverts("merge x", sha=SHA)]),
        (f'Reapply "Add X"\n\nThis reverts commit {OTHER}.', [relands("add x"), reverts(sha=OTHER)]),
        ('Reland "Add X (#12)" (#20)', [relands("add x", 12)]),
        ("[Reland] Add X (#20)", [relands("add x")]),
        ("Re-land #12 (#20)", [relands(number=12)]),
        ("Speed up (regression from #12) (#13)", [follows(12)]),
        ("Speed up (#13)\n\nFollow-up to #12, octocat/hello-world#11 and other/repo#10.", [follows(12), follows(11)]),
        ('Speed up\n\nFixes: abc1234 ("Add X")', [follows(sha="abc1234")]),
        (f"Speed up\n\n(cherry picked from commit {SHA})", [follows(sha=SHA)]),
        # What a squash leaves behind, other repositories' numbers in a robot's notes, and plain words say nothing.
        (f"Speed up (#13)\n\n* Add a pool\n\n* Revert it\n\nThis reverts commit {SHA}.", []),
        ("Bump it (#13)\n\n- [#12](https://github.com/other/repo/issues/12) by @hubot\n- see #11x", []),
        ("Speed up after a while\n\nThe facade is defaced since deadbee.", []),
        ("Merge branch 'bugfix-#12'", []),
        ("Merge pull request #13 from octocat/bugfix-#12", [follows(13)]),
        ("Revert", []),
        ('Revert ""', []),
        ("", []),
    ],
)  # fmt: skip
def test_a_message_names_these(message: str, expected: list[Reference]) -> None:
    assert list(references(message, REPOSITORY)) == expected


@pytest.mark.parametrize(
    ("title", "key"),
    [("Add  X (#12)", "add x"), ("Add X (#12) (#13)", "add x"), ("Add X (#12) now", "add x (#12) now"), ("", "")],
)
def test_titles_of_one_change_have_one_key(title: str, key: str) -> None:
    assert title_key(title) == key


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("[1/N] MoE runner: begin", "[2/N] MoE runner: go on (#3)", True),
        ("[MoE] [1/N] Begin", "[MoE] [2/N] Something else", True),
        ("[MoE] [1/N] Begin", "[PCG] [2/N] Begin", False),
        ("[1/N] Begin it", "[2/N] End it", False),
    ],
)
def test_parts_of_a_series_have_one_key(one: str, other: str, *, same: bool) -> None:
    assert (series_key(one, "Hubot", (1, 0)) == series_key(other, "hubot", (2, 0))) is same
    assert series_key(one, "hubot", (1, 0)) != series_key(one, "hubot", (1, 3))
    assert series_key(one, "hubot", (1, 0)) != series_key(one, "octocat", (1, 0))


PIECES = st.sampled_from(
    ['Revert "', "Reland ", "This reverts commit ", "abc1234", "#12", "o/r#3", '"', "\n\n", "* ", ", "]
)


@given(st.lists(PIECES | st.text(max_size=8), max_size=40).map("".join))
def test_any_message_is_read_and_names_few(message: str) -> None:
    found = references(message, REPOSITORY)
    assert len(found) <= MOST_REFERENCES
    assert all(one.sha or one.pull_request or one.title for one in found)


@pytest.mark.parametrize(
    "piece", ["abcdefa", "fix #", "[a]", 'Revert "', "reverts commits abc1234, ", "(#1) ", "a/", "x: "]
)
def test_a_long_message_costs_what_its_length_costs(piece: str) -> None:
    started = time.process_time()
    references(piece * 100_000, REPOSITORY)
    references("x\n" + piece * 100_000, REPOSITORY)
    assert time.process_time() - started < 5  # seconds; what is quadratic takes minutes
