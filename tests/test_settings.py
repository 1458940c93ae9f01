"""What can be set, what is refused, and that the examples show every key."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import daybook
from core.errors import DaybookError
from core.models import Tier
from core.notify_settings import FeishuBot, NotifyTable
from core.settings import RepositorySettings, Settings, Watch, load_settings

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_example_environment_lists_every_setting_with_its_default() -> None:
    example = ROOT / ".env.example"
    named = {line.split("=")[0].lower() for line in example.read_text().splitlines() if "=" in line and line[0] != "#"}
    assert named == set(Settings.model_fields) - {"daybook_repositories", "daybook_feishu"}
    assert Settings(_env_file=example) == Settings()


def test_the_example_toml_shows_every_key_and_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_CONFIG", str(ROOT / "daybook.example.toml"))
    plain, full = load_settings().daybook_repositories
    assert plain == RepositorySettings(name="InternLM/lmdeploy")
    assert full == RepositorySettings(name="sgl-project/sglang")
    text = (ROOT / "daybook.example.toml").read_text()
    for key in (
        *RepositorySettings.model_fields,
        *Watch.model_fields,
        *NotifyTable.model_fields,
        *FeishuBot.model_fields,
    ):
        assert key in text


def test_the_environment_goes_before_the_env_file_and_an_empty_value_means_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("REPORT_TIMEZONE=UTC\nREPORT_LANGUAGE=en\nUNRELATED=1\nGITHUB_WEBHOOK_SECRET=one, two\n")
    monkeypatch.setenv("REPORT_LANGUAGE", "zh")
    monkeypatch.setenv("REPORT_DIR", "")
    settings = load_settings()
    assert (settings.report_timezone, settings.report_language, settings.report_dir) == ("UTC", "zh", Path("reports"))
    assert [secret.get_secret_value() for secret in settings.github_webhook_secret] == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "REPORT_TIMEZONE",
            "Mars/Olympus",
            "REPORT_TIMEZONE: 'Mars/Olympus' is not a time zone; use an IANA",
        ),
        ("REPORT_TIME", "late", "REPORT_TIME: "),
        ("REPORT_LANGUAGE", "fr", "REPORT_LANGUAGE: 'fr' has no words in report/labels; there are en, zh"),
        ("DAYBOOK_DAILY_BUDGET_USD", "-1", "DAYBOOK_DAILY_BUDGET_USD: "),
        ("DAYBOOK_DAILY_BUDGET_USD", "inf", "DAYBOOK_DAILY_BUDGET_USD: Input should be a finite number"),
        ("DAYBOOK_DAILY_BUDGET_USD", "nan", "DAYBOOK_DAILY_BUDGET_USD: Input should be a finite number"),
        ("PORT", "70000", "PORT: "),
        ("REDIS_URL", "http://localhost", "REDIS_URL: a url such as redis://:password@host:6379/0 is wanted"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(DaybookError) as refused:
        load_settings()
    assert str(refused.value).startswith(f"settings: {said}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[repository]]\nname = 'no'\n", "daybook.toml: [[repository]] no: name: write it as OWNER/REPO"),
        ("[[repository]]\nname = 'a/b'\nbranch = 'main'\n", "[[repository]] a/b: branch: no such key; daybook.example"),
        ("[[repository]]\nname = 'a/b'\nanalysis = 'x'\n", "a/b: analysis: one of model, batch, rules is wanted"),
        ("[repository]\nname = 'a/b'\n", "write [[repository]] with two brackets, once for each repository"),
        ("[repositories]\n", "unknown key 'repositories'; only [[repository]] and [[feishu]] tables are known"),
        ("[[repository]\n", "cannot be read: "),
        ("[[repository]]\nname = 'a/b'\n" * 2, "daybook.toml: [[repository]] a/b: there are two such tables; keep one"),
        (
            "[[repository]]\nname = 'a/b'\n[[repository]]\nname = 'a/c'\n[[repository]]\nname = 'A/b'\n",
            "[[repository]] A/b: there are two such tables, the first as a/b (GitHub ignores case); keep one",
        ),
        ("[[feishu]]\nname = 'K'\nurl = 'https://x.example/'\n", "[[feishu]]: name: write it in small letters"),
        ("[[feishu]]\nname = 'k'\nurl = 'hook'\n", "[[feishu]]: url: not an address; copy it whole"),
        ("[[repository]]\nname = 'a/b'\nslack_channel = 'feishu:k'\n", "a/b: slack_channel: not a channel of Slack"),
    ],
)
def test_a_wrong_toml_is_named_in_one_line(text: str, said: str) -> None:
    Path("daybook.toml").write_text(text)
    with pytest.raises(DaybookError) as refused:
        load_settings()
    assert said in str(refused.value)
    assert str(refused.value).startswith("daybook.toml")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SLACK_CHANNEL", "webhook", "not a channel of Slack; write #name or an id"),
        ("SLACK_CHANNEL", "#one,#two", "one channel"),
        ("SLACK_ALERT_CHANNEL", "feishu:default", "not a channel of Slack"),
        ("SLACK_WEBHOOK_URL", "hunter2", "not an address"),
        ("FEISHU_WEBHOOK_URL", "open.feishu.example/hunter2", "not an address"),
    ],
)
def test_a_channel_that_cannot_be_one_is_named(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "x")
    monkeypatch.setenv(name, value)
    with pytest.raises(DaybookError) as refused:
        load_settings()
    assert f"{name}: " in str(refused.value)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "daybook.example", "daybook.example:8000", "//daybook.example", "/pages", "https://", "https:///pages",
        "ftp://daybook.example", "javascript:alert(1)", "https://daybook.example:no", "https://[daybook",
        "https://daybook.example/?a=b", "https://daybook.example/#top", "https://daybook.example?",
        "https://a b.example", "https://me:hunter2@daybook.example", "https://daybook.example/|x>",
    ],
)  # fmt: skip
def test_a_site_url_that_links_cannot_begin_with_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_URL", url)
    with pytest.raises(DaybookError) as refused:
        load_settings()
    assert str(refused.value) == (
        "settings: SITE_URL: not an address that links can begin with; "
        "write it whole, such as https://daybook.example.org"
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://daybook.example.org", "http://127.0.0.1:8000/", "HTTPS://Daybook.Example/pages", "http://[::1]:8000",
        "https://日报.example/a%20b/@team",
    ],
)  # fmt: skip
def test_a_site_url_may_have_a_port_and_a_path(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_URL", url)
    assert load_settings().site_url == url


def test_no_secret_is_shown_by_an_error_or_a_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "hunter2-hunter2")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-hunter2")
    settings = load_settings()
    assert "hunter2" not in repr(settings)
    assert set(settings.secrets()) == {"hunter2-hunter2", "sk-ant-hunter2"}
    monkeypatch.setenv("PORT", "hunter2")
    with pytest.raises(DaybookError) as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


def test_without_a_file_everything_is_followed_and_with_one_only_what_it_names() -> None:
    assert load_settings().repository("any/thing") == RepositorySettings(name="any/thing")
    Path("daybook.toml").write_text("[[repository]]\nname = 'Octo/Cat'\nanalysis = {low = 'rules'}\nlanguage = 'en'\n")
    settings = load_settings()
    assert settings.repository("any/thing") is None
    table = settings.repository("octo/cat")
    assert table
    assert table.analysis == {Tier.HIGH: "model", Tier.MEDIUM: "model", Tier.LOW: "rules"}
    assert settings.language_of("Octo/Cat") == "en"
    assert settings.language_of("any/thing") == "zh"


def test_a_file_that_is_named_has_to_be_there_and_may_be_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_CONFIG", "daybook.toml")  # as .env.example has it
    assert load_settings().daybook_repositories == ()
    monkeypatch.setenv("DAYBOOK_CONFIG", "/etc/daybok/daybook.toml")
    said = (
        "DAYBOOK_CONFIG: there is no /etc/daybok/daybook.toml; correct it, make the file (it may be empty), or unset it"
    )
    with pytest.raises(DaybookError) as refused:
        load_settings()
    assert str(refused.value) == said
    for process in ("web", "worker", "control", "beat", "up"):
        started = CliRunner().invoke(daybook, [process])
        assert (type(started.exception), str(started.exception)) == (DaybookError, said)
    checked = CliRunner().invoke(daybook, ["check"])
    assert (checked.exit_code, checked.stdout) == (1, f"wrong settings   {said} → correct it and check again\n")
    monkeypatch.setenv("DAYBOOK_CONFIG", "other.toml")
    Path("other.toml").touch()
    assert load_settings().repository("any/thing") == RepositorySettings(name="any/thing")


@pytest.mark.parametrize(
    ("api", "web"),
    [
        ("https://api.github.com", "https://github.com/octo/cat"),
        ("https://github.example.com/api/v3", "https://github.example.com/octo/cat"),
        ("http://127.0.0.1:4000/", "http://127.0.0.1:4000/octo/cat"),
    ],
)
def test_where_people_look_at_a_repository(api: str, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", api)
    assert load_settings().web_url("octo/cat") == web
    assert load_settings().web_url("local/cat") is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('publish = ["issue"]', "publish_to is wanted (OWNER/REPO), where issues or commits go"),
        ('publish_path = "reports"', "each day needs a file of its own: use {date}, or {year}, {month} and {day}"),
        ('publish_path = "{when}.md"', "{when} is not known; {owner}, {repo}, {year}, {month}, {day}, {date} are"),
        ('publish_path = "{date}{.md"', "a brace stands alone"),
        ('publish_path = "../{date}.md"', "a path inside the repository is wanted, such as reports/{date}.md"),
        ('publish_path = "/{date}.md"', "a path inside the repository is wanted, such as reports/{date}.md"),
        ("publish_close_after_days = 0", "Input should be greater than or equal to 1"),
        ('mail_to = "a@b\\r\\nBcc: c@d"', "'a@b\\r\\nBcc: c@d' is not a mail address; write it as name@example.org"),
    ],
)
def test_wrong_ways_to_publish_are_refused(line: str, said: str) -> None:
    Path("daybook.toml").write_text(f'[[repository]]\nname = "octocat/hello"\n{line}\n')
    with pytest.raises(DaybookError) as caught:
        load_settings()
    assert str(caught.value).endswith(f": {said}")


def test_two_repositories_are_not_committed_to_one_file() -> None:
    table = '[[repository]]\nname = "{}"\npublish = "commit"\npublish_to = "octocat/reports"\npublish_path = "{}"\n'
    Path("daybook.toml").write_text(table.format("octocat/a", "{date}.md") + table.format("octocat/b", "{date}.md"))
    with pytest.raises(DaybookError, match="octocat/a and octocat/b have the same publish_path"):
        load_settings()
    Path("daybook.toml").write_text(
        table.format("octocat/a", "{repo}/{date}.md") + table.format("octocat/b", "{repo}/{date}.md")
    )
    assert load_settings().daybook_repositories[1].path_of(date(2026, 2, 3)) == "b/2026-02-03.md"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEB_CONCURRENCY", "0", "Input should be greater than or equal to 1"),
        ("WEB_CONCURRENCY", "two", "Input should be a valid integer, unable to parse string as an integer"),
        ("REPORT_TIMEZONE", "Europe", "'Europe' is not a time zone; use an IANA name such as Asia/Shanghai or UTC"),
        ("REPORT_TIME", "9:30", "write it as 00:30"),
        ("REPORT_TIME", "24:00", "write it as 00:30"),
        ("REPORT_TIME", "00:30+02:00", "write it without an offset: it is a time in REPORT_TIMEZONE"),
        *((name, url, "not an address that can be called; write it whole, from https:// on")
          for name in ("GITHUB_API_URL", "ANTHROPIC_BASE_URL", "SLACK_API_URL")
          for url in ("api.github.com", "ftp://api.github.com", "https://", "https://a b", "https://[api")),
    ],
)  # fmt: skip
def test_what_no_process_could_work_with_stops_the_start(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(DaybookError) as refused:
        load_settings()
    assert str(refused.value) == f"settings: {name}: {said}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("follow = []", 'follow: write a list, such as ["…"]'),
        ("branches = 3", 'branches: write a list, such as ["…"]'),
        ('branches = ["refs/heads/main"]', ("branches: write a branch's name as GitHub shows it, such as main; "
         "[] is the default branch")),
        ('branches = [""]', ("branches: write a branch's name as GitHub shows it, such as main; [] is the default "
         "branch")),
    ],
)  # fmt: skip
def test_what_would_follow_nothing_is_refused(line: str, said: str) -> None:
    Path("daybook.toml").write_text(f'[[repository]]\nname = "octocat/hello"\n{line}\n')
    with pytest.raises(DaybookError) as caught:
        load_settings()
    assert str(caught.value) == f"daybook.toml: [[repository]] octocat/hello: {said}"


def test_a_list_of_one_may_be_written_without_brackets() -> None:
    Path("daybook.toml").write_text(
        '[[repository]]\nname = "octocat/hello"\nbranches = "main"\nignore_paths = "docs/*"\nlow_authors = "*[bot]"\n'
        'ignore_authors = "me"\n[repository.watch]\npaths = "a/*"\nsymbols = "f"\n'
    )
    (table,) = load_settings().daybook_repositories
    assert (table.branches, table.ignore_paths, table.ignore_authors) == (("main",), ("docs/*",), ("me",))
    assert (table.watch.paths, table.watch.symbols, table.low_authors) == (("a/*",), ("f",), ("*[[]bot]",))


def test_a_redis_url_without_a_password_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was blotted out of the very message that names it."""
    monkeypatch.setenv("REDIS_URL", "redis://redis.example:6379/0")
    assert load_settings().secrets() == ()
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@redis.example:6379/0")
    assert "hunter2" in load_settings().secrets()
