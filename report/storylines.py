"""What every view says of a commit's story, in the page's language; plain text that the view still has to escape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.models import Tier
from report.prose import cut_title
from report.stories import PART

if TYPE_CHECKING:
    from report.addresses import Address
    from report.daily import DailyReport, Entry, Member
    from report.labels import Labels
    from report.stories import Relation
    from report.view import View

_SLOT = "\x00"  # in no text that is cleaned


@dataclass(frozen=True)
class StoryLine:
    """`before`, the commit by its title, linked to `address` if it has one, its sha, `after`."""

    before: str
    title: str
    address: str | None
    sha: str
    after: str


def story_lines(report: DailyReport, entry: Entry, address: Address, labels: Labels) -> list[StoryLine]:
    """One line for each commit that an entry has to do with, beside those that it shows itself."""
    return [_line(report, relation, address, labels) for relation in entry.relations]


def _line(report: DailyReport, relation: Relation, address: Address, labels: Labels) -> StoryLine:
    key = f"story_{relation.kind}"
    if relation.detail == PART:
        key, detail = f"{key}_{PART}", ""
    else:
        detail = relation.detail
    before, _, after = labels.word(key, commit=_SLOT, detail=detail).partition(_SLOT)
    day = labels.word("story_day", day=relation.day) if relation.day != report.day else ""
    title = cut_title(relation.title) or relation.sha[:7]
    return StoryLine(before, title, address(report, relation), relation.sha[:7], after + day)


def notes(entry: Entry, labels: Labels) -> list[str]:
    """That several commits are shown as one, and why."""
    return [labels.word("cancelled_note", n=1 + len(entry.folded))] if entry.folded else []


def why(entry: Entry, labels: Labels) -> str:
    """Why what cancels out is filed low, and as what it was judged by itself."""
    judged = max((one.judged for one in (entry, *entry.folded)), key=lambda tier: tier.rank)
    text = labels.word("cancelled_why")
    if judged is Tier.LOW:
        return text
    return labels.word("reason_separator").join([text, labels.word("cancelled_from", tier=labels.tiers[judged])])


def committed(view: View, member: Member) -> str:
    """When a commit of an entry was made, in the report's time zone."""
    return member.committed_at.astimezone(view.zone).strftime("%Y-%m-%d %H:%M:%S")
