"""A day's commits out of the ledger as entries: from what was kept of each, else from its record, and kept then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog
from redis import RedisError

from core.ledger.packing import packed, unpacked
from core.undisturbed import undisturbed
from report.daily import Entry, entry_from_record, web_site
from report.fragments import block_of, blocks, entries_from, kept_parts, key_of, seed_of
from report.view import view_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from core.ledger.fragments import StoredDay
    from core.models import CommitRecord
    from core.settings import Settings
    from report.view import View

log = structlog.get_logger()


class Fragments(Protocol):
    """Where days and fragments lie; `core.ledger.Ledger` is one."""

    def stored_day(self, repository: str, day: date) -> StoredDay:
        """All that a day's page is made of."""

    def keep_fragments(self, repository: str, day: date, fragments: Sequence[bytes]) -> bool:
        """Add fragments to those of a day."""


@undisturbed()
def entries_of_day(ledger: Fragments, day: date, view: View) -> list[Entry]:
    """The commits that landed on a day of a view's repository, oldest first.

    Those that were finished bring how they are shown with them. Raises redis.RedisError.
    """
    stored = ledger.stored_day(view.repository, day)
    seed, known = seed_of(view), blocks(stored.fragments)
    keys = [
        key_of(seed, record, said) if record else b""
        for record, said in zip(stored.records, stored.corrections, strict=True)
    ]
    places = [known[key] for key in keys if key in known]
    kept = entries_from(stored.fragments, view, places)
    entries, made = [], []
    for sha, key, record, said in zip(stored.shas, keys, stored.records, stored.corrections, strict=True):
        if key in known:
            entries.append(next(kept))
        elif record:
            entry, block = _made(key, unpacked(f"{view.repository}@{sha}", record, said), view)
            entries.append(entry)
            made += block
    _keep(ledger, day, view, made)
    return entries


def view_for(settings: Settings, repository: str) -> View:
    """How a repository's commits are shown by these settings."""
    site = web_site(settings.web_url(repository), repository)
    return view_of(repository, settings.report_timezone, settings.language_of(repository), site)


def keep_finished(ledger: Fragments, record: CommitRecord, view: View) -> None:
    """Keep how a commit is shown whose record was just written, so that its day's page needs only to be joined.

    A correction is stored by itself; when it is not written as it was read, the page does without what is kept here.
    """
    day = record.commit.landed_at.astimezone(view.zone).date()
    said = record.correction.model_dump_json().encode() if record.correction else None
    _, block = _made(key_of(seed_of(view), packed(record), said), record, view)
    _keep(ledger, day, view, block)


def _made(key: bytes, record: CommitRecord, view: View) -> tuple[Entry, list[bytes]]:
    """An entry, and its block; none while it is not analysed: it will look otherwise soon."""
    entry = entry_from_record(record)
    if record.analysis is None:
        return entry, []
    parts = kept_parts(view, entry)
    entry.__dict__["kept"] = parts
    return entry, [block_of(key, entry, parts)]


def _keep(ledger: Fragments, day: date, view: View, made: Sequence[bytes]) -> None:
    if not made:
        return
    try:
        ledger.keep_fragments(view.repository, day, made)
    except RedisError as error:  # they only save time
        log.warning("fragments_not_kept", repository=view.repository, day=str(day), reason=type(error).__name__)
