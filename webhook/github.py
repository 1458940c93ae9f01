"""POST /webhooks/github: verify ▸ parse ▸ record ▸ queue ▸ 202. The request does Redis only, then answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, Response, jsonify, request

from core.ledger import Stage
from webhook.breaker import Breaker, RedisUnavailable
from webhook.payload import BadPayload, Ignored, Received, json_body, read_push, zen_of
from webhook.signature import is_signed
from workers.app import messages

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.settings import Settings
    from webhook.metrics import Refusals

log = structlog.get_logger()

LARGEST_BODY = 25 * 1024 * 1024  # GitHub delivers no payload over 25 MB
DRAINED = 2 * LARGEST_BODY
MOST_COMMITS = 2048  # GitHub lists no more of a push, and does not say that it was cut
_DELIVERY = re.compile(r"[A-Za-z0-9-]{1,64}\Z")

Answer = tuple[Response, int]


class Refused(Exception):
    """A request that gets an error: HTTP status and what to tell the sender."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def create_webhook(ledger: Ledger, settings: Settings, refusals: Refusals) -> Blueprint:
    """The endpoint that GitHub's webhook points at."""
    blueprint = Blueprint("webhook", __name__)
    breaker = Breaker()
    secrets = [secret.get_secret_value().encode() for secret in settings.github_webhook_secret]
    messages(Stage.FETCH, ())  # Celery encodes its form once: now, and not by every thread at the first delivery

    @blueprint.post("/webhooks/github")
    def receive() -> Answer:
        delivery = request.headers.get("X-GitHub-Delivery", "")
        try:
            return _answered(_verified_body(secrets), delivery, ledger, settings, breaker)
        except (Refused, BadPayload, RedisUnavailable) as error:
            refusals.count(error.status)
            log.warning("delivery_refused", status=error.status, delivery=_shown(delivery), reason=str(error))
            return _error(error)

    return blueprint


def _error(error: Refused | BadPayload | RedisUnavailable) -> Answer:
    if isinstance(error, RedisUnavailable):
        answer = jsonify(error="Redis is unavailable; redeliver later")
        answer.headers["Retry-After"] = "5"
        return answer, error.status
    return jsonify(error=str(error)), error.status


def _verified_body(secrets: list[bytes]) -> bytes:
    """The JSON of the body, once it is known to be from GitHub."""
    body, kind = _whole_body(), request.mimetype
    if kind not in ("application/json", "application/x-www-form-urlencoded"):
        raise Refused(415, "content type: send application/json or application/x-www-form-urlencoded")
    if not is_signed(body, request.headers.get("X-Hub-Signature-256"), secrets):
        raise Refused(401, "X-Hub-Signature-256: missing, or not made with GITHUB_WEBHOOK_SECRET")
    content = json_body(body, kind)
    assert content is not None
    return content


def _whole_body() -> bytes:
    """Read the body before any answer goes out: granian resets the connection of a sender who is still writing.

    Once all that was announced is there, nothing more is asked for: each question is a wait for the other threads.
    """
    stream, announced = request.stream, request.environ.get("CONTENT_LENGTH")
    kept, size = [], 0
    while str(size) != announced and size <= DRAINED and (part := stream.read(1 << 20)):
        size += len(part)
        if size <= LARGEST_BODY:
            kept.append(part)
    if size > LARGEST_BODY:
        raise Refused(413, "body: over 25 MiB; its commits will be found by reconciliation")
    return b"".join(kept)


def _answered(body: bytes, delivery: str, ledger: Ledger, settings: Settings, breaker: Breaker) -> Answer:
    event = request.headers.get("X-GitHub-Event", "")
    if event == "ping":
        return jsonify(pong=zen_of(body)), 200
    if event != "push":
        return jsonify(ignored=f"event {_shown(event)} is not used"), 202
    if not _DELIVERY.match(delivery):
        raise BadPayload("X-GitHub-Delivery: missing, or not an id")
    received = read_push(body, delivery, settings, datetime.now(UTC))
    if isinstance(received, Ignored):
        return jsonify(ignored=received.why), 202
    return _recorded(received, ledger, breaker)


def _recorded(received: Received, ledger: Ledger, breaker: Breaker) -> Answer:
    push = received.push
    queue = messages(Stage.FETCH, (commit.id for commit in push.commits))
    queued, known = breaker.call(lambda: ledger.receive(push, queue))
    if len(push.commits) + len(received.rejected) >= MOST_COMMITS:
        breaker.call(lambda: ledger.hurry(push.repository))  # the rest of it is found by reconciliation
    log.info("push_received", delivery=push.delivery, repository=push.repository, queued=queued, known=known,
             rejected=len(received.rejected))  # fmt: skip
    answer = {"delivery": push.delivery, "queued": queued, "known": known}
    if received.rejected:
        return jsonify(**answer, rejected=list(received.rejected)), 202
    return jsonify(answer), 202


def _shown(text: str) -> str:
    """A header as it may appear in a log or an answer."""
    return re.sub(r"[^A-Za-z0-9_.-]", "?", text[:64])
