"""Facts: roles of files, public changes, message facts, marks; and that no text makes them raise or crawl."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import FileChange, FileRole, RevertOf
from tests.patches import PARENT, change, commit, diff, edited
from workers.facts import facts_from
from workers.fileroles import area_of, role_of_path

ROLES = {
    "lmdeploy/pytorch/engine/engine.py": FileRole.SOURCE,
    "src/flask/app.py": FileRole.INTERFACE,
    "lmdeploy/cli/serve.py": FileRole.INTERFACE,
    "include/fmt/format.h": FileRole.INTERFACE,
    "src/turbomind/kernels/attention/decoding.cu": FileRole.KERNEL,
    "pytorch/kernels/cuda/pagedattention.py": FileRole.KERNEL,
    "vllm/v1/sample/sampler.py": FileRole.SOURCE,
    "sample/hello.py": FileRole.EXAMPLE,
    "flashinfer/kda_kernels/decode.py": FileRole.KERNEL,
    "moe_ep/kernel_src/shim/gemm.py": FileRole.KERNEL,
    "sgl-kernel/python/sgl_kernel/gemm.py": FileRole.SOURCE,
    "crates/uv-test/src/lib.rs": FileRole.TEST,
    "scripts/smoke-test/run.sh": FileRole.TEST,
    "docker/Dockerfile.cu128": FileRole.BUILD,
    "mkdocs.yml": FileRole.DOCS,
    "site/_includes/hero.html": FileRole.DOCS,
    "pkg/site/pages.py": FileRole.SOURCE,
    "docs/requirements.txt": FileRole.DOCS,
    "scripts/build.py.lock": FileRole.LOCK,
    "tests/test_app.py": FileRole.TEST,
    "pkg/server/server_test.go": FileRole.TEST,
    "src/components/Button.spec.tsx": FileRole.TEST,
    "src/flask/testing.py": FileRole.SOURCE,
    "docs/en/index.rst": FileRole.DOCS,
    "README.md": FileRole.DOCS,
    ".github/CONTRIBUTING.md": FileRole.DOCS,
    "LICENSE": FileRole.DOCS,
    "examples/tutorial/app.py": FileRole.EXAMPLE,
    "sample/app.py": FileRole.EXAMPLE,
    "examples/simple/simple.cpp": FileRole.EXAMPLE,
    "examples/server/server.cpp": FileRole.INTERFACE,
    "engine/v1/sample/logprob.py": FileRole.SOURCE,
    "integration-tests/images/run.py": FileRole.TEST,
    "benchmark/profile.py": FileRole.EXAMPLE,
    ".github/workflows/pypi.yml": FileRole.CI,
    ".pre-commit-config.yaml": FileRole.CI,
    "tox.ini": FileRole.CI,
    "requirements/test.txt": FileRole.CI,
    "requirements-dev.txt": FileRole.CI,
    "requirements/runtime_cuda.txt": FileRole.MANIFEST,
    "requirements.txt": FileRole.MANIFEST,
    "pyproject.toml": FileRole.MANIFEST,
    "Cargo.toml": FileRole.MANIFEST,
    "Cargo.lock": FileRole.LOCK,
    "web/package-lock.json": FileRole.LOCK,
    "ios/App/Package.resolved": FileRole.LOCK,
    "api/apps/v1alpha1/zz_generated.deepcopy.go": FileRole.GENERATED,
    "pkg/client/applyconfiguration/apps/v1/catspec.go": FileRole.GENERATED,
    "config/crd/bases/apps.example.org_cats.yaml": FileRole.GENERATED,
    "config/crd/kustomization.yaml": FileRole.CONFIG,
    "docker/Dockerfile": FileRole.BUILD,
    "Dockerfile.rocm": FileRole.BUILD,
    "docker/Dockerfile.ci": FileRole.CI,
    "CMakeLists.txt": FileRole.BUILD,
    "scripts/release.py": FileRole.BUILD,
    "scripts/train.sh": FileRole.BUILD,
    "scripts/check_requirements.py": FileRole.CI,
    "scripts/codeowner_overrides.json": FileRole.CI,
    "flake.nix": FileRole.BUILD,
    "api/v1/service_pb2.py": FileRole.GENERATED,
    "static/app.min.js": FileRole.GENERATED,
    "third_party/zlib/inflate.c": FileRole.VENDORED,
    "vendor/github.com/x/y.go": FileRole.VENDORED,
    "logo.png": FileRole.BINARY,
    "data/trace.jsonl": FileRole.BINARY,
    "trainer/config/_generated_trainer.yaml": FileRole.GENERATED,
    "api/v1/zz_generated.deepcopy.go": FileRole.GENERATED,
    "deps/requirements_torch.txt": FileRole.MANIFEST,
    "deps/zlib/inflate.c": FileRole.VENDORED,
    "requirements_lock.txt": FileRole.LOCK,
    "docker-compose.yml": FileRole.BUILD,
    "engine/cpp/BUILD": FileRole.BUILD,
    "engine/smoke_json.py": FileRole.TEST,
    "version.txt": FileRole.CONFIG,
    "deploy/values.yaml": FileRole.CONFIG,
}


@pytest.mark.parametrize(("path", "role"), ROLES.items())
def test_role_of_a_path(path: str, role: FileRole) -> None:
    assert role_of_path(path) is role


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("setup.py", "."),
        ("lmdeploy/pytorch/engine/engine.py", "lmdeploy/pytorch"),
        ("src/turbomind/models/llama/x.cc", "src/turbomind/models"),
        ("docs/index.md", "docs"),
    ],
)
def test_area_of_a_path(path: str, area: str) -> None:
    assert area_of(path) == area


MARKED = {
    "cosmetic": edited("a.py", "x = foo( 1,2 )", "x = foo(1, 2)"),
    "logging": edited("a.py", "", "logger.info('got %s', x)"),
    "version_bump": edited("pkg/version.py", "__version__ = '0.1.0'", "__version__ = '0.2.0'"),
    "version_bump ": edited("pkg/version", "0.7.0.dev", "0.8.0.dev"),
    "security": edited("a.py", "x = eval(text)", "x = int(text)"),
    "unsafe_removed": edited("a.py", "x = await s.recv_pyobj()", "x = await s.recv_json()"),
    "synchronisation": edited("a.py", "stream.synchronize()", "event.record()"),
    "rejects": edited("a.py", "", "raise ValueError(x)"),
    "status_code": edited("a.py", "return reply(status_code=200)", "return reply(status_code=400)"),
    "auth": edited("a.py", "", "if request.headers['Authorization'] != key:"),
    "deserialisation": edited("a.py", "", "state = torch.load(path, weights_only=True)"),
    "subprocess": edited("a.py", "", "subprocess.run(['git', 'log'])"),
    "network": edited("a.py", "", "sock = socket.socket()"),
    "release_pipeline": edited(".github/workflows/release.yml", "  cuda: 12.4", "  cuda: 12.8"),
    "release_step": edited(".github/workflows/release.yml", "  run: make", "  run: make wheel"),
}


@pytest.mark.parametrize("mark", MARKED)
def test_marks_of_the_changed_lines(mark: str) -> None:
    assert mark.strip() in facts_from(commit("x"), diff(MARKED[mark])).marks


def test_words_within_names_and_comments_are_no_security() -> None:
    for added in ("step = self._is_private_step(x)", "x = 1  # eval(y) is unsafe", "# pickle.loads(x) is unsafe"):
        assert "security" not in facts_from(commit("x"), diff(edited("a.py", added, "x = 2"))).marks


WORDS: dict[str, tuple[str, ...]] = {
    "Fix x\n\nA crafted payload is arbitrary code execution.": ("security",),
    "Add x\n\nIt is unsafe for some models.": (),
    "Fix x\n\nAdd a regression case.": (),
    "Avoid id collision": (),
    "Fix `sanitize()` of the weights": (),
    "Sanitize the paths that users give": ("security",),
    "Offer a login when unauthenticated": (),
    "Refuse unauthenticated requests": ("security",),
    "Fix double mem used by the loader": ("memory",),
    "Fix gibberish output": ("wrong_result",),
    "Add x\n\n**Breaking changes**\n\nNone of them.": (),
    "Pass trust_remote_code on to the loader": (),
    "Gate the loader behind trust_remote_code": ("security",),
    "Fix x\n\nIt goes on now:\npython -m train \\\n  model.trust_remote_code=True \\\n  engine.verify=vulnerable": (),
    "Support header injection for replays": (),
    "Refuse a header injection by a peer": ("security",),
    "Add keys\n\nNo breaking changes, as nothing else reads them.": (),
    "Add keys\n\nThis is a breaking change for who reads them.": ("incompatible",),
    "Add x\n\n* freeze the delivery code\n\n* restore unchanged files": (),
    "Fix the poll\n\n* tidy\n\n* fix cancel hanging": ("hang",),
    "Add the poll\n\n* tidy\n\n* fix cancel hanging": (),
    "Fix x\n\n* Fix x\n\nIt crashed.\n\n* next\n\nIt got stuck.": ("crash",),
}


@pytest.mark.parametrize("message", WORDS)
def test_marks_of_a_message(message: str) -> None:
    assert facts_from(commit(message), diff(edited("a.py", "a", "b"))).marks == WORDS[message]


def test_docstrings_and_comments_are_cosmetic_but_code_between_them_is_not() -> None:
    prose = edited("a.py", '    """Return the old thing that was there."""', '    """Return the new thing."""')
    assert facts_from(commit("x"), diff(prose)).marks == ("cosmetic",)
    code = edited("a.py", '    """Old."""\n    return 1', '    """New."""\n    return 2')
    assert facts_from(commit("x"), diff(code)).marks == ()


PROSE = (
    edited("a.py", "def f(\n    a,\n):\n    \"\"\"\n    Gives one thing.\n    \"\"\"",
           "def f(\n    a,\n):\n    \"\"\"\n    Gives (at most) one thing.\n    \"\"\"\n"),
    edited("a.py", "    the range is `[0, 1]` If it is a list", "    the range is `[0, 1]`. If it is a list"),
)  # fmt: skip


@pytest.mark.parametrize("shown", PROSE)
def test_a_docstring_is_one_wherever_its_quotes_stand(shown: FileChange) -> None:
    facts = facts_from(commit("x"), diff(shown))
    assert (facts.marks, facts.code_lines) == (("cosmetic",), 0)


def test_a_comment_over_many_lines_is_none_that_a_machine_reads() -> None:
    header = edited("pkg/a.go", "", '/*\nCopyright 2026 The Cats.\n\n    (the "License");\n*/\n')
    assert "cosmetic" in facts_from(commit("Say whose it is"), diff(header)).marks
    within = edited("pkg/a.go", "licensed as before\n*/", "licensed as is\n*/")
    assert "cosmetic" in facts_from(commit("Say whose it is"), diff(within)).marks
    code = edited("pkg/a.go", "", "/* a call */\ngo(a)\n/* more\nof it */\ngo(b)")
    assert facts_from(commit("x"), diff(code)).code_lines == 2


def test_lines_of_code_are_those_that_a_machine_reads_and_that_do_not_differ_in_looks_alone() -> None:
    patch = (
        "@@ -1,4 +1,5 @@\n-x = 'a'\n+x = \"a\"\n+# why\n+\n y = 1\n"
        "@@ -9,2 +9,3 @@\n def f():\n+    z = 1\n     return 2"
    )
    assert facts_from(commit("x"), diff(change("a.py", patch))).code_lines == 1


def test_lines_that_moved_to_another_hunk_are_not_cosmetic() -> None:
    patch = "@@ -1,2 +1,3 @@\n+set(X 1)\n if(A)\n@@ -9,3 +10,2 @@\n   b()\n-  set(X 1)\n endif()"
    assert facts_from(commit("x"), diff(change("CMakeLists.txt", patch))).marks == ()


LOOKS: dict[str, tuple[str, str, bool]] = {
    "wrapped": ("x = call(first, second)", "x = call(\n    first,\n    second,\n)", True),
    "quotes": ("x = 'a'", 'x = "a"', True),
    "imports in another order": ("import b\nimport a", "import a\nimport b", True),
    "another import": ("import a", "import b", False),
    "a comma at the end where nothing can be parsed": ("    a,\n    b\n):", "    a,\n    b,\n):", True),
    "arguments in another order": ("f(\n    a,\n    b,\n)", "f(\n    b,\n    a,\n)", False),
    "a line that moved out of a branch": ("if x:\n    y()\n    z()", "if x:\n    y()\nz()", False),
    "a line that moved before a branch": ("if x:\n    pass\ny()\nreturn", "y()\nif x:\n    pass\nreturn", False),
    "a line that moved where nothing can be parsed": ("x = (\n  y\n  z", "x = (\n  z\n  y", False),
    "a space within a text": ("x = 'a b'", "x = 'ab'", False),
    "a text that became a name, where nothing can be parsed": (
        'use("Pool")\n\n\ndef a():',
        "use(Pool)\n\n\ndef a():",
        False,
    ),
}


@pytest.mark.parametrize("case", LOOKS)
def test_what_differs_in_looks_alone_is_cosmetic_and_what_was_moved_is_not(case: str) -> None:
    before, after, cosmetic = LOOKS[case]
    assert ("cosmetic" in facts_from(commit("x"), diff(edited("a.py", before, after))).marks) is cosmetic


@pytest.mark.parametrize(("after", "cosmetic"), [("  a();\n  b();", True), ("b();\na();", False)])
def test_the_same_holds_for_other_languages(after: str, *, cosmetic: bool) -> None:
    assert ("cosmetic" in facts_from(commit("x"), diff(edited("a.cc", "a();\nb();", after))).marks) is cosmetic


DEPRECATED: dict[str, tuple[FileChange, tuple[str, ...]]] = {
    "a warning in a method": (
        edited("a.py", "", "    def old(self):\n        warnings.warn('gone soon', DeprecationWarning)", "class A:"),
        ("A.old",),
    ),
    "a decorator": (edited("a.py", "", "@deprecated('use new')\ndef old():\n    pass"), ("old",)),
    "an attribute of C++": (edited("a.h", "", "[[deprecated]] void old(int a);"), ("old",)),
    "outside any definition": (edited("a.py", "", "warn('x', FutureWarning)"), ("a.py",)),
    "a warning that is logged": (
        edited("a.py", "", "def old(kind):\n    if kind == 1:\n        log.warning('Kind 1 is deprecated, use 2.')"),
        ("old",),
    ),
    "a warning that is silenced": (edited("a.py", "", "warnings.filterwarnings('ignore', DeprecationWarning)"), ()),
    "a warning that was there": (
        edited("a.py", "    warn(DeprecationWarning)", "        warn(DeprecationWarning)"),
        (),
    ),
}


@pytest.mark.parametrize("case", DEPRECATED)
def test_what_is_newly_deprecated(case: str) -> None:
    file, expected = DEPRECATED[case]
    assert facts_from(commit("x"), diff(file)).deprecations == expected


def test_migrations_of_stored_data() -> None:
    files = (
        edited("app/migrations/0002_more.py", "", "x = 1"),
        edited("app/migrations/__init__.py", "", "x = 1"),
        edited("sql/schema.sql", "", "ALTER TABLE a ADD b int;"),
        edited("sql/query.sql", "", "SELECT 1;"),
    )
    assert facts_from(commit("x"), diff(*files)).migrations == ("app/migrations/0002_more.py", "sql/schema.sql")


def test_watched_files_are_named_first_also_by_the_name_they_had() -> None:
    many = [edited(f"src/m{number:02}.py", "", "x = 1\n" * 9) for number in range(30)]
    moved = FileChange(path="lib/new.py", previous_path="lib/old.py", status="renamed")
    small = edited("deep/watched.py", "", "x = 1")
    shown = diff(*many, moved, small)
    plain, watching = facts_from(commit("x"), shown), facts_from(commit("x"), shown, (), ("deep/", "lib/old.py"))
    assert "deep/watched.py" not in plain.paths
    assert watching.paths[:3] == ("lib/old.py", "deep/watched.py", "src/m00.py")
    assert len(watching.paths) == 20


MESSAGES: dict[str, dict[str, Any]] = {
    "Speed up x\n\nIt is 1.35x faster: 120 ms -> 80 ms, 3,400 tok/s instead of 12% less.": {
        "benchmarks": ("1.35x faster", "120 ms -> 80 ms", "3,400 tok/s", "12% less")
    },
    "Support 2x2 kernels\n\nUp to 3 at once, see 1.2.3 to 1.2.4.": {"benchmarks": ()},
    "Add x\n\nCo-authored-by: Mona Lisa <m@example.com>\nco-authored-by: dependabot[bot] <d@example.com>": {
        "coauthors": ("Mona Lisa",)
    },
    'Revert "[diffusion] unify rope (#18164)" (#18929)': {
        "pull_request": 18929,
        "reverts": RevertOf(pull_request=18164, title="[diffusion] unify rope (#18164)"),
    },
    f'Revert "Add x"\n\nThis reverts commit {PARENT}.': {"reverts": RevertOf(sha=PARENT, title="Add x")},
    f"fix: go back\n\nThis reverts commit {PARENT}.": {"reverts": RevertOf(sha=PARENT)},
    f"Add y (#3)\n\n* wip\n\n* Revert x\n\nThis reverts commit {PARENT}.": {"reverts": None, "pull_request": 3},
    "revert: drop the cache": {"reverts": RevertOf(title="drop the cache"), "prefixes": ("revert",)},
    "Revert #12": {"reverts": RevertOf(pull_request=12, title="#12")},
    'Reland "Add x" (#5)': {"reverts": None, "pull_request": 5},
    "[Engine Refactor 2/N] Split (#7)": {"series": (2, 0), "pull_request": 7},
    "[Core][3/4] Split": {"series": (3, 4), "prefixes": ("core", "3/4")},
    "Support 16/32 bits": {"series": (16, 32)},
    "[5/4] Split": {"series": None},
    "feat(api)!: drop v1": {"breaking": True, "prefixes": ("feat", "api")},
    "[feat](api): add v2": {"breaking": False, "prefixes": ("feat", "api")},
    "[feat](api)!: drop v1": {"breaking": True, "prefixes": ("feat", "api")},
    "[docs](see there) for v1": {"prefixes": ("docs",)},
    "feat(api) - add v2": {"prefixes": ("feat", "api")},
    "Prefill - decode at last": {"prefixes": ()},
    "feat[fp4]: add v2": {"prefixes": ("feat", "fp4")},
    "vulkan : add v2": {"prefixes": ("vulkan",)},
    "* :memo: docs: say so": {"prefixes": ("docs",)},
    "Drop v1\n\nBREAKING CHANGE: v1 is gone": {"breaking": True},
    "Break lines at 80": {"breaking": False},
    "fix(serve): no collision (#4773) (#4774)": {"pull_request": 4774, "issues": (4773,)},
    "Fix x\n\nFixes #9, see owner/other#10": {"issues": (9,), "pull_request": None},
    "Merge pull request #8 from a/b": {"pull_request": 8},
}


@pytest.mark.parametrize("message", MESSAGES)
def test_what_a_message_says(message: str) -> None:
    found = facts_from(commit(message), diff(edited("a.py", "a", "b")))
    assert {key: getattr(found, key) for key in MESSAGES[message]} == MESSAGES[message]


def test_merges_and_bots() -> None:
    merged = facts_from(commit("Take main"), diff(edited("a.py", "a", "b"), parents=(PARENT, "c" * 40)))
    assert merged.merge
    assert not facts_from(commit("Merge branch 'x'"), diff(edited("a.py", "a", "b"))).merge
    assert facts_from(commit("Merge branch 'x'"), None).merge
    assert facts_from(commit("Bump", author="dependabot[bot]"), None).bot
    assert not facts_from(commit("Bump", author="octocat"), None).bot
    assert not facts_from(commit("Fix a crash", author="fixer-agent[bot]"), None).bot


def test_without_a_diff_the_message_speaks_and_the_facts_say_so() -> None:
    found = facts_from(commit("Fix crash on start (#5)"), None)
    assert (found.files, found.marks, found.pull_request, found.incomplete) == (0, ("crash",), 5, True)


def test_ignored_paths_are_counted_but_not_read() -> None:
    found = facts_from(commit("x"), diff(edited("gen/cli.py", "p.add_argument('--x')")), ("gen/",))
    assert (found.files, found.changes, found.roles, found.paths) == (1, (), {}, ())


TEXT = st.text(st.characters(exclude_categories=()), max_size=400)
LINE = st.one_of(
    TEXT, st.sampled_from(["@@ -1,2 +1,2 @@ def f(", "+def f(", "-    a=(", "+'''", '-"""', "+@app.get('/", "\0"])
)


@given(message=TEXT, path=TEXT, lines=st.lists(LINE, max_size=30))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_without_raising(message: str, path: str, lines: list[str]) -> None:
    for name in (path, "a.py", "a.h", "Dockerfile", "pyproject.toml", "requirements.txt", "a.ts"):
        found = facts_from(commit(message), diff(change(name, "\n".join(lines))))
        assert found.files == 1


HOSTILE = [
    "(" * 64_000,
    "def f(" + "a=(" * 20_000,
    "[" * 64_000,
    "add_argument(" * 5_000,
    "'--" + "a" * 64_000,
    " " * 64_000 + "=",
    "a " * 32_000,
    '"""' * 20_000,
    "environ.get('A" * 4_000,
    "revert " * 9_000,
    "\0" * 64_000,
]


@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: line[:12].encode("unicode_escape").decode())
@pytest.mark.parametrize("name", ["app/cli.py", "include/a.h", "pyproject.toml", "Dockerfile"])
def test_a_hostile_line_costs_no_more_than_its_length(name: str, line: str) -> None:
    patch = "\n".join(["@@ -1,3 +1,3 @@ class A:", *(f"{sign}{line}" for sign in "+- " for _ in range(20))])
    started = process_time()
    facts_from(commit(f"{line}\n\n{line}"), diff(change(name, patch)))
    assert process_time() - started < 10


def test_many_short_hostile_lines_stay_linear() -> None:
    def seconds(count: int) -> float:
        patch = "@@ -1 +1 @@\n" + "+def f(a=(\n" * count
        started = process_time()
        facts_from(commit("x"), diff(change("app/api.py", patch)))
        return process_time() - started

    seconds(100)
    assert seconds(16_000) < 40 * max(seconds(1_600), 0.01)
