"""A day's page as a file in a repository on GitHub, committed when its content changed.

https://docs.github.com/en/rest/repos/contents
"""

from __future__ import annotations

import hashlib
import random
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from core.errors import Permanent, Transient
from workers.issues import refused

if TYPE_CHECKING:
    from workers.github import GitHub

TRIES: Final = 3  # others may commit at the same moment
# The only form that tells the sha of files beyond 1 MB.
_OBJECT: Final = "application/vnd.github.object+json"


@dataclass(frozen=True)
class Place:
    """Where a file is to lie; without a branch, on the default branch."""

    repository: str
    branch: str | None
    path: str


def publish_commit(client: GitHub, place: Place, content: bytes, message: str) -> bool:
    """Commit a file unless it is there as it is; whether a commit was made. Raises Transient or Permanent."""
    said = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(random.uniform(0.1, 0.3) * attempt)
        before = _sha(client, place)
        if before == blob_sha(content):
            return False
        body: dict[str, Any] = {"message": message, "content": b64encode(content).decode()}
        body |= {"sha": before} if before else {}
        body |= {"branch": place.branch} if place.branch else {}
        with refused(place.repository, "contents"):
            answer = client.ask(place.repository, _address(place), verb="PUT", body=body, accept=(409, 422))
        if answer.status in (200, 201):
            return True
        said = str(answer.body.get("message", "")) if isinstance(answer.body, dict) else ""
    reason = " ".join(said.split())[:200] or "no reason given"
    raise Transient(f"{place.path} cannot be committed to {place.repository}: {reason}")


def blob_sha(content: bytes) -> str:
    """The name git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _sha(client: GitHub, place: Place) -> str | None:
    """The sha of the file that is there; None without one."""
    branch = f"?ref={quote(place.branch, safe='')}" if place.branch else ""
    with refused(place.repository, "contents"):
        answer = client.ask(place.repository, _address(place) + branch, accept=(404,), media=_OBJECT)
    if answer.status == 404:
        return None
    found = answer.body if isinstance(answer.body, dict) else {}
    if found.get("type") != "file":
        raise Permanent(f"{place.path} at {place.repository} is no file: change `publish_path`")
    return str(found["sha"])


def _address(place: Place) -> str:
    return f"/contents/{quote(place.path)}"
