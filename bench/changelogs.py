"""`daybook report` beside git-cliff, as whole processes: from a stored history to a Markdown file of all commits.

git-cliff (from PyPI, in a folder of its own) reads a git repository, Daybook the day of a ledger into which the same
commits were put, with 1.5 KB of analysis each. Histories: the first-parent and merged commits of a clone, and 5,000
that a `git fast-import` makes of the clone's messages, authors and times over again, without files.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.figures import Figures, lower
from bench.report_days import DAY, ZONE, commits, filled
from core.ledger import Ledger
from core.models import CommitRecord
from core.redis_server import RedisServer
from tests.records import REPOSITORY

ROUNDS = 5
SIZES = (2000, 5000)
_CONFIGURATION = (
    "[git]\nconventional_commits = false\nfilter_unconventional = false\nfail_on_unmatched_commit = false\n"
)


class Message(NamedTuple):
    """A commit as its history has it."""

    author: str
    text: str


def compared(clone: Path) -> Figures:
    """Seconds of both at each size, printed, and Daybook's share of git-cliff's time."""
    told: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        cliff = _installed(Path(folder))
        found = _messages(clone)
        for size in SIZES:
            history = Path(folder) / f"history-{size}"
            chosen = [found[n % len(found)] for n in range(size)]
            _imported(history, chosen)
            ours, theirs = _raced(Path(folder) / str(size), cliff, history, chosen)
            made = "the clone's" if size <= len(found) else f"made of the {len(found)} messages of the clone"
            print(f"{size} commits, {made}: daybook report {ours:.2f} s, git-cliff {theirs:.2f} s of CPU")
            told[f"report.daybook_over_git_cliff.{size}"] = lower(ours / theirs, "times")
    return told


def _installed(folder: Path) -> Path:
    venv.create(folder / "cliff", with_pip=True)
    pip = [str(folder / "cliff/bin/python"), "-m", "pip", "install", "--quiet", "git-cliff"]
    subprocess.run(pip, check=True, capture_output=True)
    return folder / "cliff/bin/git-cliff"


def _messages(clone: Path) -> list[Message]:
    log = subprocess.run(
        ["git", f"--git-dir={clone}", "log", "-z", f"-{max(SIZES)}", "--format=%an%n%B"],
        check=True, capture_output=True,
    ).stdout.decode("utf-8", "replace")  # fmt: skip
    return [Message(*one.split("\n", 1)) for one in log.split("\0") if "\n" in one]


def _imported(path: Path, messages: Sequence[Message]) -> None:
    """A repository with a commit for each message, the first being the newest."""
    subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True)
    stream = []
    for n, one in enumerate(reversed(messages)):
        author = one.author.translate({ord("<"): None, ord(">"): None})
        text = one.text.encode()
        who = f"{author} <a@example.com> {1_700_000_000 + 60 * n} +0000"
        stream.append(
            f"commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata {len(text)}\n".encode() + text + b"\n"
        )
    subprocess.run(["git", "fast-import", "--quiet"], cwd=path, input=b"".join(stream), check=True)


def _raced(folder: Path, cliff: Path, history: Path, messages: Sequence[Message]) -> tuple[float, float]:
    folder.mkdir()
    server = RedisServer(folder / "redis")
    server.start()
    try:
        filled(Ledger(server.url, ZONE), _records(messages))
        (folder / "cliff.toml").write_text(_CONFIGURATION)
        out = folder / "daybook.md"
        ours = [sys.executable, "-m", "cli.main", "report", REPOSITORY, str(DAY), "--out", str(out)]
        theirs = [str(cliff), "--config", str(folder / "cliff.toml"), "--repository", str(history), "--output",
                  str(folder / "cliff.md")]  # fmt: skip
        environment = _as_installed(folder) | {"REDIS_URL": server.url}
        times = [
            (_seconds(ours, folder, environment), _seconds(theirs, folder, environment)) for _ in range(ROUNDS + 1)
        ]
        assert out.read_text().count("\n#### ") > 0.9 * len(messages)
    finally:
        server.stop()
    mine, cliffs = zip(*times[1:], strict=True)
    return statistics.median(mine), statistics.median(cliffs)


def _as_installed(folder: Path) -> dict[str, str]:
    """An environment in which modules are compiled once: who develops may forbid it, an installation has them so."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def _records(messages: Sequence[Message]) -> list[CommitRecord]:
    return [
        one.model_copy(update={"commit": one.commit.model_copy(update={
            "message": message.text.strip() or "nothing", "author": message.author or "nobody",
        })})
        for one, message in zip(commits(len(messages)), messages, strict=True)
    ]  # fmt: skip


def _seconds(command: Sequence[str], folder: Path, environment: dict[str, str]) -> float:
    """CPU seconds of a whole process: both work on one core, and the clock of a shared machine tells of others."""
    before = os.times()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
