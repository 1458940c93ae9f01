"""What the fake Anthropic counts: tokens, and what of a prompt is written to its cache and read from it.

The cache works as the real one is documented to: it keeps prefixes of (system, messages) up to each block marked with
`cache_control`, for one model and one output format; a prefix below the model's minimum is not kept and nothing says
so; reading an entry keeps it alive for its lifetime once more. What the real API adds to a prompt for a JSON schema
is not counted here.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.fakes.anthropic_rules import MODELS

_LIFETIMES = {"5m": 300.0, "1h": 3600.0}
# How many blocks before a breakpoint the API looks for a shorter prefix that it knows.
_LOOKBACK = 20


class Clock:
    """The server's time; tests and benches move it."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._stands_at: float | None = None

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.fromtimestamp(self.seconds, UTC)

    @property
    def seconds(self) -> float:
        """The time, in seconds since 1970."""
        return self._stands_at if self._stands_at is not None else time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once."""
        if self._stands_at is None:
            self._ahead += seconds
        else:
            self._stands_at += seconds

    def stand_at(self, moment: datetime) -> None:
        """Stop at a moment."""
        self._stands_at = moment.timestamp()


def count_tokens(text: str, characters_per_token: float) -> int:
    """About as many tokens as the API would count; not the product's own estimate, so that tests compare two."""
    narrow = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return round(narrow / characters_per_token + (len(text) - narrow) * 1.1)


@dataclass(frozen=True, slots=True)
class Prompt:
    """How many tokens of a prompt were fresh, read from the cache, and written to it for each lifetime."""

    fresh: int
    read: int
    written_5m: int
    written_1h: int

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.fresh + self.read + self.written_5m + self.written_1h


@dataclass(slots=True)
class _Entry:
    expires: float
    lifetime: float


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The prompt up to the end of one block: its name, its tokens, and the lifetime it is marked for."""

    digest: str
    tokens: int
    ttl: str | None


class PromptCache:
    """The prompt cache of one API key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def take(self, body: Any, characters_per_token: float) -> Prompt:
        """Send a request's prompt through the cache."""
        prefixes = list(_prefixes(body, characters_per_token))
        minimum = MODELS[body["model"]].cache_minimum
        marked = [prefix for prefix in prefixes if prefix.ttl and prefix.tokens >= minimum]
        total = prefixes[-1].tokens
        if not marked:
            return Prompt(total, 0, 0, 0)
        with self._lock:
            read = self._longest_known(prefixes, marked)
            written = {"5m": 0, "1h": 0}
            done = read
            for prefix in marked:
                if prefix.tokens > done:
                    written[prefix.ttl or "5m"] += prefix.tokens - done
                    done = prefix.tokens
                self._keep(prefix)
        return Prompt(total - done, read, written["5m"], written["1h"])

    def _longest_known(self, prefixes: list[_Prefix], marked: list[_Prefix]) -> int:
        """The tokens of the longest prefix that is in the cache; it stays there for another lifetime."""
        last = prefixes.index(marked[-1])
        now = self._clock.seconds
        for prefix in reversed(prefixes[max(0, last - _LOOKBACK) : last + 1]):
            entry = self._entries.get(prefix.digest)
            if entry and entry.expires > now:
                entry.expires = now + entry.lifetime
                return prefix.tokens
        return 0

    def _keep(self, prefix: _Prefix) -> None:
        lifetime = _LIFETIMES[prefix.ttl or "5m"]
        entry = self._entries.get(prefix.digest)
        if entry is None or entry.expires <= self._clock.seconds or entry.lifetime < lifetime:
            self._entries[prefix.digest] = _Entry(self._clock.seconds + lifetime, lifetime)


def _prefixes(body: Any, characters_per_token: float) -> Iterator[_Prefix]:
    """The prefixes of a prompt, block by block; each role and format that differs makes another prefix."""
    form = (body.get("output_config") or {}).get("format")
    name = hashlib.sha256(json.dumps([body["model"], form], sort_keys=True).encode())
    blocks = [("system", block) for block in _blocks(body.get("system"))]
    blocks += [(message["role"], block) for message in body["messages"] for block in _blocks(message["content"])]
    tokens = 0
    for n, (role, block) in enumerate(blocks):
        name.update(json.dumps([role, block["text"]]).encode())
        tokens += count_tokens(block["text"], characters_per_token)
        last = body.get("cache_control") if n == len(blocks) - 1 else None
        control = block.get("cache_control") or last
        yield _Prefix(name.hexdigest(), tokens, control.get("ttl", "5m") if control else None)


def _blocks(content: Any) -> list[Any]:
    if not content:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
