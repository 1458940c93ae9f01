"""What changed between two points → the HTML page of the site, also where there is nothing to show but how to ask."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from core.models import Language
from report.changes_words import address, notes, rows
from report.html import Link, page
from report.labels import Labels, labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report.changes_between import Between

_SPANS = (7, 30, 90)


def changes_page(
    repository: str,
    language: Language,
    *,
    found: Between | None = None,
    fault: str = "",
    asked: tuple[str, str] = ("", ""),
    last: date | None = None,
    today: date | None = None,
    navigation: Sequence[Link] = (),
) -> str:
    """The page of `found`, or of what was wrong with what was `asked`.

    Stretches of days up to `today` are offered where `last`, the last day that has a report, is among them.
    """
    words = labels(language)
    title = words.word("between_title", repository=repository)
    return page(
        "changes.html",
        language,
        title,
        navigation,
        repository=repository,
        fault=fault,
        asked=asked,
        found=found,
        notes=notes(found, words) if found else [],
        rows=rows(found.changes, words) if found else [],
        recent=_recent(repository, last, today, words) if last and today else [],
    )


def _recent(repository: str, last: date, today: date, words: Labels) -> list[tuple[str, str]]:
    """Stretches that end with today: what they are called, and their address."""
    begun = [(span, today - timedelta(days=span - 1)) for span in _SPANS]
    return [
        (words.word("between_recent", n=span), address(repository, str(first), str(today)))
        for span, first in begun
        if first <= last
    ]
