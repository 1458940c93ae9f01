"""What fakes of chat services share: an HTTP server on loopback with bad days that can be ordered."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

# Too many calls; a server's error; no answer in time; a page instead of JSON; a connection that ends without an answer,
# before the call was looked at (`reset`) or after it was carried out (`lost`).
Trouble = Literal["limited", "error", "slow", "garbage", "reset", "lost"]


@dataclass(frozen=True)
class Answer:
    """What is answered to one call."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Misbehaviour:
    """A trouble that the next calls meet; `path` is the end of theirs, or empty for all."""

    kind: Trouble
    times: int
    retry_after: int
    seconds: float
    path: str


class LoopbackService:
    """Use as a context manager. A subclass answers calls in `carried_out` and says in `limited` how it refuses more."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._troubles: list[Misbehaviour] = []
        self._lock = threading.RLock()
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.answer))
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
    def base(self) -> str:
        """The address, without a final slash."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def misbehave(
        self, kind: Trouble, times: int = 1, *, retry_after: int = 7, seconds: float = 30.0, path: str = ""
    ) -> None:
        """Let the next calls (whose path ends with `path`) meet this trouble; see `Trouble`."""
        with self._lock:
            self._troubles.append(Misbehaviour(kind, times, retry_after, seconds, path))

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        """The answer to one POST; None closes the connection without one."""
        with self._lock:
            self.calls.append(path)
            trouble = self._next_trouble(path)
        if trouble and trouble.kind == "slow":
            self._released.wait(trouble.seconds)
        elif trouble and trouble.kind == "reset":
            return None
        elif trouble and trouble.kind != "lost":
            return self._troubled(trouble, path)
        with self._lock:
            answer = self.carried_out(path, headers, body)
        return None if trouble and trouble.kind == "lost" else answer

    def carried_out(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """What a call comes to on a good day; under the lock."""
        raise NotImplementedError

    def limited(self, path: str, retry_after: int) -> Answer:
        """How one call too many is refused."""
        raise NotImplementedError

    def _next_trouble(self, path: str) -> Misbehaviour | None:
        found = next((trouble for trouble in self._troubles if path.endswith(trouble.path)), None)
        if found:
            found.times -= 1
            if found.times <= 0:
                self._troubles.remove(found)
        return found

    def _troubled(self, trouble: Misbehaviour, path: str) -> Answer:
        if trouble.kind == "limited":
            return self.limited(path, trouble.retry_after)
        if trouble.kind == "error":
            return Answer(500, b"<html>oops</html>")
        return Answer(200, b"<html>please log in to the network</html>")


def as_json(status: int = 200, headers: dict[str, str] | None = None, **body: Any) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"} | (headers or {}))


def _handler(answer: Callable[[str, dict[str, str], bytes], Answer | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = answer(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
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
