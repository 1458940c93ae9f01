"""Settings: every environment variable and daybook.toml, checked once at process entry."""

from __future__ import annotations

import tomllib
from datetime import date, time
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.errors import DaybookError
from core.forms import KnownLanguage, MailAddress, PathTemplate, SiteAddress, ZoneName
from core.models import Language, RepositoryName, Tier
from core.notify_settings import DEFAULT_FEISHU, FeishuBot, MentionId, NotifyTable, SlackChannelName, WebhookAddress
from core.redis_address import address_from_url, with_tls
from core.robots import UPKEEP_ROBOTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic_core import ErrorDetails

AnalysisMode = Literal["model", "batch", "rules"]

DEFAULT_CONFIG = Path("daybook.toml")
DEFAULT_PUBLISH_PATH = "{year}/{owner}/{repo}/{date}.md"


def _all_by_model() -> dict[Tier, AnalysisMode]:
    return dict.fromkeys(Tier, "model")


class Watch(BaseModel):
    """Paths, symbols and flags that raise a commit to high, and whom to mention."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    paths: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    mention: tuple[MentionId, ...] = ()


class RepositorySettings(BaseModel):
    """One `[[repository]]` of daybook.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: RepositoryName
    source: str = Field(default="github", description="`github`, or the path of a clone")
    follow: tuple[Literal["webhook", "poll"], ...] = ("webhook",)
    branches: tuple[str, ...] = Field(default=(), description="empty: the default branch")
    ignore_paths: tuple[str, ...] = ()
    ignore_authors: tuple[str, ...] = ()
    low_authors: tuple[str, ...] = UPKEEP_ROBOTS
    analysis: dict[Tier, AnalysisMode] = Field(default_factory=_all_by_model)
    watch: Watch = Watch()
    triage: dict[str, Any] = Field(default_factory=dict, description="weights of triage.toml that differ here")
    language: KnownLanguage | None = None
    slack_channel: SlackChannelName | None = None
    notify: tuple[NotifyTable, ...] = Field(default=(), description="none: slack_channel or SLACK_CHANNEL")
    publish: tuple[Literal["files", "issue", "commit"], ...] = ("files",)
    publish_to: RepositoryName | None = None
    publish_branch: str | None = Field(default=None, description="of `commit`; None: the default branch")
    publish_path: PathTemplate = Field(
        default=DEFAULT_PUBLISH_PATH, description="of `commit`; places are filled in, see `path_of`"
    )
    publish_close_after_days: int | None = Field(default=None, ge=1, description="of `issue`; None: they stay open")
    mail_to: tuple[MailAddress, ...] | None = Field(
        default=None, description="None: MAIL_TO, or nobody when it is `confidential`"
    )

    @field_validator("follow", "publish", "mail_to", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _somewhere_to_publish(self) -> Self:
        if {"issue", "commit"} & set(self.publish) and self.publish_to is None:
            raise ValueError("publish_to is wanted (OWNER/REPO), where issues or commits go")
        return self

    @field_validator("low_authors", "ignore_authors", mode="after")
    @classmethod
    def _literal_brackets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """`*[bot]` means the characters `[bot]`, not one of the letters b, o, t."""
        return tuple(pattern.replace("[bot]", "[[]bot]") if "[[]" not in pattern else pattern for pattern in value)

    @field_validator("analysis", mode="before")
    @classmethod
    def _same_for_all_tiers(cls, value: object) -> object:
        if isinstance(value, str):
            if value not in get_args(AnalysisMode):
                raise ValueError(f"one of {', '.join(get_args(AnalysisMode))} is wanted")
            return dict.fromkeys(Tier, value)
        if isinstance(value, dict):
            return {**dict.fromkeys(Tier, "model"), **value}
        return value

    def follows_branch(self, branch: str, default_branch: str) -> bool:
        """Whether pushes to this branch are news; patterns such as `release/*` are allowed."""
        return any(fnmatchcase(branch, pattern) for pattern in self.branches or (default_branch,))

    @property
    def confidential(self) -> bool:
        """Whether its code is kept from the model (`analysis = "rules"`): it is published where its own table says."""
        return set(self.analysis.values()) == {"rules"}

    @property
    def named_paths(self) -> tuple[str, ...]:
        """The patterns of paths that somebody waits for: those of a long commit that match are kept among its facts."""
        return (*self.watch.paths, *(path for table in self.notify for path in table.paths))

    def path_of(self, day: date) -> str:
        """Where a day's page lies in `publish_to`."""
        owner, _, repo = self.name.partition("/")
        return self.publish_path.format(
            owner=owner, repo=repo, year=f"{day:%Y}", month=f"{day:%m}", day=f"{day:%d}", date=day.isoformat()
        )


@lru_cache(1024)
def _default_table(name: str) -> RepositorySettings:
    return RepositorySettings(name=name)


class Settings(BaseSettings):
    """Everything that can be set, from the environment and the `.env` beside the process."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, defer_build=True)

    redis_ca_file: Path | None = Field(
        default=None, description="who signed Redis's certificate; default: the system's"
    )
    redis_tls_verify: bool = True
    redis_url: SecretStr | None = Field(default=None, description="with what the two above say, as its options")
    redis_min_replicas: int = Field(default=0, ge=0, le=16, description="that must confirm a push before its 202")
    github_webhook_secret: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    github_token: SecretStr | None = None
    github_app_id: str | None = None
    github_app_private_key: SecretStr | None = None
    github_api_url: str = "https://api.github.com"
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str = "https://api.anthropic.com"
    daybook_model_high: str = "claude-sonnet-5-5"
    daybook_model_medium: str = "claude-haiku-5-5"
    daybook_model_low: str = "claude-haiku-5-5"
    daybook_daily_budget_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    slack_bot_token: SecretStr | None = None
    slack_channel: SlackChannelName | None = None
    slack_alert_channel: SlackChannelName | None = Field(
        default=None, description="where alerts go; default: slack_channel"
    )
    slack_webhook_url: WebhookAddress | None = None
    slack_api_url: str = "https://slack.com/api/"
    slack_min_tier: Tier = Tier.LOW
    feishu_webhook_url: WebhookAddress | None = Field(
        default=None, description="of a custom bot of Feishu or Lark; the channel feishu:default"
    )
    feishu_secret: SecretStr | None = Field(default=None, description="its signature key, when it checks one")
    report_timezone: ZoneName = "Asia/Shanghai"
    report_time: time = time(0, 30)
    report_grace_minutes: int = Field(default=120, ge=0, le=1440)
    report_language: KnownLanguage = "zh"
    report_dir: Path = Path("reports")
    ledger_days: int = Field(default=400, ge=0, description="how long commit records outlive their day; 0: for ever")
    site_password: SecretStr | None = None
    site_public: bool = False
    site_url: SiteAddress | None = None
    publish_token: SecretStr | None = Field(
        default=None, description="writes to `publish_to`; default: GITHUB_TOKEN or the App"
    )
    smtp_host: str | None = None
    smtp_port: int | None = Field(default=None, ge=1, le=65535, description="default: 587, 465 or 25 by smtp_security")
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    mail_from: MailAddress | None = None
    mail_to: Annotated[tuple[MailAddress, ...], NoDecode] = ()
    daybook_config: Path = Field(default=DEFAULT_CONFIG, description="any other has to exist")
    daybook_home: Path = Path(".daybook")
    daybook_concurrency: int = Field(
        default=32, ge=1, le=512, description="calls to the model at a time of one worker process"
    )
    daybook_lease_seconds: float = Field(
        default=30, ge=1, le=600, description="how long the work of a dead process waits to be taken over"
    )
    daybook_host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    daybook_repositories: tuple[RepositorySettings, ...] = Field(default=(), description="from daybook.toml")
    daybook_feishu: tuple[FeishuBot, ...] = Field(default=(), description="from daybook.toml")

    @field_validator("redis_url")
    @classmethod
    def _whole_redis_url(cls, value: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        if value is None or "redis_tls_verify" not in others.data or "redis_ca_file" not in others.data:
            return value
        ca_file, verify = others.data["redis_ca_file"], others.data["redis_tls_verify"]
        url = with_tls(value.get_secret_value().strip(), ca_file=ca_file, verify=verify)
        address_from_url(url)
        return SecretStr(url)

    @field_validator("github_webhook_secret", "mail_to", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @property
    def zone(self) -> ZoneInfo:
        """The report's time zone."""
        return ZoneInfo(self.report_timezone)

    def model_for(self, tier: Tier) -> str:
        """The model that analyses commits of this tier."""
        return {
            Tier.HIGH: self.daybook_model_high,
            Tier.MEDIUM: self.daybook_model_medium,
            Tier.LOW: self.daybook_model_low,
        }[tier]

    def repository(self, name: str) -> RepositorySettings | None:
        """What is set for a repository: its table, the defaults when no table exists at all, or None (unfollowed).

        Names compare without regard to case, as on GitHub.
        """
        if not self.daybook_repositories:
            return _default_table(name)
        return next((table for table in self.daybook_repositories if table.name.lower() == name.lower()), None)

    def language_of(self, name: str) -> Language:
        """The language in which a repository's analyses and report are written."""
        table = self.repository(name)
        return (table.language if table else None) or self.report_language

    def web_url(self, repository: str) -> str | None:
        """Where people look at a repository, without the final slash; None for `local/…`, which is on no host."""
        if repository.startswith("local/"):
            return None
        host = self.github_api_url.rstrip("/").removesuffix("/api/v3").replace("://api.github.com", "://github.com")
        return f"{host}/{repository}"

    @property
    def feishu_bots(self) -> tuple[FeishuBot, ...]:
        """The bot of the environment, named `default`, and those of daybook.toml."""
        if self.feishu_webhook_url is None:
            return self.daybook_feishu
        return (
            FeishuBot(name=DEFAULT_FEISHU, url=self.feishu_webhook_url, secret=self.feishu_secret),
            *self.daybook_feishu,
        )

    def recipients(self, name: str) -> tuple[str, ...]:
        """Who is mailed a repository's report; nobody without a mail server."""
        table = self.repository(name)
        if self.smtp_host is None or table is None:
            return ()
        if table.mail_to is not None:
            return table.mail_to
        return () if table.confidential else self.mail_to

    def secrets(self) -> tuple[str, ...]:
        """Every secret value that is set, for the log to blot out."""
        single = (
            self.redis_url,
            self.github_token,
            self.github_app_private_key,
            self.anthropic_api_key,
            self.slack_bot_token,
            self.slack_webhook_url,
            self.feishu_secret,
            *(value for bot in self.feishu_bots for value in (bot.url, bot.secret)),
            self.site_password,
            self.publish_token,
            self.smtp_password,
        )
        found = (*self.github_webhook_secret, *(secret for secret in single if secret))
        passwords = address_from_url(self.redis_url.get_secret_value()).secrets if self.redis_url else ()
        return (*(secret.get_secret_value() for secret in found), *passwords)


def load_settings(**overrides: Any) -> Settings:
    """Read the environment, `.env` and daybook.toml.

    Raises DaybookError naming the variable or key and what is wrong with it; never shows a value, it may be a secret.
    """
    try:
        settings = Settings(_env_file=".env", **overrides)
    except ValidationError as error:
        raise DaybookError(f"settings: {_explain(error)}") from None
    path = settings.daybook_config
    document = _document(path)
    bots, repositories = _feishu(path, document), _repositories(path, document)
    _refuse_unknown_bots(path, repositories, {DEFAULT_FEISHU, *(bot.name for bot in bots)})
    return settings.model_copy(update={"daybook_repositories": repositories, "daybook_feishu": bots})


def _document(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if path == DEFAULT_CONFIG:
            return {}
        # Not as if it were empty: all would be followed then, and what is kept from the model would go to it.
        raise DaybookError(
            f"DAYBOOK_CONFIG: there is no {path}; correct it, make the file (it may be empty), or unset it"
        ) from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DaybookError(f"{path} cannot be read: {error}") from error
    if unknown := sorted(document.keys() - {"repository", "feishu"}):
        raise DaybookError(f"{path}: unknown key {unknown[0]!r}; only [[repository]] and [[feishu]] tables are known")
    return document


def _tables(path: Path, document: dict[str, Any], name: str, each: str) -> list[object]:
    tables = document.get(name, [])
    if not isinstance(tables, list):
        raise DaybookError(f"{path}: write [[{name}]] with two brackets, once for each {each}")
    return tables


def _repositories(path: Path, document: dict[str, Any]) -> tuple[RepositorySettings, ...]:
    read = tuple(_repository(path, table) for table in _tables(path, document, "repository", "repository"))
    _refuse_twins(path, read)
    _refuse_shared_files(path, read)
    return read


def _feishu(path: Path, document: dict[str, Any]) -> tuple[FeishuBot, ...]:
    found: list[FeishuBot] = []
    for table in _tables(path, document, "feishu", "bot"):
        try:
            bot = FeishuBot.model_validate(table)
        except ValidationError as error:
            raise DaybookError(f"{path}: [[feishu]]: {_explain(error, str.lower)}") from None
        if bot.name in {DEFAULT_FEISHU, *(other.name for other in found)}:
            raise DaybookError(
                f"{path}: [[feishu]] {bot.name}: the name is taken; `default` is FEISHU_WEBHOOK_URL's bot"
            )
        found.append(bot)
    return tuple(found)


def _refuse_unknown_bots(path: Path, tables: Sequence[RepositorySettings], bots: set[str]) -> None:
    for table in tables:
        for notify in table.notify:
            kind, _, name = notify.channel.partition(":")
            if kind == "feishu" and name not in bots:
                raise DaybookError(
                    f"{path}: [[repository]] {table.name}: no [[feishu]] table has the name {name!r}; "
                    f"there are {', '.join(sorted(bots))}"
                )


def _refuse_twins(path: Path, tables: Sequence[RepositorySettings]) -> None:
    """Of two tables for one repository only the first would count."""
    seen: dict[str, str] = {}
    for table in tables:
        if first := seen.get(table.name.lower()):
            spelt = "" if first == table.name else f", the first as {first} (GitHub ignores case)"
            raise DaybookError(f"{path}: [[repository]] {table.name}: there are two such tables{spelt}; keep one")
        seen[table.name.lower()] = table.name


def _refuse_shared_files(path: Path, tables: Sequence[RepositorySettings]) -> None:
    """Two repositories that are committed to one file would overwrite each other without end."""
    seen: dict[tuple[str, str | None, str], str] = {}
    for table in tables:
        if "commit" in table.publish and table.publish_to:
            place = (table.publish_to.lower(), table.publish_branch, table.path_of(date.min))
            if place in seen:
                both = f"{seen[place]} and {table.name}"
                raise DaybookError(f"{path}: {both} have the same publish_path; use {{owner}} and {{repo}} in it")
            seen[place] = table.name


def _repository(path: Path, table: object) -> RepositorySettings:
    try:
        return RepositorySettings.model_validate(table)
    except ValidationError as error:
        name = table.get("name") if isinstance(table, dict) else None
        raise DaybookError(f"{path}: [[repository]] {name or 'without a name'}: {_explain(error, str.lower)}") from None


def _explain(error: ValidationError, spelt: Callable[[str], str] = str.upper) -> str:
    """One line: each field with what is wrong, without the value."""
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    lines = [f"{spelt('.'.join(map(str, fault['loc'])) or 'value')}: {_fault(fault)}" for fault in faults]
    return "; ".join(dict.fromkeys(lines))


def _fault(fault: ErrorDetails) -> str:
    if fault["type"] == "extra_forbidden":
        return "no such key; daybook.example.toml shows them all"
    if fault["type"] == "string_pattern_mismatch" and fault["loc"][-1] in ("name", "publish_to"):
        return "write it as OWNER/REPO"
    return fault["msg"].removeprefix("Value error, ")
