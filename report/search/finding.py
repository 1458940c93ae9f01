"""A question and its answer: which commits match, best first, and the places in their texts that say why."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from core.models import ChangeType, Tier
from report.search.entries import Indexed
from report.search.store import entry_from_text
from report.search.tokens import Reading, Term, expression, terms
from report.view import anchor

PAGE_SIZE = 20
MOST_PAGES = 500
GRADES = 20.0  # of what matches, in parts of the best match; within a grade the newer comes first
EXCERPT_CHARACTERS = 180
MOST_EXCERPTS = 3

# Of title, analysis, files and symbols, people, and words written together. A match in the title is what was meant.
_WEIGHTS = "10.0, 2.0, 3.0, 4.0, 2.0"


class UnreadableQuestionError(ValueError):
    """A filter that is none; `key` is the label that says so, and takes `values`."""

    def __init__(self, told: str, key: str, **values: object) -> None:
        super().__init__(told)
        self.key = key
        self.values = values


def _unreadable(field: str) -> UnreadableQuestionError:
    """Of the field that has this name in the address."""
    return UnreadableQuestionError(f"{field} is not one of its values", "search_wrong", field=field)


@dataclass(frozen=True)
class Question:
    """What is searched for; without text, everything that passes the filters, newest first. Pages count from 1."""

    text: str = ""
    repository: str = ""
    tier: Tier | None = None
    type: ChangeType | None = None
    author: str = ""
    first: date | None = None
    last: date | None = None
    page: int = 1

    @property
    def terms(self) -> tuple[Term, ...]:
        """What of the text is searched for; signs alone are nothing."""
        return terms(self.text)[0]

    @property
    def cut(self) -> bool:
        """Whether the text is too long to be searched for whole."""
        return terms(self.text)[1]

    @property
    def asked(self) -> bool:
        """Whether it asks anything at all."""
        return bool(self.text.strip() or self != Question(text=self.text, page=self.page))


class Span(NamedTuple):
    """A piece of text, and whether it is what was searched for."""

    text: str
    hit: bool


@dataclass(frozen=True)
class Excerpt:
    """Part of one text of a commit; `label` is a key of the labels."""

    label: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Result:
    """A commit that was found; `href` leads to where it is shown on this site."""

    repository: str
    day: str
    sha: str
    tier: Tier
    types: tuple[ChangeType, ...]
    author: str
    title: tuple[Span, ...]
    excerpts: tuple[Excerpt, ...]
    href: str


@dataclass(frozen=True)
class Found:
    """A page of results, how many there are in all, and the number of pages that can be asked for."""

    total: int
    pages: int
    results: tuple[Result, ...]


def question_from_arguments(given: Mapping[str, str]) -> Question:
    """What an address asks for; raises UnreadableQuestionError. Empty arguments are not there."""
    first, last = _day("from", given), _day("to", given)
    if first and last and first > last:
        raise UnreadableQuestionError(f"from ({first}) is after to ({last})", "search_reversed", first=first, last=last)
    return Question(
        text=given.get("q", "").strip(),
        repository=given.get("repository", "").strip(),
        tier=Tier(value) if (value := _one_of("tier", given, Tier)) else None,
        type=ChangeType(value) if (value := _one_of("type", given, ChangeType)) else None,
        author=given.get("author", "").strip(),
        first=first,
        last=last,
        page=_page(given),
    )


def find(index: sqlite3.Connection, question: Question) -> Found:
    """A page of what matches. Raises sqlite3.Error."""
    if question.text and not question.terms:
        return Found(0, 0, ())
    numbers, total = _matching(index, question)
    results = tuple(_results(index, numbers, question.terms))
    return Found(total, min(-(-total // PAGE_SIZE), MOST_PAGES), results)


def _matching(index: sqlite3.Connection, question: Question) -> tuple[list[int], int]:
    """The ids of one page, best first, and how many there are of all pages."""
    conditions, values = _filters(question)
    source, score = "commits AS c", "1.0"
    if question.text:
        source, score = "words JOIN commits AS c ON c.id = words.rowid", f"bm25(words, {_WEIGHTS})"
        conditions, values = ["words MATCH ?", *conditions], [expression(question.terms), *values]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = index.execute(
        f"WITH found AS MATERIALIZED (SELECT c.id, c.landed, {score} AS score FROM {source} {where}), "  # noqa: S608
        "all_of AS MATERIALIZED (SELECT count(*) AS total, min(score) AS best FROM found) "
        # A left join: a page after the last still has one row, which knows the total.
        "SELECT page.id, all_of.total FROM all_of LEFT JOIN (SELECT found.id FROM found, all_of "
        f"ORDER BY round({GRADES} * score / best) DESC, landed DESC, id LIMIT ? OFFSET ?) AS page",
        [*values, PAGE_SIZE, (question.page - 1) * PAGE_SIZE],
    ).fetchall()
    return [number for number, _ in rows if number is not None], rows[0][1]


def _filters(question: Question) -> tuple[list[str], list[object]]:
    wanted: list[tuple[str, object]] = [
        ("c.repository = ? COLLATE NOCASE", question.repository),
        ("c.tier = ?", question.tier and question.tier.value),
        ("instr(c.types, ?)", question.type and f" {question.type.value} "),
        ("instr(c.people, ?)", question.author.casefold()),
        ("c.day >= ?", question.first and str(question.first)),
        ("c.day <= ?", question.last and str(question.last)),
    ]
    given = [(condition, value) for condition, value in wanted if value]
    return [condition for condition, _ in given], [value for _, value in given]


def _results(index: sqlite3.Connection, numbers: Sequence[int], wanted: Sequence[Term]) -> Iterator[Result]:
    for number in numbers:
        repository, day, kept, text = index.execute(
            "SELECT c.repository, c.day, d.kept, t.entry FROM commits AS c JOIN texts AS t ON t.id = c.id "
            "JOIN days AS d ON d.repository = c.repository AND d.day = c.day WHERE c.id = ?",
            (number,),
        ).fetchone()
        yield _result(repository, day, entry_from_text(text), wanted, kept=bool(kept))


def _result(repository: str, day: str, entry: Indexed, wanted: Sequence[Term], *, kept: bool) -> Result:
    on_page = f"/{repository}/{day}#{anchor('commit', repository)}-{entry.sha}"
    title = Reading(entry.title)
    return Result(
        repository=repository,
        day=day,
        sha=entry.sha,
        tier=Tier(entry.tier),
        types=tuple(map(ChangeType, entry.types.split())),
        author=entry.author,
        title=_spans(title.text, title.hits(wanted)),
        excerpts=tuple(_excerpts(entry, wanted, title)),
        href=on_page if kept else f"/{repository}/commit/{entry.sha}",
    )


def _excerpts(entry: Indexed, wanted: Sequence[Term], title: Reading) -> Iterator[Excerpt]:
    """The few texts and names that together have what the title lacks of the terms; else how the analysis begins."""
    labelled = [*((label, text) for label, text in entry.said), *(("found_name", name) for name in entry.names)]
    chosen: list[tuple[str, Reading, int]] = []
    if lacking := [term for term in wanted if not title.has(term)]:
        texts = [(label, Reading(text)) for label, text in labelled]
        while lacking and len(chosen) < MOST_EXCERPTS:
            had, label, text = _fullest(texts, lacking)
            if not had:
                break
            chosen.append((label, text, text.hits(had)[0][0]))
            lacking = [term for term in lacking if term not in had]
    for label, text, place in chosen or [(label, Reading(text), 0) for label, text in entry.said[:1]]:
        yield Excerpt(label, _spans(*_window(text.text, text.hits(wanted), place)))


def _fullest(texts: Sequence[tuple[str, Reading]], wanted: Sequence[Term]) -> tuple[Sequence[Term], str, Reading]:
    """The first of the texts that have most of the terms, and which it has."""
    found = [([term for term in wanted if text.has(term)], label, text) for label, text in texts]
    return max(found, key=lambda one: len(one[0]), default=([], "", Reading("")))


def _window(text: str, places: Sequence[tuple[int, int]], place: int) -> tuple[str, list[tuple[int, int]]]:
    """The part of a text around a place, with the matches in it."""
    if len(text) <= EXCERPT_CHARACTERS:
        return text, list(places)
    start = max(0, place - EXCERPT_CHARACTERS // 3)
    start = min(start, len(text) - EXCERPT_CHARACTERS)
    end = start + EXCERPT_CHARACTERS
    before, after = "…" if start else "", "…" if end < len(text) else ""
    moved = len(before) - start
    inside = [(first + moved, min(last, end) + moved) for first, last in places if start <= first < end]
    return f"{before}{text[start:end]}{after}", inside


def _spans(text: str, places: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
    found, done = [], 0
    for start, end in places:
        found += [Span(text[done:start], hit=False), Span(text[start:end], hit=True)]
        done = end
    return tuple(span for span in [*found, Span(text[done:], hit=False)] if span.text)


def _one_of(field: str, given: Mapping[str, str], kinds: type[Tier | ChangeType]) -> str:
    value = given.get(field, "").strip()
    if value and value not in {kind.value for kind in kinds}:
        raise _unreadable(field)
    return value


def _day(field: str, given: Mapping[str, str]) -> date | None:
    value = given.get(field, "").strip()
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise _unreadable(field) from None


def _page(given: Mapping[str, str]) -> int:
    value = given.get("page", "").strip() or "1"
    if not (value.isascii() and value.isdigit() and len(value) < 6 and 1 <= int(value) <= MOST_PAGES):
        raise _unreadable("page")
    return int(value)
