"""Who may read the pages: the password, or a reader on the same machine with nothing in between."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from core.settings import Settings
    from report.throttle import Throttle

Verdict = Literal["open", "unauthorised", "closed", "throttled"]

# What proxies and tunnels add to a request; names in lower case.
_FORWARDED = {"forwarded", "via", "x-real-ip", "true-client-ip", "x-client-ip", "x-cluster-client-ip", "cdn-loop"}
_FORWARDED_STARTS = (
    "x-forwarded",
    "x-original",
    "x-envoy-",
    "cf-",
    "fly-",
    "tailscale-",
    "ngrok-",
    "x-arr-",
    "x-azure-",
)


@dataclass(frozen=True)
class Visit:
    """What is known of a request: who connects, over which protocol, with which headers and password."""

    remote: str | None
    protocol: str
    headers: Mapping[str, str]
    password: str | None


def judge(visit: Visit, settings: Settings) -> Verdict:
    """Whether the pages are open to this request; `unauthorised` asks for the password, `closed` means none is set."""
    if settings.site_public or _is_local(visit, settings):
        return "open"
    if settings.site_password is None:
        return "closed"
    given = (visit.password or "").encode("utf-8", "surrogatepass")
    expected = settings.site_password.get_secret_value().encode()
    return "open" if hmac.compare_digest(given, expected) and expected else "unauthorised"


def admit(visit: Visit, settings: Settings, throttle: Throttle) -> tuple[Verdict, int]:
    """As `judge`, with `throttled` and the seconds to wait for an address that guessed wrong too often."""
    verdict = judge(visit, settings)
    guessed = visit.password is not None and judge(replace(visit, password=None), settings) == "unauthorised"
    wait = throttle.guess(visit.remote, right=verdict == "open") if guessed else 0
    return ("throttled", wait) if wait else (verdict, 0)


def _is_local(visit: Visit, settings: Settings) -> bool:
    hosts = (settings.daybook_host, _host_name(visit.headers), visit.remote or "")
    return (
        all(map(_is_loopback, hosts))
        and not any(map(_is_forwarding, visit.headers))
        # nginx adds no header of its own, but speaks HTTP/1.0 to what is behind it; no browser does.
        and visit.protocol not in {"HTTP/1.0", "HTTP/1"}  # granian names it by the latter
    )


def _host_name(headers: Mapping[str, str]) -> str:
    """The name in the Host header, without port and brackets; empty when there is none or it is malformed."""
    try:
        return urlsplit(f"//{headers.get('Host', '')}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_forwarding(header: str) -> bool:
    name = header.lower()
    return name in _FORWARDED or name.startswith(_FORWARDED_STARTS)
