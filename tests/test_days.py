"""The close of a day: its report is written when it is due, caught up when missed, and again for a late commit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import daybook
from core.ledger import Stage
from core.models import Diff, FileChange
from core.settings import RepositorySettings, Settings
from report.daily import DailyReport
from report.json import report_from_json
from tests.gitclone import Clone
from tests.pushes import LANDED, REPOSITORY, push, sha
from workers import days
from workers.app import message
from workers.assembling import assembled
from workers.closing import closes_at
from workers.days import ask_sources, close_due_days, due_days
from workers.facts import facts_from
from workers.rules import load_rules
from workers.services import Services, connect
from workers.stages import analyse_commit, give_up
from workers.triage import triage

DAY = date(2026, 2, 17)  # LANDED is noon of it in Shanghai
CLOSES = datetime(2026, 2, 17, 16, 30, tzinfo=UTC)  # 00:30 of the 18th in Shanghai


@pytest.fixture
def services(redis_url: str, tmp_path: Path) -> Iterator[Services]:
    clone = Clone(tmp_path / "clone")
    clone.commit("long ago", {"a": "1"}, when=LANDED - timedelta(days=400))
    followed = RepositorySettings(name=REPOSITORY, source=str(clone.path))
    settings = Settings(report_dir=tmp_path / "reports", report_time=time(0, 30), report_grace_minutes=60,
                        daybook_repositories=(followed,))  # fmt: skip
    services = connect(settings, redis_url)
    yield services
    services.ledger.close()


def received(services: Services, *numbers: int, landed_at: datetime = LANDED) -> None:
    services.ledger.receive(push(numbers, landed_at=landed_at), [b"{}"] * len(numbers))
    services.ledger.redis.hset("daybook:repositories", REPOSITORY, landed_at.timestamp())  # as if heard of it then


def done(services: Services, number: int) -> None:
    """Fetch and analyse a commit as a worker would, with a diff given."""
    claim = services.ledger.claim(f"{REPOSITORY}@{sha(number)}", Stage.FETCH)
    assert claim
    change = FileChange(
        path="src/a.py", status="modified", additions=1, deletions=1, patch="@@ -1 +1 @@\n-a = 1\n+a = 2"
    )
    diff = Diff(sha=sha(number), parents=(sha(0),), files=(change,), additions=1, deletions=1)
    facts = facts_from(claim.record.commit, diff)
    judged = triage(claim.record.commit, facts, load_rules(), services.repository(REPOSITORY))
    record = claim.record.model_copy(update={"facts": facts, "triage": judged})
    services.ledger.advance(claim, record, Stage.ANALYSE, diff, message("analyse", claim.id))
    analysing = services.ledger.claim(claim.id, Stage.ANALYSE)
    assert analysing
    assert analyse_commit(services, analysing)


def kept(services: Services, day: date = DAY) -> tuple[int, int, int]:
    """Revision, commits and how many of them are covered, of the report that is kept."""
    document = services.ledger.report(REPOSITORY, day)
    assert document
    report = report_from_json(document)
    return report.revision, len(report.entries), report.coverage.covered


def files(services: Services) -> list[str]:
    folder = services.settings.report_dir
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_day_is_closed_at_report_time_in_the_reports_zone_and_not_before(services: Services) -> None:
    received(services, 1)
    done(services, 1)
    assert closes_at(services, DAY) == CLOSES
    close_due_days(services, CLOSES - timedelta(seconds=1))
    assert files(services) == []
    close_due_days(services, CLOSES)
    assert files(services) == [f"2026/{REPOSITORY}/2026-02-17.{form}" for form in ("html", "json", "md")]
    assert kept(services) == (1, 1, 1)


def test_a_day_counts_as_analysed_while_a_commit_of_it_is_only_analysed_anew(services: Services) -> None:
    assert services.ledger.is_analysed(REPOSITORY, DAY)  # nothing landed
    received(services, 1, 2)
    done(services, 1)
    assert not services.ledger.is_analysed(REPOSITORY, DAY)
    done(services, 2)
    assert services.ledger.is_analysed(REPOSITORY, DAY)
    assert services.ledger.reanalyse(f"{REPOSITORY}@{sha(2)}", message("fetch", f"{REPOSITORY}@{sha(2)}"))
    assert services.ledger.is_analysed(REPOSITORY, DAY)


def test_closing_again_changes_nothing(services: Services) -> None:
    received(services, 1)
    done(services, 1)
    close_due_days(services, CLOSES)
    page = services.settings.report_dir / f"2026/{REPOSITORY}/2026-02-17.md"
    before = page.read_bytes(), services.ledger.report(REPOSITORY, DAY)
    close_due_days(services, CLOSES + timedelta(minutes=1))
    assert (page.read_bytes(), services.ledger.report(REPOSITORY, DAY)) == before


def test_an_unfinished_day_waits_for_its_grace_and_is_then_published_as_it_is(services: Services) -> None:
    received(services, 1, 2)
    done(services, 1)
    close_due_days(services, CLOSES + timedelta(minutes=59))
    assert services.ledger.report_days(REPOSITORY) == []
    close_due_days(services, CLOSES + timedelta(minutes=60))
    assert kept(services) == (1, 2, 1)
    done(services, 2)
    close_due_days(services, CLOSES + timedelta(minutes=61))
    assert kept(services) == (2, 2, 2)
    assert services.ledger.dirty_days() == []


def test_a_day_that_fails_keeps_no_other_waiting_and_is_written_when_it_can_be(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    received(services, 1)
    done(services, 1)
    write = days.write_day

    def broken(services: Services, repository: str, day: date) -> DailyReport:
        if day == DAY:
            raise LookupError("a fault of our own")
        return write(services, repository, day)

    late = CLOSES + timedelta(days=2)
    monkeypatch.setattr(days, "write_day", broken)
    close_due_days(services, late)
    assert services.ledger.report_days(REPOSITORY) == [DAY + timedelta(days=2), DAY + timedelta(days=1)]
    monkeypatch.setattr(days, "write_day", write)
    close_due_days(services, late)
    assert kept(services) == (1, 1, 1)
    assert services.ledger.dirty_days() == []


def test_days_missed_while_the_scheduler_was_down_are_caught_up_quiet_ones_too(services: Services) -> None:
    received(services, 1)
    done(services, 1)
    received(services, 2, landed_at=LANDED + timedelta(days=3))
    services.ledger.redis.hset("daybook:repositories", REPOSITORY, LANDED.timestamp())
    done(services, 2)
    late = CLOSES + timedelta(days=3)
    ask_sources(services, late)
    assert [day for _, day in due_days(services, late)] == [DAY + timedelta(days=ahead) for ahead in range(4)]
    close_due_days(services, late)
    assert [kept(services, DAY + timedelta(days=ahead))[1] for ahead in range(4)] == [1, 0, 0, 1]


def test_a_day_before_the_first_is_written_when_its_commits_are_found_late(services: Services) -> None:
    received(services, 1)
    done(services, 1)
    close_due_days(services, CLOSES)
    earlier = LANDED - timedelta(days=40)
    received(services, 2, landed_at=earlier)
    done(services, 2)
    close_due_days(services, CLOSES + timedelta(minutes=1))
    assert kept(services, DAY - timedelta(days=40)) == (1, 1, 1)
    assert len(services.ledger.report_days(REPOSITORY)) == 2


def test_the_same_records_give_the_same_report_and_no_new_revision(services: Services) -> None:
    received(services, 1, 2)
    done(services, 1)
    done(services, 2)
    close_due_days(services, CLOSES)
    assert assembled(services.ledger, services.settings, REPOSITORY, DAY) == assembled(
        services.ledger, services.settings, REPOSITORY, DAY
    )
    assert assembled(services.ledger, services.settings, REPOSITORY, DAY).revision == 1


def test_the_command_says_of_a_day_that_it_is_still_open_until_it_is_closed(
    services: Services, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"REDIS_URL": redis_url, "REPORT_LANGUAGE": "en", "REPORT_TIMEZONE": "Asia/Shanghai"}.items():
        monkeypatch.setenv(name, value)

    def told(day: date) -> tuple[bool, bool]:
        """Whether the Markdown, and the JSON, say that the day is still open."""
        text, document = (
            CliRunner().invoke(daybook, ["report", REPOSITORY, str(day), "--format", form]).stdout_bytes
            for form in ("md", "json")
        )
        return b"> This day is still open: " in text, report_from_json(document).still_open

    received(services, 1)
    done(services, 1)
    assert told(DAY) == (True, True)
    assert told(DAY + timedelta(days=1)) == (True, True)  # without a commit so far
    assert told(DAY - timedelta(days=1)) == (False, False)  # before the repository was heard of
    assert services.ledger.report_days(REPOSITORY) == []  # looking closes nothing
    close_due_days(services, CLOSES)
    assert told(DAY) == (False, False)
    document = services.ledger.report(REPOSITORY, DAY)
    assert document
    assert not report_from_json(document).still_open


def test_a_commit_given_up_is_on_the_page_and_marked(services: Services) -> None:
    received(services, 1)
    claim = services.ledger.claim(f"{REPOSITORY}@{sha(1)}", Stage.FETCH)
    assert claim
    give_up(services, claim, "GitHub knows no such commit")
    close_due_days(services, CLOSES)
    page = (services.settings.report_dir / f"2026/{REPOSITORY}/2026-02-17.md").read_text()
    assert "降级 1" in page
    assert "GitHub knows no such commit" in page
    assert [record.commit.sha for record in services.ledger.failed()] == [sha(1)]


def test_two_schedulers_do_not_write_at_once(services: Services) -> None:
    received(services, 1)
    done(services, 1)
    other = services.ledger.lock("close_days", 60)
    assert other.acquire()
    close_due_days(services, CLOSES)
    assert services.ledger.report_days(REPOSITORY) == []
    other.release()
    close_due_days(services, CLOSES)
    assert services.ledger.report_days(REPOSITORY) == [DAY]


@pytest.mark.parametrize(
    ("zone", "day", "closes"),
    [
        ("Europe/Berlin", date(2026, 3, 28), datetime(2026, 3, 28, 23, 30, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 10, 25), datetime(2026, 10, 25, 23, 30, tzinfo=UTC)),
        ("Pacific/Kiritimati", date(2026, 1, 1), datetime(2026, 1, 1, 10, 30, tzinfo=UTC)),
    ],
)
def test_report_time_is_local_where_clocks_change_too(zone: str, day: date, closes: datetime, redis_url: str) -> None:
    services = connect(Settings(report_timezone=zone), redis_url)
    assert closes_at(services, day) == closes
    services.ledger.close()


def test_a_report_knows_the_counts_of_the_month_before_it(services: Services) -> None:
    received(services, 1)
    done(services, 1)
    close_due_days(services, CLOSES)
    close_due_days(services, CLOSES + timedelta(days=1, hours=2))
    raw = services.ledger.report(REPOSITORY, DAY + timedelta(days=1))
    assert raw
    assert [(count.day, count.total) for count in report_from_json(raw).trend] == [
        (DAY, 1),
        (DAY + timedelta(days=1), 0),
    ]
