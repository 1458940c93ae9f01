"""The broker's connection when Redis goes away in the middle of things."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from core.ledger import Stage
from core.redis_server import RedisServer, free_port
from core.settings import Settings
from workers import services as of_process
from workers import tasks
from workers.app import app, connect_broker, message

COMMITS = [f"octocat/hello-world@{digit * 40}" for digit in "ab"]


def test_a_message_that_redis_could_not_be_told_of_takes_no_place_for_ever(tmp_path: Path) -> None:
    """A worker whose places were all taken that way read nothing any more, also when Redis was back."""
    server = RedisServer(tmp_path)
    url = server.start()
    with redis.Redis.from_url(url) as client:
        client.lpush(Stage.FETCH, *(message(Stage.FETCH, commit_id) for commit_id in COMMITS))
    connect_broker(url)
    with app.connection_for_read() as connection:
        channel: Any = connection.channel()
        channel.basic_qos(0, len(COMMITS), False)
        taken = [channel.basic_get(Stage.FETCH, no_ack=False) for _ in COMMITS]
        assert not channel.qos.can_consume()
        server.stop()
        for one in taken:
            one.ack()
        assert channel.qos.can_consume()
        server.start()
        assert channel.basic_get(Stage.FETCH, no_ack=False) is None
        server.stop()


def test_whoever_sends_waits_for_redis_by_every_way_that_kombu_connects(tmp_path: Path) -> None:
    """One way names the waits between attempts by their place; it was a fault there, and beat sent nothing any more."""
    server = RedisServer(tmp_path)
    connect_broker(server.start())
    with app.connection_for_write() as connection:
        producer = app.amqp.Producer(connection, auto_declare=False)
        connection.ensure_connection()
        server.stop()
        sender = threading.Thread(target=producer.publish, args=({},), kwargs={"routing_key": "fetch", "retry": True})
        with capture_logs() as lines:
            sender.start()
            sender.join(1.5)
            assert sender.is_alive()
            server.start()
            sender.join(60)
    with redis.Redis.from_url(server.url) as client:
        assert client.llen("fetch") == 1
    server.stop()
    assert {line["event"] for line in lines} == {"redis_unusable"}


def test_a_task_that_finds_no_redis_says_so_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    services = of_process.connect(Settings(_env_file=None), f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setattr(of_process, "_current", services)
    with capture_logs() as lines:
        tasks.sweep()
        tasks.fetch(COMMITS[0])
    said = {"event": "redis_failed", "reason": "ConnectionError", "log_level": "warning"}
    assert lines == [said | {"task": "daybook.sweep"}, said | {"task": "daybook.fetch"}]
    services.ledger.close()
