"""What was read or rendered, kept in this process up to a bound; the longest unused goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Bounded(Generic[V]):
    """A mapping whose values weigh at most `most` together; safe to call from any thread."""

    def __init__(self, most: int, weight: Callable[[V], int]) -> None:
        self._most = most
        self._weight = weight
        self._guard = threading.Lock()
        self._held: OrderedDict[Hashable, V] = OrderedDict()
        self._weighs = 0

    def get(self, key: Hashable) -> V | None:
        """What is held under a key, or None."""
        with self._guard:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: Hashable, value: V) -> None:
        """Hold a value; one that alone weighs too much is not held."""
        with self._guard:
            if (before := self._held.pop(key, None)) is not None:
                self._weighs -= self._weight(before)
            self._held[key] = value
            self._weighs += self._weight(value)
            while self._weighs > self._most:
                _, gone = self._held.popitem(last=False)
                self._weighs -= self._weight(gone)
