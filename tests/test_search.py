"""Search through the site on a real Redis: what is found, in which order, how it is shown, how the index is kept."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner

from cli.reindex import reindex
from core.ledger import Ledger, Stage
from core.models import ChangeType, CommitRecord, Push, Tier
from report.json import report_json
from report.search.finding import Question, find
from report.search.keeper import Keeper
from tests.conftest import SHANGHAI
from tests.outline import html_outline
from tests.records import REPOSITORY, analysis, facts, record, report, sha_of, triage
from tests.serving import Client, serving

DAY = date(2026, 2, 17)
OTHER = "hubot/tools"


def day_of_records() -> list[CommitRecord]:
    """Five commits that differ in what they can be found by."""
    return [
        record(1, Tier.HIGH, "Drop `max_num_seqs` from BatchSampler", author="Ada Lovelace", login="ada",
               triage=triage(Tier.HIGH, ChangeType.BREAKING),
               analysis=analysis(Tier.HIGH, types=(ChangeType.BREAKING, ChangeType.REFACTOR))),
        record(2, Tier.MEDIUM, "Fix the parser", facts=facts(paths=("python/srt/mem_cache/radix_cache.py",)),
               analysis=analysis(Tier.MEDIUM, summary="修复 `BatchSampler` 在空批次时的崩溃。")),
        record(3, Tier.LOW, "docs: explain sampling", author="李雷",
               analysis=analysis(Tier.LOW, summary="说明采样参数。")),
        record(4, Tier.LOW, "Low now, its risks are not shown", analysis=analysis(Tier.HIGH, risks=("zebra",))),
        record(5, message="<b>bold</b> & `max_num_seqs` again", triage=None, facts=None, analysis=None),
    ]  # fmt: skip


def keep(ledger: Ledger, records: list[CommitRecord], day: date = DAY, repository: str = REPOSITORY) -> None:
    """Keep a day's report whose commits' records have expired."""
    ledger.redis.hset("daybook:repositories", repository, 1.0)
    ledger.save_report(repository, day, report_json([report(records, repository, day=day)]))


def receive(ledger: Ledger, *records: CommitRecord) -> None:
    """Receive commits and finish those that have an analysis; no report is made."""
    for one in records:
        commit = one.commit
        push = Push(repository=commit.repository, branch="main", before="0" * 40, after=commit.sha,
                    pushed_at=commit.landed_at, delivery=commit.sha, commits=(commit,))  # fmt: skip
        ledger.receive(push, [b"{}"])
        if one.analysis:
            claim = ledger.claim(commit.id, Stage.FETCH)
            assert claim
            assert ledger.finish(claim, one)


def keeper(ledger: Ledger, home: Path) -> Keeper:
    """One that looks at the ledger each time."""
    return Keeper(ledger, home, look_again_seconds=0)


def titles(ledger: Ledger, home: Path, text: str) -> list[str]:
    """The titles that a fresh process finds."""
    found, complete = keeper(ledger, home).ask(lambda index: find(index, Question(text)))
    assert complete
    return ["".join(span.text for span in result.title) for result in found.results]


@pytest.fixture
def client(ledger: Ledger, home: Path) -> Iterator[Client]:
    keep(ledger, day_of_records())
    keep(ledger, [record(1, message="Bump the sampler", repository=OTHER)], DAY + timedelta(days=1), OTHER)
    with serving(ledger, daybook_home=home, report_language="en") as served:
        yield served


def ask(client: Client, **given: str) -> dict[str, Any]:
    answer = client.get(f"/search.json?{urlencode(given)}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    document: dict[str, Any] = json.loads(answer.text)
    return document


def shas(document: dict[str, Any]) -> list[int]:
    """The numbers of the commits that were found."""
    return [int(row["sha"][:7], 16) for row in document["results"]]


def test_what_is_found_and_in_which_order(client: Client) -> None:
    questions: list[tuple[dict[str, str], list[int]]] = [
        ({"q": "sampler", "repository": REPOSITORY}, [1, 2]),  # in the title before in the analysis
        ({"q": "空批次"}, [2]),
        ({"q": "采样参数"}, [3]),
        ({"q": "radix_cache.py"}, [2]),
        ({"q": "mem_cache"}, [2]),
        ({"q": "max-num-seqs"}, [5, 1]),
        ({"q": "lovelace"}, [1]),
        ({"q": "李雷"}, [3]),
        ({"q": sha_of(3)[:12]}, [3]),
        ({"q": "zebra"}, []),
        ({"tier": "high"}, [1]),
        ({"type": "refactor"}, [1]),
        ({"author": "ADA"}, [1]),
        ({"repository": "HUBOT/Tools"}, [1]),
        ({"from": "2026-02-18"}, [1]),
        ({"to": "2026-02-17", "tier": "low"}, [4, 3]),
        ({"from": "2026-02-17", "to": "2026-02-17", "q": "sampling", "tier": "high"}, []),
        ({"repository": "nobody/nothing"}, []),
    ]
    answers = [ask(client, **given) for given, _ in questions]
    assert list(map(shas, answers)) == [found for _, found in questions]
    assert [answer["total"] for answer in answers] == [len(found) for _, found in questions]
    assert all(answer["complete"] for answer in answers)


def test_the_json_says_where_each_match_stands(client: Client) -> None:
    assert ask(client, q="radix 空批次") == {
        "query": {"q": "radix 空批次"},
        "total": 1,
        "page": 1,
        "pages": 1,
        "complete": True,
        "cut": False,
        "results": [
            {
                "repository": REPOSITORY,
                "day": "2026-02-17",
                "sha": sha_of(2),
                "tier": "medium",
                "types": ["bugfix"],
                "author": "The Octocat",
                "title": {"text": "Fix the parser", "hits": []},
                "excerpts": [
                    {"in": "summary", "text": "修复 BatchSampler 在空批次时的崩溃。", "hits": [[17, 20]]},
                    {"in": "name", "text": "python/srt/mem_cache/radix_cache.py", "hits": [[21, 26]]},
                ],
                "href": f"/{REPOSITORY}/2026-02-17#commit-octocat.hello-world-{sha_of(2)}",
            }
        ],
    }


def test_the_page_marks_what_was_searched_for_and_escapes_the_rest(client: Client) -> None:
    page = client.get("/search?q=max_num_seqs")
    assert page.status == 200
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; `<mark>max_num_seqs</mark>` again" in page.text
    assert '<input type="search" name="q" value="max_num_seqs"' in page.text
    assert "2 commits found" in page.text
    for href in html_outline(page.text).links:
        assert href in {"#main", "/"} or client.get(href.partition("#")[0]).status == 200


def test_the_form_stands_on_the_pages_and_asks_nothing_by_itself(client: Client, home: Path) -> None:
    for path in ("/", f"/{REPOSITORY}/2026-02-17"):
        assert '<form class="find" action="/search" role="search">' in client.get(path).text
    empty = client.get("/search")
    assert (empty.status, "commits found" in empty.text) == (200, False)
    assert "form-action 'self'" in empty.headers["Content-Security-Policy"]
    assert not (home / "search").exists()


def test_a_filter_that_cannot_be_read_is_said(client: Client) -> None:
    for field in ("tier", "type", "from", "to", "page"):
        page, document = (client.get(f"/search{form}?{field}=<script>") for form in ("", ".json"))
        assert (page.status, document.status) == (400, 400)
        assert "<script>" not in page.text.partition("<main")[2]
        assert json.loads(document.text) == {"error": f"{field} is not one of its values"}


def test_dates_in_the_wrong_order_are_said(client: Client) -> None:
    page, document = (client.get(f"/search{form}?from=2026-02-18&to=2026-02-17") for form in ("", ".json"))
    assert (page.status, document.status) == (400, 400)
    assert "2026-02-18 comes after 2026-02-17; swap the two. Nothing was searched for." in page.text
    assert "No commit matches" not in page.text
    assert json.loads(document.text) == {"error": "from (2026-02-18) is after to (2026-02-17)"}


HOSTILE = [
    '"', '""', "'", "*", "sampler*", "NEAR(a b)", "a AND", "OR", "NOT x", "title:sampler", "{title}:x", "-sampler",
    "^sampler", "(", "a\0b", "\ud7ff\uffff", "%", "_", ";DROP TABLE commits", "+", "words MATCH", "\u202e", "ﷺ",
    "½ ㎏ ²", "x" * 10_000, "的" * 3_000, "a " * 5_000, '"' * 10_000,
]  # fmt: skip


def test_a_hostile_query_is_plain_text(client: Client) -> None:
    for text in HOSTILE:
        given = urlencode({"q": text, "author": text[:500], "repository": text[:500]})
        assert [client.get(f"/search{form}?{given}").status for form in ("", ".json")] == [200, 200], text
        assert ask(client, q="sampler", author=text[:500])["total"] == 0, text
    assert [ask(client, q=text)["total"] for text in ("sampler*", "^sampler", "(sampler", '"sampler')] == [3] * 4
    assert ask(client, q="x" * 10_000)["cut"]


def test_bytes_that_are_no_text_are_answered(client: Client) -> None:
    assert client.get("/search?q=%ff%fe%00&author=%ed%a0%80").status == 200


def test_many_results_come_in_pages_the_newest_first(ledger: Ledger, home: Path) -> None:
    keep(ledger, [record(number, message=f"Same words {number}") for number in range(1, 46)])
    with serving(ledger, daybook_home=home) as client:
        pages = [ask(client, q="same words", page=str(number)) for number in (1, 2, 3)]
        last = client.get("/search?q=same+words&page=3")
    assert [number for page in pages for number in shas(page)] == list(range(45, 0, -1))
    assert {(page["total"], page["pages"]) for page in pages} == {(45, 3)}
    assert '<a href="/search?q=same+words&amp;page=2" rel="prev">← 上一页</a>' in last.text
    assert 'rel="next"' not in last.text


def test_search_is_for_who_may_read(ledger: Ledger, home: Path) -> None:
    with serving(ledger, daybook_home=home, site_password="sesame") as client:
        answers = [client.get(f"/search{form}?q=x", host="reports.example") for form in ("", ".json")]
    assert [answer.status for answer in answers] == [401, 401]


def test_commits_of_an_open_day_are_found_before_and_after_their_analysis(ledger: Ledger, home: Path) -> None:
    waits, done = record(7, message="Waits for the model", analysis=None), record(8, message="Analysed already")
    receive(ledger, waits, done)
    with serving(ledger, daybook_home=home) as client:
        found = ask(client, q="waits")["results"] + ask(client, q="parse_header")["results"]
        assert [row["href"] for row in found] == [f"/{REPOSITORY}/commit/{sha_of(number)}" for number in (7, 8)]
        assert client.get(found[0]["href"]).status == 200


def test_the_index_follows_what_changes(ledger: Ledger, home: Path) -> None:
    keep(ledger, [record(1, message="First words"), record(2, message="Stays")])
    assert titles(ledger, home, "first") == ["First words"]
    keep(ledger, [record(1, message="Second words"), record(2, message="Stays")])
    assert (titles(ledger, home, "first"), titles(ledger, home, "second")) == ([], ["Second words"])
    receive(ledger, record(3, message="Third", landed_at=record(3).commit.landed_at + timedelta(days=1)))
    assert titles(ledger, home, "third") == ["Third"]
    keep(ledger, [record(3, message="Third")], DAY + timedelta(days=1))
    assert titles(ledger, home, "third stays") == []
    assert titles(ledger, home, "third") == ["Third"]
    ledger.redis.flushall()
    assert titles(ledger, home, "stays") == []


def test_a_damaged_report_hides_no_other_and_its_records_stand_in(ledger: Ledger, home: Path) -> None:
    keep(ledger, [record(1, message="Unharmed")])
    receive(ledger, record(2, message="Known by its record", landed_at=record(2).commit.landed_at + timedelta(days=1)))
    ledger.save_report(REPOSITORY, DAY + timedelta(days=1), b'{"reports": [')
    assert titles(ledger, home, "unharmed") == ["Unharmed"]
    assert titles(ledger, home, "record") == ["Known by its record"]


@pytest.mark.parametrize("damage", ["deleted", "emptied", "overwritten", "scrambled", "foreign"])
def test_a_broken_index_is_made_again(ledger: Ledger, home: Path, damage: str) -> None:
    keep(ledger, day_of_records())
    kept = keeper(ledger, home)
    assert kept.ask(lambda index: find(index, Question("sampler")).total) == (2, True)
    (file,) = (home / "search").glob("v*.sqlite")
    if damage == "deleted":
        file.unlink()
    elif damage == "emptied":
        file.write_bytes(b"")
    elif damage == "overwritten":
        file.write_bytes(b"no index at all " * 1000)
    elif damage == "scrambled":
        whole = file.read_bytes()
        file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    else:
        file.unlink()
        with closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE commits (id)")
    assert kept.ask(lambda index: find(index, Question("sampler")).total) == (2, True)
    assert titles(ledger, home, "radix") == ["Fix the parser"]


def test_reindex_puts_a_new_index_in_place_while_the_old_one_is_read(
    ledger: Ledger, redis_url: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(ledger, day_of_records())
    kept = keeper(ledger, home)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DAYBOOK_HOME", str(home))

    def meanwhile(index: sqlite3.Connection) -> int:
        before = find(index, Question("sampler")).total
        outcome = CliRunner().invoke(reindex)
        assert outcome.output.startswith("commits: 5, days: 1, seconds: ")
        assert find(index, Question("sampler")).total == before
        return before

    assert kept.ask(meanwhile) == (2, True)
    assert len(list((home / "search").glob("v*.sqlite"))) == 1
    assert sorted(file.name for file in (home / "search").iterdir())[0] == "lock"
    assert kept.ask(lambda index: find(index, Question("sampler")).total) == (2, True)


def test_where_no_index_can_be_written_search_says_so_and_the_rest_works(ledger: Ledger, home: Path) -> None:
    keep(ledger, day_of_records())
    home.write_text("a file, where a folder is wanted")
    with serving(ledger, daybook_home=home, report_language="en") as client:
        page, document = client.get("/search?q=x"), client.get("/search.json?q=x")
        assert client.get("/").status == 200
    assert (page.status, document.status, page.headers["Retry-After"]) == (503, 503, "5")
    assert html_outline(page.text).headings == [(1, "Search is not available just now")]


def test_a_store_that_does_not_answer_is_said(home: Path) -> None:
    down = Ledger("redis://127.0.0.1:1", SHANGHAI)
    with serving(down, daybook_home=home) as client:
        assert [client.get(f"/search{form}?q=x").status for form in ("", ".json")] == [503, 503]
    down.close()


def _search_in_another_process(redis_url: str, home: Path, answers: Any) -> None:
    ledger = Ledger(redis_url, SHANGHAI)
    kept = keeper(ledger, home)
    for number in range(15):
        found, _ = kept.ask(lambda index: find(index, Question("words")).total)
        answers.put((number, found))
    kept.ask(lambda _: None)
    ledger.close()


@pytest.mark.slow
def test_several_processes_search_and_write_one_index(ledger: Ledger, redis_url: str, home: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    readers = [context.Process(target=_search_in_another_process, args=(redis_url, home, answers)) for _ in range(3)]
    keep(ledger, [record(1, message="Words")])
    for process in readers:
        process.start()
    for number in range(2, 12):
        keep(ledger, [record(number, message="Words")], DAY + timedelta(days=number))
        if number == 6:
            keeper(ledger, home).rebuild()
    for process in readers:
        process.join(60)
    assert [process.exitcode for process in readers] == [0, 0, 0]
    assert titles(ledger, home, "words") == ["Words"] * 11
    with closing(sqlite3.connect(next((home / "search").glob("v*.sqlite")))) as index:
        assert index.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        index.execute("INSERT INTO words(words) VALUES ('integrity-check')")
