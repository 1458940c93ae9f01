"""Retention on a real Redis: records go, reports stay whole, and what is owed something is kept."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path

import pytest

from core.ledger import Stage
from core.ledger.packing import packed
from core.models import CommitRecord, Correction, Push, Tier
from core.settings import RepositorySettings, Settings, load_settings
from report.expired import alone
from report.json import report_from_json, report_json
from tests.gitclone import Clone
from tests.outline import html_outline
from tests.pushes import LANDED, REPOSITORY, push, sha
from tests.records import report, sha_of, varied_day
from tests.serving import Shelves, serving
from tests.test_days import CLOSES, DAY, done, kept, received
from workers.app import message
from workers.assembling import assembled
from workers.celeryconfig import beat_schedule, task_routes
from workers.days import close_due_days, write_day
from workers.retention import expire_due
from workers.services import Services, connect
from workers.stages import give_up

DUE = CLOSES + timedelta(days=30)  # LEDGER_DAYS is 30 here
KEYS = ("landed", "names", "pushes")


@pytest.fixture
def services(redis_url: str, tmp_path: Path) -> Iterator[Services]:
    clone = Clone(tmp_path / "clone")
    clone.commit("long ago", {"a": "1"}, when=LANDED - timedelta(days=400))
    followed = RepositorySettings(name=REPOSITORY, source=str(clone.path))
    settings = Settings(report_dir=tmp_path / "reports", report_time=clock(0, 30), report_grace_minutes=60,
                        ledger_days=30, daybook_repositories=(followed,))  # fmt: skip
    services = connect(settings, redis_url)
    yield services
    services.ledger.close()


def closed(services: Services, *numbers: int) -> None:
    """A day whose commits are analysed and whose report is written."""
    received(services, *numbers)
    for number in numbers:
        done(services, number)
    settle(services)


def settle(services: Services) -> None:
    """Close what is due and tell other days of it, as the rounds of a few seconds do."""
    for minute in range(3):
        close_due_days(services, CLOSES + timedelta(hours=2, minutes=minute))
    assert services.ledger.dirty_days() == []


def expired(services: Services, now: datetime = DUE) -> int:
    """How many commits a round lets go of, whenever the last one was."""
    services.ledger.redis.delete("daybook:turn:retention")
    return expire_due(services, now)


def left(services: Services) -> list[int]:
    """What the indices hold, and the records."""
    client = services.ledger.redis
    held = [sum(map(client.zcard, client.keys(f"daybook:{key}:{REPOSITORY}*"))) for key in KEYS]
    return [*held, len(client.keys("daybook:record:*"))]


def test_records_and_their_places_go_when_their_time_is_over_and_not_before(services: Services) -> None:
    closed(services, 1, 2)
    assert left(services) == [2, 2, 1, 2]
    assert expired(services, DUE - timedelta(days=1)) == 0
    assert left(services) == [2, 2, 1, 2]
    before = services.ledger.report(REPOSITORY, DAY)
    assert expired(services) == 2
    assert left(services) == [0, 0, 0, 0]
    assert services.ledger.record(REPOSITORY, sha(1)) is None
    assert services.ledger.report(REPOSITORY, DAY) == before
    assert expired(services) == 0


def test_an_expired_commit_is_found_by_its_sha_and_its_day_is_known(services: Services) -> None:
    closed(services, 1, 2)
    expired(services)
    assert services.ledger.past_day(REPOSITORY, sha(1)) == DAY
    assert services.ledger.past_day(REPOSITORY, sha(3)) is None
    assert services.ledger.past(REPOSITORY, [sha(1), sha(3)]) == {sha(1)}
    assert services.ledger.find_commit(REPOSITORY, sha(2)) == sha(2)
    assert services.ledger.shas_with(REPOSITORY, [sha(1)[:39]]) == {sha(1)[:39]: [sha(1), sha(2)]}


def test_it_is_done_once_a_day(services: Services) -> None:
    closed(services, 1)
    assert expire_due(services, CLOSES) == 0
    assert expire_due(services, DUE) == 0
    assert beat_schedule["expire"]["task"] == "daybook.expire"
    assert task_routes["daybook.expire"] == {"queue": "report"}


def test_with_no_limit_nothing_ever_goes(services: Services, redis_url: str) -> None:
    closed(services, 1)
    for_ever = connect(services.settings.model_copy(update={"ledger_days": 0}), redis_url)
    assert expire_due(for_ever, DUE + timedelta(days=9999)) == 0
    assert left(services) == [1, 1, 1, 1]
    for_ever.ledger.close()


def test_the_limit_is_a_setting_of_400_days(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings().ledger_days == 400
    monkeypatch.setenv("LEDGER_DAYS", "30")
    assert load_settings().ledger_days == 30


def test_an_expired_commit_that_is_received_again_is_known_and_not_news(services: Services) -> None:
    closed(services, 1)
    expired(services)
    again = push([1, 2], landed_at=LANDED + timedelta(days=40))
    assert services.ledger.receive(again, [b"{}", b"{}"]) == (1, 1)
    assert services.ledger.record(REPOSITORY, sha(1)) is None
    assert services.ledger.known(REPOSITORY, [sha(1), sha(2), sha(3)]) == {sha(1), sha(2)}


def test_a_correction_outlives_its_commits_record(services: Services) -> None:
    closed(services, 1)
    said = Correction(tier=Tier.HIGH, why="it mattered", at=datetime(2026, 2, 18, tzinfo=UTC))
    assert services.ledger.correct(f"{REPOSITORY}@{sha(1)}", said)
    settle(services)
    assert expired(services) == 1
    assert services.ledger.corrections() == {f"{REPOSITORY}@{sha(1)}": said}


def failed(services: Services, number: int) -> None:
    claim = services.ledger.claim(f"{REPOSITORY}@{sha(number)}", Stage.FETCH)
    assert claim
    give_up(services, claim, "529 overloaded")


def test_what_was_given_up_on_stays_until_it_is_done(services: Services) -> None:
    received(services, 1, 2)
    done(services, 1)
    failed(services, 2)
    settle(services)
    assert expired(services) == 1
    assert [record.commit.sha for record in services.ledger.failed()] == [sha(2)]
    assert services.ledger.reopen([f"{REPOSITORY}@{sha(2)}"], [message("fetch", sha(2))]) == 1
    assert expired(services) == 0  # at work
    done(services, 2)
    assert expired(services) == 0  # its day's page is to be made again
    assert kept(services) == (1, 2, 1)
    settle(services)
    assert kept(services) == (2, 2, 2)
    assert expired(services) == 1
    assert left(services) == [0, 0, 0, 0]


@pytest.mark.parametrize("document", [None, b"{}", b"not JSON"])
def test_a_day_without_a_sound_report_keeps_its_records(services: Services, document: bytes | None) -> None:
    closed(services, 1)
    key = f"daybook:report:{REPOSITORY}:{DAY}"
    if document is None:
        services.ledger.redis.delete(key)
    else:
        services.ledger.redis.set(key, zlib.compress(document))
    assert expired(services) == 0
    assert services.ledger.record(REPOSITORY, sha(1))


def test_a_commit_that_the_report_does_not_tell_of_keeps_its_record(services: Services) -> None:
    closed(services, 1)
    received(services, 2)
    done(services, 2)
    services.ledger.clean_day(REPOSITORY, DAY, time.time() + 1)  # as if its page had been made without it
    services.ledger.told(services.ledger.untold(10))
    assert expired(services) == 1
    assert [record.commit.sha for record in services.ledger.records(REPOSITORY, DAY)] == [sha(2)]


def test_making_an_expired_day_again_changes_nothing(services: Services) -> None:
    closed(services, 1, 2, 3)
    before = services.ledger.report(REPOSITORY, DAY)
    page = services.settings.report_dir / f"2026/{REPOSITORY}/2026-02-17.html"
    text = page.read_bytes()
    assert expired(services) == 3
    write_day(services, REPOSITORY, DAY)
    assert services.ledger.report(REPOSITORY, DAY) == before
    assert page.read_bytes() == text


def test_a_round_that_was_broken_off_leaves_a_whole_report(services: Services) -> None:
    closed(services, 1, 2, 3)
    before = services.ledger.report(REPOSITORY, DAY)
    one = services.ledger.records(REPOSITORY, DAY)[:1]
    assert services.ledger.expire(REPOSITORY, DAY, one) == 1
    write_day(services, REPOSITORY, DAY)
    assert services.ledger.report(REPOSITORY, DAY) == before
    assert expired(services) == 2


def test_a_late_commit_joins_what_the_kept_report_tells(services: Services) -> None:
    closed(services, 1, 2)
    expired(services)
    received(services, 3)
    done(services, 3)
    settle(services)
    report = report_from_json(services.ledger.report(REPOSITORY, DAY) or b"")
    assert [entry.sha for entry in report.entries] == [sha(2), sha(3), sha(1)]
    assert (report.revision, report.coverage.total, report.tiers.low + report.tiers.medium) == (2, 3, 3)
    assert report.trend[-1].total == 3
    assert expired(services) == 1
    assert assembled(services.ledger, services.settings, REPOSITORY, DAY) == report


def test_an_expired_commits_page_is_made_from_its_days_report(services: Services) -> None:
    closed(services, 1, 2)
    report = report_from_json(services.ledger.report(REPOSITORY, DAY) or b"")
    found = alone(report, sha(1))
    assert found
    assert [entry.sha for entry in found.entries] == [sha(1)]
    assert found.entries[0].title == "Change number 1"
    assert alone(report, sha(3)) is None


def test_the_site_shows_an_expired_commit() -> None:
    kept_day = report(varied_day())
    stored = {(kept_day.repository, kept_day.day): report_json([kept_day])}
    past = {(kept_day.repository, sha_of(number)): kept_day.day for number in (1, 5, 900)}
    with serving(Shelves(stored, {}, [kept_day.repository], past)) as site:
        high, low = (site.get(f"/octocat/hello-world/commit/{sha_of(number)}") for number in (1, 5))
        assert (high.status, low.status) == (200, 200)
        assert "删除了参数 <code>parser.parse.strict</code>" in high.text
        assert html_outline(low.text).headings == [(1, "docs: <details> a | b, see https://example.com")]
        assert f"/octocat/hello-world/2026-02-17#commit-octocat.hello-world-{sha_of(5)}" in html_outline(low.text).links
        assert site.get(f"/octocat/hello-world/commit/{sha_of(900)}").status == 404
    damaged = dict.fromkeys(stored, b"{}")
    with serving(Shelves(damaged, {}, [kept_day.repository], past)) as site:
        assert site.get(f"/octocat/hello-world/commit/{sha_of(1)}").status == 503


def test_pushes_go_with_their_days_but_those_that_replaced_commits_stay(services: Services) -> None:
    closed(services, 1)
    forced = push([], landed_at=LANDED, delivery="f").model_copy(update={"forced": True, "after": sha(9)})
    services.ledger.receive(Push.model_validate(forced.model_copy(update={"before": sha(8)})), [])
    assert left(services)[2] == 2
    expired(services)
    start, end = LANDED - timedelta(days=1), LANDED + timedelta(days=1)
    assert [one.after for one in services.ledger.forced_pushes(REPOSITORY, start, end)] == [sha(9)]
    assert left(services)[2] == 1


def test_days_are_gone_through_whatever_lies_between(services: Services) -> None:
    closed(services, 1)
    later = LANDED + timedelta(days=3)
    received(services, 2, landed_at=later)
    services.ledger.redis.hset("daybook:repositories", REPOSITORY, LANDED.timestamp())
    done(services, 2)
    close_due_days(services, CLOSES + timedelta(days=3, hours=2))
    close_due_days(services, CLOSES + timedelta(days=3, hours=2, minutes=2))
    assert services.ledger.first_landed(REPOSITORY, None, DAY) is None
    assert services.ledger.first_landed(REPOSITORY, DAY + timedelta(days=1), date(2027, 1, 1)) == later.date()
    assert expired(services) == 1
    assert expired(services, DUE + timedelta(days=3)) == 1


def test_what_is_left_of_a_commit_is_small(services: Services) -> None:
    """300 commits, which is more than one call of the script takes; measured by Redis itself."""
    ledger, client = services.ledger, services.ledger.redis
    ledger.save_report(REPOSITORY, DAY, b"{}")
    records = [CommitRecord(commit=commit) for commit in push(range(300)).commits]
    for one in records:
        client.set(f"daybook:record:{one.commit.id}", packed(one))
    assert ledger.expire(REPOSITORY, DAY, records) == 300
    assert client.keys("daybook:record:*") == []
    used = sum(client.memory_usage(key, samples=0) for key in client.keys("daybook:shas:*"))
    assert used / 300 < 60
