"""The Flask application of the web process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog
from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from core.errors import DaybookError
from core.ledger import Ledger
from core.log import configure_logging
from core.outage import Outage
from core.settings import Settings, load_settings
from report.site import create_site
from report.throttle import Throttle
from webhook.github import PATH, Webhook
from webhook.health import create_health
from webhook.metrics import Refusals, create_metrics
from webhook.signature import require_secret

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger()

REDIS_SECONDS = 1.0  # each for connecting and for the command: GitHub is answered within 2 s whatever Redis does


def create_app(settings: Settings, redis_url: str, outage: Outage) -> Flask:
    """Build the web process's application; no I/O. `outage` is told what fails.

    Raises DaybookError without a webhook secret.
    """
    require_secret(settings)
    app = Flask("daybook", static_folder=None)
    patience = settings.daybook_lease_seconds
    ledger = Ledger(
        redis_url,
        settings.zone,
        timeout=REDIS_SECONDS,
        patience_seconds=patience,
        min_replicas=settings.redis_min_replicas,
    )
    refusals, throttle = Refusals(ledger), Throttle()
    app.register_blueprint(create_health(ledger, outage))
    app.register_blueprint(create_metrics(ledger, settings, throttle, refusals, outage))
    app.register_blueprint(create_site(ledger, settings, throttle, outage=outage))

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=error.description), error.code or 500

    app.wsgi_app = _beside(app.wsgi_app, Webhook(ledger, settings, refusals, outage))  # type: ignore[assignment,method-assign]
    return app


def _beside(pages: WSGIApplication, webhook: WSGIApplication) -> WSGIApplication:
    """Hands what is posted to the webhook's path to the one application, and all else to the other."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_delivery = environ["PATH_INFO"] == PATH and environ["REQUEST_METHOD"] == "POST"
        return (webhook if is_delivery else pages)(environ, start_response)

    return serve


def from_environment() -> Flask:
    """The application for a server that takes a factory, such as granian; REDIS_URL must be set."""
    settings = load_settings()
    if not settings.redis_url:
        raise DaybookError("REDIS_URL is not set; start `daybook up`, or set it for this process")
    configure_logging(settings, "web")
    url = settings.redis_url.get_secret_value()
    outage = Outage(url)
    outage.look(REDIS_SECONDS)  # or nothing would be said until somebody asks for a page
    app = create_app(settings, url, outage)
    log.info("web_ready", address=f"{settings.daybook_host}:{settings.port}", pid=os.getpid())
    return app
