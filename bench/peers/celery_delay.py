"""Flask and Celery: verifies and parses each push and calls `.delay()` once a commit; served by gunicorn."""

from __future__ import annotations

import hashlib
import hmac
import os

from celery import Celery
from flask import Flask, Response, abort, jsonify, request

queue = Celery("peer", broker=os.environ["REDIS_URL"])
application = Flask("peer")
secret = os.environ["WEBHOOK_SECRET"].encode()


@queue.task(ignore_result=True)
def fetch(repository: str, sha: str) -> None:
    """What a worker would run; none is started."""


@application.post("/webhooks/github")
def receive() -> tuple[Response, int]:
    """Queue each commit."""
    body = request.get_data(cache=True)
    expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), request.headers.get("X-Hub-Signature-256", "").encode()):
        abort(401)
    push = request.get_json()
    for commit in push["commits"]:
        fetch.delay(push["repository"]["full_name"], commit["id"])
    return jsonify(queued=len(push["commits"])), 202
