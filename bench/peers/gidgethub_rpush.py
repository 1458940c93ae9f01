"""aiohttp and gidgethub: verifies and parses each push and puts each commit on a Redis list, one RPUSH a commit."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiohttp import web
from gidgethub.sansio import Event
from redis.asyncio import Redis


def application(secret: str, redis: Any) -> web.Application:
    """The one route."""

    async def receive(request: web.Request) -> web.Response:
        event = Event.from_http(request.headers, await request.read(), secret=secret)
        for commit in event.data["commits"]:
            await redis.rpush("commits", json.dumps({"sha": commit["id"], "message": commit["message"]}))
        return web.json_response({"queued": len(event.data["commits"])}, status=202)

    application = web.Application(client_max_size=25 << 20)
    application.router.add_post("/webhooks/github", receive)
    return application


async def _serve(port: int, secret: str, redis_url: str) -> None:
    runner = web.AppRunner(application(secret, Redis.from_url(redis_url)), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
