"""Each kind of public change that users can name, and each way in which it changes, a case each."""

from __future__ import annotations

import pytest

from core.models import FileChange
from tests.patches import edited
from tests.test_public_changes import Expected, told

# Each kind that users can name, each way in which it changes; what is renamed keeps its place.
FIELD = "class EngineConfig:"
KINDS: dict[str, tuple[FileChange, Expected]] = {
    "flag added": (
        edited("a/cli.py", "", "p.add_argument('--port', default=1)"),
        [("flag", "added", "--port", None, "1")],
    ),
    "environment removed": (
        edited("a.py", "x = os.getenv('APP_HOME')"),
        [("environment", "removed", "APP_HOME", None, None)],
    ),
    "environment renamed": (
        edited("a.py", "x = os.getenv('APP_HOME')", "x = os.getenv('APP_HOMES')"),
        [("environment", "renamed", "APP_HOMES", "APP_HOME", "APP_HOMES")],
    ),
    "environment default": (
        edited("a.py", "x = os.getenv('APP_N', '1')", "x = os.getenv('APP_N', '2')"),
        [("environment", "default_changed", "APP_N", "'1'", "'2'")],
    ),
    "config added": (
        edited("a.py", "", "    size: int = 1", FIELD),
        [("config", "added", "EngineConfig.size", None, "1")],
    ),
    "config removed": (
        edited("a.py", "    size: int = 1", "", FIELD),
        [("config", "removed", "EngineConfig.size", "1", None)],
    ),
    "config renamed": (
        edited("a.py", "    size: int = 1", "    sizes: int = 1", FIELD),
        [("config", "renamed", "EngineConfig.sizes", "EngineConfig.size", "EngineConfig.sizes")],
    ),
    "route renamed": (
        edited("a.py", "@app.get('/v1/models')", "@app.get('/v2/models')"),
        [("route", "renamed", "/v2/models", "/v1/models", "/v2/models")],
    ),
    "metric added": (edited("a.py", "", "C = Counter('app_hits')"), [("metric", "added", "app_hits", None, None)]),
    "metric removed": (edited("a.py", "C = Counter('app_hits')"), [("metric", "removed", "app_hits", None, None)]),
    "metric renamed": (
        edited("a.py", "C = Gauge('app_hits')", "C = Gauge('app_hits_total')"),
        [("metric", "renamed", "app_hits_total", "app_hits", "app_hits_total")],
    ),
    "function renamed": (
        edited("a.py", "def load_all(a):", "def load_any(a):"),
        [("function", "renamed", "load_any", "load_all", "load_any")],
    ),
    "class removed": (edited("a.py", "class Pool:"), [("class", "removed", "Pool", None, None)]),
    "parameter renamed": (
        edited("a.py", "def run(old):", "def run(new):"),
        [("parameter", "renamed", "run(new)", "old", "new")],
    ),
    "parameter default": (
        edited("a.py", "def run(a=1):", "def run(a=2):"),
        [("parameter", "default_changed", "run(a)", "1", "2")],
    ),
    "dependency added": (
        edited("requirements.txt", "", "torch>=2"),
        [("dependency", "added", "torch", None, ">=2")],
    ),
    "dependency removed": (
        edited("requirements.txt", "torch>=2"),
        [("dependency", "removed", "torch", ">=2", None)],
    ),
    "dependency bounded": (
        edited("pyproject.toml", '    "sphinx",', '    "sphinx<9",'),
        [("dependency", "changed", "sphinx", None, "<9")],
    ),
    "dependency set free": (
        edited("pyproject.toml", "    \"celery[redis]>=5 ; sys_platform == 'linux'\",", '    "celery[redis]",'),
        [("dependency", "changed", "celery", ">=5", None)],
    ),
    "dependency added beside a word that is quoted too": (
        edited("pyproject.toml", 'keywords = ["web"]', 'keywords = ["web", "flask"]\n"flask>=3",\n"sphinx-tabs>=3",'),
        [("dependency", "added", "flask", None, ">=3"), ("dependency", "added", "sphinx-tabs", None, ">=3")],
    ),
    "a version that a tool is told": (edited("pyproject.toml", "", 'python_version = "3.10"'), []),
    "what developers alone install": (
        edited("pyproject.toml", "", '[dependency-groups]\ndocker = [\n    "zigbuild>=0.23.0",\n]'),
        [],
    ),
    "what a tool's table asks for": (
        edited(
            "pyproject.toml",
            "",
            '[tool.kernels.dependencies]\n"hub/moe" = ">=0.1.1"\n[tool.poetry.group.dev.dependencies]\npytest = "^8"',
        ),
        [("dependency", "added", "hub/moe", None, ">=0.1.1")],
    ),
    "what developers of a crate install, and what its users do": (
        edited("Cargo.toml", "", '[dev-dependencies]\ninsta = "1.2"\n[dependencies]\nserde = "1.0"'),
        [("dependency", "added", "serde", None, "1.0")],
    ),
    "what developers of a package install, and what its users do": (
        edited(
            "package.json",
            "",
            '  "devDependencies": {\n    "tsx": "^4.2"\n  },\n  "dependencies": {\n    "zod": "^4.0"\n  }',
        ),
        [("dependency", "added", "zod", None, "^4.0")],
    ),
    "a line of a package between two lists": (
        edited("package.json", '    "zod": "^3.0"', '    "zod": "^4.0"'),
        [("dependency", "changed", "zod", "^3.0", "^4.0")],
    ),
    "words that are no dependencies": (edited("pyproject.toml", 'select = ["B", "E"]', 'select = ["E", "F"]'), []),
}


@pytest.mark.parametrize("case", KINDS)
def test_each_kind_of_public_change(case: str) -> None:
    file, expected = KINDS[case]
    assert told(file) == expected
