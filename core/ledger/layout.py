"""The layout of the indices: what an older version left is brought into today's by whoever comes first, in small steps.

Each step moves up to a thousand entries in one transaction, so it may be done twice, by several processes at once, and
be broken off anywhere; nothing is read or written by a process until all is moved. `daybook:layout` says that it is.

    1  shas:REPOSITORY and names:REPOSITORY as one sorted set of text each, past:REPOSITORY:XX beside them (0.1.0)
    2  shas:REPOSITORY:XX, names:REPOSITORY:XXX (places.py)
"""

from __future__ import annotations

from typing import Any

from core.errors import DaybookError
from core.ledger.places import PREFIX, place_of, sha_key

LAYOUT = 2
AT_ONCE = 1000
_DIGITS = 7  # of a sha that a message names


def bring_up_to_date(redis: Any) -> None:
    """Move what an older version stored; at once when there is nothing to do.

    Raises DaybookError when a newer version has moved it on: this one would not find anything.
    """
    found = int(redis.get(f"{PREFIX}layout") or 1)
    if found > LAYOUT:
        raise DaybookError(f"a newer Daybook has changed how Redis is laid out ({found}); update this one")
    if found == LAYOUT:
        return
    names = redis.hkeys(f"{PREFIX}repositories")
    for name in names:
        _move_shas(redis, name.decode())
        _move_names(redis, name.decode())
    if names:
        redis.set(f"{PREFIX}layout", LAYOUT)


def _move_shas(redis: Any, repository: str) -> None:
    old = f"{PREFIX}shas:{repository}"
    while shas := redis.zrange(old, 0, AT_ONCE - 1):
        with redis.pipeline() as pipe:
            for sha in map(bytes.decode, shas):
                pipe.hsetnx(sha_key(repository, sha), sha[2:], "")
            pipe.zrem(old, *shas).execute()
    for number in range(256):
        past = f"{PREFIX}past:{repository}:{number:02x}"
        if days := redis.hgetall(past):
            with redis.pipeline() as pipe:
                pipe.hset(sha_key(repository, f"{number:02x}"), mapping=days).delete(past).execute()


def _move_names(redis: Any, repository: str) -> None:
    old = f"{PREFIX}names:{repository}"
    while names := redis.zrange(old, 0, AT_ONCE - 1):
        with redis.pipeline() as pipe:
            for kind, told, second, sha in (member.decode().split(":") for member in names):
                place = place_of(repository, f"{kind}:{told[:_DIGITS] if kind == 'S' else told}")
                pipe.zadd(place.key, {place.member(int(second), sha): 0})
            pipe.zrem(old, *names).execute()
