"""The charts: bars as long as their numbers, the same numbers as a table, and nothing where there is nothing."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given

from core.models import Tier
from report.charts import areas_chart, hours_chart, trend_chart
from report.filters import filters
from report.html import html_page
from report.json import count_from_json, report_json
from report.labels import labels
from report.trend import DayCount
from report.view import anchor
from tests.hostile import hostile_text
from tests.outline import html_outline
from tests.records import facts, record, report, varied_day

DAY = date(2026, 2, 17)
ZH, EN = labels("zh"), labels("en")


def cells(chart: str) -> list[list[str]]:
    """The rows of a chart's table, without its head."""
    rows = re.findall(r"(?s)<tr>(.*?)</tr>", chart[chart.index("<tbody>") :])
    return [
        [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<t[hd](?![^>]*aria-hidden)[^>]*>(.*?)</t[hd]>", row)]
        for row in rows
    ]


def heights(chart: str, tier: Tier) -> list[float]:
    """The heights of the bars of a tier, in units."""
    path = re.search(rf'<path class="{tier}" d="([^"]*)"/>', chart)
    return [float(height) for height in re.findall(r"v([0-9.]+)", path[1])] if path else []


def test_the_trend_shows_each_of_thirty_days_and_says_where_there_is_no_report() -> None:
    trend = [DayCount(day=DAY - timedelta(days=2), low=4), DayCount(day=DAY, high=1, medium=1, low=6)]
    chart = str(trend_chart(trend, ZH))
    rows = cells(chart)
    assert len(rows) == 30
    assert rows[-3:] == [["2026-02-15", "0", "0", "4"], ["2026-02-16", "无报告"], ["2026-02-17", "1", "1", "6"]]
    assert heights(chart, Tier.LOW) == [30.5, 45.75]  # 61 units for the day of eight
    assert heights(chart, Tier.HIGH) == [7.62]
    assert "<title>2026-02-17：高 1 · 中 1 · 低 6</title>" in chart
    assert "<title>2026-02-16：无报告</title>" in chart
    assert ">01-19</text>" in chart


def test_a_trend_may_end_on_a_day_without_a_report() -> None:
    trend = [DayCount(day=DAY - timedelta(days=2), low=4), DayCount(day=DAY, low=6)]
    rows = cells(str(trend_chart(trend, EN, DAY + timedelta(days=10))))
    assert (len(rows), rows[0][0], rows[-1]) == (30, "2026-01-29", ["2026-02-27", "no report"])


def test_a_trend_of_quiet_days_and_one_of_a_single_day() -> None:
    quiet = [DayCount(day=DAY - timedelta(days=1)), DayCount(day=DAY)]
    assert heights(str(trend_chart(quiet, EN)), Tier.LOW) == []
    assert trend_chart([DayCount(day=DAY, low=3)], EN) == ""


def test_the_hours_are_those_of_the_reports_time_zone() -> None:
    day = report(varied_day("en"), language="en", timezone="America/New_York")
    assert cells(str(hours_chart(day, EN))) == [["12:00", "1", "0", "0"], ["13:00", "1", "1", "0"],
                                                ["14:00", "0", "1", "1"], ["15:00", "0", "0", "1"]]  # fmt: skip
    assert "America/New_York" in hours_chart(day, EN)
    assert hours_chart(report([]), EN) == ""


def test_the_areas_are_those_that_most_commits_touch() -> None:
    touched = [("a/b", "."), ("a/b",), ("a/b", "c"), (".",), ()]
    records = [record(n, Tier.MEDIUM, facts=facts(areas=areas)) for n, areas in enumerate(touched)]
    assert cells(str(areas_chart(report(records), EN))) == [
        ["a/b", "0", "3", "0"],
        ["top of the repository", "0", "2", "0"],
        ["c", "0", "1", "0"],
    ]
    assert areas_chart(report([record(1, facts=None)]), EN) == ""


@given(hostile_text())
def test_no_area_changes_the_structure_of_the_page(area: str) -> None:
    def page(name: str) -> str:
        return html_page([report([record(1, facts=facts(areas=(name,))), record(2, facts=facts(areas=(name, "b")))])])

    plain, found = html_outline(page("plain")), html_outline(page(area))
    flexible = {"code": 0, "wbr": 0}
    assert found.kinds | flexible == plain.kinds | flexible
    assert found.links == plain.links


def test_a_report_keeps_the_month_before_it_in_order() -> None:
    others = [DayCount(day=DAY + timedelta(days=n), low=n * n) for n in (1, 0, -29, -30, -1)]
    kept = report(varied_day(), earlier=others).trend
    assert kept == (
        DayCount(day=date(2026, 1, 19), low=841),
        DayCount(day=date(2026, 2, 16), low=1),
        DayCount(day=DAY, high=2, medium=2, low=2),
    )


def test_a_kept_report_gives_its_count_back() -> None:
    day = report(varied_day())
    assert count_from_json(report_json([day])) == day.trend[-1]
    with pytest.raises(ValueError, match="reports"):
        count_from_json(report_json([day, report([], "octocat/other")]))


def test_filters_name_what_the_day_has_and_mark_each_commit() -> None:
    records = [record(1, Tier.HIGH, facts=facts(areas=("a", "b"))), record(2, author="\u200b", facts=None)]
    day = report(records, "octocat/hello-world")
    found = filters([day], EN)
    assert {key: [(choice.mark, choice.name, choice.commits) for choice in choices]
            for key, choices in found.choices.items()} == {
        "types": [("t0", "bug fix", 2)],
        "areas": [("a0", "a", 1), ("a1", "b", 1)],
        "people": [("p0", "The Octocat", 1), ("p1", "—", 1)],
    }  # fmt: skip
    commit = anchor("commit", "octocat/hello-world")
    assert found.marks == {
        f"{commit}-{records[0].commit.sha}": "high t0 a0 a1 p0",
        f"{commit}-{records[1].commit.sha}": "low t0 p1",
    }
