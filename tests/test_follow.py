"""Whose turn it is: polls at their interval, reconciliation hourly, one at a time; failed deliveries sent again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from structlog.testing import capture_logs

from core.models import Found
from core.settings import RepositorySettings, Settings
from tests.fakes.github import FakeGitHub
from tests.gitclone import Clone
from tests.pushes import push
from workers.app import app
from workers.celeryconfig import beat_schedule, task_routes
from workers.deliveries import ask_again
from workers.follow import followed, poll_due, poll_seconds, reconcile_due
from workers.reconcile import Reconciled, reconcile
from workers.services import Services, connect

NAME = "octocat/Hello-World"
POLLED = RepositorySettings(name=NAME, follow=("poll",))


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone(tmp_path / "clone")
    clone.commit("new", {"a": "1"}, when=datetime.now(UTC) - timedelta(seconds=1))
    return clone


@pytest.fixture
def fake(clone: Clone) -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        github.add_repository(NAME, clone.path)
        github.tokens.add("a token")
        yield github


@pytest.fixture
def services(fake: FakeGitHub, redis_url: str) -> Iterator[Services]:
    yield from serving(fake, redis_url, POLLED)


def serving(fake: FakeGitHub, redis_url: str, *tables: RepositorySettings, **changed: object) -> Iterator[Services]:
    given = {"github_token": SecretStr("a token"), **changed}
    services = connect(Settings(github_api_url=fake.url, daybook_repositories=tables, **given), redis_url)  # type: ignore[arg-type]
    yield services
    services.ledger.close()


def seconds_to_turn(services: Services, kind: str) -> float:
    return float(services.ledger.redis.pttl(f"daybook:turn:{kind}:{NAME.lower()}")) / 1000


def test_a_poll_is_made_once_a_minute(services: Services, fake: FakeGitHub) -> None:
    for _ in range(5):
        poll_due(services)
    assert services.ledger.redis.llen("fetch") == 1
    assert fake.paths().count(f"/repos/{NAME}") == 1
    assert 55 < seconds_to_turn(services, "poll") <= 60


def test_reconciliation_is_made_once_an_hour(services: Services, fake: FakeGitHub) -> None:
    for _ in range(5):
        reconcile_due(services)
    assert fake.paths().count(f"/repos/{NAME}") == 1
    assert 3590 < seconds_to_turn(services, "reconcile") <= 3600


def test_what_is_left_to_its_delivery_is_looked_at_again_soon(fake: FakeGitHub, redis_url: str) -> None:
    for services in serving(fake, redis_url, RepositorySettings(name=NAME)):
        reconcile_due(services)
        assert services.ledger.redis.llen("fetch") == 0
        assert 290 < seconds_to_turn(services, "reconcile") <= 300
        services.ledger.hurry(NAME)
        reconcile_due(services)
        assert fake.paths().count(f"/repos/{NAME}") == 2


def test_two_rounds_at_once_ask_once(services: Services, fake: FakeGitHub) -> None:
    threads = [threading.Thread(target=work, args=(services,)) for work in (poll_due, reconcile_due) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fake.paths().count(f"/repos/{NAME}") in (1, 2)
    assert services.ledger.redis.llen("fetch") == 1
    assert not services.ledger.redis.keys("daybook:lock:*")


def test_a_repository_with_a_webhook_alone_is_not_polled(fake: FakeGitHub, redis_url: str) -> None:
    for services in serving(fake, redis_url, RepositorySettings(name=NAME)):
        poll_due(services)
        assert fake.requests == []


def test_one_repository_that_fails_does_not_keep_the_others_waiting(fake: FakeGitHub, redis_url: str) -> None:
    gone = RepositorySettings(name="octocat/gone", follow=("poll",))
    for services in serving(fake, redis_url, gone, POLLED):
        poll_due(services)
        assert services.ledger.redis.llen("fetch") == 1
        outcome = services.ledger.outcome("octocat/gone")
        assert outcome
        assert outcome.answered_at is None


@pytest.mark.parametrize(
    ("remaining", "seconds"), [(None, 60), (1.0, 60), (0.5, 60), (0.25, 120), (0.05, 600), (0.0, 3600)]
)
def test_polls_come_more_rarely_when_few_requests_are_left(remaining: float | None, seconds: float) -> None:
    assert poll_seconds(Reconciled(NAME, "GitHub", remaining=remaining)) == pytest.approx(seconds)


def test_a_poll_that_failed_waits_longer_and_as_long_as_github_asks() -> None:
    assert poll_seconds(Reconciled(NAME, "GitHub", ok=False)) == 120
    assert poll_seconds(Reconciled(NAME, "GitHub", ok=False, retry_after=1800)) == 1800
    assert poll_seconds(Reconciled(NAME, "GitHub", ok=False, retry_after=9e9)) == 3600


def test_when_requests_run_low_the_next_turn_is_later(services: Services, fake: FakeGitHub) -> None:
    fake.remaining = 500
    poll_due(services)
    assert 290 < seconds_to_turn(services, "poll") < 310


def test_without_settings_the_repositories_that_pushes_came_from_are_reconciled(
    fake: FakeGitHub, redis_url: str
) -> None:
    for services in serving(fake, redis_url):
        assert followed(services) == []
        services.ledger.receive(push([1]).model_copy(update={"repository": NAME}), [b""])
        services.ledger.receive(push([2]).model_copy(update={"repository": "local/clone"}), [b""])
        assert followed(services) == [NAME]
        reconcile_due(services)
        assert fake.paths()[0] == f"/repos/{NAME}"


def test_the_tasks_have_a_queue_of_their_own_and_a_schedule() -> None:
    app.loader.import_default_modules()
    for name in ("poll", "reconcile"):
        assert f"daybook.{name}" in app.tasks
        assert task_routes[f"daybook.{name}"] == {"queue": "upstream"}
        assert beat_schedule[name]["task"] == f"daybook.{name}"


def delivery(number: int, guid: str, status: int, *, hours: float = 1, event: str = "push") -> dict[str, object]:
    when = (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": number, "guid": guid, "delivered_at": when, "status_code": status, "event": event, "status": "?"}


# Newest first, as GitHub lists them.
DELIVERIES = [
    delivery(9, "taken-at-last", 202), delivery(8, "taken-at-last", 503), delivery(7, "lost", 503),
    delivery(6, "lost", 0), delivery(5, "a-ping", 500, event="ping"), delivery(4, "fine", 202),
    delivery(3, "another", 413, hours=71), delivery(2, "too-old", 503, hours=73),
]  # fmt: skip


def test_failed_deliveries_of_three_days_are_asked_for_again_once(services: Services, fake: FakeGitHub) -> None:
    fake.administrators.add("a token")
    repository = fake.repositories[NAME.lower()]
    repository.hooks = [{"id": 1, "config": {"url": "https://ci.example/hook"}},
                        {"id": 2, "config": {"url": "https://daybook.example/webhooks/github"}}]  # fmt: skip
    repository.deliveries = DELIVERIES
    assert ask_again(services, NAME) == 2
    assert repository.redelivered == [7, 3]
    services.ledger.redis.delete(f"daybook:turn:deliveries:{NAME.lower()}")
    assert ask_again(services, NAME) == 0
    assert repository.redelivered == [7, 3]


def test_credentials_that_may_not_read_the_webhook_are_noted_once(services: Services) -> None:
    with capture_logs() as events:
        assert ask_again(services, NAME) == 0
        services.ledger.redis.delete(f"daybook:turn:deliveries:{NAME.lower()}")
        assert ask_again(services, NAME) == 0
    assert [event["event"] for event in events] == ["deliveries_not_readable"]


def test_an_apps_deliveries_are_asked_for_as_the_app(fake: FakeGitHub, redis_url: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption()).decode()  # fmt: skip
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    fake.add_app("7", public.decode(), {"octocat": 1})
    fake.app_hook.deliveries = DELIVERIES
    as_app = {"github_token": None, "github_app_id": "7", "github_app_private_key": SecretStr(private)}
    for services in serving(fake, redis_url, POLLED, **as_app):
        assert ask_again(services, NAME) == 2
        assert fake.app_hook.redelivered == [7, 3]


RENAMED, OLD = "octo-org/Hello", NAME


def rename(fake: FakeGitHub) -> None:
    """Both names lead to it from now on, as GitHub redirects the old one."""
    fake.repositories[OLD.lower()] = fake.add_repository(RENAMED, fake.repositories[OLD.lower()].clone)


@pytest.mark.parametrize("tables", [(), (RepositorySettings(name=OLD), RepositorySettings(name=RENAMED))])
def test_what_was_renamed_is_received_by_one_name_only(
    fake: FakeGitHub, redis_url: str, tables: tuple[RepositorySettings, ...]
) -> None:
    """Each commit was received, analysed and told of under both names, for ever."""
    for services in serving(fake, redis_url, *tables):
        services.ledger.receive(push([1], landed_at=datetime.now(UTC)).model_copy(update={"repository": OLD}), [b"x"])
        rename(fake)
        services.ledger.receive(
            push([2], landed_at=datetime.now(UTC)).model_copy(update={"repository": RENAMED}), [b"x"]
        )
        services.ledger.redis.delete("fetch")
        with capture_logs() as lines:
            done = [reconcile(services, name, Found.POLL) for name in (OLD, RENAMED)]
        assert [(one.repository, one.renamed, one.found > 0, one.ok) for one in done] == [
            (OLD, RENAMED, False, True),
            (RENAMED, "", True, True),
        ]
        (told,) = [line["remedy"] for line in lines if line["event"] == "repository_renamed"]
        assert told.startswith("change it in daybook.toml" if tables else "none: it is followed by its new name")
        outcome = services.ledger.outcome(OLD)
        assert outcome
        assert (outcome.renamed, outcome.answered_at is not None, outcome.why) == (RENAMED, True, "")


def test_until_its_new_name_is_known_a_renamed_repository_goes_on_under_the_old_one(
    fake: FakeGitHub, redis_url: str
) -> None:
    for services in serving(fake, redis_url):
        services.ledger.receive(push([1], landed_at=datetime.now(UTC)).model_copy(update={"repository": OLD}), [b"x"])
        rename(fake)
        done = reconcile(services, OLD, Found.POLL)
        assert (done.repository, done.renamed, done.found > 0) == (OLD, "", True)


def test_no_webhook_is_asked_about_where_none_is_followed(services: Services, fake: FakeGitHub) -> None:
    with capture_logs() as lines:
        reconcile_due(services)
    assert [path for path in fake.paths() if path.endswith("/hooks")] == []
    assert [line["event"] for line in lines] == ["reconciled"]
