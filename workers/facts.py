"""Diff → Facts: areas, symbols, flags, dependencies, reverts, risk marks; pure.

Every extractor reads at most a bounded part of a line and of a patch, so a hostile diff costs what its size costs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase

from core.models import Commit, Diff, Facts, FileChange, FileRole
from core.robots import is_upkeep_robot
from workers.code_marks import code_marks
from workers.fileroles import area_of, role_of
from workers.hunks import Hunk, hunks
from workers.lifecycle import deprecations, migrations
from workers.message import Message, read_message
from workers.public_changes import public_changes
from workers.symbols import touched

PATHS_LIMIT = 20
AREAS_LIMIT = 8
SYMBOLS_LIMIT = 30
# Characters of patches that are read of one commit; files beyond are counted only.
READ_LIMIT = 6_000_000

# Roles whose lines are the product itself or how it is built and delivered.
UNCOUNTED_ROLES = frozenset(
    {FileRole.TEST, FileRole.DOCS, FileRole.EXAMPLE, FileRole.CI, FileRole.GENERATED, FileRole.VENDORED, FileRole.LOCK}
)
# Rust keeps the tests of a file at its end; git's header of a hunk there names their module.
_TESTS_WITHIN = re.compile(r"^(?:pub )?mod (?:\w{1,40}_)?tests?\b")
_Parts = list[tuple[FileChange, FileRole, list[Hunk]]]


def facts_from(
    commit: Commit, diff: Diff | None, ignore_paths: tuple[str, ...] = (), watch_paths: tuple[str, ...] = ()
) -> Facts:
    """What a commit's diff and message show, without any judgement.

    With `diff` None the message alone speaks and the facts are marked incomplete. Files whose path matches one of
    `ignore_paths` (shell patterns) are counted but not read; those that match one of `watch_paths` are named first,
    so that none is missed among many. Never raises on any content.
    """
    message = read_message(commit.message)
    if diff is None:
        return _facts(commit, message, Diff(sha=commit.sha, parents=(), files=(), additions=0, deletions=0), [], ())
    parts = _read([change for change in diff.files if not matches(change.path, ignore_paths)])
    return _facts(commit, message, diff, parts, watch_paths)


def _read(changes: list[FileChange]) -> _Parts:
    """Each file with its role and, where that says something of the product, its hunks."""
    parts: _Parts = []
    budget = READ_LIMIT
    for change in changes:
        role = role_of(change)
        read = change.patch if change.patch and (role not in UNCOUNTED_ROLES or role is FileRole.CI) else ""
        found = list(hunks(read[:budget])) if read and budget > 0 else []
        if change.path.endswith(".rs") and found:
            product = [hunk for hunk in found if not _TESTS_WITHIN.match(hunk.context)]
            role, found = role if product else FileRole.TEST, product
        parts.append((change, role, found))
        budget -= len(read)
    return parts


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a path matches one of the patterns; a folder's name stands for all below it."""
    return any(fnmatchcase(path, pattern) or fnmatchcase(path, pattern.rstrip("/") + "/*") for pattern in patterns)


def _facts(commit: Commit, message: Message, diff: Diff, parts: _Parts, watch_paths: tuple[str, ...]) -> Facts:
    unread = not diff.parents and not diff.files
    (in_code, lines), said = code_marks(parts), ("advisory",) if message.advisory else ()
    return Facts(
        files=len(diff.files),
        additions=diff.additions,
        deletions=diff.deletions,
        code_lines=lines,
        roles=dict(Counter(role for _, role, _ in parts)),
        areas=_areas(parts, documents="cosmetic" in in_code),
        paths=_paths(parts, watch_paths),
        symbols=_first(_symbols(parts), SYMBOLS_LIMIT),
        changes=public_changes(parts),
        marks=tuple(dict.fromkeys((*message.title_marks, *said, *in_code, *message.body_marks))),
        prefixes=message.prefixes,
        pull_request=message.pull_request,
        issues=message.issues,
        reverts=message.reverts,
        series=message.series,
        breaking=message.breaking,
        bot=is_upkeep_robot(commit.login, commit.author),
        merge=len(diff.parents) > 1 or (unread and message.merge),
        parents=diff.parents,
        benchmarks=message.benchmarks,
        deprecations=deprecations(parts),
        migrations=migrations(parts),
        coauthors=message.coauthors,
        incomplete=diff.truncated or unread or any(change.missing == "too_large" for change in diff.files),
    )


def _size(change: FileChange) -> int:
    return change.additions + change.deletions


def _areas(parts: _Parts, *, documents: bool) -> tuple[str, ...]:
    """Areas of the product first; a commit of tests and documents has theirs.

    With `documents`, the product changed in looks alone: where there are documents too, they are what it is about.
    """
    about = [part for part in parts if part[1] is FileRole.DOCS] if documents else []
    product = [part for part in parts if part[1] not in UNCOUNTED_ROLES]
    return tuple(dict.fromkeys((*_by_weight(about), *_by_weight(product or parts))))[:AREAS_LIMIT]


def _by_weight(parts: _Parts) -> list[str]:
    weights = Counter[str]()
    for change, _, _ in parts:
        weights[area_of(change.path)] += _size(change) + 1
    return sorted(weights, key=lambda area: (-weights[area], area))


def _paths(parts: _Parts, watch_paths: tuple[str, ...]) -> tuple[str, ...]:
    """What is watched comes first, also by the name it had; what is not the product comes last.

    A large test would hide the file it tests otherwise.
    """
    aside = UNCOUNTED_ROLES | {FileRole.BINARY}
    ordered = sorted(parts, key=lambda part: (part[1] in aside, -_size(part[0]), part[0].path))
    named = (name for change, _, _ in parts for name in (change.path, change.previous_path) if name)
    watched = [name for name in named if matches(name, watch_paths)]
    return tuple(dict.fromkeys((*watched, *(change.path for change, _, _ in ordered))))[:PATHS_LIMIT]


def _first(names: Iterator[str], limit: int) -> tuple[str, ...]:
    """The first `limit` different names; the rest is not even looked for."""
    found: dict[str, None] = {}
    for name in names:
        if not name.startswith("__"):
            found[name] = None
        if len(found) == limit:
            break
    return tuple(found)


def _symbols(parts: _Parts) -> Iterator[str]:
    for change, role, found in parts:
        if role not in UNCOUNTED_ROLES:
            yield from touched(change.path, found)
