"""What the fake GitHub is asked and answers, and how its bad days look."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Literal

Trouble = Literal[
    "primary",
    "primary_429",
    "secondary",
    "secondary_silent",
    "error",
    "diff_unavailable",
    "slow",
    "reset",
    "truncated",
    "empty",
    "lost",
]


@dataclass(frozen=True)
class Request:
    """One request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Answer:
    """One answer to send."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Misbehaviour:
    """A trouble that the next requests run into, or those after some good ones."""

    kind: Trouble
    times: int
    after: int
    seconds: float
    status: int


def not_found() -> Answer:
    return Answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})


def unreadable_jwt() -> Answer:
    return Answer(401, {"message": "A JSON web token could not be decoded"})


def limit_or_error(trouble: Misbehaviour) -> Answer:
    primary = {"message": "API rate limit exceeded for user ID 583231."}
    secondary = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time() + trouble.seconds))}
    match trouble.kind:
        case "primary":
            return Answer(403, primary, spent)
        case "primary_429":
            return Answer(429, primary, spent)
        case "secondary":
            return Answer(403, secondary, {"Retry-After": str(int(trouble.seconds))})
        case "secondary_silent":
            return Answer(403, secondary)
        case "diff_unavailable":
            message = "Server Error: Sorry, this diff is temporarily unavailable due to heavy server load."
            return Answer(422, {"message": message})
        case "empty":
            return Answer(200, None)
    return Answer(trouble.status, {"message": "Server Error"})


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()
