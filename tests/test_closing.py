"""Before a day is closed its source is asked; one that fails says so on the page, which is mended when it answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.ledger import Stage
from core.settings import RepositorySettings, Settings
from report.daily import DailyReport
from report.json import report_from_json
from tests.conftest import SHANGHAI
from tests.fakes.github import FakeGitHub
from tests.gitclone import START, Clone
from workers.days import close_due_days
from workers.services import Services, connect
from workers.stages import fetch_commit

NAME = "octocat/Hello-World"
DAY = date(2026, 2, 17)
CLOSES = datetime(2026, 2, 18, 0, 30, tzinfo=SHANGHAI)
GRACE = timedelta(minutes=60)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone(tmp_path / "clone")
    clone.commit("long ago", {"a": "0"}, when=START - timedelta(days=400))
    return clone


@pytest.fixture
def fake(clone: Clone) -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        github.add_repository(NAME, clone.path)
        github.tokens.add("a token")
        yield github


@pytest.fixture
def services(fake: FakeGitHub, redis_url: str, tmp_path: Path) -> Iterator[Services]:
    settings = Settings(github_api_url=fake.url, github_token=SecretStr("a token"), report_dir=tmp_path / "reports",
                        report_grace_minutes=60, report_language="en",
                        daybook_repositories=(RepositorySettings(name=NAME),))  # fmt: skip
    services = connect(settings, redis_url)
    services.ledger.redis.hset("daybook:repositories", NAME, START.timestamp())  # a push was heard of that morning
    yield services
    services.ledger.close()


def close(services: Services, now: datetime) -> None:
    """A round of the scheduler, a minute or more after the last one."""
    services.ledger.redis.delete(f"daybook:turn:close:{NAME}")
    close_due_days(services, now)


def work(services: Services) -> None:
    """Do what is queued, as workers would: without a model a commit is done with its first stage."""
    for commit_id in [name.decode() for name in services.ledger.redis.zrange("daybook:open", 0, -1)]:
        claim = services.ledger.claim(commit_id, Stage.FETCH)
        assert claim
        assert fetch_commit(services, claim)


def kept(services: Services, day: date = DAY) -> DailyReport | None:
    document = services.ledger.report(NAME, day)
    return report_from_json(document) if document else None


def page(services: Services) -> str:
    return (services.settings.report_dir / f"2026/{NAME}/{DAY}.md").read_text()


def test_a_commit_that_no_delivery_told_of_is_on_the_days_page(services: Services, clone: Clone) -> None:
    lost = clone.commit("lost", {"a": "1"})
    close(services, CLOSES)
    assert kept(services) is None  # it is found, queued and waited for
    work(services)
    close(services, CLOSES + timedelta(minutes=1))
    report = kept(services)
    assert report
    assert [entry.sha for entry in report.entries] == [lost]
    assert (report.revision, report.coverage.covered, report.coverage.backfilled, report.source.ok) == (1, 1, 1, True)
    assert "backfilled 1" in page(services)


def test_a_quiet_day_says_what_was_asked(services: Services) -> None:
    close(services, CLOSES)
    assert kept(services)
    assert (
        "> No commits on this day.\n>\n> Asked: branch main of octocat/Hello-World on GitHub, "
        "as of 2026-02-18 00:30 (Asia/Shanghai)\n"
    ) in page(services)
    before = page(services)
    close(services, CLOSES + timedelta(hours=1))
    assert page(services) == before


def test_a_source_that_is_down_is_waited_for_and_then_said_to_be_down_and_the_page_mended(
    services: Services, clone: Clone, fake: FakeGitHub
) -> None:
    lost = clone.commit("lost", {"a": "1"})
    fake.misbehave("error", times=1000)
    close(services, CLOSES)
    close(services, CLOSES + GRACE - timedelta(minutes=1))
    assert kept(services) is None
    close(services, CLOSES + GRACE)
    report = kept(services)
    assert report
    assert (report.revision, report.entries, report.source.ok) == (1, (), False)
    assert "whether there were commits on this day is not known" in page(services)
    close(services, CLOSES + GRACE + timedelta(minutes=1))
    assert kept(services) == report
    fake.recover()
    close(services, CLOSES + GRACE + timedelta(minutes=2))
    work(services)
    close(services, CLOSES + GRACE + timedelta(minutes=3))
    mended = kept(services)
    assert mended
    assert ([entry.sha for entry in mended.entries], mended.revision, mended.source.ok) == ([lost], 2, True)
    assert "not known" not in page(services)
    assert not services.ledger.waits_for_source(NAME)


def test_a_quiet_page_is_mended_too(services: Services, fake: FakeGitHub) -> None:
    fake.misbehave("error", times=1000)
    close(services, CLOSES + GRACE)
    fake.recover()
    close(services, CLOSES + GRACE + timedelta(minutes=2))
    report = kept(services)
    assert report
    assert (report.revision, report.source.ok) == (2, True)
    assert "No commits on this day." in page(services)


def test_a_failing_source_is_not_asked_in_every_round(services: Services, fake: FakeGitHub) -> None:
    fake.misbehave("error", times=1000)
    close(services, CLOSES)
    asked = len(fake.requests)
    for second in range(5):
        close_due_days(services, CLOSES + timedelta(seconds=15 * second))
    assert len(fake.requests) == asked


def test_days_missed_are_caught_up_with_one_comparison(services: Services, clone: Clone, fake: FakeGitHub) -> None:
    line = [clone.commit(f"{day}", {"a": f"{day}"}, when=START + timedelta(days=day)) for day in range(3)]
    close(services, CLOSES + timedelta(days=2))
    work(services)
    close(services, CLOSES + timedelta(days=2, minutes=1))
    for number, sha in enumerate(line):
        report = kept(services, DAY + timedelta(days=number))
        assert report
        assert [entry.sha for entry in report.entries] == [sha]
        assert report.source.ok
    assert fake.paths().count(f"/repos/{NAME}") == 1


def test_what_is_followed_no_more_is_not_asked_about(services: Services, fake: FakeGitHub) -> None:
    services.ledger.redis.hset("daybook:repositories", "octocat/gone", START.timestamp())
    close(services, CLOSES)
    assert services.ledger.report("octocat/gone", DAY)
    assert not [path for path in fake.paths() if "gone" in path]
