"""The HTTP side of the fake GitHub: requests come in, answers go out, some of them badly."""

from __future__ import annotations

import hashlib
import socket
import struct
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.github_answers import Answer, Misbehaviour, Request, encoded, limit_or_error

if TYPE_CHECKING:
    from tests.fakes.github import FakeGitHub


class Server(ThreadingHTTPServer):
    """Listens for a fake GitHub."""

    daemon_threads = True
    request_queue_size = 128
    github: FakeGitHub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """Hands requests to it, and misbehaves when it says so."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        address = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(address.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, address.path, query, headers, body)
        github = self.server.github
        trouble = github.arrived(request)
        if trouble is None:
            self._send(_conditional(request, github.answer(request), github))
        else:
            self._misbehave(trouble, lambda: github.answer(request))

    def _misbehave(self, trouble: Misbehaviour, answer: Callable[[], Answer]) -> None:
        match trouble.kind:
            case "slow":
                time.sleep(trouble.seconds)
                self._send(answer())
            case "reset":
                # SO_LINGER of zero seconds: closing sends RST instead of FIN.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
            case "lost":  # it is done, but nobody hears of it
                answer()
                self._send(Answer(502, {"message": "Server Error"}))
            case "truncated":
                good = answer()
                self._send_bytes(good.status, encoded(good.body)[:-20], good.headers)
            case _:
                self._send(limit_or_error(trouble))

    def _send(self, answer: Answer) -> None:
        limits = self.server.github.limits()
        self._send_bytes(
            answer.status, encoded(answer.body) if answer.body is not None else b"", limits | answer.headers
        )

    def _send_bytes(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's signature
        """Say nothing."""


def _conditional(request: Request, answer: Answer, github: FakeGitHub) -> Answer:
    """304 for what the client has already; only other answers count against the limit."""
    if request.method == "GET" and answer.status == 200:
        tag = f'W/"{hashlib.sha256(encoded(answer.body)).hexdigest()}"'
        if request.headers.get("if-none-match") == tag:
            return Answer(304, None, {"ETag": tag})
        answer.headers["ETag"] = tag
    github.remaining -= 1
    return answer
