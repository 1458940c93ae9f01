"""A day's report as a GitHub issue: made once, changed when the page did, continued in numbered comments."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from report.parts import IssueText
    from workers.issues import Issues, Text


def publish_issue(
    issues: Issues, text: IssueText, since: datetime, known: int | None, noted: Callable[[int], None]
) -> int:
    """Bring the issue of a day up to date and return its number; `known` is the one it had, if any.

    May be repeated after a failure at any line: before one is made, it is looked for among those changed `since` then,
    and `noted` is told of it before it gets its comments. Raises Transient or Permanent.
    """
    body = text.parts[0]
    issue = (issues.read(known) if known else None) or issues.find(text.marker_of(1), since)
    if issue is None:
        issue = issues.create(text.title, body)
    elif (issue.title, issue.body) != (text.title, body):
        issues.edit(issue.number, text.title, body)
    noted(issue.number)
    _bring_comments(issues, issue.number, text)
    return issue.number


def _bring_comments(issues: Issues, number: int, text: IssueText) -> None:
    there = _by_part(issues.comments(number), text.marker)
    for part, body in enumerate(text.parts[1:], 2):
        first, *others = there.pop(part, [None])
        if first is None:
            issues.add_comment(number, body)
        elif first.body != body:
            issues.edit_comment(first, body)
        for other in others:
            if other is not None:
                issues.delete_comment(other)
    for surplus in there.values():  # of a longer revision
        for comment in surplus:
            if comment is not None:
                issues.delete_comment(comment)


def _by_part(comments: list[Text], marker: str) -> dict[int, list[Text | None]]:
    """Our comments by the number of the part that they hold, oldest first; others are left alone."""
    found: dict[int, list[Text | None]] = {}
    for comment in comments:
        if match := re.match(rf"<!-- {re.escape(marker)} part (\d+) -->", comment.body or ""):
            found.setdefault(int(match[1]), []).append(comment)
    return found
