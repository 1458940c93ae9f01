"""A push is accepted when a replica has it too, and whoever talks to Redis finds the new master by itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import redis

from core.ledger import Ledger
from core.redis_connections import NotWritable
from core.redis_server import free_port, why_silent
from tests.conftest import SHANGHAI
from tests.running import deliver, web_process
from tests.sentinels import PASSWORD, Place, Replicated, replicated
from tests.test_webhook import many

pytestmark = [pytest.mark.slow, pytest.mark.kills]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Replicated]:
    places = [Place("127.0.0.1", free_port(), free_port()) for _ in range(3)]
    with replicated(places, tmp_path / "servers") as running:
        yield running


def replicas(servers: Replicated, how: signal.Signals) -> None:
    for number in (1, 2):
        servers.servers[number].send_signal(how)


def test_a_push_that_no_replica_has_is_refused_and_redelivered_it_is_received_once(
    servers: Replicated, tmp_path: Path
) -> None:
    ledger = Ledger(servers.url, SHANGHAI, timeout=2.0)
    with web_process(servers.url, tmp_path, REDIS_MIN_REPLICAS="1") as base:
        servers.await_(lambda: deliver(base, many(3)).status_code == 202)  # a busy machine's replica may be late
        for sentinel in servers.sentinels.values():  # or they would take the frozen ones for reason to act
            sentinel.send_signal(signal.SIGSTOP)
        replicas(servers, signal.SIGSTOP)
        started = time.monotonic()
        assert deliver(base, many(4)).status_code == 503
        assert time.monotonic() - started < 10  # GitHub's patience
        replicas(servers, signal.SIGCONT)
        for sentinel in servers.sentinels.values():
            sentinel.send_signal(signal.SIGCONT)
        servers.await_(lambda: httpx2.get(f"{base}/readyz", trust_env=False).status_code == 200)
        servers.await_(lambda: deliver(base, many(4)).status_code == 202)
        assert ledger.status([]).received == ledger.redis.llen("fetch") == 4
    ledger.close()


def test_a_master_without_its_replicas_takes_nothing_and_the_web_process_is_not_ready(
    servers: Replicated, tmp_path: Path
) -> None:
    with web_process(servers.url, tmp_path, REDIS_MIN_REPLICAS="1") as base:
        for number in (1, 2):
            servers.servers[number].kill()
        servers.await_(lambda: httpx2.get(f"{base}/readyz", trust_env=False).status_code == 503)
        assert deliver(base, many(1)).status_code == 503
        ledger = Ledger(servers.url, SHANGHAI)
        servers.await_(lambda: _refuses(ledger))
        ledger.close()


def _refuses(ledger: Ledger) -> bool:
    try:
        ledger.enqueue("fetch", [b"x"])
    except NotWritable:
        return True
    return False


def test_a_demoted_master_is_left_also_where_its_url_names_it(servers: Replicated) -> None:
    """As a managed Redis does it: the same address leads to another server, and old connections to a replica."""
    place = servers.places[0]
    ledger = Ledger(f"redis://:{PASSWORD}@{place.address}:{place.redis_port}/0", SHANGHAI)
    assert ledger.lead("beat", "a b", 10) == "a b"
    (connection,) = ledger.redis.connection_pool._available_connections
    servers.ask(0, "REPLICAOF", place.address, str(servers.places[1].redis_port))
    with pytest.raises(NotWritable):  # a script's answer, in which Redis 6.2 hides the word
        ledger.lead("beat", "a b", 10)
    assert not connection.is_connected
    ledger.close()


def test_the_sentinels_lead_to_the_new_master_within_seconds(servers: Replicated) -> None:
    ledger = Ledger(servers.url, SHANGHAI, timeout=1.0)
    ledger.lead("beat", "a b", 10)
    servers.servers[0].kill()
    killed = time.monotonic()
    servers.await_(lambda: _leads(ledger))
    print(f"fail-over: written to the new master {time.monotonic() - killed:.1f} s after the kill of the old one")
    servers.start_server(0)
    servers.await_(lambda: servers.role(0) == "slave", 60)
    assert _leads(ledger)
    assert why_silent(servers.url) is None
    assert "refuses the password" in str(why_silent(servers.url.replace("watching-secret", "wrong")))
    assert "watches no such service" in str(why_silent(servers.url.replace("/daybook/", "/other/")))
    ledger.close()


def _leads(ledger: Ledger) -> bool:
    try:
        return ledger.lead("beat", "a b", 10) == "a b"
    except redis.RedisError:
        return False
