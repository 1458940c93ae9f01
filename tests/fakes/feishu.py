"""A fake of Feishu on loopback: one custom bot's webhook with its signature check, limits and bad days.

https://open.feishu.cn/document/ukTMukTMukTM/ucTM5YjL3ETO24yNxkjN
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes.loopback import Answer, LoopbackService, as_json

SECRET = "not-a-real-signature-key"
HOOK_PATH = "/open-apis/bot/v2/hook/not-a-real-hook"
MOST_BYTES = 20_000
HOUR = 3_600
A_MINUTE, A_SECOND = 100, 5  # messages

Json = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """One message that was accepted; `at` in Unix seconds."""

    given: Json
    at: float

    @property
    def card(self) -> Json | None:
        """The card, of an interactive message."""
        return self.given.get("card")

    @property
    def text(self) -> str:
        """The plain text, of a `post`."""
        lines = self.given.get("content", {}).get("post", {}).get("zh_cn", {}).get("content", [])
        return "\n".join("".join(part["text"] for part in line) for line in lines)


class FakeFeishu(LoopbackService):
    """Use as a context manager; `url` and SECRET are what the settings take.

    `secret` None switches the signature check off; `code` refuses everything with that code; `paced` keeps the real
    limits of 100 messages a minute and 5 a second, by `clock`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.secret: str | None = SECRET
        self.code = 0
        self.paced = False
        self.clock: Callable[[], float] = time.time
        self.messages: list[Message] = []

    @property
    def url(self) -> str:
        """For FEISHU_WEBHOOK_URL."""
        return self.base + HOOK_PATH

    def limited(self, path: str, retry_after: int) -> Answer:  # noqa: ARG002 - there is one path
        headers = {"x-ogw-ratelimit-limit": "100", "x-ogw-ratelimit-reset": str(retry_after)}
        return as_json(429, headers, code=99991400, msg="request trigger frequency limit")

    def carried_out(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path != HOOK_PATH:
            return _refused(19001, "param invalid: incoming webhook access token invalid")
        try:
            given = json.loads(body)
        except ValueError:
            return _refused(9499, "Bad Request")
        if self.code:
            return _refused(self.code, "as told")
        if len(body) > MOST_BYTES:
            return _refused(19036, "the message is too long")
        if self.secret and not _signed(given, self.secret):
            return _refused(19021, "sign match fail or timestamp is not within one hour from current time")
        if not _well_formed(given) or "utf-8" not in headers.get("content-type", ""):
            return _refused(9499, "Bad Request")
        if self.paced and self._too_many():
            return _refused(11232, "frequency limited")
        self.messages.append(Message(given, self.clock()))
        return as_json(StatusCode=0, StatusMessage="success", code=0, data={}, msg="success")

    def _too_many(self) -> bool:
        ages = [self.clock() - message.at for message in self.messages]
        return sum(age < 60 for age in ages) >= A_MINUTE or sum(age < 1 for age in ages) >= A_SECOND


def _signed(given: Json, secret: str) -> bool:
    stamp, sign = str(given.get("timestamp")), str(given.get("sign"))
    expected = base64.b64encode(hmac.new(f"{stamp}\n{secret}".encode(), digestmod=hashlib.sha256).digest()).decode()
    return stamp.isdecimal() and abs(time.time() - int(stamp)) <= HOUR and hmac.compare_digest(sign, expected)


def _well_formed(given: Json) -> bool:
    kind = given.get("msg_type")
    if kind == "interactive":
        card = given.get("card")
        return isinstance(card, dict) and bool(card.get("elements") or card.get("body"))
    return kind == "post" and bool(given["content"]["post"]["zh_cn"]["content"])


def _refused(code: int, said: str) -> Answer:
    return as_json(code=code, msg=said, data={})
