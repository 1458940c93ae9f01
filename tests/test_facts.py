"""Facts: roles of files, public changes, message facts, marks; and that no text makes them raise or crawl."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import FileChange, FileRole, PublicChange, RevertOf
from tests.patches import PARENT, change, commit, diff, edited, payload
from workers.facts import facts_from
from workers.fileroles import area_of, role_of_path

ROLES = {
    "lmdeploy/pytorch/engine/engine.py": FileRole.SOURCE,
    "src/flask/app.py": FileRole.INTERFACE,
    "lmdeploy/cli/serve.py": FileRole.INTERFACE,
    "include/fmt/format.h": FileRole.INTERFACE,
    "src/turbomind/kernels/attention/decoding.cu": FileRole.KERNEL,
    "pytorch/kernels/cuda/pagedattention.py": FileRole.KERNEL,
    "tests/test_app.py": FileRole.TEST,
    "pkg/server/server_test.go": FileRole.TEST,
    "src/components/Button.spec.tsx": FileRole.TEST,
    "src/flask/testing.py": FileRole.SOURCE,
    "docs/en/index.rst": FileRole.DOCS,
    "README.md": FileRole.DOCS,
    ".github/CONTRIBUTING.md": FileRole.DOCS,
    "LICENSE": FileRole.DOCS,
    "examples/tutorial/app.py": FileRole.EXAMPLE,
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
    "docker/Dockerfile": FileRole.BUILD,
    "Dockerfile.rocm": FileRole.BUILD,
    "CMakeLists.txt": FileRole.BUILD,
    "scripts/release.py": FileRole.BUILD,
    "api/v1/service_pb2.py": FileRole.GENERATED,
    "static/app.min.js": FileRole.GENERATED,
    "third_party/zlib/inflate.c": FileRole.VENDORED,
    "vendor/github.com/x/y.go": FileRole.VENDORED,
    "logo.png": FileRole.BINARY,
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


Expected = list[tuple[str, str, str, str | None, str | None]]

CHANGES: dict[str, tuple[FileChange, Expected]] = {
    "a flag removed": (
        edited("app/cli.py", "parser.add_argument('--old', default=1)"),
        [("flag", "removed", "--old", "1", None)],
    ),
    "a flag renamed": (
        edited("app/cli.py", "p.add_argument('--vision-encoder')", "p.add_argument('--vision-encoders')"),
        [("flag", "renamed", "--vision-encoders", "--vision-encoder", "--vision-encoders")],
    ),
    "a default of a click option over two lines": (
        edited("app/cli.py", "@click.option('--port',\n  default=80)", "@click.option('--port',\n  default=8080)"),
        [("flag", "default_changed", "--port", "80", "8080")],
    ),
    "an environment variable": (
        edited("app/envs.py", "", "HOME = os.environ.get('DAY_HOME', '~')"),
        [("environment", "added", "DAY_HOME", None, "'~'")],
    ),
    "a route": (
        edited("app/routes.py", "@app.get('/v1/old')\n", "@app.get('/v2/entirely/new')\n"),
        [("route", "removed", "/v1/old", None, None), ("route", "added", "/v2/entirely/new", None, None)],
    ),
    "a field of a configuration class": (
        edited("app/engine.py", "    block_size: int = 64", "    block_size: int = 128", "class EngineConfig:"),
        [("config", "default_changed", "EngineConfig.block_size", "64", "128")],
    ),
    "a required parameter": (
        edited("app/api.py", "def run(a, b=1):", "def run(a, c, b=1):"),
        [("parameter", "added", "run(c)", None, None)],
    ),
    "an optional parameter": (
        edited("app/api.py", "def run(a):", "def run(a, b=1):"),
        [("parameter", "added", "run(b)", None, "1")],
    ),
    "a parameter of a signature over many lines": (
        edited(
            "app/api.py", "def run(\n    a: int,\n    b: str = 'x',\n) -> None:", "def run(\n    a: int,\n) -> None:"
        ),
        [("parameter", "removed", "run(b)", "'x'", None)],
    ),
    "a method whose class stands in the hunk's header": (
        edited("app/api.py", "    def stop(self):\n        pass", "", "class Engine:"),
        [("function", "removed", "Engine.stop", None, None)],
    ),
    "private names are not public": (edited("app/api.py", "def _run(a):\nclass _Engine:"), []),
    "a test's names are not public": (edited("tests/test_api.py", "def test_run(a):"), []),
    "quotes are style": (
        edited("app/cli.py", "p.add_argument('--x', default='a')", 'p.add_argument("--x", default="a")'),
        [],
    ),
    "None for an empty list is no new default": (edited("app/api.py", "def run(a=[]):", "def run(a=None):"), []),
    "a call's arguments below a header that names a function are not its parameters": (
        edited("app/api.py", "    final=None,\n)", "    final=None,\n    more=1,\n)", "async def run(result,"),
        [],
    ),
    "a function within a function is nobody's business": (
        edited("app/api.py", "    def inner(a, b):\n        pass", "    def inner(a):\n        pass", "def run(a):"),
        [],
    ),
    "overloads of one name cannot be told apart": (
        edited("app/api.py", "def run(a): ...\ndef run(a, b): ...", "def run(a): ...\ndef run(a, c): ..."),
        [],
    ),
    "a default that is looked up is not a new default": (
        edited("app/cli.py", "p.add_argument('--port', default=80)", "p.add_argument('--port', default=None)"),
        [("flag", "changed", "--port", "80", "None")],
    ),
    "a field's description is no default": (
        edited(
            "app/a.py",
            "    x: int = Field(default=1, title='a')",
            "    x: int = Field(default=1, title='b')",
            "class AConfig:",
        ),
        [],
    ),
    "fields of other classes are not configuration": (
        edited("app/engine.py", "    offsets: Tensor = None", "", "class ModelInputs:"),
        [],
    ),
    "a line of a docstring is not a field": (
        edited("app/a.py", '    """Settings.\n    block: the size\n    """', "", "class AConfig:"),
        [],
    ),
    "the fields of a new class come with it": (
        edited("app/a.py", "", "class NewConfig:\n    block: int = 1"),
        [("class", "added", "NewConfig", None, None)],
    ),
    "another object's environ": (edited("app/a.py", "", "x = request.environ['REQUEST_METHOD']"), []),
    "a variable that is set, not read": (edited("app/a.py", "", "os.environ['APP_HOME'] = '1'"), []),
    "a variable that is read in another way": (
        edited("app/a.py", "x = os.getenv('APP_HOME')", "x = read_setting('APP_HOME')"),
        [],
    ),
    "the likest names are the pair that was renamed": (
        edited("a.h", "class ViTItem {\nclass ViTInput {", "class QwenViTInput {\nclass QwenViTItem {"),
        [
            ("class", "renamed", "QwenViTInput", "ViTInput", "QwenViTInput"),
            ("class", "renamed", "QwenViTItem", "ViTItem", "QwenViTItem"),
        ],
    ),
    "an enumeration of a kernel's header": (
        edited("src/kernels/a.h", "enum class ParallelMode : int", "enum class ParallelLevel : int"),
        [("class", "renamed", "ParallelLevel", "ParallelMode", "ParallelLevel")],
    ),
    "a requirement": (
        edited("requirements.txt", "torch<=2.10", "torch<=2.12"),
        [("dependency", "changed", "torch", "<=2.10", "<=2.12")],
    ),
    "a Python version": (
        edited("setup.py", "        'Programming Language :: Python :: 3.9',"),
        [("dependency", "removed", "python 3.9", None, None)],
    ),
    "a base image": (
        edited("Dockerfile", "FROM python:3.10-slim", "FROM python:3.12-slim"),
        [("dependency", "changed", "python", "3.10-slim", "3.12-slim")],
    ),
    "an image of several stages": (
        edited("Dockerfile", "FROM a/b:1 AS x\nFROM a/b:2 AS y", "FROM a/b:2 AS x\nFROM x AS z\nFROM a/b:3 AS y"),
        [("dependency", "changed", "a/b", "1 / 2", "2 / 3")],
    ),
    "a Go flag": (
        edited("cmd/main.go", 'flag.String("addr", ":80", "x")', 'flag.String("addr", ":8080", "x")'),
        [("flag", "default_changed", "--addr", '":80"', '":8080"')],
    ),
    "an exported function of TypeScript": (
        edited("lib/index.ts", "export async function load(a) {"),
        [("function", "removed", "load", None, None)],
    ),
    "a public function of Rust": (
        edited("src/lib.rs", "", "pub fn parse(s: &str) {"),
        [("function", "added", "parse", None, None)],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_public_changes(case: str) -> None:
    file, expected = CHANGES[case]
    found = facts_from(commit("x"), diff(file)).changes
    shown = [(item.kind, item.action, item.name, item.before or None, item.after or None) for item in found]
    assert shown == expected


def test_code_that_moved_to_another_file_is_not_a_change() -> None:
    moved = "def run(a):\n    return a"
    assert facts_from(commit("x"), diff(edited("app/a.py", moved), edited("app/b.py", "", moved))).changes == ()


def test_a_requirement_that_moved_to_another_file_is_not_a_change() -> None:
    files = (
        edited("requirements/a.txt", "torch>=2.0"),
        edited("requirements/b.txt", "torch"),
        edited("requirements/common.txt", "", "torch"),
    )
    assert facts_from(commit("x"), diff(*files)).changes == ()


def test_a_real_diff_names_what_users_must_change() -> None:
    found = facts_from(*payload("lmdeploy__flag_replaced.patch"))
    assert found.changes[0] == PublicChange(
        kind="flag",
        action="removed",
        name="--disable-vision-encoder",
        before="False",
        path="lmdeploy/cli/utils.py",
    )
    renamed = [(item.kind, item.before, item.name) for item in found.changes if item.action == "renamed"]
    assert (
        "config",
        "PytorchEngineConfig.disable_vision_encoder",
        "PytorchEngineConfig.language_model_only",
    ) in renamed
    assert found.areas[0] == "lmdeploy/cli"
    assert (found.files, found.additions, found.deletions, found.pull_request) == (15, 81, 30, 4716)


MARKED = {
    "cosmetic": edited("a.py", "x = foo( 1,2 )", "x = foo(1, 2)"),
    "logging": edited("a.py", "", "logger.info('got %s', x)"),
    "version_bump": edited("pkg/version.py", "__version__ = '0.1.0'", "__version__ = '0.2.0'"),
    "security": edited("a.py", "x = eval(text)", "x = int(text)"),
    "unsafe_removed": edited("a.py", "x = await s.recv_pyobj()", "x = await s.recv_json()"),
    "synchronisation": edited("a.py", "stream.synchronize()", "event.record()"),
    "rejects": edited("a.py", "", "raise ValueError(x)"),
    "status_code": edited("a.py", "return reply(status_code=200)", "return reply(status_code=400)"),
    "release_pipeline": edited(".github/workflows/release.yml", "  cuda: 12.4", "  cuda: 12.8"),
}


@pytest.mark.parametrize("mark", MARKED)
def test_marks_of_the_changed_lines(mark: str) -> None:
    assert mark in facts_from(commit("x"), diff(MARKED[mark])).marks


def test_words_within_names_and_comments_are_no_security() -> None:
    for added in ("step = self._is_private_step(x)", "x = 1  # eval(y) is unsafe", "# pickle.loads(x) is unsafe"):
        assert "security" not in facts_from(commit("x"), diff(edited("a.py", added, "x = 2"))).marks


WORDS: dict[str, tuple[str, ...]] = {
    "Fix x\n\nA crafted payload is arbitrary code execution.": ("security",),
    "Add x\n\nIt is unsafe for some models.": (),
    "Fix x\n\nAdd a regression case.": (),
    "Avoid id collision": (),
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


MESSAGES: dict[str, dict[str, Any]] = {
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
    assert process_time() - started < 2.0


def test_many_short_hostile_lines_stay_linear() -> None:
    def seconds(count: int) -> float:
        patch = "@@ -1 +1 @@\n" + "+def f(a=(\n" * count
        started = process_time()
        facts_from(commit("x"), diff(change("app/api.py", patch)))
        return process_time() - started

    seconds(100)
    assert seconds(16_000) < 40 * max(seconds(1_600), 0.01)
