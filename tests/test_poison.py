"""A commit that kills or hangs its worker harms nobody else: it is worked alone, then given up with its reason."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.reliability import NAME, configure, ended, kill, ledger_of, many_commits, results
from tests.running import PLAIN, daybook
from tests.test_pipeline import post
from workers.children import FREE

pytestmark = [pytest.mark.slow, pytest.mark.kills]

HEALTHY = 100
# A regular expression that runs for years inside one C call, so that no other thread runs either. It comes by a
# signal: the product has no hook for it.
RUN_WILD = """
import re, signal
signal.signal(signal.SIGUSR2, lambda *_: re.match('(a+)+$', 'a' * 60 + 'b'))
"""


DEEDS = ("kill -KILL $PPID", "kill -USR2 $PPID; sleep 1")


def poisoned_path(folder: Path, deeds: dict[str, str]) -> str:
    """A PATH on which `git` does something to the process that asks it for one of these commits.

    It looks at the arguments, and at each line that a kept git is asked before it passes it on.
    """
    folder.mkdir()
    shim, git = folder / "git", shutil.which("git")
    cases = "".join(f"*{sha}*) {deed};; " for sha, deed in deeds.items())
    shim.write_text(
        f"""#!/bin/sh
case "$*" in {cases}esac
case "$*" in *--stdin*) ;; *) exec {git} "$@";; esac
while read -r line; do
    case "$line" in {cases}esac
    echo "$line"
done | {git} "$@"
"""
    )
    shim.chmod(0o755)
    return f"{folder}:{PLAIN['PATH']}"


@pytest.mark.kills(minutes=1)
def test_a_commit_that_kills_and_one_that_hangs_among_a_hundred_on_the_same_worker(tmp_path: Path) -> None:
    clone = many_commits(tmp_path / "clone", HEALTHY + len(DEEDS))
    deeds = {clone.git("rev-parse", f"main~{20 + 40 * number}"): deed for number, deed in enumerate(DEEDS)}
    (tmp_path / "sitecustomize.py").write_text(RUN_WILD)
    environment = {"PATH": poisoned_path(tmp_path / "bin", deeds), "PYTHONPATH": str(tmp_path)}
    # The lease is longer than the 5 s after which a process that stands still ends itself.
    with daybook(configure(tmp_path, clone.path), DAYBOOK_LEASE_SECONDS="6.5", **environment) as running:
        ledger = ledger_of(running)
        started = time.monotonic()
        post(running, clone)
        running.await_(lambda: ledger.status([]).analysed == HEALTHY)
        healthy = time.monotonic() - started
        running.await_(lambda: ended(ledger, HEALTHY + len(DEEDS)))
        took = time.monotonic() - started
        records = {record.commit.sha: record for record in results(ledger)}
        failed = {record.commit.sha for record in ledger.failed()}
        ledger.close()
    print(f"{HEALTHY} healthy commits done after {healthy:.1f} s, poison given up after {took:.1f} s")
    assert failed == set(deeds)
    for sha in deeds:
        given_up = records.pop(sha)
        assert given_up.failure
        # Five, or one more on a busy machine, where the proof of a death may come when the next attempt has begun.
        assert re.fullmatch(
            "its worker died or hung [56] times in the fetch stage, working on nothing else", given_up.failure.reason
        )
        assert given_up.analysis
        assert given_up.analysis.origin == "degraded"
    assert len(records) == HEALTHY
    assert all(record.analysis and record.analysis.origin == "rules" for record in records.values())
    assert not any(record.failure for record in records.values())


def test_the_control_worker_replaces_its_children_and_takes_them_along(tmp_path: Path) -> None:
    clone = many_commits(tmp_path / "clone", 3)
    with daybook(configure(tmp_path, clone.path), DAYBOOK_LEASE_SECONDS="3") as running:
        ledger = ledger_of(running)
        control = running.supervisor.pids()["control"]

        def children() -> list[psutil.Process]:
            return psutil.Process(control).children()

        running.await_(lambda: any(name.startswith("control@") for name in ledger.meters().alive))
        running.await_(lambda: len(children()) == FREE)
        before = {child.pid for child in children()}
        os.kill(min(before), signal.SIGKILL)
        family: list[psutil.Process] = []

        def replaced() -> bool:
            family[:] = children()
            return len(family) == FREE and {child.pid for child in family} != before

        running.await_(replaced)
        kill(running, "control")
        gone, alive = psutil.wait_procs(family, timeout=60)
        assert (len(gone), alive) == (FREE, [])
        post(running, clone)
        running.await_(lambda: ended(ledger, 3))
        assert ledger.records(NAME, results(ledger)[0].commit.landed_at.date())
        ledger.close()
