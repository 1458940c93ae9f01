"""The archive through a real HTTP server: calendars, weeks and months, authors and areas, the feed, the open day."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest

from core.ledger import Ledger
from core.models import CommitRecord, PublicChange, Tier
from report.highlights import Highlight
from report.json import report_from_json, report_json
from report.slices import address
from tests.outline import assert_sound, html_outline
from tests.records import REPOSITORY, facts, record, report, sha_of, varied_day
from tests.serving import Client, Shelves, serving
from tests.test_feed import assert_valid

BASE = f"/{REPOSITORY}"
TODAY = date(2026, 3, 7)
DAYS = [date(2026, 2, 17), date(2026, 2, 16), date(2026, 1, 5), date(2025, 12, 31)]
SLASHED = "a/b\\c ../%2e <script>"


def filled() -> Shelves:
    records = {
        DAYS[0]: varied_day(),
        DAYS[1]: [
            record(21, Tier.HIGH, "Drop the old cache", author=SLASHED, facts=facts(areas=("core/cache", "."))),
            record(22, Tier.MEDIUM, "Speed up", author="李雷", facts=facts(areas=("core",))),
        ],
        DAYS[2]: [],
        DAYS[3]: [record(31, Tier.HIGH, "Last year's news")],
    }
    told = {DAYS[1]: (Highlight(text="The `cache` is gone.", shas=(sha_of(21), sha_of(22))),)}
    stored = {
        (REPOSITORY, day): report_json([report(some, day=day).model_copy(update={"highlights": told.get(day, ())})])
        for day, some in records.items()
    }
    # Landed at 19:01 of the 7th of March, in Shanghai.
    today = record(900, Tier.HIGH, "Today's news")
    known = [*varied_day(), today]
    return Shelves(stored, {(REPOSITORY, one.commit.sha): one for one in known}, [REPOSITORY])


@pytest.fixture(scope="module")
def site() -> Iterator[Client]:
    with serving(filled(), report_language="en") as client:
        yield client


def shown(page: str) -> str:
    """The words of a page's main part, one space between them."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition(">")[2])).split())


def sound_links(site: Client, path: str) -> list[str]:
    """A page's links, each of which is answered, and has its target."""
    page = site.get(path)
    assert page.status == 200
    outline = html_outline(page.text)
    assert_sound(outline)
    for link in set(outline.links):
        target, _, anchor = link.partition("#")
        if target.startswith("/"):
            answer = site.get(target)
            assert answer.status == 200, link
            assert not anchor or f'id="{anchor}"' in answer.text
    return outline.links


def test_the_archive_leads_to_the_calendar_and_the_open_day(site: Client) -> None:
    links = sound_links(site, "/")
    assert {BASE, f"{BASE}/2026-03-07", f"{BASE}/2026-02-17", f"{BASE}/2025-12-31"} <= set(links)
    assert "2026-03-07 (still open)" in shown(site.get("/").text)


def test_a_repository_is_a_calendar(site: Client) -> None:
    links = sound_links(site, BASE)
    months = [link for link in links if re.fullmatch(rf"{BASE}/\d{{4}}-\d\d", link)]
    assert months == [f"{BASE}/2026-02", f"{BASE}/2026-01", f"{BASE}/2025-12"]
    assert [link for link in links if "-W" in link] == [
        f"{BASE}/2026-W08",
        f"{BASE}/2026-W02",
        f"{BASE}/2026-W01",
    ]
    assert {f"{BASE}/2026", f"{BASE}/2025", f"{BASE}/author/The%20Octocat", f"{BASE}/area/parser"} <= set(links)
    page = site.get(BASE.upper()).text
    assert 'title="2026-02-17: 6 commits · High 2 · Medium 2 · Low 2"' in page
    assert "W08 2026-02- 16 2 2 commits High 1 Medium 1 2026-02- 17 6 6 commits High 2 Medium 2 18 19" in shown(page)
    assert 'title="2026-01-05: 0 commits"' in page


def test_a_year_shows_its_months(site: Client) -> None:
    links = sound_links(site, f"{BASE}/2025")
    assert f"{BASE}/2025-12-31" in links
    assert f"{BASE}/2026-02-17" not in links


def test_a_week_says_what_mattered(site: Client) -> None:
    links = sound_links(site, f"{BASE}/2026-W08")
    assert links[1:6] == ["/", BASE, f"{BASE}/feed.atom", f"{BASE}/2026-W02", f"{BASE}/2026-02"]
    assert shown(site.get(f"{BASE}/2026-W08").text) == (
        "octocat/hello-world · Week 8 of 2026 (2026-02-16 to 2026-02-22) 8 commits · 2 days have a report "
        "High 3 Medium 3 Low 2 Covered 6/8 bug fix 5 · breaking change 1 · documentation 1 What mattered "
        'High Revert "Strip <think> tags, see octocat/spoon-knife#7 and @hubot" (#18165) 2026-02-17 · '
        "bug fix · hubot[bot] · 0000002 修复 parse_header 在空输入时崩溃的问题。 "
        "High Parse headers in two layers, drop strict and keep [PCG] tags (#18164) 2026-02-17 · "
        "breaking change · The Octocat · 0000001 修复 parse_header 在空输入时崩溃的问题。 "
        "High Drop the old cache 2026-02-16 · bug fix · a/b\\c ../%2e <script> · 0000015 "
        "修复 parse_header 在空输入时崩溃的问题。 "
        "Day by day 2026-02-16 2 commits High 1 Medium 1 Low 0 "
        "The cache is gone. 0000015 0000016 2026-02-17 6 commits High 2 Medium 2 Low 2 Covered 4/6 "
        "Authors The Octocat 4 a/b\\c ../%2e <script> 1 a|b 1 hubot[bot] 1 李雷 1 "
        "Areas parser 5 top of the repository 1 core 1 core/cache 1"
    )


def test_a_month_tells_what_changed_for_users() -> None:
    def flag(number: int, action: Any, name: str, **values: Any) -> CommitRecord:
        change = PublicChange(kind="flag", action=action, name=name, path="cli.py", **values)
        return record(number, facts=facts(changes=(change,)))

    days = {
        DAYS[1]: [flag(1, "added", "--brief"), flag(2, "renamed", "--new", before="--old", after="--new")],
        DAYS[0]: [flag(3, "removed", "--brief"), flag(4, "removed", "--loud")],
    }
    stored = {(REPOSITORY, day): report_json([report(some, day=day)]) for day, some in days.items()}
    with serving(Shelves(stored, known=[REPOSITORY]), report_language="en") as client:
        text = shown(client.get(f"{BASE}/2026-02").text)
        links = html_outline(client.get(f"{BASE}/2026-02").text).links
    assert "Compatibility changes" in text
    assert "--loud" in text
    assert "--old" in text
    assert "--brief" not in text
    assert f"{BASE}/2026-02-16#commit-octocat.hello-world-{sha_of(2)}" in links


def test_an_old_month_links_no_author_or_area_whose_page_is_not_there_any_more() -> None:
    old, new = date(2026, 1, 5), date(2026, 4, 30)
    gone = record(41, author="Long Gone", facts=facts(areas=("attic/box",)))
    days = {
        old: [gone, record(42, author="Still Here", facts=facts(areas=("core", "core/cache/lru")))],
        new: [record(51, author="Still Here", facts=facts(areas=("core/cache",)))],
    }
    kept = {(REPOSITORY, day): report_json([report(some, day=day)]) for day, some in days.items()}
    with serving(Shelves(kept, {}, [REPOSITORY]), report_language="en") as site:
        for page in (f"{BASE}/2026-01", f"{BASE}/2026-W02"):
            links = sound_links(site, page)
            assert [one for one in links if "/author/" in one] == [f"{BASE}/author/Still%20Here"]
            assert [one for one in links if "/area/" in one] == [f"{BASE}/area/core"]
            assert "Long Gone 1 Still Here 1" in shown(site.get(page).text)
        kept[REPOSITORY, old + timedelta(days=100)] = report_json([report([gone], day=old + timedelta(days=100))])
        assert f"{BASE}/author/Long%20Gone" in sound_links(site, f"{BASE}/2026-01")


def test_a_month_names_the_days_without_a_report(site: Client) -> None:
    text = shown(site.get(f"{BASE}/2025-12").text)
    assert "octocat/hello-world · 2025-12 1 commit · 1 day has a report" in text
    assert "2025-12-30 no report 2025-12-31 1 commit High 1" in text
    quiet = shown(site.get(f"{BASE}/2026-01").text)
    assert "0 commits · 1 day has a report What mattered No change of high importance." in quiet


@pytest.mark.parametrize("author", ["The Octocat", SLASHED, "李雷", "a|b", "hubot[bot]"])
def test_an_author_has_a_page_whatever_the_name(site: Client, author: str) -> None:
    path = f"{BASE}/author/{quote(address('author', author))}"
    assert path in sound_links(site, BASE)
    sound_links(site, path)
    assert html_outline(site.get(path).text).headings == [(1, f"Commits by {author}")]


def test_an_area_holds_what_is_below_it(site: Client) -> None:
    text = shown(site.get(f"{BASE}/area/core").text)
    assert text.startswith("Commits in core octocat/hello-world · 2025-12-31 to 2026-02-17 2 commits")
    assert shown(site.get(f"{BASE}/area/core/cache").text).count("Drop the old cache") == 1
    assert "Commits in top of the repository" in shown(site.get(f"{BASE}/area/~2e~").text)


def test_the_feed_is_valid_and_found(site: Client) -> None:
    feed = site.get(f"{BASE}/feed.atom")
    assert feed.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    root = assert_valid(feed.text.encode())
    entries = root.findall("{*}entry")
    assert [entry.findtext("{*}id") for entry in entries] == [f"tag:localhost,2026:{REPOSITORY}/{day}" for day in DAYS]
    assert {entry.findtext("{*}updated") for entry in entries} == {"2026-02-17T16:30:00Z"}
    links = [link.attrib["href"] for link in root.iter("{http://www.w3.org/2005/Atom}link")]
    assert links[0] == f"http://127.0.0.1:{site.port}{BASE}/feed.atom"
    for path in (BASE, f"{BASE}/2026-02-17", f"{BASE}/2026-02"):
        assert f'<link rel="alternate" type="application/atom+xml" href="{BASE}/feed.atom"' in site.get(path).text


def test_the_feed_links_to_site_url() -> None:
    with serving(filled(), site_url="https://daybook.example/") as client:
        text = client.get(f"{BASE}/feed.atom").text
    assert f'<link rel="self" type="application/atom+xml" href="https://daybook.example{BASE}/feed.atom" />' in text
    assert f"<id>tag:daybook.example,2026:{REPOSITORY}/2026-02-17</id>" in text
    assert "127.0.0.1" not in text


def test_the_open_day_is_assembled_as_it_is(site: Client) -> None:
    page, text, data = (site.get(f"{BASE}/2026-03-07{form}") for form in ("", ".md", ".json"))
    note = "This day is still open: the page shows what is known now, and more may come."
    assert (page.status, text.status, data.status) == (200, 200, 200)
    assert note in shown(page.text)
    assert f"> {note}" in text.text
    assert "Today&#39;s news" in page.text
    found = report_from_json(data.text.encode())
    assert (found.still_open, [entry.sha for entry in found.entries]) == (True, [sha_of(900)])
    assert [count.day for count in found.trend] == [date(2026, 2, 16), date(2026, 2, 17), TODAY]
    assert "Today&#39;s news" in site.get("/2026-03-07").text


def test_an_open_day_without_commits_says_so() -> None:
    with serving(Shelves(known=[REPOSITORY]), report_language="en") as client:
        assert "This day is still open: no commits so far." in shown(client.get(f"{BASE}/2026-03-07").text)
        assert client.get(f"{BASE}/2026-03-06").status == 404
        assert "No reports yet." in shown(client.get(BASE).text)


def test_the_charts_of_the_archive_count_back_from_today(site: Client) -> None:
    for path in ("/", BASE):
        text = shown(site.get(path).text)
        assert "Commits in the last 30 days" in text
        assert "2026-03-06 no report 2026-03-07 no report" in text
        assert "2026-02-06" in text
    with serving(filled(), now=datetime(2026, 3, 25, 12, 0, tzinfo=UTC), report_language="en") as client:
        assert "Commits in the last 30 days" not in client.get(BASE).text


def test_yesterday_is_open_until_its_report_is_made() -> None:
    with serving(filled(), now=datetime(2026, 3, 7, 16, 20, tzinfo=UTC), report_language="en") as client:
        text = shown(client.get(BASE).text)
        assert "2026-03-08 (still open) 2026-03-07 (still open) 2026-02-17 6 commits" in text
        assert "Today&#39;s news" in client.get(f"{BASE}/2026-03-07").text


def test_the_beginning_of_a_sha_leads_to_the_commit(site: Client) -> None:
    answer = site.get(f"{BASE}/commit/{sha_of(900)[:9]}")
    assert (answer.status, answer.headers["Location"]) == (302, f"{BASE}/commit/{sha_of(900)}")
    ambiguous = site.get(f"{BASE}/commit/00000")
    assert (ambiguous.status, html_outline(ambiguous.text).headings) == (404, [(1, "Which commit?")])


def test_a_damaged_report_is_made_again_where_its_commits_are_known() -> None:
    archive = filled()
    kept = report_from_json(archive.stored[REPOSITORY, DAYS[0]])
    for day, damage in ((DAYS[0], b""), (DAYS[1], b'{"reports":[{"entries":"x"}]}')):
        archive.stored[REPOSITORY, day] = damage
    with serving(archive, report_language="zh") as client:
        data = json.loads(client.get(f"{BASE}/2026-02-17.json").text)
        assert [entry["sha"] for entry in data["reports"][0]["entries"]] == [entry.sha for entry in kept.entries]
        lost = client.get(f"{BASE}/2026-02-16")
        assert (lost.status, html_outline(lost.text).headings) == (503, [(1, "这份报告无法读取")])
        assert lost.headers["Cache-Control"] == "no-store"
        for path in ("/", BASE, f"{BASE}/2026-01", f"{BASE}/feed.atom", f"{BASE}/author/The%20Octocat"):
            assert client.get(path).status == 200


def test_one_damaged_report_does_not_take_the_day_of_the_others_away() -> None:
    archive = filled()
    archive.known.append("hubot/tools")
    archive.stored["hubot/tools", DAYS[0]] = b"{"
    with serving(archive) as client:
        page = client.get("/2026-02-17")
        assert client.get("/2026-02-17.md").status == client.get("/2026-02-17.json").status == 503
    assert page.status == 200
    assert "Parse headers in two layers" in page.text
    assert "hubot/tools 这份报告无法读取" in shown(page.text)


def test_who_has_a_page_is_told_that_it_is_the_same(site: Client) -> None:
    for path in (f"{BASE}/2026-02-17", f"{BASE}/2026-02-17.json", f"{BASE}/feed.atom", BASE, "/"):
        first = site.get(path)
        again = site.get(path, If_None_Match=first.headers["ETag"])
        assert (again.status, again.text, again.headers["ETag"]) == (304, "", first.headers["ETag"])
        assert again.headers["Cache-Control"] == "private, no-cache"
        assert site.get(path, If_None_Match='"another"').status == 200
        head = site.get(path, method="HEAD")
        assert (head.status, head.text, head.headers["ETag"]) == (200, "", first.headers["ETag"])
        assert int(head.headers["Content-Length"]) == len(first.text.encode())


def test_a_new_version_of_a_day_is_seen_at_once() -> None:
    archive = filled()
    with serving(archive) as client:
        first = client.get(f"{BASE}/2026-02-17")
        asked = archive.asked
        assert client.get(f"{BASE}/2026-02-17").text == first.text
        assert archive.asked == asked
        archive.stored[REPOSITORY, DAYS[0]] = report_json([report(varied_day()[:1], revision=2)])
        second = client.get(f"{BASE}/2026-02-17", If_None_Match=first.headers["ETag"])
        assert (second.status, "第 2 版" in second.text) == (200, True)
        assert "3 个提交" in shown(client.get(f"{BASE}/2026-W08").text)


def test_no_page_of_the_archive_is_open_without_the_password() -> None:
    with serving(filled(), site_password="secret", daybook_host="0.0.0.0") as client:  # noqa: S104
        for path in (BASE, f"{BASE}/2026-W08", f"{BASE}/author/x", f"{BASE}/area/x", f"{BASE}/feed.atom", "/a/b/c/d/e"):
            assert client.get(path).status == 401


def test_a_kept_report_has_a_stamp_that_changes_with_what_it_says(ledger: Ledger) -> None:
    day, next_day = DAYS[0], DAYS[0] + timedelta(days=1)
    ledger.save_report(REPOSITORY, day, b"one")
    first = ledger.report_stamps(REPOSITORY)[day]
    ledger.save_report(REPOSITORY, day, b"one")
    assert ledger.report_stamps(REPOSITORY)[day] == first
    ledger.save_report(REPOSITORY, day, b"two")
    second = ledger.report_stamps(REPOSITORY)[day]
    assert first
    assert second
    assert second.digest != first.digest
    assert second.at > first.at
    ledger.save_report(REPOSITORY, next_day, b"three")
    assert list(ledger.report_stamps(REPOSITORY)) == [next_day, day]
    assert ledger.reports(REPOSITORY, [day, DAYS[1], next_day]) == [b"two", None, b"three"]
    ledger.redis.hdel(f"daybook:stamps:{REPOSITORY}", str(day))
    ledger.redis.set(f"daybook:report:{REPOSITORY}:{day}", b"no zlib")
    assert ledger.report_stamps(REPOSITORY)[day] is None
    assert ledger.report(REPOSITORY, day) == b""
