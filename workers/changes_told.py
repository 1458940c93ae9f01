"""Public changes as sentences: what was removed, renamed, added or given another default, by name; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.models import Facts, FileRole, PublicChange
from report.labels import Labels
from workers.fileroles import role_of_path
from workers.phrasing import code, listed, spaced

# Kinds whose additions are news to a user; a new internal function is not.
_NEWS = frozenset({"flag", "environment", "config", "route", "metric", "dependency"})
_EXTERNAL = frozenset({"flag", "environment", "config", "route", "metric", "dependency"})


def changes_told(facts: Facts, words: Labels, limit: int) -> list[str]:
    """At most `limit` sentences, one for each kind of public change, the weightiest first."""
    return [spaced(sentence) for sentence in _told(facts.changes, words)][:limit]


def breaking_changes(facts: Facts, *, inner: bool = False) -> list[PublicChange]:
    """What callers may have to change for: removals, renames and new defaults, seen from outside or (`inner`) at all.

    Dependencies are spoken of on their own.
    """
    gone = [change for change in facts.changes if change.action in {"removed", "renamed", "default_changed"}]
    return [change for change in gone if change.kind != "dependency" and (inner or is_outer(change))]


def is_platform(change: PublicChange) -> bool:
    """A Python version that a manifest says is supported."""
    return change.kind == "dependency" and change.name.startswith("python ")


def is_outer(change: PublicChange) -> bool:
    """Whether users see it without reading the source: settings always, code only in interface files."""
    return change.kind in _EXTERNAL or role_of_path(change.path) is FileRole.INTERFACE


def _told(changes: Sequence[PublicChange], words: Labels) -> Iterator[str]:
    groups: dict[tuple[str, str], list[PublicChange]] = {}
    for change in changes:
        if change.action != "added" or change.kind in _NEWS:
            groups.setdefault((change.action, _kind(change)), []).append(change)
    for group in sorted(groups.values(), key=lambda group: not is_outer(group[0])):
        yield _sentence(group, words)


def _kind(change: PublicChange) -> str:
    """The key of the word for its kind; what a Dockerfile or CMake file asks for is not what users install."""
    if is_platform(change):
        return "platform"
    return "build" if change.kind == "dependency" and role_of_path(change.path) is FileRole.BUILD else change.kind


def _sentence(group: list[PublicChange], words: Labels) -> str:
    first, more = group[0], len(group) - 1
    names = listed([change.name for change in group], words)
    if is_platform(first):
        return words.phrase("platform_dropped" if first.action == "removed" else "platform_added", names=names)
    kind = words.phrase(f"kind_{_kind(first)}", n=len(group))
    pair = _pair(first, words)
    if first.action in {"added", "removed"}:
        return words.phrase(f"change_{first.action}", kind=kind, names=names)
    if pair is None:
        key = "change_default_only" if first.action == "default_changed" else "change_bound_only"
        return words.phrase(key, kind=kind, names=names)
    one, rest = words.phrase(f"kind_{_kind(first)}", n=1), words.phrase("and_more", n=more) if more else ""
    name = first.name.partition("(")[0] if first.kind == "parameter" and first.action == "renamed" else first.name
    return words.phrase(_pair_key(first), kind=one, name=code(name), before=pair[0], after=pair[1], more=rest)


def _pair_key(change: PublicChange) -> str:
    if change.action == "renamed" and change.kind in {"parameter", "dependency"}:
        return "change_renamed_parameter" if change.kind == "parameter" else "change_replaced"
    return f"change_{change.action}"


def _pair(change: PublicChange, words: Labels) -> tuple[str, str] | None:
    """The two values in code spans, or None when one of them is not known or too long to read."""
    values = change.before, change.after
    if any(value is None or len(value) > 60 or "\n" in value for value in values):
        return None
    if change.kind != "dependency" and not all(values):
        return None
    before, after = (code(value) if value else words.phrase("unbounded") for value in values)
    return before, after
