"""The Redis server itself, as `daybook check` looks at it: version, durability, memory, clock, a write and a read."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import redis

from core.ledger.connection import Connection, P


@dataclass(frozen=True)
class ServerFacts:
    """What Redis says of itself. `clock_ahead` is its clock minus ours, in seconds; "" stands for what it hides."""

    version: tuple[int, ...]
    appendonly: bool | None
    appendfsync: str
    policy: str
    memory_used: int
    memory_limit: int
    clock_ahead: float


class ServerLedger(Connection):
    """Asks Redis about itself."""

    def server(self) -> ServerFacts:
        """Version, settings and clock; raises redis.RedisError."""
        before = time.time()
        seconds, micros = self.redis.time()
        ours = (before + time.time()) / 2  # half the way there and back
        info = self.redis.info("server") | self.redis.info("memory") | self.redis.info("persistence")
        aof = info.get("aof_enabled")
        return ServerFacts(
            version=tuple(int(part) for part in str(info.get("redis_version", "0")).split(".")[:3] if part.isdecimal()),
            appendonly=None if aof is None else bool(aof),
            appendfsync=self._setting("appendfsync"),
            policy=str(info.get("maxmemory_policy") or ""),
            memory_used=int(info.get("used_memory", 0)),
            memory_limit=int(info.get("maxmemory", 0)),
            clock_ahead=seconds + micros / 1_000_000 - ours,
        )

    def write_and_read(self) -> bool:
        """Whether a value that is written comes back; raises redis.RedisError when it is full or read-only."""
        key, value = f"{P}lock:check", secrets.token_hex(8)
        self.redis.set(key, value, ex=10)
        found = self.redis.get(key)
        self.redis.delete(key)
        return bool(found == value.encode())

    def _setting(self, name: str) -> str:
        try:
            return str(self.redis.config_get(name).get(name, ""))
        except redis.ResponseError:
            return ""  # hosts that run Redis for others forbid CONFIG
