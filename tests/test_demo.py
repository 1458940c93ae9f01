"""`daybook demo` and `daybook triage` on a real clone: the two things a newcomer types."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from report.json import report_from_json
from tests.gitclone import Clone
from tests.running import PLAIN
from tests.test_pipeline import clone_of
from tests.test_processes import run

pytestmark = pytest.mark.slow


def test_the_demo_shows_the_reports_of_a_clones_last_pushes(tmp_path: Path) -> None:
    clone_of(tmp_path / "clone", 12)
    options = "--repo clone --last 10 --name octocat/hello-world --out out --language en"
    done = run("demo", *options.split(), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    place = tmp_path / "out" / "2026" / "octocat" / "hello-world"
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"octocat/hello-world 2026-02-17: \d+ high, \d+ medium, \d+ low", lines[0])
    assert lines[1] == "  Markdown  out/2026/octocat/hello-world/2026-02-17.md"
    assert lines[2] == "  HTML      out/2026/octocat/hello-world/2026-02-17.html"
    assert re.fullmatch(r"The pages were at http://127.0.0.1:\d+/octocat/hello-world/2026-02-17; --keep .*", lines[3])
    assert re.fullmatch(r"commits: 10, reports: 1, seconds: [\d.]+", lines[4])
    report = report_from_json((place / "2026-02-17.json").read_bytes())
    assert report.language == "en"
    assert (report.coverage.total, report.coverage.covered, report.coverage.rules, report.revision) == (10, 10, 10, 1)
    assert "# Daily" in (place / "2026-02-17.md").read_text()
    assert (place / "2026-02-17.html").read_text().startswith("<!DOCTYPE html>")
    assert not (tmp_path / ".daybook").exists()


def test_keep_leaves_the_site_up_and_a_signal_ends_it_without_a_trace(tmp_path: Path) -> None:
    clone_of(tmp_path / "clone", 2)
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "cli.main", "demo", "--repo", "clone", "--keep"]
    environment = PLAIN | {"TMPDIR": str(tmp_path / "temporary")}
    demo = subprocess.Popen(command, cwd=tmp_path, text=True, env=environment, stdout=subprocess.PIPE)
    assert demo.stdout
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if line.startswith("The site stays up"):
            break
    url = next(line.split()[1] for line in lines if line.startswith("  page"))
    assert httpx2.get(url, trust_env=False).status_code == 200
    demo.terminate()
    assert demo.wait(30) == 0
    demo.stdout.close()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_day_without_pushes_is_said(tmp_path: Path) -> None:
    clone_of(tmp_path / "clone", 1)
    done = run("demo", "--repo", "clone", "--day", "2020-01-01", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("has no pushes on 2020-01-01; try another --day, or --last N")


def test_triage_prints_a_json_line_for_each_commit(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    first = clone.commit("Add a module", {"src/pool.py": "def connect(url, timeout=3):\n    return url\n"})
    second = clone.commit("Fix a typo", {"README.md": "Hello\n"})
    done = run("triage", "clone", "--last", "2", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["sha"] for row in rows] == [first, second]
    assert all(list(row) == ["sha", "tier", "type", "score", "reasons"] for row in rows)
    assert (rows[1]["tier"], rows[1]["type"]) == ("low", "docs")
    assert all(isinstance(reason, str) and reason for row in rows for reason in row["reasons"])
    named = run("triage", "clone", second[:10], folder=tmp_path)
    assert [json.loads(line)["sha"] for line in named.stdout.splitlines()] == [second]
    unknown = run("triage", "clone", "0" * 40, folder=tmp_path)
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("daybook: ")
