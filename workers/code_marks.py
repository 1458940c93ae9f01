"""A diff's changed lines → risk marks and the nature of the change (cosmetic, logging, version bump …); pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from core.models import FileChange, FileRole
from workers.hunks import Hunk

# Lines of product code that a new or removed file needs before it counts as a module of its own.
_MODULE_LINES = 40
PRODUCT_ROLES = frozenset(
    {FileRole.SOURCE, FileRole.INTERFACE, FileRole.KERNEL, FileRole.CONFIG, FileRole.BUILD, FileRole.MANIFEST}
)
CODE_ROLES = frozenset({FileRole.SOURCE, FileRole.INTERFACE, FileRole.KERNEL})

_UNSAFE = re.compile(
    r"(?<![\w.])(?:eval|exec)\(|\bpickle\.loads?\("
    r"|\byaml\.load\((?!.{0,80}SafeLoader)"
    r"|\b(?:strcpy|sprintf|gets)\(|\b(?:shell|trust_remote_code)\s?=\s?True|\b(?:verify|weights_only)\s?=\s?False|\bos\.system\("
)
# A pattern is tried only on lines that hold one of its plain words: many times faster.
_UNSAFE_HINTS = (
    "eval(", "exec(", "pickle.load", "yaml.load", "strcpy(", "sprintf(", "gets(", "shell", "trust_remote_code",
    "verify", "weights_only", "system(",
)  # fmt: skip
_GUARDS = (
    "compare_digest", "safe_load", "literal_eval", "is_global", "is_private", "realpath", "is_relative_to", "escape(",
    "sanitize", "weights_only=True", "allowlist", "allow_list", "allowed_hosts", "allowed_origins", "allowed_paths",
    "_domains", "csrf", "nosniff", "constant_time",
)  # fmt: skip
_REJECTIONS = (
    "raise ValueError", "raise TypeError", "raise HTTPException", "raise PermissionError", "BAD_REQUEST", "HTTPStatus.",
    "abort(4",
)  # fmt: skip
_STATUS = re.compile(r"\b(?:status(?:_code)?\s?[=,:]\s?|HTTPStatus\.|abort\(|HTTP_)([1-5]\d\d|[A-Z_]{4,30})\b")
_STATUS_HINTS = ("status", "HTTPStatus", "abort(", "HTTP_")
_CONCURRENCY = (
    "Lock(", "lock(", "mutex", "atomic", "await ", "async with", "acquire(", ".release(", "notify_one", "notify_all",
    "condition", "synchronize(", "cancel()", "Event()", "threading.", "memory_order",
)  # fmt: skip
_LOG = re.compile(r"^\s*(?:(?:self\.)?_?log(?:ger|ging)?\.\w{1,12}\(|print\(|warnings?\.warn\(|console\.\w{1,6}\("
                  r"|TM_LOG_\w{1,8}\(|LOG\(|VLOG\(|spdlog::|fprintf\(stderr|slog\.)", re.IGNORECASE)  # fmt: skip
_TEXT = re.compile(r"^\s*(?:[rfbu]{0,2}[\"'].*[\"'][,)]{0,3}|[)\]}]{1,4},?)\s*$")
_COMMENT = re.compile(
    r"^\s*(?:#(?!\s{0,8}(?:include|define|if|el|endif|undef|pragma|\[))|//|/\*|\*(?:\s|/|$)|--\s|;;|\"\"\"|''')"
)
# Words alone, no code punctuation: a line of a docstring whose quotes are out of view.
_SENTENCE = re.compile(
    r"^\s{4,40}(?!(?:return|import|from|raise|assert|del|global|yield|await|not|pass|if|else|and|or|in|is|lambda)\b)"
    r"[\w'`,.-]{1,40}(?: [\w'`,.;:-]{1,40}){3,40}$"
)
_VERSION = re.compile(r"^\s*[\"']?(?:__version__|version|VERSION|project_version|\w{1,20}_VERSION(?:_\w{1,12})?|#\s?define \w{1,40}VERSION\w{0,12})[\"']?\s?[=:( ].{0,60}\d")  # fmt: skip # noqa: E501
_NOISE = str.maketrans("", "", " \t\r'\",;(){}\\")
_RELEASE = re.compile(r"(?:release|publish|pypi|wheel|whl|deploy|package|docker)", re.IGNORECASE)
_ACTION_PIN = re.compile(r"^\s*(?:- )?(?:uses|- name|name|runs-on|#)\b|^\s*$")


@dataclass
class _Tally:
    """What the changed lines of the product add up to."""

    files: int = 0
    lines: int = 0
    removed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    cosmetic: bool = True
    version_only: bool = True


def code_marks(files: Iterable[tuple[FileChange, FileRole, list[Hunk]]]) -> tuple[str, ...]:
    """The marks of a diff, in a fixed order."""
    tally, marks = _Tally(), set[str]()
    for change, role, parts in files:
        marks |= _marks_of_file(change, role, parts)
        if role in PRODUCT_ROLES:
            _add(tally, change, role, parts)
    marks |= _marks_of_lines(tally)
    return tuple(mark for mark in _ORDER if mark in marks)


_ORDER = (
    "security", "rejects", "status_code", "concurrency", "new_module", "removed_module", "release_pipeline",
    "removed_release", "cosmetic", "logging", "version_bump",
)  # fmt: skip


def _marks_of_file(change: FileChange, role: FileRole, parts: list[Hunk]) -> set[str]:
    marks = set[str]()
    if role in CODE_ROLES and change.additions >= _MODULE_LINES and change.status == "added":
        marks.add("new_module")
    if role in CODE_ROLES and change.deletions >= _MODULE_LINES and change.status == "removed":
        marks.add("removed_module")
    if role is FileRole.CI and "workflows" in change.path and _RELEASE.search(PurePosixPath(change.path).name):
        changed = [line for part in parts for line in (*part.removed, *part.added)]
        if change.status == "removed":
            marks.add("removed_release")
        elif any(not _ACTION_PIN.match(line) for line in changed):
            marks.add("release_pipeline")
    return marks


def _add(tally: _Tally, change: FileChange, role: FileRole, parts: list[Hunk]) -> None:
    removed, added = list[str](), list[str]()
    python = change.path.endswith((".py", ".pyi"))
    for part in parts:
        removed += _code_lines(part.removed, part.before, python=python)
        added += _code_lines(part.added, part.after, python=python)
    tally.files += 1
    tally.lines += len(removed) + len(added)
    # What goes with a whole deleted file is not a call made safe or a status changed.
    if role in CODE_ROLES and change.status != "removed":
        tally.removed += removed
        tally.added += added
    tally.version_only = tally.version_only and all(_VERSION.match(line) for line in (*removed, *added))
    unseen = change.patch is None and (change.additions + change.deletions > 0 or change.status in {"added", "removed"})
    renamed = change.status == "renamed"
    tally.cosmetic &= not (unseen or renamed) and _joined(removed) == _joined(added)


def _code_lines(changed: tuple[str, ...], side: tuple[str, ...], *, python: bool) -> list[str]:
    """The changed lines of one side that a machine reads: no blank lines, comments or docstrings."""
    kept = [line for line in changed if line.strip() and not _COMMENT.match(line)]
    if not python or not kept:
        return kept
    docstrings = _docstring_lines(side)
    return [line for line in kept if line not in docstrings and not _SENTENCE.match(line)]


def _docstring_lines(side: tuple[str, ...]) -> set[str]:
    """Lines between triple quotes; a hunk whose first triple quote stands alone began inside a docstring."""
    if not any('"""' in line or "'''" in line for line in side):
        return set()
    first = next((line.strip() for line in side if '"""' in line or "'''" in line), "")
    inside, found = first in {'"""', "'''"}, set[str]()
    for line in side:
        quotes = line.count('"""') + line.count("'''")
        if inside or quotes:
            found.add(line)
        inside ^= quotes % 2 == 1
    return {line for line in found if "=" not in line.partition('"""')[0].partition("'''")[0] or line.count("=") == 0}


def _joined(lines: list[str]) -> str:
    return "".join(lines).translate(_NOISE)


def _marks_of_lines(tally: _Tally) -> set[str]:
    if tally.cosmetic:
        return {"cosmetic"} if tally.files else set()
    if tally.lines and tally.version_only:
        return {"version_bump"}
    marks = _nature(tally)
    removed, added = "\n".join(tally.removed), "\n".join(tally.added)
    unsafe = any(hint in removed for hint in _UNSAFE_HINTS) and _unsafe(tally.removed) > _unsafe(tally.added)
    if unsafe or _count(_GUARDS, added) > _count(_GUARDS, removed):
        marks.add("security")
    if _count(_REJECTIONS, added) > _count(_REJECTIONS, removed):
        marks.add("rejects")
    if any(hint in removed for hint in _STATUS_HINTS) and _statuses(tally.removed) - _statuses(tally.added):
        marks.add("status_code")
    if any(hint in removed or hint in added for hint in _CONCURRENCY):
        marks.add("concurrency")
    return marks


def _nature(tally: _Tally) -> set[str]:
    changed = [*tally.removed, *tally.added]
    only_logs = len(changed) == tally.lines and all(_LOG.match(line) or _TEXT.match(line) for line in changed)
    return {"logging"} if only_logs and any(_LOG.match(line) for line in changed) else set()


def _unsafe(lines: list[str]) -> int:
    return sum(bool(_UNSAFE.search(line)) for line in lines if any(hint in line for hint in _UNSAFE_HINTS))


def _statuses(lines: list[str]) -> set[str]:
    likely = [line for line in lines if any(hint in line for hint in _STATUS_HINTS)]
    return {found for line in likely for found in _STATUS.findall(line)}


def _count(words: tuple[str, ...], text: str) -> int:
    return sum(text.count(word) for word in words)
