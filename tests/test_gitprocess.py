"""Diffs from git processes that are kept: the same as from one for each, whatever becomes of process or clone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from core.errors import Permanent, Transient
from core.models import Diff
from tests.gitclone import Clone, run_git
from workers import gitprocess
from workers.gitprocess import MOST_PROCESSES, Command, Processes
from workers.gitrepo import GitRepository


@pytest.fixture(autouse=True)
def _none_kept() -> Iterator[None]:
    gitprocess.shared.end_all()
    yield
    gitprocess.shared.end_all()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


@pytest.fixture
def gits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Counts the git processes that are started from here on."""
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "git"
    shim.write_text(f'#!/bin/sh\necho >> {tmp_path}/started\nexec {shutil.which("git")} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return lambda: len((tmp_path / "started").read_bytes())


def history(clone: Clone, count: int) -> list[str]:
    return [clone.commit(f"change {number}", {"a.py": f"value = {number}\n"}) for number in range(count)]


def value_in(diff: Diff) -> str:
    return (diff.files[0].patch or "").splitlines()[-1]


def children() -> list[psutil.Process]:
    alive = list[psutil.Process]()
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            is_git = process.name() == "git" and process.status() != psutil.STATUS_ZOMBIE
            alive += [process] if is_git else []
    return alive


def test_many_commits_of_one_clone_take_one_process(clone: Clone, gits: Callable[[], int]) -> None:
    shas = history(clone, 40)
    before = gits()
    values = [value_in(GitRepository(clone.path).diff(sha)) for sha in shas]
    assert values == [f"+value = {number}" for number in range(40)]
    assert gits() - before == 1


def test_many_threads_and_clones_share_a_bounded_number_of_processes(tmp_path: Path) -> None:
    clones = [Clone(tmp_path / f"clone{number}") for number in range(2 * MOST_PROCESSES)]
    asked = [(clone, sha, number) for clone in clones for number, sha in enumerate(history(clone, 6))]
    most = 0

    def value(one: tuple[Clone, str, int]) -> bool:
        nonlocal most
        read = value_in(GitRepository(one[0].path).diff(one[1]))
        most = max(most, len(children()))
        return read == f"+value = {one[2]}"

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(value, asked * 3))
    assert 1 <= most <= MOST_PROCESSES


def test_a_clone_that_was_repacked_and_grew_meanwhile(clone: Clone, gits: Callable[[], int]) -> None:
    shas = history(clone, 5)
    repository = GitRepository(clone.path)
    repository.diff(shas[0])
    clone.git("repack", "-a", "-d", "-q")
    clone.git("prune-packed")
    new = clone.commit("later", {"a.py": "value = 'new'\n"})
    clone.git("gc", "--quiet", "--prune=now")
    before = gits()
    assert [value_in(repository.diff(sha)) for sha in (*shas, new)][-2:] == ["+value = 4", "+value = 'new'"]
    assert gits() - before <= 2


def test_a_clone_that_was_deepened_meanwhile(clone: Clone, tmp_path: Path) -> None:
    history(clone, 3)
    newest = clone.commit("newest", {"a.py": "value = 'newest'\n"})
    shallow = tmp_path / "shallow"
    run_git("clone", "--quiet", "--bare", "--depth=1", f"file://{clone.path}", str(shallow))
    with pytest.raises(Permanent, match="run git fetch --unshallow"):
        GitRepository(shallow).diff(newest)
    run_git("fetch", "--quiet", "--unshallow", git_dir=shallow)
    diff = GitRepository(shallow).diff(newest)
    assert (diff.files[0].status, diff.parents) == ("modified", (clone.git("rev-parse", f"{newest}^"),))


def test_attributes_in_the_index_have_no_effect(clone: Clone) -> None:
    clone.commit("one", {".gitattributes": "*.py binary\n", "a.py": "value = 1\n"})
    sha = clone.commit("two", {"a.py": "value = 2\n"})
    run_git("--work-tree", str(clone.path), "checkout", "--force", "--quiet", "main", git_dir=clone.git_dir)
    assert (clone.git_dir / "index").exists()
    assert value_in(GitRepository(clone.path).diff(sha)) == "+value = 2"


def test_a_commit_nobody_knows_costs_the_next_one_nothing(clone: Clone) -> None:
    sha = history(clone, 2)[-1]
    for _ in range(3):
        with pytest.raises(Transient, match="has no commit"):
            GitRepository(clone.path).diff("f" * 40)
        assert value_in(GitRepository(clone.path).diff(sha)) == "+value = 1"


def test_a_process_that_died_is_replaced(clone: Clone) -> None:
    shas = history(clone, 2)
    GitRepository(clone.path).diff(shas[0])
    for process in children():
        process.kill()
        process.wait(10)
    assert value_in(GitRepository(clone.path).diff(shas[1])) == "+value = 1"


def test_after_an_answer_that_was_too_long_the_next_one_is_whole(clone: Clone) -> None:
    large = clone.commit("large", {"a.py": "value = 0\n" * 5000})
    small = clone.commit("small", {"a.py": "value = 1\n"})
    repository = GitRepository(clone.path, max_diff_bytes=4096)
    for number in range(2):
        assert repository.diff(large).files[0].missing == "too_large"
        assert value_in(repository.diff(clone.commit("tiny", {"b.py": f"{number}\n"}))) == f"+{number}"
    assert GitRepository(clone.path).diff(small).deletions == 5000


def test_a_process_that_is_late_is_not_asked_again(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = history(clone, 2)[-1]
    shim = tmp_path / "git"
    shim.write_text(f'#!/bin/sh\n[ -e {tmp_path}/awake ] || exec sleep 60\nexec {shutil.which("git")} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(Transient, match=r"git took over 0\.2 seconds"):
        GitRepository(clone.path, timeout_seconds=0.2).diff(sha)
    assert not children()
    (tmp_path / "awake").touch()
    assert value_in(GitRepository(clone.path).diff(sha)) == "+value = 1"


def test_waiting_for_a_process_counts_towards_the_deadline(tmp_path: Path) -> None:
    processes = Processes(most=1)
    asleep = Command.of(["sleep", "60"], tmp_path, {"PATH": os.environ["PATH"]}, ())

    def occupy() -> None:
        with suppress(TimeoutError):
            processes.ask(asleep, "x", seconds=5, limit=9)

    first = threading.Thread(target=occupy)
    first.start()
    time.sleep(0.2)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        processes.ask(asleep, "x", seconds=0.3, limit=9)
    assert time.monotonic() - started < 4
    first.join()


def test_idle_processes_end(tmp_path: Path) -> None:
    processes = Processes(idle_seconds=0.2)
    cat = Command.of(["cat"], tmp_path, {"PATH": os.environ["PATH"]}, ())
    assert processes.ask(cat, "hello", seconds=20, limit=100) == b"hello\n"
    deadline = time.monotonic() + 20
    while children():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert processes.ask(cat, "again", seconds=20, limit=100) == b"again\n"
    processes.end_all()


def test_what_a_commit_says_cannot_end_an_answer(clone: Clone) -> None:
    text = "".join(f"echo {number:032x}\n" for number in range(200))
    sha = clone.commit("echo", {"echo": text})
    assert GitRepository(clone.path).diff(sha).additions == 200


@pytest.mark.slow
def test_they_end_with_a_worker_that_was_killed(clone: Clone) -> None:
    sha = history(clone, 1)[0]
    code = f"""
import time, pathlib
from workers.gitrepo import GitRepository
GitRepository(pathlib.Path({str(clone.path)!r})).diff({sha!r})
print("ready", flush=True)
time.sleep(60)
"""
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert worker.stdout
    assert worker.stdout.readline() == b"ready\n"
    kept = psutil.Process(worker.pid).children()
    assert [process.name() for process in kept] == ["git"]
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    gone, alive = psutil.wait_procs(kept, timeout=20)
    assert (len(gone), alive) == (1, [])
