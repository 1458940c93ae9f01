"""What starts slowly is loaded when it is first used, whole, and without what it does not need."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from core.light_imports import later, once_loaded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that takes a while to load, and has a module that can do without the rest."""
    name = f"slow_{tmp_path.name}".replace("-", "_")
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(
        "import time\n"
        "first = 1\n"
        "time.sleep(0.2)\n"
        "try:\n    import heavy_one\n    heavy = True\nexcept ImportError:\n    heavy = False\n"
        "last = 2\n"
    )
    (tmp_path / name / "alone.py").write_text("here = 3\n")
    (tmp_path / "heavy_one.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_package_loads_when_its_first_name_is_asked_for(package: str) -> None:
    later(package, without="heavy_one")
    found = __import__(package)
    assert "first" not in vars(found)
    assert __import__(f"{package}.alone").alone.here == 3
    assert "first" not in vars(found)
    assert (found.first, found.last, found.heavy) == (1, 2, False)
    __import__("heavy_one")  # it was hidden from that package alone


def test_threads_that_ask_at_once_find_it_loaded_once_and_whole(package: str) -> None:
    later(package)
    told: list[str] = []
    once_loaded(package, lambda: told.append("loaded"))
    found = __import__(package)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: found.last, range(8))) == [2] * 8
    assert told == ["loaded"]
    once_loaded(package, lambda: told.append("at once"))
    assert told == ["loaded", "at once"]


def test_a_name_that_is_not_there_is_told_as_of_any_module(package: str) -> None:
    later(package)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = __import__(package).nothing
    later(package)
    assert __import__(package).last == 2  # what is loaded stays so


def test_a_package_that_is_not_installed_is_missed_by_who_imports_it() -> None:
    later("surely_not_installed")
    with pytest.raises(ModuleNotFoundError):
        __import__("surely_not_installed")


def test_a_report_is_made_without_what_commands_do_not_use() -> None:
    asked = (
        "import sys\n"
        "sys.argv = ['daybook', 'report', 'octocat/hello', '2026-01-01']\n"
        "import cli.main\n"
        "try:\n    cli.main.main()\nexcept SystemExit:\n    pass\n"
        "print(*sorted({'rich', 'celery', 'flask', 'anthropic', 'jinja2', 'redis.asyncio.client', 'structlog.dev'}\n"
        "              & sys.modules.keys()))\n"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""
