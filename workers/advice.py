"""What to watch for and what to do about a commit, from its facts: insights, risks and advice; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.models import ChangeType, Facts, FileRole, Insights, PublicChange, Triage
from report.labels import Labels
from workers.changes_told import breaking_changes, changes_told, is_platform
from workers.fileroles import role_of_path
from workers.message import Message
from workers.phrasing import listed, spaced

_LARGE = 600
_ADVICE_LIMIT = 4
_RISKS_LIMIT = 5

# Marks in the order in which they are spoken of; each has a risk and an advice in PHRASES.
_RISK_MARKS = (
    "security",
    "crash",
    "hang",
    "deadlock",
    "corruption",
    "wrong_result",
    "numerics",
    "memory",
    "regression",
)
_ADVICE_BY_ACTION = (
    ("removed", "advice_removed"),
    ("renamed", "advice_renamed"),
    ("default_changed", "advice_default"),
)
_SPEED_MARKS = ("performance", "memory", "concurrency", "regression")


def insights(facts: Facts, message: Message, words: Labels) -> Insights:
    """The four dimensions of a high-tier analysis; what the diff does not show is said to be unknown."""
    return Insights(
        architecture=_architecture(facts, words),
        performance=_performance(facts, message, words),
        security=words.phrase("security_seen" if "security" in facts.marks else "security_none"),
        compatibility=_compatibility(facts, words),
    )


def _architecture(facts: Facts, words: Labels) -> str:
    added = [change.name for change in facts.changes if change.kind == "class" and change.action == "added"]
    removed = [change.name for change in facts.changes if change.kind == "class" and change.action == "removed"]
    parts = [
        words.phrase("architecture_added", names=listed(added, words)) if added else "",
        words.phrase("architecture_removed", names=listed(removed, words)) if removed else "",
        words.phrase("architecture_modules") if "new_module" in facts.marks and not added else "",
    ]
    areas = [area for area in facts.areas if area != "."]
    if len(areas) >= 3:
        parts.append(words.phrase("architecture_wide", areas=listed(areas, words)))
    return words.phrase("sentence_space").join(part for part in parts if part) or _contained(areas, words)


def _contained(areas: list[str], words: Labels) -> str:
    return (
        words.phrase("architecture_local", areas=listed(areas, words)) if areas else words.phrase("architecture_none")
    )


def _performance(facts: Facts, message: Message, words: Labels) -> str:
    said = [*message.title_marks, *message.body_marks]
    for mark in _SPEED_MARKS:
        if mark in said:
            return words.phrase(f"performance_{mark}")
    if FileRole.KERNEL in facts.roles:
        return words.phrase("performance_kernel")
    return words.phrase("performance_concurrency" if "concurrency" in facts.marks else "performance_none")


def _compatibility(facts: Facts, words: Labels) -> str:
    changes = words.phrase("sentence_space").join(changes_told(facts, words, limit=4))
    if breaking_changes(facts) or _platforms(facts) or _dependencies(facts, FileRole.BUILD):
        return changes
    if facts.breaking or "incompatible" in facts.marks:
        return words.phrase("compatibility_said")
    if _dependencies(facts):
        return words.phrase("compatibility_dependency", names=listed(_dependencies(facts), words))
    if not facts.files:
        return words.phrase("compatibility_unknown")
    if breaking_changes(facts, inner=True):
        return words.phrase("compatibility_inner", changes=changes)
    return words.phrase("compatibility_none")


def risks(facts: Facts, triage: Triage, message: Message, words: Labels) -> tuple[str, ...]:
    """What may go wrong, by mark and by what the diff lacks; never empty."""
    found = dict.fromkeys(spaced(risk) for risk in _risks(facts, triage, message, words))
    return tuple(found)[:_RISKS_LIMIT] or (words.phrase("risk_none"),)


def _marks(facts: Facts, triage: Triage, message: Message) -> list[str]:
    """The marks worth speaking of; a feature's body tells of faults that were met on the way, not of the result."""
    said = {*message.title_marks} | (set() if triage.type is ChangeType.FEATURE else {*message.body_marks})
    return [mark for mark in _RISK_MARKS if mark in said or (mark == "security" and mark in facts.marks)]


def _risks(facts: Facts, triage: Triage, message: Message, words: Labels) -> Iterator[str]:
    changes = breaking_changes(facts)
    if broken := [_old_name(change) for change in changes if change.action != "default_changed"]:
        yield words.phrase("risk_broken", names=listed(broken, words))
    if defaults := [change.name for change in changes if change.action == "default_changed"]:
        yield words.phrase("risk_default", names=listed(defaults, words))
    if names := _platforms(facts):
        yield words.phrase("risk_platform", names=listed(names, words))
    if names := _dependencies(facts):
        yield words.phrase("risk_dependency", names=listed(names, words))
    if names := _dependencies(facts, FileRole.BUILD):
        yield words.phrase("risk_build", names=listed(names, words))
    for mark in _marks(facts, triage, message):
        yield words.phrase(f"risk_{mark}")
    if "status_code" in facts.marks:
        yield words.phrase("risk_status_code")
    if facts.code_lines >= _LARGE:
        yield words.phrase("risk_large", n=facts.code_lines)
    if facts.files and FileRole.TEST not in facts.roles and _has_code(facts):
        yield words.phrase("risk_untested")


def advice(facts: Facts, triage: Triage, message: Message, words: Labels) -> tuple[str, ...]:
    """What a reader can do, the most pressing first; never empty."""
    found = dict.fromkeys(spaced(item) for item in _advice(facts, triage, message, words))
    return tuple(found)[:_ADVICE_LIMIT] or (words.phrase("advice_none"),)


def _advice(facts: Facts, triage: Triage, message: Message, words: Labels) -> Iterator[str]:
    broken = breaking_changes(facts)
    for action, keys in (
        ("removed", "advice_removed"),
        ("renamed", "advice_renamed"),
        ("default_changed", "advice_default"),
    ):
        if names := [_old_name(change) for change in broken if change.action == action]:
            yield words.phrase(keys, names=listed(names, words))
    if names := _platforms(facts):
        yield words.phrase("advice_platform", names=listed(names, words))
    if names := _dependencies(facts):
        yield words.phrase("advice_dependency", names=listed(names, words))
    for mark in _marks(facts, triage, message)[:1]:
        yield words.phrase(f"advice_{mark}")
    if "removed_release" in facts.marks or "release_pipeline" in facts.marks:
        yield words.phrase("advice_release")
    if facts.reverts:
        yield words.phrase("advice_revert")
    if added := _settings_added(facts):
        yield words.phrase("advice_added", names=listed(added, words))
    yield from _advice_by_type(facts, triage, words)


def _advice_by_type(facts: Facts, triage: Triage, words: Labels) -> Iterator[str]:
    by_type: dict[ChangeType, Callable[[], str]] = {
        ChangeType.PERFORMANCE: lambda: words.phrase("advice_measure"),
        ChangeType.REFACTOR: lambda: words.phrase("advice_rebase"),
        ChangeType.BUGFIX: lambda: words.phrase("advice_bugfix"),
        ChangeType.FEATURE: lambda: words.phrase("advice_feature"),
        ChangeType.BUILD: lambda: words.phrase("advice_build"),
        ChangeType.BREAKING: lambda: words.phrase("advice_breaking"),
    }
    if triage.type in by_type:
        yield by_type[triage.type]()
    if _has_code(facts) and FileRole.TEST not in facts.roles and facts.code_lines > 100:
        yield words.phrase("advice_untested")


def _old_name(change: PublicChange) -> str:
    return change.before if change.action == "renamed" and change.before else change.name


def _dependencies(facts: Facts, role: FileRole = FileRole.MANIFEST) -> list[str]:
    """What users must install, or (`BUILD`) what it is built on."""
    found = [c for c in facts.changes if c.kind == "dependency" and role_of_path(c.path) is role]
    return [change.name for change in found if not is_platform(change)]


def _platforms(facts: Facts) -> list[str]:
    return [change.name for change in facts.changes if is_platform(change) and change.action == "removed"]


def _settings_added(facts: Facts) -> list[str]:
    return [
        change.name
        for change in facts.changes
        if change.action == "added" and change.kind in {"flag", "environment", "route"}
    ]


def _has_code(facts: Facts) -> bool:
    return any(role in facts.roles for role in (FileRole.SOURCE, FileRole.INTERFACE, FileRole.KERNEL))
