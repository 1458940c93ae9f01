"""Weeks, months, calendars and the slices of authors and areas, from kept reports alone."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import ChangeType, Tier
from report.bounded import Bounded
from report.digest import DayDigest, digest_from_json, summary_from_json
from report.figures import Tiers
from report.json import report_json
from report.months import month, months_of
from report.periods import overview, period_from, period_of
from report.slices import Facet, address, shares, slice_of
from tests.hostile import hostile_text
from tests.records import REPOSITORY, facts, record, report, sha_of, varied_day


def digest(day: date, *records: object) -> DayDigest:
    return digest_from_json(report_json([report(records, day=day)]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("2026-W08", "2026-02-16", "2026-02-22"),
        ("2026-W53", "2026-12-28", "2027-01-03"),
        ("2025-W01", "2024-12-30", "2025-01-05"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2028-02", "2028-02-01", "2028-02-29"),
        ("9999-12", "9999-12-01", "9999-12-31"),
    ],
)
def test_a_period_by_its_name(name: str, first: str, last: str) -> None:
    period = period_from(name)
    assert (period.first.isoformat(), period.last.isoformat()) == (first, last)
    assert period.name == name
    assert (period.days[0], period.days[-1]) == (period.first, period.last)


@pytest.mark.parametrize(
    "name",
    [
        "2026-W00",
        "2026-W54",
        "2025-W53",
        "2026-00",
        "2026-13",
        "0000-01",
        "9999-W52",
        "2026-W8",
        "2026-w08",
        "",
        "٢٠٢٦-02",
    ],
)
def test_what_names_no_period(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        period_from(name)


@given(st.dates(date(1, 1, 8), date(9999, 12, 20)), st.sampled_from(["week", "month"]))
def test_every_day_is_in_its_period_and_the_name_leads_back(day: date, kind: str) -> None:
    period = period_of(kind, day)  # type: ignore[arg-type]
    assert day in period.days
    assert period_from(period.name) == period


def test_an_overview_adds_up_and_keeps_the_gaps() -> None:
    monday = date(2026, 2, 16)
    days = {
        monday: digest(monday, record(1, Tier.HIGH, "First"), record(2, Tier.LOW, "Second")),
        monday + timedelta(1): digest(monday + timedelta(1), *varied_day()),
    }
    found = overview(period_from("2026-W08"), days)
    assert [(day.day, found is not None) for day, found in found.days] == [
        (16, True), (17, True), (18, False), (19, False), (20, False), (21, False), (22, False)
    ]  # fmt: skip
    assert (found.tiers, found.total, found.covered, found.reported) == (Tiers(high=3, medium=2, low=3), 8, 6, 2)
    assert [(dated.day.day, dated.line.sha) for dated in found.high] == [
        (17, sha_of(2)),
        (17, sha_of(1)),
        (16, sha_of(1)),
    ]
    assert found.types == ((ChangeType.BUGFIX, 5), (ChangeType.BREAKING, 1), (ChangeType.DOCS, 1))


def test_a_calendar_has_every_day_of_its_month_once_under_its_weekday() -> None:
    kept = {date(2026, 2, 17), date(2026, 3, 1)}
    numbers = {day: summary_from_json(report_json([report([], day=day)])) for day in kept}
    february, march = (month(period, kept, numbers) for period in reversed(months_of(kept)))
    days = [cell.day for week in february.weeks for cell in week.cells if cell]
    assert days == february.period.days
    assert all(
        cell is None or cell.day.weekday() == place for week in march.weeks for place, cell in enumerate(week.cells)
    )
    assert [cell.day for week in march.weeks for cell in week.cells if cell and cell.kept] == [date(2026, 3, 1)]
    assert [week.period.name for week in february.weeks if week.kept] == ["2026-W08"]
    assert [len(one.weeks) for one in (february, march)] == [5, 6]


def test_a_digest_passes_over_what_a_newer_version_wrote() -> None:
    raw = report_json([report(varied_day())]).decode()
    newer = raw.replace('"branch":', '"new_field":{"a":[1]},"branch":').replace('"coverage":{', '"coverage":{"also":1,')
    assert digest_from_json(newer.encode()) == digest_from_json(raw.encode())
    for broken in (b"", b"{}", b'{"reports":[]}', raw.replace('"high"', '"urgent"').encode()):
        with pytest.raises(ValueError, match=r"."):
            digest_from_json(broken)


DAY = date(2026, 2, 17)


@pytest.mark.parametrize(
    ("facet", "name", "path"),
    [
        ("author", "The Octocat", "The Octocat"),
        ("author", "hubot[bot]", "hubot~5b~bot~5d~"),
        ("author", "a/b", "a~2f~b"),
        ("author", "..", "~2e~~2e~"),
        ("author", "", "~"),
        ("author", "~", "~7e~"),
        ("author", "李雷", "李雷"),
        ("area", "python/sglang/srt", "python/sglang/srt"),
        ("area", ".", "~2e~"),
        ("area", "a/../b", "a/~2e~~2e~/b"),
        ("area", "a//b", "a/~/b"),
        ("area", "50%?#&", "50~25~~3f~~23~~26~"),
    ],
)  # fmt: skip
def test_an_address(facet: Facet, name: str, path: str) -> None:
    assert address(facet, name) == path


@given(st.sampled_from(["author", "area"]), hostile_text(), hostile_text())
def test_addresses_are_plain_and_tell_names_apart(facet: Facet, one: str, other: str) -> None:
    path = address(facet, one)
    assert path
    for segment in path.split("/"):
        assert segment.strip(". ")
        assert re.fullmatch(r"[\w .@+,~-]+", segment)
    assert (path == address(facet, other)) == (one == other)


def test_a_slice_holds_an_authors_commits_newest_day_first() -> None:
    days = [digest(DAY, record(1), record(2, author="李雷")), digest(DAY - timedelta(1), record(3, Tier.HIGH))]
    found = slice_of("author", "The Octocat", days)
    assert found
    assert [(dated.day, dated.line.sha) for dated in found.lines] == [(DAY, sha_of(1)), (DAY - timedelta(1), sha_of(3))]
    assert found.tiers == {Tier.HIGH: 1, Tier.MEDIUM: 0, Tier.LOW: 1}
    assert slice_of("author", "the octocat", days) is None
    assert [(share.name, share.commits) for share in shares("author", days, 5)] == [("The Octocat", 2), ("李雷", 1)]


def test_an_area_is_named_as_it_was_asked_for() -> None:
    days = [digest(DAY, record(1, facts=facts(areas=("a.b/c", "x"))), record(2, facts=facts(areas=("a.bc",))))]
    found = slice_of("area", "a.b", days)
    assert found
    assert (found.name, [dated.line.sha for dated in found.lines]) == ("a.b", [sha_of(1)])
    assert [share.address for share in shares("area", days, 2)] == ["a.b/c", "a.bc"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6)), max_size=30))
def test_what_is_held_never_weighs_too_much_and_the_latest_stays(puts: list[tuple[int, int]]) -> None:
    held = Bounded[int](10, lambda weight: weight)
    for key, weight in puts:
        held.put(key, weight)
        assert held.get(key) == weight
        assert sum(held.get(key) or 0 for key in range(6)) <= 10


def test_commits_shown_in_one_entry_are_counted_each() -> None:
    reverted = record(1, Tier.HIGH, "Add it (#7)", author="李雷")
    revert = record(2, Tier.HIGH, f'Revert "Add it (#7)"\n\nThis reverts commit {sha_of(1)}.')
    found = digest(DAY, reverted, revert)
    assert [line.sha for line in found.lines] == [sha_of(2), sha_of(1)]
    assert [line.sha for line in found.entries] == [sha_of(2)]
    assert overview(period_from("2026-W08"), {DAY: found}).high == ()
    assert slice_of("author", "李雷", [found])


def test_what_alone_weighs_too_much_is_not_held() -> None:
    held = Bounded[int](10, lambda weight: weight)
    held.put("small", 3)
    held.put("large", 11)
    assert (held.get("small"), held.get("large")) == (None, None)


def test_the_repository_of_a_digest_is_where_its_links_lead() -> None:
    found = digest(DAY, record(1))
    assert found.origin.commit(sha_of(1)) == f"https://github.com/{REPOSITORY}/commit/{sha_of(1)}"
    assert found.anchor(sha_of(1)) == f"commit-octocat.hello-world-{sha_of(1)}"
