"""Credentials that a service refuses: told of at once, until a call goes well; and sources that fail for hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from cli.status import document, text
from core.ledger import Ledger, Stage
from core.models import Found
from core.settings import RepositorySettings, Settings
from tests.conftest import SHANGHAI
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.github import FakeGitHub
from tests.fakes.githubrepo import file_json
from tests.pushes import REPOSITORY, push, sha
from workers.alerts import watch
from workers.follow import FAILED_POLL_SECONDS
from workers.pauses import SERVICES
from workers.reconcile import reconcile
from workers.services import Services, connect
from workers.stages import analyse_commit, fetch_commit, run

NOW = datetime(2026, 2, 17, 12, 0, tzinfo=UTC)
PATCH = "@@ -1 +1 @@\n-old\n+new"
BAD = "GitHub refuses the credentials (Bad credentials): check {}"
CALM = timedelta(minutes=3)


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        fake.tokens = {"good"}
        fake.add_repository(REPOSITORY)
        fake.add_commit(REPOSITORY, sha(1), [file_json("README", patch=PATCH)])
        yield fake


def services_for(redis_url: str, folder: Path, github: FakeGitHub, **values: Any) -> Services:
    given = {"github_token": "good", "github_api_url": github.url, "report_dir": folder, **values}
    return connect(Settings(_env_file=None, **given), redis_url)


def work(services: Services, stage: Stage = Stage.FETCH) -> list[Any]:
    """Work on the commit, as a worker does; what the log tells of it."""
    claim = services.ledger.claim(f"{REPOSITORY}@{sha(1)}", stage)
    assert claim
    with capture_logs() as lines:
        run(services, claim, fetch_commit if stage is Stage.FETCH else analyse_commit)
    return lines


def told(services: Services, at: datetime) -> list[str]:
    """The alerts and all-clears that a look tells of."""
    with capture_logs() as lines:
        watch(services, at)
    return [f"{line['event']}: {line['text']}" for line in lines]


def test_a_token_that_is_refused_is_told_of_at_once_and_again_when_a_new_one_works(
    redis_url: str, tmp_path: Path, github: FakeGitHub
) -> None:
    bad = services_for(redis_url, tmp_path, github, github_token="revoked")
    bad.ledger.receive(push([1], landed_at=NOW), [b"{}"])
    assert next((line["event"], line["log_level"], line.get("reason")) for line in work(bad)) == (
        "paused", "warning", BAD.format("GITHUB_TOKEN"),
    )  # fmt: skip
    alert = f"alert: {BAD.format('GITHUB_TOKEN')}; what needs it waits, and goes on by itself then"
    assert told(bad, NOW) == [alert]
    assert told(bad, NOW + timedelta(minutes=30)) == []
    (line,) = [line for line in text(bad.ledger.meters(), None, {}, bad.ledger.pauses(SERVICES)).splitlines()
               if line.startswith("paused")]  # fmt: skip
    assert line.endswith(f"s more: {BAD.format('GITHUB_TOKEN')}")
    assert document(bad.ledger.meters(), None, {}, bad.ledger.pauses(SERVICES))["pauses"]["github"]["reason"]
    failed = reconcile(bad, REPOSITORY, Found.POLL)
    assert failed.why == f"calls to github are paused: {BAD.format('GITHUB_TOKEN')}"
    assert (failed.retry_after or 0) < FAILED_POLL_SECONDS
    bad.ledger.close()
    good = services_for(redis_url, tmp_path, github)
    over(good, "github")
    assert not [line for line in work(good) if line["log_level"] != "info"]
    clear = "all_clear: GitHub takes the credentials again"
    assert told(good, NOW + timedelta(minutes=31)) + told(good, NOW + timedelta(minutes=31) + CALM) == [clear]
    good.ledger.close()


def over(services: Services, service: str) -> None:
    """The pause is over, and a little more; the commit is due again."""
    services.ledger.redis.hset(f"daybook:pause:{service}", "until", 1)
    services.ledger.redis.hset(f"daybook:work:{REPOSITORY}@{sha(1)}", "not_before", 0)


def test_a_key_that_is_refused_is_told_of_and_not_any_more_when_there_is_none(
    redis_url: str, tmp_path: Path, github: FakeGitHub
) -> None:
    with FakeAnthropic(key="right") as api:
        keyed = {"anthropic_api_key": "wrong", "anthropic_base_url": api.url}
        services = services_for(redis_url, tmp_path, github, **keyed)
        services.ledger.receive(push([1], landed_at=NOW), [b"{}"])
        work(services)
        work(services, Stage.ANALYSE)
        (alert,) = told(services, NOW)
        assert alert.startswith("alert: the model's API refuses the key or the account (HTTP 401")
        assert services.analyst
        services.analyst.close()
        services.ledger.close()
        without = services_for(redis_url, tmp_path, github)
        assert told(without, NOW + CALM) + told(without, NOW + CALM * 2) == [
            "all_clear: the model's API takes the credentials again"
        ]
        without.ledger.close()


def test_a_source_that_fails_for_hours_is_told_of_and_its_answer_too(
    redis_url: str, tmp_path: Path, github: FakeGitHub
) -> None:
    table = RepositorySettings(name="octocat/gone", follow=("poll",))
    services = services_for(redis_url, tmp_path, github, daybook_repositories=(table,))
    for minutes in (0, 60, 121):
        reconcile(services, table.name, Found.POLL, now=NOW + timedelta(minutes=minutes))
    assert told(services, NOW + timedelta(minutes=119)) == []
    why = ("octocat/gone: GitHub has no such repository or branch, or the token or App may not read this repository: "
           "check its access")  # fmt: skip
    tail = "commits that no webhook tells of are not found meanwhile"
    assert told(services, NOW + timedelta(minutes=121)) == [
        f"alert: octocat/gone: its source has not answered for 2 hours: {why}; {tail}"
    ]
    services.ledger.answered(table.name, "GitHub", ["main"], NOW + timedelta(minutes=130))
    later = NOW + timedelta(minutes=131)
    assert told(services, later) + told(services, later + CALM) == ["all_clear: octocat/gone: its source answers again"]
    services.ledger.unanswered(table.name, "GitHub", "away", later)
    assert told(services, later + timedelta(minutes=100)) == []  # since then only
    services.ledger.close()


def test_a_source_that_is_not_followed_any_more_is_no_trouble(
    redis_url: str, tmp_path: Path, github: FakeGitHub
) -> None:
    ledger = Ledger(redis_url, SHANGHAI)
    ledger.unanswered("octocat/left", "GitHub", "away", NOW - timedelta(days=2))
    ledger.close()
    other = RepositorySettings(name="octocat/other")
    services = services_for(redis_url, tmp_path, github, daybook_repositories=(other,))
    assert told(services, NOW) == []
    services.ledger.close()
