"""`/search` and `/search.json`: the routes, and the answer as a page or as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import structlog
from flask import Response, jsonify, request

from core.models import ChangeType, Tier
from report.html import Link, notice_page, page
from report.labels import labels
from report.search.finding import Found, Question, Result, UnreadableQuestionError, find, question_from_arguments
from report.search.keeper import IndexUnavailableError, Keeper
from report.wording import tier_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.settings import Settings
    from report.search.filling import Source

log = structlog.get_logger()

FIELDS = ("q", "repository", "tier", "type", "author", "from", "to")
LONGEST = 1000  # characters that are read of what a reader gave


@dataclass(frozen=True)
class SearchPages:
    """One method per route; who may read is the site's affair. The constructor does no I/O."""

    source: Source
    settings: Settings
    keeper: Keeper

    def html(self) -> Response:
        """The form, and below it what was found, if anything was asked for."""
        given = _given()
        try:
            question = question_from_arguments(given)
            found, complete = self.keeper.ask(lambda index: find(index, question)) if question.asked else (None, True)
        except UnreadableQuestionError as error:
            wrong = labels(self.settings.report_language).word(error.key, **error.values)
            return Response(self._page(given, wrong=wrong), 400)
        except IndexUnavailableError as error:
            log.warning("search_unavailable", reason=str(error))
            response = Response(notice_page("search_unavailable", self.settings.report_language), 503)
            response.headers["Retry-After"] = "5"
            return response
        return Response(self._page(given, question=question, found=found, complete=complete))

    def json(self) -> tuple[Response, int]:
        """The same as JSON; docs/report-schema.md describes it."""
        given = _given()
        try:
            question = question_from_arguments(given)
            found, complete = self.keeper.ask(lambda index: find(index, question))
        except UnreadableQuestionError as error:
            return jsonify(error=str(error)), 400
        except IndexUnavailableError as error:
            log.warning("search_unavailable", reason=str(error))
            return jsonify(error="the search index is being made; try again in a moment"), 503
        return jsonify(_document(given, question, found, complete=complete)), 200

    def _page(
        self,
        given: Mapping[str, str],
        *,
        wrong: str = "",
        question: Question | None = None,
        found: Found | None = None,
        complete: bool = True,
    ) -> str:
        words = labels(self.settings.report_language)
        title = " · ".join(filter(None, [words.word("search"), given["q"][:60]]))
        return page(
            "search.html",
            self.settings.report_language,
            title,
            [Link("/", words.word("archive"), "up")],
            given=given,
            wrong=wrong,
            found=found,
            complete=complete,
            cut=question is not None and question.cut,
            choices={
                "repository": [(name, name) for name in sorted(self.source.change_marks(), key=str.lower)],
                "tier": [(tier.value, tier_name(tier, words)) for tier in Tier],
                "type": [(kind.value, words.types[kind]) for kind in ChangeType],
            },
            steps=_steps(given, question, found) if question and found else [],
        )


def _given() -> dict[str, str]:
    """What the address gives, as text without what cannot be text."""
    return {name: request.args.get(name, "").replace("\0", " ")[:LONGEST] for name in (*FIELDS, "page")}


def _steps(given: Mapping[str, str], question: Question, found: Found) -> list[Link]:
    """The pages before and after."""
    filled = {name: given[name] for name in FIELDS if given[name]}
    steps = [(question.page - 1, "prev", "search_previous"), (question.page + 1, "next", "search_next")]
    return [
        Link(f"/search?{urlencode({**filled, 'page': number})}", key, rel)
        for number, rel, key in steps
        if 1 <= number <= found.pages
    ]


def _document(given: Mapping[str, str], question: Question, found: Found, *, complete: bool) -> dict[str, object]:
    return {
        "query": {name: given[name] for name in FIELDS if given[name]},
        "total": found.total,
        "page": question.page,
        "pages": found.pages,
        "complete": complete,
        "cut": question.cut,
        "results": [_row(result) for result in found.results],
    }


def _row(result: Result) -> dict[str, object]:
    return {
        "repository": result.repository,
        "day": result.day,
        "sha": result.sha,
        "tier": result.tier.value,
        "types": [kind.value for kind in result.types],
        "author": result.author,
        "title": _text(result.title),
        "excerpts": [{"in": one.label.removeprefix("found_"), **_text(one.spans)} for one in result.excerpts],
        "href": result.href,
    }


def _text(spans: Iterable[tuple[str, bool]]) -> dict[str, object]:
    """A text, and where in it is what was searched for, as [start, end] in code points."""
    text, places = "", []
    for piece, hit in spans:
        if hit:
            places.append([len(text), len(text) + len(piece)])
        text += piece
    return {"text": text, "hits": places}
