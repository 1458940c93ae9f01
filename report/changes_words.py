"""Compatibility changes in words: the rows of their table; plain text with `code` that the view still has to escape."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from core.places import exports_values
from report.changes import Compatibility, NetChange, is_local, is_required, owner_of, parameter_of
from report.prose import clean, markdown_code

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from report.changes_between import Between, End, Gap
    from report.daily import DailyReport
    from report.labels import Labels

ROWS_SHOWN = 60  # on the page of a day, a week or a month
STEPS_SHOWN = 5  # commits of a row: the latest
GAPS_SHOWN = 10

Change = Compatibility | NetChange


@dataclass(frozen=True)
class Step:
    """A commit that is behind a row."""

    sha: str
    day: date


@dataclass(frozen=True)
class Row:
    """One line of the table. `steps` are its commits, oldest first."""

    action: str
    kind: str
    text: str
    steps: tuple[Step, ...]


def rows(changes: Sequence[Change], labels: Labels) -> list[Row]:
    """A row for each change; the parameters that one function gains or loses by the same commits share theirs."""
    return [_row(group, labels) for group in _groups(changes)]


def shown(changes: Sequence[Compatibility], labels: Labels) -> tuple[list[Row], int]:
    """The rows that a page has room for, and how many more there are."""
    found = _groups(changes)
    return [_row(group, labels) for group in found[:ROWS_SHOWN]], max(0, len(found) - ROWS_SHOWN)


def _groups(changes: Sequence[Change]) -> list[list[Change]]:
    return [list(group) for _, group in groupby(changes, key=_together)]


def written_by(report: DailyReport, labels: Labels) -> str:
    """Where a day's highlights come from."""
    if report.highlights_by is None:
        return labels.word("highlights_by_analyses")
    return labels.word("highlights_by_model", model=report.highlights_by)


def address(repository: str, start: str, end: str) -> str:
    """Where the site shows what changed between two points; these are days or shas."""
    return f"/{repository}/changes?from={start}&to={end}"


def notes(found: Between, labels: Labels) -> list[str]:
    """What a comparison covers, what its ends are, and what it cannot know."""
    told = [
        labels.word("between_start_commit" if found.start.sha else "between_start_day", **_named(found.start)),
        labels.word("between_end_commit" if found.end.sha else "between_end_day", **_named(found.end)),
        labels.word(
            "between_covers",
            commits=labels.word("commit_count", n=found.commits),
            days=labels.word("days_reported", n=found.days),
        ),
    ]
    if len(found.branches) > 1:
        told.append(labels.word("between_branches", branches=_listed(found.branches, labels)))
    if found.gaps:
        more = len(found.gaps) > GAPS_SHOWN
        gaps = labels.word("list_separator").join(_gap(gap) for gap in found.gaps[:GAPS_SHOWN]) + " …" * more
        told.append(labels.word("between_gaps", gaps=gaps))
    if found.unsure:
        days = labels.word("list_separator").join(map(str, found.unsure[:GAPS_SHOWN]))
        days += " …" * (len(found.unsure) > GAPS_SHOWN)
        told.append(labels.word("between_unsure", days=days))
    if found.unread:
        told.append(labels.word("between_unread", n=found.unread))
    return told


def _row(group: list[Change], labels: Labels) -> Row:
    first = group[0]
    action = "required" if is_required(first) else first.action
    return Row(
        action=labels.word(f"change_{action}"),
        kind=labels.phrase(f"kind_{_kind(first)}", n=len(group)),
        text=_text(group, labels),
        steps=_steps(first),
    )


def _kind(change: Change) -> str:
    return "export" if change.kind == "function" and exports_values(change.path) else change.kind


def _steps(change: Change) -> tuple[Step, ...]:
    steps = change.steps if isinstance(change, NetChange) else (change,)
    return tuple(dict.fromkeys(Step(step.sha, step.day) for step in steps))


def _together(change: Change) -> tuple[object, ...]:
    """What is the same for changes that share a row."""
    shared = change.kind == "parameter" and change.action in {"added", "removed"}
    name = owner_of(change.name) if shared else change.name
    # By value as well where they do not share: a name may have two rows.
    values = () if shared else (change.before, change.after)
    return change.kind, change.action, is_required(change), name, change.path, _steps(change), values


def _text(group: list[Change], labels: Labels) -> str:
    first = group[0]
    if len(group) > 1:
        inner = _listed([parameter_of(change.name) for change in group], labels)
        text = labels.word("change_value", name=markdown_code(owner_of(first.name)), value=inner)
    else:
        text = _one(first, labels)
    return labels.word("change_in", what=text, path=markdown_code(first.path)) if is_local(first) else text


def _one(change: Change, labels: Labels) -> str:
    name = markdown_code(change.name)
    if change.action == "renamed":
        return f"{markdown_code(_old_name(change))} → {name}"
    if change.action in {"default_changed", "changed"}:
        before, after = (_value(value, labels) for value in (change.before, change.after))
        return labels.word("change_value", name=name, value=f"{before} → {after}")
    value = clean(change.after or change.before or "")
    if not value or change.kind in {"function", "class"}:
        return name
    return labels.word(
        "change_version" if change.kind == "dependency" else "change_default", name=name, value=markdown_code(value)
    )


def _old_name(change: Change) -> str:
    before = change.before or ""
    return f"{owner_of(change.name)}({before})" if change.kind == "parameter" else before


def _value(value: str | None, labels: Labels) -> str:
    return markdown_code(value) if value and clean(value) else labels.word("change_no_value")


def _listed(names: Sequence[str], labels: Labels) -> str:
    return labels.word("list_separator").join(map(markdown_code, names))


def _named(end: End) -> dict[str, object]:
    return {"day": end.day, "sha": end.sha[:10] if end.sha else "", "title": end.title}


def _gap(gap: Gap) -> str:
    return str(gap.first) if gap.first == gap.last else f"{gap.first} – {gap.last}"
