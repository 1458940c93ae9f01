"""Highlights and compatibility changes → Markdown: their parts of a day's page, and the page between two points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report.changes_words import STEPS_SHOWN, address, notes, rows, shown, written_by
from report.highlights import LINKS_SHOWN
from report.labels import labels
from report.prose import Origin, markdown_text
from report.view import anchor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from report.changes_between import Between
    from report.changes_words import Row, Step
    from report.daily import DailyReport
    from report.labels import Labels


def highlights_part(report: DailyReport, words: Labels) -> Iterator[str]:
    """The blocks of a day's highlights; none on a day without."""
    if not report.highlights:
        return
    yield f'<a id="{anchor("highlights", report.repository)}"></a>'
    yield f"### ✨ {words.word('highlights')}"
    lines = []
    for line in report.highlights:
        links = [_here(report, sha) for sha in line.shas[:LINKS_SHOWN]]
        commits = words.word("list_separator").join(links) + " …" * (len(line.shas) > LINKS_SHOWN)
        text = markdown_text(line.text, report.origin)
        lines.append(f"- {words.word('highlights_commits', text=text, commits=commits)}")
    yield "\n".join(lines)
    yield f"> {markdown_text(written_by(report, words))}"


def compatibility_part(report: DailyReport, words: Labels) -> Iterator[str]:
    """The blocks of a day's table; none on a day without compatibility changes."""
    if not report.compatibility:
        return
    some, more = shown(report.compatibility, words)
    yield f'<a id="{anchor("compatibility", report.repository)}"></a>'
    yield f"### 🔧 {words.word('compatibility_table')}"
    yield _table(some, lambda step: _here(report, step.sha), words)
    if more:
        everything = address(report.repository, str(report.day), str(report.day))
        yield f"> {words.word('changes_more', n=more)} → `{everything}`"


def between_markdown(found: Between) -> str:
    """The page of what changed between two points."""
    words, origin = labels(found.language), Origin(found.repository, found.commit_url)
    blocks = [
        f"# {words.word('between_title', repository=markdown_text(found.repository))}",
        words.word("between_lead"),
        "\n".join(f"- {markdown_text(note)}" for note in notes(found, words)),
    ]
    if found.changes:
        blocks.append(_table(rows(found.changes, words), lambda step: _outside(origin, step.sha), words))
    elif found.days:  # where no report could be read, there is nothing to judge by
        blocks.append(words.word("between_none"))
    return "\n\n".join(blocks) + "\n"


def _table(found: Sequence[Row], link: Callable[[Step], str], words: Labels) -> str:
    columns = (words.word(f"column_{name}") for name in ("change", "kind", "name", "commit"))
    lines = [f"| {' | '.join(columns)} |", "|------|------|------|------|"]
    for row in found:
        text = markdown_text(row.text, cell=True)
        links = words.word("list_separator").join(map(link, row.steps[-STEPS_SHOWN:]))
        earlier = "… " * (len(row.steps) > STEPS_SHOWN)
        lines.append(f"| {row.action} | {row.kind} | {text} | {earlier}{links} |")
    return "\n".join(lines)


def _here(report: DailyReport, sha: str) -> str:
    return f"[`{sha[:7]}`](#{anchor('commit', report.repository)}-{sha})"


def _outside(origin: Origin, sha: str) -> str:
    url = origin.commit(sha)
    return f"[`{sha[:7]}`]({url})" if url else f"`{sha[:7]}`"
