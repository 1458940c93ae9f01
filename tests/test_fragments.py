"""Fragments: a page joined from what was kept of its commits is, byte for byte, what their records make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from core.ledger import Ledger, Stage, day_bounds
from core.ledger.fragments import FORMS, Form, Fragment
from core.ledger.packing import packed
from core.models import CommitRecord, Correction, Push, Tier
from report.daily import DailyReport, Entry, entry_from_record
from report.fragments import fragment_of, made_by
from report.html import html_page
from report.json import report_json
from report.lines import DIGEST_BYTES, columns_from
from report.markdown import markdown
from report.reading import entries_of_day, keep_finished
from report.shelf import STRETCH_BYTES, KeptEntry, rows_on, shelf_from, stretches
from report.table import Table
from report.view import View, view_of
from tests.conftest import SHANGHAI
from tests.hostile import hostile_text
from tests.records import REPOSITORY, analysis, judged_day, record, report, varied_day

NOW = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0)  # 10:00 in Shanghai
TODAY = NOW.astimezone(SHANGHAI).date()
VIEW = view_of(REPOSITORY, "Asia/Shanghai", "zh", "https://github.com")


def today(records: list[CommitRecord]) -> list[CommitRecord]:
    """The same commits, landed today."""
    return [
        one.model_copy(update={"commit": one.commit.model_copy(update={"landed_at": NOW + timedelta(minutes=n)})})
        for n, one in enumerate(records)
    ]


def written(ledger: Ledger, records: list[CommitRecord]) -> None:
    """Receive the commits and finish those that are analysed, as workers do."""
    for one in records:
        push = Push(repository=REPOSITORY, branch="main", before="0" * 40, after=one.commit.sha, forced=False,
                    pushed_at=one.commit.landed_at, delivery=one.commit.sha, commits=(one.commit,))  # fmt: skip
        ledger.receive(push, [b"{}"])
        if one.analysis:
            claim = ledger.claim(one.commit.id, Stage.FETCH)
            assert claim
            assert ledger.finish(claim, one)
        if one.correction:
            assert ledger.correct(one.commit.id, one.correction)


def page(entries: Sequence[Entry | CommitRecord]) -> DailyReport:
    return report(entries, day=TODAY)


def key_of(part: str) -> str:
    return f"daybook:fragments:{REPOSITORY}:{TODAY}:{made_by(VIEW)}:{part}"


def forms(day: DailyReport) -> tuple[str, str, bytes]:
    return markdown([day]), html_page([day]), report_json([day])


def kept(entries: Sequence[Entry]) -> list[bool]:
    return [isinstance(entry, KeptEntry) for entry in entries]


@pytest.mark.parametrize("made", [varied_day, judged_day])
def test_a_page_from_fragments_is_the_page_from_records(ledger: Ledger, made: Callable[[], list[CommitRecord]]) -> None:
    records = today(made())
    written(ledger, records)
    first = entries_of_day(ledger, TODAY, VIEW)
    second = entries_of_day(ledger, TODAY, VIEW)
    assert kept(first) == [False] * len(records)
    assert kept(second) == [one.analysis is not None for one in records]  # what waits is not kept
    assert forms(page(first)) == forms(page(second)) == forms(page(records))


def test_what_a_worker_keeps_is_found(ledger: Ledger) -> None:
    records = today(varied_day()[:3])
    written(ledger, records)
    for one in records:
        keep_finished(ledger, one, VIEW)
    entries = entries_of_day(ledger, TODAY, VIEW)
    assert kept(entries) == [True] * 3
    assert forms(page(entries)) == forms(page(records))


def test_neighbours_change_a_page_and_not_its_fragments(ledger: Ledger) -> None:
    """A revert that lands later takes the kept commit into its entry; a follow-up is linked from it."""
    commits = today([
        record(1, Tier.HIGH, "Add the flag (#12)"),
        record(2, Tier.MEDIUM, "Document it (#13)\n\nFollow-up to #12."),
        record(3, Tier.HIGH, 'Revert "Add the flag (#12)" (#14)'),
    ])  # fmt: skip
    for records, fresh in ((commits[:2], commits[:2]), (commits, commits[2:])):
        written(ledger, fresh)
        entries_of_day(ledger, TODAY, VIEW)
        entries = entries_of_day(ledger, TODAY, VIEW)
        assert all(kept(entries))
        assert forms(page(entries)) == forms(page(records))
    assert [len(entry.folded) for entry in page(entries).entries] == [1, 0]


def test_a_changed_record_or_correction_is_never_shown_as_it_was(ledger: Ledger) -> None:
    (before,) = today([record(1, Tier.LOW)])
    written(ledger, [before])
    entries_of_day(ledger, TODAY, VIEW)
    after = before.model_copy(update={"analysis": analysis(summary="现在说的是别的。")})
    ledger.redis.set(f"daybook:record:{before.commit.id}", packed(after))
    (entry,) = entries_of_day(ledger, TODAY, VIEW)
    assert "现在说的是别的" in markdown([page([entry])])
    ledger.correct(before.commit.id, Correction(tier=Tier.HIGH, why="它影响所有部署", at=NOW))
    for _ in range(2):
        (entry,) = entries_of_day(ledger, TODAY, VIEW)
        assert entry.tier is Tier.HIGH
        assert "它影响所有部署" in markdown([page([entry])])


def test_another_language_is_another_fragment(ledger: Ledger) -> None:
    written(ledger, today([record(1, Tier.LOW)]))
    entries_of_day(ledger, TODAY, VIEW)
    english = View(REPOSITORY, "Asia/Shanghai", "en", "https://github.com")
    (entry,) = entries_of_day(ledger, TODAY, english)
    assert kept([entry]) == [False]
    assert "Summary" in markdown([report([entry], day=TODAY, language="en")])


def test_fragments_end_with_their_day_and_old_days_have_none(ledger: Ledger) -> None:
    written(ledger, today([record(1, Tier.LOW)]))
    entries_of_day(ledger, TODAY, VIEW)
    keys = ledger.redis.keys("daybook:fragments:*")
    assert sorted(keys) == [key_of(part).encode() for part in sorted(Fragment._fields)]
    ends = day_bounds(TODAY, SHANGHAI)[1] + timedelta(days=2)  # a day may have passed since this file was loaded
    assert {round((ends - datetime.now(UTC)).total_seconds() - ledger.redis.ttl(key), -2) for key in keys} == {0}
    some = [Fragment(*[b"x"] * len(Fragment._fields))]
    assert not ledger.keep_fragments(REPOSITORY, TODAY - timedelta(days=3), made_by(VIEW), some)
    assert len(ledger.redis.keys("daybook:fragments:*")) == len(keys)


@pytest.mark.parametrize("part", Fragment._fields)
def test_what_is_broken_or_lost_is_made_anew(ledger: Ledger, part: str) -> None:
    records = today([record(n, Tier.LOW) for n in (1, 2)])
    written(ledger, records)
    entries_of_day(ledger, TODAY, VIEW)
    whole = ledger.redis.get(key_of(part))
    for log in (whole[:-2], whole[:20], whole + b"0,", b"nonsense", b"[0]", b""):
        ledger.redis.set(key_of(part), log)
        entries = entries_of_day(ledger, TODAY, VIEW)
        assert kept(entries) == [False] * 2
        assert forms(page(entries)) == forms(page(records))
        entries = entries_of_day(ledger, TODAY, VIEW)
        assert kept(entries) == [True] * 2
        assert forms(page(entries)) == forms(page(records))


@pytest.mark.parametrize("read", [(), *((form,) for form in FORMS)])
def test_a_form_that_was_not_read_is_rendered(ledger: Ledger, read: tuple[Form, ...]) -> None:
    records = today(varied_day())
    written(ledger, records)
    entries_of_day(ledger, TODAY, VIEW)
    entries = entries_of_day(ledger, TODAY, VIEW, read)
    assert any(kept(entries))
    assert forms(page(entries)) == forms(page(records))


def test_a_form_that_redis_refuses_leaves_nothing_for_the_next_question(ledger: Ledger) -> None:
    """The other stretches were asked for before the refusal came; their answers are no one else's."""
    written(ledger, records := today(varied_day()))
    entries_of_day(ledger, TODAY, VIEW)
    numbers = ledger.stored_day(REPOSITORY, TODAY, made_by(VIEW)).numbers
    ledger.redis.delete(key_of("md"))
    ledger.redis.lpush(key_of("md"), "no string")
    asked = {form: [(0, 10), (10, 20), (20, 30)] for form in FORMS}
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        ledger.stored_forms(REPOSITORY, TODAY, made_by(VIEW), numbers, asked)
    ledger.redis.delete(key_of("md"))
    assert sorted(ledger.redis.zrange(f"daybook:landed:{REPOSITORY}", 0, -1)) == sorted(
        one.commit.sha.encode() for one in records
    )
    html = ledger.redis.get(key_of("html"))
    found = ledger.stored_forms(REPOSITORY, TODAY, made_by(VIEW), numbers, {"html": asked["html"]})
    assert found == {"html": [html[:10], html[10:20], html[20:30]]}


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_lines_are_read_out_of_anything_else(numbers: bytes, words: bytes) -> None:
    if numbers or words.strip(b", \t\r\n"):
        with pytest.raises(ValueError, match=r"bytes are not numbers|words are not|at line"):
            columns_from(numbers, words)


@given(st.lists(st.integers(0, STRETCH_BYTES * 3), max_size=40))
def test_a_form_is_read_in_stretches_of_whole_commits(sizes: list[int]) -> None:
    columns = {"json_entry": sizes, "json_relations": [0] * len(sizes)}
    found = stretches(columns, "json")
    assert [start for start, _ in found] == [0, *(end for _, end in found)][: len(found)]
    assert (found[-1][1] if found else 0) == sum(sizes)
    assert {end for _, end in found} <= {*accumulate(sizes)}
    assert all(end - start <= STRETCH_BYTES or end - start in sizes for start, end in found)


@given(hostile_text(), hostile_text(), hostile_text())
def test_any_text_is_kept_as_it_is_rendered(title: str, summary: str, author: str) -> None:
    written_by = analysis(Tier.MEDIUM, summary=summary, scope=(summary, title))
    made = record(1, Tier.MEDIUM, title or "x", author=author, analysis=written_by)
    plain, day = entry_from_record(made), report([made])
    fragment, _ = fragment_of(day.view, plain, b"0" * DIGEST_BYTES)
    columns, read = columns_from(fragment.numbers, fragment.words), {form: [getattr(fragment, form)] for form in FORMS}
    shelf = shelf_from(day.view, columns, fragment.rest, read, {plain.sha: (packed(made), None)})
    (entry,) = Table.by_rows(rows_on(shelf, columns, [plain.sha]))
    assert forms(report([entry])) == forms(day)
    assert (entry.told, entry.called, entry.brief) == (plain.told, plain.called, plain.brief)
    assert entry.member() == plain.member()
