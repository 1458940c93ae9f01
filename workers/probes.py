"""Probes: one question to each outside service, for `daybook check`; each answers in a line, with a remedy."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

import httpx2
from github import Auth
from jwt import PyJWTError
from pydantic import SecretStr

from core.errors import Permanent, Transient
from core.models import Tier
from core.settings import RepositorySettings, Settings
from workers.channels import FEISHU, WEBHOOK
from workers.prices import price_of
from workers.slack import Slack
from workers.slack_errors import ScopeMissing

if TYPE_CHECKING:
    from anthropic import Anthropic

Verdict = Literal["ok", "warn", "wrong"]

PROBE_SECONDS = 10.0
SKEW_WARN_SECONDS, SKEW_WRONG_SECONDS = 5.0, 60.0
MOST_REPOSITORIES = 20


@dataclass(frozen=True)
class Finding:
    """One line of `daybook check`; `remedy` says what to do when it is not ok."""

    subject: str
    verdict: Verdict
    text: str
    remedy: str = ""


def probe_github(settings: Settings) -> list[Finding]:
    """The token, its scopes and limit; or the App and where it is installed; the followed repositories; the clock."""
    headers = {"Accept": "application/vnd.github+json", "User-Agent": "daybook"}
    app = settings.github_app_id is not None and settings.github_app_private_key is not None
    try:
        if app:
            headers["Authorization"] = f"Bearer {_app_token(settings)}"
        elif settings.github_token:
            headers["Authorization"] = f"Bearer {settings.github_token.get_secret_value()}"
    except (PyJWTError, ValueError, TypeError):
        text = "GITHUB_APP_PRIVATE_KEY is not a private key"
        return [Finding("github", "wrong", text, "set it to the .pem file's whole text")]
    try:
        with httpx2.Client(base_url=settings.github_api_url, headers=headers, timeout=PROBE_SECONDS) as client:
            answer = client.get("/app/installations" if app else "/rate_limit")
            found = [_app_finding(answer) if app else _token_finding(answer, settings), *_clock(answer)]
            if not app and found[0].verdict != "wrong":
                found += _repositories(client, settings)
            return found
    except ValueError:
        text = f"{settings.github_api_url} answers with something that is not GitHub's"
        return [Finding("github", "wrong", text, "check GITHUB_API_URL, and what stands between")]
    except httpx2.HTTPError as error:
        text = f"{settings.github_api_url} cannot be reached ({type(error).__name__})"
        return [Finding("github", "wrong", text, "check the network and GITHUB_API_URL")]


def _app_token(settings: Settings) -> str:
    assert settings.github_app_id
    assert settings.github_app_private_key
    # A PEM in a .env file often has its line ends written as \n.
    key = settings.github_app_private_key.get_secret_value().replace("\\n", "\n")
    return str(Auth.AppAuth(settings.github_app_id, key).create_jwt())


def _app_finding(answer: httpx2.Response) -> Finding:
    if answer.status_code == 200:
        owners = sorted(str((item.get("account") or {}).get("login", "?")) for item in answer.json())
        if owners:
            return Finding("github", "ok", f"App, installed by {', '.join(owners)}")
        return Finding("github", "wrong", "the App is installed nowhere", "install it on the followed repositories")
    text = f"GitHub refuses the App (HTTP {answer.status_code})"
    return Finding("github", "wrong", text, "check GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY and this machine's clock")


def _token_finding(answer: httpx2.Response, settings: Settings) -> Finding:
    if answer.status_code != 200:
        text = f"GitHub refuses GITHUB_TOKEN (HTTP {answer.status_code})"
        return Finding("github", "wrong", text, "make a new token with read access to contents and set GITHUB_TOKEN")
    left = f"{answer.headers.get('x-ratelimit-remaining', '?')} of {answer.headers.get('x-ratelimit-limit', '?')}"
    if settings.github_token is None:
        remedy = "set GITHUB_TOKEN, or follow clones only" if _asks_github(settings) else ""
        return Finding("github", "warn" if remedy else "ok", f"no token; {left} requests left this hour", remedy)
    scopes = answer.headers.get("x-oauth-scopes")
    kind = "fine-grained token" if scopes is None else f"token with scopes: {scopes or 'none (public repositories)'}"
    return Finding("github", "ok", f"{kind}; {left} requests left this hour")


def _asks_github(settings: Settings) -> bool:
    return not settings.daybook_repositories or any(table.source == "github" for table in settings.daybook_repositories)


def _repositories(client: httpx2.Client, settings: Settings) -> Iterator[Finding]:
    """Those of daybook.toml that cannot be read, have another name now, or lack a branch that is followed."""
    for table in [table for table in settings.daybook_repositories if table.source == "github"][:MOST_REPOSITORIES]:
        answer = client.get(f"/repos/{table.name}", follow_redirects=True)  # what was renamed is redirected
        if answer.status_code in (403, 404):
            text = f"{table.name} cannot be read (HTTP {answer.status_code})"
            yield Finding("github", "wrong", text, "check its name, and give the token or App read access to contents")
        elif answer.status_code == 200:
            yield from _renamed(table, str(answer.json().get("full_name") or table.name))
            yield from (_branchless(table, name) for name in table.branches if _lacks(client, table, name))


def _renamed(table: RepositorySettings, now: str) -> Iterator[Finding]:
    if now.lower() != table.name.lower():
        text = f"{table.name} is {now} now: pushes arrive under that name and are ignored"
        yield Finding("github", "wrong", text, "change it in daybook.toml")


def _lacks(client: httpx2.Client, table: RepositorySettings, pattern: str) -> bool:
    """Whether no branch has this name; a pattern may be for branches to come."""
    if re.search(r"[*?\[]", pattern):
        return False
    answer = client.get(f"/repos/{table.name}/git/matching-refs/heads/{quote(pattern)}", follow_redirects=True)
    names = [str(ref.get("ref")) for ref in answer.json()] if answer.status_code == 200 else []
    return answer.status_code == 200 and f"refs/heads/{pattern}" not in names


def _branchless(table: RepositorySettings, name: str) -> Finding:
    return Finding("github", "wrong", f"{table.name} has no branch {name}", "correct `branches` in daybook.toml")


def _clock(answer: httpx2.Response) -> Iterator[Finding]:
    try:
        ahead = time.time() - parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return
    yield clock_finding("GitHub", ahead)


def clock_finding(other: str, ahead: float) -> Finding:
    """This machine's clock against another's; `ahead` in seconds."""
    verdict: Verdict = "ok"
    if abs(ahead) > SKEW_WARN_SECONDS:
        verdict = "wrong" if abs(ahead) > SKEW_WRONG_SECONDS else "warn"
    how = (
        f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} {other}'s" if abs(ahead) >= 1 else f"as {other}'s"
    )
    return Finding("clock", verdict, how, "" if verdict == "ok" else "switch on time synchronisation (NTP) on both")


def probe_model(settings: Settings) -> list[Finding]:
    """The key, and each configured model by its name; costs nothing."""
    if settings.anthropic_api_key is None:
        return [Finding("model", "ok", "no ANTHROPIC_API_KEY: analyses are composed by rules")]
    from anthropic import Anthropic  # a second of loading, for those who have a key

    client = Anthropic(
        api_key=settings.anthropic_api_key.get_secret_value(),
        base_url=settings.anthropic_base_url,
        max_retries=0,
        timeout=PROBE_SECONDS,
    )
    with client:
        return [_model_finding(client, model, tiers) for model, tiers in _models(settings).items()]


def _models(settings: Settings) -> Mapping[str, list[Tier]]:
    found: dict[str, list[Tier]] = {}
    for tier in Tier:
        found.setdefault(settings.model_for(tier), []).append(tier)
    return found


def _model_finding(client: Anthropic, model: str, tiers: list[Tier]) -> Finding:
    import anthropic  # see probe_model

    names = " and ".join(f"DAYBOOK_MODEL_{tier.upper()}" for tier in tiers)
    try:
        client.models.retrieve(model)
    except (anthropic.AuthenticationError, anthropic.PermissionDeniedError) as error:
        text = f"the API refuses the key (HTTP {error.status_code})"
        return Finding("model", "wrong", text, "set ANTHROPIC_API_KEY to a valid key")
    except anthropic.NotFoundError:
        return Finding("model", "wrong", f"the API does not know {model}", f"set {names} to a model it has")
    except anthropic.APIStatusError as error:
        return Finding("model", "warn", f"the API answered {error.status_code} for {model}", "try again later")
    except anthropic.APIError as error:
        text = f"the API cannot be reached ({type(error).__name__})"
        return Finding("model", "wrong", text, "check the network and ANTHROPIC_BASE_URL")
    if price_of(model) is None:
        text = f"{model} answers; its price is not known, so its calls count as free of charge"
        return Finding("model", "warn", text, "add it to workers/prices.toml")
    return Finding("model", "ok", f"{model} ({', '.join(tiers)})")


HOOK_TEXT: Final = (
    "an incoming webhook: after a lost answer a message may come twice, and none is changed when it turns wrong; it "
    "cannot be tried without posting"
)
HOOK_MISSING: Final = ("webhook: without SLACK_WEBHOOK_URL nothing is posted there", "set SLACK_WEBHOOK_URL")


def probe_slack(settings: Settings) -> list[Finding]:
    """Who the bot is, whether it may do what it has to, and whether it can read its channels; posts nothing."""
    names = _slack_channels(settings)
    if settings.slack_bot_token is None or not names:
        return [_without_bot(settings, names)]
    return [*_bot(settings, settings.slack_bot_token, names), *_beside_bot(settings)]


def _bot(settings: Settings, token: SecretStr, names: Sequence[str]) -> list[Finding]:
    slack = Slack(token, api_url=settings.slack_api_url)
    try:
        bot = slack.whoami()
    except Permanent as error:
        return [Finding("slack", "wrong", *_halves(str(error)))]
    except Transient as error:
        return [Finding("slack", "warn", str(error), "try again later, or check SLACK_API_URL")]
    if bot.scopes is not None and "chat:write" not in bot.scopes:
        text = f"{bot.name} at {bot.team} may not post"
        return [Finding("slack", "wrong", text, "give the Slack app the scope chat:write and install it again")]
    faults = [found for name in names if (found := _unreadable(slack, name))]
    return faults or [Finding("slack", "ok", f"{bot.name} at {bot.team}, which reads {', '.join(names)} back")]


def _without_bot(settings: Settings, names: Sequence[str]) -> Finding:
    tabled = {rule.channel for table in settings.daybook_repositories for rule in table.notify}
    by_bot = [name for name in names if name in tabled or not settings.slack_webhook_url]
    if by_bot and settings.slack_bot_token is None:
        return Finding("slack", "wrong", f"{', '.join(by_bot)}: without SLACK_BOT_TOKEN nothing is posted there",
                       "set SLACK_BOT_TOKEN")  # fmt: skip
    if settings.slack_webhook_url:
        return Finding("slack", "ok", HOOK_TEXT)
    if WEBHOOK in tabled:
        return Finding("slack", "wrong", *HOOK_MISSING)
    if settings.slack_bot_token:
        return Finding("slack", "wrong", "SLACK_BOT_TOKEN is set without a channel", "set SLACK_CHANNEL")
    where = "Feishu" if settings.feishu_bots else "the log"
    return Finding("slack", "ok", f"not set: alerts go to {where}")


def _beside_bot(settings: Settings) -> Iterator[Finding]:
    """The incoming webhook, where a table names it; without a table it is not used beside a bot."""
    if any(rule.channel == WEBHOOK for table in settings.daybook_repositories for rule in table.notify):
        yield (
            Finding("slack", "ok", HOOK_TEXT)
            if settings.slack_webhook_url
            else Finding("slack", "wrong", *HOOK_MISSING)
        )


def _slack_channels(settings: Settings) -> list[str]:
    """The channels that the bot is to post to, each once."""
    tables = settings.daybook_repositories
    told = [name for table in tables for name in (table.slack_channel, *(rule.channel for rule in table.notify))]
    named = (settings.slack_channel, *told, settings.slack_alert_channel)
    return list(dict.fromkeys(name for name in named if name and name != WEBHOOK and not name.startswith(FEISHU)))


def _unreadable(slack: Slack, name: str) -> Finding | None:
    """Why a channel cannot be read back, which is also how to see that the bot is in it."""
    try:
        slack.try_reading(name)
    except ScopeMissing as error:
        said, remedy = _halves(str(error))
        text = f"{name} cannot be read back ({said}): after a lost answer a message may come twice"
        return Finding("slack", "warn", text, remedy)
    except Permanent as error:
        return Finding("slack", "wrong", *_halves(str(error)))
    except Transient as error:
        return Finding("slack", "warn", f"{name}: {error}", "try again later")
    return None


def probe_feishu(settings: Settings) -> Iterator[Finding]:
    """Each custom bot that is set; posts nothing, so addresses and keys are not tried."""
    if settings.feishu_secret and settings.feishu_webhook_url is None:
        yield Finding("feishu", "wrong", "FEISHU_SECRET is set without FEISHU_WEBHOOK_URL", "set both")
    for bot in settings.feishu_bots:
        if bot.secret is None:
            text = f"{bot.name}: without a signature key; whoever learns the bot's address can post as Daybook"
            remedy = "switch the bot's signature on, and set FEISHU_SECRET or the table's `secret`"
            yield Finding("feishu", "warn", text, remedy)
        else:
            text = "after a lost answer a message may come twice, and none is changed when it turns wrong"
            try_it = f"`daybook notify --test --channel {FEISHU}{bot.name}` tries it"
            yield Finding("feishu", "ok", f"{bot.name}: a custom bot: {text}; {try_it}")


def _halves(reason: str) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    said, _, remedy = reason.partition("; ")
    return said, remedy or "look the error up in Slack's documentation"
