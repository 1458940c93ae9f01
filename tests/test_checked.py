"""Settings that no process could work by are refused by every command; a clone is judged by its own table."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.check import check_settings
from cli.main import daybook
from core.errors import DaybookError
from core.settings import RepositorySettings, Settings
from tests.gitclone import Clone
from tests.running import SECRET
from tests.test_processes import run

TRIAGE = "[[repository]]\nname = 'a/b'\n[repository.triage]\n"
WRONG = {
    "thresholds.hihg = 9": "daybook.toml: [[repository]] a/b: triage.thresholds.hihg: no such key; workers/triage.toml",
    "marks.crash.titel = 4": "daybook.toml: [[repository]] a/b: triage.marks.crash.titel: no such key",
    "thresholds.high = 'x'": "daybook.toml: [[repository]] a/b: triage.thresholds.high: Input should be a valid number",
    "thresholds = { medium = 9, high = 8 }": (
        "daybook.toml: [[repository]] a/b: triage.thresholds: medium is above high"
    ),
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", SECRET)


@pytest.mark.parametrize("line", WRONG)
def test_wrong_weights_are_named_by_check(line: str) -> None:
    Path("daybook.toml").write_text(TRIAGE + line + "\n")
    answer = CliRunner().invoke(daybook, ["check"])
    assert answer.exit_code == 1
    assert " ".join(answer.output.split()).startswith(f"wrong settings {WRONG[line]}")
    assert len(answer.output.splitlines()) == 1


@pytest.mark.parametrize("command", ["up", "web", "worker", "control", "beat", "status"])
def test_wrong_weights_stop_a_command_before_anything_starts(command: str, tmp_path: Path) -> None:
    Path("daybook.toml").write_text(f"{TRIAGE}thresholds.hihg = 9\n")
    done = run(command, folder=tmp_path, GITHUB_WEBHOOK_SECRET=SECRET)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"daybook: {WRONG['thresholds.hihg = 9']}")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / ".daybook").exists()


def judged(*words: str) -> list[str]:
    answer = CliRunner().invoke(daybook, ["triage", *words], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return [json.loads(line)["tier"] for line in answer.output.splitlines()]


def test_a_clone_without_an_origin_is_judged_by_its_table(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    clone.commit("Add a module", {"src/pool.py": "def connect(url, timeout=3):\n    return url\n"})
    watched = "name = 'a/{}'\nsource = '{}'\n[repository.watch]\npaths = ['src/*']\n"
    usual = judged("clone")
    assert usual != ["high"]
    tables = [watched.format("b", tmp_path / "clone"), f"name = 'a/c'\nsource = '{tmp_path / 'elsewhere'}'\n"]
    Path("daybook.toml").write_text("".join(f"[[repository]]\n{table}" for table in tables))
    assert judged("clone") == judged("clone", "--name", "A/B") == ["high"]
    assert judged("clone", "--name", "a/c") == usual
    with pytest.raises(DaybookError, match=r"^daybook\.toml has no \[\[repository\]\] a/d$"):
        judged("clone", "--name", "a/d")
    assert "--name 'b' is not OWNER/REPO" in CliRunner().invoke(daybook, ["triage", "clone", "--name", "b"]).output


@pytest.mark.parametrize(
    ("names", "said"),
    [((), "all pushed repositories"), (("a/b",), "1 repository"), (("a/b", "a/c"), "2 repositories")],
)
def test_repositories_are_counted_in_words_that_agree(names: tuple[str, ...], said: str) -> None:
    tables = tuple(RepositorySettings(name=name) for name in names)
    settings = Settings(_env_file=None, github_webhook_secret=SECRET, daybook_repositories=tables)
    assert [finding.text for finding in check_settings(settings)] == [f"1 webhook secret, {said} followed"]


def test_a_malformed_name_is_no_repository_to_publish() -> None:
    answer = CliRunner().invoke(daybook, ["publish", "garbage", "2026-02-17"])
    assert answer.exit_code == click.UsageError.exit_code
    assert "'garbage' is not OWNER/REPO" in answer.output
