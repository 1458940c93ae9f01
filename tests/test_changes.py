"""Compatibility changes: the day's table and the net effect between two points, against a simulation of a program."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import PublicChange, Tier, Unseen
from report.changes import NetChange, changes_of, net_changes, table
from report.changes_between import Between, NotBetween, between
from report.changes_json import between_json
from report.changes_markdown import between_markdown
from report.daily import DailyReport
from report.html import html_page
from report.json import report_json
from report.labels import labels
from report.markdown import markdown
from tests.records import REPOSITORY, START, analysis, facts, record, report, sha_of

DAY = date(2026, 2, 17)
API = "engine/api.py"
INNER = "engine/cache.py"


def change(kind: str, action: str, name: str, *values: str | None, path: str = API) -> PublicChange:
    before, after = values if len(values) == 2 else (None, None)
    return PublicChange.model_validate(
        {"kind": kind, "action": action, "name": name, "before": before, "after": after, "path": path}
    )


def default(name: str, before: str, after: str) -> PublicChange:
    return change("flag", "default_changed", name, before, after)


def renamed(before: str, after: str) -> PublicChange:
    return change("flag", "renamed", after, before, after)


def net(*changes: PublicChange) -> list[tuple[str, str, str | None, str | None]]:
    """The net effect of changes, one commit each."""
    told = (one for n, each in enumerate(changes, 1) for one in changes_of(sha_of(n), DAY, [each]))
    return [(one.action, one.name, one.before, one.after) for one in net_changes(told)]


def test_the_table_of_a_day_begins_with_what_breaks_and_names_each_change_once() -> None:
    changes = [
        change("function", "removed", "flush", path=INNER),
        change("flag", "added", "--fast", None, "False"),
        default("--batch", "8", "16"),
        change("parameter", "added", "load(path)"),
        change("function", "added", "helper", path=INNER),
        change("function", "added", "serve"),
        change("environment", "removed", "CACHE_DIR"),
        renamed("--old", "--new"),
        change("environment", "removed", "CACHE_DIR", path="engine/other.py"),
    ]
    assert [(one.action, one.name) for one in table(changes_of(sha_of(1), DAY, changes))] == [
        ("removed", "CACHE_DIR"),
        ("renamed", "--new"),
        ("default_changed", "--batch"),
        ("added", "load(path)"),
        ("removed", "flush"),
        ("added", "--fast"),
        ("added", "serve"),
    ]


def test_what_breaks_inside_the_program_comes_before_what_is_new() -> None:
    new = [change("environment", "added", f"VARIABLE_{n}", path=INNER) for n in range(3)]
    breaks = [change("class", "removed", "Engine", path=INNER), change("parameter", "added", "run(seed)", path=INNER)]
    told = table(changes_of(sha_of(1), DAY, [*new, *breaks]))
    assert [one.name for one in told] == ["Engine", "run(seed)", "VARIABLE_0", "VARIABLE_1", "VARIABLE_2"]


def test_a_parameter_that_is_new_and_has_to_be_given_is_called_new() -> None:
    text = markdown([day_report(0, {1: [change("parameter", "added", "Engine.generate(request)")]})])
    assert "| New, required | function parameter | `Engine.generate(request)`" in text


ADDED, REMOVED = change("flag", "added", "--x", None, "1"), change("flag", "removed", "--x", "1", None)


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ([ADDED, REMOVED], []),
        ([REMOVED, ADDED], []),
        ([REMOVED, change("flag", "added", "--x", None, "2")], [("default_changed", "--x", "1", "2")]),
        ([ADDED, REMOVED, ADDED], [("added", "--x", None, "1")]),
        ([ADDED, ADDED], [("added", "--x", None, "1")]),
        ([renamed("--a", "--b"), renamed("--b", "--c")], [("renamed", "--c", "--a", "--c")]),
        ([renamed("--a", "--b"), renamed("--b", "--a")], []),
        ([renamed("--a", "--b"), renamed("--a", "--b")], [("renamed", "--b", "--a", "--b")]),
        ([renamed("--a", "--b"), renamed("--a", "--b"), change("flag", "removed", "--b")],
         [("removed", "--a", None, None)]),
        ([renamed("--a", "--b"), change("flag", "removed", "--b")], [("removed", "--a", None, None)]),
        ([change("flag", "added", "--a"), renamed("--a", "--b")], [("added", "--b", None, None)]),
        ([default("--n", "8", "16"), default("--n", "16", "32")], [("default_changed", "--n", "8", "32")]),
        ([default("--n", "8", "16"), default("--n", "16", "8")], []),
        (
            [renamed("--a", "--n"), default("--n", "8", "16")],
            [("renamed", "--n", "--a", "--n"), ("default_changed", "--n", "8", "16")],
        ),
        ([default("--x", "0", "1"), REMOVED], [("removed", "--x", "0", None)]),
        ([change("flag", "added", "--n", None, "8"), default("--n", "8", "16")], [("added", "--n", None, "16")]),
        (
            [change("parameter", "renamed", "f(b)", "a", "b"), change("parameter", "renamed", "f(c)", "b", "c")],
            [("renamed", "f(c)", "a", "c")],
        ),
        # The dependency of one file is not that of another.
        (
            [change("dependency", "changed", "torch", ">=2.1", ">=2.2", path="a.txt"),
             change("dependency", "changed", "torch", ">=2.2", ">=2.3", path="b.txt")],
            [("changed", "torch", ">=2.1", ">=2.2"), ("changed", "torch", ">=2.2", ">=2.3")],
        ),
        # What belongs to a function that came or went is not told beside it.
        ([change("function", "added", "f", path=INNER), change("parameter", "removed", "f(x)", path=INNER)], []),
        (
            [change("parameter", "removed", "Engine.run(x)"), change("class", "removed", "Engine")],
            [("removed", "Engine", None, None)],
        ),
        # New code inside the program is no news, and nothing when it goes again.
        ([change("function", "added", "g", path=INNER), change("function", "removed", "g", path=INNER)], []),
    ],
)  # fmt: skip
def test_only_the_net_effect_is_left(changes: list[PublicChange], left: list[tuple[str, ...]]) -> None:
    assert net(*changes) == left


NAMES = ("--a", "--b", "--c")


@given(st.lists(st.tuples(st.sampled_from(("add", "remove", "rename", "value")), st.integers(0, 5), st.integers(0, 9))))
def test_the_net_effect_is_the_difference_of_the_two_programs(edits: list[tuple[str, int, int]]) -> None:
    flags = {"--a": 100, "--b": 100}
    before, told = dict(flags), list[PublicChange]()
    for kind, which, value in edits:
        here, free = sorted(flags), [name for name in NAMES if name not in flags]
        name = here[which % len(here)] if here else ""
        if kind == "add" and free:
            flags[free[which % len(free)]] = value
            told.append(change("flag", "added", free[which % len(free)], None, str(value)))
        elif kind == "remove" and name:
            told.append(change("flag", "removed", name, str(flags.pop(name)), None))
        elif kind == "rename" and name and free:
            flags[free[0]] = flags.pop(name)
            told.append(renamed(name, free[0]))
        elif kind == "value" and name and flags[name] != value:
            told.append(default(name, str(flags[name]), str(value)))
            flags[name] = value
    gone, came = set[str](), set[str]()
    for action, name, old, new in net(*told):
        if action == "default_changed":
            assert (str(flags[name]), "100") == (new, old)
            assert old != new
        if action in {"removed", "renamed"}:
            gone.add(name if action == "removed" else old or "")
        if action in {"added", "renamed"}:
            came.add(name)
    assert (gone, came) == (before.keys() - flags.keys(), flags.keys() - before.keys())


class Store(dict[date, bytes]):
    """Kept reports of one repository."""

    def report_stamps(self, _: str) -> dict[date, None]:
        return dict.fromkeys(sorted(self, reverse=True))

    def reports(self, _: str, days: Any) -> list[bytes | None]:
        return [self.get(day) for day in days]


def day_report(ahead: int, commits: dict[int, list[PublicChange]], **changes: Any) -> DailyReport:
    records = [
        record(
            number, Tier.HIGH, f"Change {number} (#{number})", facts=facts(changes=tuple(made)),
            landed_at=START + timedelta(days=ahead, minutes=number),
        )
        for number, made in commits.items()
    ]  # fmt: skip
    return report(records, day=DAY + timedelta(days=ahead), language="en", **changes)


def store() -> Store:
    days = [
        day_report(0, {1: [default("--n", "8", "16")], 2: [ADDED]}),
        day_report(1, {3: [change("environment", "removed", "CACHE_DIR")]}),
        day_report(4, {4: [default("--n", "16", "32")], 5: [REMOVED]}, source_ok=False),
    ]
    return Store({one.day: report_json([one]) for one in days})


def found(start: str, end: str = "", kept: Store | None = None) -> Between:
    kept = store() if kept is None else kept
    return between(kept, REPOSITORY, start, end, language="en", commit_url="https://github.com")


def actions(result: Between) -> list[tuple[str, str]]:
    return [(one.action, one.name) for one in result.changes]


def test_days_count_whole_and_of_two_commits_the_first_is_left_out() -> None:
    assert actions(found("2026-02-17", "2026-02-17")) == [("default_changed", "--n"), ("added", "--x")]
    assert actions(found(sha_of(1), sha_of(2))) == [("added", "--x")]
    assert actions(found(sha_of(1)[:7], sha_of(3)[:9])) == [("removed", "CACHE_DIR"), ("added", "--x")]
    assert actions(found(sha_of(2), sha_of(2))) == []
    whole = found("2026-02-17")
    assert actions(whole) == [("removed", "CACHE_DIR"), ("default_changed", "--n")]
    assert [step.sha for step in whole.changes[1].steps] == [sha_of(1), sha_of(4)]


WHOLE = f"""\
# Compatibility changes of octocat/hello-world

For whoever upgrades: what was removed, renamed, given another default or added between two points, as its net effect. \
What came and went again in between is not listed.

- After commit `{sha_of(1)[:10]}` (“Change 1 (#⁠1)”, landed on 2026-02-17), which itself is not counted.
- Up to the end of 2026-02-22.
- Covered: 4 commits (3 days have a report).
- Without a report, so that nothing is known of these days: 2026-02-19 – 2026-02-20, 2026-02-22.
- On these days the source did not answer, so that commits may be lacking: 2026-02-21.

| Change | Of what | Name and value | Commit |
|------|------|------|------|
| Removed | environment variable | `CACHE_DIR` | \
[`{sha_of(3)[:7]}`](https://github.com/octocat/hello-world/commit/{sha_of(3)}) |
| New default | command-line flag | `--n`: `16` → `32` | \
[`{sha_of(4)[:7]}`](https://github.com/octocat/hello-world/commit/{sha_of(4)}) |
"""


def test_the_whole_page_says_what_it_covers_and_what_it_cannot_know() -> None:
    assert between_markdown(found(sha_of(1), "2026-02-22")) == WHOLE


def test_json_holds_the_same_and_can_be_read_back() -> None:
    result = found("2026-02-17")
    assert Between.model_validate_json(between_json(result)) == result


NEITHER = "is neither a day such as 2026-02-17 nor four or more digits of a commit's SHA."
NO_START = "The first point is missing: name a day such as 2026-02-17 or four or more digits of a commit's SHA."
LAST = "the last day with a report; nothing is known of what came since."
FIVE = ", ".join(sha_of(n)[:12] for n in (5, 4, 3, 2, 1))


@pytest.mark.parametrize(
    ("start", "end", "unknown", "told"),
    [
        ("yesterday", "", False, f"“yesterday” {NEITHER}"),
        ("2026-02-30", "", False, f"“2026-02-30” {NEITHER}"),
        ("", "2026-02-17", False, NO_START),
        ("2026-08-30", "", False, f"2026-08-30 comes after 2026-02-21, {LAST}"),
        ("2026-08-30", "2026-02-21", False, "2026-08-30 comes after 2026-02-21; swap the two."),
        ("abcd", "", True, "No kept report of octocat/hello-world has a commit that begins with abcd."),
        ("0000", "", False, f"5 commits begin with 0000: {FIVE}; give more digits."),
        ("2026-02-18", "2026-02-17", False, "2026-02-18 comes after 2026-02-17; swap the two."),
        (sha_of(2), sha_of(1), False, f"{sha_of(2)} comes after {sha_of(1)}; swap the two."),
    ],
)  # fmt: skip
def test_a_wrong_question_is_answered_with_what_is_wrong(start: str, end: str, unknown: bool, told: str) -> None:
    with pytest.raises(NotBetween) as wrong:
        found(start, end)
    assert (wrong.value.unknown, wrong.value.told(labels("en"))) == (unknown, told)


def test_without_any_report_nothing_can_be_said() -> None:
    with pytest.raises(NotBetween) as wrong:
        found("2026-02-17", kept=Store())
    assert wrong.value.told(labels("zh")) == "octocat/hello-world 还没有保存任何报告。"


def test_without_any_report_in_between_there_is_no_verdict() -> None:
    text = between_markdown(found("2026-02-19", "2026-02-20"))
    assert "nothing is known of these days: 2026-02-19 – 2026-02-20." in text
    assert labels("en").word("between_none") not in text
    quiet = Store({DAY: report_json([report([], language="en")])})
    assert labels("en").word("between_none") in between_markdown(found("2026-02-17", kept=quiet))


def test_a_damaged_report_counts_as_a_day_without_one() -> None:
    kept = store()
    kept[DAY + timedelta(days=1)] = b"{"
    result = found("2026-02-17", "2026-02-18", kept)
    assert [(gap.first, gap.last) for gap in result.gaps] == [(date(2026, 2, 18), date(2026, 2, 18))]
    assert actions(result) == [("default_changed", "--n"), ("added", "--x")]


def test_a_pair_that_cancels_out_is_left_out_unless_a_point_lies_between_its_commits() -> None:
    first = record(1, Tier.HIGH, "Drop the cache (#7)", facts=facts(changes=(REMOVED,), pull_request=7))
    # The revert's own facts show nothing: what it brings back is not recognised.
    second = record(2, Tier.HIGH, f'Revert "Drop the cache (#7)"\n\nThis reverts commit {sha_of(1)}.')
    one = report([first, second], language="en")
    assert one.entries[0].cancelled
    assert one.compatibility == ()
    kept = Store({one.day: report_json([one])})
    assert actions(found("2026-02-17", kept=kept)) == []
    assert actions(found("2026-02-17", sha_of(1), kept)) == [("removed", "--x")]


def test_a_commit_whose_diff_is_not_known_is_told_of() -> None:
    one = report([record(1, facts=None), record(2, facts=facts(incomplete=True)), record(3)])
    result = found("2026-02-17", kept=Store({one.day: report_json([one])}))
    assert (result.commits, result.unread) == (3, 2)


def test_the_days_table_joins_the_parameters_of_a_function_and_has_at_most_sixty_rows() -> None:
    lost = [change("parameter", "removed", f"Engine.run({name})", path=INNER) for name in ("top_k", "seed")]
    flags = [change("flag", "removed", f"--flag-{n:02}") for n in range(70)]
    text = markdown([day_report(0, {1: lost})])
    assert "| Removed | function parameters | `Engine.run`: `seed`, `top_k`, in `engine/cache.py` | " in text
    text = markdown([day_report(0, {1: lost, 2: flags})])
    assert text.count("| Removed |") == 60
    assert f"> and 11 more → `/{REPOSITORY}/changes?from=2026-02-17&to=2026-02-17`" in text


def test_the_kept_net_change_names_its_steps_in_order() -> None:
    told = [one for n, each in enumerate([ADDED, REMOVED, ADDED], 1) for one in changes_of(sha_of(n), DAY, [each])]
    (left,) = net_changes(told)
    assert isinstance(left, NetChange)
    assert [step.sha for step in left.steps] == [sha_of(1), sha_of(2), sha_of(3)]


def test_the_days_table_links_to_the_commit_that_made_a_change_not_to_the_merge_that_tells_it_again() -> None:
    told = facts(changes=(ADDED,))
    merge = facts(changes=(ADDED,), merge=True, parents=(sha_of(9), sha_of(2)))
    again = report([record(2, facts=told), record(4, facts=told), record(5, facts=merge)])
    assert [one.sha for one in again.compatibility] == [sha_of(2)]
    merged_first = report([record(1, facts=merge), record(2, facts=told)])
    assert [one.sha for one in merged_first.compatibility] == [sha_of(2)]
    alone = report([record(2), record(5, facts=merge)])
    assert [one.sha for one in alone.compatibility] == [sha_of(5)]


def test_the_days_table_tells_what_is_left_at_its_end() -> None:
    def told(*changes: PublicChange) -> list[tuple[str, str, str | None, str | None, str]]:
        shown = report([record(n, facts=facts(changes=(each,))) for n, each in enumerate(changes, 1)])
        return [(one.action, one.name, one.before, one.after, one.sha) for one in shown.compatibility]

    assert told(default("--batch", "1", "2"), default("--batch", "2", "3")) == [
        ("default_changed", "--batch", "1", "3", sha_of(2))
    ]
    assert told(change("flag", "added", "--x"), change("flag", "removed", "--x")) == []
    assert told(change("flag", "added", "--x"), renamed("--x", "--y")) == [("added", "--y", None, None, sha_of(2))]
    assert told(default("--batch", "1", "2"), change("flag", "added", "--x", None, "1")) == [
        ("default_changed", "--batch", "1", "2", sha_of(1)),
        ("added", "--x", None, "1", sha_of(2)),
    ]


def test_a_backtick_in_a_path_or_value_ends_no_code() -> None:
    ticked = "src/a|pipe`tick.py"
    one = day_report(0, {1: [change("function", "removed", "flush", path=ticked), default("--n", "'`'", "a`b``c")]})
    text = markdown([one])
    assert "| `flush`, in ``src/a\\|pipe`tick.py`` | " in text
    assert "| `--n`: ``'`'`` → ```a`b``c``` | " in text
    page = html_page([one])
    assert "<code>flush</code>, in <code>src/a|pipe`tick.py</code>" in page
    unseen = analysis(unseen=(Unseen(path=ticked, lines=3), Unseen(path="b.py", lines=4)))
    text = markdown([report([record(1, analysis=unseen)], language="en")])
    assert "``src/a|pipe`tick.py`` (3 lines), `b.py` (4 lines)" in text
