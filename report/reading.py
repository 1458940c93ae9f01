"""A day's commits out of the ledger as entries: from what was kept of each, else from its record, and kept then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from redis import RedisError

from core.ledger.fragments import FORMS
from core.ledger.packing import packed, unpacked
from core.log import Log
from core.redis_connections import briefly
from core.undisturbed import undisturbed
from report.daily import Entry, entry_from_record, web_site
from report.fragments import fragment_of, made_by, made_from
from report.lines import columns_from
from report.shelf import bytes_of, rows_on, shelf_from, stretches
from report.table import Rows, Table
from report.view import view_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from core.ledger.fragments import Form, Fragment, StoredDay, Stretch
    from core.models import CommitRecord
    from core.settings import Settings
    from report.shelf import Stored
    from report.view import View

log = Log()


class Fragments(Protocol):
    """Where days and fragments lie; `core.ledger.Ledger` is one."""

    def stored_day(self, repository: str, day: date, made_by: str) -> StoredDay:
        """All that a day's report is made of."""

    def stored_forms(
        self, repository: str, day: date, made_by: str, numbers: bytes, asked: Mapping[Form, Sequence[Stretch]]
    ) -> Mapping[Form, Sequence[bytes]]:
        """Stretches of a day's fragments in some forms; nothing when these do not begin with the numbers any more."""

    def keeps_fragments(self, day: date) -> bool:
        """Whether a day is of an age of which fragments are kept."""

    def keep_fragments(
        self, repository: str, day: date, made_by: str, fragments: Sequence[Fragment], *, anew: bool = ...
    ) -> bool:
        """Add fragments to those of a day, or put them in their place."""


@undisturbed()
def entries_of_day(ledger: Fragments, day: date, view: View, forms: Collection[Form] = FORMS) -> Table:
    """The commits that landed on a day of a view's repository, oldest first.

    Those that were finished bring with them how they are shown in some forms; in any other they are rendered when they
    are asked for. Raises redis.RedisError.
    """
    found = ledger.stored_day(view.repository, day, made_by(view))
    rows = zip(found.shas, found.records, found.corrections, strict=True)
    stored = {sha: (record, said) for sha, record, said in rows if record}
    sources = {made_from(sha, *item): sha for sha, item in stored.items()}
    try:
        known = _kept(ledger, day, view, found, stored, sources, forms)
        whole = True
    except (ValueError, TypeError):  # as no writer leaves it
        known, whole = Rows(0, {}, lambda row: row), False
    kept = set(known.columns.get("sha", ()))
    new = [item for item in sources.items() if item[1] not in kept]
    made = [_made(source, unpacked(f"{view.repository}@{sha}", *stored[sha]), view) for source, sha in new]
    _keep(ledger, day, view, [fragment for _, fragments in made for fragment in fragments], anew=not whole)
    return Table.by_rows(known.followed_by([entry for entry, _ in made])).in_order_of(sources.values())


def _kept(
    ledger: Fragments,
    day: date,
    view: View,
    found: StoredDay,
    stored: Mapping[str, Stored],
    sources: Mapping[bytes, str],
    forms: Collection[Form],
) -> Rows:
    """The commits that are kept; `sources` are the shas by what is known to have made them.

    Raises ValueError or TypeError for fragments that nobody wrote so.
    """
    columns = columns_from(found.numbers, found.words)
    if any(bytes_of(columns, form) != size for form, size in found.bytes_of.items()):
        raise ValueError("more or less is kept than was written")
    shas = [sources.get(source) for source in columns["made_from"]]
    asked = {form: stretches(columns, form) for form in forms} if shas else {}
    read = ledger.stored_forms(view.repository, day, made_by(view), found.numbers, asked)
    return rows_on(shelf_from(view, columns, found.rest, read, stored), columns, shas)


def view_for(settings: Settings, repository: str) -> View:
    """How a repository's commits are shown by these settings."""
    site = web_site(settings.web_url(repository), repository)
    return view_of(repository, settings.report_timezone, settings.language_of(repository), site)


def keep_finished(ledger: Fragments, record: CommitRecord, view: View) -> None:
    """Keep how a commit is shown whose record was just written, so that its day's page needs only to be joined.

    A correction is stored by itself; when it is not written as it was read, the page does without what is kept here.
    Of a day that is too old for it, nothing is rendered.
    """
    day = record.commit.landed_at.astimezone(view.zone).date()
    if not ledger.keeps_fragments(day):
        return
    said = record.correction.model_dump_json().encode() if record.correction else None
    _, fragments = _made(made_from(record.commit.sha, packed(record), said), record, view)
    _keep(ledger, day, view, fragments)


def _made(source: bytes, record: CommitRecord, view: View) -> tuple[Entry, list[Fragment]]:
    """An entry, and its fragment; none while it is not analysed: it will look otherwise soon."""
    entry = entry_from_record(record)
    if record.analysis is None:
        return entry, []
    fragment, shelf = fragment_of(view, entry, source)
    entry.__dict__["kept"] = (shelf, 0)
    return entry, [fragment]


def _keep(ledger: Fragments, day: date, view: View, made: Sequence[Fragment], *, anew: bool = False) -> None:
    if not made:
        return
    try:
        ledger.keep_fragments(view.repository, day, made_by(view), made, anew=anew)
    except RedisError as error:  # they only save time
        log.warning("fragments_not_kept", repository=view.repository, day=str(day), reason=briefly(error))
