"""POST /webhooks/github: verify ▸ parse ▸ record ▸ queue ▸ 202. The request does Redis only, then answers."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import get_input_stream

from core.ledger import Stage
from webhook.breaker import Breaker, RedisUnavailable
from webhook.payload import BadPayload, Ignored, Received, json_body, read_push, zen_of
from webhook.signature import is_signed
from workers.app import messages

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from core.ledger import Ledger
    from core.outage import Outage
    from core.settings import Settings
    from webhook.metrics import Refusals

log = structlog.get_logger()

PATH = "/webhooks/github"
LARGEST_BODY = 25 * 1024 * 1024  # GitHub delivers no payload over 25 MB
DRAINED = 2 * LARGEST_BODY
MOST_COMMITS = 2048  # GitHub lists no more of a push, and does not say that it was cut
_DELIVERY = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

Answer = tuple[int, dict[str, Any]]


class Refused(Exception):
    """A request that gets an error: HTTP status and what to tell the sender."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Missigned(Refused):
    """A request with a signature that was made with another secret; strangers send none."""


class Webhook:
    """The endpoint that GitHub's webhook points at: a WSGI application, asked far more often than all pages together.

    Flask's routing and contexts would cost as much as all that is done here (`bench.receiving`).
    """

    def __init__(self, ledger: Ledger, settings: Settings, refusals: Refusals, outage: Outage) -> None:
        self._ledger = ledger
        self._settings = settings
        self._refusals = refusals
        self._breaker = Breaker(outage)
        self._secrets = [secret.get_secret_value().encode() for secret in settings.github_webhook_secret]
        messages(Stage.FETCH, ())  # Celery encodes its form once: now, and not by every thread at the first delivery

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Answer with JSON and a line end, whatever comes."""
        status, answer = self._answered(environ)
        body = f"{_encoded(answer)}\n".encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append(("Retry-After", "5"))
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [body]

    def _answered(self, environ: WSGIEnvironment) -> Answer:
        delivery = environ.get("HTTP_X_GITHUB_DELIVERY", "")
        try:
            return self._taken(_verified_body(environ, self._secrets), environ.get("HTTP_X_GITHUB_EVENT", ""), delivery)
        except RedisUnavailable as error:
            return self._refused(delivery, error, "Redis is unavailable; redeliver later")
        except (Refused, BadPayload) as error:
            return self._refused(delivery, error, str(error))
        except Exception:
            log.exception("delivery_failed", delivery=_shown(delivery))
            return 500, {"error": "this failed unexpectedly; redeliver later, the cause is in the web process's log"}

    def _refused(self, delivery: str, error: Refused | BadPayload | RedisUnavailable, told: str) -> Answer:
        self._refusals.count(error.status, missigned=isinstance(error, Missigned))
        log.warning("delivery_refused", status=error.status, delivery=_shown(delivery), reason=str(error))
        return error.status, {"error": told}

    def _taken(self, body: bytes, event: str, delivery: str) -> Answer:
        if event == "ping":
            return 200, {"pong": zen_of(body)}
        if event != "push":
            return 202, {"ignored": f"event {_shown(event)} is not used"}
        if not _DELIVERY.match(delivery):
            raise BadPayload("X-GitHub-Delivery: missing, or not an id")
        received = read_push(body, delivery, self._settings, datetime.now(UTC))
        if isinstance(received, Ignored):
            return 202, {"ignored": received.why}
        return self._recorded(received)

    def _recorded(self, received: Received) -> Answer:
        push = received.push
        queue = messages(Stage.FETCH, (commit.id for commit in push.commits))
        queued, known = self._breaker.call(lambda: self._ledger.receive(push, queue))
        if len(push.commits) + len(received.rejected) >= MOST_COMMITS:
            self._breaker.call(lambda: self._ledger.hurry(push.repository))  # reconciliation finds the rest of it
        log.info("push_received", delivery=push.delivery, repository=push.repository, queued=queued, known=known,
                 rejected=len(received.rejected))  # fmt: skip
        answer = {"delivery": push.delivery, "queued": queued, "known": known}
        return 202, answer | {"rejected": list(received.rejected)} if received.rejected else answer


def _verified_body(environ: WSGIEnvironment, secrets: list[bytes]) -> bytes:
    """The JSON of the body, once it is known to be from GitHub."""
    body, kind = _whole_body(environ), environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/x-www-form-urlencoded"):
        raise Refused(415, "content type: send application/json or application/x-www-form-urlencoded")
    signature = environ.get("HTTP_X_HUB_SIGNATURE_256")
    if not is_signed(body, signature, secrets):
        refused = Missigned if signature else Refused
        raise refused(401, "X-Hub-Signature-256: missing, or not made with GITHUB_WEBHOOK_SECRET")
    content = json_body(body, kind)
    assert content is not None
    return content


def _whole_body(environ: WSGIEnvironment) -> bytes:
    """Read the body before any answer goes out: granian resets the connection of a sender who is still writing.

    Once all that was announced is there, nothing more is asked for: each question is a wait for the other threads.
    """
    stream, announced = get_input_stream(environ), environ.get("CONTENT_LENGTH")
    kept, size = [], 0
    try:
        while str(size) != announced and size <= DRAINED and (part := stream.read(1 << 20)):
            size += len(part)
            if size <= LARGEST_BODY:
                kept.append(part)
    except ClientDisconnected:
        raise Refused(400, "body: the sender hung up before it was whole") from None
    if size > LARGEST_BODY:
        raise Refused(413, "body: over 25 MiB; its commits will be found by reconciliation")
    return b"".join(kept)


def _shown(text: str) -> str:
    """A header as it may appear in a log or an answer."""
    return re.sub(r"[^A-Za-z0-9_.-]", "?", text[:64])
