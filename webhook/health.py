"""/healthz: this process is alive. /readyz: it can take pushes, or says which part is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify

from webhook.breaker import Breaker, RedisUnavailable

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.outage import Outage


def create_health(ledger: Ledger, outage: Outage) -> Blueprint:
    """The two routes a load balancer or a person asks."""
    blueprint = Blueprint("health", __name__)
    breaker = Breaker(outage)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return jsonify(alive=True)

    @blueprint.get("/readyz")
    def readyz() -> tuple[Response, int]:
        try:
            breaker.call(ledger.ready)
        except RedisUnavailable as error:
            return jsonify(ready=False, redis=str(error)), 503
        return jsonify(ready=True, redis="ok"), 200

    return blueprint
