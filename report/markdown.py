"""DailyReport → Markdown, for GitHub and for reading as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from core.models import Language, Tier
from core.undisturbed import undisturbed
from report import storylines, wording
from report.addresses import MARKDOWN_FILES, Address
from report.changes_markdown import compatibility_part, highlights_part
from report.daily import DailyReport, Entry
from report.labels import Labels, labels
from report.prose import cut_title, markdown_text
from report.view import anchor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from report.daily import Member
    from report.shelf import Piece
    from report.storylines import StoryLine
    from report.view import View
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
_BREAK = b"\n\n"


class MarkdownParts(NamedTuple):
    """An entry in parts: its rows in the table and the contents, and itself, with the place where its story belongs."""

    row: Piece
    contents: Piece
    article: Piece
    story: int  # bytes before it; a break between blocks follows


def markdown(
    reports: Sequence[DailyReport], *, language: Language | None = None, address: Address = MARKDOWN_FILES
) -> str:
    """The page of one or several repositories of one day; each repository speaks its own language.

    `language` is that of the page's title (the first repository's when it is not given), `address` where the commits
    lie that a commit's story speaks of (by default: in files beside this one).

    Raises ValueError when there is no report or they are of different days.
    """
    return markdown_bytes(reports, language=language, address=address).decode()


@undisturbed()
def markdown_bytes(
    reports: Sequence[DailyReport], *, language: Language | None = None, address: Address = MARKDOWN_FILES
) -> bytes:
    """What `markdown` gives, in UTF-8, as it is kept, served and written."""
    if len({report.day for report in reports}) != 1:
        raise ValueError("the reports of one day make a page")
    title = labels(language or reports[0].language).word("title", day=reports[0].day)
    blocks: list[Piece] = [f"# {title}".encode()]
    for report in reports:
        blocks.extend(_repository(report, address, labels(report.language)))
    return _BREAK.join([*blocks[:-1], b"".join((blocks[-1], b"\n"))])  # with its end at once: a page is long


def markdown_parts(view: View, entry: Entry) -> MarkdownParts:
    """An entry's parts as they are for itself and those that it holds, whatever its relations are."""
    head = [
        "".join(_target(view.anchor(commit)) for commit in (entry, *entry.folded)),
        f"#### {markdown_text(entry.title, view.origin)}",
        _identity(view, entry),
    ]
    if notes := [*storylines.notes(entry, view.words), *wording.notes(entry, view.words)]:
        head.append("\n>\n".join(f"> {markdown_text(note, view.origin)}" for note in notes))
    above, below = "\n\n".join(head).encode(), "\n\n".join(_fields(view, entry)).encode()
    row, line = _row(view, entry), _contents_line(view, entry)
    return MarkdownParts(row.encode(), line.encode(), above + _BREAK + below, len(above))


def _repository(report: DailyReport, address: Address, words: Labels) -> Iterator[Piece]:
    above = [_target(anchor("repository", report.repository)), f"## {markdown_text(report.repository)}"]
    yield "\n\n".join(above).encode()
    rows, contents, articles, stories = report.parts("md", markdown_parts) or ([], [], [], [])
    if report.entries:
        yield _commit_table(report, rows, words)
    yield "\n\n".join([
        _target(anchor("stats", report.repository)), f"### 📊 {words.word('stats')}", _stats(report, words),
        *(highlights_part(report, words) if report.entries else ()),
    ]).encode()  # fmt: skip
    if not report.entries:
        return
    groups = {tier: places for tier, places in report.places.items() if places}
    yield _contents(report, {tier: [contents[place] for place in places] for tier, places in groups.items()}, words)
    for block in compatibility_part(report, words):
        yield block.encode()
    for tier, places in groups.items():
        target = _target(anchor(tier.value, report.repository))
        yield f"{target}\n\n### {_group_title(tier, report.count(tier), words)}".encode()
        yield from _articles(report, places, articles, stories, address)


def _articles(
    report: DailyReport, places: Iterable[int], articles: Sequence[Piece], stories: Sequence[int], address: Address
) -> Iterator[Piece]:
    """The entries at some places, each with its story."""
    storied = report.storied
    for place in places:
        if place in storied:
            article, story = articles[place], stories[place]
            yield article[:story]
            yield from _story(report, report.entries[place], address, report.view.words)
            yield article[story + len(_BREAK) :]
        else:
            yield articles[place]


def _target(name: str) -> str:
    return f'<a id="{name}"></a>'


def _group_title(tier: Tier, count: int, words: Labels) -> str:
    return f"{TIER_MARKS[tier]} {words.word(f'group_{tier}')} ({count})"


def _commit_table(report: DailyReport, rows: Sequence[Piece], words: Labels) -> bytes:
    columns = [words.word(f"column_{name}") for name in ("time", "author", "message")]
    if report.commits is not report.entries:
        rows = report.rows_of_all(rows, lambda commit: _row(report.view, commit).encode())
    return b"\n".join([f"| {' | '.join(columns)} |".encode(), b"|----------|------|----------|", *rows])


def _row(view: View, commit: Member) -> str:
    when = commit.committed_at.astimezone(view.zone).strftime("%Y-%m-%d %H:%M:%S")
    author = markdown_text(commit.author, cell=True) or _NOBODY
    return f"| {when} | {author} | {markdown_text(commit.title, view.origin, cell=True)} |"


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


def _contents(report: DailyReport, groups: Mapping[Tier, Sequence[Piece]], words: Labels) -> bytes:
    lines = [
        f"{_target(anchor('contents', report.repository))}\n\n### 📋 {words.word('contents')}\n",
        f"- [{markdown_text(report.repository)}](#{anchor('repository', report.repository)})",
        f"  - [📊 {words.word('stats')}](#{anchor('stats', report.repository)})",
    ]
    if report.highlights:
        lines.append(f"  - [✨ {words.word('highlights')}](#{anchor('highlights', report.repository)})")
    if report.compatibility:
        lines.append(f"  - [🔧 {words.word('compatibility_table')}](#{anchor('compatibility', report.repository)})")
    found: list[Piece] = ["\n".join(lines).encode()]
    for tier, group in groups.items():
        title = _group_title(tier, report.count(tier), words)
        found.append(f"  - [{title}](#{anchor(tier.value, report.repository)})".encode())
        found += group
    return b"\n".join(found)


def _contents_line(view: View, entry: Entry) -> str:
    mark = wording.mark(entry, view.words)
    link = f"    - [{markdown_text(cut_title(entry.title))}](#{view.anchor(entry)})"
    return f"{link} · {mark}" if mark else link


def _fields(view: View, entry: Entry) -> Iterator[str]:
    """The blocks of the analysis, and the line below it."""
    lines: list[str] = []
    for field in wording.fields(view, entry, view.words, TIER_MARKS[entry.tier]):
        if field.kind == "line":
            lines.append(_line(field, view))
        else:
            yield from _joined(lines)
            lines = []
            yield _block(field, view)
    yield from _joined(lines)
    yield "---"


def _story(report: DailyReport, entry: Entry, address: Address, words: Labels) -> Iterator[bytes]:
    """The other commits that are shown here, and those that have to do with them."""
    if entry.folded:
        others = "\n".join(f"- {_member(report.view, member)}" for member in entry.folded)
        yield f"**🧵 {words.word('cancelled_with')}**\n\n{others}".encode()
    if lines := storylines.story_lines(report, entry, address, words):
        told = "\n".join(f"- {_story_line(line)}" for line in lines)
        yield f"**🧵 {words.word('stories')}**\n\n{told}".encode()


def _member(view: View, member: Member) -> str:
    parts = [markdown_text(member.title, view.origin), _sha(view, member)]
    return " | ".join([*parts, markdown_text(member.author) or _NOBODY, storylines.committed(view, member)])


def _story_line(line: StoryLine) -> str:
    title = markdown_text(line.title)
    return f"{line.before}{f'[{title}]({line.address})' if line.address else title} `{line.sha}`{line.after}"


def _joined(lines: list[str]) -> list[str]:
    """Lines that stay lines: two spaces at the end of each but the last."""
    return ["  \n".join(lines)] if lines else []


def _identity(view: View, entry: Entry) -> str:
    """Which commit it is, who wrote it, how large it is and who analysed it."""
    words = view.words
    colon = words.word("colon")
    identity = f"**SHA**: {_sha(view, entry)}"
    author = f"**{words.word('author')}**{colon}{markdown_text(entry.author) or _NOBODY}"
    analysed = f"{words.word('origin')}{colon}{markdown_text(wording.origin(entry, words))}"
    parts = [author, *wording.sizes(entry, words), analysed]
    if wording.is_backfilled(entry):
        parts.append(words.word("backfilled"))
    return _joined([identity, " | ".join(parts)])[0]


def _sha(view: View, commit: Member) -> str:
    url = view.origin.commit(commit.sha)
    return f"`{commit.sha[:7]}`" + (f" | 🔗 [{view.words.word('view_commit')}]({url})" if url else "")


def _heading(field: Field) -> str:
    return f"**{_FIELD_MARKS[field.key]} {field.label}**"


def _line(field: Field, view: View) -> str:
    return f"{_heading(field)}{view.words.word('colon')}{markdown_text(field.text, view.origin)}"


def _block(field: Field, view: View) -> str:
    words = view.words
    if field.kind == "text":
        return f"{_heading(field)}  \n{markdown_text(field.text, view.origin) or words.word('none')}"
    if field.kind == "items":
        items = "\n".join(f"- {markdown_text(item, view.origin) or words.word('none')}" for item in field.items)
        return f"{_heading(field)}\n\n{items}"
    rows = [f"| {words.word('dimension')} | {words.word('effect')} |", "|------|------|"]
    rows += [f"| **{name}** | {markdown_text(text, view.origin, cell=True)} |" for name, text in field.rows]
    return f"{_heading(field)}\n\n" + "\n".join(rows)
