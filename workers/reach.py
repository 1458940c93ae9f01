"""How far a change reaches: one platform, one model, one driver, or one condition; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from core.models import Facts, FileRole
from workers.facts import UNCOUNTED_ROLES
from workers.fileroles import role_of_path
from workers.message import Message
from workers.rules import Narrow

# Files that siblings share: a change there reaches them all.
_SHARED_STEMS = frozenset(
    (
        "__init__",
        "base",
        "common",
        "utils",
        "util",
        "registry",
        "factory",
        "interface",
        "abstract",
        "core",
        "module",
        "mod",
        "index",
        "types",
        "model",
    )
)
# Letters, then digits, perhaps with a version's dots: qwen3.5, glm-4.7, sm90, x86.
_VARIANT = re.compile(r"(?<![\w.-])([A-Za-z]{1,20}?)-?(\d{1,3}(?:\.\d{1,3})?)(?:[A-Za-z-][\w.-]{0,20})?(?![\w])")
# `conv2d`, `allgather2d`: a shape, not a variant; `D2H`, `P2P`, `main2main`: from one to the other.
_NO_VARIANT = re.compile(r"\d[dD]$|^[A-Za-z]2[A-Za-z]$|^([A-Za-z]{2,20})2\1$", re.IGNORECASE)
# `src0` is the first of several; a name of code goes on in humps after its digits (`V1NetworkSession`, `L1Cache`);
# `rc1`, `post2` are steps of a version; what is done `qwen2-style` is for another, `bfloat16` is a type.
_NO_NAME = re.compile(
    r"^[A-Za-z]+0$|^(?:post|rc|dev|alpha|beta|stage|tier|level|round|day|week|bfloat|complex|tf)\d"
    r"|^non-|-(?:style|like|based|compatible)$"
    r"|\d[A-Za-z]*[a-z][A-Z]|^(?:[A-Za-z]|[a-z]{2,20})\d{1,2}[A-Z][a-z]{2}"
)
_TOLD_BESIDE = frozenset({FileRole.TEST, FileRole.DOCS, FileRole.CI})
_DELIVERY = frozenset({FileRole.BUILD, FileRole.MANIFEST})
# The system by that name, not windows of time or attention.
_WINDOWS = re.compile(r"\bWindows\b|\b(?:on|for|under|in|to|from|and|or) windows\b|\bwindows (?:build|wheel|install)")
_WORD = re.compile(r"[A-Za-z0-9][\w-]{0,40}")


def only_role(facts: Facts) -> str:
    """The reason's code for a commit of files that never reach a user: which role they all have, if it is one."""
    for role in (FileRole.TEST, FileRole.CI, FileRole.DOCS, FileRole.EXAMPLE, FileRole.VENDORED):
        if all(found in {role, FileRole.DOCS, FileRole.BINARY} for found in facts.roles) and role in facts.roles:
            return f"only_{role.value}" if role is FileRole.DOCS or FileRole.DOCS not in facts.roles else _beside(role)
    return "only_supporting"


def _beside(role: FileRole) -> str:
    """The reason's code for files of this role together with documents."""
    return "only_test_docs" if role is FileRole.TEST else "only_supporting"


def small_build(facts: Facts) -> str:
    """The reason's code for a few lines of a build: by themselves, or beside more of what never reaches a user."""
    if facts.additions + facts.deletions <= 2 * facts.code_lines:
        return "small_build"
    role, _ = max(facts.roles.items(), key=lambda held: (held[0] in UNCOUNTED_ROLES, held[1]))
    return f"mostly_{role.value}" if role in _TOLD_BESIDE else "mostly_supporting"


def is_aside(facts: Facts, message: Message) -> bool:
    """Whether a title is about tests, documents or annotations, and the diff bears it out.

    What has new tests does something new, even where its title speaks of comments.
    """
    if not message.aside or any(change.action != "added" for change in facts.changes):
        return False
    prose = FileRole.DOCS in facts.roles or facts.additions + facts.deletions > 2 * facts.code_lines
    tested = FileRole.TEST in facts.roles
    return {"test": tested or prose, "docs": prose and not tested, "typing": not tested}[message.aside]


def aside_role(facts: Facts, message: Message) -> str:
    """What a title that `is_aside` is about, as the files have it: a title of tests or CI may come without either."""
    if message.aside != "test" or FileRole.TEST in facts.roles:
        return message.aside or ""
    return FileRole.CI.value if FileRole.CI in facts.roles else "supporting"


def narrowing(facts: Facts, message: Message, narrow: Narrow) -> Iterator[tuple[float, str, str]]:
    """(weight, reason code, subject) for each way in which a change concerns few."""
    named = _platform(message, narrow) or _variant(message, narrow)
    if named:
        yield narrow.title, "one_platform", named
    if sibling := _siblings(facts, narrow):
        yield narrow.paths, "one_of_many", sibling
    if condition := next((word for word in narrow.conditions if f" {word} " in f" {message.core.lower()} "), None):
        yield narrow.condition, "conditional", condition


def _platform(message: Message, narrow: Narrow) -> str | None:
    words = {word.lower() for word in _WORD.findall(message.core)} | set(message.prefixes)
    if "windows" not in message.prefixes and not _WINDOWS.search(message.core):
        words.discard("windows")
    return next((name for name in narrow.platforms if name in words), None)


def _variant(message: Message, narrow: Narrow) -> str | None:
    text = " ".join((message.core, *message.prefixes))
    for found in _VARIANT.finditer(text):
        if _NO_VARIANT.search(found.group(0)) or _NO_NAME.search(found.group(0)):
            continue
        if not {found.group(0).lower(), found.group(1).lower()} & {*narrow.general}:
            return found.group(0)
    return None


def _siblings(facts: Facts, narrow: Narrow) -> str | None:
    """The one file or folder among its kind that all product files belong to, or None."""
    product = [path for path in facts.paths if role_of_path(path) not in UNCOUNTED_ROLES]
    if not product or len(facts.paths) < min(facts.files, 20):
        return None
    found = {_sibling(path, narrow) for path in product}
    if None in found or len(found) > 3:
        return None
    return min(name for name in found if name)


def _sibling(path: str, narrow: Narrow) -> str | None:
    pure = PurePosixPath(path.lower())
    if pure.stem in _SHARED_STEMS:
        return None
    if role_of_path(path) in _DELIVERY:  # requirements/runtime_ascend.txt, Dockerfile.rocm
        return next((word for word in re.split(r"[^a-z0-9]+", pure.name) if word in narrow.platforms), None)
    for folder in narrow.folders:
        marker = f"/{folder}/"
        _, hit, after = f"/{pure}".partition(marker)
        if hit:
            return PurePosixPath(after).parts[0]
    return None
