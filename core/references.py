"""A commit message → the commits it speaks of: what it reverts, lands again or follows up; pure, linear, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

ReferenceKind = Literal["reverts", "relands", "follows_up"]

TITLE_LIMIT = 300
BODY_LIMIT = 8_000
MOST_REFERENCES = 20

_QUOTES = "\"'`“”‘’「」"
_TAG = r"(?:\[[^\[\]]{1,40}\][:\s]{0,3}|[A-Za-z][A-Za-z_+-]{0,20}(?:\([^()]{0,60}\))?!?:\s{1,3})"
_REVERT = r"reverts?|reverted|back(?:s|ed)? ?out|undo(?:es)?"
_RELAND = r"re-?land(?:s|ed|ing)?|re-?appl(?:y|ies)"
_ACT = re.compile(
    rf"^(?:{_TAG}){{0,6}}\[?(?P<part>partial(?:ly)?\s{{1,3}})?(?:(?P<reverts>{_REVERT})|(?P<relands>{_RELAND}))\b\]?"
    r"[:\s]{0,3}(?P<rest>.*)$",
    re.IGNORECASE,
)
_PART = re.compile(r"\bpartial(?:ly)?\b|\bin part\b|\b(?:parts?|some) of\b", re.IGNORECASE)
_TRAILING_PULL = re.compile(r"\s{0,4}\((?:PR )?[#!](\d{1,9})\)\s{0,4}$")
_COUNTER = re.compile(r"(?<![\w./])\d{1,2}\s?/\s?(?:\d{1,2}|[nN])(?![\w./])")
_SHA = r"(?=[a-f]{0,63}[0-9])[0-9a-f]{7,64}(?![0-9a-z_])"
_PLACE = r"[A-Za-z0-9][\w.-]{0,38}/[\w.-]{0,99}\w"
_PULL = rf"(?:(?P<place>{_PLACE})?#|https://[\w.-]{{1,100}}/(?P<site>{_PLACE})/pull/)(?P<number>[1-9]\d{{0,8}})\b"
_FILLER = r"(?:(?:the|changes?|parts?|some|of|in|from|PR|pull request|commit)\s{1,3}){0,5}"
_NAMED = re.compile(rf"{_FILLER}(?:{_PULL}|(?P<sha>{_SHA}))", re.IGNORECASE)
_QUOTED = re.compile(rf"(?P<before>{_FILLER})[{_QUOTES}](?P<inner>.*)", re.IGNORECASE)
_MENTION = re.compile(rf"(?<![\w/#\[-]){_PULL}")
# Git's and GitHub's own sentences, and what people make of them, at the start of a line or sentence.
_SAID = re.compile(
    r"(?:^|[.;!]\s{1,2})(?:(?:this|it|which)\s(?:(?:commit|change|pr|pull request)\s)?)?"
    rf"(?P<part>(?:partial(?:ly)?|mostly)\s)?(?:(?P<reverts>{_REVERT})|(?P<relands>{_RELAND}))\s(?P<some>parts? of\s)?"
    rf"(?:the\s)?(?P<what>(?:commits?\s|PRs?\s|pull requests?\s)?(?:{_SHA}|{_PULL})[^\n]{{0,400}})",
    re.IGNORECASE | re.MULTILINE,
)
_LISTED = re.compile(rf"(?:\s|,|and|commits?|PRs?|pull requests?){{0,6}}(?:{_PULL}|(?P<sha>{_SHA}))", re.IGNORECASE)
_FOLLOWS = re.compile(
    r"\b(?:follow(?:s|ing)?[- ]?ups?(?: (?:to|of|for|on))?|follows|introduced (?:in|by)"
    r"|regress(?:ion|ed)s? (?:from|in|by|of)|bro(?:ke|ken) (?:by|in|since)|caused by|since|after"
    r"|fix(?:es|ed|up)?(?: for| to)?:?|amends?|complements?"
    r"|continu(?:es|ation of)|on top of|cherry[- ]picked from|see(?: also)?|part of|based on)"
    rf"\s{{1,2}}(?:PR\s|pull request\s|commit\s|the\s){{0,2}}(?P<what>(?:{_PULL}|{_SHA})[^\n]{{0,200}})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A commit as a message names it: by any of a sha (7 to 64 hex digits), a pull request and a title.

    `title` is a `title_key`; `partial`: only a part of it is taken back; `aside`: the commit's own title says nothing
    of it, so that it may do something else besides.
    """

    kind: ReferenceKind
    sha: str = ""
    pull_request: int = 0
    title: str = ""
    partial: bool = False
    aside: bool = False


def title_key(title: str) -> str:
    """What two titles have in common that name one change: no pull request at the end, case and spaces alike."""
    return " ".join(_without_pulls(title[:TITLE_LIMIT])[0].casefold().split())


def series_key(title: str, author: str, series: tuple[int, int]) -> str:
    """What the parts of a series `[n/N]` have in common: its author, N, and the words beside the counter.

    Those before the counter (`[MoE] [2/3]`), or else those after it up to a colon, or the first two.
    """
    before, _, after = _COUNTER.sub("\n", title[:TITLE_LIMIT], count=1).casefold().partition("\n")
    subject, colon, _ = after.lstrip("]) :").partition(":")
    lead = re.findall(r"\w+", before) or re.findall(r"\w+", subject)[: None if colon else 2]
    return " ".join([author.casefold(), str(series[1]), *lead])


def references(message: str, repository: str) -> tuple[Reference, ...]:
    """What a message of any size and content speaks of, at most 20; never raises.

    A pull request of another repository than `repository` is none of ours. What a squash's bullets tell of happened
    within its branch and does not count, unless the title says that the commit as a whole reverts something.
    """
    first, _, rest = message.strip().partition("\n")
    title, body = first[:TITLE_LIMIT].strip(), rest[:BODY_LIMIT].replace("\r", "")
    act = _ACT.match(title)
    found = list(_said(body if act else _lead(body), repository))
    if act:
        found = _joined(_in_title(act, repository), [replace(reference, aside=False) for reference in found])
    else:
        found += (Reference("follows_up", pull_request=n) for n in _pulls(_without_own(title), repository))
    found += _followed(_lead(body), repository)
    told = (one for one in dict.fromkeys(found) if one.sha or one.pull_request or one.title)
    return tuple(islice(told, MOST_REFERENCES))


def _in_title(act: re.Match[str], repository: str) -> Reference:
    """The target of `Revert "X (#12)" (#13)`, `Reland #12`, `revert: fix: X` and their kin."""
    kind: ReferenceKind = "reverts" if act["reverts"] else "relands"
    rest = act["rest"].strip()
    if quoted := _QUOTED.match(rest):
        inner, closing, after = _closed(quoted["inner"])
        partial = _PART.search(f"{quoted['before']} {after}")
        bare, number = _without_pulls(inner if closing else _without_own(inner))
        return Reference(kind, pull_request=number, title=title_key(bare), partial=bool(act["part"] or partial))
    rest = _without_own(rest)
    part = bool(act["part"] or _PART.search(" ".join(rest.split()[:3])))
    if named := _NAMED.match(rest):
        return Reference(kind, (named["sha"] or "").lower(), _number(named, repository), partial=part)
    bare, number = _without_pulls(rest)
    return Reference(kind, pull_request=number, title=title_key(bare), partial=part)


def _closed(text: str) -> tuple[str, bool, str]:
    """A quotation up to its last quote, whether there is one, and what follows it."""
    stop = max((place for place, char in enumerate(text) if char in _QUOTES), default=-1)
    return (text, False, "") if stop < 0 else (text[:stop], True, text[stop + 1 :])


def _said(body: str, repository: str) -> Iterator[Reference]:
    """`This reverts commit …`, `Reverts owner/repo#12`."""
    for sentence in _SAID.finditer(body):
        kind: ReferenceKind = "reverts" if sentence["reverts"] else "relands"
        partial = bool(sentence["part"] or sentence["some"])
        for reference in _listed(sentence["what"], kind, repository):
            yield Reference(kind, reference.sha, reference.pull_request, partial=partial, aside=True)


def _joined(own: Reference, said: list[Reference]) -> list[Reference]:
    """A title's target and the first sha and number that the body gives are one commit, named several times."""
    same = [reference for reference in said if reference.kind == own.kind]
    sha = own.sha or next((reference.sha for reference in same if reference.sha), "")
    number = own.pull_request or next((reference.pull_request for reference in same if reference.pull_request), 0)
    partial = own.partial or any(reference.partial for reference in same)
    joined = Reference(own.kind, sha, number, own.title, partial)
    again = {Reference(own.kind, sha=sha), Reference(own.kind, pull_request=number)}
    return [joined, *(reference for reference in said if replace(reference, partial=False) not in again)]


def _followed(text: str, repository: str) -> Iterator[Reference]:
    for phrase in _FOLLOWS.finditer(text):
        yield from _listed(phrase["what"], "follows_up", repository)


def _listed(text: str, kind: ReferenceKind, repository: str) -> Iterator[Reference]:
    """The first of `a, b and c`, and the others."""
    position = 0
    while (found := _LISTED.match(text, position)) and found.end() > position:
        position = found.end()
        number, sha = _number(found, repository), (found["sha"] or "").lower()
        if number or sha:
            yield Reference(kind, sha=sha, pull_request=number)


def _pulls(text: str, repository: str) -> list[int]:
    return [number for found in _MENTION.finditer(text) if (number := _number(found, repository))]


def _number(found: re.Match[str], repository: str) -> int:
    """The pull request of a match, 0 when it is another repository's or none."""
    place = found["place"] or found["site"]
    return int(found["number"] or 0) if not place or place.lower() == repository.lower() else 0


def _without_own(title: str) -> str:
    """A title without the last `(#13)`: the commit's own pull request."""
    return _TRAILING_PULL.sub("", title, count=1)


def _without_pulls(title: str) -> tuple[str, int]:
    """A title without its trailing `(#12)`s, and the last of them; 0 when there is none."""
    number = 0
    for _ in range(3):
        found = _TRAILING_PULL.search(title)
        if not found:
            break
        number = number or int(found[1])
        title = title[: found.start()]
    return title, number


def _lead(body: str) -> str:
    """What stands before the bullets that a squash leaves behind."""
    return "" if body.lstrip().startswith("* ") else body.split("\n* ", 1)[0]
