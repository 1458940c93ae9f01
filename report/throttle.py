"""Wrong passwords, counted by address: after ten within a minute the address has to wait. Kept in this process."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

WRONG_ALLOWED = 10
WINDOW_SECONDS = 60.0
MOST_ADDRESSES = 10_000


class Throttle:
    """Safe to call from any thread; holds at most MOST_ADDRESSES addresses and forgets the oldest first.

    Each process counts for itself, so that no page costs a question to Redis: with n web processes an address has n
    times as many guesses. The address is the connection's own; what a header claims of it can be made up by anyone.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # address → wrong guesses, since when

    def guess(self, address: str | None, *, right: bool) -> int:
        """Count a guess; returns the seconds to wait when this address had too many, else 0.

        While it waits, a right guess is not let in either: that would tell it from a wrong one.
        """
        key, now = _network(address), self._clock()
        with self._guard:
            count, since = self._wrong.get(key, (0, now))
            if now - since >= WINDOW_SECONDS:
                count, since = 0, now
            if count >= WRONG_ALLOWED:
                return max(1, math.ceil(since + WINDOW_SECONDS - now))
            if not right:
                self._wrong[key] = (count + 1, since)
                if len(self._wrong) > MOST_ADDRESSES:
                    self._wrong.popitem(last=False)
            return 0


def _network(address: str | None) -> str:
    """An address as it is counted: one host of IPv4, a /64 of IPv6, which is what one customer is given."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)
