"""Is a delivery from GitHub? HMAC-SHA256 over its raw bytes, compared in constant time."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from core.errors import DaybookError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.settings import Settings


def require_secret(settings: Settings) -> None:
    """Raise DaybookError without a webhook secret: an open endpoint would let anyone fill the queue."""
    if not settings.github_webhook_secret:
        raise DaybookError(
            "GITHUB_WEBHOOK_SECRET is not set; make one with `openssl rand -hex 32`, put it into .env "
            "and into the webhook's settings on GitHub"
        )


def is_signed(body: bytes, signature: str | None, secrets: Sequence[bytes]) -> bool:
    """Whether `X-Hub-Signature-256` (`sha256=` and 64 lower-case hex digits) fits the body and one of the secrets.

    Every secret is tried, so that the time taken does not tell which one fits.
    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    given = (signature or "").encode("utf-8", "replace")
    fits = False
    for secret in secrets:
        expected = b"sha256=" + hmac.digest(secret, body, "sha256").hex().encode()
        fits |= hmac.compare_digest(expected, given)
    return fits
