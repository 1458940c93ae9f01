"""Limits and bad moments of GitHub and the model: one's limit pauses all, no thread is held beyond its deadline."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import Transient
from core.ledger import Ledger
from tests.fakes.anthropic import Behaviour, FakeAnthropic
from tests.fakes.github import FakeGitHub
from tests.fakes.githubrepo import file_json
from tests.reliability import NAME, calls, configure, ended, ledger_of, many_commits, results
from tests.running import daybook
from tests.test_analyst import KEY, MODELS, analyse
from tests.test_pipeline import post
from workers.analyst import Analyst
from workers.github import GitHub

SHA = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d"


@contextmanager
def dripping(head: bytes) -> Iterator[str]:
    """A server that answers with `head` and then a byte every 50 ms for ever, so that no single wait is long."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # who has waited long enough hangs up
            connection.sendall(head)
            while not stop.wait(0.05):
                connection.sendall(b" ")

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        server.shutdown(socket.SHUT_RDWR)


HEADERS = b"HTTP/1.1 200 OK\r\nX-Long: "
BODY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"


@pytest.mark.parametrize("head", [HEADERS, BODY], ids=["headers", "body"])
def test_github_dripping_holds_no_thread_beyond_the_deadline(head: bytes) -> None:
    with dripping(head) as url:
        started = time.monotonic()
        with pytest.raises(Transient, match=r"GitHub could not be reached|an unexpected form"):
            GitHub(api_url=url, timeout=1, total=0.5).diff(NAME, SHA)
        assert 0.4 < time.monotonic() - started < 10  # it would drip for ever


@pytest.mark.parametrize("head", [HEADERS, BODY], ids=["headers", "body"])
def test_the_model_dripping_holds_no_thread_beyond_the_deadline(head: bytes) -> None:
    with dripping(head) as url:
        analyst = Analyst(api_key=SecretStr(KEY), base_url=url, models=MODELS, timeout=1, total=0.5)
        started = time.monotonic()
        with pytest.raises(Transient, match="did not answer in time"):
            analyse(analyst)
        assert 0.4 < time.monotonic() - started < 10  # it would drip for ever
        analyst.close()


def test_the_deadline_is_for_all_calls_of_one_analysis() -> None:
    with FakeAnthropic(key=KEY, delay=0.4) as api:
        api.script(Behaviour.TRUNCATED, Behaviour.INVALID_JSON, Behaviour.PROMPT_TOO_LONG)
        analyst = Analyst(api_key=SecretStr(KEY), base_url=api.url, models=MODELS, timeout=1, total=0.7)
        with pytest.raises(Transient, match="did not answer in time") as caught:
            analyse(analyst)
        analyst.close()
    assert caught.value.usage.calls == 1  # type: ignore[attr-defined] # the call that was answered is paid for


def test_after_a_deadline_the_next_call_works() -> None:
    with FakeGitHub() as fake:
        fake.add_repository(NAME)
        fake.add_commit(NAME, SHA, [file_json("README", patch="@@ -1 +1 @@\n-old\n+new")])
        client = GitHub(api_url=fake.url, timeout=5, total=0.5)
        fake.misbehave("slow", seconds=2)
        with pytest.raises(Transient):
            client.diff(NAME, SHA)
        assert client.diff(NAME, SHA).additions == 1


def test_a_pause_is_everybodys_and_ends_in_a_ramp(ledger: Ledger) -> None:
    assert ledger.admit("anthropic").wait == 0
    assert ledger.pause("anthropic", 30) == pytest.approx(30, abs=0.02)
    assert 20 < ledger.paused("anthropic") <= 30
    asked = [(time.monotonic(), ledger.admit("anthropic").wait, time.monotonic()) for _ in range(200)]
    # In the order of asking, each with a place of its own: two a second at first, then more and more.
    places = [(before + wait, after + wait) for before, wait, after in asked]
    assert all(latest > earliest for (earliest, _), (_, latest) in pairwise(places))
    assert places[0][0] > asked[0][0] + 20
    assert places[1][1] - places[0][0] > 0.3 > places[-1][0] - places[-2][1]
    assert ledger.admit("github").wait == 0


def test_a_pause_that_is_under_way_can_only_become_longer(ledger: Ledger) -> None:
    ledger.pause("github", 60)
    ledger.pause("github", 1)
    assert ledger.paused("github") > 59
    ledger.pause("github", 90)
    assert ledger.paused("github") > 89


def test_a_limit_without_a_time_doubles_its_pause(ledger: Ledger) -> None:
    asked = []
    for _ in range(3):
        ledger.pause("anthropic", None)
        asked.append(round(ledger.paused("anthropic")))
        ledger.redis.hset("daybook:pause:anthropic", "until", 0)  # it is over
    assert asked == [5, 10, 20]


@pytest.mark.slow
@pytest.mark.kills
def test_a_limit_of_the_model_stops_all_calls_and_everything_is_analysed_afterwards(tmp_path: Path) -> None:
    clone = many_commits(tmp_path / "clone", 30)
    with FakeAnthropic(key=KEY, delay=0.05) as api:
        api.retry_after = "4"
        api.script(*[Behaviour.FINE] * 8, *[Behaviour.RATE_LIMITED] * 4)
        environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": api.url, "DAYBOOK_CONCURRENCY": "4"}
        with daybook(configure(tmp_path, clone.path), **environment) as running:
            ledger = ledger_of(running)
            post(running, clone)
            running.await_(lambda: ledger.paused("anthropic") > 0)
            time.sleep(0.5)  # calls under way end
            before = len(api.requests)
            time.sleep(2)
            assert len(api.requests) == before
            assert ledger.status([]).waiting > 0
            running.await_(lambda: ended(ledger, 30))
            records = results(ledger)
            ledger.close()
        assert len(api.requests) == 30 + 4  # each limited call was made once more, and no other
        assert len(calls(api)) == 30
    assert [record.analysis and record.analysis.origin for record in records] == ["model"] * 30


@pytest.mark.slow
@pytest.mark.kills
def test_a_limit_of_github_leaves_a_local_clone_alone(tmp_path: Path) -> None:
    local, remote = many_commits(tmp_path / "local", 20), many_commits(tmp_path / "remote", 5)
    configure(tmp_path, local.path)
    with (tmp_path / "daybook.toml").open("a") as tables:
        tables.write('[[repository]]\nname = "octocat/remote"\nsource = "github"\n')
    with FakeGitHub() as github:
        github.add_repository("octocat/remote", remote.path)
        github.misbehave("secondary", times=1, seconds=40)
        with daybook(tmp_path, GITHUB_API_URL=github.url) as running:
            ledger = ledger_of(running)
            post(running, remote, name="octocat/remote")
            running.await_(lambda: ledger.paused("github") > 0)
            post(running, local)
            running.await_(lambda: sum(record.analysis is not None for record in results(ledger)) == 20)
            assert ledger.paused("github") > 0
            running.await_(lambda: ended(ledger, 25))
            assert not ledger.failed()
            ledger.close()


@pytest.mark.slow
@pytest.mark.kills
def test_a_commit_that_github_does_not_know_yet_is_asked_for_once_more(tmp_path: Path) -> None:
    clone = many_commits(tmp_path / "clone", 2)
    with FakeGitHub() as github:
        github.add_repository(NAME, clone.path)
        github.misbehave("error", times=2, status=404)
        with daybook(configure(tmp_path, "github"), GITHUB_API_URL=github.url) as running:
            ledger = ledger_of(running)
            post(running, clone)
            running.await_(lambda: ended(ledger, 2))
            assert not ledger.failed()
            ledger.close()


@pytest.mark.slow
@pytest.mark.kills
def test_a_refused_commit_is_shown_by_its_facts_and_what_it_cost_is_counted(tmp_path: Path) -> None:
    clone = many_commits(tmp_path / "clone", 2)
    with FakeAnthropic(key=KEY) as api:
        api.script(Behaviour.REFUSAL, Behaviour.FINE)
        environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": api.url, "DAYBOOK_CONCURRENCY": "1"}
        with daybook(configure(tmp_path, clone.path), **environment) as running:
            ledger = ledger_of(running)
            post(running, clone)
            running.await_(lambda: ended(ledger, 2))
            (failed,), status = ledger.failed(), ledger.status([])
            ledger.close()
    assert failed.failure
    assert failed.failure.attempts == 1  # at once
    assert failed.failure.reason == "the model declined to analyse this commit (refusal)"
    assert failed.analysis
    assert (failed.analysis.origin, status.failed, status.analysed) == ("degraded", 1, 1)
    assert status.today["model_calls"] == 2
