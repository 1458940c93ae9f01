"""Where a commit is told of, by tables or without, whom it mentions, and when it waits for the morning."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DaybookError
from core.models import ChangeType, CommitRecord, Diff, FileChange, Reason, Tier
from core.notify_settings import NotifyTable
from core.settings import RepositorySettings, Settings, load_settings
from tests.records import REPOSITORY, commit, facts, record, sha_of, triage
from workers.facts import facts_from
from workers.routing import Quiet, Route, channels_named, digest_channels, quiet_until, routes

BOT = facts(bot=True)
WATCHED = triage(Tier.HIGH, ChangeType.BUGFIX, Reason(code="watched", subject="parser/header.py"))


def settings(*tables: dict[str, Any], watch: dict[str, Any] | None = None, **changes: Any) -> Settings:
    """Settings whose one repository has these notify tables."""
    values: dict[str, Any] = {"slack_bot_token": "xoxb-not-a-real-token", "slack_channel": "#all"} | changes
    if tables or watch:
        table = {"name": REPOSITORY, "notify": tables, "watch": watch or {}}
        values["daybook_repositories"] = (RepositorySettings.model_validate(table),)
    return Settings(_env_file=None, **values)


def channels(told: CommitRecord, found: Settings) -> list[str]:
    return [route.channel for route in routes(told, found)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["#all"]),
        ({"slack_channel": None}, []),
        ({"slack_bot_token": None}, []),
        ({"slack_bot_token": None, "slack_webhook_url": "https://hooks.slack.test/x"}, ["webhook"]),
        ({"slack_webhook_url": "https://hooks.slack.test/x"}, ["#all"]),
        ({"feishu_webhook_url": "https://open.feishu.test/x"}, ["#all", "feishu:default"]),
        ({"slack_min_tier": "medium"}, []),
    ],
)
def test_without_tables_everything_goes_where_the_environment_says(
    changes: dict[str, Any], expected: list[str]
) -> None:
    assert channels(record(1), settings(**changes)) == expected


def test_a_repositorys_own_channel_goes_before_that_of_all() -> None:
    own = RepositorySettings(name=REPOSITORY, slack_channel="#own")
    assert channels(record(1), settings(daybook_repositories=(own,))) == ["#own"]
    assert channels(record(1, repository="octocat/unfollowed"), settings(daybook_repositories=(own,))) == []


def test_bots_are_out_unless_they_are_asked_for_or_touch_what_is_watched() -> None:
    assert channels(record(1, facts=BOT), settings()) == []
    assert channels(record(1, facts=BOT), settings({"channel": "#bots", "bots": True})) == ["#bots"]
    assert channels(record(1, Tier.HIGH, facts=BOT, triage=WATCHED), settings()) == ["#all"]


@pytest.mark.parametrize(
    ("table", "takes"),
    [
        ({"min_tier": "medium"}, [False, True, True]),
        ({"tiers": ["low", "high"]}, [True, False, True]),
        ({}, [True, True, True]),
    ],
)
def test_tiers(table: dict[str, Any], takes: list[bool]) -> None:
    found = settings({"channel": "#one", **table})
    assert [bool(routes(record(1, tier), found)) for tier in (Tier.LOW, Tier.MEDIUM, Tier.HIGH)] == takes


@pytest.mark.parametrize(
    ("table", "takes"),
    [
        ({"paths": "parser"}, True),
        ({"paths": ["docs/*", "*.py"]}, True),
        ({"paths": ["docs"]}, False),
        ({"authors": "OCTOCAT"}, True),
        ({"authors": ["the *"]}, True),
        ({"authors": ["hubot", "*[bot]"]}, False),
        ({"branches": "release/*"}, False),
        ({"branches": ["main"]}, True),
        ({"paths": "parser", "authors": "hubot"}, False),
    ],
)
def test_paths_authors_and_branches(table: dict[str, Any], *, takes: bool) -> None:
    told = record(1, facts=facts(paths=("parser/header.py",)))
    assert bool(routes(told, settings({"channel": "#one", **table}))) is takes


def test_paths_that_somebody_waits_for_are_kept_of_a_long_commit() -> None:
    found = settings({"channel": "#one", "paths": ["parser/*"]}, {"channel": "#two"}, watch={"paths": ["cli.py"]})
    table = found.daybook_repositories[0]
    files = tuple(
        FileChange(path=f"app/{n}.py", status="modified", additions=50, patch="@@ -1 +1 @@") for n in range(60)
    )
    last = tuple(FileChange(path=path, status="modified", additions=1) for path in ("parser/x.py", "cli.py"))
    diff = Diff(sha=sha_of(1), parents=(sha_of(0),), files=(*files, *last), additions=0, deletions=0)
    told = record(1, facts=facts_from(commit(1), diff, (), table.named_paths))
    assert channels(told, found) == ["#one", "#two"]


def test_a_commit_goes_to_each_channel_once_by_the_first_table_that_takes_it() -> None:
    night = {"quiet": "22:00-08:00"}
    found = settings(
        {"channel": "#one", "authors": "hubot"}, {"channel": "#one", **night}, {"channel": "#two"}, {"channel": "#one"}
    )
    assert routes(record(1), found) == (
        Route("#one", quiet=Quiet(*NotifyTable.model_validate({"channel": "#one", **night}).quiet or ())),
        Route("#two"),
    )


def test_what_is_watched_mentions_its_owners() -> None:
    watch = {"mention": ["@U0123456789", "ou_0123abcd"]}
    found = settings({"channel": "#one"}, {"channel": "#two", "mention": "S0123456789"}, watch=watch)
    hit = record(1, Tier.HIGH, triage=WATCHED)
    assert [route.mention for route in routes(hit, found)] == [("U0123456789", "ou_0123abcd"), ("S0123456789",)]
    assert [route.mention for route in routes(record(1, Tier.HIGH), found)] == [(), ()]


def test_quiet_hours_let_through_what_they_are_told_to() -> None:
    found = settings({"channel": "#one", "quiet": "22:00-08:00", "quiet_except": "high"})
    assert [route.quiet is None for tier in Tier for route in routes(record(1, tier), found)] == [
        tier is Tier.HIGH for tier in Tier
    ]


@pytest.mark.parametrize(
    ("hours", "zone", "now", "until"),
    [
        ("22:00-08:00", None, "2026-02-17T23:30+08:00", "2026-02-18T08:00+08:00"),
        ("22:00-08:00", None, "2026-02-18T00:00+08:00", "2026-02-18T08:00+08:00"),
        ("22:00-08:00", None, "2026-02-18T08:00+08:00", None),
        ("22:00-08:00", None, "2026-02-18T21:59+08:00", None),
        ("12:00-14:00", None, "2026-02-18T12:00+08:00", "2026-02-18T14:00+08:00"),
        ("12:00-14:00", None, "2026-02-18T14:00+08:00", None),
        ("22:00-08:00", "Europe/Berlin", "2026-02-18T06:00+08:00", "2026-02-18T08:00+01:00"),
        # The night in which Berlin's clocks go forward has an hour less.
        ("22:00-08:00", "Europe/Berlin", "2026-03-28T23:00+01:00", "2026-03-29T08:00+02:00"),
    ],
)
def test_what_waits_comes_when_the_quiet_hours_end(hours: str, zone: str | None, now: str, until: str | None) -> None:
    found = settings({"channel": "#one", "quiet": hours} | ({"timezone": zone} if zone else {}))
    (route,) = routes(record(1), found)
    expected = datetime.fromisoformat(until) if until else None
    assert quiet_until(found, route, datetime.fromisoformat(now)) == expected


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.times(), st.times())  # noqa: DTZ001 - as drawn
def test_quiet_hours_always_end_and_within_a_day(moment: datetime, start: Any, end: Any) -> None:
    now = moment.replace(tzinfo=UTC)
    found = settings(report_timezone="America/New_York")
    until = quiet_until(found, Route("#one", quiet=Quiet(start, end)), now)
    if until is not None:
        assert 0 < (until - now).total_seconds() <= 25 * 3600
        assert quiet_until(found, Route("#one", quiet=Quiet(start, end)), until) is None or start == end


def test_a_digest_goes_wherever_commits_of_the_repository_may_go() -> None:
    found = settings({"channel": "#one", "tiers": "high"}, {"channel": "#two"}, {"channel": "#one"})
    assert digest_channels(REPOSITORY, found) == channels_named(found) == ("#one", "#two")
    assert digest_channels("octocat/unfollowed", found) == ()
    quieter = settings(
        {"channel": "#one"}, {"channel": "#two", "digest": False}, {"channel": "#two", "min_tier": "high"}
    )
    assert (digest_channels(REPOSITORY, quieter), channels_named(quieter)) == (("#one",), ("#one", "#two"))
    assert digest_channels(REPOSITORY, settings()) == channels_named(settings()) == ("#all",)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('channel = "all"', "notify.0.channel: 'all' is not a channel; write #name, an id such as C0123456789,"),
        ('channel = "feishu:kernel"', "no [[feishu]] table has the name 'kernel'; there are default"),
        ('min_tier = "high"', "notify.0.channel: Field required"),
        ('channel = "#a"\nmin_tier = "top"', "notify.0.min_tier: Input should be 'high', 'medium' or 'low'"),
        ('channel = "#a"\nmin_tier = "low"\ntiers = "high"', "notify.0: min_tier or tiers, not both"),
        ('channel = "#a"\nquiet = "10pm to 8am"', 'notify.0.quiet: write it as "22:00-08:00"'),
        ('channel = "#a"\nquiet = "08:00-08:00"', "notify.0.quiet: it ends when it begins"),
        ('channel = "#a"\nquiet_except = "high"', "notify.0: timezone and quiet_except need quiet hours"),
        ('channel = "#a"\nquiet = "22:00-08:00"\ntimezone = "Mars"', "notify.0.timezone: 'Mars' is not a time zone"),
        ('channel = "#a"\nmention = ["@here"]', "notify.0.mention.0: '@here' is not an id; write a member's"),
        ('channel = "#a"\nurgent = true', "notify.0.urgent: no such key; daybook.example.toml shows them all"),
    ],
)
def test_a_wrong_table_is_named_in_one_line(
    table: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("daybook.toml").write_text(f'[[repository]]\nname = "a/b"\n[[repository.notify]]\n{table}\n')
    with pytest.raises(DaybookError) as refused:
        load_settings()
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_feishu_bots_are_found_by_name_and_their_secrets_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEISHU_WEBHOOK_URL", "https://open.feishu.test/one")
    bot = '[[feishu]]\nname = "kernel"\nurl = "https://open.feishu.test/two"\nsecret = "not-a-real-key"\n'
    table = '[[repository]]\nname = "octocat/hello-world"\n[[repository.notify]]\nchannel = "feishu:kernel"\n'
    Path("daybook.toml").write_text(bot + table)
    found = load_settings()
    assert [bot.name for bot in found.feishu_bots] == ["default", "kernel"]
    assert channels(record(1), found) == ["feishu:kernel"]
    assert {"https://open.feishu.test/one", "https://open.feishu.test/two", "not-a-real-key"} <= set(found.secrets())
    Path("daybook.toml").write_text(bot + bot)
    with pytest.raises(DaybookError, match="kernel: the name is taken"):
        load_settings()
    Path("daybook.toml").write_text(bot.replace("https", "[").replace("name", "nome"))
    with pytest.raises(DaybookError) as refused:
        load_settings()
    assert "not-a-real-key" not in str(refused.value)
