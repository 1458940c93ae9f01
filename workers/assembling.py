"""A day's report from what the ledger has of it, and what it takes to make it: no outside service, few modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from core.ledger import day_bounds
from core.ledger.fragments import FORMS
from core.log import Log
from core.undisturbed import undisturbed
from report.daily import DailyReport, Entry, Rewrite, assemble
from report.expired import expired_entries
from report.highlights import Written
from report.json import count_from_json, outline_from_json, report_from_json, report_json
from report.labels import labels
from report.reading import entries_of_day, view_for
from report.trend import DayCount, first_day

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from core.ledger import Asked, Ledger
    from core.ledger.fragments import Form
    from core.settings import Settings
    from report.json import Outline
    from report.table import Table

log = Log()


@undisturbed()
def assembled(
    ledger: Ledger,
    settings: Settings,
    repository: str,
    day: date,
    forms: Sequence[Form] = FORMS,
    *,
    closing: bool = True,
) -> DailyReport:
    """A day's report as the ledger has it now; where it says anything new, one revision up from the kept one.

    `forms` are those that it is wanted in: how its commits are shown in them is read with them. A day of which no
    report is kept yet is closed with this one; without `closing` it is only looked at, and the report says so.
    """
    kept = ledger.report(repository, day)
    before = outline_from_json(kept) if kept else None
    asked = ledger.asked(repository, day)
    compared: Sequence[Form] = ("json",) if before else ()
    entries = entries_of_day(ledger, day, view_for(settings, repository), {*forms, *compared})
    report = assemble(
        entries,
        repository=repository,
        day=day,
        timezone=settings.report_timezone,
        language=settings.language_of(repository),
        revision=before.revision if before else 1,
        web_url=settings.web_url(repository),
        source_ok=asked is None or asked.ok,
        asked=_asked_in_words(settings, repository, asked) if asked else "",
        rewrites=_rewrites(ledger, repository, day),
        earlier=_earlier_counts(ledger, repository, day),
        still_open=not closing and kept is None and _may_get_more(ledger, repository, day, entries),
        elsewhere=ledger.kin_of(repository, entries.looked_up()),
        written=kept_highlights(ledger, repository, day),
        expired=_expired(ledger, repository, kept, before, entries) if kept and before else (),
    )
    if before is None or report_json([report]) == kept:
        return report
    return report.model_copy(update={"revision": before.revision + 1})


def _may_get_more(ledger: Ledger, repository: str, day: date, entries: Table) -> bool:
    """Whether a day without a report will get one: quiet days do from the one on when the repository was heard of."""
    return bool(entries) or day >= ledger.day_of(ledger.first_seen(repository))


def _expired(ledger: Ledger, repository: str, kept: bytes, before: Outline, entries: Table) -> tuple[Entry, ...]:
    """What only the kept report still tells of its commits."""
    lacking = sorted(set(before.shas).difference(entries.column("sha")))
    gone = ledger.past(repository, lacking)
    return expired_entries(report_from_json(kept), gone) if gone else ()


def _earlier_counts(ledger: Ledger, repository: str, day: date) -> list[DayCount]:
    """The counts of the month before a day, by the reports that are kept of it."""
    days = [other for other in ledger.report_days(repository) if first_day(day) <= other < day]
    known = ledger.tier_counts(repository, days)
    found = [DayCount(day=other, high=high, medium=medium, low=low) for other, (high, medium, low) in known.items()]
    before = [other for other in days if other not in known]  # reports of a version that did not keep them
    return [*found, *(count_from_json(kept) for kept in ledger.reports(repository, before) if kept)]


def _asked_in_words(settings: Settings, repository: str, asked: Asked) -> str:
    if not asked.branches:
        return ""
    at = asked.at.astimezone(settings.zone)
    return labels(settings.language_of(repository)).word(
        "asked_branches",
        source=asked.source,
        repository=repository,
        branches=", ".join(asked.branches),
        at=f"{at:%Y-%m-%d %H:%M}",
        timezone=settings.report_timezone,
    )


def _rewrites(ledger: Ledger, repository: str, day: date) -> tuple[Rewrite, ...]:
    pushes = ledger.forced_pushes(repository, *day_bounds(day, ledger.zone))
    return tuple(
        Rewrite(branch=push.branch, before=push.before, after=push.after, replaced=ledger.replaced(repository, push)[1])
        for push in pushes
    )


def kept_highlights(ledger: Ledger, repository: str, day: date) -> Written | None:
    """What the model wrote of a day, if it was asked."""
    document = ledger.highlights(repository, day)
    try:
        return Written.model_validate_json(document, extra="ignore") if document else None
    except ValidationError:  # its text quotes what is stored; the model is asked again
        log.warning("highlights_damaged", repository=repository, day=str(day))
        return None
