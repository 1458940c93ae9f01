"""A process that stands still ends itself.

One C call that never returns, such as a regular expression run wild, stops every thread of Python, heartbeats too, and
no time limit inside the process can see it.
"""

from __future__ import annotations

import signal
import threading
import time

SHORTEST_SECONDS = 5.0  # a busy machine may keep a healthy thread waiting for some seconds


SHARE = 0.8  # before its leases run out


def end_when_stuck(seconds: float) -> None:
    """Let the kernel end this process with SIGALRM when no thread of it could run for most of a lease's `seconds`.

    Whoever started it starts it again, and what it held is worked on alone.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    patience = max(SHARE * seconds, SHORTEST_SECONDS)
    threading.Thread(target=_put_off_for_ever, args=(patience,), name="standstill", daemon=True).start()


def _put_off_for_ever(patience: float) -> None:
    while True:
        signal.setitimer(signal.ITIMER_REAL, patience)
        time.sleep(patience / 5)
