"""Fragments: how finished commits are shown, kept by day beside their records for as long as the day is worked on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Literal, NamedTuple

from core.ledger.connection import P, day_bounds
from core.ledger.days import DayLedger

Form = Literal["md", "html", "json"]
FORMS: tuple[Form, ...] = ("md", "html", "json")

KEPT = timedelta(days=2)  # after a day's end: until then it is closed, and made again for late commits
MOST_BYTES = 160 * 1024 * 1024  # of one day, about 14,000 commits; those beyond are rendered each time


class Fragment(NamedTuple):
    """A commit as it is kept: what every page of its day needs of it, the rest, and how it is shown in each form."""

    numbers: bytes
    words: bytes
    rest: bytes
    md: bytes
    html: bytes
    json: bytes


_LINE = ("numbers", "words", "rest")


class StoredDay(NamedTuple):
    """A day as it is stored: shas in the order of landing, their records and corrections (None: none), its fragments.

    Of all fragments, that is the numbers, the words and the rest, each one behind the other, and how many bytes there
    were at the same moment of each form.
    """

    shas: list[str]
    records: list[bytes | None]
    corrections: list[bytes | None]
    numbers: bytes = b""
    words: bytes = b""
    rest: bytes = b""
    bytes_of: Mapping[Form, int] = MappingProxyType(dict.fromkeys(FORMS, 0))


Stretch = tuple[int, int]  # from a byte up to another


class FragmentLedger(DayLedger):
    """A string for each part of the fragments of a day and repository; whoever renders a commit adds to all of them.

    What they say, `report/fragments.py` knows. `made_by` names the version of what makes and reads them: each has its
    own, and none sees another's.
    """

    def stored_day(self, repository: str, day: date, made_by: str) -> StoredDay:
        """All that a day's report is made of, in three round trips."""
        shas = self._landed(repository, day)
        if not shas:
            return StoredDay([], [], [])
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.mget([f"{P}record:{repository}@{sha}" for sha in shas])
            pipe.hmget(f"{P}corrections:{repository}", shas)
            records, corrections = pipe.execute()
        with self.redis.pipeline(transaction=True) as pipe:  # they belong together
            for part in _LINE:
                pipe.get(_key(repository, day, made_by, part))
            for form in FORMS:
                pipe.strlen(_key(repository, day, made_by, form))
            numbers, words, rest, *sizes = pipe.execute()
        bytes_of = dict(zip(FORMS, sizes, strict=True))
        return StoredDay(shas, records, corrections, numbers or b"", words or b"", rest or b"", bytes_of)

    def keeps_fragments(self, day: date) -> bool:
        """Whether a day is of an age of which fragments are kept."""
        return self._kept_until(day) > datetime.now(self.zone)

    def _kept_until(self, day: date) -> datetime:
        return day_bounds(day, self.zone)[1] + KEPT

    def stored_forms(
        self, repository: str, day: date, made_by: str, numbers: bytes, asked: Mapping[Form, Sequence[Stretch]]
    ) -> dict[Form, list[bytes]]:
        """Stretches of a day's fragments in some forms, as far as they are there.

        Nothing when these fragments do not begin with the `numbers` any more by which it was asked. Each is one
        answer: one of many megabytes costs its reader more than twice what as many pieces cost.
        """
        if not asked:
            return {}
        wanted = [(form, *stretch) for form, stretches in asked.items() for stretch in stretches]
        asking = [*wanted, ("numbers", 0, len(numbers))]  # in the end: what was added in the meantime does no harm
        *read, still = self._answers([
            ("GETRANGE", _key(repository, day, made_by, part), start, end - 1) for part, start, end in asking
        ])  # fmt: skip
        found: dict[Form, list[bytes]] = {form: [] for form in asked}
        for (form, *_), piece in zip(wanted, read, strict=True):
            found[form].append(piece)
        return found if still == numbers else {}

    def keep_fragments(
        self, repository: str, day: date, made_by: str, fragments: Sequence[Fragment], *, anew: bool = False
    ) -> bool:
        """Add fragments to those of a day, or put them in their place.

        False where it is too old, or there are too many bytes already.
        """
        if not self.keeps_fragments(day):
            return False
        told: list[str | bytes] = []
        for part, added in zip(Fragment._fields, zip(*fragments, strict=True), strict=True):
            told += (_key(repository, day, made_by, part), b"".join(added))
        until = int(self._kept_until(day).timestamp())
        return bool(self._run("keep", MOST_BYTES, until, int(anew), *told))


def _key(repository: str, day: date, made_by: str, part: str) -> str:
    return f"{P}fragments:{repository}:{day}:{made_by}:{part}"
