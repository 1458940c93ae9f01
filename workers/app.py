"""The Celery application, and messages encoded by Celery's own code for the ledger to put on a queue."""

from __future__ import annotations

import json
import secrets
from functools import cache
from typing import TYPE_CHECKING, Any

import celery
import redis
import structlog
from celery import Celery
from kombu import Connection

from core.ledger import NewerRecord, leave_to_newer
from core.redis_address import address_from_url
from core.redis_connections import briefly
from workers import celeryconfig

if TYPE_CHECKING:
    from collections.abc import Iterable

log = structlog.get_logger()


class Task(celery.Task):  # type: ignore[type-arg] # its parameters are those of every task here
    """Says in one line that Redis is away: whatever a task did not do is found again by the sweep or the next round.

    Leaves to a newer version's processes what this one cannot read, while both are at work.
    """

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Run the task."""
        try:
            return super().__call__(*arguments, **named)
        except NewerRecord as newer:
            leave_to_newer(newer)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            log.warning("redis_failed", task=self.name, reason=briefly(error))


app = Celery("daybook", task_cls=Task, amqp="workers.broker:AMQP", include=["workers.tasks", "workers.suspects"])
app.config_from_object(celeryconfig)

_ARGUMENT, _TASK_ID = "@argument@", "@task-id@"


def connect_broker(url: str) -> None:
    """Tell Celery where Redis is; nothing is read from the environment at import.

    Celery's own url, which it may log, has no password; our channels connect by the address.
    """
    address = address_from_url(url)
    options = celeryconfig.broker_transport_options | {"address": address}
    app.conf.update(broker_url=address.broker_url, broker_transport_options=options)


def message(task: str, commit_id: str) -> bytes:
    """The message that makes a worker run `daybook.<task>` on a commit, as kombu's Redis transport would write it."""
    return messages(task, [commit_id])[0]


def messages(task: str, commit_ids: Iterable[str]) -> list[bytes]:
    """One message per commit."""
    template, ids = _template(task), [commit_id.encode() for commit_id in commit_ids]
    fresh = _new_ids(len(ids))
    return [template % {b"argument": one, b"id": new} for one, new in zip(ids, fresh, strict=True)]


def opening(task: str) -> bytes:
    """What stands before the commit's id in the messages of a task."""
    return _template(task).partition(b"%(argument)b")[0]


def wake(task: str) -> bytes:
    """The message that makes a worker run a task without arguments."""
    return _encoded(task, []) % {b"id": _new_ids(1)[0]}


def _new_ids(count: int) -> list[bytes]:
    """So many ids of 32 hex digits, asked of the kernel once."""
    digits = secrets.token_hex(16 * count).encode()
    return [digits[at : at + 32] for at in range(0, 32 * count, 32)]


@cache
def _template(task: str) -> bytes:
    """A message with places to fill: encoding each commit's own costs 30 times as much, and ids need no escaping."""
    return _encoded(task, [_ARGUMENT])


def _encoded(task: str, arguments: list[str]) -> bytes:
    """Let Celery send to kombu's in-memory transport and take the finished message from there; for bytes' `%`."""
    queue = celeryconfig.task_routes[f"daybook.{task}"]["queue"]
    with Connection("memory://") as connection:
        channel: Any = connection.channel()
        producer = connection.Producer(channel)
        channel.body_encoding = None  # plain JSON text; base64 would hide the places to fill
        app.send_task(f"daybook.{task}", arguments, task_id=_TASK_ID, producer=producer)
        captured: dict[str, Any] = channel._get(queue)  # noqa: SLF001 - the transport's own record of it
    captured["properties"]["delivery_tag"] = _TASK_ID  # kombu's key for what is being delivered: one for each message
    encoded = json.dumps(captured, separators=(",", ":")).replace("%", "%%")
    return encoded.replace(_ARGUMENT, "%(argument)b").replace(_TASK_ID, "%(id)b").encode()
