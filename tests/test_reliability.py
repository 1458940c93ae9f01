"""Whatever dies, whatever is in the queue: each commit is analysed, and its one result stored."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.replay import HOOK_PATH, chosen
from cli.replay import post as post_pushes
from core.ledger import Ledger
from tests.fakes.anthropic import FakeAnthropic
from tests.reliability import NAME, calls, configure, ended, kill, ledger_of, many_commits, results, seconds_until
from tests.running import SECRET, Daybook, daybook
from tests.test_analyst import KEY
from tests.test_pipeline import post
from workers.app import message
from workers.landings import Landing

pytestmark = [pytest.mark.slow, pytest.mark.kills]

LEASE = "3"


def with_model(folder: Path, api: FakeAnthropic, **environment: str) -> AbstractContextManager[Daybook]:
    """A Daybook with short leases and a model."""
    model = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": api.url, "DAYBOOK_LEASE_SECONDS": LEASE}
    return daybook(folder, **model | environment)


def check_results(ledger: Ledger, api: FakeAnthropic, count: int) -> Counter[str]:
    """Each commit has one result by the model; returns how often the model was asked about each."""
    records, asked, status = results(ledger), calls(api), ledger.status([])
    assert len({record.commit.sha for record in records}) == len(records) == count
    assert all(record.analysis and record.analysis.origin == "model" for record in records)
    assert (status.received, status.analysed, status.waiting, status.failed) == (count, count, 0, 0)
    assert set(asked) == {record.commit.sha for record in records}
    repeats = sum(asked.values()) - count
    outcomes = {stage: dict(meter.outcomes) for stage, meter in ledger.meters().stages.items()}
    assert repeats <= status.leases_lost, (asked, outcomes)  # none without a lost lease
    print(f"{count} commits: {repeats} repeated model calls, {status.leases_lost} leases lost")
    return asked


def test_the_kill_of_a_worker_in_mid_call_leaves_one_result_after_its_lease(tmp_path: Path) -> None:
    clone = many_commits(tmp_path / "clone", 1)
    with FakeAnthropic(key=KEY, delay=2) as api, with_model(configure(tmp_path, clone.path), api) as running:
        ledger = ledger_of(running)
        post(running, clone)
        running.await_(lambda: api.concurrent == 1)
        kill(running, "worker")
        took = seconds_until(running, ledger, 1)
        asked = check_results(ledger, api, 1)
        ledger.close()
    print(f"killed in mid-call: done {took:.1f} s later")
    assert list(asked.values()) == [2]


def test_a_worker_that_is_told_to_end_under_load_ends_what_it_has_begun_and_no_more(tmp_path: Path) -> None:
    clone = many_commits(tmp_path / "clone", 300)
    with FakeAnthropic(key=KEY, delay=0.5) as api, with_model(
        configure(tmp_path, clone.path), api, DAYBOOK_CONCURRENCY="4", DAYBOOK_LEASE_SECONDS="30"
    ) as running:  # fmt: skip
        ledger = ledger_of(running)
        post(running, clone)
        running.await_(lambda: ledger.status([]).analysed > 4)
        before = running.supervisor.pids()["worker"]
        kill(running, "worker", signal.SIGTERM)
        running.await_(lambda: running.supervisor.pids().get("worker") not in {None, before})
        left = ledger.status([]).waiting
        running.await_(lambda: ended(ledger, 300))
        check_results(ledger, api, 300)
        status = ledger.status([])
        ledger.close()
    assert left > 100
    assert status.leases_lost == 0


@pytest.mark.kills(minutes=2)
def test_twenty_kills_under_a_load_of_a_thousand_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.supervisor.LONGEST_PAUSE_SECONDS", 0.5)  # kills sooner after each other
    clone = many_commits(tmp_path / "clone", 1000)
    api = FakeAnthropic(key=KEY, delay=0.3)
    with api, with_model(configure(tmp_path, clone.path), api, DAYBOOK_CONCURRENCY="8") as running:
        ledger = ledger_of(running)
        threading.Thread(target=post, args=(running, clone), daemon=True).start()
        for number in range(20):
            running.await_(lambda number=number: len(api.requests) >= 40 * (number + 1))  # type: ignore[misc]
            kill(running, "worker")
        took = seconds_until(running, ledger, 1000)
        check_results(ledger, api, 1000)
        ledger.close()
    print(f"all over {took:.1f} s after the last of 20 kills")


def test_a_frozen_worker_loses_its_leases_and_cannot_overwrite(tmp_path: Path) -> None:
    """A task slower than its lease: the model is asked again only when the lease has run out, and one result stays."""
    clone = many_commits(tmp_path / "clone", 4)
    api = FakeAnthropic(key=KEY, delay=1)
    with api, with_model(configure(tmp_path, clone.path), api, DAYBOOK_CONCURRENCY="4") as running:
        ledger = ledger_of(running)
        post(running, clone)
        running.await_(lambda: api.concurrent == 4)
        stopped, first = time.monotonic(), running.supervisor.pids()["worker"]
        os.kill(first, signal.SIGSTOP)
        running.await_(lambda: len(api.requests) > 4)
        again = time.monotonic() - stopped
        running.await_(lambda: ended(ledger, 4))
        os.kill(first, signal.SIGCONT)
        time.sleep(1.5)  # it writes what it has, in vain
        asked = check_results(ledger, api, 4)
        assert ledger.status([]).leases_lost >= 4
        ledger.close()
    print(f"asked again {again:.1f} s after the worker froze")
    assert again > 3 * 2 / 3  # what is left of a lease that is renewed every third of it
    assert min(asked.values()) == 2


def test_a_call_longer_than_a_lease_is_made_once_while_its_worker_lives(tmp_path: Path) -> None:
    clone = many_commits(tmp_path / "clone", 4)
    api = FakeAnthropic(key=KEY, delay=16)
    with api, with_model(configure(tmp_path, clone.path), api, DAYBOOK_LEASE_SECONDS="8") as running:
        ledger = ledger_of(running)
        post(running, clone)
        running.await_(lambda: ended(ledger, 4))
        asked = check_results(ledger, api, 4)
        assert ledger.status([]).leases_lost == 0
        ledger.close()
    assert set(asked.values()) == {1}


@pytest.mark.kills(minutes=1)
def test_redis_comes_back_to_busy_workers(tmp_path: Path) -> None:
    clone = many_commits(tmp_path / "clone", 150)
    api = FakeAnthropic(key=KEY, delay=1)
    with api, with_model(configure(tmp_path, clone.path), api, DAYBOOK_CONCURRENCY="8") as running:
        ledger = ledger_of(running)
        post(running, clone)
        processes = running.supervisor.pids()
        for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP):  # killed, closed, frozen
            seen = ledger.status([]).analysed
            running.await_(lambda seen=seen: ledger.status([]).analysed >= seen + 8)  # type: ignore[misc]
            away(running, api, how, seconds=7)
        took = seconds_until(running, ledger, 150)
        check_results(ledger, api, 150)
        ledger.close()
        after = running.supervisor.pids()
    print(f"all 150 done {took:.1f} s after the last return")
    assert [after[name] for name in ("worker", "control", "beat")] == [
        processes[name] for name in ("worker", "control", "beat")
    ]  # they waited for it


def away(running: Daybook, api: FakeAnthropic, how: signal.Signals, seconds: float) -> None:
    """Take Redis away for a while under the load, until the model is called again."""
    pid = running.supervisor.pids()["redis"]
    os.kill(pid, how)
    time.sleep(seconds)  # nobody starts it again for a while
    if how is signal.SIGSTOP:
        os.kill(pid, signal.SIGCONT)
    running.supervisor.tick()
    returned, asked = time.monotonic(), len(api.requests)
    running.await_(lambda: len(api.requests) > asked)
    print(f"Redis {how.name}: next model call {time.monotonic() - returned:.1f} s after its return")


def test_a_queue_flushed_by_hand_is_swept_together_again(tmp_path: Path) -> None:
    clone = many_commits(tmp_path / "clone", 60)
    api = FakeAnthropic(key=KEY, delay=0.3)
    calm = {"DAYBOOK_CONCURRENCY": "4", "DAYBOOK_LEASE_SECONDS": "8"}  # no lease is lost to a busy machine
    with api, with_model(configure(tmp_path, clone.path), api, **calm) as running:
        ledger = ledger_of(running)
        post(running, clone)
        running.await_(lambda: ledger.status([]).analysed >= 4)
        ledger.redis.delete("fetch", "analyse", "suspect", "control", "report")
        took = seconds_until(running, ledger, 60)
        asked = check_results(ledger, api, 60)
        ledger.close()
    print(f"queues flushed: all done {took:.1f} s later")
    assert set(asked.values()) == {1}


GARBAGE = {
    "no JSON": b"\xff\xfe this is no JSON",
    "another shape": b'["a", {"b": 1}]',
    "no headers": b'{"body": "e30=", "properties": {}}',
    "a number": b"12345678901234567890",
    "5 MB": b'{"body": "' + b"x" * (5 << 20) + b'"}',
}


def test_garbage_in_the_queue_is_survived(tmp_path: Path) -> None:
    kinds = {**GARBAGE, "unknown task": _celery_message("unknown task"), "arguments": _celery_message("arguments")}
    clone = many_commits(tmp_path / "clone", 20 * len(kinds))
    with daybook(configure(tmp_path, clone.path), DAYBOOK_LEASE_SECONDS=LEASE) as running:
        ledger = ledger_of(running)
        pushes = chosen(clone.path, last=20 * len(kinds))
        for turn, (kind, garbage) in enumerate(kinds.items()):
            for queue in ("fetch", "analyse", "suspect", "control", "report"):
                ledger.enqueue(queue, [garbage, garbage])
            send(running, pushes[20 * turn : 20 * turn + 20])
            took = seconds_until(running, ledger, 20 * turn + 20)
            ends = sum("ended with" in line for line in running.lines)
            print(f"garbage ({kind}): all done after {took:.1f} s, {ends} ends of processes so far")
        records = results(ledger)
        ledger.close()
    assert [record.analysis and record.analysis.origin for record in records] == ["rules"] * 20 * len(kinds)


def send(running: Daybook, pushes: list[Landing]) -> None:
    """Post some pushes."""
    url = running.base + HOOK_PATH
    assert {sent.status for sent in post_pushes(pushes, url, SecretStr(SECRET), name=NAME, branch="main")} == {202}


def _celery_message(kind: str) -> bytes:
    """A well-formed message of Celery that asks for something that there is not."""
    whole = message("fetch", f"{NAME}@{'a' * 40}")
    if kind == "unknown task":
        return whole.replace(b"daybook.fetch", b"daybook.dance")
    return whole.replace(b'[[\\"' + NAME.encode() + b"@" + b"a" * 40 + b'\\"]', b'[[1, 2, {\\"x\\": 3}]')
