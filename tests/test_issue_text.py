"""A page as an issue: every part within GitHub's limit and sound by itself, nothing lost, nobody told or pinged."""

from __future__ import annotations

import re
from datetime import date

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.models import Tier
from report.daily import DailyReport
from report.markdown import markdown
from report.parts import MOST_CHARACTERS, issue_text, length, split
from report.stories import Relation
from tests.records import record, report, varied_day


def long_day(count: int, **changes: str) -> DailyReport:
    tiers = [Tier.HIGH, Tier.MEDIUM, Tier.LOW]
    records = [record(n, tiers[n % 3], f"Change {n} 🌈", **changes) for n in range(1, count + 1)]
    return report(records)


def test_a_short_day_is_one_body_without_a_number() -> None:
    day = report(varied_day())
    text = issue_text(day, None)
    assert text.title == "每日更新报告（2026-02-17） · octocat/hello-world"
    page = markdown([day]).partition("\n\n")[2].strip().replace("https://github.com", "https://redirect.github.com")
    assert text.parts == (f"<!-- daybook octocat/hello-world 2026-02-17 -->\n\n{page}",)


def test_a_long_day_is_cut_between_commits_and_numbered() -> None:
    day = long_day(300)
    text = issue_text(day, None)
    assert len(text.parts) > 3
    assert max(map(length, text.parts)) <= MOST_CHARACTERS
    count = len(text.parts)
    assert text.parts[0].startswith(f"<!-- daybook octocat/hello-world 2026-02-17 -->\n\n**1/{count}**\n\n<a id=")
    for number, part in enumerate(text.parts[1:], 2):
        mark = f"<!-- daybook octocat/hello-world 2026-02-17 part {number} -->\n\n**{number}/{count}**\n\n"
        assert re.match(re.escape(mark) + r'<a id="(high|medium|low|commit)-', part)
        assert part.endswith("\n\n---")
    whole = "\n\n".join(re.sub(r"^<!--.*-->\n\n\*\*\d+/\d+\*\*\n\n", "", part) for part in text.parts)
    page = markdown([day]).partition("\n\n")[2].strip()
    assert whole == page.replace("https://github.com", "https://redirect.github.com")
    assert len(re.findall(r"^#### ", whole, re.MULTILINE)) == 300


def test_the_tables_above_the_commits_are_cut_between_rows_and_keep_their_head() -> None:
    text = issue_text(long_day(400), None, limit=9000)
    assert max(map(length, text.parts)) <= 9000
    rows = 0
    links: list[str] = []
    for part in text.parts:
        tokens = MarkdownIt("commonmark").enable("table").parse(part)
        assert not [token for token in tokens if token.type in {"code_block", "fence"}]
        rows += sum(token.type == "tr_open" for token in tokens) - sum(token.type == "thead_open" for token in tokens)
        links += re.findall(r"\]\(#(commit-[^)]+)\)", part)
    insights = 4 * sum(n % 3 == 0 for n in range(1, 401))
    assert rows == 400 + insights
    assert len(set(links)) == 400


def test_links_do_not_tell_the_issues_they_lead_to_and_names_do_not_ping() -> None:
    title = "Ping @octocat for #12, see hubot/x#7 and https://github.com/octocat/x/pull/9"
    text = issue_text(report([record(1, Tier.MEDIUM, title)]), None).parts[0]
    assert "https://redirect.github.com/octocat/hello-world/issues/12" in text
    assert "](https://github.com" not in text
    assert not re.search(r"@\w", text)
    assert not re.search(r"(?<![\[/\w])#\d", text.replace("[#12]", ""))


def test_an_enterprise_server_has_no_such_host() -> None:
    day = report([record(1)], web_url="https://git.example.org/octocat/hello-world")
    assert "(https://git.example.org/octocat/hello-world/issues/12)" in issue_text(day, None).parts[0]


def test_a_commit_of_another_day_is_linked_to_the_site_or_to_its_repository() -> None:
    day = report([record(1)])
    other = Relation(kind="reverts", sha="b" * 40, title="Old", day=date(2026, 1, 2))
    entry = day.entries[0].model_copy(update={"relations": (other,)})
    told = day.model_copy(update={"entries": (entry,)})
    anchor = "commit-octocat.hello-world-" + "b" * 40
    assert (
        f"(https://daybook.example/octocat/hello-world/2026-01-02#{anchor})"
        in (issue_text(told, "https://daybook.example/").parts[0])
    )
    assert f"(https://redirect.github.com/octocat/hello-world/commit/{'b' * 40})" in issue_text(told, None).parts[0]


@given(st.lists(st.text(st.sampled_from("ab |-\n🌈#*"), max_size=80), max_size=30), st.integers(20, 200))
def test_no_part_is_over_the_limit_and_what_fits_is_whole(pieces: list[str], limit: int) -> None:
    page = "\n\n---\n\n".join(pieces)
    parts = list(split(page, limit))
    assert all(length(part) <= limit for part in parts)
    if length(page) <= limit:
        assert "\n\n".join(parts) == page
    assert length("🌈a中") == 4
