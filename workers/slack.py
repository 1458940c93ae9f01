"""Slack's client: posts messages by a bot token or an incoming webhook, and says who the bot is.

https://docs.slack.dev/reference/methods/chat.postMessage and
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import http.client
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

from pydantic import SecretStr
from slack_sdk import WebClient, WebhookClient
from slack_sdk.errors import SlackApiError, SlackClientError

from core.errors import Permanent, Transient
from core.settings import Settings

TIMEOUT_SECONDS: Final = 10
LONGEST_WAIT_SECONDS: Final = 3600.0
# Slack cuts longer texts, and refuses messages of more than about 13,200 characters in all.
MOST_CHARACTERS: Final = 12_000

# https://docs.slack.dev/reference/methods/chat.postMessage#errors
_LIMITED: Final = {"ratelimited", "rate_limited"}
_BUSY: Final = _LIMITED | {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
_REMEDIES: Final = {
    **dict.fromkeys(
        ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"),
        "SLACK_BOT_TOKEN is not valid (any more): copy the bot token from the app's page at Slack",
    ),
    "missing_scope": "give the Slack app the scope chat:write and install it again",
    "channel_not_found": "set SLACK_CHANNEL to a channel the bot can see, or invite the bot",
    "not_in_channel": "invite the bot into the channel",
    "is_archived": "the channel is archived: set another SLACK_CHANNEL",
}
_WEBHOOK_REMEDY: Final = "make a new incoming webhook at Slack and set SLACK_WEBHOOK_URL"

# The SDK logs each failure itself, with what it was sent; ours are logged by whoever asked.
_SILENT: Final = logging.getLogger("workers.slack.sdk")
_SILENT.setLevel(logging.CRITICAL)

Blocks = Sequence[dict[str, Any]]  # Block Kit, as Slack's documentation writes it


@dataclass(frozen=True)
class Bot:
    """Who a token belongs to, by `auth.test`."""

    name: str
    team: str


@dataclass(frozen=True)
class Posted:
    """Where a message stands; both None for an incoming webhook, which does not say."""

    channel: str | None = None
    ts: str | None = None


class Slack:
    """One workspace. Threads may share it; the constructor does no I/O.

    With a token, messages go to the channel that is given, else to `channel`; with a webhook's address alone, to the
    channel of that webhook. Nothing is retried here: a message whose answer was lost may stand there already, and only
    the caller knows whether twice is better than never. `timeout` is in seconds, for each wait on the network.
    """

    def __init__(
        self,
        *,
        token: SecretStr | None = None,
        channel: str | None = None,
        webhook_url: SecretStr | None = None,
        api_url: str = "https://slack.com/api/",
        timeout: int = TIMEOUT_SECONDS,
    ) -> None:
        self._channel = channel
        self._token = token
        self._webhook_url = webhook_url
        self._api_url = api_url.rstrip("/") + "/"
        self._timeout = timeout

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """The client for what is set; None when neither a token with a channel nor a webhook is."""
        token = settings.slack_bot_token if settings.slack_channel or settings.slack_alert_channel else None
        if token is None and settings.slack_webhook_url is None:
            return None
        return cls(
            token=token,
            channel=settings.slack_channel,
            webhook_url=settings.slack_webhook_url,
            api_url=settings.slack_api_url,
        )

    def post(
        self, text: str, *, channel: str | None = None, blocks: Blocks | None = None, thread: str | None = None
    ) -> Posted:
        """Post a message; `text` is Slack's markup (see `escaped`), and with blocks what notifications show.

        Raises Transient, with Slack's own wait when it names one, or Permanent with what a person can do.
        """
        cut = text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
        if self._token is None:
            return self._post_to_webhook(cut, blocks)
        target = channel or self._channel
        if not target:
            raise Permanent("no Slack channel: set SLACK_CHANNEL")
        answer = self._call(
            lambda client: client.chat_postMessage(
                channel=target, text=cut, blocks=blocks, thread_ts=thread, unfurl_links=False, unfurl_media=False
            )
        )
        return Posted(channel=str(answer.get("channel") or target), ts=str(answer.get("ts") or ""))

    def whoami(self) -> Bot:
        """Who the token belongs to; raises Transient or Permanent. Posts nothing."""
        if self._token is None:
            raise Permanent("an incoming webhook cannot be asked: post a message to try it")
        answer = self._call(lambda client: client.auth_test())
        return Bot(name=str(answer.get("user") or "?"), team=str(answer.get("team") or "?"))

    def _call(self, method: Callable[[WebClient], Any]) -> Any:
        assert self._token
        client = WebClient(
            self._token.get_secret_value(), base_url=self._api_url, timeout=self._timeout, retry_handlers=[],
            logger=_SILENT,
        )  # fmt: skip
        with _reached():
            try:
                return method(client)
            except SlackApiError as error:
                raise _from_answer(error) from None  # its text holds the whole answer

    def _post_to_webhook(self, text: str, blocks: Blocks | None) -> Posted:
        assert self._webhook_url
        client = WebhookClient(
            self._webhook_url.get_secret_value(), timeout=self._timeout, retry_handlers=[], logger=_SILENT
        )
        with _reached():
            answer = client.send(
                text=text, blocks=blocks, unfurl_links=False,
                unfurl_media=False,
            )  # fmt: skip
        if answer.status_code == 200 and answer.body.strip() == "ok":
            return Posted()
        raise _from_webhook(answer.status_code, answer.body, answer.headers)


def escaped(text: str) -> str:
    """Text as Slack shows it literally: no mention, link or special command can come out of it.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@contextmanager
def _reached() -> Iterator[None]:
    """What goes wrong on the way, as Transient; messages name no address, a webhook's is a secret."""
    try:
        yield
    except SlackClientError as error:
        raise Permanent(f"the Slack client refuses: {type(error).__name__}; check SLACK_API_URL") from None
    except TimeoutError:
        raise Transient("Slack did not answer in time") from None
    except (OSError, http.client.HTTPException) as error:
        reason = type(getattr(error, "reason", error)).__name__
        raise Transient(f"Slack cannot be reached ({reason})") from None
    except (ValueError, AttributeError, KeyError, TypeError):  # the SDK does not check what it was answered
        raise Transient("Slack's answer has an unexpected form") from None


def _from_answer(error: SlackApiError) -> Transient | Permanent:
    response = error.response
    status, body = int(response.status_code), response.data
    said = _word(body.get("error") if isinstance(body, dict) else None)
    if status == 429 or said in _BUSY or status >= 500:
        shared = status == 429 or said in _LIMITED
        return Transient(f"Slack is busy ({said or f'HTTP {status}'})", retry_after=_wait(response.headers),
                         shared=shared)  # fmt: skip
    if not said:
        return Transient(f"Slack's answer has an unexpected form (HTTP {status})")
    remedy = _REMEDIES.get(said)
    return Permanent(f"Slack refuses: {said}" + (f"; {remedy}" if remedy else ""))


def _from_webhook(status: int, body: str, headers: Mapping[str, str]) -> Transient | Permanent:
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors."""
    said = _word(body)
    if status == 429 or status >= 500:
        return Transient(f"Slack is busy (HTTP {status})", retry_after=_wait(headers), shared=status == 429)
    if status == 200:
        return Transient("Slack's answer has an unexpected form (HTTP 200)")
    return Permanent(f"Slack refuses: {said or 'no reason given'} (HTTP {status}); {_WEBHOOK_REMEDY}")


def _word(said: object) -> str:
    """An error's name as Slack writes them; anything else (a proxy's page) is none."""
    text = said.strip() if isinstance(said, str) else ""
    return text if re.fullmatch(r"[a-z_]{2,60}", text) else ""


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds by the Retry-After header, at most an hour; None without one."""
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return min(max(float(value), 1.0), LONGEST_WAIT_SECONDS) if value.isdecimal() else None
