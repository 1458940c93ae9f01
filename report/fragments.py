"""How one commit is shown in each form of its day's page, kept as bytes, and its entry made again from these.

What a commit looks like by itself is settled when its analysis is finished: its rows, its heading, its fields. Only
the story that stands among them, and the marks by which a page is filtered, hang on the other commits of the day; each
form is therefore kept in parts, between which these have their place. A page is then put together by joining bytes.

Kept parts are a saving and nothing else: their key names all that went into them, the code too, so that whoever does
not find a key makes the parts anew.
"""

from __future__ import annotations

import hashlib
import json
import struct
from datetime import datetime
from functools import cache
from importlib.resources import files
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from core.models import Found, PublicChange, Tier
from core.references import Reference
from report.brief import Brief, Spent
from report.daily import Entry
from report.json import json_parts
from report.kinship import Told
from report.markdown import markdown_parts
from report.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEY_BYTES = 16

Piece = bytes | memoryview  # of a page; nothing is done with it but to join it to others


class Kept(NamedTuple):
    """The parts of MarkdownParts, HtmlParts and JsonParts of one commit, and the view that they were made for."""

    view: View
    markdown_row: Piece
    markdown_contents: Piece
    markdown_head: Piece
    markdown_tail: Piece
    html_row: Piece
    html_contents: Piece
    html_open: Piece
    html_head: Piece
    html_tail: Piece
    json_head: Piece
    json_tail: Piece


# A block of the log: its key, the sizes of its line and of its parts, and then these.
_HEAD = struct.Struct(f">{KEY_BYTES}s{len(Kept._fields)}I")


def kept_parts(view: View, entry: Entry) -> Kept:
    """An entry by itself in every form; it is neither cancelled nor related to any other."""
    from report.html import html_parts  # loads the templates, which whoever joins what is kept does without

    return Kept(view, *markdown_parts(view, entry), *html_parts(view, entry), *json_parts(entry))


@cache
def seed_of(view: View) -> bytes:
    """What a key holds of the view and of the code that renders, its words and templates."""
    return hashlib.blake2b(f"{_code()} {view!r}".encode(), digest_size=KEY_BYTES).digest()


@cache
def _code() -> str:
    """A digest of all code and text that a fragment is made of: after an upgrade, none of an earlier version is shown.

    All of `report` and the shapes of `core` count: too many files are no harm, one too few would be.
    """
    digest = hashlib.blake2b(digest_size=KEY_BYTES)
    found = [(str(file.name), file) for name in _FOLDERS for file in files(name).iterdir() if file.is_file()]
    for name, file in sorted(found, key=lambda one: one[0]):
        digest.update(f"{name} ".encode() + file.read_bytes())
    return digest.hexdigest()


_FOLDERS = ("core", "core.ledger", "report", "report.labels", "report.templates")


def key_of(seed: bytes, stored: bytes, correction: bytes | None) -> bytes:
    """The key of a commit's fragment: by its record as it is stored, and its correction."""
    return hashlib.blake2b(stored + b"\0" + (correction or b""), digest_size=KEY_BYTES, key=seed).digest()


def block_of(key: bytes, entry: Entry, kept: Kept) -> bytes:
    """A fragment as it is written to the log of its day."""
    line = json.dumps(_line(entry), ensure_ascii=False, separators=(",", ":")).encode()
    parts = (line, *kept[1:])
    return _HEAD.pack(key, *map(len, parts)) + b"".join(parts)


def blocks(log: bytes) -> dict[bytes, tuple[int, ...]]:
    """Where each block of a log has its parts, by its key: the place of the first, then their sizes.

    A log that ends in the middle of a block, as no writer leaves it, is read up to there.
    """
    found: dict[bytes, tuple[int, ...]] = {}
    place, end = 0, len(log)
    while place + _HEAD.size <= end:
        key, *sizes = _HEAD.unpack_from(log, place)
        first = place + _HEAD.size
        place = first + sum(sizes)
        if place <= end:
            found[key] = (first, *sizes)
    return found


def entries_from(log: bytes, view: View, places: Sequence[tuple[int, ...]]) -> Iterator[Entry]:
    """The entries of some blocks of a log, in that order; of what they show, nothing is copied before it is joined."""
    seen, lines, found = memoryview(log), [], []
    for place in places:
        line, *parts = [seen[start:end] for start, end in pairwise(accumulate(place))]
        lines.append(line)
        found.append(Kept(view, *parts))
    for line, kept in zip(json.loads(b"[" + b",".join(lines) + b"]"), found, strict=True):
        yield _entry(line, kept)


class KeptEntry(Entry):
    """An entry out of its fragment: what no page needs of every commit is read when it is asked for."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Read the fields that the line of its fragment does not have."""
            if name not in _READ_LATER:
                return super().__getattr__(name)
            self.whole()
            return self.__dict__[name]

    def whole(self) -> Entry:
        """The entry with all its fields read."""
        if "analysis" not in self.__dict__:
            kept = self.__dict__["kept"]
            read = Entry.model_validate_json(b"".join((kept.json_head, kept.json_tail)))
            self.__dict__.update({name: getattr(read, name) for name in _READ_LATER})
        return self


_READ_LATER = frozenset({"facts", "triage", "verdict", "correction", "analysis", "failure"})
_FOUND = {found.value: found for found in Found}
_TIERS = {tier.value: tier for tier in Tier}
_NO_SET: set[str] = set(KeptEntry.model_fields)


def _line(entry: Entry) -> list[object]:
    """What every page needs of every commit, and the stories and figures too: an entry's own, `Told` and `Brief`."""
    told, brief = entry.told, entry.brief
    return [
        [entry.author, entry.login, entry.committed_at.isoformat(), entry.found_by, entry.tier, entry.state],
        [*told[:1], told.landed_at.isoformat(), *told[2:6], [_reference(one) for one in told.references], *told[7:]],
        [*brief[:-1], [change.model_dump(mode="json") for change in brief.changes]],
    ]


def _reference(one: Reference) -> list[object]:
    return [one.kind, one.sha, one.pull_request, one.title, one.partial, one.aside]


def _entry(line: list[Any], kept: Kept) -> KeptEntry:
    (author, login, committed, found, tier, state), told, brief = line
    told[1] = datetime.fromisoformat(told[1])
    told[6] = tuple([Reference(*one) for one in told[6]])
    told[8] = tuple(told[8])
    told[9] = told[9] and tuple(told[9])
    brief[3], brief[4], brief[7] = tuple(brief[3]), tuple(brief[4]), Spent._make(brief[7])
    brief[10] = tuple([PublicChange.model_construct(**change) for change in brief[10]])
    entry = KeptEntry.__new__(KeptEntry)
    # Validated when it was rendered; to do so again for each commit of a page takes longer than all the rest.
    _set(entry, "__dict__", {
        "sha": told[0], "landed_at": told[1], "position": told[2], "branch": told[3], "title": told[4],
        "author": author, "login": login, "committed_at": datetime.fromisoformat(committed),
        "found_by": _FOUND[found], "tier": _TIERS[tier], "state": state,
        "relations": (), "folded": (), "cancelled": False, "kept": kept,
        "told": Told._make(told), "brief": Brief._make(brief),
    })  # fmt: skip
    _set(entry, "__pydantic_fields_set__", _NO_SET)
    _set(entry, "__pydantic_extra__", None)
    _set(entry, "__pydantic_private__", None)
    return entry


_set = object.__setattr__
