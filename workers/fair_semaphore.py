"""A semaphore whose places go to those who wait in the order in which they came; threading's own lets anybody pass."""

from __future__ import annotations

import threading
from collections import deque


class FairSemaphore:
    """So many places; one that becomes free is handed to whoever has waited longest."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting = deque[threading.Event]()
        self._guard = threading.Lock()

    def acquire(self, seconds: float) -> bool:
        """Whether there is a place within some seconds; it is the caller's then, until its `release`."""
        with self._guard:
            if self._free:
                self._free -= 1
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(seconds):
            return True
        with self._guard:
            if turn.is_set():  # at the last moment
                return True
            self._waiting.remove(turn)
            return False

    def release(self) -> None:
        """Leave a place to the next."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
