"""The handlers of what changed between two points: `/OWNER/REPO/changes?from=…&to=…`, as page, Markdown and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from flask import Response, request

from report.changes_between import Between, NotBetween, between
from report.changes_html import changes_page
from report.changes_json import between_json, json_line
from report.changes_markdown import between_markdown
from report.daily import web_site
from report.html import Link
from report.labels import labels
from report.pages import Pages

if TYPE_CHECKING:
    from core.models import Language

Form = Literal["html", "md", "json"]


@dataclass(frozen=True)
class ChangesPages(Pages):
    """One method per route."""

    def page(self, owner: str, name: str) -> Response:
        """As a page; without `from` it says how to ask."""
        return self._answer(owner, name, "html")

    def markdown(self, owner: str, name: str) -> Response:
        """As Markdown."""
        return self._answer(owner, name, "md")

    def json(self, owner: str, name: str) -> Response:
        """As JSON."""
        return self._answer(owner, name, "json")

    def _answer(self, owner: str, name: str, form: Form) -> Response:
        repository = self.known(owner, name)
        language = self.settings.language_of(repository)
        start, end = (request.args.get(key, "") for key in ("from", "to"))
        if form == "html" and not (start or end):
            return self._page(repository, language)
        url = web_site(self.settings.web_url(repository), repository)
        try:
            found = between(self.ledger, repository, start, end, language=language, commit_url=url)
        except NotBetween as wrong:
            return self._refused(repository, language, wrong, form)
        if form == "html":
            return self._page(repository, language, found=found)
        if form == "md":
            return Response(between_markdown(found), content_type="text/markdown; charset=utf-8")
        return Response(between_json(found), content_type="application/json")

    def _refused(self, repository: str, language: Language, wrong: NotBetween, form: Form) -> Response:
        status, fault = 404 if wrong.unknown else 400, wrong.told(labels(language))
        if form == "html":
            return self._page(repository, language, fault=fault, status=status)
        if form == "md":
            return Response(f"{fault}\n", status, content_type="text/plain; charset=utf-8")
        return Response(json_line({"error": fault}), status, content_type="application/json")

    def _page(
        self, repository: str, language: Language, *, found: Between | None = None, fault: str = "", status: int = 200
    ) -> Response:
        last = max(self.ledger.report_stamps(repository), default=None)
        navigation = self.bar(repository)
        asked = request.args.get("from", ""), request.args.get("to", "")
        if found:
            question = f"?from={found.start.asked}&to={found.end.asked}"
            for ending, media_type in ((".md", "text/markdown"), (".json", "application/json")):
                text = "Markdown" if ending == ".md" else "JSON"
                navigation.append(Link(f"/{repository}/changes{ending}{question}", text, "alternate", media_type))
        page = changes_page(
            repository,
            language,
            found=found,
            fault=fault,
            asked=asked,
            last=last,
            today=self.today(),
            navigation=navigation,
        )
        return Response(page, status)
