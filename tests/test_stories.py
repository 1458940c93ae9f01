"""Stories: what cancels out within a day is shown as one, and the commits of a story know of each other."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.models import ChangeType, CommitRecord, Correction, Failure, Tier
from report.addresses import served
from report.daily import DailyReport, Entry
from report.html import commit_page, html_page
from report.json import report_from_json, report_json
from report.kinship import called_from_record, concerned, told_from_record
from report.markdown import markdown
from report.stories import tell
from tests.hostile import hostile_text
from tests.outline import assert_sound, html_outline, markdown_outline
from tests.records import REPOSITORY, START, analysis, facts, record, report, sha_of, triage
from tests.reference_day import REPOSITORY as REFERENCE
from tests.reference_day import reference_day
from tests.serving import Shelves, serving
from workers.message import read_message

TODAY = date(2026, 2, 17)  # START is its 01:00


def landed(
    number: int, message: str, tier: Tier = Tier.HIGH, *, days: int = 0, lines: int = 15, **changes: Any
) -> CommitRecord:
    """A commit with the facts that its message gives, `days` after the 17th, in the order of their numbers."""
    said = read_message(message)
    at = START + timedelta(days=days, minutes=number)
    known = {"pull_request": said.pull_request, "series": said.series, "additions": lines, "deletions": 0}
    parents = changes.pop("parents", ())
    return record(
        number,
        tier,
        message,
        **{"landed_at": at, "facts": facts(parents=parents, **known), "triage": triage(tier), **changes},
    )


def told(entry: Entry) -> list[tuple[str, int, str]]:
    """An entry's relations as (kind, number of the commit, detail)."""
    return [(one.kind, int(one.sha[:7], 16), one.detail) for one in entry.relations]


def shown(day: DailyReport) -> list[tuple[int, Tier, list[int]]]:
    """The entries as (number of the commit, tier, numbers of those folded into it)."""
    return [(number(one.sha), one.tier, [number(other.sha) for other in one.folded]) for one in day.entries]


def number(sha: str) -> int:
    return int(sha[:7], 16)


def entry(day: DailyReport, of: int) -> Entry:
    return next(one for one in day.entries if one.sha == sha_of(of))


PAIRS = """\
<a id="commit-sgl-project.sglang-bfe34c90ffe57a78b5c2556c504292026e388a61"></a>\
<a id="commit-sgl-project.sglang-26b2c63d03665ab70524599c2e146b37f589f1a7"></a>

#### Revert "\\[diffusion\\] operator: unify rotary embedding impl" ([#18929](https://github.com/sgl-project/sglang/issues/18929))

**SHA**: `bfe34c9` | 🔗 [查看提交](https://github.com/sgl-project/sglang/commit/bfe34c90ffe57a78b5c2556c504292026e388a61)  
**作者**：Mick | +12 −3 | 2 个文件 | 分析：模型 claude-haiku-5-5

> 本条含 2 个提交，它们在当日互相抵消，净效果为零，归入低重要度。

**🧵 与之抵消的提交**

- \\[diffusion\\] operator: unify rotary embedding impl ([#18164](https://github.com/sgl-project/sglang/issues/18164)) | `26b2c63` | 🔗 [查看提交](https://github.com/sgl-project/sglang/commit/26b2c63d03665ab70524599c2e146b37f589f1a7) | triple-mu | 2026-02-17 12:02:48

**🎯 变更类型**：缺陷修复  
**⚡ 重要程度**：🟢 低 · 当日互相抵消；原判为高  
**📋 摘要**：修复 `parse_header` 在空输入时崩溃的问题。

---
----
<a id="commit-sgl-project.sglang-b158f5d4a2b57512e5e75a5d7aa1a2c15a4c3e90"></a>\
<a id="commit-sgl-project.sglang-5e3103a7872c645012ce316bc87da41a7cbaae52"></a>

#### Revert "\\[AMD\\] Fix RotaryEmbedding crash on AMD/ROCm (regression from [#17934](https://github.com/sgl-project/sglang/issues/17934))" ([#18922](https://github.com/sgl-project/sglang/issues/18922))

**SHA**: `b158f5d` | 🔗 [查看提交](https://github.com/sgl-project/sglang/commit/b158f5d4a2b57512e5e75a5d7aa1a2c15a4c3e90)  
**作者**：HAI | +12 −3 | 2 个文件 | 分析：模型 claude-haiku-5-5

> 本条含 2 个提交，它们在当日互相抵消，净效果为零，归入低重要度。

**🧵 与之抵消的提交**

- \\[AMD\\] Fix RotaryEmbedding crash on AMD/ROCm (regression from [#17934](https://github.com/sgl-project/sglang/issues/17934)) ([#18903](https://github.com/sgl-project/sglang/issues/18903)) | `5e3103a` | 🔗 [查看提交](https://github.com/sgl-project/sglang/commit/5e3103a7872c645012ce316bc87da41a7cbaae52) | Michael | 2026-02-17 12:59:40

**🎯 变更类型**：缺陷修复  
**⚡ 重要程度**：🟢 低 · 当日互相抵消  
**📋 摘要**：修复 `parse_header` 在空输入时崩溃的问题。

---
"""  # noqa: E501, W291 - a whole expected text, with the line breaks of Markdown


def test_both_pairs_of_the_reference_day_are_shown_once_each_and_counted_twice() -> None:
    day = report(reference_day(), REFERENCE)
    page = markdown([day])
    for expected in PAIRS.split("----\n"):
        assert expected in page
    assert "> 本日共 19 个提交 | 🔴高 0 | 🟡中 2 | 🟢低 17\n" in page
    assert "### 🟢 低重要度变更 (17)" in page
    assert (len(day.entries), len(day.commits), day.coverage.total) == (17, 19, 19)
    assert [one.sha for one in day.commits] == [one.commit.sha for one in reference_day()]
    outline = markdown_outline(page)
    assert_sound(outline)
    assert len([name for name in outline.ids if name.startswith("commit-")]) == 19
    listed = [line for line in page.splitlines() if line.endswith(" · 2 个提交，已抵消")]
    assert len(listed) == 2


def test_the_pages_of_the_reference_day_hold_both_anchors_of_a_pair() -> None:
    day = report(reference_day(), REFERENCE)
    outline = html_outline(html_page([day]))
    assert_sound(outline)
    assert {day.anchor(one) for one in day.commits} <= set(outline.ids)
    assert report_from_json(report_json([day])) == day


def test_what_is_known_of_a_folded_commit_is_kept() -> None:
    before, after = landed(1, "Add X (#1)"), landed(2, 'Revert "Add X" (#2)', Tier.MEDIUM)
    (pair,) = report([before, after]).entries
    (folded,) = pair.folded
    assert (pair.cancelled, pair.tier, pair.judged) == (True, Tier.LOW, Tier.MEDIUM)
    assert (folded.sha, folded.title, folded.author, folded.committed_at) == (
        sha_of(1), "Add X (#1)", "The Octocat", before.commit.committed_at,
    )  # fmt: skip
    assert (folded.analysis, folded.facts, folded.judged) == (before.analysis, before.facts, Tier.HIGH)


A, B, C, D = "Add X (#1)", 'Revert "Add X" (#2)', 'Revert "Revert "Add X"" (#3)', 'Revert "Revert "Revert "Add X"""'
LOW, HIGH = Tier.LOW, Tier.HIGH


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([A, B], [(2, LOW, [1])]),
        ([A, f"Undo it\n\nThis reverts commit {sha_of(1)}."], [(2, LOW, [1])]),
        ([A, f"Undo it\n\nThis reverts commit {sha_of(1)[:9]}."], [(2, LOW, [1])]),
        ([A, 'Revert "Something else"\n\nReverts octocat/hello-world#1'], [(2, LOW, [1])]),
        # Net effect: the final re-land keeps its tier, and what was reverted last is cancelled.
        ([A, B, C], [(3, HIGH, []), (2, LOW, [1])]),
        ([A, B, 'Reapply "Add X"'], [(3, HIGH, []), (2, LOW, [1])]),
        ([A, B, "Reland #1 (#3)"], [(3, HIGH, []), (2, LOW, [1])]),
        ([A, B, C, D], [(4, LOW, [3, 2, 1])]),
        ([A, B, "Reland #1 (#3)", "Revert #3 (#4)", "Reland #1 (#5)"], [(5, HIGH, []), (4, LOW, [3, 2, 1])]),
        # Of a change of an earlier day: a revert alone keeps its tier; reverted and landed again, nothing is left.
        ([B], [(1, HIGH, [])]),
        ([B, C], [(2, LOW, [1])]),
        ([B, 'Reapply "Add X"'], [(2, LOW, [1])]),
        # Parts stay.
        ([A, 'Partially revert "Add X" (#2)'], [(2, HIGH, []), (1, HIGH, [])]),
        ([A, f"Trim it\n\nThis partially reverts commit {sha_of(1)}."], [(2, HIGH, []), (1, HIGH, [])]),
        # One title twice: the later one is meant, then the earlier one.
        (["Add X", "Add X", 'Revert "Add X"'], [(3, LOW, [2]), (1, HIGH, [])]),
        (["Add X", "Add X", 'Revert "Add X"', 'Revert "Add X"'], [(4, LOW, [1]), (3, LOW, [2])]),
        (["Add X", "Add X", f'Revert "Add X"\n\nThis reverts commit {sha_of(1)}.'], [(3, LOW, [1]), (2, HIGH, [])]),
        # A sha that nobody knows, and the title of several: no guess.
        (["Add X", "Add X", f'Revert "Add X"\n\nThis reverts commit {sha_of(77)}.'],
         [(3, HIGH, []), (2, HIGH, []), (1, HIGH, [])]),
        # Several taken back at once, all or none.
        (["Add X", "Add Y", f"Back to start\n\nThis reverts commits {sha_of(1)} and {sha_of(2)}."],
         [(3, LOW, [2, 1])]),
        (["Add X", f"Back out both\n\nThis reverts commits {sha_of(1)} and {sha_of(2)}.", "Add Y"],
         [(3, HIGH, []), (2, LOW, [1])]),
        # What speaks of itself, of each other in a circle, or of what came later.
        ([f"Add X\n\nThis reverts commit {sha_of(1)}."], [(1, HIGH, [])]),
        (['Revert "Z" (#1)\n\nReverts #1'], [(1, HIGH, [])]),
        ([f"X\n\nThis reverts commit {sha_of(2)}.", f"Y\n\nThis reverts commit {sha_of(1)}."], [(2, LOW, [1])]),
        ([B, A], [(2, HIGH, []), (1, HIGH, [])]),
    ],
)  # fmt: skip
def test_net_effect(messages: Sequence[str], expected: list[tuple[int, Tier, list[int]]]) -> None:
    lines = [30 if " and " in message else 15 for message in messages]
    day = [landed(at, text, lines=size) for at, (text, size) in enumerate(zip(messages, lines, strict=True), start=1)]
    assert shown(report(day)) == expected
    random.Random(1).shuffle(day)
    assert shown(report(day)) == expected


def test_a_revert_of_another_size_cancels_nothing() -> None:
    day = report([landed(1, A, lines=500), landed(2, B, lines=40)])
    assert shown(day) == [(2, HIGH, []), (1, HIGH, [])]
    assert told(entry(day, 1)) == [("reverted_by", 2, "")]


@pytest.mark.parametrize(("lines", "expected"), [(16, [(2, LOW, [1])]), (25, [(2, HIGH, []), (1, HIGH, [])])])
def test_a_revert_that_its_title_does_not_tell_of_may_do_more(lines: int, expected: list[Any]) -> None:
    again = f"Inline in optimized mode only\n\nThis reverts commit {sha_of(1)}."
    assert shown(report([landed(1, "Always inline"), landed(2, again, lines=lines)])) == expected


def test_a_revert_on_another_branch_cancels_nothing() -> None:
    day = report([landed(1, A), landed(2, f"{B}\n\nThis reverts commit {sha_of(1)}.", branch="release/2")])
    assert shown(day) == [(2, HIGH, []), (1, HIGH, [])]
    assert told(entry(day, 2)) == [("reverts", 1, "")]


def test_a_revert_means_the_commit_of_its_own_branch() -> None:
    day = report([landed(1, A, branch="release/2"), landed(2, A), landed(3, B, branch="release/2")])
    assert shown(day) == [(3, LOW, [1]), (2, HIGH, [])]


@pytest.mark.parametrize(
    "changes",
    [
        {"correction": Correction(tier=Tier.HIGH, why="watch it", at=START)},
        {"analysis": None},
        {"failure": Failure(stage="analyse", reason="down", attempts=8, failed_at=START)},
    ],
)
def test_what_a_person_judged_or_still_wants_an_analysis_is_shown_by_itself(changes: dict[str, Any]) -> None:
    day = report([landed(1, A, **changes), landed(2, B)])
    assert shown(day) == [(2, HIGH, []), (1, HIGH, [])]
    assert told(entry(day, 2)) == [("reverts", 1, "")]


def test_who_takes_a_merge_back_takes_back_what_it_brought() -> None:
    merge = f"Merge pull request #1 from octocat/x\n\nAdd X\n\nThis is {sha_of(9)}"
    day = report([
        landed(1, "Before", parents=(sha_of(99),)),
        landed(2, "One", parents=(sha_of(1),)),
        landed(3, "Two", parents=(sha_of(2),)),
        landed(4, merge, LOW, parents=(sha_of(1), sha_of(3)), lines=30),
        landed(5, f'Revert "Add X"\n\nThis reverts commit {sha_of(4)}, reversing\nchanges made to {sha_of(1)}.',
               parents=(sha_of(4),), lines=30),
    ])  # fmt: skip
    assert shown(day) == [(5, LOW, [4, 3, 2]), (1, HIGH, [])]
    assert day.tiers.low == 4


def test_commits_of_one_pull_request_know_of_each_other() -> None:
    day = report([
        landed(1, "Before", parents=(sha_of(99),)),
        landed(2, "One", parents=(sha_of(1),)),
        landed(3, "Merge pull request #7 from octocat/x", LOW, parents=(sha_of(1), sha_of(2))),
        landed(4, "Pick X (#8)", branch="main"),
        landed(5, "Pick X (#8)", branch="release"),
    ])  # fmt: skip
    assert [told(one) for one in day.entries] == [
        [("same_pull_request", 4, "#8")],
        [("same_pull_request", 5, "#8")],
        [("same_pull_request", 2, "#7")],
        [("same_pull_request", 3, "#7")],
        [],
    ]


def test_a_merge_has_brought_what_is_its_own_and_nothing_from_before_its_branch() -> None:
    """As on a maintenance branch, all of which goes into the main one later that day."""
    day = report([
        landed(1, "Clarify errors (#5827)", branch="stable", parents=(sha_of(99),)),
        landed(2, "Tidy", branch="stable", parents=(sha_of(1),)),
        landed(3, "Add codespell", branch="stable", parents=(sha_of(2),)),
        landed(4, "Find more (#5830)", branch="stable", parents=(sha_of(3),)),
        landed(5, "Add codespell (#5844)", LOW, branch="stable", parents=(sha_of(2), sha_of(4))),
        landed(6, "Merge branch 'stable'", LOW, parents=(sha_of(98), sha_of(5))),
        landed(7, "Fix what it found", parents=(sha_of(6),)),
    ])  # fmt: skip
    assert told(entry(day, 5)) == [("same_pull_request", 3, "#5844")]
    assert told(entry(day, 3)) == [("same_pull_request", 5, "#5844")]
    assert [told(entry(day, other)) for other in (1, 2, 4)] == [[], [], []]


def test_who_takes_a_merge_of_merges_back_takes_back_all_of_it() -> None:
    day = report([
        landed(1, "One (#11)", branch="main", parents=(sha_of(99),)),
        landed(2, "Two", branch="main", parents=(sha_of(1),)),
        landed(3, "Merge pull request #12 from octocat/two", LOW, parents=(sha_of(1), sha_of(2)), lines=15),
        landed(4, "Merge branch 'stable'", LOW, parents=(sha_of(98), sha_of(3)), lines=15),
        landed(5, f"Revert \"Merge branch 'stable'\"\n\nThis reverts commit {sha_of(4)}.", parents=(sha_of(4),)),
    ])  # fmt: skip
    assert shown(day) == [(5, LOW, [4, 3, 2, 1])]
    assert day.tiers.low == 5


def test_the_parts_of_a_series_know_of_each_other_over_days() -> None:
    earlier = [landed(1, "[1/N] MoE runner: begin", days=-3), landed(2, "[2/N] MoE runner: more", days=-1)]
    other = landed(4, "[3/N] MoE runner: by another", login="hubot")
    (last, _) = report([landed(3, "[3/N] MoE runner: end"), other], elsewhere=earlier).entries[::-1]
    assert told(last) == [("series", 1, "1/N"), ("series", 2, "2/N")]
    assert [one.day for one in last.relations] == [TODAY - timedelta(days=3), TODAY - timedelta(days=1)]


def test_a_chain_is_told_from_each_of_its_ends() -> None:
    day = report([landed(1, A), landed(2, B), landed(3, C), landed(4, "Speed X up (#9)\n\nFollow-up to #1.")])
    assert told(entry(day, 4)) == [("follows_up", 1, "")]
    assert told(entry(day, 3)) == [("reverts", 2, ""), ("relands", 1, "")]
    assert told(entry(day, 2)) == [("reverted_by", 3, ""), ("relanded_by", 3, ""), ("followed_by", 4, "")]


def test_across_days_both_pages_tell_and_a_revert_keeps_its_tier() -> None:
    original, revert = landed(1, A), landed(2, B, days=1)
    part = landed(3, 'Partially revert "Add X" (#4)', Tier.MEDIUM, days=2)
    first = report([original], elsewhere=[revert, part])
    second = report([revert], day=TODAY + timedelta(days=1), elsewhere=[original])
    assert shown(first) == [(1, HIGH, [])]
    assert told(first.entries[0]) == [("reverted_by", 2, ""), ("reverted_by", 3, "part")]
    assert shown(second) == [(2, HIGH, [])]
    assert told(second.entries[0]) == [("reverts", 1, "")]
    assert (
        "**🧵 相关提交**\n\n"
        '- 已被 [Revert "Add X" (#\u20602)](2026-02-18.md#commit-octocat.hello-world-'
        + sha_of(2)
        + ") `0000002` 撤回，2026-02-18\n"
        '- 已被 [Partially revert "Add X" (#\u20604)](2026-02-19.md#commit-octocat.hello-world-'
        + sha_of(3)
        + ") `0000003` 部分撤回，2026-02-19\n"
    ) in markdown([first])
    assert (
        f"- 撤回 [Add X (#\u20601)](2026-02-17#commit-octocat.hello-world-{sha_of(1)}) `0000001`，2026-02-17\n"
        in markdown([second], address=served)
    )


def test_a_page_of_another_year_lies_in_another_folder() -> None:
    revert = landed(2, B, days=400)
    page = html_page([report([landed(1, A)], elsewhere=[revert])])
    day = TODAY + timedelta(days=400)
    assert f'href="../../../2027/octocat/hello-world/{day}.html#commit-octocat.hello-world-{sha_of(2)}"' in page


def test_the_site_has_the_markdown_of_all_years_in_one_place() -> None:
    page = report([landed(1, A)], elsewhere=[landed(2, B, days=400)])
    day = TODAY + timedelta(days=400)
    with serving(Shelves({(REPOSITORY, TODAY): report_json([page])}, {}, [REPOSITORY])) as client:
        text = client.get(f"/{REPOSITORY}/{TODAY}.md").text
    assert f"]({day}.md#commit-octocat.hello-world-{sha_of(2)})" in text


def test_the_page_of_one_commit_leads_to_the_pages_of_others() -> None:
    page = commit_page(report([landed(1, A)], elsewhere=[landed(2, B)], language="en"))
    assert f'Reverted by <a href="{sha_of(2)}"><bdi>Revert &#34;Add X&#34; (#2)</bdi></a> <code>0000002</code>' in page


def test_many_followers_are_cut_to_twenty_of_a_kind() -> None:
    day = report([landed(1, A), *(landed(n, f"Go on {n}\n\nFollow-up to #1") for n in range(2, 40))])
    assert len(entry(day, 1).relations) == 20


def test_two_thousand_commits_of_one_title_and_number_are_all_counted() -> None:
    day = report(
        [landed(n, "Bump (#1)" if n % 2 else 'Revert "Bump" (#1)', parents=(sha_of(n - 1),)) for n in range(1, 2001)]
    )
    assert day.coverage.total == 2000


MESSAGES = st.sampled_from([
    A, B, C, D, "Reland #1 (#3)", 'Partially revert "Add X"', "Merge pull request #1 from a/b",
    "[1/N] Add", "[2/N] Add",
    *(f"Go back\n\nThis reverts commits {sha_of(n)}, {sha_of(n % 5 + 1)[:8]}" for n in range(1, 9)),
])  # fmt: skip


@given(
    st.lists(st.tuples(MESSAGES, st.sampled_from(["main", "release"]), st.integers(-1, 1)), min_size=1, max_size=9),
    st.randoms(use_true_random=False),
)
def test_whatever_is_reverted_each_commit_is_shown_once(
    commits: list[tuple[str, str, int]], chance: random.Random
) -> None:
    every = [
        landed(at, text, branch=branch, days=days, parents=(sha_of(at - 1), sha_of(max(0, at - 3))))
        for at, (text, branch, days) in enumerate(commits, start=1)
    ]
    today = [one for one, (_, _, days) in zip(every, commits, strict=True) if days == 0]
    others = [one for one in every if one not in today]
    day = report(today, elsewhere=others)
    assert sorted(one.sha for one in day.commits) == sorted(one.commit.sha for one in today)
    assert sum((day.tiers.high, day.tiers.medium, day.tiers.low)) == len(today)
    for one in day.entries:
        inside = {one.sha, *(other.sha for other in one.folded)}
        assert not inside & {relation.sha for relation in one.relations}
        assert one.cancelled == (len(inside) > 1)
    chance.shuffle(today)
    chance.shuffle(others)
    assert report(today, elsewhere=others) == day
    assert_sound(markdown_outline(markdown([day])))
    assert_sound(html_outline(html_page([day])))


@given(st.lists(st.tuples(MESSAGES, st.sampled_from(["main", "release"]), st.integers(-1, 1)), min_size=1, max_size=12))
@example([("Add X", "main", 0), ('Revert "Add X"', "main", 0)])
@example([("Add X", "main", 0), ('Revert "Add X"', "main", 1)])
@example([("Add X (#5)", "main", 0), ("Revert #5", "main", 0)])
@example([("Add X (#5)", "main", -1), ("Backport X (#5)", "release", 0)])
@example([("[1/2] Pool: begin", "main", -1), ("[2/2] Pool: go on", "main", 0)])
@example([("Add X", "main", 0), (f"Go back\n\nThis reverts commit {sha_of(1)[:9]}.", "main", 0)])
def test_who_is_said_to_have_no_story_changes_none(commits: list[tuple[str, str, int]]) -> None:
    """The stories of those that may have one are those of the whole day, told in a fraction of its time."""
    every = [landed(at, text, branch=branch, days=days) for at, (text, branch, days) in enumerate(commits, start=1)]
    known = {one.commit.sha: told_from_record(one) for one in every}
    called = {
        one.commit.sha: called_from_record(one, known[one.commit.sha])
        for one, (_, _, days) in zip(every, commits, strict=True)
        if days == 0
    }
    day = [known[sha] for sha in called]
    elsewhere = [one for sha, one in known.items() if sha not in called]
    some = concerned(called, [one for one in day if called[one.sha].speaks], elsewhere)
    whole = tell(day, elsewhere, UTC, lambda _: True)
    assert tell([one for one in day if one.sha in some], elsewhere, UTC, lambda _: True) == whole
    assert whole.relations.keys() <= some


def test_of_a_day_without_stories_nobody_is_looked_at() -> None:
    records = [landed(at, f"Add part {at} (#{at})") for at in range(1, 30)]
    told = [told_from_record(one) for one in records]
    called = {one.sha: called_from_record(record, one) for record, one in zip(records, told, strict=True)}
    assert concerned(called, [], []) == set()


def strangers(text: str) -> list[DailyReport]:
    """A page on which the titles and authors of a pair, and of what has to do with it, are `text`."""
    pair = [
        landed(1, text, author=text),
        landed(2, f"{text}\n\nThis reverts commit {sha_of(1)}.", author=text),
        landed(3, f"{text}\n\nFollow-up to {sha_of(1)}"),
    ]
    kept = {"analysis": analysis(), "triage": triage(Tier.LOW, ChangeType.CHORE)}
    later = landed(4, f"{text}\n\nThis reverts commit {sha_of(3)}.", days=2)
    return [report([one.model_copy(update=kept) for one in pair], elsewhere=[later], web_url=None)]


@given(hostile_text().filter(str.strip).map(lambda text: "t " + text.replace("\n", " ").replace("\r", " ")))
def test_no_title_changes_the_structure(text: str) -> None:
    for outline, page in ((markdown_outline, markdown), (html_outline, html_page)):
        plain, found = outline(page(strangers("t plain"))), outline(page(strangers(text)))
        assert found.levels == plain.levels
        assert found.ids == plain.ids
        assert found.links == plain.links
        assert_sound(found)
