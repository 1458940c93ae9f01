"""A diff's files → what is newly deprecated, and the migrations of stored data; pure, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from core.models import FileChange, FileRole
from workers.hunks import Hunk
from workers.symbols import holders

_FOUND_LIMIT = 10
_DEPRECATED = re.compile(
    r"^\s{0,40}@(?:[\w.]{1,40}\.)?deprecated?\b|(?:Pending)?DeprecationWarning\b|\bFutureWarning\b|\[\[deprecated\b"
    r"|#\[deprecated\b|^\s{0,40}(?://|\*) ?(?:@deprecated|Deprecated:)|\.\. deprecated::|\bdeprecated ?= ?True\b"
    r"|[\"'][^\n]{0,200}?\b(?:is|are|been|be) deprecated\b",
    re.IGNORECASE,
)
# Lines that speak of such a warning without giving one.
_SPEAKS = re.compile(r"^\s{0,40}(?:import|from|except|class|with|#)\b|filterwarnings|simplefilter")
_MIGRATION = re.compile(
    r"(?:^|/)(?:migrations?|alembic/versions|db/migrate)/(?!__init__)[^\n]{1,200}\.(?:py|sql|rb|js|ts|go|php)$"
)
_SCHEMA = re.compile(r"\b(?:ALTER|CREATE|DROP|RENAME) TABLE\b", re.IGNORECASE)


def deprecations(files: Iterable[tuple[FileChange, FileRole, list[Hunk]]]) -> tuple[str, ...]:
    """The definitions whose added lines deprecate something, or the file where no definition holds them."""
    spoken = ((change.path, parts) for change, _, parts in files if _speaks(change.patch or ""))
    found = (name for path, parts in spoken for part in parts for name in _deprecated(path, part))
    return tuple(dict.fromkeys(found))[:_FOUND_LIMIT]


def _deprecated(path: str, part: Hunk) -> Iterator[str]:
    known = {line.strip() for line in part.removed if "eprecat" in line}
    places = [place for place in part.added_at if _says(part.after[place]) and part.after[place].strip() not in known]
    if places:
        yield from list(holders(path, part.context, part.after, places)) or [path]


def _says(line: str) -> bool:
    return _speaks(line) and bool(_DEPRECATED.search(line)) and not _SPEAKS.search(line)


def _speaks(text: str) -> bool:
    """Whether a text may deprecate anything: the words that each pattern needs stand in it."""
    return "eprecat" in text or "FutureWarning" in text


def migrations(files: Iterable[tuple[FileChange, FileRole, list[Hunk]]]) -> tuple[str, ...]:
    """The files that change a stored schema, by their place or by the statements they add."""
    found = (change.path for change, _, parts in files if change.status != "removed" and _migrates(change.path, parts))
    return tuple(found)[:_FOUND_LIMIT]


def _migrates(path: str, parts: list[Hunk]) -> bool:
    if _MIGRATION.search(path):
        return True
    return path.endswith(".sql") and any(_SCHEMA.search(line) for part in parts for line in part.added)
