"""A push delivery's bytes → Push: everything in it is untrusted, checked here and nowhere else.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from core.models import Commit, Found, Push, RepositoryName, Sha
from core.settings import RepositorySettings, Settings
from workers.intake import LONGEST_NAME, Arrival, cut, taken_commit

NULL_SHA = "0" * 40
FUTURE = timedelta(hours=1)


class BadPayload(ValueError):
    """The delivery is not a push that can be read; the message names the field."""

    status = 400


@dataclass(frozen=True)
class Ignored:
    """A delivery that is understood and not for us."""

    why: str


@dataclass(frozen=True)
class Received:
    """A push to a followed branch, and what was wrong with those of its commits that could not be taken."""

    push: Push
    rejected: tuple[str, ...]


def _cut(longest: int) -> AfterValidator:
    return AfterValidator(lambda text: cut(text, longest))


def _moment(value: object) -> object:
    """Push payloads give `pushed_at` in epoch seconds, other events in ISO 8601."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) and 0 <= value < 2**33 else value


class _Untrusted(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=False)


class _Person(_Untrusted):
    name: str = ""
    username: str | None = None


class _Commit(_Untrusted):
    """What is read of a commit; `taken_commit` cuts its texts."""

    id: Sha
    message: str = ""
    timestamp: AwareDatetime
    author: _Person = _Person()


class _Repository(_Untrusted):
    full_name: RepositoryName
    default_branch: str = Field(default="main", max_length=255)
    pushed_at: Annotated[AwareDatetime | None, BeforeValidator(_moment)] = None


class _Push(_Untrusted):
    ref: str = Field(pattern=r"^refs/[^\x00-\x20~^:?*\[\\\x7f]+$", max_length=1024)
    before: Sha
    after: Sha
    forced: bool = False
    deleted: bool = False
    repository: _Repository
    # One that is not as it should be stays as it came: it costs the others nothing, and all are read in one pass.
    commits: list[Annotated[_Commit | Any, Field(union_mode="left_to_right")]] = Field(max_length=10_000)


def json_body(body: bytes, content_type: str) -> bytes | None:
    """The JSON of a delivery, from either of GitHub's content types; None for another type.

    Raises BadPayload when a form has no `payload` field.
    """
    if content_type == "application/json":
        return body
    if content_type != "application/x-www-form-urlencoded":
        return None
    for field in body.split(b"&"):
        name, _, value = field.partition(b"=")
        if name == b"payload":
            return unquote_to_bytes(value.replace(b"+", b" "))
    raise BadPayload("payload: the form has no such field")


def zen_of(body: bytes) -> str:
    """The sentence a ping carries; raises BadPayload when the body is not a ping."""

    class Ping(_Untrusted):
        zen: Annotated[str, _cut(LONGEST_NAME)] = ""

    try:
        return Ping.model_validate_json(body).zen
    except ValidationError as error:
        raise BadPayload(_first_fault(error)) from None


def read_push(body: bytes, delivery: str, settings: Settings, now: datetime) -> Received | Ignored:
    """Read a push, decide whether it is followed, and take its commits one by one.

    Raises BadPayload naming the first field that is not what it should be; one bad commit does not cost the others.
    """
    try:
        payload = _Push.model_validate_json(body)
    except ValidationError as error:
        raise BadPayload(_first_fault(error)) from None
    table = settings.repository(payload.repository.full_name)
    if why := _ignored(payload, table):
        return Ignored(why)
    assert table
    landed = payload.repository.pushed_at or now
    landed = now if landed > now + FUTURE else landed
    commits, rejected = _commits(payload, table, landed)
    if rejected and not commits:
        raise BadPayload(rejected[0])
    push = Push(repository=payload.repository.full_name, branch=_branch(payload), before=payload.before,
                after=payload.after, pushed_at=landed, forced=payload.forced, delivery=delivery,
                commits=tuple(commits))  # fmt: skip
    return Received(push, tuple(rejected))


def _branch(payload: _Push) -> str:
    return payload.ref.removeprefix("refs/heads/")


def _ignored(payload: _Push, table: RepositorySettings | None) -> str:
    if table is None:
        return f"{payload.repository.full_name} is not followed"
    if payload.ref.startswith("refs/tags/"):
        return "a tag, not a branch"
    if not payload.ref.startswith("refs/heads/"):
        return "not a branch"
    if payload.deleted or payload.after == NULL_SHA:
        return "the branch was deleted"
    if not table.follows_branch(_branch(payload), payload.repository.default_branch):
        return f"branch {_branch(payload)[:LONGEST_NAME]} is not followed"
    return ""


def _commits(payload: _Push, table: RepositorySettings, landed: datetime) -> tuple[list[Commit], list[str]]:
    commits, rejected = [], []
    arrival = Arrival(payload.repository.full_name, _branch(payload), landed, Found.PUSH)
    for position, told in enumerate(payload.commits):
        if not isinstance(told, _Commit):
            rejected.append(f"commits.{position}.{_fault_of(told)}")
            continue
        taken = taken_commit(
            arrival,
            table,
            sha=told.id,
            message=told.message,
            author=told.author.name,
            login=told.author.username,
            committed_at=told.timestamp,
            position=position,
        )
        if taken:
            commits.append(taken)
    return commits, rejected


def _fault_of(raw: object) -> str:
    try:
        _Commit.model_validate(raw)
    except ValidationError as error:
        return _first_fault(error)
    return "not a commit"


def _first_fault(error: ValidationError) -> str:
    """Where and what, without the value."""
    item = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}"[:300]
