"""What changed between two points as the site and the command line give it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings

from cli.changes import changes
from core.errors import DaybookError
from core.ledger import Ledger
from core.models import PublicChange, Tier
from report.changes_between import between
from report.changes_html import changes_page
from report.changes_markdown import between_markdown
from report.daily import DailyReport
from report.html import html_page
from report.json import report_json
from report.labels import labels
from report.markdown import markdown
from tests.hostile import hostile_text
from tests.outline import assert_sound, html_outline, markdown_outline
from tests.records import REPOSITORY, analysis, facts, record, report, sha_of
from tests.serving import Client, Shelves, serving

DAY = date(2026, 2, 17)
ODD = PublicChange(kind="parameter", action="default_changed", name="f(x)", before="1", after="2", path="a.py")
HOSTILE = "--x`</td><script>alert(1)</script>|"


def made() -> DailyReport:
    removed = PublicChange(kind="flag", action="removed", name="--window", before="8", path="engine/args.py")
    odd = PublicChange(kind="flag", action="added", name=HOSTILE, path="engine/args.py")
    return report([
        record(1, Tier.HIGH, "Drop --window (#12)", facts=facts(changes=(removed,)), analysis=analysis(Tier.HIGH)),
        record(2, Tier.HIGH, "<b>Odd</b>", facts=facts(changes=(odd,)), analysis=analysis(Tier.HIGH)),
    ])  # fmt: skip


@pytest.fixture(scope="module")
def site() -> Iterator[Client]:
    with serving(Shelves({(REPOSITORY, DAY): report_json([made()])}, known=[REPOSITORY])) as client:
        yield client


def test_the_three_forms_of_a_comparison(site: Client) -> None:
    question = f"?from={DAY}&to={sha_of(1)[:7]}"
    page, text, data = (site.get(f"/{REPOSITORY}/changes{form}{question}") for form in ("", ".md", ".json"))
    assert [answer.status for answer in (page, text, data)] == [200, 200, 200]
    outline = html_outline(page.text)
    assert_sound(outline)
    assert f"/{REPOSITORY}/{DAY}#commit-octocat.hello-world-{sha_of(1)}" in outline.links
    assert f"/{REPOSITORY}/changes.json?from={DAY}&to={sha_of(1)[:7]}" in map(unescape, outline.links)
    assert "<code>--window</code>" in page.text
    assert "| 删除 | 命令行参数 | `--window`（默认 `8`） |" in text.text
    assert [one["name"] for one in json.loads(data.text)["changes"]] == ["--window"]
    assert data.headers["Content-Type"] == "application/json"


def test_hostile_names_leave_the_structure_unharmed(site: Client) -> None:
    question = f"?from={sha_of(1)}&to={sha_of(2)}"
    page, text = (site.get(f"/{REPOSITORY}/changes{form}{question}").text for form in ("", ".md"))
    assert "<script>alert" not in page
    assert html_outline(page).kinds["td"] == 4
    assert markdown_outline(text).kinds["td_open"] == 4
    assert "html_inline" not in markdown_outline(text).kinds


@settings(max_examples=40)
@given(hostile_text(), hostile_text())
def test_any_name_value_and_line_leaves_a_page_its_structure(name: str, value: str) -> None:
    odd = PublicChange(
        kind="parameter", action="default_changed", name=name, before=value, after=f"{value}.", path=name
    )
    one = record(1, Tier.HIGH, facts=facts(changes=(odd,)), analysis=analysis(Tier.HIGH, summary=f"{value} {name}"))
    day = report([one], language="en")
    plain = report([one.model_copy(update={"facts": facts(changes=(ODD,))})])
    assert markdown_outline(markdown([day])).kinds["tr_open"] == markdown_outline(markdown([plain])).kinds["tr_open"]
    assert len(html_outline(html_page([day])).headings) == len(html_outline(html_page([plain])).headings)
    kept = Shelves({(REPOSITORY, DAY): report_json([day])}, known=[REPOSITORY])
    found = between(kept, REPOSITORY, str(DAY), "", language="en", commit_url=None)
    assert markdown_outline(between_markdown(found)).kinds["td_open"] == 4
    assert html_outline(changes_page(REPOSITORY, "en", found=found)).kinds["td"] == 4


@pytest.mark.parametrize(
    ("question", "status", "told"),
    [
        ("?from=beef", 404, "没有以 beef 开头的提交"),
        ("?from=<script>", 400, "“<script>” 既不是"),
        (f"?from={DAY}&to=2026-02-16", 400, f"{DAY} 晚于 2026-02-16"),
        (f"?to={DAY}", 400, "缺少起点"),
        ("?from=2026-08-30", 400, f"2026-08-30 晚于最近一天的报告（{DAY}）"),
        ("?from=9999-12-31", 400, f"9999-12-31 晚于最近一天的报告（{DAY}）"),
    ],
)
def test_what_is_wrong_is_told_in_every_form(site: Client, question: str, status: int, told: str) -> None:
    for form in ("", ".md", ".json"):
        answer = site.get(f"/{REPOSITORY}/changes{form}{question}")
        assert answer.status == status
        assert told in unescape(answer.text)
        assert "<script>" not in (answer.text if form == "" else "")


def test_without_a_question_the_page_says_how_to_ask(site: Client) -> None:
    page = site.get(f"/{REPOSITORY}/changes")
    assert page.status == 200
    assert 'name="from"' in page.text
    links = [unescape(link) for link in html_outline(page.text).links]
    # The last 30 and 90 days up to today; in the last 7 there is no report.
    recent = [link.partition("?")[2] for link in links if "/changes?" in link]
    assert recent == ["from=2026-02-06&to=2026-03-07", "from=2025-12-08&to=2026-03-07"]
    assert site.get("/nobody/nothing/changes").status == 404


def test_the_whole_calendar_is_a_span_like_any_other(site: Client) -> None:
    page = site.get(f"/{REPOSITORY}/changes?from=0001-01-01&to=9999-12-31")
    assert (page.status, "<code>--window</code>" in page.text) == (200, True)


def test_a_span_without_a_report_has_no_verdict(site: Client) -> None:
    none = labels("zh").word("between_none")
    assert none not in site.get(f"/{REPOSITORY}/changes?from=2026-02-19&to=2026-02-20").text
    assert none in site.get(f"/{REPOSITORY}/changes?from={sha_of(2)}&to={sha_of(2)}").text


def test_the_days_page_has_highlights_and_a_table_that_lead_to_the_commits(site: Client) -> None:
    outline = html_outline(site.get(f"/{REPOSITORY}/{DAY}").text)
    assert_sound(outline)
    assert {"highlights-octocat.hello-world", "compatibility-octocat.hello-world"} <= set(outline.ids)
    assert f"/{REPOSITORY}/changes" in outline.links


@pytest.fixture
def home(redis_url: str, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)
    ledger.save_report(REPOSITORY, DAY, report_json([made()]))
    ledger.redis.hset("daybook:repositories", REPOSITORY, 1)
    return tmp_path


@pytest.mark.usefixtures("home")
def test_the_command_prints_and_writes_what_the_site_shows(site: Client, tmp_path: Path) -> None:
    asked = [REPOSITORY.upper(), "--from", str(DAY), "--to", sha_of(1)[:7]]
    for form in ("md", "json"):
        done = CliRunner().invoke(changes, [*asked, "--format", form])
        assert done.output == site.get(f"/{REPOSITORY}/changes.{form}?from={DAY}&to={sha_of(1)[:7]}").text
    done = CliRunner().invoke(changes, [*asked, "--format", "html", "--out", str(tmp_path / "page.html")])
    assert (done.exit_code, done.output) == (0, "")
    assert_sound(html_outline((tmp_path / "page.html").read_text()))


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("repository", "start", "told"),
    [
        (REPOSITORY, "beef", f"No kept report of {REPOSITORY} has a commit that begins with beef."),
        ("octocat/other", "beef", f"nothing was ever received of octocat/other; known repositories: {REPOSITORY}"),
    ],
)
def test_the_command_says_what_is_wrong(repository: str, start: str, told: str) -> None:
    done = CliRunner().invoke(changes, [repository, "--from", start])
    assert isinstance(done.exception, DaybookError)
    assert str(done.exception) == told
