"""Several commits in one notice: a burst, a morning's summary, and a day's digest; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from core.models import Tier
from report import wording
from report.changes_words import rows
from report.daily import entry_from_record
from report.labels import labels
from workers.notices import (
    LINE_LIMIT,
    TIER_MARKS,
    Line,
    Notice,
    Part,
    change_words,
    commit_link,
    page_link,
    reverted_by,
)
from workers.sentences import cut

if TYPE_CHECKING:
    from core.models import CommitRecord
    from core.settings import Settings
    from report.daily import DailyReport
    from report.labels import Labels
    from workers.notices import Reverted

MOST_COMMITS: Final = 20  # in a list, each with its link
MOST_HIGH: Final = 10  # in a digest
MOST_CHANGES: Final = 8
TITLE_LIMIT: Final = 100


def list_notice(
    records: Sequence[CommitRecord],
    settings: Settings,
    *,
    morning: bool = False,
    mention: Sequence[str] = (),
    reverts: Mapping[str, Sequence[Reverted]] = MappingProxyType({}),
) -> Notice:
    """One or more commits by tier, within a tier in the order given; of many, the most important ones and a count.

    `morning`: they waited for the end of quiet hours; else they are many at once.
    `reverts` is by whom a commit was taken back, by its id.
    """
    names = list(dict.fromkeys(record.commit.repository for record in records))
    words = labels(settings.language_of(names[0]))
    places = names[0] if len(names) == 1 else words.word("notify_places", n=len(names))
    return Notice(
        kind="list",
        id=tuple(record.commit.id for record in records),
        language=words.language,
        headline=words.word("notify_morning" if morning else "notify_burst", n=len(records), places=places),
        page=_list_page(records, names, settings),
        fields=tuple(_tiers(records, settings, words, reverts, several=len(names) > 1)),
        mention=tuple(mention),
    )


def digest_notice(report: DailyReport, settings: Settings) -> Notice:
    """A day's report in a few lines: counts, highlights, high commits, compatibility changes, coverage, link."""
    words = labels(report.language)
    page = page_link(settings, f"{report.repository}/{report.day}")
    said = [*wording.source_notes(report, words)]
    if report.entries:
        said = [wording.coverage(report, words), *wording.day_notes(report, words), *said]
    return Notice(
        kind="digest",
        id=(f"{report.repository} {report.day}",),
        language=words.language,
        headline=f"{words.word('title', day=report.day)} · {report.repository}",
        link=page,
        page=page,
        facts=tuple(_counts(report, words)),
        notes=tuple(cut(note, 2 * LINE_LIMIT) for note in said),
        fields=tuple(
            part for part in (_highlights(report, words), _high(report, words), _changes(report, words)) if part
        ),
    )


def _list_page(records: Sequence[CommitRecord], names: Sequence[str], settings: Settings) -> str | None:
    """The page that has them all; none when they are of several days of several repositories."""
    days = {record.commit.landed_at.astimezone(settings.zone).date() for record in records}
    if len(days) == 1:
        day = days.pop().isoformat()
        return page_link(settings, f"{names[0]}/{day}" if len(names) == 1 else day)
    return page_link(settings, names[0]) if len(names) == 1 else None


def _tiers(
    records: Sequence[CommitRecord],
    settings: Settings,
    words: Labels,
    reverts: Mapping[str, Sequence[Reverted]],
    *,
    several: bool,
) -> Iterator[Part]:
    left = MOST_COMMITS
    for tier in Tier:
        if group := [record for record in records if record.tier is tier]:
            shown, rest = group[:left], len(group[left:])
            left -= len(shown)
            lines = tuple(_line(one, settings, words, reverts.get(one.commit.id, ()), several=several) for one in shown)
            label = words.word("notify_tier", mark=TIER_MARKS[tier], tier=wording.tier_name(tier, words), n=len(group))
            yield Part(label, lines, words.word("lines_more", n=rest) if rest else "")


def _line(
    record: CommitRecord, settings: Settings, words: Labels, reverts: Sequence[Reverted], *, several: bool
) -> Line:
    title = cut(entry_from_record(record).title, TITLE_LIMIT)
    place = f"{record.commit.repository}: " if several else ""
    said = [reverted_by(one, one.by.sha[:7], words) for one in reverts]
    return Line(" · ".join((f"{place}{title}", *said)), commit_link(settings, record.commit))


def _counts(report: DailyReport, words: Labels) -> Iterator[str]:
    """Nothing of an empty day: whether nothing landed, or nothing is known, the notes say."""
    if not report.entries:
        return
    yield words.word("commits", n=report.coverage.total)
    for tier in Tier:
        name = wording.tier_name(tier, words)
        yield words.word("tier_count", mark=TIER_MARKS[tier], tier=name, n=report.count(tier))


def _highlights(report: DailyReport, words: Labels) -> Part | None:
    lines = tuple(
        Line(cut(highlight.text, LINE_LIMIT), report.origin.commit(highlight.shas[0]), highlight.shas[0][:7])
        for highlight in report.highlights
    )
    return Part(words.word("highlights"), lines) if lines else None


def _high(report: DailyReport, words: Labels) -> Part | None:
    found = report.group(Tier.HIGH)
    if not found:
        return None
    label = f"{TIER_MARKS[Tier.HIGH]} {words.word('group_high')}"
    lines = tuple(Line(cut(entry.title, TITLE_LIMIT), report.origin.commit(entry.sha)) for entry in found[:MOST_HIGH])
    return Part(label, lines, _rest(len(found) - MOST_HIGH, words))


def _changes(report: DailyReport, words: Labels) -> Part | None:
    found = rows(report.compatibility, words)
    if not found:
        return None
    lines = tuple(
        Line(
            cut(change_words(row.action, row.kind, row.text, words), LINE_LIMIT),
            report.origin.commit(row.steps[0].sha),
            row.steps[0].sha[:7],
        )
        for row in found[:MOST_CHANGES]
    )
    return Part(words.word("compatibility_table"), lines, _rest(len(found) - MOST_CHANGES, words))


def _rest(n: int, words: Labels) -> str:
    return words.word("lines_more", n=n) if n > 0 else ""
