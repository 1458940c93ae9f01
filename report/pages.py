"""What the handlers of pages have in common: the ledger, the settings, the clock, and the bar above a page."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from flask import abort

from report.feed import MEDIA_TYPE
from report.html import Link
from report.labels import labels
from report.trend import DayCount

if TYPE_CHECKING:
    from core.settings import Settings
    from report.bounded import Bounded
    from report.digest import DaySummary
    from report.history import Archive, Histories


RENDERED_BYTES = 32 * 1024 * 1024  # of pages kept in one process


@dataclass(frozen=True)
class Pages:
    """The base of the handlers; one method of theirs per route."""

    ledger: Archive
    settings: Settings
    histories: Histories
    clock: Callable[[], datetime]
    rendered: Bounded[bytes]

    def once(self, key: Hashable | None, render: Callable[[], bytes]) -> bytes:
        """A page's bytes, rendered unless they were; `key` names their version, None what may differ the next time."""
        body = self.rendered.get(key) if key else None
        if body is None:
            body = render()
            if key:
                self.rendered.put(key, body)
        return body

    def today(self) -> date:
        """The report day that is not over yet."""
        return self.clock().astimezone(self.settings.zone).date()

    def names(self) -> list[str]:
        """All repositories, as a reader looks for them."""
        return sorted(self.ledger.repositories(), key=str.lower)

    def known(self, owner: str, name: str) -> str:
        """The repository as the ledger spells it; an address may use any case, as on GitHub. Answers 404 for others."""
        wanted = f"{owner}/{name}".lower()
        return next((known for known in self.ledger.repositories() if known.lower() == wanted), "") or abort(404)

    def bar(self, *repository: str) -> list[Link]:
        """The links every page begins with: the archive, and the repository's calendar and feed."""
        links = [Link("/", labels(self.settings.report_language).word("archive"), "up")]
        for name in repository:
            links += [Link(f"/{name}", name, "up"), Link(f"/{name}/feed.atom", "Atom", "alternate", MEDIA_TYPE)]
        return links


def counts(summaries: Iterable[DaySummary]) -> tuple[DayCount, ...]:
    """The numbers of days as a chart takes them, oldest first."""
    found = (DayCount(day=one.day, **one.tiers.model_dump()) for one in summaries)
    return tuple(sorted(found, key=lambda count: count.day))
