"""DailyReport → one HTML file that stands alone: no request to anywhere, and whole without its one small script."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from core.models import Language, Tier
from core.undisturbed import undisturbed
from report import changes_words, charts, storylines, wording
from report.addresses import HTML_FILES, Address, served, single
from report.daily import DailyReport, Entry, Member
from report.figures import Tiers
from report.filters import filters
from report.highlights import LINKS_SHOWN
from report.html_entries import Entries, HtmlParts, Macro, parts_by
from report.labels import labels
from report.prose import cut_title, html_text
from report.view import anchor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from report.view import View


@dataclass(frozen=True)
class Link:
    """A link of the bar above a page of the site."""

    href: str
    text: str
    rel: str = ""
    type: str = ""  # the media type of what it leads to; such a link is told to the browser too


def html_page(
    reports: Sequence[DailyReport],
    *,
    navigation: Sequence[Link] = (),
    language: Language | None = None,
    address: Address | None = None,
    lacking: Sequence[str] = (),
) -> str:
    """The page of one or several repositories of one day; each repository speaks its own language.

    `navigation` is for a page that is served by the site, `language` for what surrounds the repositories (the first
    one's when it is not given), `address` where the commits lie that a commit's story speaks of (when it is not given:
    on the site for a page that is served, else in files beside this one), `lacking` the repositories whose report
    cannot be read.
    Raises ValueError when there is no report or they are of different days.
    """
    return html_bytes(reports, navigation=navigation, language=language, address=address, lacking=lacking).decode()


@undisturbed()
def html_bytes(
    reports: Sequence[DailyReport],
    *,
    navigation: Sequence[Link] = (),
    language: Language | None = None,
    address: Address | None = None,
    lacking: Sequence[str] = (),
) -> bytes:
    """What `html_page` gives, in UTF-8, as it is kept, served and written."""
    if len({report.day for report in reports}) != 1:
        raise ValueError("the reports of one day make a page")
    language = language or reports[0].language
    heading = labels(language).word("title", day=reports[0].day)
    title = " · ".join([heading, *(report.repository for report in reports[:3])])
    found = filters(reports, labels(language))
    entries = Entries(_macros(), reports, found.marks, address or (served if navigation else HTML_FILES))
    around = page(
        "day.html" if lacking or len(reports) > 1 else "report.html",
        language,
        title,
        navigation,
        heading=heading,
        lacking=lacking,
        sections=[(report, labels(report.language)) for report in reports],
        filters=found,
        entries=entries,
    )
    return entries.filled_into(around)


def html_parts(view: View, entry: Entry) -> HtmlParts:
    """An entry's parts as they are for itself and those that it holds, whatever its marks and relations are."""
    return parts_by(_macros(), view, entry)


def commit_page(report: DailyReport, *, navigation: Sequence[Link] = ()) -> str:
    """The page of one commit: the only entry of `report`."""
    (entry,) = report.entries
    title = f"{cut_title(entry.title)} · {report.repository}"
    return page("commit.html", report.language, title, navigation, report=report, entry=entry, address=single)


def notice_page(kind: str, language: Language, text: str = "") -> str:
    """A page that says why there is no page: `not_found`, `ambiguous`, `damaged`, `closed` …: a key of the labels.

    Without a `text` it is the kind's own.
    """
    heading = labels(language).word(kind)
    text = text or labels(language).word(f"{kind}_text")
    return page("notice.html", language, heading, (), heading=heading, text=text)


def tier_numbers(tiers: Tiers) -> dict[Tier, int]:
    """The counts of a day by tier."""
    return {tier: getattr(tiers, tier.value) for tier in Tier}


@cache
def content_security_policy() -> str:
    """What a page may load: its own styles and script, each known by its hash, and nothing else."""
    style, archive, script = (f"'sha256-{_digest(_part(name))}'" for name in ("style.css", "archive.css", "script.js"))
    own = f"style-src {style} {archive}; script-src {script}"
    return f"default-src 'none'; {own}; img-src data:; base-uri 'none'; form-action 'self'"


def _digest(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _part(name: str) -> Markup:
    # Ours alone, and without `<`: safe to stand inside <style> and <script>.
    return Markup(files("report").joinpath(f"templates/{name}").read_text("utf-8"))  # noqa: S704


def page(template: str, language: Language, title: str, navigation: Sequence[Link], **values: object) -> str:
    """A page from a template of templates/; what surrounds its body is in `language`."""
    return (
        _templates()
        .get_template(template)
        .render(
            words=labels(language),
            title=title,
            navigation=navigation,
            policy=content_security_policy(),
            style=_part("style.css"),
            archive_style=_part("archive.css"),
            script=_part("script.js"),
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
    templates.globals.update(LINKS_SHOWN=LINKS_SHOWN, STEPS_SHOWN=changes_words.STEPS_SHOWN, TIERS=tuple(Tier),
                             anchor=anchor, changes_words=changes_words, charts=charts, counts=_counts,
                             storylines=storylines, tier_numbers=tier_numbers, wording=wording)  # fmt: skip
    templates.filters.update(prose=html_text, cut=cut_title, when=_when, moment=_moment)
    return templates


@cache
def _macros() -> Mapping[str, Macro]:
    """What pages share, to be called by itself."""
    return vars(_templates().get_template("parts.html").module)


def load_templates() -> None:
    """Compile at once what a day's page is made from, 0.2 s of work, for processes that are forked afterwards."""
    for name in ("day.html", "report.html", "layout.html", "find.html", "changes_parts.html"):
        _templates().get_template(name)
    _macros()


def _counts(report: DailyReport) -> dict[Tier, int]:
    return tier_numbers(report.tiers)


def _when(entry: Member, zone: tzinfo) -> str:
    return entry.committed_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _moment(entry: Member, zone: tzinfo) -> str:
    return entry.committed_at.astimezone(zone).isoformat(timespec="seconds")
