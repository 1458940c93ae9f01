"""What Slack's failures mean: each becomes Transient or Permanent, with a remedy where a person has to do something.

https://docs.slack.dev/reference/methods/chat.postMessage#errors and
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from slack_sdk.errors import SlackApiError, SlackClientError, SlackObjectFormationError

from core.errors import Permanent, Transient
from workers.channels import MessageGone, MessageRefused

LONGEST_WAIT_SECONDS: Final = 3600.0

_LIMITED: Final = {"ratelimited", "rate_limited", "message_limit_exceeded"}
_BUSY: Final = _LIMITED | {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
_GONE: Final = {
    "message_not_found", "thread_not_found", "cannot_reply_to_message", "cant_update_message", "edit_window_closed",
    "is_inactive",
}  # fmt: skip
_FORM: Final = {
    "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "block_mismatch",
    "invalid_arguments", "invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large",
}  # fmt: skip
_REMEDIES: Final = {
    **dict.fromkeys(
        ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"),
        "SLACK_BOT_TOKEN is not valid (any more): copy the bot token from the app's page at Slack",
    ),
    "channel_not_found": "name a channel the bot can see, or invite the bot",
    "not_in_channel": "invite the bot into the channel",
    "is_archived": "the channel is archived: name another one",
    "restricted_action": "let apps post in that channel, in its settings at Slack",
}
_WEBHOOK_REMEDY: Final = "make a new incoming webhook at Slack and set SLACK_WEBHOOK_URL"


class ScopeMissing(Permanent):
    """The Slack app was not given the right to do this."""


@contextmanager
def reached(channel: str = "") -> Iterator[None]:
    """Calls of the SDK inside the block raise Transient or Permanent; messages name no address, a webhook's is secret.

    `channel` is named where Slack refuses.
    """
    try:
        yield
    except SlackApiError as error:
        raise _from_answer(error, channel) from None  # its text holds the whole answer
    except SlackObjectFormationError as error:  # the SDK knows some of Slack's limits
        raise MessageRefused(f"the Slack client refuses: {error}") from None
    except SlackClientError as error:
        raise Permanent(f"the Slack client refuses: {type(error).__name__}; check SLACK_API_URL") from None
    except TimeoutError:
        raise Transient("Slack did not answer in time") from None
    except (OSError, http.client.HTTPException) as error:
        reason = type(getattr(error, "reason", error)).__name__
        raise Transient(f"Slack cannot be reached ({reason})") from None
    except (ValueError, AttributeError, KeyError, TypeError):  # the SDK does not check what it was answered
        raise Transient("Slack's answer has an unexpected form") from None


def _from_answer(error: SlackApiError, channel: str) -> Transient | Permanent:
    response = error.response
    status, body = int(response.status_code), response.data if isinstance(response.data, dict) else {}
    said = _word(body.get("error"))
    if status == 429 or said in _BUSY or status >= 500:
        shared = status == 429 or said in _LIMITED
        return Transient(f"Slack is busy ({said or f'HTTP {status}'})", retry_after=_wait(response.headers),
                         shared=shared)  # fmt: skip
    if not said:
        return Transient(f"Slack's answer has an unexpected form (HTTP {status})")
    remedy = _scope_remedy(body) if said == "missing_scope" else _REMEDIES.get(said)
    return _kind(said)(f"Slack refuses{f' {channel}' if channel else ''}: {said}" + (f"; {remedy}" if remedy else ""))


def _kind(said: str) -> type[Permanent]:
    if said == "missing_scope":
        return ScopeMissing
    return MessageGone if said in _GONE else MessageRefused if said in _FORM else Permanent


def _scope_remedy(body: Mapping[str, object]) -> str:
    needed = str(body.get("needed") or "")
    scope = needed if re.fullmatch(r"[a-z:.,|_]{2,100}", needed) else "chat:write"
    return f"give the Slack app the scope {scope} and install it again"


def from_webhook(status: int, body: str, headers: Mapping[str, str]) -> Transient | Permanent:
    """What an answer of an incoming webhook means that is not `ok`."""
    said = _word(body)
    if status == 429 or status >= 500:
        return Transient(f"Slack is busy (HTTP {status})", retry_after=_wait(headers), shared=status == 429)
    if status == 200:
        return Transient("Slack's answer has an unexpected form (HTTP 200)")
    if said in _FORM:
        return MessageRefused(f"Slack refuses: {said} (HTTP {status})")
    return Permanent(f"Slack refuses: {said or 'no reason given'} (HTTP {status}); {_WEBHOOK_REMEDY}")


def _word(said: object) -> str:
    """An error's name as Slack writes them; anything else (a proxy's page) is none."""
    text = said.strip() if isinstance(said, str) else ""
    return text if re.fullmatch(r"[a-z_]{2,60}", text) else ""


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds by the Retry-After header, at most an hour; None without one."""
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return min(max(float(value), 1.0), LONGEST_WAIT_SECONDS) if value.isdecimal() else None
