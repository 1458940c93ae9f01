"""The handlers of one day and of one commit: the kept report, the open day assembled as it is, and what is damaged."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from datetime import date
from typing import NoReturn

from flask import Response, abort, redirect
from werkzeug.wrappers import Response as WerkzeugResponse

from core.days import day_from
from core.ledger.fragments import Form
from core.ledger.stories import AmbiguousSha
from core.models import SHA_PATTERN, Language
from report.addresses import served_markdown
from report.daily import DailyReport, assemble, entry_from_record
from report.expired import alone
from report.history import Damaged, History
from report.html import Link, commit_page, html_bytes, notice_page
from report.json import report_json
from report.labels import labels
from report.markdown import markdown_bytes
from report.pages import Pages, counts
from report.reading import entries_of_day, view_for
from report.table import Table
from report.trend import first_day

_DAY_FILE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(\.md|\.json)?", re.ASCII)
_TYPES: dict[Form, str] = {
    "html": "text/html; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
}


class DayPages(Pages):
    """The pages of one day, and of one commit."""

    def day(self, file: str) -> Response:
        """One day of all repositories."""
        day, form = day_and_form(file) or abort(404)
        histories = {name: self.histories.of(name) for name in self.names()}
        navigation = self._around_all(list(histories.values()), day) if form == "html" else []
        key = (day, form, *navigation, *((name, history.stamps.get(day)) for name, history in histories.items()))

        def render() -> bytes:
            reports, lacking = self._together(list(histories.values()), day, form)
            if not reports:
                self._refuse_past(day, "no_report_anywhere" if histories else "")
            return _view(reports, form, navigation, self.settings.report_language, lacking)

        settled = all(history.stamps.get(day) or not self._is_open(history, day) for history in histories.values())
        return self._answer(form, key if settled else None, render)

    def _together(self, histories: Sequence[History], day: date, form: Form) -> tuple[list[DailyReport], list[str]]:
        """The reports of a day, and the repositories whose report is damaged."""
        reports, lacking = [], []
        for history in histories:
            try:
                if report := self._report(history, day, form):
                    reports.append(report)
            except Damaged:
                lacking.append(history.repository)
        if lacking and not reports:
            raise Damaged
        return reports, lacking

    def report(self, owner: str, name: str, file: str) -> Response:
        """One day of one repository."""
        day, form = day_and_form(file) or abort(404)
        history = self.histories.of(self.known(owner, name))
        navigation = self._around(history, day) if form == "html" else []
        stamp = history.stamps.get(day)

        def render() -> bytes:
            report = self._report(history, day, form) or self._refuse(history.repository, day)
            return _view([report], form, navigation, report.language)

        return self._answer(form, (history.repository, day, form, stamp, *navigation) if stamp else None, render)

    def _refuse(self, repository: str, day: date) -> NoReturn:
        """Answer 404 for a day of which nothing is known, saying why where the day is over."""
        first = self.ledger.first_seen(repository).astimezone(self.settings.zone).date()
        why = "no_report_before" if day < first else "no_report_yet"
        self._refuse_past(day, why, repository=repository, first=first)

    def _refuse_past(self, day: date, why: str, **values: object) -> NoReturn:
        """Answer 404 with a label's words; a day that has not been yet is an address like any wrong one."""
        if not why or day >= self.today():
            abort(404)
        language = self.settings.report_language
        text = labels(language).word(why, day=day, **values)
        abort(Response(notice_page("no_report", language, text), 404))

    def commit(self, owner: str, name: str, sha: str) -> WerkzeugResponse:
        """One commit, whether or not its day is closed; the beginning of a SHA leads to the whole one."""
        repository = self.known(owner, name)
        if not re.fullmatch(SHA_PATTERN, sha):
            return self._whole_sha(repository, sha)
        try:
            report = self._report_of(repository, sha) or abort(404)
        except Damaged:
            return Response(notice_page("damaged", self.settings.report_language), 503)
        day = report.day
        target = f"/{repository}/{day}#{report.anchor(report.entries[0])}"
        navigation = [*self.bar(repository), Link(target, labels(report.language).word("day_report", day=day))]
        return Response(commit_page(report, navigation=navigation))

    def _report_of(self, repository: str, sha: str) -> DailyReport | None:
        """A report of one commit alone: from its record or, when that has expired, from its day's kept report."""
        if record := self.ledger.record(repository, sha):
            day = record.commit.landed_at.astimezone(self.settings.zone).date()
            return self._assembled(repository, day, Table.of([entry_from_record(record)]))
        past = self.ledger.past_day(repository, sha)
        kept = self.histories.of(repository).report(past) if past else None
        return alone(kept, sha) if kept else None

    def _whole_sha(self, repository: str, beginning: str) -> WerkzeugResponse:
        try:
            sha = self.ledger.find_commit(repository, beginning) or abort(404)
        except AmbiguousSha:
            return Response(notice_page("ambiguous", self.settings.report_language), 404)
        return redirect(f"/{repository}/commit/{sha}")

    def _answer(self, form: Form, key: Hashable | None, render: Callable[[], bytes]) -> Response:
        try:
            return Response(self.once(key, render), content_type=_TYPES[form])
        except Damaged:
            return Response(notice_page("damaged", self.settings.report_language), 503)

    def _report(self, history: History, day: date, form: Form) -> DailyReport | None:
        """The kept report, or one made now in a form: of a day that is not closed, or where the kept one is damaged.

        None where there is nothing to report of. Raises Damaged.
        """
        try:
            if report := history.report(day):
                return report
        except Damaged:
            if entries := self._entries(history.repository, day, form):
                return self._assembled(history.repository, day, entries, history=history)
            raise
        if not self._is_open(history, day):
            return None
        entries = self._entries(history.repository, day, form)
        return self._assembled(history.repository, day, entries, history=history, still_open=True)

    def _entries(self, repository: str, day: date, form: Form) -> Table:
        return entries_of_day(self.ledger, day, view_for(self.settings, repository), [form])

    def _is_open(self, history: History, day: date) -> bool:
        """Whether a day without a report still has something to tell: it is today, or commits of it are known."""
        return day not in history.stamps and (day == self.today() or self.ledger.has_commits(history.repository, day))

    def _assembled(
        self,
        repository: str,
        day: date,
        entries: Table,
        *,
        history: History | None = None,
        still_open: bool = False,
    ) -> DailyReport:
        month = [other for other in history.days if first_day(day) <= other < day] if history else []
        return assemble(
            entries,
            repository=repository,
            day=day,
            timezone=self.settings.report_timezone,
            language=self.settings.language_of(repository),
            revision=1,
            web_url=self.settings.web_url(repository),
            earlier=counts(history.summaries(month).values()) if history else (),
            still_open=still_open,
            elsewhere=self.ledger.kin_of(repository, entries.looked_up()),
        )

    def _around(self, history: History, day: date) -> list[Link]:
        """The archive, the neighbouring days, the same day elsewhere, and the other forms of a page."""
        address, words = f"/{history.repository}", labels(self.settings.language_of(history.repository))
        links = self.bar(history.repository)
        links += _neighbours(
            address, history.earlier(day), history.later(day), self.settings.language_of(history.repository)
        )
        if len(self.ledger.repositories()) > 1:
            links.append(Link(f"/{day}", words.word("all_repositories")))
        return [*links, *_forms(f"{address}/{day}")]

    def _around_all(self, histories: Sequence[History], day: date) -> list[Link]:
        earlier = max((other for history in histories if (other := history.earlier(day))), default=None)
        later = min((other for history in histories if (other := history.later(day))), default=None)
        return [*self.bar(), *_neighbours("", earlier, later, self.settings.report_language), *_forms(f"/{day}")]


def day_and_form(file: str) -> tuple[date, Form] | None:
    """The day and form of `2026-02-17`, `2026-02-17.md` or `2026-02-17.json`; None for anything else."""
    match = _DAY_FILE.fullmatch(file)
    forms: dict[str | None, Form] = {None: "html", ".md": "md", ".json": "json"}
    try:
        return (day_from(match[1]), forms[match[2]]) if match else None
    except ValueError:  # the 30th of February, or a day that no report can be of
        return None


def _neighbours(address: str, earlier: date | None, later: date | None, language: Language) -> list[Link]:
    words, links = labels(language), []
    if earlier:
        links.append(Link(f"{address}/{earlier}", f"← {words.word('previous_day')} {earlier}", "prev"))
    if later:
        links.append(Link(f"{address}/{later}", f"{words.word('next_day')} {later} →", "next"))
    return links


def _forms(address: str) -> list[Link]:
    return [
        Link(f"{address}.md", "Markdown", "alternate", "text/markdown"),
        Link(f"{address}.json", "JSON", "alternate", "application/json"),
    ]


def _view(
    reports: Sequence[DailyReport],
    form: Form,
    navigation: Sequence[Link],
    language: Language,
    lacking: Sequence[str] = (),
) -> bytes:
    """A page; raises Damaged for a form that cannot say which repositories are `lacking`."""
    if lacking and form != "html":
        raise Damaged
    if form == "md":
        return markdown_bytes(reports, language=language, address=served_markdown)
    if form == "json":
        return report_json(reports)
    return html_bytes(reports, navigation=navigation, language=language, lacking=lacking)
