"""Analyses without a model, from a local clone, by a whole Daybook: commits a second, processes and memory.

    python -m bench.rulebook CLONE [CLONE …] [--commits 1000] [--sizes 250,500] [--replay 10000] [--json FILE]

For each clone a Daybook is started as `daybook up` does it, without a model; the clone's last commits are posted as
fast as they are taken, and the time from the first POST to the last stored analysis is told, with the CPU of each
process and the number of git processes that were started. `--sizes` measures smaller numbers too, for the growth.
With `--replay`, so many commits of all clones' histories follow, under new names when one history is through, while
the worker's memory is watched. Facts and triage alone are measured on ready diffs, for one CPU.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from bench.figures import Figures, calibration, cpu_seconds, family, growth, higher, lower, resident_megabytes, write
from cli.replay import HOOK_PATH, post
from cli.triage import commit_from
from core.ledger import Ledger
from core.settings import RepositorySettings
from tests.conftest import SHANGHAI
from tests.running import PLAIN, SECRET, Daybook, daybook
from workers.facts import facts_from
from workers.gitrepo import GitRepository
from workers.landings import Landing
from workers.rules import load_rules
from workers.triage import triage

PROCESSES = ("web", "worker", "control", "beat", "redis")
WAIT_SECONDS = 900.0
BRANCH = "rulebook"  # one that the clone does not have, so that reconciliation does not bring what is posted
READY_ROUNDS = 3
MEMORY_EVERY = 1000


class Timed(NamedTuple):
    """One clone's run: commits, seconds, CPU seconds by process, git processes started."""

    commits: int
    seconds: float
    cpu: dict[str, float]
    gits: int


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", type=Path, nargs="+")
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--sizes", default="", help="smaller numbers of commits that are measured too")
    parser.add_argument("--replay", type=int, default=0, help="commits over which memory is watched")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures: Figures = {}
    for clone in options.clones:
        figures |= measured(clone, options.commits, [int(size) for size in options.sizes.split(",") if size])
    if options.replay:
        figures |= watched(options.clones, options.replay)
    write(options.json, figures)


def measured(clone: Path, commits: int, sizes: Sequence[int]) -> Figures:
    """Everything about one clone's last commits."""
    name, loop = title(clone), calibration()
    ready = on_ready_diffs(clone, commits)
    print(
        f"{name}: facts and triage of ready diffs {ready:.0f} commits/s on one CPU, {ready * loop:.2f} per calibration"
    )
    figures = {f"rulebook {name} facts and triage": higher(ready * loop, "commits per calibration loop")}
    runs = [whole(clone, size) for size in sorted({*sizes, commits})]
    for run in runs:
        print(f"{name}: {run.commits} commits in {run.seconds:.1f} s, {run.commits / run.seconds:.0f} commits/s, "
              f"{run.gits} git processes; CPU a commit "
              + ", ".join(f"{one} {1000 * cpu / run.commits:.1f} ms" for one, cpu in run.cpu.items()))  # fmt: skip
    last, loop = runs[-1], statistics.mean((loop, calibration()))
    cpu = sum(last.cpu.values()) / last.commits
    print(
        f"{name}: CPU a commit in all {1000 * cpu:.1f} ms, {cpu / loop:.2f} calibration loops of {1000 * loop:.0f} ms"
    )
    figures |= {
        f"rulebook {name} rate": higher(last.commits / last.seconds * loop, "commits per calibration loop"),
        f"rulebook_{name}_per_second": higher(last.commits / last.seconds, "commits/s"),
        f"rulebook {name} cpu": lower(cpu / loop, "calibration loops a commit"),
        f"rulebook {name} git processes": lower(last.gits / last.commits, "git processes a commit"),
    }
    if len(runs) > 1:
        exponent = growth([(run.commits, sum(run.cpu.values())) for run in runs])
        print(f"{name}: CPU grows with the number of commits to the power of {exponent:.2f}")
        figures[f"rulebook {name} growth"] = lower(exponent, "exponent of CPU")
    return figures


def on_ready_diffs(clone: Path, commits: int) -> float:
    """Commits a second of CPU, from diffs that were read before to facts and tier; the best of a few rounds."""
    repository, rules, table = GitRepository(clone), load_rules(), RepositorySettings(name="octocat/bench")
    heads = [info for push in last_commits(clone, commits) for info in push.commits]
    read = [(commit_from(info, table.name), repository.diff(info.sha)) for info in heads]
    best = float("inf")
    for _ in range(READY_ROUNDS):
        started = time.process_time()
        for commit, diff in read:
            triage(commit, facts_from(commit, diff), rules, table)
        best = min(best, time.process_time() - started)
    return len(read) / best


def last_commits(clone: Path, commits: int) -> list[Landing]:
    """The last pushes that bring so many commits; the first of them in part, if need be."""
    chosen, count = list[Landing](), 0
    for push in reversed(GitRepository(clone).first_parent(last=commits)):
        kept = push.commits[-(commits - count) :]
        chosen.append(replace(push, commits=kept))
        count += len(kept)
        if count >= commits:
            break
    return chosen[::-1]


def whole(clone: Path, commits: int) -> Timed:
    """Post a clone's last commits to a Daybook of its own, which has started, and wait for the last analysis."""
    first, *pushes = last_commits(clone, commits + 1)
    name = "octocat/bench"
    with started({name: clone}) as (running, ledger, gits):
        deliver(running, [first], name)
        await_analysed(running, ledger, len(first.commits))
        before = {one: cpu_seconds(pid) for one, pid in running.supervisor.pids().items()}
        began = time.perf_counter()
        deliver(running, pushes, name)
        posted = sum(len(push.commits) for push in pushes)
        await_analysed(running, ledger, len(first.commits) + posted)
        seconds = time.perf_counter() - began
        cpu = {one: cpu_seconds(pid) - before[one] for one, pid in running.supervisor.pids().items()}
        return Timed(posted, seconds, {one: cpu[one] for one in PROCESSES}, count_lines(gits))


@contextmanager
def started(sources: dict[str, Path]) -> Iterator[tuple[Daybook, Ledger, Path]]:
    """A Daybook without a model that follows these clones by name, its ledger, and a file with a line for each git."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = (
            f'[[repository]]\nname = "{name}"\nsource = "{path.resolve()}"\nbranches = ["{BRANCH}"]\n'
            for name, path in sources.items()
        )
        (folder / "daybook.toml").write_text("".join(tables))
        with daybook(folder, PATH=counting_path(folder)) as running:
            ledger = Ledger(running.redis.url, SHANGHAI)
            yield running, ledger, folder / "gits"
            ledger.close()


def counting_path(folder: Path) -> str:
    """A PATH whose git writes a line before it becomes the real one."""
    (folder / "bin").mkdir()
    shim = folder / "bin" / "git"
    shim.write_text(f'#!/bin/sh\necho >> {folder}/gits\nexec {shutil.which("git")} "$@"\n')
    shim.chmod(0o755)
    return f"{folder}/bin{os.pathsep}{PLAIN['PATH']}"


def deliver(running: Daybook, pushes: Sequence[Landing], name: str) -> None:
    """Post the pushes, one after the other."""
    for delivered in post(pushes, running.base + HOOK_PATH, SecretStr(SECRET), name=name, branch=BRANCH):
        assert not delivered.refused, delivered.error


def await_analysed(running: Daybook, ledger: Ledger, commits: int) -> None:
    """Wait until so many commits have an analysis, none of them given up."""
    running.await_(lambda: ledger.status([]).analysed >= commits, WAIT_SECONDS)
    assert not ledger.failed()


def count_lines(path: Path) -> int:
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def watched(clones: Sequence[Path], commits: int) -> Figures:
    """The worker's memory while the histories are replayed, and again under new names, up to so many commits."""
    histories = [GitRepository(clone).first_parent() for clone in clones]
    rounds = 1 + commits // sum(len(push.commits) for history in histories for push in history)
    sources = {f"octocat/{title(clone)}-{turn}": clone for turn in range(rounds) for clone in clones}
    sizes = list[tuple[int, float]]()
    with started(sources) as (running, ledger, gits):
        worker, done, began = running.supervisor.pids()["worker"], 0, time.monotonic()
        for name, history in zip(sources, histories * rounds, strict=True):
            for pushes in in_batches(history, MEMORY_EVERY):
                if done >= commits:
                    break
                deliver(running, pushes, name)
                done += sum(len(push.commits) for push in pushes)
                await_analysed(running, ledger, done)
                sizes.append((done, resident_megabytes(worker)))
                helpers = sum(resident_megabytes(process.pid) for process in family(worker)[1:])
                print(f"{done:6} commits: worker {sizes[-1][1]:.0f} MB, its git processes {helpers:.0f} MB", flush=True)
        assert running.supervisor.pids()["worker"] == worker, "the worker was started again"
        print(f"{done} commits in {time.monotonic() - began:.0f} s, {count_lines(gits)} git processes")
    first = statistics.median(size for _, size in sizes[: max(1, len(sizes) // 3)])
    last = statistics.median(size for _, size in sizes[-max(1, len(sizes) // 3) :])
    print(f"the worker's memory in the last third against the first: {last / first:.2f}")
    return {
        "rulebook memory": lower(last / first, "last third against the first"),
        "rulebook memory peak": lower(max(size for _, size in sizes), "MB"),
    }


def in_batches(pushes: Sequence[Landing], commits: int) -> Iterator[list[Landing]]:
    """Consecutive pushes that bring at least so many commits together."""
    batch, count = list[Landing](), 0
    for push in pushes:
        batch.append(push)
        count += len(push.commits)
        if count >= commits:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


def title(clone: Path) -> str:
    """What a clone is called here: the last part of its path that says anything."""
    resolved = clone.resolve()
    names = [part for part in resolved.parts if part not in {"repo", ".git"}]
    return re.sub(r"[^A-Za-z0-9.]+", "-", names[-1].rpartition("+")[2].removesuffix(".git"))


if __name__ == "__main__":
    main()
