"""A pull request's text → what its author wrote of it, without the form it was written into; pure, linear, bounded.

GitHub's squash keeps the whole text: comments that HTML hides, lists of what contributors should have done, words to
reviewers. They say the same of every commit, and "add [BREAKING] if an API breaks" says nothing of this one.
"""

from __future__ import annotations

import re

# `## What`, `**What**`, or a few words and a colon alone on their line: `TEST PLAN:`.
HEADING = re.compile(
    r"^(?:#{1,6}\s[^\n]{0,200}|\*\*[^*\n]{1,80}\*\*:?|[A-Z][A-Za-z]{1,20}(?: [A-Za-z]{1,16}){0,2}:)$", re.MULTILINE
)
# What stands below such a heading is the project's, up to the next heading that is not below it.
_FORM = re.compile(
    r"check.?list|\bbefore (?:you )?(?:start|submit|merg|open)|who can review|\breviewers?\b|pre.?commit|contribut"
    r"|merge readiness|merge protections",
    re.IGNORECASE,
)
_TASK = re.compile(r"[-*+]\s{1,4}\[( |x|X)\]\s{0,4}(.{0,200})")
# A line of the form that asks for an answer, left as it was: "please provide a brief summary", _Please describe …_
_ASKS = re.compile(r"[\"'“‘_*(\[<]{1,3}please\b.{1,300}[\"'”’_*)\]>]$", re.IGNORECASE)
_BREAKS = re.compile(r"\W{0,4}breaking\b", re.IGNORECASE)
_EMPTY = re.compile(r"\n(?:[ \t]{0,80}\n){2,}")
_COMMENT_END = "-->"


def authored(body: str) -> str:
    """The lines of a message's body that its author wrote; of a list of tasks only a ticked "breaking"."""
    kept, form, listed = list[str](), 0, False
    for line in _without_comments(body).split("\n"):
        text = line.strip()[:400]
        task = _TASK.match(text)
        if HEADING.match(text):
            form = _form_level(text, form)
        if task and task[1] != " " and _BREAKS.match(task[2]):
            kept.append(task[2])
        # What goes on below a task belongs to it.
        listed = bool(task) or (listed and bool(text) and not HEADING.match(text))
        if not (form or listed or _ASKS.match(text)):
            kept.append(line)
    return _EMPTY.sub("\n\n", "\n".join(kept))


def _form_level(heading: str, form: int) -> int:
    """How deep the heading of the form lies below which we are, 0 outside; 7 is one without `#`, below all others."""
    level = len(heading) - len(heading.lstrip("#")) or 7
    if form and level > form:
        return form
    return level if _FORM.search(heading) else 0


def _without_comments(body: str) -> str:
    """The body without what HTML hides; a comment that does not end hides the rest."""
    pieces, rest = list[str](), body
    while True:
        before, opened, rest = rest.partition("<!--")
        pieces.append(before)
        if not opened:
            return "".join(pieces)
        _, _, rest = rest.partition(_COMMENT_END)
