"""Somebody is told once and hears the all-clear once, through Slack's outages and restarts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from core.ledger import AlertState, Ledger, Stage
from core.settings import Settings
from tests.conftest import SHANGHAI
from tests.fakes.feishu import SECRET, FakeFeishu
from tests.fakes.slack import TOKEN, FakeSlack
from tests.pushes import LANDED, REPOSITORY, push, sha
from tests.running import daybook
from workers.alerts import (
    Alert,
    Late,
    Quiet,
    State,
    conditions,
    days_like,
    quiet_since,
    read_state,
    turn,
    watch,
)
from workers.app import wake
from workers.services import Services, connect
from workers.stages import give_up

NOW = datetime(2026, 2, 17, 12, 0, tzinfo=UTC)
CLEAR = timedelta(minutes=2)
FAILURES = "🚨 Daybook: 5 of 5 commits that ended within the hour were given up (100%); see `daybook failed`"


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlack]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FakeSlack() as fake:
        yield fake


def services_for(redis_url: str, folder: Path, **values: Any) -> Services:
    return connect(Settings(_env_file=None, report_dir=folder, report_time=time(0, 30), **values), redis_url)


@pytest.fixture
def services(redis_url: str, tmp_path: Path, slack: FakeSlack) -> Iterator[Services]:
    made = services_for(
        redis_url, tmp_path, slack_bot_token=TOKEN, slack_alert_channel="#alerts", slack_channel="#daybook",
        slack_api_url=slack.api_url,
    )  # fmt: skip
    yield made
    made.ledger.close()


def fail(services: Services, *numbers: int) -> None:
    """Commits that were given up on, of a repository heard of today."""
    services.ledger.receive(push(numbers, landed_at=NOW), [b"{}"] * len(numbers))
    services.ledger.redis.hset("daybook:repositories", REPOSITORY, NOW.timestamp())
    for number in numbers:
        claim = services.ledger.claim(f"{REPOSITORY}@{sha(number)}", Stage.FETCH)
        assert claim
        give_up(services, claim, "gone")


def forget_failures(services: Services) -> None:
    """As an hour does."""
    services.ledger.redis.delete(*services.ledger.redis.keys("daybook:ended:*"))


def test_nothing_is_wrong_with_nothing() -> None:
    assert conditions(State()) == []


@pytest.mark.parametrize(
    ("state", "texts"),
    [
        (State(analysed=4, failed=1), []),  # 20 % is not passed
        (State(analysed=1, failed=3), []),  # four say too little
        (State(analysed=7, failed=2), [("2 of 9 commits that ended within the hour were given up (22%); "
                                       "see `daybook failed`")]),
        (State(waiting=3, oldest_seconds=1800), []),
        (State(waiting=3, oldest_seconds=2520), [("the oldest of 3 waiting commits waits for 42 minutes; "
                                                 "see `daybook status`")]),
        (State(memory_used=900 * 2**20, memory_limit=0), []),
        (State(memory_used=850 * 2**20, memory_limit=1000 * 2**20), [
            "Redis uses 85% of its 1000 MiB (maxmemory); when it is full, pushes are refused: raise maxmemory"]),
        (State(late={"a/b": Late(date(2026, 2, 17), 1), "c/d": Late(date(2026, 2, 15), 3)}), [
            "a/b: the report of 2026-02-17 is late; see `daybook status` and the control worker's log",
            ("c/d: the report of 2026-02-15 (and of 2 more days) is late; see `daybook status` and the control "
             "worker's log")]),
        (State(quiet={"a/b": Quiet(date(2026, 2, 17), 12.0)}), [
            ("a/b: no commit on 2026-02-17, when 12 are usual; look at the webhook's deliveries, or run "
            "`daybook backfill a/b --day 2026-02-17`")]),
    ],
)  # fmt: skip
def test_each_condition_in_words(state: State, texts: list[str]) -> None:
    assert [alert.text for alert in conditions(state)] == texts


def test_days_of_a_kind_are_workdays_or_weekends() -> None:
    friday = date(2026, 2, 20)
    assert days_like(date(2026, 2, 25), friday) == [date(2026, 2, day) for day in (20, 19, 18, 17, 16, 13, 12)]
    assert days_like(date(2026, 2, 22), friday)[:3] == [date(2026, 2, 15), date(2026, 2, 14), date(2026, 2, 8)]


@pytest.mark.parametrize(
    ("workday", "weekend", "today", "found"),
    [
        (10, 0, date(2026, 2, 23), None),  # Monday: only a quiet weekend lies behind
        (10, 0, date(2026, 2, 24), Quiet(date(2026, 2, 23), 10)),  # Monday had none by its end
        (10, 0, date(2026, 3, 1), Quiet(date(2026, 2, 23), 10)),  # and a weekend later it is the same silence
        (10, 0, date(2026, 4, 9), Quiet(date(2026, 2, 23), 10)),  # 47 days do not make it usual
        (10, 6, date(2026, 2, 22), Quiet(date(2026, 2, 21), 6)),
        (4, 4, date(2026, 3, 9), None),  # never busy
    ],
)
def test_a_usually_busy_day_without_commits(workday: int, weekend: int, today: date, found: Quiet | None) -> None:
    last = date(2026, 2, 20)  # a Friday
    before = [last - timedelta(days=back) for back in range(40)]
    counts = {day: weekend if day.weekday() >= 5 else workday for day in before}
    assert quiet_since(counts, last, today) == found


def test_a_condition_that_comes_and_goes_is_one() -> None:
    alert = Alert("oldest", "waits for 31 minutes", "fine")
    first = turn({}, NOW, [alert])
    assert first == {"oldest": AlertState(text="waits for 31 minutes", calm="fine", since=NOW)}
    told = {"oldest": first["oldest"].model_copy(update={"told": True})}
    gone = turn(told, NOW + CLEAR / 2, [])
    assert gone["oldest"].gone_since == NOW + CLEAR / 2
    assert turn(gone, NOW + CLEAR, [alert]) == told
    assert turn(gone, NOW + CLEAR, []) == gone


def test_alert_once_then_quiet_then_one_all_clear(services: Services, slack: FakeSlack) -> None:
    fail(services, 1, 2, 3, 4, 5)
    for seconds in range(0, 300, 30):
        watch(services, NOW + timedelta(seconds=seconds))
    assert slack.texts == [FAILURES]
    assert slack.messages[0].channel == "#alerts"
    forget_failures(services)
    for seconds in range(300, 600, 30):
        watch(services, NOW + timedelta(seconds=seconds))
    clear = "✅ All clear: failures are below 20 % of the hour's commits again (since 2026-02-17 20:00)"
    assert slack.texts == [FAILURES, clear]
    assert services.ledger.alerts() == {}
    fail(services, 6, 7, 8, 9, 10)
    watch(services, NOW + timedelta(seconds=700))
    assert slack.texts == [FAILURES, clear, FAILURES]


def test_a_restart_repeats_nothing(services: Services, slack: FakeSlack, redis_url: str, tmp_path: Path) -> None:
    fail(services, 1, 2, 3, 4, 5)
    watch(services, NOW)
    after = services_for(redis_url, tmp_path, slack_webhook_url=slack.webhook_url)
    watch(after, NOW + timedelta(seconds=30))
    after.ledger.close()
    assert slack.texts == [FAILURES]


@pytest.mark.parametrize("trouble", ["error", "reset", "garbage"])
def test_what_slack_did_not_take_is_sent_at_the_next_turn(services: Services, slack: FakeSlack, trouble: Any) -> None:
    fail(services, 1, 2, 3, 4, 5)
    slack.misbehave(trouble, 2)
    for turns in range(4):
        watch(services, NOW + timedelta(seconds=30 * turns))
    assert slack.texts == [FAILURES]
    assert len(slack.calls) == 3
    forget_failures(services)
    watch(services, NOW + timedelta(seconds=150))
    slack.misbehave(trouble)
    for turns in range(3):
        watch(services, NOW + CLEAR + timedelta(seconds=150 + 30 * turns))
    assert [text[0] for text in slack.texts] == ["🚨", "✅"]
    assert len(slack.calls) == 5


def test_slacks_own_wait_is_kept(services: Services, slack: FakeSlack) -> None:
    fail(services, 1, 2, 3, 4, 5)
    slack.misbehave("limited", retry_after=60)
    for turns in range(3):
        watch(services, NOW + timedelta(seconds=30 * turns))
    assert (slack.texts, len(slack.calls)) == ([], 1)
    assert 50 < services.ledger.paused("slack:#alerts") <= 60
    services.ledger.redis.delete("daybook:pause:slack:#alerts")  # as a minute does
    watch(services, NOW + timedelta(seconds=120))
    assert slack.texts == [FAILURES]


def test_what_ended_before_slack_came_back_is_told_all_the_same(services: Services, slack: FakeSlack) -> None:
    fail(services, 1, 2, 3, 4, 5)
    slack.archived.add("#alerts")
    watch(services, NOW)
    forget_failures(services)
    watch(services, NOW + timedelta(seconds=30))
    slack.archived.clear()
    watch(services, NOW + timedelta(seconds=60))
    watch(services, NOW + CLEAR + timedelta(seconds=60))
    assert [text[0] for text in slack.texts] == ["🚨", "✅"]


def test_without_slack_it_is_feishu_that_is_told(redis_url: str, tmp_path: Path, slack: FakeSlack) -> None:
    with FakeFeishu() as feishu:
        alone = services_for(redis_url, tmp_path, feishu_webhook_url=feishu.url, feishu_secret=SECRET)
        fail(alone, 1, 2, 3, 4, 5)
        feishu.misbehave("limited", retry_after=60)
        watch(alone, NOW)
        assert 50 < alone.ledger.paused("feishu:default") <= 60
        alone.ledger.redis.delete("daybook:pause:feishu:default")  # as a minute does
        watch(alone, NOW + timedelta(seconds=60))
        assert [message.text for message in feishu.messages] == [FAILURES]
        fail(alone, 6, 7, 8, 9, 10)
        both = services_for(redis_url, tmp_path, feishu_webhook_url=feishu.url, slack_webhook_url=slack.webhook_url)
        forget_failures(alone)
        for seconds in (90, 240):
            watch(both, NOW + timedelta(seconds=seconds))
        assert (len(feishu.messages), [text[0] for text in slack.texts]) == (1, ["✅"])
        for services in (alone, both):
            services.ledger.close()


def test_without_slack_it_is_one_line_of_the_log(redis_url: str, tmp_path: Path) -> None:
    services = services_for(redis_url, tmp_path)
    fail(services, 1, 2, 3, 4, 5)
    with capture_logs() as lines:
        watch(services, NOW)
        watch(services, NOW + timedelta(seconds=30))
        forget_failures(services)
        watch(services, NOW + timedelta(seconds=60))
        watch(services, NOW + CLEAR + timedelta(seconds=60))
    services.ledger.close()
    text = FAILURES.partition("Daybook: ")[2]
    assert lines == [
        {"event": "alert", "log_level": "error", "alert": "failures", "text": text},
        {"event": "all_clear", "log_level": "warning", "alert": "failures",
         "text": "failures are below 20 % of the hour's commits again"},
    ]  # fmt: skip


def test_a_late_report_and_a_silent_day_are_read_from_the_ledger(services: Services) -> None:
    ledger = services.ledger
    for back in range(3, 24):  # 21 days up to Saturday the 14th, six commits each
        moment = LANDED - timedelta(days=back)
        numbers = range(back * 10, back * 10 + 6)
        ledger.receive(push(numbers, landed_at=moment), [b"{}"] * 6)
    ledger.redis.hset("daybook:repositories", REPOSITORY, (LANDED - timedelta(days=23)).timestamp())
    ledger.save_report(REPOSITORY, date(2026, 2, 15), b"{}")
    due = datetime(2026, 2, 16, 18, 45, tzinfo=UTC)  # 00:30 of the 17th in Shanghai, two hours, and 15 minutes
    before, after = read_state(services, due - timedelta(seconds=1)), read_state(services, due)
    assert before.late == {}
    assert after.late == {REPOSITORY: Late(date(2026, 2, 16), 1)}
    assert after.quiet == {REPOSITORY: Quiet(date(2026, 2, 15), 6)}
    midnight = datetime(2026, 2, 15, 16, 0, tzinfo=UTC)
    assert read_state(services, midnight - timedelta(seconds=1)).quiet == {}
    assert read_state(services, midnight).quiet == {REPOSITORY: Quiet(date(2026, 2, 15), 6)}


def test_days_before_the_first_heard_of_are_not_owed(services: Services) -> None:
    """A replay of old history: its reports are those of long ago, but nothing was followed in between."""
    ledger = services.ledger
    old = LANDED - timedelta(days=100)
    ledger.receive(push([1], landed_at=old), [b"{}"])
    ledger.redis.hset("daybook:repositories", REPOSITORY, LANDED.timestamp())
    ledger.save_report(REPOSITORY, ledger.day_of(old), b"{}")
    heard = ledger.day_of(LANDED)
    assert read_state(services, LANDED + timedelta(hours=1)).late == {}
    assert read_state(services, LANDED + timedelta(days=2)).late == {REPOSITORY: Late(heard, 2)}


def test_a_second_watch_leaves_while_one_is_at_it(services: Services, slack: FakeSlack) -> None:
    fail(services, 1, 2, 3, 4, 5)
    lock = services.ledger.lock("watch", 10)
    assert lock.acquire()
    watch(services, NOW)
    assert slack.texts == []
    lock.release()
    watch(services, NOW)
    assert slack.texts == [FAILURES]


@pytest.mark.slow
def test_the_control_worker_tells_slack(tmp_path: Path, slack: FakeSlack) -> None:
    with daybook(tmp_path, only={"web", "control"}, SLACK_WEBHOOK_URL=slack.webhook_url) as running:
        ledger = Ledger(running.redis.url, SHANGHAI)
        ledger.receive(push([1]), [b"{}"])
        ledger.redis.zadd("daybook:open", {f"{REPOSITORY}@{sha(1)}": datetime.now(UTC).timestamp() - 2520})
        for _ in range(3):
            ledger.enqueue("control", [wake("watch")])  # as beat does
        running.await_(lambda: bool(slack.texts) and ledger.redis.llen("control") == 0)
        ledger.close()
    assert slack.texts == ["🚨 Daybook: the oldest of 1 waiting commits waits for 42 minutes; see `daybook status`"]
