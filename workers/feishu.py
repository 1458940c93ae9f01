"""Feishu and Lark by a group's custom bot: signed cards to its webhook, which can be neither read nor changed.

https://open.feishu.cn/document/ukTMukTMukTM/ucTM5YjL3ETO24yNxkjN (Lark: the same path at open.larksuite.com)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import httpx2
import structlog
from pydantic import SecretStr

from core.errors import Permanent, Transient
from workers.channels import MessageGone, MessageRefused, Posted

if TYPE_CHECKING:
    from workers.notices import Notice

log = structlog.get_logger()

TIMEOUT_SECONDS: Final = 10.0
MOST_BYTES: Final = 20_000  # of a request's body: 20 KB, by whichever count
MOST_CHARACTERS: Final = 4_000  # of plain text: 12,000 bytes in Chinese
LONGEST_WAIT_SECONDS: Final = 3600.0
MINUTE: Final = 60.0  # the window of the limit: 100 messages a minute and 5 a second for each bot

_LIMITED: Final = {11232, 99991400}
_REMEDIES: Final = {
    19001: "the webhook's address is not valid (any more): copy it from the bot's page and set FEISHU_WEBHOOK_URL",
    19021: "check FEISHU_SECRET against the bot's signature key, and this machine's clock",
    19022: "add this machine's address to the bot's IP list, or switch the list off",
    19024: "switch the bot's keywords off and its signature on",
}

Card = Mapping[str, Any]  # a message card as Feishu's documentation writes it
Render = Callable[["Notice"], Card]


class Feishu:
    """The group of one custom bot; see `workers.channels.Channel`. Threads may share it; the constructor does no I/O.

    `name` is the channel's, such as `feishu:default`; `secret` the bot's signature key, None when it checks none.
    """

    can_update = False
    can_search = False

    def __init__(
        self, name: str, url: SecretStr, secret: SecretStr | None, render: Render, *, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self.service = name
        self._url = url
        self._secret = secret
        self._render = render
        self._timeout = timeout

    def post(self, notice: Notice, *, thread: str | None = None) -> Posted:  # noqa: ARG002 - as every channel
        """Post a notice as a card, or its headline alone when Feishu refuses the card."""
        try:
            self._send({"msg_type": "interactive", "card": self._render(notice)})
        except MessageRefused as error:
            log.warning("feishu_card_refused", ids=notice.id, reason=str(error))
            self._send(_plain(f"{notice.headline}\n{notice.link or ''}".strip()))
        return Posted()

    def update(self, posted: Posted, notice: Notice) -> None:  # noqa: ARG002 - as every channel
        """Not possible: raises MessageGone."""
        raise MessageGone("a custom bot of Feishu cannot change messages")

    def find(self, ids: Collection[str], since: datetime, *, thread: str | None = None) -> dict[str, Posted]:  # noqa: ARG002 - as every channel
        """Not possible: finds nothing."""
        return {}

    def say(self, text: str) -> None:
        """Post plain text of our own."""
        self._send(_plain(text))

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({**self._signed(int(time.time())), **message}, ensure_ascii=False).encode()
        if len(body) > MOST_BYTES:
            raise MessageRefused(f"the message has {len(body)} bytes, Feishu takes {MOST_BYTES}")
        headers = {"Content-Type": "application/json; charset=utf-8"}
        try:
            answer = httpx2.post(self._url.get_secret_value(), content=body, headers=headers, timeout=self._timeout)
        except httpx2.TimeoutException:
            raise Transient("Feishu did not answer in time") from None
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL):
            raise Permanent("FEISHU_WEBHOOK_URL is not an address; copy it from the bot's page") from None
        except httpx2.HTTPError as error:  # its text may hold the address, which is a secret
            raise Transient(f"Feishu cannot be reached ({type(error).__name__})") from None
        _check(answer)

    def _signed(self, now: int) -> dict[str, str]:
        if self._secret is None:
            return {}
        return {"timestamp": str(now), "sign": signature(self._secret.get_secret_value(), now)}


def signature(secret: str, timestamp: int) -> str:
    """The `sign` of a message: HMAC-SHA256 of nothing, whose key is the time (Unix seconds) and the bot's secret."""
    key = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()


def _plain(text: str) -> dict[str, Any]:
    """A message of plain text; in a `post`, unlike in a `text`, no `<at>` tag is looked for."""
    lines = [[{"tag": "text", "text": line}] for line in text[:MOST_CHARACTERS].split("\n")]
    return {"msg_type": "post", "content": {"post": {"zh_cn": {"title": "", "content": lines}}}}


def _check(answer: httpx2.Response) -> None:
    """Raise what an answer means; all is well only with `code` 0, whatever the HTTP status."""
    code, said = _code(answer)
    limited = answer.status_code == 429 or code in _LIMITED or "too many request" in said.lower()
    if limited:
        raise Transient("Feishu is busy (too many messages)", retry_after=_wait(answer.headers), shared=True)
    if answer.status_code >= 500:
        raise Transient(f"Feishu is busy (HTTP {answer.status_code})")
    if code is None:
        raise Transient(f"Feishu's answer has an unexpected form (HTTP {answer.status_code})")
    if code in _REMEDIES:
        raise Permanent(f"Feishu refuses: {code}; {_REMEDIES[code]}")
    if code:
        raise MessageRefused(f"Feishu refuses: {code}")


def _code(answer: httpx2.Response) -> tuple[int | None, str]:
    """The answer's `code` and `msg`; None when it is not one of Feishu's."""
    try:
        body = answer.json()
    except ValueError:
        return None, ""
    if not isinstance(body, dict) or not isinstance(body.get("code"), int):
        return None, ""
    return body["code"], str(body.get("msg") or "")


def _wait(headers: Mapping[str, str]) -> float:
    """Seconds until the limit's window is over, as Feishu says, else a minute.

    https://open.feishu.cn/document/ukTMukTMukTM/uUzN04SN3QjL1cDN
    """
    value = headers.get("x-ogw-ratelimit-reset") or headers.get("retry-after") or ""
    return min(max(float(value), 1.0), LONGEST_WAIT_SECONDS) if value.isdecimal() else MINUTE
