"""`daybook notify`: a sample reaches every channel, and a preview shows what would be posted and posts nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner, Result

from cli.main import daybook
from cli.notify import BUILDER
from core.errors import DaybookError
from core.settings import Settings
from tests.fakes.feishu import SECRET, FakeFeishu
from tests.fakes.slack import TOKEN, FakeSlack
from tests.fakes.slack_limits import blocks_fault
from tests.pushes import REPOSITORY, push, sha
from tests.test_days import done
from workers.services import connect

ONE, TWIN = 0xABCD01, 0xABCD02


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeSlack, FakeFeishu]]:
    with FakeSlack() as slack, FakeFeishu() as feishu:
        monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
        monkeypatch.setenv("SLACK_CHANNEL", "#daybook")
        monkeypatch.setenv("SLACK_API_URL", slack.api_url)
        monkeypatch.setenv("FEISHU_WEBHOOK_URL", feishu.url)
        monkeypatch.setenv("FEISHU_SECRET", SECRET)
        yield slack, feishu


@pytest.fixture
def _commits(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    services = connect(Settings(_env_file=None, report_dir=tmp_path / "reports"), redis_url)
    services.ledger.receive(push([ONE, TWIN]), [b"{}"] * 2)
    for number in (ONE, TWIN):
        done(services, number)
    services.ledger.close()


def ran(*words: str) -> Result:
    return CliRunner().invoke(daybook, ["notify", *words])


def test_a_sample_is_posted_to_every_channel(fakes: tuple[FakeSlack, FakeFeishu]) -> None:
    slack, feishu = fakes
    answer = ran("--test")
    assert answer.output == "#daybook: posted\nfeishu:default: posted\n"
    assert [message.channel for message in slack.messages] == ["#daybook"]
    assert [message.card["header"]["title"]["content"] for message in feishu.messages if message.card] == [
        "🔴 Daybook 可以在此发送消息"
    ]


def test_a_sample_is_posted_where_alerts_go_too(
    fakes: tuple[FakeSlack, FakeFeishu], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_ALERT_CHANNEL", "#alerts")
    assert ran("--test").output == "#daybook: posted\nfeishu:default: posted\n#alerts: posted\n"
    assert [message.channel for message in fakes[0].messages] == ["#daybook", "#alerts"]


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("#x", "set SLACK_BOT_TOKEN"),
        ("webhook", "set SLACK_WEBHOOK_URL"),
        ("feishu:default", "set FEISHU_WEBHOOK_URL"),
        ("feishu:team", "no [[feishu]] table has the name 'team'"),
    ],
)
def test_what_a_channel_lacks_is_said(name: str, lacking: str) -> None:
    assert ran("--test", "--channel", name).stderr == f"{name}: nothing is set for it; {lacking}\n"


def test_a_sample_goes_to_the_one_channel_that_is_named(fakes: tuple[FakeSlack, FakeFeishu]) -> None:
    slack, feishu = fakes
    assert ran("--test", "--channel", "#alerts").output == "#alerts: posted\n"
    assert ([message.channel for message in slack.messages], feishu.messages) == (["#alerts"], [])


def test_a_channel_that_fails_is_named_and_the_others_are_tried(fakes: tuple[FakeSlack, FakeFeishu]) -> None:
    slack, feishu = fakes
    slack.tokens = set()
    answer = ran("--test")
    assert "#daybook: Slack refuses #daybook: invalid_auth" in answer.output
    assert isinstance(answer.exception, DaybookError)
    assert str(answer.exception) == "not posted to #daybook"
    assert len(feishu.messages) == 1


def test_without_a_channel_it_says_what_to_set() -> None:
    assert "no channel is set: SLACK_BOT_TOKEN and SLACK_CHANNEL" in str(ran("--test").exception)
    assert str(ran("--test", "--channel", "#x").exception) == "not posted to #x"


@pytest.mark.usefixtures("_commits")
def test_a_preview_is_the_blocks_and_a_link_that_holds_them(fakes: tuple[FakeSlack, FakeFeishu]) -> None:
    answer = ran("--preview", f"{REPOSITORY.upper()}@{sha(ONE)}")
    assert answer.stderr == f"{REPOSITORY}@{sha(ONE)} goes to #daybook, feishu:default\n"
    document, _, link = answer.stdout.strip().rpartition("\n\n")
    assert link.startswith(BUILDER)
    assert json.loads(unquote(link.removeprefix(BUILDER))) == json.loads(document)
    assert blocks_fault(json.loads(document)["blocks"]) is None
    assert f"commit/{sha(ONE)}" in document
    assert [fake.messages for fake in fakes] == [[], []]


@pytest.mark.usefixtures("_commits")
def test_a_preview_for_feishu_is_its_card() -> None:
    answer = ran("--preview", sha(TWIN), "--channel", "feishu:default")
    assert json.loads(answer.stdout)["schema"] == "2.0"


@pytest.mark.usefixtures("_commits")
def test_a_commit_that_is_not_known_or_not_one() -> None:
    assert str(ran("--preview", "abab" * 10).exception) == f"no commit that begins with {'abab' * 10} is known"
    assert "of octocat/other" in str(ran("--preview", f"octocat/other@{sha(ONE)}").exception)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--test", "--preview", "abcd"),
        ("--preview", "HEAD"),
        ("--preview", "x@abcd"),
        ("--test", "--channel", ""),
        ("--test", "--channel", "#one,#two"),
        ("--test", "--channel", "feishu:"),
    ],
)
def test_wrong_use(words: tuple[str, ...]) -> None:
    assert ran(*words).exit_code == 2
