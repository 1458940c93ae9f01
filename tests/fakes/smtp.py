"""A mail server on loopback: takes messages, asks for a login and TLS if told to, and has bad days.

https://www.rfc-editor.org/rfc/rfc5321
"""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Mail:
    """A message that was taken."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes


class FakeSmtp:
    """Use as a context manager; `port` is where it listens.

    `login` is a user and password to insist on; `tls` what the certificate is loaded into, at once or after STARTTLS.
    `replies` are answers by verb instead of the usual ones, `hang_up` a verb after which the line is cut.
    """

    def __init__(
        self, *, login: tuple[str, str] | None = None, tls: ssl.SSLContext | None = None, implicit: bool = False
    ) -> None:
        self.login = login
        self.tls = tls
        self.implicit = implicit
        self.mails: list[Mail] = []
        self.replies: dict[str, str] = {}
        self.hang_up = ""
        self.encrypted = 0
        self._server = _Server(("127.0.0.1", 0), _Talk)
        self._server.smtp = self
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    smtp: FakeSmtp

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class _Talk(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.smtp = self.server.smtp
        self.known, self.sender, self.recipients = False, "", list[str]()
        self.line = self.request
        if self.smtp.implicit:
            self._encrypt()
        self.file = self.line.makefile("rb")
        self._say("220 fake ready")
        with suppress(OSError):
            while line := self.file.readline():
                verb = line.split(b" ")[0].strip().decode().upper()
                if self.smtp.hang_up == verb or not self._answer(verb, line.decode("ascii").strip()):
                    break
        self.line.close()

    def _answer(self, verb: str, line: str) -> bool:
        told = self.smtp.replies.get(verb) or self.smtp.replies.get(line) or self._usual(verb, line)
        self._say(told)
        if verb == "STARTTLS" and told.startswith("220"):
            self._encrypt()
            self.file = self.line.makefile("rb")
        return verb != "QUIT"

    def _usual(self, verb: str, line: str) -> str:
        match verb:
            case "EHLO":
                offers = ["STARTTLS"] if self.smtp.tls and not isinstance(self.line, ssl.SSLSocket) else []
                offers += ["AUTH PLAIN"] if self.smtp.login else []
                return "\r\n".join([*(f"250-{word}" for word in ("fake", *offers)), "250 8BITMIME"])
            case "AUTH":
                user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")[1:]
                self.known = (user, password) == self.smtp.login
                return "235 welcome" if self.known else f"535 no such password {password}"
            case "MAIL" if self.smtp.login and not self.known:
                return "530 who are you"
            case "MAIL":
                self.sender, self.recipients = _address(line), []
            case "RCPT":
                self.recipients.append(_address(line))
            case "DATA":
                return self._data()
            case "STARTTLS":
                return "220 go on"
            case "QUIT":
                return "221 bye"
        return "250 fine"

    def _data(self) -> str:
        self._say("354 go on")
        data = b""
        while (line := self.file.readline()) not in (b".\r\n", b""):
            data += line.removeprefix(b".") if line.startswith(b"..") else line
        self.smtp.mails.append(Mail(self.sender, tuple(self.recipients), data))
        return self.smtp.replies.get(".", "250 taken")

    def _encrypt(self) -> None:
        assert self.smtp.tls
        self.line = self.smtp.tls.wrap_socket(self.line, server_side=True)
        self.smtp.encrypted += 1

    def _say(self, text: str) -> None:
        self.line.sendall(text.encode() + b"\r\n")


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]
