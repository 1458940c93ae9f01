"""A commit's body → the sentence of its author that is worth quoting; pure, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.message import danger_rank
from workers.phrasing import width

SENTENCE_LIMIT = 320
_WORDS = 6
_PARAGRAPHS = 12
# Words that a sentence about another commit or issue has to have beside the pointing ones, to say something itself.
_SAYING = 3
_SENTENCE_END = re.compile(
    r"(?<=[^.][.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!vs\.)(?<!cf\.)\s(?=[A-Z`\"'(]|\w{1,60}_\w)|(?<=[。！？])"
)
_PROSE = re.compile(r"(?!\d{1,2}[.)]\s|(?:and|or|so) |(?:[Ss]ee|[Ee]xamples?:|[Uu]sage:) )[\w`\"'(/]")
_LISTING = re.compile(r"\n\s{0,8}(?:[-*+#|>]|\d{1,2}[.)])\s")
# A step of Python's traceback, or a line of a file that is shown as it stands.
_TRACE = re.compile(r"\",\s{1,3}line \d{1,7}, in \w|^line \d{1,7}: ", re.IGNORECASE)
_HEADING = re.compile(r"^(?:#{1,6}\s[^\n]{0,200}|\*\*[^*\n]{1,80}\*\*:?)$", re.MULTILINE)
# Headings below which a template asks how it was tried, not what it is.
_ASIDE = re.compile(
    r"test|verif|validat|checklist|reproduc|before submitting|screenshot|follow|benchmark", re.IGNORECASE
)
_REFERENCE = re.compile(
    r"https?://[^\s)\]]{1,300}|(?:[\w.-]{1,60}/[\w.-]{1,60})?#\d{1,9}\b|\b[0-9a-f]{7,40}\b|(?<!\w)@[\w-]{1,40}"
)
_WORD = re.compile(r"[^\W\d_]{2,40}")
_POINTING = frozenset(
    (
        "closes", "close", "closed", "fixes", "fix", "fixed", "fixing", "resolves", "resolve", "resolved", "addresses",
        "implements", "part", "follow", "up", "followup", "see", "also", "related", "relates", "issue", "issues", "pr",
        "pull", "request", "port", "ports", "ported", "forward", "backport", "cherry", "pick", "picks", "picked",
        "from", "come", "comes", "onto", "to", "of", "in", "for", "and", "by", "on", "the", "this", "that", "it", "is",
        "an", "as", "at", "via", "with", "after", "merged", "main", "master", "branch", "ref", "refs", "reference",
        "rfc", "supersedes", "reverts", "revert", "reverting", "reland", "land", "re", "sub", "towards", "toward",
        "needed", "dependency", "depends", "brought", "proposed", "reported", "originally", "same", "bug", "quick",
        "commit", "upstream", "context", "discussion", "summary", "description", "background", "motivation", "https",
    )
)  # fmt: skip


def quoted_sentence(lead: str, title: str = "") -> str:
    """A sentence of the body, or "": the one that names the gravest danger, else the first that says something.

    What stands in the `title` already says nothing.
    """
    told = frozenset(_WORD.findall(title.lower()))
    found = [text for text in _sentences(lead) if not _repeats(text, told)]
    ranked = [(rank, at) for at, text in enumerate(found) if (rank := danger_rank(text)) is not None]
    return found[min(ranked)[1]] if ranked else found[0] if found else ""


def _sentences(lead: str) -> Iterator[str]:
    """The sentences of the body's paragraphs that are short enough to stand whole; lists and headings are none."""
    for paragraph in _paragraphs(lead):
        if not _PROSE.match(paragraph) or _LISTING.search(paragraph) or paragraph.rstrip().endswith((":", "：")):
            continue
        if _TRACE.search(paragraph):
            continue
        for text in _SENTENCE_END.split(" ".join(paragraph.split())):
            if text and len(text) <= SENTENCE_LIMIT and width(text) >= _WORDS and not _points_only(text):
                yield text


def _paragraphs(lead: str) -> Iterator[str]:
    """The first paragraphs, without what stands below a heading that asks for something else."""
    aside = False
    for paragraph in _HEADING.sub("\n\n\\g<0>\n\n", lead).split("\n\n")[:_PARAGRAPHS]:
        if heading := _HEADING.match(paragraph.strip()):
            aside = bool(_ASIDE.search(heading.group()))
        elif not aside:
            yield paragraph.strip("\n")


def _repeats(text: str, told: frozenset[str]) -> bool:
    """Whether a sentence says hardly more than words that were told; Chinese has none that could be compared."""
    said = {word for word in _WORD.findall(text.lower()) if word not in _POINTING}
    return text.isascii() and len(said & told) > len(said - told) and len(said - told) < _SAYING


def _points_only(text: str) -> bool:
    """Whether a sentence only names other commits, issues or people."""
    rest, references = _REFERENCE.subn(" ", text)
    said = {word for word in _WORD.findall(rest.lower()) if word not in _POINTING}
    return bool(references) and len(said) < _SAYING
