"""Where a commit is entered in the indices: small keys, many to a repository, which Redis stores without overhead.

A repository's shas lie in 256 hashes, by their first two digits; what its commits are called and speak of lies in 1,024
sorted sets, by a digest of the name. Redis keeps a hash of up to 512 entries and a sorted set of up to 128 as one piece
of memory: 50 bytes a sha and 40 a name, up to 131,000 commits of a repository in the one case and about 57,000 with
records in the other; beyond that three times as much.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

PREFIX = "daybook:"
DIGITS = 2  # of a sha, in its place's key; `sha_key` of lua/prelude.lua says the same
_DIGEST, _NUMBER = 4, 2  # bytes of a mark: lua/kin.lua takes it apart
_SECOND = 4
_PLACES = 1024


class Place(NamedTuple):
    """The sorted set that a name belongs in, and with what its members begin: a digest; names may share one."""

    key: str
    start: bytes

    def member(self, second: int, sha: str) -> bytes:
        """A commit of this name that landed at a unix time, so that members are in order of landing."""
        return self.start + max(0, second).to_bytes(_SECOND, "big") + bytes.fromhex(sha)


def sha_key(repository: str, sha: str) -> str:
    """The hash that a sha, or its two first digits and more, belongs in: rest of the sha → its day's ordinal, or ''."""
    return f"{PREFIX}shas:{repository}:{sha[:DIGITS]}"


def mark_of(name: str) -> bytes:
    """Where the commits of a name are, in any repository: the number of the sorted set, and how its members begin."""
    digest = blake2b(name.encode(), digest_size=_DIGEST + _NUMBER).digest()
    number = int.from_bytes(digest[_DIGEST:], "big") % _PLACES
    return number.to_bytes(_NUMBER, "big") + digest[:_DIGEST]


def names_key(repository: str) -> str:
    """What the keys of a repository's sorted sets begin with; three hex digits of the number follow."""
    return f"{PREFIX}names:{repository}:"


def place_of(repository: str, name: str) -> Place:
    """Where the commits of a name are."""
    mark = mark_of(name)
    return Place(f"{names_key(repository)}{int.from_bytes(mark[:_NUMBER], 'big'):03x}", mark[_NUMBER:])


def sha_in(member: bytes) -> str:
    """The sha of a member."""
    return member[_DIGEST + _SECOND :].hex()
