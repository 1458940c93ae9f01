"""What tests share: a real embedded Redis per test process, emptied before each test."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import hypothesis
import pytest
import redis
import structlog

from core.ledger import Ledger
from core.redis_server import RedisServer

SHANGHAI = ZoneInfo("Asia/Shanghai")

# CI repeats the same examples, so that a red run means the change; at home new ones are tried each time.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("home", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "home")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, and the longest kills: none is still at one when the others are done."""
    slow = Counter(item.path for item in items for name in ("slow", "browser") if item.get_closest_marker(name))
    items.sort(key=lambda item: (-_minutes(item), -slow[item.path]))


def _minutes(item: pytest.Item) -> int:
    """How long a test that kills takes, as far as its mark says."""
    kills = item.get_closest_marker("kills")
    return int(kills.kwargs.get("minutes", 0)) if kills else 0


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A command that a test runs in this process sets the log up for itself, not for the tests after it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def ledger(redis_url: str) -> Iterator[Ledger]:
    ledger = Ledger(redis_url, SHANGHAI, lease_seconds=0.3, patience_seconds=0.3)
    yield ledger
    ledger.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
