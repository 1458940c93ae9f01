"""What a kept report goes on telling when the records of its commits have expired; pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from report.daily import DailyReport, Entry
from report.figures import Tiers

if TYPE_CHECKING:
    from report.daily import Member


def expired_entries(kept: DailyReport, expired: Collection[str]) -> tuple[Entry, ...]:
    """The entries of a kept report in which a commit is shown whose record has expired, given as shas."""
    return tuple(entry for entry in kept.entries if any(commit.sha in expired for commit in (entry, *entry.folded)))


def alone(kept: DailyReport, sha: str) -> DailyReport | None:
    """A kept report with nothing but one of its commits, for that commit's page; None when it does not tell of it."""
    found = next((commit for commit in kept.commits if commit.sha == sha), None)
    if found is None:
        return None
    entry = found if isinstance(found, Entry) else _unfolded(found)
    counts = Tiers(**{entry.tier.value: 1})
    return kept.model_copy(update={"entries": (entry,), "tiers": counts})


def _unfolded(member: Member) -> Entry:
    return Entry.model_validate(dict(member))
