"""A signed POST in, a report line out: the whole of Daybook as real processes over real sockets."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from cli.replay import replay
from core.ledger import Ledger
from tests.conftest import SHANGHAI
from tests.gitclone import START, Clone, Entry, Name
from tests.running import PLAIN, SECRET, Daybook, daybook

pytestmark = pytest.mark.slow

NAME = "octocat/hello-world"


def clone_of(path: Path, commits: int) -> Clone:
    """A repository of `commits` one-minute-apart commits, each a real change of a real Python file."""
    clone = Clone(path)
    for number in range(commits):
        text = "".join(f"def step_{line}(value=0):\n    return value + {line}\n\n" for line in range(number % 7 + 1))
        changes: dict[Name, Name | Entry | None] = {f"src/module_{number % 5}.py": text + f"LAST = {number}\n"}
        clone.commit(f"Change step {number} (#{number + 1})", changes, when=START + timedelta(seconds=10 * number))
    return clone


def configured(folder: Path, clone: Clone) -> Path:
    (folder / "daybook.toml").write_text(f'[[repository]]\nname = "{NAME}"\nsource = "{clone.path}"\n')
    return folder


def post(running: Daybook, clone: Clone, name: str = NAME) -> Counter[str]:
    answers: Counter[str] = Counter()
    url = f"{running.base}/webhooks/github"
    for delivered in replay(clone.path, url, SecretStr(SECRET), name=name, last=10_000, zone=SHANGHAI):
        assert delivered.status == 202
        answers.update(queued=json.loads(delivered.answer)["queued"], known=json.loads(delivered.answer)["known"])
    return answers


def test_a_signed_push_becomes_a_line_of_the_days_report(tmp_path: Path) -> None:
    clone = clone_of(tmp_path / "clone", 3)
    with daybook(configured(tmp_path, clone)) as running:
        assert post(running, clone) == {"queued": 3, "known": 0}
        assert post(running, clone) == {"queued": 0, "known": 3}
        ledger = Ledger(running.redis.url, SHANGHAI)
        running.await_(lambda: ledger.status([]).analysed == 3)
        commit = httpx2.get(f"{running.base}/{NAME}/commit/{clone.head}", trust_env=False)
        assert commit.status_code == 200
        assert "Change step 2" in commit.text
        running.await_(lambda: bool(ledger.report_days(NAME)))  # beat closed the day: it is long past
        page = httpx2.get(f"{running.base}/{NAME}/2026-02-17.md", trust_env=False).text
        ledger.close()
    assert "> 本日共 3 个提交 | " in page
    assert "覆盖 3/3 · 模型 0 · 规则 3 · 降级 0 · 待补 0" in page
    assert "| 2026-02-17 12:00:20 | octocat | Change step 2 " in page
    assert (tmp_path / f"reports/2026/{NAME}/2026-02-17.md").read_text() == page


def slow_git(folder: Path) -> str:
    """A PATH on which git takes a tenth of a second for each question, so that its worker is killed in the middle."""
    folder.mkdir()
    shim, git = folder / "git", shutil.which("git")
    shim.write_text(f"""#!/bin/sh
case "$*" in *--stdin*) ;; *) exec {git} "$@";; esac
while read -r line; do case "$line" in echo*) ;; *) sleep 0.1;; esac; echo "$line"; done | {git} "$@"
""")
    shim.chmod(0o755)
    return f"{folder}:{PLAIN['PATH']}"


@pytest.mark.kills(minutes=1)
def test_200_commits_survive_the_kill_of_their_worker(tmp_path: Path) -> None:
    clone = clone_of(tmp_path / "clone", 200)
    with daybook(configured(tmp_path, clone), DAYBOOK_CONCURRENCY="8", PATH=slow_git(tmp_path / "bin")) as running:
        ledger = Ledger(running.redis.url, SHANGHAI)
        post(running, clone)
        running.await_(lambda: 20 <= ledger.status([]).analysed < 190 or ledger.status([]).analysed == 200)
        before = ledger.status([]).analysed
        os.kill(running.supervisor.pids()["worker"], signal.SIGKILL)
        running.await_(lambda: ledger.status([]).analysed == 200)
        records = ledger.records(NAME, START.astimezone(SHANGHAI).date())
        status = ledger.status(["fetch", "analyse", "suspect"])
        ledger.close()
    assert before < 200
    assert len(records) == len({record.commit.sha for record in records}) == 200
    assert all(record.analysis and record.analysis.origin == "rules" for record in records)
    assert (status.received, status.analysed, status.waiting, status.failed) == (200, 200, 0, 0)


@pytest.mark.kills
def test_a_flushed_queue_loses_nothing(tmp_path: Path) -> None:
    clone = clone_of(tmp_path / "clone", 40)
    with daybook(configured(tmp_path, clone), only={"web"}) as running:
        ledger = Ledger(running.redis.url, SHANGHAI)
        post(running, clone)
        assert ledger.redis.llen("fetch") == 40
        ledger.redis.delete("fetch")
        ledger.enqueue("fetch", [b"this is not JSON", b"{}"])
        ledger.close()
    with daybook(tmp_path) as running:  # now with workers, on the same Redis files
        ledger = Ledger(running.redis.url, SHANGHAI)
        running.await_(lambda: ledger.status([]).analysed == 40)
        ledger.close()
