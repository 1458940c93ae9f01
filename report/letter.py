"""DailyReport → a mail: subject, plain text and HTML that mail programs show as it is; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.models import Tier
from report import storylines, wording
from report.changes_words import Row, shown
from report.highlights import Highlight
from report.html import page
from report.labels import Labels, labels
from report.markdown import TIER_MARKS
from report.prose import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from report.daily import DailyReport, Entry
    from report.wording import Field

# Mail programs fold what is over about 100 KB; the whole is on the page.
MOST_ENTRIES = 100


@dataclass(frozen=True)
class Letter:
    """What is mailed of a day. `name` is the same for every revision of the day, `list_name` for every day."""

    name: str
    list_name: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Points:
    """A list above the commits: what matters most, or what changed for users."""

    mark: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One tier of a letter: its title, its commits, and how many more there are."""

    tier: Tier
    title: str
    entries: tuple[Entry, ...]
    more: str


def letter(report: DailyReport, page_url: str | None) -> Letter:
    """The mail of a day's report; `page_url` is where the whole page is, if anywhere."""
    words = labels(report.language)
    title = f"{words.word('title', day=report.day)} · {report.repository}"
    lines, points, sections = [*_numbers(report, words)], [*_points(report, words)], _sections(report, words)
    html = page("mail.html", report.language, title, (), report=report, lines=lines, points=points,
                sections=sections, page_url=page_url, mail_fields=mail_fields)  # fmt: skip
    list_name = f"{report.repository.replace('/', '.').lower()}.daybook"
    text = "\n".join(_text(report, [title, "", *lines], points, sections, page_url, words)) + "\n"
    return Letter(f"{report.day}.{list_name}", list_name, title, text, html)


def mail_fields(report: DailyReport, entry: Entry, words: Labels) -> list[Field]:
    """What a mail says of a commit: of a low one its summary alone."""
    shown = wording.fields(report.view, entry, words)
    return [field for field in shown if field.key == "summary_low"] if entry.tier is Tier.LOW else shown


def _numbers(report: DailyReport, words: Labels) -> Iterator[str]:
    counts = [words.word("commits", n=report.coverage.total)]
    if report.entries:
        counts += [
            words.word("tier_count", mark=TIER_MARKS[tier], tier=wording.tier_name(tier, words), n=report.count(tier))
            for tier in Tier
        ]
    yield " | ".join(counts)
    if report.entries:
        yield wording.coverage(report, words)
        yield from wording.day_notes(report, words)
    yield from wording.source_notes(report, words)


def _points(report: DailyReport, words: Labels) -> Iterator[Points]:
    if report.highlights:
        yield Points("✨", words.word("highlights"), tuple(_highlight(line, words) for line in report.highlights))
    if report.compatibility:
        some, more = shown(report.compatibility, words)
        rest = (words.word("changes_more", n=more),) if more else ()
        yield Points("🔧", words.word("compatibility_table"), (*(_change(row, words) for row in some), *rest))


def _highlight(line: Highlight, words: Labels) -> str:
    shas = words.word("list_separator").join(f"`{sha[:7]}`" for sha in line.shas)
    return words.word("highlights_commits", text=line.text, commits=shas)


def _change(row: Row, words: Labels) -> str:
    shas = words.word("list_separator").join(f"`{step.sha[:7]}`" for step in row.steps)
    return f"{row.action} · {row.kind}{words.word('colon')}{row.text} ({shas})"


def _sections(report: DailyReport, words: Labels) -> list[Section]:
    found, left = [], MOST_ENTRIES
    for tier in Tier:
        if group := report.group(tier):
            shown, rest = group[:left], group[left:]
            left -= len(shown)
            title = f"{words.word(f'group_{tier}')} ({report.count(tier)})"
            found.append(Section(tier, title, shown, words.word("mail_more", n=len(rest)) if rest else ""))
    return found


def _text(
    report: DailyReport,
    lines: list[str],
    points: list[Points],
    sections: list[Section],
    page_url: str | None,
    words: Labels,
) -> Iterator[str]:
    yield from map(clean, lines)
    if page_url:
        yield f"{words.word('mail_page')}{words.word('colon')}{page_url}"
    for some in points:
        yield from ("", f"{some.mark} {some.title}", "=" * 40)
        yield from (f"- {clean(line)}" for line in some.lines)
    for section in sections:
        yield from ("", f"{TIER_MARKS[section.tier]} {section.title}", "=" * 40)
        for entry in section.entries:
            yield from _entry(report, entry, words)
        if section.more:
            yield from ("", section.more)


def _entry(report: DailyReport, entry: Entry, words: Labels) -> Iterator[str]:
    yield from ("", f"* {clean(entry.title)}")
    identity = [report.origin.commit(entry.sha) or entry.sha[:7], clean(entry.author), *wording.sizes(entry, words)]
    yield f"  {' | '.join(filter(None, identity))}"
    for note in (*storylines.notes(entry, words), *wording.notes(entry, words)):
        yield f"  > {clean(note)}"
    for field in mail_fields(report, entry, words):
        yield f"  {field.label}{words.word('colon')}{clean(field.text)}".rstrip()
        yield from (f"    - {clean(item)}" for item in field.items)
        yield from (f"    - {clean(name)}{words.word('colon')}{clean(text)}" for name, text in field.rows)
