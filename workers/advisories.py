"""A change log's patch → whether it newly names a security advisory, in the forms projects use; pure, bounded."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from core.models import FileChange, FileRole
from workers.hunks import LINE_LIMIT, PATCH_LIMIT

# As plain text, or as a role of Sphinx (`extlinks`), which often leaves out what the role says.
ADVISORY = re.compile(
    r"\bCVE-\d{4}-\d{3,19}\b|\bGHSA(?:-[0-9a-z]{4}){3}\b"
    r"|:cve:`(?:CVE-)?\d{4}-\d{3,19}`|:ghsa:`(?:GHSA-)?[0-9a-z]{4}(?:-[0-9a-z]{4}){2}`"
)
_HINTS = ("CVE-", "GHSA-", ":cve:`", ":ghsa:`")
_NAMES = re.compile(
    r"^(?:changes|changelog|news|history|releases?|release[-_]?notes?|relnotes|what'?s[-_]?new)(?:$|[-_.])"
)
_FOLDERS = frozenset(
    ("changelog", "changelogs", "changelog.d", "changes", "changes.d", "news", "newsfragments", "releases",
     "release-notes", "release_notes", "releasenotes", "relnotes", "whatsnew")
)  # fmt: skip
# A change mends one thing, or a few; whoever brings in a history names all that was mended ever.
_MOST_AT_ONCE = 4


def names_advisories(change: FileChange, role: FileRole) -> bool:
    """Whether a file is a change log to which the id of an advisory was added that did not stand there before."""
    patch = (change.patch or "")[:PATCH_LIMIT] if role is FileRole.DOCS else ""
    if not any(hint in patch for hint in _HINTS) or not _is_change_log(change.path):
        return False
    lines = [line[:LINE_LIMIT] for line in patch.split("\n")]
    new = _named(lines, "+") - _named(lines, "-")
    return 0 < len(new) <= _MOST_AT_ONCE


def _named(lines: list[str], sign: str) -> set[str]:
    return {found for line in lines if line.startswith(sign) for found in ADVISORY.findall(line)}


def _is_change_log(path: str) -> bool:
    pure = PurePosixPath(path.lower())
    return bool(_NAMES.match(pure.name) or _FOLDERS & {*pure.parts[:-1]})
