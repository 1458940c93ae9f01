"""What to watch for and what to do about a commit, from its facts: insights, risks and advice; pure.

Names stand once, under compatibility or in the summary; risks and advice refer to them. What the diff does not show is
not said: a row without a ground says that nothing was seen, a risk or advice without one is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.models import ChangeType, Facts, FileRole, Insights, PublicChange, Triage
from report.labels import Labels
from workers.changes_told import breaking_changes, is_platform, told
from workers.dependencies import least_versions
from workers.fileroles import role_of_path
from workers.message import Message
from workers.phrasing import listed, sentences, spaced

_LARGE = 600
_ADVICE_LIMIT = 4
_RISKS_LIMIT = 5
# Names in the compatibility row: all that facts keep.
_ALL = 40
_FAULTS = frozenset({"crash", "hang", "deadlock", "corruption"})


def insights(facts: Facts, message: Message, words: Labels) -> Insights:
    """The four dimensions of a high-tier analysis; what the diff does not show is said to be unknown."""
    return Insights(
        architecture=spaced(_architecture(facts, words)),
        performance=_performance(facts, message, words),
        security=_security(facts, message, words),
        compatibility=_compatibility(facts, message, words),
    )


def _architecture(facts: Facts, words: Labels) -> str:
    added = [change.name for change in facts.changes if change.kind == "class" and change.action == "added"]
    removed = [change.name for change in facts.changes if change.kind == "class" and change.action == "removed"]
    areas = [area for area in facts.areas if area != "."]
    parts = [
        words.phrase("architecture_added", names=listed(added, words)) if added else "",
        words.phrase("architecture_removed", names=listed(removed, words)) if removed else "",
        words.phrase("architecture_modules") if "new_module" in facts.marks and not added else "",
        words.phrase("architecture_wide", areas=listed(areas, words)) if len(areas) >= 3 else "",
    ]
    return sentences(parts, words) or _nothing(facts, words)


def _performance(facts: Facts, message: Message, words: Labels) -> str:
    said = next((mark for mark in ("performance", "memory") if mark in message.title_marks), None)
    measured = facts.benchmarks and "performance" in facts.marks  # others may be of anything
    parts = [
        words.phrase(f"performance_{said}") if said else "",
        words.phrase("performance_measured", items=listed(facts.benchmarks, words)) if measured else "",
        words.phrase("performance_kernel") if FileRole.KERNEL in facts.roles else "",
        words.phrase("performance_synchronisation") if "synchronisation" in facts.marks else "",
    ]
    return sentences(parts, words) or _nothing(facts, words)


def _security(facts: Facts, message: Message, words: Labels) -> str:
    said = "security" in (*message.title_marks, *message.body_marks) or message.danger
    parts = [
        words.phrase("security_unsafe") if "unsafe_removed" in facts.marks else "",
        words.phrase("security_guard") if "security" in facts.marks and "unsafe_removed" not in facts.marks and not said
        else "",
        words.phrase("security_danger" if message.danger else "security_said") if said else "",
        words.phrase("security_advisory") if "advisory" in facts.marks else "",
    ]  # fmt: skip
    return sentences(parts, words) or _nothing(facts, words)


def deprecated(facts: Facts, words: Labels) -> str:
    """Where the diff says that something is going to go, or ""."""
    names = listed(facts.deprecations, words)
    return spaced(words.phrase("deprecated", names=names)) if names else ""


def _nothing(facts: Facts, words: Labels) -> str:
    """Nothing was seen, or there was no diff to see it in."""
    return words.phrase("none_seen" if facts.files else "compatibility_unknown")


def _compatibility(facts: Facts, message: Message, words: Labels) -> str:
    if not facts.files:
        return _nothing(facts, words)
    outer, inner = breaking_changes(facts), breaking_changes(facts, inner=True)
    rows = told([*outer, *_dependencies(facts), *_platforms(facts)], words, _ALL)
    if facts.deprecations:
        rows.append(deprecated(facts, words))
    if _says_incompatible(facts, message):
        rows.append(words.phrase("compatibility_said"))
    if rest := [change for change in inner if change not in outer]:
        rows += [spaced(words.phrase("compatibility_inner")), *told(rest, words, _ALL)]
    return sentences(rows, words) or words.phrase("compatibility_none")


def risks(facts: Facts, triage: Triage, message: Message, words: Labels) -> tuple[str, ...]:
    """What may go wrong, by what the diff shows and lacks; never empty."""
    found = dict.fromkeys(_risks(facts, triage, message))
    told_risks = [spaced(words.phrase(f"risk_{key}", n=facts.code_lines)) for key in found]
    return tuple(told_risks)[:_RISKS_LIMIT] or (_nothing(facts, words),)


def _risks(facts: Facts, triage: Triage, message: Message) -> Iterator[str]:
    if "unsafe_removed" in facts.marks:
        yield "unsafe"
    elif message.danger or "security" in message.title_marks:
        yield "security"
    elif "advisory" in facts.marks:
        yield "advisory"
    yield from _risks_of_changes(facts)
    if _says_incompatible(facts, message) and not (breaking_changes(facts) or _platforms(facts)):
        yield "incompatible"
    if triage.type is ChangeType.BUGFIX:
        yield from (mark for mark in ("wrong_result", "numerics") if mark in message.title_marks)
    if "status_code" in facts.marks:
        yield "status_code"
    if facts.code_lines >= _LARGE:
        yield "large"
    if facts.files and not facts.incomplete and FileRole.TEST not in facts.roles and _has_code(facts):
        yield "untested"


def _says_incompatible(facts: Facts, message: Message) -> bool:
    return facts.breaking or "incompatible" in (*message.title_marks, *message.body_marks)


def _old_names(facts: Facts) -> bool:
    """Whether names that users may still use are gone."""
    return any(change.action in {"removed", "renamed"} for change in breaking_changes(facts))


def _risks_of_changes(facts: Facts) -> Iterator[str]:
    actions = {change.action for change in breaking_changes(facts)}
    if _old_names(facts):
        yield "broken"
    if "default_changed" in actions:
        yield "default"
    if _platforms(facts):
        yield "platform"
    if any(_asks_more(change) for change in _dependencies(facts)):
        yield "dependency"
    if any(role_of_path(change.path) is FileRole.BUILD for change in _dependencies(facts)):
        yield "build"
    if "changed" in actions:
        yield "lookup"


def advice(facts: Facts, triage: Triage, message: Message, words: Labels) -> tuple[str, ...]:
    """What a reader can do, the most pressing first; empty where the facts ask for nothing."""
    found = dict.fromkeys(_advice(facts, triage, message))
    return tuple(spaced(words.phrase(f"advice_{key}")) for key in found)[:_ADVICE_LIMIT]


def _advice(facts: Facts, triage: Triage, message: Message) -> Iterator[str]:
    if triage.type is ChangeType.SECURITY or message.danger:
        yield "security"
    yield from _advice_on_changes(facts)
    if _says_incompatible(facts, message) and not (breaking_changes(facts) or _platforms(facts)):
        yield "incompatible"
    if triage.type is ChangeType.BUGFIX and not message.clearer and _FAULTS & set(message.stated):
        yield "fault"
    if "removed_release" in facts.marks:
        yield "release"
    if facts.reverts:
        yield "revert"
    if triage.type is ChangeType.REFACTOR and facts.code_lines >= _LARGE:
        yield "rebase"
    if triage.type is ChangeType.BUILD:
        yield "build"


def _advice_on_changes(facts: Facts) -> Iterator[str]:
    if _old_names(facts):
        yield "names"
    elif any(change.action in {"removed", "renamed"} for change in breaking_changes(facts, inner=True)):
        yield "inner_names"
    if any(change.action == "default_changed" for change in breaking_changes(facts)):
        yield "default"
    if _platforms(facts):
        yield "platform"
    if any(role_of_path(change.path) is not FileRole.BUILD for change in _dependencies(facts)):
        yield "dependency"


def _dependencies(facts: Facts) -> list[PublicChange]:
    """What users must install, or what it is built on."""
    return [change for change in facts.changes if change.kind == "dependency" and not is_platform(change)]


def _asks_more(change: PublicChange) -> bool:
    """Whether installing needs another least version now."""
    if role_of_path(change.path) is FileRole.BUILD or change.action != "changed":
        return False
    return bool(least_versions(change.after) - least_versions(change.before))


def _platforms(facts: Facts) -> list[PublicChange]:
    return [change for change in facts.changes if is_platform(change) and change.action == "removed"]


def _has_code(facts: Facts) -> bool:
    return any(role in facts.roles for role in (FileRole.SOURCE, FileRole.INTERFACE, FileRole.KERNEL))
