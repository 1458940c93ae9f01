"""A stand-in of Anthropic's Messages API: a real HTTP server that checks requests, and fails when it is told to.

    with FakeAnthropic() as api:
        api.script(Behaviour.RATE_LIMITED, Behaviour.FINE)   # for the next requests; after them it behaves
        ... base_url=api.url ...
        api.requests[0].body["system"]

`python -m tests.fakes.anthropic --port 8090 --delay 5 --fail 0.2` serves it alone, for a bench.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import socket
import struct
import sys
import threading
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

from tests.fakes.anthropic_replies import named_file, reply_text, wants_chinese
from tests.fakes.anthropic_rules import MAX_BODY_BYTES, MODELS, Refused, check_headers, check_message_request, invalid


class Behaviour(StrEnum):
    """What the server does with one request to create a message."""

    FINE = "fine"
    THINKING = "thinking"
    RATE_LIMITED = "rate limited"
    OVERLOADED = "overloaded"
    ERROR_500 = "error 500"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not found"
    NO_CREDIT = "no credit"
    PROMPT_TOO_LONG = "prompt too long"
    TOO_LARGE = "too large"
    BAD_REQUEST = "bad request"
    HANG = "hang"
    RESET = "reset"
    NO_MESSAGE = "no message"
    TRUNCATED = "truncated"
    REFUSAL = "refusal"
    CONTEXT_EXCEEDED = "context exceeded"
    PAUSE_TURN = "pause_turn"
    TOOL_USE = "tool_use"
    STOP_SEQUENCE = "stop_sequence"
    INVALID_JSON = "invalid JSON"
    SCHEMA_MISMATCH = "schema mismatch"
    WRONG_LANGUAGE = "wrong language"
    HEADING = "heading"


FAILURES = (Behaviour.RATE_LIMITED, Behaviour.OVERLOADED, Behaviour.ERROR_500, Behaviour.RESET, Behaviour.TRUNCATED,
            Behaviour.REFUSAL, Behaviour.INVALID_JSON, Behaviour.SCHEMA_MISMATCH)  # fmt: skip
"""What `--fail` picks from."""

_REFUSALS = {
    Behaviour.RATE_LIMITED: (429, "rate_limit_error", "This request would exceed your organization's rate limit"),
    Behaviour.OVERLOADED: (529, "overloaded_error", "Overloaded"),
    Behaviour.ERROR_500: (500, "api_error", "Internal server error"),
    Behaviour.UNAUTHORIZED: (401, "authentication_error", "invalid x-api-key"),
    Behaviour.FORBIDDEN: (403, "permission_error", "Your API key does not have permission to use the resource"),
    Behaviour.NOT_FOUND: (404, "not_found_error", "model: claude-none"),
    Behaviour.NO_CREDIT: (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
    Behaviour.PROMPT_TOO_LONG: (400, "invalid_request_error", "prompt is too long: 1200000 tokens > 1000000 maximum"),
    Behaviour.TOO_LARGE: (413, "request_too_large", "Request exceeds the maximum size"),
}
_STOPS = {
    Behaviour.TRUNCATED: "max_tokens",
    Behaviour.REFUSAL: "refusal",
    Behaviour.CONTEXT_EXCEEDED: "model_context_window_exceeded",
    Behaviour.PAUSE_TURN: "pause_turn",
    Behaviour.TOOL_USE: "tool_use",
    Behaviour.STOP_SEQUENCE: "stop_sequence",
}
_CACHE_MINIMUM = 512


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it came; `body` is None when it was not JSON."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def prompt(self) -> str:
        """The text of all messages."""
        return "\n".join(_text(message["content"]) for message in self.body["messages"])

    @property
    def system(self) -> str:
        """The text of the system prompt."""
        return _text(self.body.get("system") or "")


class FakeAnthropic:
    """The server; a context manager. All attributes may be changed while it runs."""

    def __init__(self, *, port: int = 0, key: str | None = None, delay: float = 0.0, fail: float = 0.0) -> None:
        """`key` is the only accepted one (None: any), `delay` in seconds, `fail` the share of requests that fail."""
        self.key, self.delay, self.fail = key, delay, fail
        self.retry_after: str | None = None
        self.together = 0  # answer nobody until so many requests are there at once
        self.requests: list[Recorded] = []
        self.concurrent = self.most_concurrent = 0
        self._script: deque[Behaviour] = deque()
        self._cached: set[str] = set()
        self._lock = threading.Lock()
        self._stopped, self._complete = threading.Event(), threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler_for(self))

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def script(self, *behaviours: Behaviour) -> None:
        """What to do with the next requests for messages, in their order."""
        with self._lock:
            self._script.extend(behaviours)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Serve until stopped."""
        self._server.serve_forever(poll_interval=0.02)

    def record(self, request: Recorded) -> None:
        with self._lock:
            self.requests.append(request)

    def enter(self) -> Behaviour:
        """Count a request for a message as running; what to do with it."""
        with self._lock:
            self.concurrent += 1
            self.most_concurrent = max(self.most_concurrent, self.concurrent)
            if self.concurrent >= self.together:
                self._complete.set()
            if self._script:
                return self._script.popleft()
        return random.choice(FAILURES) if random.random() < self.fail else Behaviour.FINE

    def leave(self) -> None:
        with self._lock:
            self.concurrent -= 1

    def wait(self, seconds: float) -> None:
        """Let time pass, but not beyond the server's end."""
        self._stopped.wait(seconds)

    def wait_for_company(self) -> None:
        """Until as many requests as `together` asks for have come, for at most a minute."""
        if self.together:
            self._complete.wait(60)

    def message(self, request: Recorded, behaviour: Behaviour) -> dict[str, Any]:
        """The API's message for a request."""
        body = request.body
        text, stop = _answer_text(request, behaviour), _STOPS.get(behaviour, "end_turn")
        written = _tokens(text) + 20
        if stop == "end_turn" and written > body["max_tokens"]:
            stop, written = "max_tokens", body["max_tokens"]
            text = text[: len(text) // 3]
        thinking = {"type": "thinking", "thinking": "", "signature": "c2lnbmF0dXJl"}
        content = [thinking] * (behaviour is Behaviour.THINKING) + [{"type": "text", "text": text}] * bool(text)
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        return {
            "id": f"msg_01{digest[:22]}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "stop_details": None,
            "usage": self._usage(request, written + 150 * (behaviour is Behaviour.THINKING)),
        }

    def _usage(self, request: Recorded, written: int) -> dict[str, Any]:
        """Token counts as the API reports them: a cached system prompt is written once and read afterwards."""
        system, prompt = _tokens(request.system), _tokens(request.prompt)
        cached = "cache_control" in json.dumps(request.body.get("system")) and system >= _CACHE_MINIMUM
        with self._lock:
            known = (prefix := f"{request.body['model']} {request.system}") in self._cached
            if cached:
                self._cached.add(prefix)
        creation = system * (cached and not known)
        return {
            "input_tokens": prompt + system * (not cached),
            "cache_creation_input_tokens": creation,
            "cache_read_input_tokens": system * (cached and known),
            "cache_creation": {"ephemeral_5m_input_tokens": creation, "ephemeral_1h_input_tokens": 0},
            "output_tokens": written,
            "service_tier": "standard",
            "inference_geo": "global",
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def shutdown_request(self, request: Any) -> None:
        """Close at once: an orderly shutdown first would turn a reset into an ordinary end."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server's."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    api: ClassVar[FakeAnthropic]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._guarded(None)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        self._guarded(raw)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
        """Say nothing: the recorded requests are the log."""

    def _guarded(self, raw: bytes | None) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            body = None if raw is None else _parsed(raw)
            request = Recorded(self.command, self.path.partition("?")[0], headers, body)
            self.api.record(request)
            check_headers(headers, self.api.key)
            self._route(request)
        except Refused as refused:
            self._refuse(refused)

    def _route(self, request: Recorded) -> None:
        match request.method, request.path:
            case "POST", "/v1/messages":
                self._create(request)
            case "POST", "/v1/messages/count_tokens":
                check_message_request(request.body, counting=True)
                self._send(200, {"input_tokens": _tokens(request.system) + _tokens(request.prompt)})
            case "GET", "/v1/models":
                models = [_model(name) for name in MODELS]
                ends = {"first_id": models[0]["id"], "last_id": models[-1]["id"]}
                self._send(200, {"data": models, "has_more": False, **ends})
            case "GET", path if path.removeprefix("/v1/models/") in MODELS:
                self._send(200, _model(path.removeprefix("/v1/models/")))
            case _:
                raise Refused(404, "not_found_error", "Not found")

    def _create(self, request: Recorded) -> None:
        check_message_request(request.body)
        behaviour = self.api.enter()
        try:
            self.api.wait_for_company()
            self.api.wait(self.api.delay)
            self._behave(request, behaviour)
        finally:
            self.api.leave()

    def _behave(self, request: Recorded, behaviour: Behaviour) -> None:
        if behaviour is Behaviour.HANG:
            self.api.wait(600)
            self.close_connection = True
        elif behaviour is Behaviour.RESET:
            # Closing with linger 0 sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif behaviour is Behaviour.NO_MESSAGE:
            self._send(200, {"type": "surprise"})
        elif behaviour is Behaviour.BAD_REQUEST:
            raise invalid(f"messages.0.content: cannot be read: {request.prompt}")
        elif behaviour in _REFUSALS:
            raise Refused(*_REFUSALS[behaviour])
        else:
            self._send(200, self.api.message(request, behaviour))

    def _refuse(self, refused: Refused) -> None:
        extra = {"retry-after": self.api.retry_after} if self.api.retry_after is not None else {}
        error = {"type": refused.kind, "message": str(refused)}
        self._send(refused.status, {"type": "error", "error": error, "request_id": "req_011CfakeRequest"}, **extra)

    def _send(self, status: int, answer: dict[str, Any], **headers: str) -> None:
        written = json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(status)
        all_headers = {"content-type": "application/json", "request-id": "req_011CfakeRequest", **headers}
        for name, value in {**all_headers, "content-length": str(len(written))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(written)


def _handler_for(api: FakeAnthropic) -> type[_Handler]:
    return type("_BoundHandler", (_Handler,), {"api": api})


def _parsed(raw: bytes) -> Any:
    if len(raw) > MAX_BODY_BYTES:
        raise Refused(413, "request_too_large", "Request exceeds the maximum size")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise invalid("The request body is not valid JSON") from error


def _answer_text(request: Recorded, behaviour: Behaviour) -> str:
    schema = ((request.body.get("output_config") or {}).get("format") or {}).get("schema")
    chinese = wants_chinese(request.system) is not (behaviour is Behaviour.WRONG_LANGUAGE)
    if schema is None:
        return f"`{named_file(request.prompt)}` 有改动。" if chinese else f"`{named_file(request.prompt)}` has changed."
    whole = reply_text(schema, request.prompt, chinese=chinese)
    match behaviour:
        case Behaviour.REFUSAL:
            return ""
        case Behaviour.TRUNCATED | Behaviour.CONTEXT_EXCEEDED:
            return whole[: len(whole) // 2]
        case Behaviour.INVALID_JSON:
            return f"Here is the analysis: {whole}"
        case Behaviour.SCHEMA_MISMATCH:
            return json.dumps({"verdict": "fine"})
        case Behaviour.HEADING:
            fields = json.loads(whole)
            return json.dumps({**fields, "summary": f"## 摘要\n{fields['summary']}"}, ensure_ascii=False)
        case _:
            return whole


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(block["text"] for block in content)


def _tokens(text: str) -> int:
    """About as many tokens as the API would count; not the product's own estimate, so that tests compare two."""
    narrow = sum(character.isascii() for character in text)
    return round(narrow / 3.4 + (len(text) - narrow) * 1.1)


def _model(name: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "line": None,
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
    }


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A stand-in of Anthropic's Messages API on loopback.")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--fail", type=float, default=0.0, help="share of requests that fail, 0 to 1")
    options = parser.parse_args()
    api = FakeAnthropic(port=options.port, delay=options.delay, fail=options.fail)
    print(f"ANTHROPIC_BASE_URL={api.url}", flush=True)
    try:
        api.serve()
    except KeyboardInterrupt:
        print(f"{len(api.requests)} requests, at most {api.most_concurrent} at once")


if __name__ == "__main__":
    main()
