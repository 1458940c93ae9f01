"""Triage of what projects of other kinds do: releases of many packages, tests within sources, pins, exports, agents."""

from __future__ import annotations

import pytest

from core.models import ChangeType, Reason, Tier
from tests.patches import change, commit, diff, edited
from tests.test_triage import PLAIN, SOURCE, judged
from workers.facts import facts_from


def test_a_release_of_many_packages_is_upkeep_however_many() -> None:
    bumped = diff(*(edited(f"crates/p{n}/Cargo.toml", 'version = "0.1.0"', 'version = "0.2.0"') for n in range(80)))
    assert judged(commit("Bump version to 0.2.0"), bumped).reasons == (Reason(code="release", subject="0.2.0"),)
    parts = edited(
        "Cargo.toml", 'a-io = { version = "0.1.0", path = "io" }', 'a-io = { version = "0.2.0", path = "io" }'
    )
    assert judged(commit("Bump version to 0.2.0"), diff(parts)).tier is Tier.LOW


def test_tests_within_a_source_of_rust_are_tests() -> None:
    tests = edited("src/lib.rs", "    assert!(crashes());", "    assert_eq!(crashes(), 1);", "mod tests {")
    assert judged(commit("Use assertions that show a crash"), diff(tests)).type is ChangeType.TEST
    assert judged(commit("Use assertions that show a crash"), diff(tests)).tier is Tier.LOW
    code = facts_from(commit("x"), diff(tests, edited("src/io.rs", "a", "b", "fn run() {")))
    assert code.code_lines == 2


@pytest.mark.parametrize("word", ["src0", "main2main", "HarnessV1NetworkSession", "KV256"])
def test_a_name_with_a_digit_is_no_variant(word: str) -> None:
    codes = {reason.code for reason in judged(commit(f"Hold the lock in {word}"), diff(SOURCE)).reasons}
    assert "one_platform" not in codes


def test_a_reworded_comment_of_the_release_is_none() -> None:
    said = diff(edited(".github/workflows/release.yml", "# made by a tool", "# kept by hand"))
    assert judged(commit("Say who keeps the workflow"), said).tier is Tier.LOW


def test_what_a_crate_builds_with_at_least_is_a_floor() -> None:
    raised = diff(edited("Cargo.toml", 'rust-version = "1.94"', 'rust-version = "1.96"'))
    assert judged(commit("Raise the version"), raised).reasons[0] == Reason(code="dependency_floor", subject="rust")


def test_an_export_of_a_script_is_told_as_one() -> None:
    gone = diff(edited("src/api.ts", "export const schema = z.object();", ""))
    assert Reason(code="removed_export", subject="schema") in judged(commit("Remove the schema"), gone).reasons


def test_a_changed_default_of_a_setting_is_high() -> None:
    line = "\t\tRepeatPenalty:    1.{},"
    other = edited("api/types.go", line.format(1), line.format(0), "func DefaultOptions() Options {")
    found = judged(commit("Stop applying a penalty to models that set none"), diff(other))
    assert (found.tier, found.type) == (Tier.HIGH, ChangeType.BREAKING)


@pytest.mark.parametrize(("said", "found"), [("leaking into windows", False), ("a leak of handles", True)])
def test_what_leaks_into_another_place_is_no_memory(said: str, found: bool) -> None:
    marks = facts_from(commit(f"Fix mac assumptions\n\nThere was {said}."), diff(SOURCE)).marks
    assert ("memory" in marks) is found


def test_another_commit_of_what_is_pinned_is_no_new_floor() -> None:
    pinned = diff(
        edited("ENGINE_VERSION", "8c28c385f86d17e1da427bf8d81afe084ee17c35", "3abd0fd6b3eb9d9d3a34cb65e8a2189c57260399")
    )
    assert judged(commit("engine update"), pinned).tier is Tier.MEDIUM
    assert judged(commit("engine update"), diff(edited("ENGINE_VERSION", "v0.4.0", "v0.5.0"))).tier is Tier.MEDIUM


def test_what_a_feature_guards_itself_by_is_no_matter_of_security() -> None:
    guard = "if not hmac.compare_digest(given, token):\n" + "\n".join(f"    step_{n}()" for n in range(60))
    new = change(
        "app/router.py", "@@ -0,0 +1,61 @@\n" + "\n".join(f"+{line}" for line in guard.splitlines()), status="added"
    )
    assert judged(commit("Add token-aware routing"), diff(new, edited("app/cli.py", "p.add_argument('--x')"))).type in {
        ChangeType.FEATURE,
        ChangeType.BREAKING,
    }
    mended = edited("app/router.py", "if given != token:", "if not hmac.compare_digest(given, token):")
    assert "security_code" in {reason.code for reason in judged(commit("Compare the tokens"), diff(mended)).reasons}


def test_a_mend_that_brings_a_dependency_along_is_a_mend() -> None:
    manifest = edited("pyproject.toml", '    "shell>=1",', '    "shell>=1,<3",')
    code = [edited("app/run.py", "a = 1", "a = 2"), edited("app/io.py", "a = 1", "a = 2")]
    assert judged(commit("Fix the start on one host"), diff(manifest, *code)).type is ChangeType.BUGFIX
    assert judged(commit("Bump shell"), diff(manifest, *code)).type is ChangeType.DEPENDENCY


def test_an_agent_that_writes_code_is_judged_as_everybody_where_robots_are_named() -> None:
    mended = diff(edited("app/stream.py", "return None", "return end(stream)"))
    fix = commit("Fix a crash when a stream ends early", author="fixer-agent[bot]")
    assert judged(fix, mended).reasons[0].code == "low_author"
    named = PLAIN.model_copy(update={"low_authors": ("dependabot[[]bot]",)})
    assert judged(fix, mended, named).reasons[0].code == "crash"
    assert not facts_from(fix, mended).bot


def test_a_read_beyond_a_buffer_in_a_kernel_is_a_defect_and_no_hole() -> None:
    kernel = edited("csrc/xqa/mha.cu", "read(i);", "read(min(i, n));")
    assert judged(commit("Fix a buffer overflow of the sinks"), diff(kernel)).type is ChangeType.BUGFIX
    parser = edited("src/parse.cc", "read(i);", "read(min(i, n));")
    assert judged(commit("Fix a buffer overflow of the header"), diff(parser)).type is ChangeType.SECURITY
    assert judged(commit("Fix CVE-2026-1234, a buffer overflow"), diff(kernel)).type is ChangeType.SECURITY


def test_what_becomes_mandatory_breaks_who_left_it_out() -> None:
    assert judged(commit("Make `destroy` on a session mandatory"), diff(SOURCE)).type is ChangeType.BREAKING
