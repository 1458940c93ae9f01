"""Whom a commit concerns, by what it changes: who sets it, calls it, installs it, builds it; pure."""

from __future__ import annotations

from collections.abc import Iterator

from core.models import ChangeType, Facts, FileRole, PublicChange, Triage
from workers.changes_told import is_platform
from workers.fileroles import role_of_path
from workers.message import Message

MOST = 3
_SEEN = {
    "flag": "settings",
    "environment": "settings",
    "config": "fields",
    "route": "clients",
    "metric": "monitoring",
}


def concerned(facts: Facts, triage: Triage, message: Message) -> tuple[tuple[str, str], ...]:
    """At most MOST pairs of a key, worded as `concerns_<key>`, and its subject; none where no fact names anybody."""
    return tuple(dict.fromkeys(_concerned(facts, triage, message)))[:MOST]


def _concerned(facts: Facts, triage: Triage, message: Message) -> Iterator[tuple[str, str]]:
    if triage.type is ChangeType.SECURITY or message.danger:
        yield "exposed", ""
    for reason in triage.reasons:
        if reason.code == "one_platform" and reason.subject:
            yield "setups", reason.subject
    yield from ((key, "") for change in facts.changes if (key := _by_change(change)))
    if triage.type is ChangeType.BUILD and FileRole.BUILD in facts.roles:
        yield "builders", ""


def _by_change(change: PublicChange) -> str:
    if change.kind == "dependency":
        if is_platform(change):
            return "platform" if change.action == "removed" else ""
        return "builders" if role_of_path(change.path) is FileRole.BUILD else "installers"
    if change.kind in _SEEN:
        return _SEEN[change.kind]
    return "" if change.action == "added" else "callers"  # nobody calls yet what is new
