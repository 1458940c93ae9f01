"""Public changes: what users can name and how it changed, from both sides of the hunks; style and moves are none."""

from __future__ import annotations

import pytest

from core.models import FileChange, PublicChange
from tests.patches import change, commit, diff, edited, payload
from workers.facts import facts_from

Expected = list[tuple[str, str, str, str | None, str | None]]


def told(file: FileChange) -> Expected:
    """(kind, action, name, before, after) of each public change of a file; "" is told as None."""
    found = facts_from(commit("x"), diff(file)).changes
    return [(item.kind, item.action, item.name, item.before or None, item.after or None) for item in found]


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
    "comments within a signature are no parameters": (
        edited(
            "app/api.py",
            "def run(  # pylint: disable=too-many-arguments,unused-argument\n    a: str = '#',\n    b: int = 1,\n):",
            "def run(\n    a: str = '#',  # noqa: UP006, E501\n    b: int = 1,  # don't (ever\n):",
        ),
        [],
    ),
    "a parameter after a comment": (
        edited(
            "app/api.py",
            "def run(\n    a,  # which one, if any\n    b=1,\n):",
            "def run(\n    a,  # which one, if any\n    b=2,\n):",
        ),
        [("parameter", "default_changed", "run(b)", "1", "2")],
    ),
    "a field goes by what users write": (
        edited(
            "app/engine.py",
            '    task: str = "chat"',
            '    field_task: str = Field(default="chat", alias="task")',
            "class EngineConfig:",
        ),
        [],
    ),
    "the default of a field over many lines": (
        edited(
            "app/engine.py",
            "    size: int = Field(\n        default=64,\n        description='a, b',\n    )",
            "    size: int = Field(\n        default=128,\n        description='a',\n    )",
            "class EngineConfig:",
        ),
        [("config", "default_changed", "EngineConfig.size", "64", "128")],
    ),
    "a default that is given a name": (
        edited("app/cli.py", "p.add_argument('--step', default=1)", "STEP = 1\np.add_argument('--step', default=STEP)"),
        [],
    ),
    "a default that is given a name and another value": (
        edited(
            "app/cli.py",
            "p.add_argument('--step', default=1)",
            "STEP: Final[int] = 2  # two\np.add_argument('--step', default=STEP)",
        ),
        [("flag", "default_changed", "--step", "1", "2")],
    ),
    "variables that are read by a project's own reader": (
        edited("app/envs.py", "", "A = EnvVar(\n    'DAY_HOME', None\n)\nB = env_list('DAYS')\nC = _secret_env('KEY')"),
        [
            ("environment", "added", "DAYS", None, None),
            ("environment", "added", "DAY_HOME", None, "None"),
            ("environment", "added", "KEY", None, None),
        ],
    ),
    "a variable that is kept under another name": (
        edited("app/envs.py", "", "    DEFAULT_DAYS = EnvVar('CAT_DAYS', '7')"),
        [("environment", "added", "CAT_DAYS", None, "'7'")],
    ),
    "variables that are set, or missing": (
        edited("app/envs.py", "", "os.unsetenv('DAY_A')\nset_bool_env('DAY_B', 1)\nraise EnvironmentError('DAY_C')"),
        [],
    ),
    "a variable of who starts the ranks": (
        edited("app/envs.py", "", "rank = int(os.environ['RANK'])\nhome = os.getenv('HOME')"),
        [],
    ),
    "the bounds of a requirement that depends on a condition": (
        edited(
            "setup.py",
            '        ("tqdm>=4.6,<=4.68" if RELEASE else "tqdm>=4.6"),',
            '        ("tqdm>=4.6,<=4.70" if RELEASE else "tqdm>=4.6"),',
        ),
        [("dependency", "changed", "tqdm", ">=4.6 / >=4.6,<=4.68", ">=4.6 / >=4.6,<=4.70")],
    ),
    "what pydantic calls by itself is nobody's to call": (
        edited(
            "app/a.py",
            "    @model_validator(mode='after')\n    def check(self):\n        pass\n\n    def run(self):\n        a()",
            '    @field_validator("x")\n    @classmethod\n    def look(cls, value):\n        pass',
            "class Cat(BaseModel):",
        ),
        [("function", "removed", "Cat.run", None, None)],
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
    "a build argument that left a longer instruction": (
        edited(
            "Dockerfile",
            "ENV TZ=UTC \\\n    # which CUDA\n    CUDA_VERSION=12 \\\n    TORCH_VERSION=2",
            "ENV TZ=UTC\nENV CUDA_VERSION=12\nENV TORCH_VERSION 2\nARG LEVEL=1 PY_VERSION='3.12'",
        ),
        [("dependency", "added", "PY_VERSION", None, "3.12")],
    ),
    "a build argument whose instruction began out of view": (
        edited("Dockerfile", "    TZ=UTC \\\n    CUDA_VERSION=12\nRUN X_VERSION=1 \\\n  make", "ENV CUDA_VERSION=13"),
        [("dependency", "changed", "CUDA_VERSION", "12", "13")],
    ),
    "declarations that no compiler saw": (
        edited("a/tensor.h", "#if 0\nTensor Reshape(int a);\n#ifdef X\nvoid Permute(int a);\n#endif\n#endif"),
        [],
    ),
    "declarations that a compiler saw": (
        edited("a/tensor.h", "#if 0\nvoid Never(int a);\n#else\nvoid Always(int a);\n#endif\nvoid After(int a);"),
        [("function", "removed", "After", None, None), ("function", "removed", "Always", None, None)],
    ),
    "declarations switched off": (
        edited("a/tensor.h", "void Reshape(int a);", "#if 0\nvoid Reshape(int a);\n#endif"),
        [("function", "removed", "Reshape", None, None)],
    ),
    "a field that became a property": (
        edited(
            "a.py",
            "    fp8_cache: bool = False",
            "    fp8_caches: str | None = None\n\n    @property\n    def fp8_cache(self):\n        return True",
            "class EngineConfig:",
        ),
        [("config", "added", "EngineConfig.fp8_caches", None, "None")],
    ),
    "a field of what an interface gives": (
        edited("serve/protocol.py", "", "    details: Details | None = None", "class UsageInfo(BaseModel):"),
        [("config", "added", "UsageInfo.details", None, "None")],
    ),
    "a flag that the help does not tell": (
        edited("a/cli.py", "", "p.add_argument('--root', default=_root(), help=argparse.SUPPRESS)"),
        [],
    ),
    "a flag that the help did not tell is gone": (
        edited("a/cli.py", "p.add_argument('--root', help=argparse.SUPPRESS)"),
        [("flag", "removed", "--root", None, None)],
    ),
    "a flag that the help tells no longer": (
        edited("a/cli.py", "p.add_argument('--root')", "p.add_argument('--root', help=argparse.SUPPRESS)"),
        [],
    ),
    "a default with brackets, commas and quotes": (
        edited("a/cli.py", "", "p.add_argument('--root', default=_root('a)', [1, 2]), type=Path)"),
        [("flag", "added", "--root", None, "_root('a)', [1, 2])")],
    ),
    "an environment variable's default with brackets": (
        edited("a.py", "", "x = os.getenv('APP_HOME', str(home() / 'a'))"),
        [("environment", "added", "APP_HOME", None, "str(home() / 'a')")],
    ),
    "a long default is cut after a word, and shows it": (
        edited("a/cli.py", "", "p.add_argument('--root', default='" + "word " * 20 + "')"),
        [("flag", "added", "--root", None, "'" + "word " * 15 + "…")],
    ),
    "a long word is cut, and shows it": (
        edited("a/cli.py", "", "p.add_argument('--root', default='" + "x" * 90 + "')"),
        [("flag", "added", "--root", None, "'" + "x" * 78 + "…")],
    ),
    "parameters below the line that opens their function": (
        change(
            "app/api.py",
            "@@ -40,4 +40,6 @@ def generate(\n     verbose: bool = False,\n-    limit=1,\n+    limit=2,\n"
            "+    logprobs: bool = False,  # how likely\n     **kwargs,\n ) -> Response:\n     run()",
        ),
        [
            ("parameter", "default_changed", "generate(limit)", "1", "2"),
            ("parameter", "added", "generate(logprobs)", None, "False"),
        ],
    ),
    "a function that the hunk's header names, by its old name, and that is another one below": (
        change("app/api.py", "@@ -40,4 +40,4 @@ def generate(\n     run(a,\n-    b,\n+    c,\n     )"),
        [],
    ),
    "a kernel's parameters": (
        change(
            "app/api.py",
            "@@ -40,4 +40,4 @@ def add_kernel(\n     a,\n-    N: tl.constexpr,\n+    M: tl.constexpr,\n ):",
        ),
        [],
    ),
    "fields that went and came with other values": (
        edited(
            "app/engine.py",
            "    step_start: int = -1\n    step_end: int = -1",
            "    contents: list[str] = field(default_factory=list)\n    discrete: bool = False",
            "class TorchProfilerToolConfig:",
        ),
        [
            ("config", "removed", "TorchProfilerToolConfig.step_end", "-1", None),
            ("config", "removed", "TorchProfilerToolConfig.step_start", "-1", None),
            ("config", "added", "TorchProfilerToolConfig.contents", None, "list()"),
            ("config", "added", "TorchProfilerToolConfig.discrete", None, "False"),
        ],
    ),
    "a field that is declared over several lines": (
        edited(
            "serve/protocol.py",
            "",
            '    model: str = Field(\n        description="which",\n    )\n'
            "    top_k: int = Field(\n        default=-1,\n        ge=-1,\n    )\n"
            "    stop: Stop = Field(description='when', default_factory=Stop)",
            "class ChatRequest(BaseModel):",
        ),
        [
            ("config", "added", "ChatRequest.model", None, None),
            ("config", "added", "ChatRequest.stop", None, "Stop()"),
            ("config", "added", "ChatRequest.top_k", None, "-1"),
        ],
    ),
    "a variable of the system's, the compiler's or the launcher's": (
        edited(
            "app/env.py", "r = os.environ['RANK']\nd = os.getenv('CUDA_VISIBLE_DEVICES')", "c = os.getenv('CXX', 'c++')"
        ),
        [],
    ),
    "what a model's own file says of it": (
        edited("app/models/gemma.py", "    eps: float = 1e-5", "    rope: float = 1e-6", "class ModelArgs(Base):"),
        [],
    ),
    "the least Python is told once": (
        edited("pyproject.toml", 'requires-python = ">=3.8"', 'requires-python = ">=3.10"'),
        [("dependency", "changed", "python", ">=3.8", ">=3.10")],
    ),
    "a new dependency whose version a setup script fills in": (
        edited("setup.py", "", '    f"engine=={VERSION}",'),
        [("dependency", "added", "engine", None, None)],
    ),
    "the level of a module's own logger": (
        edited("app/env.py", "", 'logger.setLevel(os.getenv("APP_LOGGING_LEVEL", "WARN"))'),
        [],
    ),
    "a version that a setup script fills in": (
        edited("setup.py", '    "engine==0.6.3",', '    f"engine=={VERSION}",'),
        [],
    ),
    "a version that a setup script fills in beside the least one": (
        edited(
            "setup.py",
            'MIN_CORE_VERSION = "1.2"\n  f"core>={MIN_CORE_VERSION}"',
            'MIN_CORE_VERSION = "1.3"\n  f"core>={MIN_CORE_VERSION}"',
        ),
        [("dependency", "changed", "core", ">=1.2", ">=1.3")],
    ),
    "a wheel by its address": (
        edited(
            "requirements.txt",
            "https://example.org/w/flash_attn-2.8.1%2Bcu12-cp312-cp312-linux_x86_64.whl",
            "flash-attn @ https://example.org/w/flash_attn-2.8.3-cp312-cp312-linux_x86_64.whl",
        ),
        [("dependency", "changed", "flash-attn", "==2.8.1+cu12", "==2.8.3")],
    ),
    "what an image installs by pip": (
        edited(
            "Dockerfile",
            "RUN pip install torch==2.9.0 torchvision && \\\n    pip install old==1.0",
            "RUN pip install torch==2.9.1 torchvision && \\\n    pip install new==1.0\nRUN test $A ==1.5",
        ),
        [("dependency", "changed", "torch", "==2.9.0", "==2.9.1")],
    ),
    "many images of several stages": (
        edited(
            "Dockerfile", "FROM a/b:1 AS x", "\n".join(f"FROM a/b:{n}-devel-ubuntu24.04 AS x{n}" for n in range(11, 17))
        ),
        [("dependency", "changed", "a/b", "1", " / ".join(f"{n}-devel-ubuntu24.04" for n in range(11, 14)) + " …")],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_public_changes(case: str) -> None:
    file, expected = CHANGES[case]
    assert told(file) == expected


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
