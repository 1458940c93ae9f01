"""A thread that is done goes on with what waits in its queues, each commit once, until its worker is to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from celery.worker import state
from pydantic import SecretStr

from core.ledger import Ledger, Stage
from core.models import Commit, CommitRecord, Push
from core.settings import RepositorySettings, Settings, Watch
from tests.fakes.anthropic import FakeAnthropic
from tests.gitclone import START, Clone
from tests.working import KEY
from workers.app import messages, opening, wake
from workers.onward import work_on
from workers.services import Services, connect
from workers.stages import run
from workers.tasks import STAGES

NAME = "octocat/hello-world"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone(tmp_path / "clone")
    clone.commit("Begin", {"README.md": "Hello.\n"})
    return clone


@pytest.fixture
def services(clone: Clone, redis_url: str) -> Iterator[Services]:
    followed = RepositorySettings(name=NAME, source=str(clone.path))
    services = connect(Settings(_env_file=None, daybook_repositories=(followed,)), redis_url, tuple(Stage))
    yield services
    services.ledger.close()


def pushed(services: Services, clone: Clone, count: int) -> list[str]:
    """Receive the push of so many commits; their ids."""
    return received(services, [clone.commit(f"Change {n}", {"a.py": f"a = {n}\n"}) for n in range(count)])


def received(services: Services, shas: list[str]) -> list[str]:
    now = datetime.now(UTC)
    commits = [Commit(repository=NAME, sha=sha, message=f"Change {place}", author="octocat", committed_at=START,
                      landed_at=now, position=place, branch="main") for place, sha in enumerate(shas)]  # fmt: skip
    ids = [commit.id for commit in commits]
    push = Push(repository=NAME, branch="main", before="0" * 40, after=shas[-1], pushed_at=now, delivery="one",
                commits=tuple(commits))  # fmt: skip
    services.ledger.receive(push, messages(Stage.FETCH, ids))
    return ids


def by_end(services: Services, ids: list[str]) -> list[CommitRecord]:
    """Their records in the order in which their work ended."""
    found = [services.ledger.record(NAME, one.partition("@")[2]) for one in ids]
    records = [record for record in found if record and record.finished_at]
    assert len(records) == len(ids)
    return sorted(records, key=lambda record: record.finished_at or START)


def with_model(api: FakeAnthropic, redis_url: str, followed: RepositorySettings, calls: int = 32) -> Services:
    """Services that ask a model, so many calls at a time."""
    settings = Settings(_env_file=None, anthropic_api_key=SecretStr(KEY), anthropic_base_url=api.url,
                        daybook_concurrency=calls, daybook_repositories=(followed,))  # fmt: skip
    return connect(settings, redis_url, tuple(Stage))


def work_at_once(services: Services, ids: list[str]) -> None:
    """Have a thread begin with each of some commits, and wait for all."""
    threads = [threading.Thread(target=work_on, args=(services, one, Stage.FETCH, STAGES)) for one in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def waiting(ledger: Ledger) -> int:
    return int(ledger.redis.llen(Stage.FETCH) + ledger.redis.llen(Stage.ANALYSE))


def test_a_commit_that_a_mirror_has_not_fetched_yet_waits_for_it(
    services: Services, clone: Clone, tmp_path: Path
) -> None:
    origin = Clone(tmp_path / "origin")
    sha = origin.commit("Told before it is here", {"a.py": "a = 1\n"})
    (one,) = received(services, [sha])
    work_on(services, one, Stage.FETCH, STAGES)
    status = services.ledger.status([])
    assert (status.waiting, status.failed) == (1, 0)
    clone.git("fetch", "--quiet", str(origin.path))
    services.ledger.redis.hset(f"daybook:work:{one}", "not_before", 0)  # as if its wait were over
    work_on(services, one, Stage.FETCH, STAGES)
    assert (services.ledger.status([]).waiting, waiting(services.ledger)) == (0, 0)
    record = services.ledger.record(NAME, sha)
    assert record
    assert record.analysis
    assert record.analysis.origin == "rules"


def test_one_message_is_enough_for_all_that_waits(services: Services, clone: Clone) -> None:
    ids = pushed(services, clone, 4)
    work_on(services, ids[2], Stage.FETCH, STAGES)
    status = services.ledger.status([])
    assert (status.analysed, status.waiting) == (4, 0)
    assert waiting(services.ledger) == 0  # the one of the commit that was begun with too


def test_with_a_model_commits_pass_both_stages_and_are_asked_about_once(clone: Clone, redis_url: str) -> None:
    with FakeAnthropic(key=KEY) as api:
        services = with_model(api, redis_url, RepositorySettings(name=NAME, source=str(clone.path)))
        ids = pushed(services, clone, 6)
        work_at_once(services, ids[:3])
        records = [services.ledger.record(NAME, one.partition("@")[2]) for one in ids]
        asked = [request for request in api.requests if request.path == "/v1/messages"]
        assert services.analyst
        services.analyst.close()
        assert (services.ledger.status([]).waiting, waiting(services.ledger)) == (0, 0)
        services.ledger.close()
    assert [record and record.analysis and record.analysis.origin for record in records] == ["model"] * 6
    assert len(asked) == 6


@pytest.fixture
def asking(clone: Clone, redis_url: str) -> Iterator[tuple[Services, FakeAnthropic]]:
    """Services with a model that is asked about one commit at a time."""
    with FakeAnthropic(key=KEY, delay=1) as api:
        followed = RepositorySettings(name=NAME, source=str(clone.path), watch=Watch(paths=("engine/*",)))
        services = with_model(api, redis_url, followed, calls=1)
        yield services, api
        if services.analyst:
            services.analyst.close()
        services.ledger.close()


def test_more_threads_than_places_fetch_meanwhile_and_ask_no_more(
    asking: tuple[Services, FakeAnthropic], clone: Clone
) -> None:
    services, api = asking
    ids = pushed(services, clone, 4)
    threads = [threading.Thread(target=work_on, args=(services, one, Stage.FETCH, STAGES)) for one in ids[:3]]
    for thread in threads:
        thread.start()
    fetched_while_asked = 0
    while any(thread.is_alive() for thread in threads):
        if services.ledger.status([]).analysed == 0:
            fetched_while_asked = max(fetched_while_asked, services.ledger.meters().stages[Stage.ANALYSE].waiting)
        time.sleep(0.01)
    assert api.most_concurrent == 1
    assert fetched_while_asked >= 2  # the one that is asked about, and others
    assert (services.ledger.status([]).analysed, waiting(services.ledger)) == (4, 0)


def test_as_many_calls_as_are_allowed_are_under_way_and_never_more(clone: Clone, redis_url: str) -> None:
    with FakeAnthropic(key=KEY) as api:
        api.together = 8  # nobody is answered before so many have come
        services = with_model(api, redis_url, RepositorySettings(name=NAME, source=str(clone.path)), calls=8)
        ids = pushed(services, clone, 30)
        work_at_once(services, ids[:10])
        assert services.analyst
        services.analyst.close()
        assert (services.ledger.status([]).analysed, waiting(services.ledger)) == (30, 0)
        services.ledger.close()
    assert api.most_concurrent == 8


def test_a_thread_without_a_place_fetches_until_it_gets_one(
    asking: tuple[Services, FakeAnthropic], clone: Clone
) -> None:
    services, _ = asking
    services.places.acquire()
    first, *others = pushed(services, clone, 3)
    work_on(replace(services, stages=()), first, Stage.FETCH, STAGES)
    thread = threading.Thread(target=work_on, args=(services, first, Stage.ANALYSE, STAGES))
    thread.start()
    deadline = time.monotonic() + 60
    while services.ledger.meters().stages[Stage.FETCH].waiting:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert services.ledger.status([]).analysed == 0
    services.places.release()
    thread.join()
    assert services.ledger.status([]).analysed == 1 + len(others)


def test_a_thread_that_is_to_stop_before_it_gets_a_place_puts_its_message_back(
    asking: tuple[Services, FakeAnthropic], clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, _ = asking
    services.places.acquire()
    (one,) = pushed(services, clone, 1)
    services.ledger.redis.delete(Stage.FETCH)
    work_on(replace(services, stages=()), one, Stage.FETCH, STAGES)
    services.ledger.redis.delete(Stage.ANALYSE)  # as Celery does when it reads the message
    monkeypatch.setattr(state, "should_stop", 0)
    work_on(services, one, Stage.ANALYSE, STAGES)
    monkeypatch.undo()
    services.places.release()
    claim = services.ledger.take([(Stage.ANALYSE, opening(Stage.ANALYSE))])
    assert claim
    assert claim.id == one


def rewritten(lines: int) -> str:
    return "\n".join(f"value_{line} = compute({line}, 'some argument of it')" for line in range(lines))


def test_a_commit_that_takes_long_is_asked_about_before_those_that_wait_already(
    asking: tuple[Services, FakeAnthropic], clone: Clone
) -> None:
    services, api = asking
    api.delay = 0
    short = [clone.commit(f"Change {number}", {"a.py": f"a = {number}\n"}) for number in range(8)]
    long = clone.commit("Rewrite", {f"engine/part_{number}.py": rewritten(2_000) for number in range(3)})
    ids = received(services, [*short, long])
    for one in ids:
        claim = services.ledger.claim(one, Stage.FETCH)
        assert claim
        run(services, claim, STAGES[Stage.FETCH])
    work_on(services, ids[0], Stage.ANALYSE, STAGES)
    order = [record.commit.sha for record in by_end(services, ids)]
    assert order.index(long) <= 2
    assert [sha for sha in order if sha != long] == short
    assert (services.ledger.status([]).waiting, waiting(services.ledger)) == (0, 0)


def test_a_worker_that_is_to_stop_ends_what_it_has_and_leaves_the_rest(
    services: Services, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = pushed(services, clone, 3)
    monkeypatch.setattr(state, "should_stop", 0)
    work_on(services, ids[0], Stage.FETCH, STAGES)
    assert (services.ledger.status([]).analysed, waiting(services.ledger)) == (1, 3)


def test_a_process_takes_only_from_its_own_queues(services: Services, clone: Clone) -> None:
    ids = pushed(services, clone, 3)
    work_on(replace(services, stages=(Stage.ANALYSE,)), ids[0], Stage.FETCH, STAGES)
    assert (services.ledger.status([]).analysed, waiting(services.ledger)) == (1, 3)


def test_a_message_that_names_no_commit_is_left_for_celery(services: Services, clone: Clone) -> None:
    ids = pushed(services, clone, 3)
    services.ledger.redis.rpush(Stage.FETCH, wake("sweep"), b"\xff nonsense")  # next to be taken
    work_on(services, ids[0], Stage.FETCH, STAGES)
    assert services.ledger.status([]).analysed == 1
    assert services.ledger.redis.lindex(Stage.FETCH, -1) == b"\xff nonsense"
    assert waiting(services.ledger) == 5


def test_a_thread_that_never_ends_its_computing_holds_nobody_up_for_long(services: Services, clone: Clone) -> None:
    ids = pushed(services, clone, 2)
    with services.computing:
        work_on(services, ids[0], Stage.FETCH, STAGES)
    assert services.ledger.status([]).analysed == 2
