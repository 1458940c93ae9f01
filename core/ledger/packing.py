"""How a record is stored: its JSON, compressed with what all records have in common, behind a byte that says how.

The byte and what it stands for are for ever: what was stored once is read by every later version.

    0x01  JSON as it is, for the seconds between a push and its diff
    0x02  raw deflate with dictionaries/1.txt
    0x03  the same of a text in GB18030, where a Chinese character is two bytes and not three: 6 % smaller
    0x78  zlib of JSON that names its repository and sha: what version 0.1.0 wrote

In all but the last the commit's repository and sha are left out: the key has them. Whoever adds a form lets one release
read it before another writes it, so that versions can run side by side; see docs/upgrade.md.
"""

from __future__ import annotations

import json
import zlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from core.errors import DaybookError
from core.log import Log
from core.models import RECORD_VERSION, Commit, CommitRecord, Correction

if TYPE_CHECKING:
    from pydantic.main import IncEx

log = Log()

PLAIN, DEFLATED, ZLIB = 0x01, 0x03, 0x78
# Dictionary and encoding of a form; all are read, the one named above is written.
DEFLATES = {0x02: ("dictionaries/1.txt", "utf-8"), 0x03: ("dictionaries/1.txt", "gb18030")}
QUICK, BEST = 1, 6  # of deflate's levels: for what is overwritten within minutes, and for what stays
_IN_KEY = {"repository", "sha"}
_KEPT_ELSEWHERE: dict[str, IncEx | bool] = {"correction": True, "commit": _IN_KEY}
_COMMIT = b'"commit":{'
_COMMITS = TypeAdapter(Commit)
_ARRIVED = bytes([PLAIN]) + (b'{"version":%d,' % RECORD_VERSION if RECORD_VERSION > 1 else b"{") + b'"commit":'


class NewerRecord(DaybookError):
    """A newer version of Daybook wrote this record, in a way that this one cannot read: it is left to that one."""


def packed(record: CommitRecord, level: int = BEST) -> bytes:
    """A record as it is stored: compressed JSON without what has its default, nor the correction, kept by itself."""
    if record.version < RECORD_VERSION:
        record = record.model_copy(update={"version": RECORD_VERSION})
    text = record.model_dump_json(exclude_defaults=True, exclude=_KEPT_ELSEWHERE).encode(DEFLATES[DEFLATED][1])
    press = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, 0, _dictionary(DEFLATED))
    return bytes([DEFLATED]) + press.compress(text) + press.flush()


def packed_commit(commit: Commit) -> bytes:
    """A record of which there is but the commit, as it is stored at first: not compressed, at next to no cost."""
    return _ARRIVED + _COMMITS.dump_json(commit, exclude_defaults=True, exclude=_IN_KEY) + b"}"


def unpacked(commit_id: str, stored: bytes, correction: bytes | None) -> CommitRecord:
    """A stored record with its correction, if any; `commit_id` is `owner/name@sha`.

    Fields that a newer version wrote are kept as they are, unread, so that versions can run side by side. Raises
    NewerRecord where that is not enough, and ValueError for what no version wrote.
    """
    text = _text(commit_id, stored)
    try:
        record = CommitRecord.model_validate_json(text)
    except ValidationError as error:
        if _version(text) > RECORD_VERSION:
            raise NewerRecord(f"the record of {commit_id} was written by a newer version of Daybook") from error
        raise
    if not correction:
        return record
    return record.model_copy(update={"correction": Correction.model_validate_json(correction, extra="ignore")})


def _text(commit_id: str, stored: bytes) -> bytes:
    """The JSON of a record; its first bytes are of this file's making, so the place of its commit is known."""
    form = stored[0]
    if form == ZLIB:
        return zlib.decompress(stored)
    if form in DEFLATES:
        text = zlib.decompressobj(-zlib.MAX_WBITS, _dictionary(form)).decompress(stored[1:])
        text = text.decode(DEFLATES[form][1]).encode()
    elif form == PLAIN:
        text = stored[1:]
    else:
        raise NewerRecord(f"the record of {commit_id} is stored in a form of a newer version of Daybook")
    repository, _, sha = commit_id.rpartition("@")
    named = b'%s"repository":"%s","sha":"%s",' % (_COMMIT, repository.encode(), sha.encode())
    return text.replace(_COMMIT, named, 1)


_told = False


def leave_to_newer(newer: NewerRecord) -> None:
    """Say, once in a process, that something is left to a newer version."""
    global _told  # it holds for the process, whatever ledger it is met through
    if not _told:
        _told = True
        log.warning("left_to_newer_version", reason=str(newer), remedy="end the update: stop this version's processes")


def _version(text: bytes) -> int:
    found = json.loads(text).get("version", 1)
    return found if isinstance(found, int) else 1


@cache
def _dictionary(form: int) -> bytes:
    name, encoding = DEFLATES[form]
    return files("core.ledger").joinpath(name).read_text("utf-8").encode(encoding)
