"""`daybook check`: each thing Daybook stands on, right and wrong, against fakes on the wire."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cli.check import check_budget, check_clones, check_names
from core.ledger import Ledger
from core.notify_settings import FeishuBot, NotifyTable
from core.redis_server import RedisServer, free_port
from core.settings import RepositorySettings, Settings, load_settings
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.github import FakeGitHub
from tests.fakes.slack import TOKEN, FakeSlack
from tests.gitclone import Clone
from tests.running import SECRET
from tests.test_processes import run
from workers.probes import Finding, clock_finding, probe_feishu, probe_github, probe_model, probe_slack

KEY = "sk-ant-not-a-real-key"
GITHUB_TOKEN = "ghp_notarealtoken"


@pytest.fixture
def world() -> Iterator[tuple[FakeGitHub, FakeAnthropic, FakeSlack]]:
    with ExitStack() as stack:
        github = stack.enter_context(FakeGitHub())
        model = stack.enter_context(FakeAnthropic(key=KEY))
        slack = stack.enter_context(FakeSlack())
        github.tokens = {GITHUB_TOKEN}
        yield github, model, slack


def environment(world: tuple[FakeGitHub, FakeAnthropic, FakeSlack], redis_url: str) -> dict[str, str]:
    github, model, slack = world
    return {
        "REDIS_URL": redis_url, "GITHUB_WEBHOOK_SECRET": SECRET, "GITHUB_TOKEN": GITHUB_TOKEN,
        "GITHUB_API_URL": github.url, "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": model.url,
        "SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": "#daybook", "SLACK_API_URL": slack.api_url,
    }  # fmt: skip


def lines(output: str) -> dict[str, str]:
    """`verdict subject` → text, of the lines printed."""
    return {" ".join(line.split()[:2]): " ".join(line.split()[2:]) for line in output.splitlines()}


@pytest.mark.slow
def test_all_is_well(
    world: tuple[FakeGitHub, FakeAnthropic, FakeSlack], redis_url: str, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.sweep()
    for name in ("worker@host/1", "control@host/2"):
        ledger.pulse(name)
    done = run("check", folder=tmp_path, **environment(world, redis_url))
    found = lines(done.stdout)
    assert done.returncode == 0, done.stdout
    assert set(found) == {
        "ok settings", "ok redis", "ok clock", "ok scheduler", "ok worker", "ok control", "ok github", "ok model",
        "ok budget", "ok slack", "ok reports",
    }  # fmt: skip
    assert found["ok github"] == "token with scopes: repo; 4999 of 5000 requests left this hour"
    assert found["ok slack"] == "daybook at Octo Team, which reads #daybook back"
    assert found["ok worker"] == "worker@host/1"
    assert "ok    model      claude-haiku-5-5 (medium, low)" in done.stdout
    for secret in (SECRET, GITHUB_TOKEN, KEY, TOKEN, redis_url):
        assert secret not in done.stdout + done.stderr


@pytest.mark.slow
def test_everything_is_wrong(
    world: tuple[FakeGitHub, FakeAnthropic, FakeSlack], redis_url: str, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.redis.set("daybook:swept", time.time() - 300)
    (tmp_path / "file").write_text("")
    wrong = {
        "GITHUB_TOKEN": "ghp_wrong", "ANTHROPIC_API_KEY": "sk-ant-wrong", "SLACK_BOT_TOKEN": "xoxb-wrong",
        "REPORT_DIR": "file/reports", "GITHUB_APP_ID": "1",
    }  # fmt: skip
    done = run("check", folder=tmp_path, **environment(world, redis_url) | wrong)
    assert done.returncode == 1
    found = lines(done.stdout)
    assert re.fullmatch(r"its last sweep was 3\d\d s ago → start `daybook up`, or .*", found["wrong scheduler"])
    assert found["wrong worker"] == "none is alive → start `daybook worker`"
    assert found["wrong github"] == (
        "GitHub refuses GITHUB_TOKEN (HTTP 401) → make a new token with read access to contents and set GITHUB_TOKEN"
    )
    assert found["wrong model"] == ("the API refuses the key (HTTP 401) → set ANTHROPIC_API_KEY to a valid key")
    assert found["wrong slack"].startswith("Slack refuses: invalid_auth → SLACK_BOT_TOKEN is not valid (any more)")
    assert found["wrong reports"] == (
        "file/reports cannot be written: Not a directory → give this user the right to write there, or set REPORT_DIR"
    )
    assert found["wrong settings"] == (
        "GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY belong together → set both, or GITHUB_TOKEN"
    )
    for secret in ("ghp_wrong", "sk-ant-wrong", "xoxb-wrong"):
        assert secret not in done.stdout


@pytest.mark.slow
def test_a_redis_that_would_lose_work_is_told_apart(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis")
    url = server.start()
    try:
        with redis.Redis.from_url(url) as client:
            client.config_set("appendonly", "no")
            client.config_set("maxmemory-policy", "allkeys-lru")
            done = run("check", folder=tmp_path, REDIS_URL=url, GITHUB_WEBHOOK_SECRET=SECRET,
                       GITHUB_API_URL="http://127.0.0.1:1")  # fmt: skip
            assert "wrong redis      it keeps no append-only file → set `appendonly yes`" in done.stdout
            assert "wrong redis      maxmemory-policy allkeys-lru throws commits away" in done.stdout
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "100kb")
            done = run("check", folder=tmp_path, REDIS_URL=url, GITHUB_WEBHOOK_SECRET=SECRET,
                       GITHUB_API_URL="http://127.0.0.1:1")  # fmt: skip
        assert done.returncode == 1
        assert "wrong redis      it refuses writes: its memory is full → raise" in done.stdout
        assert "warn  scheduler  it never ran" in done.stdout
        assert "wrong github     http://127.0.0.1:1 cannot be reached (ConnectError)" in done.stdout
    finally:
        server.stop()
    done = run("check", folder=tmp_path, REDIS_URL=url)
    assert done.returncode == 1
    assert "wrong settings   GITHUB_WEBHOOK_SECRET is not set → make one with `openssl rand -hex 32`" in done.stdout
    assert "wrong redis      Redis does not answer at REDIS_URL" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("ahead", "finding"),
    [
        (0.2, Finding("clock", "ok", "as GitHub's")),
        (-4.0, Finding("clock", "ok", "4 s behind GitHub's")),
        (30.0, Finding("clock", "warn", "30 s ahead of GitHub's", "switch on time synchronisation (NTP) on both")),
        (-90.0, Finding("clock", "wrong", "90 s behind GitHub's", "switch on time synchronisation (NTP) on both")),
    ],
)
def test_the_clock(ahead: float, finding: Finding) -> None:
    assert clock_finding("GitHub", ahead) == finding


def test_github_without_a_token_and_with_a_fine_grained_one(world: tuple[FakeGitHub, FakeAnthropic, FakeSlack]) -> None:
    github = world[0]
    found = probe_github(Settings(_env_file=None, github_api_url=github.url))
    assert found[0] == Finding("github", "warn", "no token; 4999 of 5000 requests left this hour",
                               "set GITHUB_TOKEN, or follow clones only")  # fmt: skip
    github.scopes = None
    github.add_repository("octocat/here")
    tables = (RepositorySettings(name="octocat/here"), RepositorySettings(name="octocat/gone"))
    found = probe_github(Settings(_env_file=None, github_api_url=github.url, github_token=GITHUB_TOKEN,
                                  daybook_repositories=tables))  # fmt: skip
    assert [item for item in found if item.subject == "github"] == [
        Finding("github", "ok", "fine-grained token; 4998 of 5000 requests left this hour"),
        Finding("github", "wrong", "octocat/gone cannot be read (HTTP 404)",
                "check its name, and give the token or App read access to contents"),
    ]  # fmt: skip


def test_the_app(world: tuple[FakeGitHub, FakeAnthropic, FakeSlack]) -> None:
    github = world[0]
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    github.add_app("7", public, {"octocat": 1})

    def probed(app_id: str, pem: str) -> Finding:
        return probe_github(Settings(_env_file=None, github_api_url=github.url, github_app_id=app_id,
                                     github_app_private_key=pem))[0]  # fmt: skip

    assert probed("7", private) == Finding("github", "ok", "App, installed by octocat")
    assert probed("8", private).verdict == "wrong"
    assert probed("7", "no key").text == "GITHUB_APP_PRIVATE_KEY is not a private key"


def test_the_model_and_slack_by_name(world: tuple[FakeGitHub, FakeAnthropic, FakeSlack]) -> None:
    _, model, slack = world
    assert probe_model(Settings(_env_file=None))[0].verdict == "ok"
    found = probe_model(Settings(_env_file=None, anthropic_api_key=KEY, anthropic_base_url=model.url,
                                 daybook_model_high="claude-nonesuch"))  # fmt: skip
    assert [(item.verdict, item.remedy) for item in found] == [
        ("wrong", "set DAYBOOK_MODEL_HIGH to a model it has"), ("ok", ""),
    ]  # fmt: skip
    assert probe_slack(Settings(_env_file=None))[0].text == "not set: alerts go to the log"
    assert probe_slack(Settings(_env_file=None, slack_bot_token=TOKEN))[0].verdict == "wrong"
    assert probe_slack(Settings(_env_file=None, slack_webhook_url=slack.webhook_url)) == [
        Finding("slack", "ok", "an incoming webhook: after a lost answer a message may come twice, and none is changed "
                "when it turns wrong; it cannot be tried without posting")
    ]  # fmt: skip
    assert slack.messages == []


def test_slacks_rights_and_channels(world: tuple[FakeGitHub, FakeAnthropic, FakeSlack]) -> None:
    slack = world[2]
    slack.channels["#private"] = "C0PRIVATE"
    slack.private.add("#private")

    def probed() -> list[Finding]:
        tables = (NotifyTable(channel="#private"), NotifyTable(channel="webhook"))
        table = RepositorySettings(name="a/b", slack_channel="#daybook", notify=tables)
        return probe_slack(
            Settings(_env_file=None, slack_bot_token=TOKEN, slack_api_url=slack.api_url, slack_channel="#daybook",
                     slack_alert_channel="#alerts", daybook_repositories=(table,))
        )  # fmt: skip

    hook = Finding("slack", "wrong", "webhook: without SLACK_WEBHOOK_URL nothing is posted there",
                   "set SLACK_WEBHOOK_URL")  # fmt: skip
    assert probed() == [
        Finding("slack", "ok", "daybook at Octo Team, which reads #daybook, #private, #alerts back"), hook,
    ]  # fmt: skip
    slack.archived.add("#alerts")
    slack.outside.add("#daybook")
    slack.scopes = {"chat:write", "channels:history", "channels:read", "groups:read"}
    assert probed() == [
        Finding("slack", "wrong", "Slack refuses #daybook: not_in_channel", "invite the bot into the channel"),
        Finding("slack", "warn", "#private cannot be read back (Slack refuses #private: missing_scope): "
                "after a lost answer a message may come twice",
                "give the Slack app the scope groups:history and install it again"),
        Finding("slack", "wrong", "Slack has no #alerts that the bot can see",
                "name another channel, or invite the bot"),
        hook,
    ]  # fmt: skip
    slack.scopes = {"channels:history"}
    assert probed() == [Finding("slack", "wrong", "daybook at Octo Team may not post",
                                "give the Slack app the scope chat:write and install it again"), hook]  # fmt: skip
    slack.misbehave("error")
    assert probed() == [Finding("slack", "warn", "Slack is busy (HTTP 500)",
                                "try again later, or check SLACK_API_URL"), hook]  # fmt: skip
    assert slack.messages == []


def test_a_channel_that_lacks_its_token_or_address_is_wrong() -> None:
    def probed(channel: str, **settings: Any) -> list[tuple[str, str]]:
        table = RepositorySettings(name="a/b", notify=(NotifyTable(channel=channel),))
        found = probe_slack(Settings(_env_file=None, daybook_repositories=(table,), **settings))
        return [(one.verdict, one.remedy) for one in found]

    hook = {"slack_webhook_url": "https://hooks.slack.example/services/x"}
    assert probed("#one") == probed("#one", **hook) == [("wrong", "set SLACK_BOT_TOKEN")]
    assert probed("webhook") == [("wrong", "set SLACK_WEBHOOK_URL")]
    assert probed("webhook", **hook) == [("ok", "")]
    found = probe_slack(Settings(_env_file=None, slack_channel="#daybook"))
    assert [(one.verdict, one.remedy) for one in found] == [("wrong", "set SLACK_BOT_TOKEN")]


def test_feishu() -> None:
    def probed(**settings: Any) -> list[Finding]:
        return list(probe_feishu(Settings(_env_file=None, **settings)))

    assert probed() == []
    assert probed(feishu_secret="x") == [
        Finding("feishu", "wrong", "FEISHU_SECRET is set without FEISHU_WEBHOOK_URL", "set both")
    ]
    other = FeishuBot(name="team", url="https://open.feishu.example/hook")
    assert probed(feishu_webhook_url="https://x.example/", feishu_secret="x", daybook_feishu=(other,)) == [
        Finding("feishu", "ok", "default: a custom bot: after a lost answer a message may come twice, and none is "
                "changed when it turns wrong; `daybook notify --test --channel feishu:default` tries it"),
        Finding("feishu", "warn", "team: without a signature key; whoever learns the bot's address can post as Daybook",
                "switch the bot's signature on, and set FEISHU_SECRET or the table's `secret`"),
    ]  # fmt: skip


def test_a_source_that_is_no_clone_is_named_and_nothing_starts_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = Clone(tmp_path / "clone")
    (tmp_path / "plain").mkdir()
    sources = {"a/b": "/nonexistent", "a/c": "plain", "a/d": str(clone.path), "a/e": "github"}
    tables = (f"[[repository]]\nname = '{name}'\nsource = '{source}'\n" for name, source in sources.items())
    (tmp_path / "daybook.toml").write_text("".join(tables))
    monkeypatch.chdir(tmp_path)
    remedy = "correct `source` in daybook.toml, or make the clone there, where workers and control run"
    no_clone = "is not a git repository: give the path of a clone"
    assert list(check_clones(load_settings(github_webhook_secret=SECRET))) == [
        Finding("clones", "wrong", f"source of a/b: /nonexistent {no_clone}", remedy),
        Finding("clones", "wrong", f"source of a/c: plain {no_clone}", remedy),
        Finding("clones", "ok", "1 can be read"),
    ]
    started = run("up", "--port", str(free_port()), folder=tmp_path, GITHUB_WEBHOOK_SECRET=SECRET)
    assert (started.returncode, started.stdout, started.stderr) == (
        1, "", f"daybook: daybook.toml: [[repository]] a/b: source: /nonexistent {no_clone}\n"
    )  # fmt: skip
    checked = run("check", folder=tmp_path, GITHUB_WEBHOOK_SECRET=SECRET, GITHUB_API_URL="http://127.0.0.1:1")
    assert f"wrong clones     source of a/b: /nonexistent {no_clone} → {remedy}\n" in checked.stdout


def test_the_budget() -> None:
    def checked(**settings: Any) -> list[Finding]:
        return list(check_budget(Settings(_env_file=None, **settings)))

    unset = "DAYBOOK_DAILY_BUDGET_USD is not set: nothing limits what the model costs"
    assert checked() == [Finding("budget", "ok", unset)]
    assert checked(daybook_daily_budget_usd=2.5, anthropic_api_key=KEY, report_timezone="UTC") == [
        Finding("budget", "ok", "$2.50 a day, from midnight in UTC")
    ]
    unknown: dict[str, Any] = {
        "daybook_daily_budget_usd": 2.5,
        "daybook_model_low": "made-up-1",
        "daybook_model_medium": "made-up-1",
    }
    assert checked(**unknown, anthropic_api_key=KEY) == [
        Finding(
            "budget",
            "warn",
            "$2.50 a day, which does not limit made-up-1: without a price, calls count as free",
            "add the price to workers/prices.toml",
        )
    ]
    assert checked(**unknown)[0].verdict == "ok"  # without a key no model is called


def test_a_repository_that_was_renamed_and_a_branch_that_is_not_there(
    world: tuple[FakeGitHub, FakeAnthropic, FakeSlack], tmp_path: Path
) -> None:
    github, clone = world[0], Clone(tmp_path / "clone")
    clone.commit(branch="release/1.0")
    clone.commit(branch="main")
    github.repositories["octocat/old"] = github.add_repository("octo-org/new", clone.path)
    github.add_repository("octocat/here", clone.path)
    tables = (
        RepositorySettings(name="octocat/old"),
        RepositorySettings(name="Octocat/Here", branches=("main", "mian", "release/*", "release/1.0", "soon/*", "mai")),
    )
    found = probe_github(Settings(_env_file=None, github_api_url=github.url, github_token=GITHUB_TOKEN,
                                  daybook_repositories=tables))  # fmt: skip
    assert [(item.text, item.remedy) for item in found if item.verdict == "wrong"] == [
        ("octocat/old is octo-org/new now: pushes arrive under that name and are ignored", "change it in daybook.toml"),
        ("Octocat/Here has no branch mian", "correct `branches` in daybook.toml"),
        ("Octocat/Here has no branch mai", "correct `branches` in daybook.toml"),
    ]


def test_what_is_nearly_a_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAYBOOK_DAILY_BUDGET", "5")
    monkeypatch.setenv("DAYBOOK_SERVER_PID", "4711")
    Path(".env").write_text(
        "REPORT_TIMEZNE=UTC\n# SITE_PASWORD=x\nexport SLACK_CHANEL = '#a'\nUNRELATED=1\nPORT=1\nGITHUB_ACTIONS=1\n"
        "DAYBOOK_NONSENSE=1\nreport_language=en\nGITHUB_REPOSITORY=a\nREDIS_TLS_URL=x\n"
    )
    told = [(item.verdict, item.text.split()[0], item.remedy) for item in check_names(Settings(_env_file=None))]
    assert told == [
        ("warn", "DAYBOOK_DAILY_BUDGET", "write DAYBOOK_DAILY_BUDGET_USD, if that is meant"),
        ("warn", "DAYBOOK_NONSENSE", "see .env.example for all that there are"),
        ("warn", "REPORT_TIMEZNE", "write REPORT_TIMEZONE, if that is meant"),
        ("warn", "SLACK_CHANEL", "write SLACK_CHANNEL, if that is meant"),
    ]
