"""What a push or a source tells of a commit → Commit: texts cut and secrets out, ignored authors left out; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from core.models import Commit, Found
from core.settings import RepositorySettings
from workers.redact import redact

LONGEST_MESSAGE = 65_536
LONGEST_NAME = 200
CUT_MARK = " … [cut]"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where and when commits landed, and how Daybook learnt of it."""

    repository: str
    branch: str
    landed_at: datetime
    found_by: Found


def cut(text: str, longest: int) -> str:
    """A text of at most `longest` characters; what was cut is marked."""
    return text if len(text) <= longest else text[: longest - len(CUT_MARK)] + CUT_MARK


def taken_commit(
    arrival: Arrival,
    table: RepositorySettings,
    *,
    sha: str,
    message: str,
    author: str,
    login: str | None,
    committed_at: datetime,
    position: int,
) -> Commit | None:
    """The commit to record; None for one of an author whom the repository's settings ignore.

    Raises pydantic.ValidationError when a field is not what it should be.
    """
    name = cut(author or login or "unknown", LONGEST_NAME)
    account = cut(login, LONGEST_NAME) if login else None
    if table.ignore_authors and _is_ignored(table, name, account or ""):
        return None
    return Commit(
        repository=arrival.repository,
        sha=sha,
        message=redact(cut(message, LONGEST_MESSAGE)),
        author=name,
        login=account,
        committed_at=committed_at,
        landed_at=arrival.landed_at,
        position=position,
        branch=arrival.branch,
        found_by=arrival.found_by,
    )


def _is_ignored(table: RepositorySettings, *names: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in table.ignore_authors for name in names)
