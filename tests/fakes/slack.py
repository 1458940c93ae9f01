"""A fake of Slack on loopback: chat.postMessage, auth.test and an incoming webhook, with Slack's limits and bad days.

https://docs.slack.dev/reference/methods/chat.postMessage and
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qsl

TOKEN = "xoxb-not-a-real-token"
HOOK_PATH = "/services/T0000/B0000/not-a-real-hook"
MOST_CHARACTERS = 13_200
MOST_BLOCKS = 50
SECTION_CHARACTERS = 3_000
HEADER_CHARACTERS = 150

Trouble = Literal["limited", "error", "slow", "garbage", "reset"]


@dataclass(frozen=True)
class Message:
    """One message that was accepted."""

    channel: str
    text: str
    blocks: tuple[dict[str, Any], ...] = ()
    thread: str | None = None
    ts: str = ""
    given: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass
class _Misbehaviour:
    kind: Trouble
    times: int
    retry_after: int
    seconds: float


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class FakeSlack:
    """Use as a context manager; `api_url` and `webhook_url` are what the settings take."""

    def __init__(self) -> None:
        self.tokens = {TOKEN}
        self.channels = {"#alerts", "#daybook", "C0001"}
        self.archived: set[str] = set()
        self.messages: list[Message] = []
        self.calls: list[str] = []
        self.hook_open = True
        self._troubles: list[_Misbehaviour] = []
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def _base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def api_url(self) -> str:
        """For SLACK_API_URL."""
        return f"{self._base}/api/"

    @property
    def webhook_url(self) -> str:
        """For SLACK_WEBHOOK_URL."""
        return self._base + HOOK_PATH

    @property
    def texts(self) -> list[str]:
        """The texts that were accepted, in order."""
        return [message.text for message in self.messages]

    def misbehave(self, kind: Trouble, times: int = 1, *, retry_after: int = 7, seconds: float = 30.0) -> None:
        """Answer the next calls with 429, 500, after `seconds`, with a page instead of JSON, or not at all."""
        with self._lock:
            self._troubles.append(_Misbehaviour(kind, times, retry_after, seconds))

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> _Answer | None:
        """The answer to one POST; None closes the connection without one."""
        with self._lock:
            self.calls.append(path)
            trouble = self._next_trouble()
        if trouble:
            if trouble.kind == "slow":
                self._released.wait(trouble.seconds)
            elif trouble.kind == "reset":
                return None
            else:
                return _troubled(trouble, hook=path == HOOK_PATH)
        with self._lock:
            return self._hook(body) if path == HOOK_PATH else self._method(path, headers, body)

    def _next_trouble(self) -> _Misbehaviour | None:
        if not self._troubles:
            return None
        first = self._troubles[0]
        first.times -= 1
        if first.times <= 0:
            self._troubles.pop(0)
        return first

    def _hook(self, body: bytes) -> _Answer:
        if not self.hook_open:
            return _Answer(404, b"no_service")
        try:
            given = json.loads(body)
        except ValueError:
            return _Answer(400, b"invalid_payload")
        if fault := _fault(given):
            return _Answer(400, fault.encode())
        self._accept("webhook", given)
        return _Answer(200, b"ok")

    def _method(self, path: str, headers: dict[str, str], body: bytes) -> _Answer:
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _json(ok=False, error="invalid_auth" if headers.get("authorization") else "not_authed")
        given = (
            json.loads(body or b"{}") if "json" in headers.get("content-type", "") else dict(parse_qsl(body.decode()))
        )
        if path == "/api/auth.test":
            return _json(ok=True, user="daybook", team="Octo Team", user_id="U0001", team_id="T0001")
        if path != "/api/chat.postMessage":
            return _json(ok=False, error="unknown_method")
        if isinstance(given.get("blocks"), str):
            given["blocks"] = json.loads(given["blocks"])
        if (channel := given.get("channel")) not in self.channels:
            return _json(ok=False, error="channel_not_found")
        if channel in self.archived:
            return _json(ok=False, error="is_archived")
        if fault := _fault(given):
            return _json(ok=False, error=fault)
        return _json(ok=True, channel=channel, ts=self._accept(str(channel), given))

    def _accept(self, channel: str, given: dict[str, Any]) -> str:
        ts = f"{time.time():.0f}.{len(self.messages):06d}"
        self.messages.append(
            Message(
                channel, given.get("text") or "", tuple(given.get("blocks") or ()), given.get("thread_ts"), ts, given
            )
        )
        return ts


def _fault(given: Any) -> str | None:
    """Why Slack would refuse a message, by its limits."""
    if not isinstance(given, dict):
        return "invalid_payload"
    text, blocks = given.get("text") or "", given.get("blocks") or []
    if not text and not blocks:
        return "no_text"
    if len(text) + len(json.dumps(blocks, ensure_ascii=False)) * bool(blocks) > MOST_CHARACTERS:
        return "msg_too_long"
    if len(blocks) > MOST_BLOCKS:
        return "invalid_blocks"
    limits = {"section": SECTION_CHARACTERS, "header": HEADER_CHARACTERS}
    long = [
        block for block in blocks
        if len((block.get("text") or {}).get("text", "")) > limits.get(block.get("type", ""), MOST_CHARACTERS)
    ]  # fmt: skip
    return "invalid_blocks" if long else None


def _troubled(trouble: _Misbehaviour, *, hook: bool) -> _Answer:
    if trouble.kind == "limited":
        headers = {"Retry-After": str(trouble.retry_after)}
        return _Answer(429, b"rate_limited", headers) if hook else _json(429, headers, ok=False, error="ratelimited")
    if trouble.kind == "error":
        return _Answer(500, b"<html>oops</html>")
    return _Answer(200, b"<html>please log in to the network</html>")


def _json(status: int = 200, headers: dict[str, str] | None = None, **body: Any) -> _Answer:
    return _Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"} | (headers or {}))


def _handler(slack: FakeSlack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = slack.answer(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            if found is None:
                self.close_connection = True
                return
            try:
                self.send_response(found.status)
                for name, value in found.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(found.body)))
                self.end_headers()
                self.wfile.write(found.body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client did not wait

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
