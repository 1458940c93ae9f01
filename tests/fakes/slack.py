"""A fake of Slack on loopback: channels with their history, threads and changes, an incoming webhook, limits, bad days.

https://docs.slack.dev/reference/methods/chat.postMessage and
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.loopback import Answer, LoopbackService, as_json
from tests.fakes.slack_limits import fault

TOKEN = "xoxb-not-a-real-token"
HOOK_PATH = "/services/T0000/B0000/not-a-real-hook"
SCOPES = ("chat:write", "channels:history", "channels:read", "groups:history", "groups:read")
MOST_ROWS = 999
_LISTED = {"public_channel": "channels:read", "private_channel": "groups:read"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """One message as it stands: `channel` is its name, `at` when it was taken (Unix seconds)."""

    channel: str
    text: str
    blocks: tuple[Json, ...] = ()
    thread: str | None = None
    ts: str = ""
    metadata: Json | None = None
    edited: bool = False
    given: Json = field(default_factory=dict, compare=False)
    at: float = field(default=0.0, compare=False)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids in its metadata."""
        return tuple(self.metadata["event_payload"]["ids"]) if self.metadata else ()


class FakeSlack(LoopbackService):
    """Use as a context manager; `api_url` and `webhook_url` are what the settings take.

    `channels` maps names to ids; `private` and `archived` are names of such; `outside` those the bot is not in. With
    `pace` set, a channel takes one message in so many seconds and answers 429 to more. `refusals` are the errors that
    the next calls of a method are refused with.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens = {TOKEN}
        self.scopes: set[str] | None = set(SCOPES)
        self.channels = {"#alerts": "C0ALERTS", "#daybook": "C0DAYBOOK", "C0001": "C0001"}
        self.private: set[str] = set()
        self.archived: set[str] = set()
        self.outside: set[str] = set()
        self.messages: list[Message] = []
        self.hook_open = True
        self.pace = 0.0
        self.page = 100  # how many rows an answer has at most, whatever is asked for
        self._refusals: list[tuple[str, str]] = []
        self._methods: dict[str, Callable[[Json], Answer]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.info": self._info,
            "conversations.list": self._list,
            "conversations.replies": self._replies,
        }

    @property
    def api_url(self) -> str:
        """For SLACK_API_URL."""
        return f"{self.base}/api/"

    @property
    def webhook_url(self) -> str:
        """For SLACK_WEBHOOK_URL."""
        return self.base + HOOK_PATH

    @property
    def texts(self) -> list[str]:
        """The texts that stand, in order."""
        return [message.text for message in self.messages]

    def refuse(self, method: str, error: str) -> None:
        """Refuse the next call of a method with an error of Slack's."""
        with self._lock:
            self._refusals.append((method, error))

    def limited(self, path: str, retry_after: int) -> Answer:
        headers = {"Retry-After": str(retry_after)}
        if path == HOOK_PATH:
            return Answer(429, b"rate_limited", headers)
        return as_json(429, headers, ok=False, error="ratelimited")

    def carried_out(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path == HOOK_PATH:
            return self._hook(body)
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error("invalid_auth" if headers.get("authorization") else "not_authed")
        method = path.removeprefix("/api/")
        if method not in self._methods:
            return _error("unknown_method")
        if refusal := next((one for one in self._refusals if one[0] == method), None):
            self._refusals.remove(refusal)
            return _error(refusal[1])
        answer = self._methods[method](_given(headers, body))
        scopes = {"X-OAuth-Scopes": ",".join(sorted(self.scopes))} if self.scopes is not None else {}
        return replace(answer, headers=answer.headers | scopes)

    def _hook(self, body: bytes) -> Answer:
        if not self.hook_open:
            return Answer(404, b"no_service")
        try:
            given = json.loads(body)
        except ValueError:
            return Answer(400, b"invalid_payload")
        if found := fault(given):
            return Answer(400, found.encode())
        if self._too_soon("webhook"):
            return self.limited(HOOK_PATH, 1)
        self._accept("webhook", given)
        return Answer(200, b"ok")

    def _auth_test(self, _: Json) -> Answer:
        return as_json(ok=True, user="daybook", team="Octo Team", user_id="U0001", team_id="T0001", bot_id="B0001")

    def _post(self, given: Json) -> Answer:
        name, trouble = self._writable(given)
        if trouble or (trouble := fault(given)):
            return _error(trouble)
        thread = given.get("thread_ts")
        if thread and not any(message.ts == thread and message.channel == name for message in self.messages):
            return _error("thread_not_found")
        if self._too_soon(name):
            return self.limited("", 1)
        message = self._accept(name, given)
        return as_json(ok=True, channel=self.channels[name], ts=message.ts, message=self._row(message))

    def _update(self, given: Json) -> Answer:
        if given.get("channel") not in self.channels.values():
            return _error("channel_not_found")  # only ids are taken here
        name, trouble = self._writable(given)
        if trouble or (trouble := fault(given)):
            return _error(trouble)
        for place, message in enumerate(self.messages):
            if message.ts == given.get("ts") and message.channel == name:
                changed = _read(given)
                self.messages[place] = replace(message, **changed, edited=True, given=given)
                return as_json(ok=True, channel=self.channels[name], ts=message.ts, text=changed["text"])
        return _error("message_not_found")

    def _history(self, given: Json) -> Answer:
        return self._readable(given) or self._rows(
            given, [message for message in reversed(self.messages) if message.thread is None]
        )

    def _replies(self, given: Json) -> Answer:
        if trouble := self._readable(given):
            return trouble
        thread = given.get("ts")
        found = [message for message in self.messages if thread in (message.ts, message.thread)]
        return (
            self._rows(given, found) if any(message.ts == thread for message in found) else _error("thread_not_found")
        )

    def _rows(self, given: Json, messages: Sequence[Message]) -> Answer:
        name = self._name(given)
        oldest, latest = float(given.get("oldest") or 0), float(given.get("latest") or "inf")
        rows = [
            self._row(message, metadata=_true(given.get("include_all_metadata"))) for message in messages
            if message.channel == name and (oldest < float(message.ts) < latest or message.ts == given.get("ts"))
        ]  # fmt: skip
        return self._paged(given, "messages", rows)

    def _list(self, given: Json) -> Answer:
        kinds = str(given.get("types") or "public_channel").split(",")
        scopes = [scope for kind, scope in _LISTED.items() if kind in kinds]
        if missing := next((answer for scope in scopes if (answer := self._missing(scope))), None):
            return missing
        rows = [
            self._channel(name) for name in self.channels
            if ("private_channel" if name in self.private else "public_channel") in kinds
            and not (name in self.archived and _true(given.get("exclude_archived")))
            and not (name in self.private and name in self.outside)
        ]  # fmt: skip
        return self._paged(given, "channels", rows)

    def _info(self, given: Json) -> Answer:
        if given.get("channel") not in self.channels.values():
            return _error("channel_not_found")
        name = self._name(given)
        missing = self._missing("groups:read" if name in self.private else "channels:read")
        return missing or as_json(ok=True, channel=self._channel(name))

    def _paged(self, given: Json, key: str, rows: list[Json]) -> Answer:
        start = int(given.get("cursor") or 0)
        end = start + min(int(given.get("limit") or 100), self.page, MOST_ROWS)
        cursor = str(end) if end < len(rows) else ""
        body: Json = {key: rows[start:end], "has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}
        return as_json(ok=True, **body)

    def _name(self, given: Json) -> str:
        """The channel that is meant, by name or id; "" for none."""
        asked = given.get("channel")
        return next((name for name, known in self.channels.items() if asked in (name, known)), "")

    def _writable(self, given: Json) -> tuple[str, str | None]:
        """The channel's name, and why nothing can be written there."""
        name = self._name(given)
        if self.scopes is not None and "chat:write" not in self.scopes:
            return name, "missing_scope"
        if not name or (name in self.private and name in self.outside):
            return name, "channel_not_found"
        if name in self.outside and "chat:write.public" not in (self.scopes or ()):
            return name, "not_in_channel"
        return name, "is_archived" if name in self.archived else None

    def _readable(self, given: Json) -> Answer | None:
        """Why nothing can be read there; names are not taken."""
        if given.get("channel") not in self.channels.values():
            return _error("channel_not_found")
        name = self._name(given)
        missing = self._missing("groups:history" if name in self.private else "channels:history")
        return missing or (_error("not_in_channel") if name in self.outside else None)

    def _missing(self, scope: str) -> Answer | None:
        if self.scopes is None or scope in self.scopes:
            return None
        return as_json(ok=False, error="missing_scope", needed=scope, provided=",".join(sorted(self.scopes)))

    def _too_soon(self, name: str) -> bool:
        return any(message.channel == name and time.time() - message.at < self.pace for message in self.messages[-50:])

    def _accept(self, channel: str, given: Json) -> Message:
        now = time.time()
        # A time stamp names a message within its channel, so no two are alike.
        ts = f"{int(now)}.{len(self.messages):06d}"
        message = Message(channel, **_read(given), thread=given.get("thread_ts"), ts=ts, given=given, at=now)
        self.messages.append(message)
        return message

    def _row(self, message: Message, *, metadata: bool = True) -> Json:
        thread = {"thread_ts": message.thread} if message.thread else {}
        told = {"metadata": message.metadata} if metadata and message.metadata else {}
        return {"type": "message", "text": message.text, "ts": message.ts, "bot_id": "B0001", **thread, **told}

    def _channel(self, name: str) -> Json:
        return {
            "id": self.channels[name], "name": name.removeprefix("#"), "is_private": name in self.private,
            "is_archived": name in self.archived, "is_member": name not in self.outside,
        }  # fmt: skip


def _given(headers: dict[str, str], body: bytes) -> Json:
    """The arguments of a call, as JSON or as a form, in which lists and objects are JSON again."""
    if "json" in headers.get("content-type", ""):
        found: Json = json.loads(body or b"{}")
    else:
        found = dict(parse_qsl(body.decode()))
    return found | {key: json.loads(found[key]) for key in ("blocks", "metadata") if isinstance(found.get(key), str)}


def _read(given: Json) -> Json:
    """What of a message's arguments is kept."""
    return {
        "text": given.get("text") or "",
        "blocks": tuple(given.get("blocks") or ()),
        "metadata": given.get("metadata"),
    }


def _true(value: Any) -> bool:
    return value in (True, 1, "1", "true")


def _error(error: str) -> Answer:
    return as_json(ok=False, error=error)
