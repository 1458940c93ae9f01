"""Lines: what every page of a day needs of each of its commits, in two halves that are read for all commits at once.

A line is its numbers, packed, and its words, JSON values each followed by a comma. Those of a day, one behind the
other, are read as one array and one list, of which every so-manieth value is of one kind: no commit costs a call of its
own. What few pages need of few commits is the rest.
"""

from __future__ import annotations

import json
import struct
from dataclasses import astuple
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json

from core.models import Found, PublicChange, Tier
from core.references import Reference
from report.brief import AMOUNTS
from report.table import landed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from report.daily import Entry

DIGEST_BYTES = 16


class Sizes(NamedTuple):
    """Bytes of what is kept of a commit beside its line, and places within its articles and its JSON.

    The story of a commit stands at `markdown_story` and `html_story` of its article, its relations at `json_relations`.
    """

    rest: int
    markdown_row: int
    markdown_contents: int
    markdown_article: int
    markdown_story: int
    html_row: int
    html_contents: int
    html_open: int
    html_article: int
    html_story: int
    json_entry: int
    json_relations: int


class Rest(NamedTuple):
    """What few pages need of few commits."""

    title: str
    login: str | None
    branch: str
    committed_at: str  # in ISO 8601
    key: str
    references: list[list[Any]]  # the values of a Reference
    parents: list[str]
    part: list[int] | None
    lines: int | None
    changes: list[dict[str, Any]]  # of PublicChange


_IN_BRIEF = ("pull_request", *(name for name in AMOUNTS if name != "cost_usd"), "names_checked", "names_removed")
# The widest first, so that each stands at a multiple of its width.
_NUMBERS = {
    "made_from": f"{DIGEST_BYTES}s",
    "landed": "q",  # microseconds since 1970
    "position": "q",
    **dict.fromkeys(_IN_BRIEF, "q"),
    **dict.fromkeys(("cost_usd", "score"), "d"),
    "key": "Q",
    **dict.fromkeys(Sizes._fields, "I"),
    **dict.fromkeys(("batch", "changed", "speaks", "merges"), "?"),
}
_WORDS = ("standing", "author", "types", "areas", "series", "looked_up")
_STANDING = ("tier", "found_by", "state", "origin", "limit")  # few words of few commits are others' too
_PACKED = struct.Struct("@" + " ".join([*_NUMBERS.values(), "0q"]))  # a line's end is where the next one may begin
_WIDTHS = {"q": 8, "d": 8, "Q": 8, "I": 4, "?": 1}

Columns = dict[str, "list[Any]"]  # the values of each kind, one for each commit


def numbers_of(made_from: bytes, sizes: Sizes, entry: Entry) -> bytes:
    """The first half of a commit's line; `made_from` is a digest of what it was made from."""
    brief, called = entry.brief, entry.called
    known = {"made_from": made_from, "landed": landed(entry), "position": entry.position}
    known |= brief._asdict() | called._asdict() | sizes._asdict()
    return _PACKED.pack(*(known[name] for name in _NUMBERS))


def words_of(entry: Entry) -> bytes:
    """The second half."""
    brief, called = entry.brief, entry.called
    standing = " ".join([entry.tier, entry.found_by, entry.state, brief.origin, brief.limit])
    words = [standing, entry.author, " ".join(brief.types), brief.areas, called.series, called.looked_up]
    return _dumped(words)[1:-1] + b","


def rest_of(entry: Entry) -> bytes:
    """What is kept of a commit beside its line and its forms."""
    told = entry.told
    return _dumped(Rest(
        title=entry.title,
        login=entry.login,
        branch=entry.branch,
        committed_at=entry.committed_at.isoformat(),
        key=told.key,
        references=[list(astuple(one)) for one in told.references],
        parents=list(told.parents),
        part=list(told.part) if told.part else None,
        lines=told.lines,
        changes=[change.model_dump(mode="json") for change in entry.public_changes],
    ))  # fmt: skip


def _dumped(values: list[Any] | tuple[Any, ...]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def columns_from(numbers: bytes, words: bytes) -> Columns:
    """Some lines, one behind the other, by columns: those of a table (table.py), and the fields of `Sizes`.

    Raises ValueError for what is no lines.
    """
    if len(numbers) % _PACKED.size:
        raise ValueError(f"{len(numbers)} bytes are not numbers of {_PACKED.size} bytes each")
    count = len(numbers) // _PACKED.size
    values = from_json(b"[" + words.removesuffix(b",") + b"]")
    if len(values) != count * len(_WORDS):
        raise ValueError(f"{len(values)} words are not those of {count} commits")
    found = _numbers_by_columns(numbers)
    found |= {name: values[at :: len(_WORDS)] for at, name in enumerate(_WORDS)}
    found |= zip(_STANDING, _turned(map(_standing, found.pop("standing")), len(_STANDING)), strict=True)
    return found | {"types": list(map(_types, found["types"])), "areas": list(map(tuple, found["areas"]))}


def _numbers_by_columns(numbers: bytes) -> Columns:
    """Each kind of number is every so-manieth of an array: none is looked at by itself."""
    size, at = _PACKED.size, DIGEST_BYTES
    found: Columns = {"made_from": [numbers[start : start + DIGEST_BYTES] for start in range(0, len(numbers), size)]}
    arrays = {kind: memoryview(numbers).cast(kind) for kind in _WIDTHS}  # type: ignore[call-overload]
    for name, kind in _NUMBERS.items():
        if name not in found:
            found[name] = arrays[kind][at // _WIDTHS[kind] :: size // _WIDTHS[kind]].tolist()
            at += _WIDTHS[kind]
    return found


def _turned(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows as columns."""
    return list(map(list, zip(*rows, strict=True))) or [[] for _ in range(width)]


@lru_cache(1024)
def _standing(joined: str) -> tuple[object, ...]:
    tier, found_by, *others = joined.split(" ")
    return (Tier(tier), Found(found_by), *others)


@lru_cache(1024)
def _types(joined: str) -> tuple[str, ...]:
    return tuple(joined.split())


def rest_from(kept: bytes) -> Rest:
    """What `rest_of` gave."""
    return Rest._make(from_json(kept))


def references_from(rest: Rest) -> tuple[Reference, ...]:
    """What the commit's message speaks of."""
    return tuple(Reference(*one) for one in rest.references)


def changes_from(rest: Rest) -> tuple[PublicChange, ...]:
    """What the commit changes of the things that users can name."""
    return tuple(PublicChange(**change) for change in rest.changes)
