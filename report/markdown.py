"""DailyReport → Markdown, for GitHub and for reading as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.models import Language, Tier
from report import storylines, wording
from report.addresses import MARKDOWN_FILES, Address
from report.changes_markdown import compatibility_part, highlights_part
from report.daily import DailyReport, Entry, anchor
from report.labels import Labels, labels
from report.prose import cut_title, markdown_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from report.daily import Member
    from report.storylines import StoryLine
    from report.wording import Field

TIER_MARKS = {Tier.HIGH: "🔴", Tier.MEDIUM: "🟡", Tier.LOW: "🟢"}
_FIELD_MARKS = {
    "types": "🎯",
    "importance": "⚡",
    "summary": "📋",
    "summary_low": "📋",
    "scope": "🎯",
    "insights": "🔍",
    "risks": "⚠️",
    "advice": "💡",
}
_NOBODY = "—"


def markdown(
    reports: Sequence[DailyReport], *, language: Language | None = None, address: Address = MARKDOWN_FILES
) -> str:
    """The page of one or several repositories of one day; each repository speaks its own language.

    `language` is that of the page's title (the first repository's when it is not given), `address` where the commits
    lie that a commit's story speaks of (by default: in files beside this one).

    Raises ValueError when there is no report or they are of different days.
    """
    if len({report.day for report in reports}) != 1:
        raise ValueError("the reports of one day make a page")
    title = labels(language or reports[0].language).word("title", day=reports[0].day)
    blocks = [f"# {title}"]
    for report in reports:
        blocks.extend(_repository(report, address, labels(report.language)))
    return "\n\n".join(blocks) + "\n"


def _repository(report: DailyReport, address: Address, words: Labels) -> Iterator[str]:
    yield _target(anchor("repository", report.repository))
    yield f"## {markdown_text(report.repository)}"
    if report.entries:
        yield _commit_table(report, words)
    yield _target(anchor("stats", report.repository))
    yield f"### 📊 {words.word('stats')}"
    yield _stats(report, words)
    if not report.entries:
        return
    yield from highlights_part(report, words)
    yield _target(anchor("contents", report.repository))
    yield f"### 📋 {words.word('contents')}"
    yield _contents(report, words)
    yield from compatibility_part(report, words)
    for tier in Tier:
        if group := report.group(tier):
            yield _target(anchor(tier.value, report.repository))
            yield f"### {_group_title(tier, report.count(tier), words)}"
            for entry in group:
                yield from _commit(report, entry, address, words)


def _target(name: str) -> str:
    return f'<a id="{name}"></a>'


def _group_title(tier: Tier, count: int, words: Labels) -> str:
    return f"{TIER_MARKS[tier]} {words.word(f'group_{tier}')} ({count})"


def _commit_table(report: DailyReport, words: Labels) -> str:
    columns = [words.word(f"column_{name}") for name in ("time", "author", "message")]
    lines = [f"| {' | '.join(columns)} |", "|----------|------|----------|"]
    for commit in report.commits:
        when = commit.committed_at.astimezone(report.zone).strftime("%Y-%m-%d %H:%M:%S")
        author = markdown_text(commit.author, cell=True) or _NOBODY
        lines.append(f"| {when} | {author} | {markdown_text(commit.title, report.origin, cell=True)} |")
    return "\n".join(lines)


def _stats(report: DailyReport, words: Labels) -> str:
    counts = [words.word("commits", n=report.coverage.total)]
    if report.entries:
        counts += [_tier_count(tier, report.count(tier), words) for tier in Tier]
    paragraphs = [" | ".join(counts), *map(markdown_text, wording.source_notes(report, words))]
    if report.entries:  # `0/0` would read as full coverage
        # Our own words and numbers: nothing to escape, and a dollar sign stays one in the plain text.
        paragraphs[1:1] = [wording.coverage(report, words), *wording.day_notes(report, words)]
    return "\n>\n".join(f"> {paragraph}" for paragraph in paragraphs)


def _tier_count(tier: Tier, count: int, words: Labels) -> str:
    return words.word("tier_count", mark=TIER_MARKS[tier], tier=wording.tier_name(tier, words), n=count)


def _contents(report: DailyReport, words: Labels) -> str:
    lines = [
        f"- [{markdown_text(report.repository)}](#{anchor('repository', report.repository)})",
        f"  - [📊 {words.word('stats')}](#{anchor('stats', report.repository)})",
    ]
    if report.highlights:
        lines.append(f"  - [✨ {words.word('highlights')}](#{anchor('highlights', report.repository)})")
    if report.compatibility:
        lines.append(f"  - [🔧 {words.word('compatibility_table')}](#{anchor('compatibility', report.repository)})")
    for tier in Tier:
        if group := report.group(tier):
            title = _group_title(tier, report.count(tier), words)
            lines.append(f"  - [{title}](#{anchor(tier.value, report.repository)})")
            lines.extend(_contents_line(report, entry, words) for entry in group)
    return "\n".join(lines)


def _contents_line(report: DailyReport, entry: Entry, words: Labels) -> str:
    mark = wording.mark(entry, words)
    link = f"    - [{markdown_text(cut_title(entry.title))}](#{report.anchor(entry)})"
    return f"{link} · {mark}" if mark else link


def _commit(report: DailyReport, entry: Entry, address: Address, words: Labels) -> Iterator[str]:
    yield "".join(_target(report.anchor(commit)) for commit in (entry, *entry.folded))
    yield f"#### {markdown_text(entry.title, report.origin)}"
    yield _identity(report, entry, words)
    if notes := [*storylines.notes(entry, words), *wording.notes(entry, words)]:
        yield "\n>\n".join(f"> {markdown_text(note, report.origin)}" for note in notes)
    yield from _story(report, entry, address, words)
    lines: list[str] = []
    for field in wording.fields(report, entry, words, TIER_MARKS[entry.tier]):
        if field.kind == "line":
            lines.append(_line(field, report, words))
        else:
            yield from _joined(lines)
            lines = []
            yield _block(field, report, words)
    yield from _joined(lines)
    yield "---"


def _story(report: DailyReport, entry: Entry, address: Address, words: Labels) -> Iterator[str]:
    """The other commits that are shown here, and those that have to do with them."""
    if entry.folded:
        others = "\n".join(f"- {_member(report, member, words)}" for member in entry.folded)
        yield f"**🧵 {words.word('cancelled_with')}**\n\n{others}"
    if lines := storylines.story_lines(report, entry, address, words):
        yield f"**🧵 {words.word('stories')}**\n\n" + "\n".join(f"- {_story_line(line)}" for line in lines)


def _member(report: DailyReport, member: Member, words: Labels) -> str:
    parts = [markdown_text(member.title, report.origin), _sha(report, member, words)]
    return " | ".join([*parts, markdown_text(member.author) or _NOBODY, storylines.committed(report, member)])


def _story_line(line: StoryLine) -> str:
    title = markdown_text(line.title)
    return f"{line.before}{f'[{title}]({line.address})' if line.address else title} `{line.sha}`{line.after}"


def _joined(lines: list[str]) -> list[str]:
    """Lines that stay lines: two spaces at the end of each but the last."""
    return ["  \n".join(lines)] if lines else []


def _identity(report: DailyReport, entry: Entry, words: Labels) -> str:
    """Which commit it is, who wrote it, how large it is and who analysed it."""
    colon = words.word("colon")
    identity = f"**SHA**: {_sha(report, entry, words)}"
    author = f"**{words.word('author')}**{colon}{markdown_text(entry.author) or _NOBODY}"
    analysed = f"{words.word('origin')}{colon}{markdown_text(wording.origin(entry, words))}"
    parts = [author, *wording.sizes(entry, words), analysed]
    if wording.is_backfilled(entry):
        parts.append(words.word("backfilled"))
    return _joined([identity, " | ".join(parts)])[0]


def _sha(report: DailyReport, commit: Member, words: Labels) -> str:
    url = report.origin.commit(commit.sha)
    return f"`{commit.sha[:7]}`" + (f" | 🔗 [{words.word('view_commit')}]({url})" if url else "")


def _heading(field: Field) -> str:
    return f"**{_FIELD_MARKS[field.key]} {field.label}**"


def _line(field: Field, report: DailyReport, words: Labels) -> str:
    return f"{_heading(field)}{words.word('colon')}{markdown_text(field.text, report.origin)}"


def _block(field: Field, report: DailyReport, words: Labels) -> str:
    if field.kind == "text":
        return f"{_heading(field)}  \n{markdown_text(field.text, report.origin) or words.word('none')}"
    if field.kind == "items":
        items = "\n".join(f"- {markdown_text(item, report.origin) or words.word('none')}" for item in field.items)
        return f"{_heading(field)}\n\n{items}"
    rows = [f"| {words.word('dimension')} | {words.word('effect')} |", "|------|------|"]
    rows += [f"| **{name}** | {markdown_text(text, report.origin, cell=True)} |" for name, text in field.rows]
    return f"{_heading(field)}\n\n" + "\n".join(rows)
