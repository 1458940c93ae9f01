"""Public changes as sentences: what was removed, renamed, added or given another default, by name; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.models import Facts, FileRole, PublicChange
from core.places import exports_values
from report.labels import Labels
from workers.fileroles import role_of_path
from workers.phrasing import code, joined, listed, spaced

_EXTERNAL = frozenset({"flag", "environment", "config", "route", "metric", "dependency"})
_BREAKING = frozenset({"removed", "renamed", "default_changed", "changed"})
_HEADERS = (".h", ".hpp", ".hh", ".hxx")
_VALUE_WIDTH = 60


def changes_told(facts: Facts, words: Labels, limit: int, names: int = 3) -> list[str]:
    """At most `limit` sentences of `names` names, one for each kind of public change, the weightiest first."""
    changes = [change for change in facts.changes if change.action != "added" or _is_news(change)]
    return told(changes, words, names)[:limit]


def told(changes: Sequence[PublicChange], words: Labels, names: int) -> list[str]:
    """A sentence for each kind of change among these, what users see first."""
    groups: dict[tuple[str, str], list[PublicChange]] = {}
    # A header and what it declares may change alike: a sentence names no file, and each name once.
    for change in {(each.action, each.kind, each.name, each.before, each.after): each for each in changes}.values():
        groups.setdefault((change.action, _kind(change)), []).append(change)
    ordered = sorted(groups.values(), key=lambda group: not is_outer(group[0]))
    return [spaced(_sentence(group, words, names)) for group in ordered]


def breaking_changes(facts: Facts, *, inner: bool = False) -> list[PublicChange]:
    """What callers may have to change for: removals, renames and new defaults, seen from outside or (`inner`) at all.

    Dependencies are spoken of on their own.
    """
    gone = [change for change in facts.changes if change.action in _BREAKING]
    return [change for change in gone if change.kind != "dependency" and (inner or is_outer(change))]


def _is_news(change: PublicChange) -> bool:
    """Whether an addition is news to a user; a new internal function is not, nor one more parameter.

    What a C or C++ header declares anew is as often an overload or a helper as something for users.
    """
    if change.kind in {"function", "class"} and change.path.endswith(_HEADERS):
        return False
    return change.kind == "dependency" or (is_outer(change) and change.kind != "parameter")


def is_platform(change: PublicChange) -> bool:
    """A Python version that a manifest says is supported."""
    return change.kind == "dependency" and change.name.startswith("python ")


def is_outer(change: PublicChange) -> bool:
    """Whether users see it without reading the source: settings always, code only in interface files."""
    return change.kind in _EXTERNAL or role_of_path(change.path) is FileRole.INTERFACE


def _kind(change: PublicChange) -> str:
    """The key of the word for its kind; what a Dockerfile or CMake file asks for is not what users install."""
    if is_platform(change):
        return "platform"
    if change.kind == "function" and exports_values(change.path):
        return "export"
    return "build" if change.kind == "dependency" and role_of_path(change.path) is FileRole.BUILD else change.kind


def _sentence(group: list[PublicChange], words: Labels, names: int) -> str:
    first = group[0]
    if owner := _one_owner(group):
        inner = listed([_parameter(change) for change in group], words, limit=names)
        return words.phrase(f"change_{first.action}_of", n=len(group), owner=code(owner), names=inner)
    plain = listed([change.name for change in group], words, limit=names)
    if is_platform(first):
        return words.phrase("platform_dropped" if first.action == "removed" else "platform_added", names=plain)
    kind = words.phrase(f"kind_{_kind(first)}", n=len(group))
    if first.action in {"added", "removed"}:
        # A variable may exist, and be set, elsewhere; a kind in other letters wants a space where others want none.
        own = f"_{first.kind}" if first.kind in {"environment", "route"} else ""
        return words.phrase(f"change_{first.action}{own}", kind=kind, names=plain)
    if first.action == "changed" and first.kind != "dependency":
        return words.phrase("change_lookup", kind=kind, names=plain)
    pairs = joined([_pair(change, words) for change in group], words, limit=names)
    return words.phrase(f"change_{first.action}", kind=kind, names=pairs)


def _one_owner(group: list[PublicChange]) -> str:
    """The function or class whose parameters came or went, when several are one's; naming it once is enough."""
    owners = {change.name.partition("(")[0] for change in group}
    told_once = len(group) > 1 and len(owners) == 1 and group[0].kind == "parameter"
    return owners.pop() if told_once and group[0].action in {"added", "removed"} else ""


def _parameter(change: PublicChange) -> str:
    return change.name.partition("(")[2].removesuffix(")")


def _pair(change: PublicChange, words: Labels) -> str:
    """`old` → `new` of a rename, `name` (`1` → `2`) of a value; the name alone where the values are too long."""
    if change.action == "renamed":
        return "".join(f"{code(old)} → {code(new)}" for old, new in _names(change))
    values = change.before, change.after
    if any(value is None or len(value) > _VALUE_WIDTH or "\n" in value for value in values):
        return code(change.name)
    before, after = (code(value) if value else words.phrase("unbounded") for value in values)
    return words.phrase("pair", name=code(change.name), before=before, after=after)


def _names(change: PublicChange) -> Iterator[tuple[str, str]]:
    old = change.before or ""
    yield (f"{change.name.partition('(')[0]}({old})" if change.kind == "parameter" else old), change.name
