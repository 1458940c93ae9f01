"""Who may read the pages: whoever has SITE_PASSWORD, everyone where SITE_PUBLIC says so, else only this machine."""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from core.settings import Settings

# What a proxy or tunnel adds: with any of them the reader is not at this machine, whatever address the proxy has.
FORWARDING = (
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-IP",
    "X-Original-Host", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "CF-Ray", "Fly-Client-IP",
    "X-Envoy-External-Address",
)  # fmt: skip

Verdict = Literal["open", "unauthorised", "closed"]


def verdict(request: Request, settings: Settings) -> Verdict:
    """Whether a request may read: `unauthorised` asks for the password, `closed` means that none is set."""
    if settings.site_public or _is_at_this_machine(request, settings):
        return "open"
    if settings.site_password is None:
        return "closed"
    given = request.authorization
    password = given.password if given is not None and given.type == "basic" else None
    wanted = settings.site_password.get_secret_value().encode()
    return "open" if hmac.compare_digest((password or "").encode(), wanted) and password else "unauthorised"


def _is_at_this_machine(request: Request, settings: Settings) -> bool:
    return (
        _is_loopback(settings.daybook_host)
        and _is_loopback(_host(request.headers.get("Host", "")))
        and not any(name in request.headers for name in FORWARDING)
        and not any(name.lower().startswith("x-forwarded-") for name in request.headers.keys())  # noqa: SIM118
    )


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
