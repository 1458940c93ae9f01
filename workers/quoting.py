"""A commit's body → the sentence of its author that is worth quoting; pure, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.authored import HEADING
from workers.message import danger_rank
from workers.phrasing import width

SENTENCE_LIMIT = 320
_WORDS = 6
_PARAGRAPHS = 12
# Words that a sentence about another commit or issue has to have beside the pointing ones, to say something itself;
# two more for each other one.
_SAYING = 3
_SENTENCE_END = re.compile(
    r"(?<=[^.][.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!vs\.)(?<!cf\.)\s(?=[A-Z`\"'(]|https?://|\w{1,60}_\w)|(?<=[。！？])"
)
_PROSE = re.compile(r"(?!\d{1,2}[.)]\s|(?:and|or|so) |(?:[Ss]ee|[Ee]xamples?:|[Uu]sage:) )[\w`\"'(/]")
_LISTING = re.compile(r"\n\s{0,8}(?:[-*+#|>]|\d{1,2}[.)])\s")
# A step of Python's traceback, or a line of a file that is shown as it stands.
_TRACE = re.compile(r"\",\s{1,3}line \d{1,7}, in \w|^line \d{1,7}: ", re.IGNORECASE)
# What a form has before an answer on the same line.
_LABEL = re.compile(r"(?:summary|description|motivation|purpose|overview|problem|tl;?dr):\s{1,4}", re.IGNORECASE)
# The subject of another commit, or what a program printed.
_NOT_SAID = re.compile(
    r"(?:feat|fix|bugfix|hotfix|docs?|chore|refactor|perf|tests?|build|ci|style|revert|wip)(?:\([^()]{1,40}\))?!?:\s"
    r"|(?:error|fatal|\w{1,40}(?:Error|Exception)):\s|Traceback \(",
    re.IGNORECASE,
)
# Headings below which a template asks how it was tried, not what it is.
_ASIDE = re.compile(r"test|verif|validat|reproduc|screenshot|follow|benchmark", re.IGNORECASE)
_BOLD = re.compile(r"(?<![\w*])\*\*(?=[^\s*])([^*`\n]{1,80})\*\*(?![\w*])")
_REFERENCE = re.compile(
    r"https?://[^\s)\]]{1,300}|(?:[\w.-]{1,60}/[\w.-]{1,60})?#\d{1,9}\b|\b[0-9a-f]{7,40}\b|(?<!\w)@[\w-]{1,40}"
)
_TERM = re.compile(r"\w{2,60}")
# The share of a sentence's words that the title may have too.
_MUCH = 0.65
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

    What says no more than the title is passed over.
    """
    found = [text for text in _sentences(lead) if not _repeats(text, title)]
    ranked = [(rank, at) for at, text in enumerate(found) if (rank := danger_rank(text)) is not None]
    return found[min(ranked)[1]] if ranked else found[0] if found else ""


def _sentences(lead: str) -> Iterator[str]:
    """The sentences of the body's paragraphs that are short enough to stand whole; lists and headings are none."""
    for paragraph in _paragraphs(lead):
        if not _PROSE.match(paragraph) or _LISTING.search(paragraph):
            continue
        if _TRACE.search(paragraph):
            continue
        label = _LABEL.match(paragraph)
        plain = " ".join(paragraph[label.end() if label else 0 :].split()).replace("\\`", "`")
        for text in _SENTENCE_END.split(_BOLD.sub(r"\1", plain) if "**" in plain else plain):
            if text and len(text) <= SENTENCE_LIMIT and width(text) >= _WORDS and _says(text):
                yield text


def _paragraphs(lead: str) -> Iterator[str]:
    """The first paragraphs, without what stands below a heading that asks for something else."""
    aside = False
    for paragraph in HEADING.sub("\n\n\\g<0>\n\n", lead).split("\n\n")[:_PARAGRAPHS]:
        if heading := HEADING.match(paragraph.strip()):
            aside = bool(_ASIDE.search(heading.group()))
        elif not aside:
            yield paragraph.strip("\n")


def _says(text: str) -> bool:
    return not (text.endswith((":", "：")) or _NOT_SAID.match(text) or _points_only(text))


def _repeats(text: str, title: str) -> bool:
    """Whether a sentence consists of the title's words for the most part."""
    said = set(_TERM.findall(text.lower()))
    return len(said & set(_TERM.findall(title.lower()))) > _MUCH * len(said)


def _points_only(text: str) -> bool:
    """Whether a sentence only names other commits, issues or people."""
    rest, references = _REFERENCE.subn(" ", text)
    said = {word for word in _WORD.findall(rest.lower()) if word not in _POINTING}
    return bool(references) and len(said) < _SAYING + 2 * (references - 1)
