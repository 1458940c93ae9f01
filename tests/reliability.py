"""What the tests of reliability share: a clone of many commits, kills, and how often the model was asked for each."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from core.ledger import Ledger
from core.models import CommitRecord
from tests.conftest import SHANGHAI
from tests.fakes.anthropic import FakeAnthropic
from tests.gitclone import START, Clone, run_git
from tests.running import Daybook

NAME = "octocat/hello-world"
DAY = START.astimezone(SHANGHAI).date()
_SHA = re.compile(r"^Commit: ([0-9a-f]{40})$", re.MULTILINE)


def many_commits(path: Path, count: int) -> Clone:
    """A clone of `count` commits ten seconds apart, made by one git command."""
    clone = Clone(path)
    stream = []
    for number in range(count):
        when = int((START + timedelta(seconds=10 * number)).timestamp())
        message = f"Change step {number} (#{number + 1})".encode()
        text = f"def step(value=0):\n    return value + {number}\n".encode()
        stream += [
            b"commit refs/heads/main\n",
            b"committer octocat <octocat@users.noreply.github.com> %d +0000\n" % when,
            b"data %d\n%s\n" % (len(message), message),
            b"M 100644 inline src/module_%d.py\ndata %d\n%s\n" % (number % 5, len(text), text),
        ]
    run_git("fast-import", "--quiet", git_dir=clone.git_dir, given=b"".join(stream))
    clone.head = clone.git("rev-parse", "main")
    return clone


def configure(folder: Path, source: str | Path) -> Path:
    """Follow the repository, reading diffs from a clone or from `github`."""
    (folder / "daybook.toml").write_text(f'[[repository]]\nname = "{NAME}"\nsource = "{source}"\n')
    return folder


def ledger_of(running: Daybook) -> Ledger:
    """The ledger of a running Daybook."""
    return Ledger(running.redis.url, SHANGHAI)


def kill(running: Daybook, name: str, how: signal.Signals = signal.SIGKILL) -> None:
    """End one process; its supervisor starts it again half a second later, however often it was killed."""
    pid = running.supervisor.pids().get(name)
    for child in running.supervisor._children:
        child.pause = 0.25
    if pid is not None:
        os.kill(pid, how)


def ended(ledger: Ledger, count: int) -> bool:
    """Whether the work on so many commits is over."""
    status = ledger.status([])
    return status.waiting == 0 and status.received == count


def results(ledger: Ledger) -> list[CommitRecord]:
    """The records of the day."""
    return ledger.records(NAME, DAY)


def calls(api: FakeAnthropic) -> Counter[str]:
    """How often the model was asked about each commit, apart from the question for a closed day's highlights."""
    messages = (request for request in api.requests if request.path == "/v1/messages")
    complete = (request for request in messages if request.body)  # a killed worker's may be cut off
    found = (_SHA.search(request.prompt) for request in complete if "<day-" not in request.prompt)
    return Counter(match[1] for match in found if match)


def seconds_until(running: Daybook, ledger: Ledger, count: int) -> float:
    """How long it takes until the work on all commits is over."""
    started = time.monotonic()
    running.await_(lambda: ended(ledger, count))
    return time.monotonic() - started
