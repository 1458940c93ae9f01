"""Triage of what projects of all kinds do, by files and lines; what words do stands in test_triage_wording.py."""

from __future__ import annotations

import pytest

from core.models import ChangeType, FileChange, Reason, Tier
from tests.patches import change, commit, diff, edited
from tests.test_triage import PLAIN, SOURCE, judged
from workers.facts import facts_from

OTHERS: dict[str, tuple[str, tuple[FileChange, ...], Tier, ChangeType]] = {
    "documents": ("Rewrite the guide", (edited("docs/guide.rst", "a", "b"),), Tier.LOW, ChangeType.DOCS),
    "a typo in a docstring": (
        "Correct a word",
        (edited("app/core.py", '    """Teh name."""', '    """The name."""'),),
        Tier.LOW,
        ChangeType.CHORE,
    ),
    "routine CI": ("Use newer runners", (edited(".github/workflows/test.yml", "a", "b"),), Tier.LOW, ChangeType.CI),
    "a test that speaks of crashes": (
        "Test the crash and the deadlock",
        (edited("tests/test_core.py", "a", "b"),),
        Tier.LOW,
        ChangeType.TEST,
    ),
    "a crash of a C++ library": (
        "Avoid a segfault on empty input",
        (edited("src/parse.cc", "  return *p;", "  return p ? *p : 0;"),),
        Tier.HIGH,
        ChangeType.BUGFIX,
    ),
    "a crash and what it did": (
        "Avoid a segfault on empty input\n\nEvery server crashes at start and clients get stuck.",
        (edited("src/parse.cc", "  return *p;", "  return p ? *p : 0;"),),
        Tier.HIGH,
        ChangeType.BUGFIX,
    ),
    "a buffer overflow": (
        "fix buffer overflow on all flags set",
        (edited("include/fmt/color.h", "  char buffer[7];", "  char buffer[8];"),),
        Tier.HIGH,
        ChangeType.SECURITY,
    ),
    "a web framework's new default": (
        "redirect defaults to 303",
        (
            edited(
                "src/flask/app.py",
                "    def redirect(self, code=302):",
                "    def redirect(self, code=303):",
                "class App:",
            ),
        ),
        Tier.HIGH,
        ChangeType.REFACTOR,
    ),
    "a removed environment variable and flag": (
        "Tidy",
        (edited("app/cli.py", "p.add_argument('--port')\nX = os.getenv('APP_PORT')"),),
        Tier.HIGH,
        ChangeType.BREAKING,
    ),
    "an added flag": (
        "Tidy",
        (edited("app/cli.py", "", "p.add_argument('--port')"),),
        Tier.MEDIUM,
        ChangeType.REFACTOR,
    ),
    "a dependency's floor": (
        "Update",
        (edited("requirements.txt", "torch>=2.1", "torch>=2.4"),),
        Tier.HIGH,
        ChangeType.DEPENDENCY,
    ),
    "a patch release of a dependency": (
        "Update",
        (edited("requirements.txt", "torch>=2.1.0", "torch>=2.1.2"),),
        Tier.MEDIUM,
        ChangeType.DEPENDENCY,
    ),
    "a minor release where installers resolve it themselves": (
        "Update",
        (edited("package.json", '    "vite": "^5.1.0",', '    "vite": "^5.2.0",'),),
        Tier.MEDIUM,
        ChangeType.DEPENDENCY,
    ),
    "unsafe deserialisation removed": (
        "Use JSON",
        (edited("app/wire.py", "    x = await s.recv_pyobj()", "    x = await s.recv_json()"),),
        Tier.HIGH,
        ChangeType.SECURITY,
    ),
    "an attack named in the body": (
        "Check the address\n\nA crafted one was arbitrary code execution.",
        (SOURCE,),
        Tier.HIGH,
        ChangeType.SECURITY,
    ),
    "a clearer error for what failed before": (
        "Raise a clear error on bad input\n\nIt crashed with an opaque ValueError.",
        (edited("app/core.py", "    a, b = x", "    raise ValueError(x)"),),
        Tier.LOW,
        ChangeType.BUGFIX,
    ),
    "a step of a release": (
        "Use a cache",
        (edited(".github/workflows/release.yml", "  run: make", "  run: make wheel"),),
        Tier.LOW,
        ChangeType.CI,
    ),
    "an index out of bounds is no weakness": (
        "fix out of bounds read of the mask",
        (SOURCE,),
        Tier.HIGH,
        ChangeType.BUGFIX,
    ),
    "a new default": ("Use the other kernel by default", (SOURCE,), Tier.HIGH, ChangeType.REFACTOR),
    "how much memory is used is no gain": ("show peak memory usage", (SOURCE,), Tier.MEDIUM, ChangeType.REFACTOR),
    "less memory": ("Reduce the peak memory of prefill", (SOURCE,), Tier.HIGH, ChangeType.PERFORMANCE),
    "tests, and a line beside them": (
        "Add tests for the parser",
        (edited("tests/test_core.py", "", "x = 1\n" * 80), SOURCE),
        Tier.LOW,
        ChangeType.TEST,
    ),
    "a fix with its tests": (
        "fix the order of the pool and add a test for it",
        (edited("tests/test_core.py", "", "x = 1\n" * 80), SOURCE),
        Tier.MEDIUM,
        ChangeType.BUGFIX,
    ),
    "annotations of types": (
        "fix type hint for `invoke`",
        (edited("app/core.py", "def invoke(a):", "def invoke(a: int) -> None:"),),
        Tier.LOW,
        ChangeType.BUGFIX,
    ),
    "comments that a program keeps": (
        "Preserve inline comments on update",
        (edited("tests/test_core.py", "", "x = 1\n" * 80), SOURCE),
        Tier.MEDIUM,
        ChangeType.BUGFIX,
    ),
    "docstrings far down a title": (
        "Judge other repositories as well as ours, docstrings and all",
        (edited("app/core.py", "x = 1\n" * 90, "y = 2\n" * 90),),
        Tier.MEDIUM,
        ChangeType.REFACTOR,
    ),
    "a path is no version of an image": (
        "Move the home",
        (edited("Dockerfile", "ENV PYTHONUSERBASE=/opt/user", "ENV PYTHONUSERBASE=/home/user"),),
        Tier.LOW,
        ChangeType.BUILD,
    ),
    "a very small bump": ("bump the hooks", (SOURCE,), Tier.LOW, ChangeType.CHORE),
    "an update that may carry something": (
        "update the kernel for V100",
        (edited("app/core.py", "x = 1\n" * 8, "y = 2\n" * 8),),
        Tier.MEDIUM,
        ChangeType.CHORE,
    ),
    "arguments put in order": (
        "fix(server): fix cohere",
        (edited("app/core.py", "    lengths,\n    slots,", "    slots,\n    lengths,"),),
        Tier.MEDIUM,
        ChangeType.BUGFIX,
    ),
    "who owns which file": (
        "Update the owners",
        (edited(".github/CODEOWNERS", "* @octocat", "* @hubot"),),
        Tier.LOW,
        ChangeType.CHORE,
    ),
    "streams that wait for each other are no clean-up": (
        "Replace sync by an event",
        (edited("app/core.py", "    stream.synchronize()", "    event.record()"),),
        Tier.MEDIUM,
        ChangeType.REFACTOR,
    ),
    "size alone": (
        "Add a model",
        (edited("app/model.py", "", "x = 1\n" * 3000),),
        Tier.MEDIUM,
        ChangeType.FEATURE,
    ),
    "a benchmark's program": ("fix: seed it", (edited("benchmark/run.py", "a", "b"),), Tier.LOW, ChangeType.BUGFIX),
    "documents and a comment": (
        "Update the guide",
        (edited("docs/a.md", "a", "b"), edited("app/core.py", "# a", "# b")),
        Tier.LOW,
        ChangeType.DOCS,
    ),
    "a release, whose version the lock file has too": (
        "release version 3.1.3",
        (
            edited("CHANGES.rst", "Unreleased", "Released 2026-02-18"),
            edited("pyproject.toml", 'version = "3.1.3.dev"', 'version = "3.1.3"'),
            edited("uv.lock", 'version = "3.1.3.dev0"', 'version = "3.1.3"'),
        ),
        Tier.LOW,
        ChangeType.CHORE,
    ),
    "a dependency beside the own version": (
        "release version 3.1.3",
        (
            edited("pyproject.toml", 'version = "3.1"\n    "click>=8.0",', 'version = "3.2"\n    "click>=8.2",'),
            edited("uv.lock", 'version = "8.0"', 'version = "8.2"'),
        ),
        Tier.HIGH,
        ChangeType.DEPENDENCY,
    ),
    "only a lock file": ("Update", (edited("poetry.lock", "a", "b"),), Tier.LOW, ChangeType.DEPENDENCY),
    "one platform never sinks to low": ("[rocm] hold the lock", (SOURCE,), Tier.MEDIUM, ChangeType.REFACTOR),
    "a small clean-up": ("Simplify the loop", (SOURCE,), Tier.LOW, ChangeType.REFACTOR),
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_kinds_of_projects(case: str) -> None:
    message, files, tier, kind = OTHERS[case]
    result = judged(commit(message), diff(*files))
    assert (result.tier, result.type) == (tier, kind), result


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


def test_a_fix_that_lies_in_vendored_code_is_no_chore() -> None:
    moved = diff(edited("third_party/engine", "Subproject commit 1", "Subproject commit 2"))
    found = judged(commit("Fix gibberish output of one model"), moved)
    assert (found.tier, found.reasons[0].code) == (Tier.MEDIUM, "vendored_fix")
    assert judged(commit("Bump the engine"), moved).tier is Tier.LOW


def test_a_chart_is_how_a_cluster_gets_the_product() -> None:
    chart = diff(
        edited("dist/chart/templates/gateway.yaml", "  tls: false", "  tls: {{ .Values.tls }}\n  port: 1\n" * 9)
    )
    assert judged(commit("Make TLS of the gateway optional"), chart).reasons[0].code == "base_delivery"
    tested = diff(edited("tests/charts/gateway.yaml", "  tls: false", "  tls: true"))
    assert judged(commit("Try TLS"), tested).tier is Tier.LOW


def test_a_dependency_that_becomes_optional_is_no_longer_installed() -> None:
    listed = edited("pyproject.toml", 'torch = ">=2.6"', 'torch = { version = ">=2.6", optional = true }')
    reasons = judged(commit("Slim down"), diff(listed)).reasons
    assert Reason(code="dependency_removed", subject="torch") in reasons


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("L1Cache", False),
        ("Qwen3Next", True),
        ("sm120", False),
        ("glm4.7", True),
        ("310P", True),
        ("Metal", True),
        ("log2e", False),
    ],
)
def test_which_words_with_digits_are_variants(word: str, named: bool) -> None:
    codes = {reason.code for reason in judged(commit(f"Hold the lock in {word}"), diff(SOURCE)).reasons}
    assert ("one_platform" in codes) is named


def test_the_least_version_that_a_setup_script_asks_for_is_a_floor() -> None:
    raised = diff(edited("setup.py", 'MIN_CORE_VERSION = "0.29.2"', 'MIN_CORE_VERSION = "0.30.3"'))
    assert judged(commit("Go along with the core"), raised).reasons[0] == Reason(
        code="dependency_floor", subject="core"
    )


def test_what_brings_neither_tests_nor_documents_is_not_told_as_such() -> None:
    docs, code = edited("docs/a.md", "a", "b\nc\nd\ne\nf"), edited("app/a.py", "del v, p", "del p")
    failing = judged(commit("[ci] chore: fix ci failure"), diff(docs, code))
    assert (failing.type, failing.reasons[0].code) == (ChangeType.BUGFIX, "mostly_supporting")
    misspelt = commit("fix: metrics and typo in the server")
    assert judged(misspelt, diff(edited("app/a.py", "x = prempted", "x = preempted"))).type is ChangeType.BUGFIX
    assert judged(misspelt, diff(edited("app/a.py", "# prempted", "# preempted"), docs)).type is ChangeType.DOCS
    many = diff(*(edited(f"docs/{n}.md", "a", "b") for n in range(3)), edited(".github/workflows/docs.yml", "a", "b"))
    assert judged(commit("Translate it"), many).type is ChangeType.DOCS


def test_a_step_of_a_version_is_no_variant() -> None:
    said = commit("Hold the lock of cm2Config as post2 did, unlike rc1")
    assert "one_platform" not in {reason.code for reason in judged(said, diff(SOURCE)).reasons}


def test_a_file_that_holds_the_version_alone_is_upkeep() -> None:
    assert judged(commit("Update the version"), diff(edited("app/version", "0.7.0.dev", "0.8.0"))).tier is Tier.LOW


NAMED_BY_MOST = {
    "feat(chart): offer TLS": (("charts/cat/templates/gateway.yaml", "tests/charts/gateway.yaml"), ChangeType.BUILD),
    "[Docs] Name the newest models": (("docs/a.md", "docs/b.md", ".github/x.yml"), ChangeType.DOCS),
    "[Bug] Count interrupted streams as errors": (
        ("benchmarks/client.py", "tests/benchmarks/test_client.py"),
        ChangeType.BUGFIX,
    ),
    "[Bench] Add a benchmark of cats": (("pkg/bench/cats.py",), ChangeType.FEATURE),
    "The next cat": (("examples/cat.py", "tests/test_cat.py"), ChangeType.REFACTOR),
    "Check the client of the benchmark": (
        ("benchmarks/client.py", "tests/test_a.py", "tests/test_b.py"),
        ChangeType.TEST,
    ),
}


@pytest.mark.parametrize("title", NAMED_BY_MOST)
def test_what_never_runs_as_the_product_is_named_by_most_of_its_files(title: str) -> None:
    paths, kind = NAMED_BY_MOST[title]
    assert judged(commit(title), diff(*(edited(path, "a: 1", "a: 2") for path in paths))).type is kind


def test_one_name_that_is_gone_from_many_files_is_one() -> None:
    many = [edited(f"app/m{n}/quantize.py", "def group_quant(model, kind):\n    pass", "") for n in range(12)]
    assert judged(commit("Quantize in one place"), diff(*many)).type is not ChangeType.BREAKING


def test_a_new_module_of_which_faults_are_told_is_a_feature() -> None:
    new = change("app/pool.py", "@@ -0,0 +1,90 @@\n" + "\n".join(f"+step_{n}()" for n in range(90)), status="added")
    assert judged(commit("Pool of hosts\n\nThe old one gave wrong results."), diff(new)).type is ChangeType.FEATURE


@pytest.mark.parametrize(
    ("title", "named"),
    [
        ("Align jobs with provision windows", False),
        ("Add sliding windows of attention", False),
        ("Fix the start on Windows", True),
        ("[windows] Fix the start", True),
        ("Fix paths on windows", True),
        ("Add a mapping, qwen2-style", False),
        ("Fall back for non-16B copies", False),
        ("Round half to even in bfloat16", False),
    ],
)
def test_what_is_no_platform_or_variant_narrows_nothing(title: str, named: bool) -> None:
    codes = {reason.code for reason in judged(commit(title), diff(SOURCE)).reasons}
    assert ("one_platform" in codes) is named


def test_an_unsafe_call_that_a_large_feature_replaces_does_not_make_it_a_matter_of_security() -> None:
    gone = "state = pickle.loads(raw)"
    new = "\n".join(f"step_{n} = run({n})" for n in range(300))
    assert judged(commit("Add a pool"), diff(edited("app/a.py", gone, new))).type is ChangeType.FEATURE
    assert judged(commit("Read it as JSON"), diff(edited("app/a.py", gone, "a = 1"))).type is ChangeType.SECURITY
