"""Stories: which commits speak of which, so that a day's page can tell of other days and they of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from hashlib import blake2b

from core.errors import DaybookError
from core.ledger.connection import P
from core.ledger.days import DayLedger
from core.ledger.past import PastLedger
from core.ledger.places import mark_of, names_key, place_of, sha_in
from core.models import CommitRecord
from core.references import references, series_key, title_key

SHORTEST_PREFIX = 4  # git's own
NAMED_DIGITS = 7  # of a sha in a message, at least
AT_ONCE = 2000  # names looked up in one call of the script, which blocks Redis for a few milliseconds
NAMED_SHA, SPOKEN_SHA = "#", "S"
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
        return self.kin_of(repository, {record.commit.sha: looked_up(record) for record in records})

    def kin_of(self, repository: str, asked: Mapping[str, str]) -> list[CommitRecord]:
        """The same of commits that are given by sha, each with what `looked_up` makes of its record."""
        given, found = asked.keys(), dict[str, CommitRecord]()
        for _ in range(HOPS):
            certain = self._named(repository, asked, given)
            wanted = [sha for sha in certain if sha not in found][: MOST_KIN - len(found)]
            read = self._records(repository, wanted)
            fresh = [record for record in read if certain[record.commit.sha] or _names_one(record, asked.keys())]
            found.update((record.commit.sha, record) for record in fresh)
            asked = {record.commit.sha: looked_up(record) for record in fresh}
        return sorted(found.values(), key=lambda record: (record.commit.landed_at, record.commit.position))

    def _named(self, repository: str, asked: Mapping[str, str], given: Collection[str]) -> dict[str, bool]:
        """The shas of what these commits name, of what names them, and of what has a name in common; not those given.

        Each with whether that is certain: of what names them by its sha, the first digits alone were compared.
        """
        names = set(" ".join(asked.values()).split())
        named = sorted(name for name in names if name[0] == NAMED_SHA)
        begun = self.shas_with(repository, [name[1:] for name in named])
        certain = {sha: True for found in begun.values() for sha in found[:MOST_OF_ONE_NAME] if sha not in given}
        others = sorted(names.difference(named))
        for start in range(0, len(others), AT_ONCE):
            some = others[start : start + AT_ONCE]
            marks = bytes.fromhex("".join([name[:-1] for name in some]))
            rows = iter(self._run("kin", MOST_OF_ONE_NAME, names_key(repository), marks))
            for number, member in zip(rows, rows, strict=True):
                if (sha := sha_in(member)) not in given:
                    certain[sha] = certain.get(sha, False) or some[number][-1] != SPOKEN_SHA
        return certain

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


def looked_up(record: CommitRecord) -> str:
    """By what a commit's kin is found: a mark, in hex, and a letter for each name, `#` before a sha; spaces between.

    It is kept with how the commit is shown, so that nothing has to be worked out for a day of thousands.
    """
    spoken = references(record.commit.message, record.commit.repository)
    found = [f"{SPOKEN_SHA}:{record.commit.sha[:NAMED_DIGITS]}"]
    for name in _own(record):
        if name[0] in "pt":
            found.append(f"{name.upper()[0]}{name[1:]}")
        if name[0] in "pn":
            found.append(name)
    for one in spoken:
        found += [f"p:{one.pull_request}"] if one.pull_request else []
        found += [f"t:{_digest(one.title)}"] if one.title else []
    named = [f"{NAMED_SHA}{one.sha}" for one in spoken if one.sha]
    return " ".join([*named, *(f"{mark_of(name).hex()}{name[0]}" for name in found)])


def _names_one(record: CommitRecord, shas: Collection[str]) -> bool:
    """Whether a commit's message names one of these by its sha."""
    spoken = [one.sha for one in references(record.commit.message, record.commit.repository) if one.sha]
    return any(sha.startswith(named) for named in spoken for sha in shas)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
