"""A diff's changed lines → risk marks and the nature of the change (cosmetic, logging, version bump …); pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

from core.models import FileChange, FileRole
from workers.advisories import names_advisories
from workers.dependencies import LEAST_OF, OWN_PART
from workers.hunks import Hunk, comment_lines, docstring_lines, has_docstrings
from workers.looks import (
    has_old_types,
    only_imports,
    only_indented,
    same_order,
    same_tree,
    same_words,
    with_plain_types,
)

# Lines of product code that a new or removed file needs before it counts as a module of its own.
_MODULE_LINES = 40
PRODUCT_ROLES = frozenset(
    {FileRole.SOURCE, FileRole.INTERFACE, FileRole.KERNEL, FileRole.CONFIG, FileRole.BUILD, FileRole.MANIFEST}
)
CODE_ROLES = frozenset({FileRole.SOURCE, FileRole.INTERFACE, FileRole.KERNEL})

_UNSAFE = re.compile(
    r"(?<![\w.])(?:eval|exec)\(|\b(?:c?[pP]ickle|dill|cloudpickle|marshal|jsonpickle)\.loads?\(|\.recv_pyobj\("
    r"|\byaml\.load\((?!.{0,80}SafeLoader)"
    r"|\b(?:strcpy|sprintf|gets)\(|\b(?:shell|trust_remote_code)\s?=\s?True|\b(?:verify|weights_only)\s?=\s?False"
    r"|\bos\.system\("
)
# A pattern is tried only on lines that hold one of its plain words: many times faster.
_UNSAFE_HINTS = (
    "eval(", "exec(", "ickle.load", "dill.load", "marshal.load", "recv_pyobj(", "yaml.load", "strcpy(", "sprintf(",
    "gets(", "shell", "trust_remote_code", "verify", "weights_only", "system(",
)  # fmt: skip
# Calls and settings that serve security and little else.
_GUARDS = (
    "compare_digest(", "safe_load(", "literal_eval(", ".is_global", ".is_loopback", ".is_link_local",
    ".is_relative_to(", "html.escape(", "markupsafe", "weights_only=True", "csrf_token", "csrf_protect", "nosniff",
    "ConstantTimeCompare(",
)  # fmt: skip
_ALLOWED = re.compile(r"allowed?[_-](?:\w{1,20}[_-])?(?:hosts|origins|domains|paths|urls|ips)\b", re.IGNORECASE)
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
# How threads and device streams wait for each other, and how long what they share lives: faults here are rare and
# costly, however short the change.
_SYNCHRONISATION = (
    "Lock(", "lock_guard", "unique_lock", "mutex", "memory_order", ".synchronize(", "Synchronize(", "wait_event(",
    "wait_stream(", "record_stream(", "record_event(", "EventRecord(", "StreamWaitEvent(", "cuda.Event(", "weakref.",
    "Barrier(", "__syncthreads(", "Semaphore(",
)  # fmt: skip
# What a change has to do with, where a mistake is costly; they weigh nothing by themselves, the model is told of them.
_SUBJECTS = {
    "auth": ("authenticat", "authoriz", "Authorization", "Bearer ", "api_key", "password", "login_required", "oauth"),
    "deserialisation": (
        "pickle.load", "yaml.load", "yaml.safe_load", "torch.load(", "marshal.load", "recv_pyobj", "msgpack.unpack",
        "ParseFromString(", "ObjectInputStream", "deserializ",
    ),
    "subprocess": (
        "subprocess.", "os.system(", "Popen(", "popen(", "exec.Command(", "child_process", "Command::new(",
        "ProcessBuilder",
    ),
    "network": (
        "socket.", "requests.get(", "requests.post(", "httpx.", "aiohttp.", "urllib.", "urlopen(", "http.Get(",
        "http.Client", "zmq.", "grpc.", "net.Dial", "reqwest::", "axios", "fetch(\"http", "WebSocket(",
    ),
}  # fmt: skip
_OPENINGS = {
    "branch": ("if ", "if(", "elif ", "else if ", "} else if ", "if constexpr"),
    "handler": ("except ", "except:", "catch ", "catch(", "} catch", "rescue "),
}
_TRAILING_COMMENT = re.compile(r"\s{2}(?:#|//)\s.{0,400}$")
_LOG = re.compile(r"^\s*(?:(?:self\.)?_?log(?:ger|ging)?\.\w{1,12}\(|print\(|warnings?\.warn\(|console\.\w{1,6}\("
                  r"|TM_LOG_\w{1,8}\(|LOG\(|VLOG\(|spdlog::|fprintf\(stderr|slog\.)", re.IGNORECASE)  # fmt: skip
_TEXT = re.compile(r"^\s*(?:[rfbu]{0,2}[\"'].*[\"'][,)]{0,3}|[)\]}]{1,4},?)\s*$")
_COMMENT = re.compile(
    r"^\s*(?:#(?!\s{0,8}(?:include|define|if|el|endif|undef|pragma|\[))|//|/\*|\*(?:\s|/|$)|--\s|;;|\"\"\"|''')"
)
_COMMENT_STARTS = ("#", "//", "/*", "*", "--", ";;", '"""', "'''")  # the pattern is tried only after one of these
# Words alone, no code punctuation: a line of a docstring whose quotes are out of view.
_SENTENCE = re.compile(
    r"^\s{4,40}(?!(?:return|import|from|raise|assert|del|global|yield|await|not|pass|if|else|and|or|in|is|lambda)\b)"
    r"[\w'`,.-]{1,40}(?: [\w'`,.;:-]{1,40}){3,40}$"
)
_SPAN = re.compile(r"`[^`\n]{0,80}`")
_VERSION = re.compile(r"^\s*[\"']?(?:__version__|version|VERSION|project_version|\w{1,20}_VERSION(?:_\w{1,12})?|#\s?define \w{1,40}VERSION\w{0,12})[\"']?\s?[=:( ].{0,60}\d")  # fmt: skip # noqa: E501
# What a file called VERSION holds: its project's version, and nothing else.
_VERSION_FILES = frozenset({"version", "version.txt"})
_BARE_VERSION = re.compile(r"^\s{0,4}v?\d{1,6}(?:\.\d{1,6}){1,4}[\w.+-]{0,30}\s{0,4}$")
_RELEASE = re.compile(r"(?:release|publish|pypi|wheel|whl|deploy|package|docker)", re.IGNORECASE)
# Fewer lines adjust a step of how it is released, unless they say for what it is.
_PIPELINE_LINES = 20
_PLATFORM = re.compile(
    r"(?:cuda|rocm|py(?:thon|ver)?|torch|manylinux|glibc|arch|platforms?)[\w-]{0,20}\s?[:=].{0,80}\d", re.IGNORECASE
)
_ACTION_PIN = re.compile(r"^\s*(?:- )?(?:uses|- name|name|runs-on)\b|^\s*(?:#|$)")


@dataclass
class _Tally:
    """What the changed lines of the product add up to."""

    files: int = 0
    lines: int = 0
    beyond_looks: int = 0
    removed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    cosmetic: bool = True
    version_only: bool = True


class CodeMarks(NamedTuple):
    """What a diff's lines show: marks in a fixed order, and how many lines of the product's code changed."""

    marks: tuple[str, ...]
    lines: int


class _Reading(NamedTuple):
    """How a hunk's lines are read: as Python's, perhaps with docstrings or type hints of old; else with `/* */`.

    Type hints are of interest only while the whole commit may be a matter of looks.
    """

    python: bool
    quotes: bool
    types: bool
    blocks: bool


def code_marks(files: Iterable[tuple[FileChange, FileRole, list[Hunk]]]) -> CodeMarks:
    """The marks of a diff, and its lines of code without comments, docstrings and what changed in looks alone."""
    tally, marks, mends = _Tally(), set[str](), False
    for change, role, parts in files:
        marks |= _marks_of_file(change, role, parts)
        mends = mends or names_advisories(change, role)
        if role in PRODUCT_ROLES:
            _add(tally, change, role, parts)
    marks |= _marks_of_lines(tally)
    if mends and (tally.removed or tally.added) and not marks & {"cosmetic", "version_bump"}:
        marks.add("advisory")
    return CodeMarks(tuple(mark for mark in _ORDER if mark in marks), tally.beyond_looks)


_ORDER = (
    "advisory", "security", "unsafe_removed", "rejects", "status_code", "concurrency", "synchronisation",
    "auth", "deserialisation", "subprocess", "network", "branch", "handler",
    "new_module", "removed_module", "release_pipeline", "release_step",
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
            whole = len(changed) >= _PIPELINE_LINES or any(map(_PLATFORM.search, changed))
            marks.add("release_pipeline" if whole else "release_step")
    return marks


def _add(tally: _Tally, change: FileChange, role: FileRole, parts: list[Hunk]) -> None:
    removed, added = list[str](), list[str]()
    python = change.path.endswith((".py", ".pyi"))
    quotes = python and has_docstrings(change.patch or "")
    blocks = not python and "*/" in (change.patch or "")
    for part in parts:
        reading = _Reading(python, quotes, python and tally.cosmetic and has_old_types(part.removed), blocks)
        went = _code_lines(part.removed, part.before, reading)
        came = _code_lines(part.added, part.after, reading)
        looks = _only_looks(part, went, came, reading, parse=tally.cosmetic)
        tally.cosmetic &= looks
        tally.beyond_looks += 0 if looks else len(went) + len(came)
        removed += went
        added += came
    tally.files += 1
    tally.lines += len(removed) + len(added)
    # What goes with a whole deleted file is not a call made safe or a status changed.
    if role in CODE_ROLES and change.status != "removed":
        tally.removed += removed
        tally.added += added
    tally.version_only = tally.version_only and all(_is_version(line, change.path, role) for line in (*removed, *added))
    unseen = change.patch is None and (change.additions + change.deletions > 0 or change.status in {"added", "removed"})
    tally.beyond_looks += 0 if parts else change.additions + change.deletions
    renamed = change.status == "renamed"
    tally.cosmetic &= not (unseen or renamed)


def _is_version(line: str, path: str, role: FileRole) -> bool:
    """Whether a line says of which version the project itself is, or a part of its own workspace."""
    if PurePosixPath(path).name.lower() in _VERSION_FILES:
        return bool(_BARE_VERSION.match(line))
    if role is FileRole.MANIFEST and (OWN_PART.match(line) or LEAST_OF.match(line)):
        return bool(OWN_PART.match(line))
    return bool(_VERSION.match(line))


def _only_looks(part: Hunk, went: list[str], came: list[str], reading: _Reading, *, parse: bool) -> bool:
    """Of one hunk: what moved to another one may do something else there. `parse`: the verdict is worth a parser."""
    if not same_words(went, came):
        return False
    if only_imports((*went, *came)):
        return True
    if reading.python and only_indented(went, came):
        return False
    before = _code_lines(part.before, part.before, reading)
    after = _code_lines(part.after, part.after, reading)
    return same_order(before, after) and (not (reading.python and parse) or same_tree(part.context, before, after))


def _code_lines(changed: tuple[str, ...], side: tuple[str, ...], reading: _Reading) -> list[str]:
    """The changed lines of one side that a machine reads: no blank lines, comments or docstrings."""
    kept = [
        line
        for line in changed
        if (bare := line.lstrip()) and not (bare.startswith(_COMMENT_STARTS) and _COMMENT.match(line))
    ]
    if reading.blocks and kept:
        comments = comment_lines(side)
        return [line for line in kept if line not in comments]
    if not reading.python or not kept:
        return kept
    docstrings = docstring_lines(side) if reading.quotes else ()
    code = [line for line in kept if line not in docstrings and not _is_sentence(line)]
    return with_plain_types(code) if reading.types else code


def _is_sentence(line: str) -> bool:
    told = _SPAN.sub("x", line) if "`" in line else line
    return "(" not in told and "=" not in told and bool(_SENTENCE.match(told))


def _marks_of_lines(tally: _Tally) -> set[str]:
    if tally.cosmetic:
        return {"cosmetic"} if tally.files else set()
    if tally.lines and tally.version_only:
        return {"version_bump"}
    return _nature(tally) | _security_marks(tally) | _behaviour_marks(tally)


def _security_marks(tally: _Tally) -> set[str]:
    removed, added = "\n".join(tally.removed), "\n".join(tally.added)
    if any(hint in removed for hint in _UNSAFE_HINTS) and _unsafe(tally.removed) > _unsafe(tally.added):
        return {"security", "unsafe_removed"}
    return {"security"} if _guards(added) > _guards(removed) else set()


def _behaviour_marks(tally: _Tally) -> set[str]:
    marks = set[str]()
    removed, added = "\n".join(tally.removed), "\n".join(tally.added)
    if any(word in removed or word in added for word in _SYNCHRONISATION):
        marks.add("synchronisation")
    came, went = [line.lstrip() for line in tally.added], [line.lstrip() for line in tally.removed]
    for mark, openings in _OPENINGS.items():
        if _openings(openings, came) > _openings(openings, went):
            marks.add(mark)
    if _count(_REJECTIONS, added) > _count(_REJECTIONS, removed):
        marks.add("rejects")
    if any(hint in removed for hint in _STATUS_HINTS) and _another_status(tally):
        marks.add("status_code")
    if any(hint in removed or hint in added for hint in _CONCURRENCY):
        marks.add("concurrency")
    return marks | {
        mark for mark, words in _SUBJECTS.items() if any(word in removed or word in added for word in words)
    }


def _nature(tally: _Tally) -> set[str]:
    changed = [*tally.removed, *tally.added]
    only_logs = len(changed) == tally.lines and all(_LOG.match(line) or _TEXT.match(line) for line in changed)
    return {"logging"} if only_logs and any(_LOG.match(line) for line in changed) else set()


def _unsafe(lines: list[str]) -> int:
    return sum(bool(_UNSAFE.search(_TRAILING_COMMENT.sub("", line))) for line in _hinted(lines, _UNSAFE_HINTS))


def _openings(openings: tuple[str, ...], lines: list[str]) -> int:
    return sum([line.startswith(openings) for line in lines])


def _another_status(tally: _Tally) -> bool:
    """One status gave way to another, both written in the same way; else it may only be written elsewhere now."""
    removed, added = _statuses(tally.removed), _statuses(tally.added)
    gone, came = removed - added, added - removed
    return bool({name.isdigit() for name in gone} & {name.isdigit() for name in came})


def _statuses(lines: list[str]) -> set[str]:
    return {found for line in _hinted(lines, _STATUS_HINTS) for found in _STATUS.findall(line)}


def _hinted(lines: list[str], hints: tuple[str, ...]) -> list[str]:
    """The lines that hold one of the hints; most hints stand nowhere, so each is looked for in all lines first."""
    text = "\n".join(lines)
    there = [hint for hint in hints if hint in text]
    return [line for line in lines if any(hint in line for hint in there)] if there else []


def _guards(text: str) -> int:
    return _count(_GUARDS, text) + (len(_ALLOWED.findall(text)) if "llow" in text else 0)


def _count(words: tuple[str, ...], text: str) -> int:
    return sum(text.count(word) for word in words)
