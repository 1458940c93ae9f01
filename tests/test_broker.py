"""The broker's connection when Redis goes away in the middle of things."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis

from core.ledger import Stage
from core.redis_server import RedisServer
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
