"""DailyReport → one HTML file that stands alone: no script, no request to anywhere."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from core.models import Language, Tier
from report import wording
from report.daily import Coverage, DailyReport, Entry, Tiers, anchor
from report.labels import labels
from report.prose import cut_title, html_text

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Link:
    """A link of the bar above a page of the site."""

    href: str
    text: str
    rel: str = ""


@dataclass(frozen=True)
class Day:
    """A line of the archive."""

    day: date
    tiers: dict[Tier, int]
    coverage: Coverage


@dataclass(frozen=True)
class Shelf:
    """A repository in the archive: its latest days with their numbers, and the dates of the earlier ones."""

    repository: str
    days: tuple[Day, ...]
    earlier: tuple[date, ...] = ()


def html_page(
    reports: Sequence[DailyReport], *, navigation: Sequence[Link] = (), language: Language | None = None
) -> str:
    """The page of one or several repositories of one day; each repository speaks its own language.

    `navigation` is for a page that is served by the site, `language` for what surrounds the repositories (the first
    one's when it is not given).
    Raises ValueError when there is no report or they are of different days.
    """
    if len({report.day for report in reports}) != 1:
        raise ValueError("the reports of one day make a page")
    language = language or reports[0].language
    heading = labels(language).word("title", day=reports[0].day)
    title = " · ".join([heading, *(report.repository for report in reports[:3])])
    sections = [(report, labels(report.language)) for report in reports]
    return _page("report.html", language, title, navigation, heading=heading, sections=sections)


def commit_page(report: DailyReport, *, navigation: Sequence[Link] = ()) -> str:
    """The page of one commit: the only entry of `report`."""
    (entry,) = report.entries
    title = f"{cut_title(entry.title)} · {report.repository}"
    return _page("commit.html", report.language, title, navigation, report=report, entry=entry)


def archive_page(shelves: Sequence[Shelf], days: Sequence[date], language: Language) -> str:
    """The archive; `days` are those of any repository, newest first."""
    title = labels(language).word("archive_title")
    return _page("archive.html", language, title, (), shelves=shelves, days=days)


def notice_page(kind: str, language: Language) -> str:
    """A page that says why there is no page: `not_found`, `unauthorised`, `throttled`, `closed` or `unavailable`."""
    heading = labels(language).word(kind)
    return _page("notice.html", language, heading, (), heading=heading, text=labels(language).word(f"{kind}_text"))


def tier_numbers(tiers: Tiers) -> dict[Tier, int]:
    """The counts of a day by tier."""
    return {tier: getattr(tiers, tier.value) for tier in Tier}


@cache
def content_security_policy() -> str:
    """What a page may load: its own style, known by its hash, and nothing else."""
    digest = b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


@cache
def _style() -> Markup:
    # Ours alone, and without `<`: safe to stand inside <style>.
    return Markup(files("report").joinpath("templates/style.css").read_text("utf-8"))  # noqa: S704


def _page(template: str, language: Language, title: str, navigation: Sequence[Link], **values: object) -> str:
    return (
        _templates()
        .get_template(template)
        .render(
            words=labels(language),
            title=title,
            navigation=navigation,
            policy=content_security_policy(),
            style=_style(),
            **values,
        )
    )


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.globals.update(TIERS=tuple(Tier), anchor=anchor, wording=wording, counts=_counts)
    templates.filters.update(prose=html_text, cut=cut_title, when=_when, moment=_moment)
    return templates


def _counts(report: DailyReport) -> dict[Tier, int]:
    return tier_numbers(report.tiers)


def _when(entry: Entry, zone: tzinfo) -> str:
    return entry.committed_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _moment(entry: Entry, zone: tzinfo) -> str:
    return entry.committed_at.astimezone(zone).isoformat(timespec="seconds")
