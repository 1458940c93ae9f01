"""A stand-in of Anthropic's Messages API: a real HTTP server that checks requests, and fails when it is told to.

    with FakeAnthropic() as api:
        api.script(Behaviour.RATE_LIMITED, Behaviour.FINE)   # for the next requests; after them it behaves
        ... base_url=api.url ...
        api.requests[0].body["system"]
        api.otherwise = Behaviour.INVENTED_NAMES             # what to do when nothing is scripted
        api.opinions[sha] = ("high", "Users must act.")      # its tier for a commit, where it is not the rules'
        api.batches.seconds = 3600; api.clock.advance(3600)  # batches take an hour, and the hour is over

Each request of a batch takes its behaviour from the same script, when the batch is created. Calls to the batch
endpoints themselves fail by `api.script_batches(...)`; with HANG or RESET the work is done and the answer lost.

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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

from tests.fakes import anthropic_batches
from tests.fakes.anthropic_batches import Batches
from tests.fakes.anthropic_behaviours import FAILURES, Behaviour, answer_text, refusal_of, stop_reason_of
from tests.fakes.anthropic_replies import Asked, commit_in, thing_in, wants_chinese
from tests.fakes.anthropic_requests import Recorded
from tests.fakes.anthropic_rules import MAX_BODY_BYTES, MODELS, Refused, check_headers, check_message_request, invalid
from tests.fakes.anthropic_tokens import Clock, Prompt, PromptCache, count_tokens

__all__ = ["Behaviour", "FakeAnthropic", "Recorded"]

_REQUEST_ID = "req_011CfakeRequest"


class FakeAnthropic:
    """The server; a context manager. All attributes may be changed while it runs."""

    def __init__(
        self, *, port: int = 0, key: str | None = None, delay: float = 0.0, fail: float = 0.0, host: str = "127.0.0.1"
    ) -> None:
        """`key` is the only accepted one (None: any), `delay` in seconds, `fail` the share of requests that fail."""
        self.key, self.delay, self.fail = key, delay, fail
        self.retry_after: str | None = None
        self.otherwise = Behaviour.FINE
        self.opinions: dict[str, tuple[str, str | None]] = {}  # by sha: tier and reason (None: the usual one)
        self.characters_per_token = 3.4  # of ASCII text
        self.together = 0  # answer nobody until so many requests are there at once
        self.requests: list[Recorded] = []
        self.billed: list[tuple[Recorded, dict[str, Any]]] = []  # each message's request and `usage`
        self.concurrent = self.most_concurrent = 0
        self.clock = Clock()
        self._script, self._batch_script = deque[Behaviour](), deque[Behaviour]()
        self._cache = PromptCache(self.clock)
        self._lock = threading.Lock()
        self._stopped, self._complete = threading.Event(), threading.Event()
        self._host = host
        self._server = _Server((host, port), _handler_for(self))
        self.batches = Batches(self.url, self.clock, self._next_behaviour, self._batch_result)

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://{self._host}:{self._server.server_address[1]}"

    def script(self, *behaviours: Behaviour) -> None:
        """What to do with the next requests for messages, single or in a batch, in their order."""
        with self._lock:
            self._script.extend(behaviours)

    def script_batches(self, *behaviours: Behaviour) -> None:
        """What to do with the next calls to the batch endpoints: FINE, HANG, RESET, NO_MESSAGE, or an error."""
        with self._lock:
            self._batch_script.extend(behaviours)

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
        return self._next_behaviour()

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

    def count(self, request: Recorded) -> int:
        """The tokens of a prompt."""
        return sum(count_tokens(text, self.characters_per_token) for text in (request.system, request.prompt))

    def next_for_batches(self) -> Behaviour:
        """What to do with a call to the batch endpoints."""
        with self._lock:
            return self._batch_script.popleft() if self._batch_script else Behaviour.FINE

    def message(self, request: Recorded, behaviour: Behaviour, service_tier: str = "standard") -> dict[str, Any]:
        """The API's message for a request. Raises Refused for a prompt longer than the model's window."""
        body = request.body
        prompt = self._cache.take(body, self.characters_per_token)
        if prompt.tokens > (window := MODELS[body["model"]].window):
            raise invalid(f"prompt is too long: {prompt.tokens} tokens > {window} maximum")
        text, stop = self._answer_text(request, behaviour), stop_reason_of(behaviour)
        written = count_tokens(text, self.characters_per_token) + 20
        if stop == "end_turn" and written > body["max_tokens"]:
            stop, text = "max_tokens", text[: len(text) * body["max_tokens"] // (2 * written)]
            written = body["max_tokens"]
        thinking = {"type": "thinking", "thinking": "", "signature": "c2lnbmF0dXJl"}
        content = [thinking] * (behaviour is Behaviour.THINKING) + [{"type": "text", "text": text}] * bool(text)
        usage = _usage(prompt, written + 150 * (behaviour is Behaviour.THINKING), service_tier)
        with self._lock:
            self.billed.append((request, usage))
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        return {
            "id": f"msg_01{digest[:22]}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "stop_details": {"type": "refusal", "category": "cyber", "explanation": None}
            if stop == "refusal"
            else None,
            "usage": usage,
        }

    def _next_behaviour(self) -> Behaviour:
        with self._lock:
            if self._script:
                return self._script.popleft()
        return random.choice(FAILURES) if random.random() < self.fail else self.otherwise

    def _answer_text(self, request: Recorded, behaviour: Behaviour) -> str:
        schema = ((request.body.get("output_config") or {}).get("format") or {}).get("schema")
        chinese = wants_chinese(request.system) is not (behaviour is Behaviour.WRONG_LANGUAGE)
        if schema is None:
            thing = thing_in(request.prompt, chinese=chinese)
            return f"{thing} " + ("有改动。" if chinese else "has changed.")
        opinion = self.opinions.get(commit_in(request.prompt) or "")
        return answer_text(Asked(schema, request.system, request.prompt, chinese, opinion), behaviour)

    def _batch_result(self, order: Recorded, behaviour: Behaviour) -> dict[str, Any]:
        if behaviour in {Behaviour.EXPIRED, Behaviour.CANCELED}:
            return {"type": behaviour.value}
        if behaviour in {Behaviour.HANG, Behaviour.RESET, Behaviour.NO_MESSAGE}:
            behaviour = Behaviour.ERROR_500
        try:
            check_message_request(order.body)
            if refused := refusal_of(behaviour, order.prompt):
                return {"type": "errored", "error": _error(refused)}
            return {"type": "succeeded", "message": self.message(order, behaviour, "batch")}
        except Refused as refused:
            return {"type": "errored", "error": _error(refused)}


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

    def do_DELETE(self) -> None:
        self._guarded(None)

    def do_POST(self) -> None:
        self._guarded(self.rfile.read(int(self.headers.get("content-length") or 0)))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
        """Say nothing: the recorded requests are the log."""

    def _guarded(self, raw: bytes | None) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        in_batches = path == anthropic_batches.PATH or path.startswith(f"{anthropic_batches.PATH}/")
        try:
            body = (
                None if not raw else _parsed(raw, anthropic_batches.MAX_BATCH_BYTES if in_batches else MAX_BODY_BYTES)
            )
            request = Recorded(self.command, path, headers, body, query)
            self.api.record(request)
            check_headers(headers, self.api.key)
            if in_batches:
                self._batches(request, len(raw or b""))
            else:
                self._route(request)
        except Refused as refused:
            self._refuse(refused)

    def _route(self, request: Recorded) -> None:
        match request.method, request.path:
            case "POST", "/v1/messages":
                self._create(request)
            case "POST", "/v1/messages/count_tokens":
                check_message_request(request.body, counting=True)
                self._send(200, {"input_tokens": self.api.count(request)})
            case "GET", "/v1/models":
                models = [_model(name) for name in MODELS]
                ends = {"first_id": models[0]["id"], "last_id": models[-1]["id"]}
                self._send(200, {"data": models, "has_more": False, **ends})
            case "GET", path if path.removeprefix("/v1/models/") in MODELS:
                self._send(200, _model(path.removeprefix("/v1/models/")))
            case _:
                raise Refused(404, "not_found_error", "Not found")

    def _batches(self, request: Recorded, size: int) -> None:
        behaviour = self.api.next_for_batches()
        if refused := refusal_of(behaviour, request.path):
            raise refused
        answer = self.api.batches.answer(request, size)
        if self._lost(behaviour):
            return
        if isinstance(answer, list):
            self._send_bytes(200, anthropic_batches.as_lines(answer), {"content-type": "application/x-jsonl"})
        else:
            self._send(200, answer)

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
        if refused := refusal_of(behaviour, request.prompt):
            raise refused
        if not self._lost(behaviour):
            self._send(200, self.api.message(request, behaviour))

    def _lost(self, behaviour: Behaviour) -> bool:
        """Whether the client gets no proper answer at all; then that has been seen to."""
        if behaviour is Behaviour.HANG:
            self.api.wait(600)
        elif behaviour is Behaviour.RESET:
            # Closing with linger 0 sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif behaviour is Behaviour.NO_MESSAGE:
            self._send(200, {"type": "surprise"})
            return True
        else:
            return False
        self.close_connection = True
        return True

    def _refuse(self, refused: Refused) -> None:
        extra = {"retry-after": self.api.retry_after} if self.api.retry_after is not None else {}
        self._send(refused.status, _error(refused), **extra)

    def _send(self, status: int, answer: dict[str, Any], **headers: str) -> None:
        written = json.dumps(answer, ensure_ascii=False).encode()
        self._send_bytes(status, written, {"content-type": "application/json", **headers})

    def _send_bytes(self, status: int, written: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"request-id": _REQUEST_ID, **headers, "content-length": str(len(written))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(written)


def _handler_for(api: FakeAnthropic) -> type[_Handler]:
    return type("_BoundHandler", (_Handler,), {"api": api})


def _parsed(raw: bytes, most: int) -> Any:
    if len(raw) > most:
        raise Refused(413, "request_too_large", "Request exceeds the maximum size")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise invalid("The request body is not valid JSON") from error


def _error(refused: Refused) -> dict[str, Any]:
    return {"type": "error", "error": {"type": refused.kind, "message": str(refused)}, "request_id": _REQUEST_ID}


def _usage(prompt: Prompt, written: int, service_tier: str) -> dict[str, Any]:
    """Token counts as the API reports them."""
    return {
        "input_tokens": prompt.fresh,
        "cache_creation_input_tokens": prompt.written_5m + prompt.written_1h,
        "cache_read_input_tokens": prompt.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": prompt.written_5m,
            "ephemeral_1h_input_tokens": prompt.written_1h,
        },
        "output_tokens": written,
        "service_tier": service_tier,
        "inference_geo": "global",
    }


def _model(name: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "line": None,
        "max_input_tokens": MODELS[name].window,
        "max_tokens": MODELS[name].most_output,
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
