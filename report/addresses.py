"""Where a page finds a commit that is shown on the same page, on another day's, or on one of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from report.daily import DailyReport
    from report.stories import Relation

# The address of a related commit as seen from a report's page; None: it has none, and the name alone is shown.
Address = Callable[["DailyReport", "Relation"], str | None]


def served(report: DailyReport, relation: Relation) -> str:
    """Among the pages of the site: `/OWNER/REPO/DAY`, and `/DAY` of all repositories, which has the same anchors."""
    place = f"#{report.anchor(relation)}"
    return place if relation.day == report.day else f"{relation.day}{place}"


def served_markdown(report: DailyReport, relation: Relation) -> str:
    """The same among the site's pages in Markdown, which lie in one folder whatever their year."""
    place = f"#{report.anchor(relation)}"
    return place if relation.day == report.day else f"{relation.day}.md{place}"


def beside(ending: Literal[".md", ".html"]) -> Address:
    """Among the files `YYYY/OWNER/REPO/YYYY-MM-DD` with this ending."""

    def address(report: DailyReport, relation: Relation) -> str:
        place = f"#{report.anchor(relation)}"
        if relation.day == report.day:
            return place
        folder = "" if relation.day.year == report.day.year else f"../../../{relation.day.year}/{report.repository}/"
        return f"{folder}{relation.day}{ending}{place}"

    return address


MARKDOWN_FILES, HTML_FILES = beside(".md"), beside(".html")


def single(_: DailyReport, relation: Relation) -> str:
    """Among the pages `/OWNER/REPO/commit/SHA`."""
    return relation.sha
