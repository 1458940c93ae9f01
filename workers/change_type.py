"""Facts + message + tier → what kind of change it is; pure. The diff is asked first, the prefix last."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from core.models import ChangeType, Facts, FileRole, Tier
from core.places import is_interface
from workers.message import Message
from workers.reach import aside_role, is_aside
from workers.vocabulary import FAULTS

_SUPPORTING = (
    (FileRole.TEST, ChangeType.TEST),
    (FileRole.CI, ChangeType.CI),
    (FileRole.DOCS, ChangeType.DOCS),
    (FileRole.BUILD, ChangeType.BUILD),
    (FileRole.MANIFEST, ChangeType.BUILD),
)
# Examples and benchmarks that are programs are judged by what was done to them.
_PROGRAMS = (".py", ".sh", ".js", ".ts", ".go", ".rs", ".c", ".cc", ".cpp", ".java")
_CODE = frozenset({FileRole.SOURCE, FileRole.INTERFACE, FileRole.KERNEL, FileRole.CONFIG})
_BROKEN = frozenset({"flag", "environment", "config", "route"})
_TYPO = re.compile(r"\b(?:typos?|spelling)\b", re.IGNORECASE)
_DOCSTRING = re.compile(r"\bdocstrings?\b", re.IGNORECASE)
# What a title's first word says against its prefix, `feat: fix …`: a mend (group 1), or the same by another way.
_NO_FEATURE = re.compile(
    r"(?:(fix(?:e[sd])?\b|修复|修正)|(?:remove|delete|rename|move)[sd]?\b|refactor|移除|删除|重构)", re.IGNORECASE
)
# With so many lines of a feature, an unsafe call that is gone may have gone with what it replaces.
_REWRITTEN = 200
_ASIDE = {"test": ChangeType.TEST, "docs": ChangeType.DOCS, "ci": ChangeType.CI}
_BEYOND = re.compile(r"\b(?:buffer over(?:flow|read)|use.after.free)", re.IGNORECASE)
_HOLE = re.compile(r"\b(?:security|vulnerab|exploit|untrusted|cve-|ghsa-)", re.IGNORECASE)
_BY_MEANING = {
    "fix": ChangeType.BUGFIX,
    "feature": ChangeType.FEATURE,
    "perf": ChangeType.PERFORMANCE,
    "refactor": ChangeType.REFACTOR,
    "remove": ChangeType.REFACTOR,
    "log": ChangeType.CHORE,
    "update": ChangeType.CHORE,
    "bump": ChangeType.CHORE,
    "chore": ChangeType.CHORE,
    "security": ChangeType.SECURITY,
}


def change_type(facts: Facts, message: Message, tier: Tier) -> ChangeType:
    """The one type a commit is filed under."""
    if facts.merge:
        return ChangeType.MERGE
    if facts.reverts:
        return ChangeType.REVERT
    if tier is Tier.HIGH and "incompatible" in message.title_marks:
        return ChangeType.BREAKING
    return (
        _by_files(facts)
        or _aside(facts, message, tier)
        or _by_effect(facts, message, tier)
        or _by_words(facts, message)
    )


def _by_files(facts: Facts) -> ChangeType | None:
    if "removed_release" in facts.marks and facts.code_lines < 20:
        return ChangeType.BUILD
    if "cosmetic" in facts.marks and FileRole.DOCS in facts.roles:
        return ChangeType.DOCS
    if {"version_bump", "cosmetic", "logging"} & set(facts.marks) and any(role in _CODE for role in facts.roles):
        return ChangeType.REFACTOR if facts.files >= 60 else ChangeType.CHORE
    if facts.paths and all(PurePosixPath(path).name == "CODEOWNERS" for path in facts.paths):
        return ChangeType.CHORE
    if not facts.roles or any(role in _CODE for role in facts.roles):
        return None
    if "version_bump" in facts.marks and FileRole.MANIFEST in facts.roles and not _dependencies(facts):
        return ChangeType.CHORE  # the project's own version, which its lock file has too
    if FileRole.LOCK in facts.roles or (FileRole.MANIFEST in facts.roles and _dependencies(facts)):
        return ChangeType.DEPENDENCY
    built = _count(facts, FileRole.BUILD) + _count(facts, FileRole.MANIFEST)
    if built and built >= _count(facts, FileRole.TEST):
        return ChangeType.BUILD
    role, kind = max(_SUPPORTING, key=lambda supporting: _count(facts, supporting[0]))
    examples = _count(facts, FileRole.EXAMPLE)
    if not examples or _count(facts, role) > examples:
        return kind if role in facts.roles else ChangeType.CHORE
    return None if any(path.endswith(_PROGRAMS) for path in facts.paths) else ChangeType.DOCS


def _count(facts: Facts, role: FileRole) -> int:
    return facts.roles.get(role, 0)


def _aside(facts: Facts, message: Message, tier: Tier) -> ChangeType | None:
    if tier is not Tier.LOW or not is_aside(facts, message):
        return None
    return _ASIDE.get(aside_role(facts, message))


def _by_effect(facts: Facts, message: Message, tier: Tier) -> ChangeType | None:
    kernels = _within_kernels(facts, message)
    told = "security" in message.title_marks and not kernels
    if told or "security" in message.prefixes or message.danger:
        return ChangeType.SECURITY
    rewritten = message.meaning == "feature" and facts.code_lines >= _REWRITTEN
    if "advisory" in facts.marks or ("unsafe_removed" in facts.marks and not rewritten):
        return ChangeType.SECURITY
    if facts.breaking or (tier is Tier.HIGH and _breaks_callers(facts, message)):
        return ChangeType.BREAKING
    if (
        FileRole.MANIFEST in facts.roles
        and _dependencies(facts)
        and (facts.code_lines < 200 or message.meaning in {"update", "bump"})
        and not _needs_them(facts, message)
    ):
        return ChangeType.DEPENDENCY
    # What is new guards itself too; a guard where there was none before is what security is about.
    new = message.meaning == "feature" or "new_module" in facts.marks
    if (
        tier is Tier.HIGH
        and "security" in facts.marks
        and "security" not in message.body_marks
        and not (new or kernels)
    ):
        return ChangeType.SECURITY
    return None


def _within_kernels(facts: Facts, message: Message) -> bool:
    """Whether a kernel reads or writes beyond its data: wrong results or a crash, nobody's way in."""
    kernels = {role for role in facts.roles if role in _CODE} == {FileRole.KERNEL}
    return kernels and bool(_BEYOND.search(message.core)) and not _HOLE.search(message.core)


def _needs_them(facts: Facts, message: Message) -> bool:
    """Whether dependencies come along with a mend or a feature that is in the code."""
    code = sum(count for role, count in facts.roles.items() if role in _CODE)
    return message.meaning in {"fix", "feature"} and code > facts.roles.get(FileRole.MANIFEST, 0)


def _dependencies(facts: Facts) -> bool:
    return any(change.kind == "dependency" for change in facts.changes)


def _breaks_callers(facts: Facts, message: Message) -> bool:
    gone = [change for change in facts.changes if change.action in {"removed", "renamed"}]
    named = any(change.kind in _BROKEN for change in gone)
    defaults = [change for change in facts.changes if change.action == "default_changed"]
    changed_default = any(c.kind == "flag" or (c.kind == "config" and is_interface(c.path)) for c in defaults)
    many = len({change.name for change in gone if change.kind in {"class", "function", "parameter"}}) >= 8
    fresh = message.meaning == "feature" and "new_module" in facts.marks
    return "incompatible" in message.title_marks or ((named or changed_default or many) and not fresh)


def _by_words(facts: Facts, message: Message) -> ChangeType:
    # A misspelt name or message is mended in code.
    misspelt = _TYPO.search(message.opening) and (not facts.code_lines or _mostly_documents(facts))
    if misspelt or _DOCSTRING.search(message.opening):
        return ChangeType.DOCS
    prefix = message.prefix_meaning
    if prefix == "feature" and (plain := _NO_FEATURE.match(message.core)):
        return ChangeType.BUGFIX if plain[1] else ChangeType.REFACTOR
    for said in (message.meaning, prefix) if prefix == "chore" else (prefix, message.meaning):
        if said in _BY_MEANING:
            return _BY_MEANING[said]
    if "new_module" in facts.marks and _grows(facts):
        return ChangeType.FEATURE
    if FAULTS & set(facts.marks):
        return ChangeType.BUGFIX
    if FileRole.TEST in facts.roles and 0 < facts.code_lines < 100:
        return ChangeType.BUGFIX
    return ChangeType.FEATURE if _grows(facts) else ChangeType.REFACTOR


def _mostly_documents(facts: Facts) -> bool:
    code = sum(count for role, count in facts.roles.items() if role in _CODE)
    return facts.roles.get(FileRole.DOCS, 0) >= max(code, 1)


def _grows(facts: Facts) -> bool:
    """Whether a change mostly adds; less of that is enough where users can set something new and nothing is gone."""
    gone = any(change.action in {"removed", "renamed"} for change in facts.changes)
    new = any(change.action == "added" and change.kind in _BROKEN for change in facts.changes) and not gone
    return facts.additions > (2 if new else 3) * facts.deletions + 40
