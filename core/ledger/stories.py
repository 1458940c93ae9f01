"""Stories: which commits speak of which, so that a day's page can tell of other days and they of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from hashlib import blake2b

from core.errors import DaybookError
from core.ledger.connection import P
from core.ledger.days import DayLedger
from core.ledger.past import PastLedger
from core.ledger.places import place_of, sha_in
from core.models import CommitRecord
from core.references import references, series_key, title_key

SHORTEST_PREFIX = 4  # git's own
NAMED_DIGITS = 7  # of a sha in a message, at least
_LAST = b"\xff" * 40  # after every member that begins alike
AT_ONCE = 500  # commits in one round trip
HOPS = 2  # a re-land names the revert, which names the original
MOST_OF_ONE_NAME = 20
MOST_KIN = 1000  # commits of other days that one day's page asks about
MOST_TOLD = 5  # of the commits that begin alike


class AmbiguousSha(DaybookError):
    """Several commits of the repository begin with these digits."""


class StoryLedger(DayLedger, PastLedger):
    """What commits are called and what they call others, by which their kin is found (see places.py).

    Names are `p:12` (its pull request), `t:DIGEST` (its title), `n:DIGEST` (its series); in capitals what it speaks of:
    `S:SHA` (7 digits), `P:12`, `T:DIGEST`. Digests can be alike by chance: whoever tells a story reads the messages.
    """

    def find_commit(self, repository: str, prefix: str) -> str | None:
        """The sha of the one received commit that begins with `prefix`, 4 or more hex digits; None when none does.

        Raises AmbiguousSha when several do.
        """
        prefix = prefix.lower()
        if len(prefix) < SHORTEST_PREFIX or not set(prefix) <= set("0123456789abcdef"):
            return None
        found = self.shas_with(repository, [prefix])[prefix]
        if len(found) > 1:
            told = ", ".join(found[:MOST_TOLD])
            raise AmbiguousSha(f"{prefix} begins {len(found)} commits of {repository}: {told}")
        return found[0] if found else None

    def kin(self, repository: str, records: Sequence[CommitRecord]) -> list[CommitRecord]:
        """The other commits that these name or are named by, directly or over one between; oldest first."""
        given = {record.commit.sha for record in records}
        found: dict[str, CommitRecord] = {}
        fresh: Sequence[CommitRecord] = records
        for _ in range(HOPS):
            certain: dict[str, bool] = {}
            for sha, sure in (pair for some in _chunks(fresh) for pair in self._named(repository, some)):
                certain[sha] = certain.get(sha, False) or sure
            wanted = [sha for sha in certain if sha not in given and sha not in found][: MOST_KIN - len(found)]
            known = {record.commit.sha for record in fresh}
            read = self._records(repository, wanted)
            fresh = [record for record in read if certain[record.commit.sha] or _names_one(record, known)]
            found.update((record.commit.sha, record) for record in fresh)
        return sorted(found.values(), key=lambda record: (record.commit.landed_at, record.commit.position))

    def _named(self, repository: str, records: Sequence[CommitRecord]) -> Iterator[tuple[str, bool]]:
        """The shas of what these commits name, of what names them, and of what has a name in common with them.

        Each with whether that is certain: of what names them by its sha, the first digits alone were compared.
        """
        named = self.shas_with(repository, (sha for record in records for sha in _shas_named(record)))
        yield from ((sha, True) for found in named.values() for sha in found[:MOST_OF_ONE_NAME])
        self.bring_up_to_date()
        names = list(dict.fromkeys(name for record in records for name in _looked_up(record)))
        with self.redis.pipeline(transaction=False) as pipe:
            for name in names:
                key, start = place_of(repository, name)
                pipe.zrevrangebylex(key, b"[" + start + _LAST, b"[" + start, 0, MOST_OF_ONE_NAME)
            answers = pipe.execute()
        for name, answer in zip(names, answers, strict=True):
            yield from ((sha_in(member), name[0] != "S") for member in answer)

    def commits(self, repository: str, shas: Sequence[str]) -> list[CommitRecord]:
        """The records of some commits, in that order, without those that are not there any more."""
        return self._records(repository, shas)

    def untold(self, limit: int) -> list[str]:
        """Some finished commits whose story other days' pages may not tell yet; `told` takes them off."""
        return sorted(row.decode() for row in self.redis.srandmember(f"{P}untold", limit))

    def told(self, commit_ids: Sequence[str]) -> None:
        """Note that the days which these commits concern are to be made again."""
        if commit_ids:
            self.redis.srem(f"{P}untold", *commit_ids)

    def mark_dirty(self, repository: str, days: Iterable[date]) -> None:
        """Have the pages of some days made again."""
        seconds, micros = self.redis.time()
        rows = {f"{repository} {day}": seconds + micros / 1_000_000 for day in days}
        if rows:
            self.redis.zadd(f"{P}dirty", rows)


def names(record: CommitRecord) -> list[str | bytes]:
    """A finished commit's entries in `names:`, key and member by turns; whoever forgets the commit removes them."""
    commit = record.commit
    spoken = [
        name
        for one in references(commit.message, commit.repository)
        for name in (
            f"S:{one.sha[:NAMED_DIGITS]}" if one.sha else "",
            f"P:{one.pull_request}" if one.pull_request else "",
            f"T:{_digest(one.title)}" if one.title else "",
        )
        if name
    ]
    second = int(commit.landed_at.timestamp())
    places = (place_of(commit.repository, name) for name in dict.fromkeys([*_own(record), *spoken]))
    return [part for place in places for part in (place.key, place.member(second, commit.sha))]


def _own(record: CommitRecord) -> Iterator[str]:
    """What a commit is called."""
    yield f"t:{_digest(title_key(record.commit.title))}"
    if record.facts and record.facts.pull_request:
        yield f"p:{record.facts.pull_request}"
    if record.facts and record.facts.series:
        author = record.commit.login or record.commit.author
        yield f"n:{_digest(series_key(record.commit.title, author, record.facts.series))}"


def _looked_up(record: CommitRecord) -> Iterator[str]:
    """The names by which a commit's kin is found."""
    yield f"S:{record.commit.sha[:NAMED_DIGITS]}"
    for name in _own(record):
        if name[0] in "pt":
            yield f"{name.upper()[0]}{name[1:]}"
        if name[0] in "pn":
            yield name
    for one in references(record.commit.message, record.commit.repository):
        if one.pull_request:
            yield f"p:{one.pull_request}"
        if one.title:
            yield f"t:{_digest(one.title)}"


def _shas_named(record: CommitRecord) -> list[str]:
    return [one.sha for one in references(record.commit.message, record.commit.repository) if one.sha]


def _names_one(record: CommitRecord, shas: set[str]) -> bool:
    """Whether a commit's message names one of these by its sha."""
    return any(sha.startswith(named) for named in _shas_named(record) for sha in shas)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _chunks(records: Sequence[CommitRecord]) -> Iterator[Sequence[CommitRecord]]:
    return (records[at : at + AT_ONCE] for at in range(0, len(records), AT_ONCE))
