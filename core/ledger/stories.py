"""Stories: which commits speak of which, so that a day's page can tell of other days and they of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from hashlib import blake2b

from core.errors import DaybookError
from core.ledger.connection import P
from core.ledger.days import DayLedger
from core.ledger.past import PastLedger
from core.models import CommitRecord
from core.references import references, series_key, title_key

SHORTEST_PREFIX = 4  # git's own
NAMED_DIGITS = 7  # of a sha in a message, at least
AT_ONCE = 500  # commits in one round trip
HOPS = 2  # a re-land names the revert, which names the original
MOST_OF_ONE_NAME = 20
MOST_KIN = 1000  # commits of other days that one day's page asks about
MOST_TOLD = 5  # of the commits that begin alike


class AmbiguousSha(DaybookError):
    """Several commits of the repository begin with these digits."""


class StoryLedger(DayLedger, PastLedger):
    """What commits are called and what they call others: `name:landed second:sha` in one sorted set a repository.

    Names are `p:12` (its pull request), `t:DIGEST` (its title), `n:DIGEST` (its series); in capitals what it speaks of:
    `S:SHA` (7 digits or more), `P:12`, `T:DIGEST`.
    """

    def find_commit(self, repository: str, prefix: str) -> str | None:
        """The sha of the one received commit that begins with `prefix`, 4 or more hex digits; None when none does.

        Raises AmbiguousSha when several do.
        """
        prefix = prefix.lower()
        if len(prefix) < SHORTEST_PREFIX or not set(prefix) <= set("0123456789abcdef"):
            return None
        key, ends = f"{P}shas:{repository}", (f"[{prefix}", f"({prefix}g")
        past = self.past_with(repository, prefix)
        found = [sha.decode() for sha in self.redis.zrangebylex(key, *ends, 0, MOST_TOLD)] + past
        if len(found) > 1:
            count, told = self.redis.zlexcount(key, *ends) + len(past), ", ".join(found[:MOST_TOLD])
            raise AmbiguousSha(f"{prefix} begins {count} commits of {repository}: {told}")
        return found[0] if found else None

    def kin(self, repository: str, records: Sequence[CommitRecord]) -> list[CommitRecord]:
        """The other commits that these name or are named by, directly or over one between; oldest first."""
        given = {record.commit.sha for record in records}
        found: dict[str, CommitRecord] = {}
        fresh: Sequence[CommitRecord] = records
        for _ in range(HOPS):
            shas = dict.fromkeys(sha for some in _chunks(fresh) for sha in self._named(repository, some))
            wanted = [sha for sha in shas if sha not in given and sha not in found][: MOST_KIN - len(found)]
            fresh = self._records(repository, wanted)
            found.update((record.commit.sha, record) for record in fresh)
        return sorted(found.values(), key=lambda record: (record.commit.landed_at, record.commit.position))

    def _named(self, repository: str, records: Sequence[CommitRecord]) -> Iterator[str]:
        """The shas of what these commits name, of what names them, and of what has a name in common with them."""
        with self.redis.pipeline(transaction=False) as pipe:
            for record in records:
                for sha in _shas_named(record):
                    pipe.zrangebylex(f"{P}shas:{repository}", f"[{sha}", f"({sha}g", 0, MOST_OF_ONE_NAME)
                for name in _looked_up(record):
                    pipe.zrevrangebylex(f"{P}names:{repository}", f"({name}~", f"[{name}", 0, MOST_OF_ONE_NAME)
            answers = pipe.execute()
        rows = (row.decode() for answer in answers for row in answer)
        known = {record.commit.sha for record in records}
        return (row.rpartition(":")[2] for row in rows if not row.startswith("S:") or _names_one(row, known))

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


def names(record: CommitRecord) -> list[str]:
    """The members of `names:REPOSITORY` that a finished commit has; whoever forgets the commit removes them."""
    commit = record.commit
    spoken = [
        name
        for one in references(commit.message, commit.repository)
        for name in (
            f"S:{one.sha}" if one.sha else "",
            f"P:{one.pull_request}" if one.pull_request else "",
            f"T:{_digest(one.title)}" if one.title else "",
        )
        if name
    ]
    end = f"{int(commit.landed_at.timestamp()):010d}:{commit.sha}"
    return [f"{name}:{end}" for name in dict.fromkeys([*_own(record), *spoken])]


def _own(record: CommitRecord) -> Iterator[str]:
    """What a commit is called."""
    yield f"t:{_digest(title_key(record.commit.title))}"
    if record.facts and record.facts.pull_request:
        yield f"p:{record.facts.pull_request}"
    if record.facts and record.facts.series:
        author = record.commit.login or record.commit.author
        yield f"n:{_digest(series_key(record.commit.title, author, record.facts.series))}"


def _looked_up(record: CommitRecord) -> Iterator[str]:
    """The beginnings of names by which a commit's kin is found."""
    yield f"S:{record.commit.sha[:NAMED_DIGITS]}"
    for name in _own(record):
        if name[0] in "pt":
            yield f"{name.upper()[0]}{name[1:]}:"
        if name[0] in "pn":
            yield f"{name}:"
    for one in references(record.commit.message, record.commit.repository):
        if one.pull_request:
            yield f"p:{one.pull_request}:"
        if one.title:
            yield f"t:{_digest(one.title)}:"


def _shas_named(record: CommitRecord) -> list[str]:
    return [one.sha for one in references(record.commit.message, record.commit.repository) if one.sha]


def _names_one(name: str, shas: set[str]) -> bool:
    """Whether one of these shas begins with the digits of `S:DIGITS:SECOND:SHA`."""
    return any(sha.startswith(name.split(":")[1]) for sha in shas)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _chunks(records: Sequence[CommitRecord]) -> Iterator[Sequence[CommitRecord]]:
    return (records[at : at + AT_ONCE] for at in range(0, len(records), AT_ONCE))
