"""The site through a real HTTP server: what each address answers, and who may read."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import date

import pytest
import redis

from report.access import Visit, judge
from report.html import content_security_policy, html_page
from report.json import report_from_json, report_json
from report.markdown import markdown
from tests.outline import assert_sound, html_outline
from tests.records import record, report, sha_of, varied_day
from tests.serving import Client, Shelves, configured, serving

DAY = date(2026, 2, 17)
REPOSITORY = "Octocat/Hello-World"
PATH = f"/{REPOSITORY}/2026-02-17"


class Down(Shelves):
    """An archive whose store does not answer."""

    def repositories(self) -> list[str]:
        raise redis.ConnectionError


def filled() -> Shelves:
    days = {
        (REPOSITORY, DAY): report(varied_day(repository=REPOSITORY), REPOSITORY),
        (REPOSITORY, date(2026, 2, 18)): report([], REPOSITORY, day=date(2026, 2, 18)),
        ("hubot/tools", DAY): report([record(1, repository="hubot/tools")], "hubot/tools", language="en"),
    }
    open_day = record(900, message="Today's news", repository=REPOSITORY)
    records = [*varied_day(repository=REPOSITORY), open_day]
    return Shelves(
        {key: report_json([day]) for key, day in days.items()},
        {(REPOSITORY, one.commit.sha): one for one in records},
        [REPOSITORY, "hubot/tools", "hubot/new"],
    )


@pytest.fixture(scope="module")
def local() -> Iterator[Client]:
    with serving(filled()) as client:
        yield client


def basic(password: str, user: str = "anyone") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_the_archive_lists_days_with_their_numbers(local: Client) -> None:
    page = local.get("/")
    assert page.status == 200
    links = html_outline(page.text).links
    assert links.index(f"/{REPOSITORY}/2026-02-18") < links.index(PATH)
    assert {"/2026-02-17", "/2026-02-18", "/hubot/tools/2026-02-17"} <= set(links)
    assert "覆盖 4/6" in page.text
    assert "<h2" in page.text
    assert "hubot/new" in page.text


def test_a_report_in_three_forms(local: Client) -> None:
    kept = report(varied_day(repository=REPOSITORY), REPOSITORY)
    page, text, data = local.get(PATH), local.get(f"{PATH}.md"), local.get(f"{PATH}.json")
    assert (page.status, text.status, data.status) == (200, 200, 200)
    assert text.text == markdown([kept])
    assert report_from_json(data.text.encode()) == kept
    assert html_page([kept]).partition("<main")[2] == page.text.partition("<main")[2]
    assert text.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert data.headers["Content-Type"] == "application/json"
    links = html_outline(page.text).links
    assert links[1:8] == [
        "/",
        f"/{REPOSITORY}",
        f"/{REPOSITORY}/feed.atom",
        f"/{REPOSITORY}/2026-02-18",
        "/2026-02-17",
        f"{PATH}.md",
        f"{PATH}.json",
    ]


def test_all_repositories_of_a_day_share_a_page(local: Client) -> None:
    page = local.get("/2026-02-17")
    outline = html_outline(page.text)
    assert_sound(outline)
    assert [text for level, text in outline.headings if level == 2] == ["目录", "hubot/tools", REPOSITORY]
    text = local.get("/2026-02-17.md").text
    assert text.startswith("# 每日更新报告（2026-02-17）\n")
    assert text.count("\n## ") == 2
    assert '"repository":"hubot/tools"' in local.get("/2026-02-17.json").text


def test_names_are_matched_without_regard_to_case(local: Client) -> None:
    assert local.get(PATH.lower()).text == local.get(PATH).text


@pytest.mark.parametrize(
    ("number", "shown"),
    [(1, "删除参数"), (2, "529 overloaded"), (4, "待补："), (900, "Today&#39;s news")],
)
def test_one_commit_whatever_its_state(local: Client, number: int, shown: str) -> None:
    page = local.get(f"/{REPOSITORY}/commit/{sha_of(number)}")
    assert page.status == 200
    assert shown in page.text
    assert_sound(html_outline(page.text.replace(f'href="{PATH}#', 'href="')))


@pytest.mark.parametrize(("number", "day"), [(1, "2026-02-17"), (900, "2026-03-07")])
def test_a_commit_links_to_its_day_closed_or_open(local: Client, number: int, day: str) -> None:
    address = f"/{REPOSITORY}/{day}#commit-octocat.hello-world-{sha_of(number)}"
    assert address in html_outline(local.get(f"/{REPOSITORY}/commit/{sha_of(number)}").text).links
    assert f'id="{address.partition("#")[2]}"' in local.get(address.partition("#")[0]).text


@pytest.mark.parametrize(
    "path",
    [
        "/favicon.ico",
        "/2026-02-30",
        "/9999-12-31",
        "/0001-01-01.md",
        f"/{REPOSITORY}/9999-12-31",
        f"/{REPOSITORY}/9999-12-31.md",
        f"/{REPOSITORY}/9999-12-31.json",
        f"/{REPOSITORY}/0001-01-01",
        f"/{REPOSITORY}/0001-01",
        f"/{REPOSITORY}/9999-12",
        "/2026-2-17",
        "/2026-02-17.html",
        "/2026-02-17.md.json",
        "/%D9%A2026-02-17",
        f"/{REPOSITORY}/2026-02-17.html",
        "/nobody/nothing/2026-02-17",
        "/../etc/2026-02-17",
        f"/{REPOSITORY}/commit/abcdef0",
        f"/{REPOSITORY}/2026-W09",
        f"/{REPOSITORY}/2026-W54",
        f"/{REPOSITORY}/9999-W52",
        f"/{REPOSITORY}/2026-13",
        f"/{REPOSITORY}/2026-03",
        f"/{REPOSITORY}/2025",
        f"/{REPOSITORY}/0000",
        f"/{REPOSITORY}/author/Nobody",
        f"/{REPOSITORY}/area/pars",
        f"/{REPOSITORY}/2026-03-08",
        "/2026-03-08",
        "/nobody/nothing",
        "/nobody/nothing/feed.atom",
        f"/{REPOSITORY}/commit/{sha_of(1)}/more",
        "/a/b/c/d/e",
        f"/{REPOSITORY}/",
        f"/{REPOSITORY}/commit/{sha_of(1).upper().replace('0', 'A')}",
        f"/{REPOSITORY}/commit/{sha_of(77)}",
        f"/{REPOSITORY}/commit/{sha_of(1)}%0A",
        "/nobody/nothing/commit/" + sha_of(1),
        "/%3Cscript%3E/%00/2026-02-17",
    ],
)
def test_what_is_not_there_is_a_readable_404(local: Client, path: str) -> None:
    page = local.get(path)
    assert page.status == 404
    assert html_outline(page.text).headings == [(1, "没有这个页面")]
    assert page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            f"{REPOSITORY}/2026-02-16",
            "Daybook has followed Octocat/Hello-World since 2026-02-17; it knows of no commit",
        ),
        (f"{REPOSITORY}/2026-02-16.json", "has followed Octocat/Hello-World since 2026-02-17"),
        (f"{REPOSITORY}/2026-03-06", "The report of Octocat/Hello-World on 2026-03-06 is not made yet"),
        ("2026-03-06", "Of 2026-03-06 no repository has a report"),
    ],
)
def test_a_day_that_is_over_and_has_no_report_says_why(path: str, told: str) -> None:
    with serving(filled(), report_language="en") as client:
        page = client.get(f"/{path}")
    assert (page.status, html_outline(page.text).headings) == (404, [(1, "No report of this day")])
    assert told in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "address is wrong" not in page.text


def test_a_store_that_does_not_answer_is_a_503() -> None:
    with serving(Down()) as client:
        page = client.get("/")
    assert (page.status, html_outline(page.text).headings) == (503, [(1, "暂时打不开")])


def test_an_empty_archive_says_so() -> None:
    with serving(Shelves(), report_language="en") as client:
        assert "No reports yet." in client.get("/").text


@pytest.mark.parametrize(
    "path", ["/", PATH, f"{PATH}.md", f"{PATH}.json", f"/{REPOSITORY}/commit/{sha_of(1)}", "/none"]
)
def test_every_answer_has_the_security_headers(local: Client, path: str) -> None:
    headers = local.get(path).headers
    assert headers["Content-Security-Policy"] == f"{content_security_policy()}; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == ("no-store" if path == "/none" else "private, no-cache")


def test_a_public_site_is_open_and_may_be_cached() -> None:
    with serving(filled(), site_public=True, daybook_host="0.0.0.0") as client:  # noqa: S104
        page = client.get(PATH, host="daybook.example", X_Forwarded_For="203.0.113.9")
    assert (page.status, page.headers["Cache-Control"]) == (200, "public, max-age=60")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Forwarded", "for=203.0.113.9"),
        ("X_Forwarded_For", "203.0.113.9"),
        ("X_Forwarded_Proto", "https"),
        ("X_Real_IP", "203.0.113.9"),
        ("Via", "1.1 proxy"),
        ("CF_Connecting_IP", "203.0.113.9"),
        ("Tailscale_Funnel_Request", "?1"),
    ],
)
def test_a_proxy_or_tunnel_closes_a_site_without_password(local: Client, header: str, value: str) -> None:
    page = local.get(PATH, **{header: value})
    assert page.status == 403
    assert html_outline(page.text).headings == [(1, "页面没有开放")]
    assert "SITE_PASSWORD" in page.text
    assert "Octocat" not in page.text


@pytest.mark.parametrize("host", ["daybook.example", "127.0.0.1.nip.io", "localhost.example", "192.168.1.5", "[::2]"])
def test_another_name_closes_a_site_without_password(local: Client, host: str) -> None:
    assert local.get(PATH, host=host).status == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "LOCALHOST"])
def test_a_local_reader_needs_no_password(local: Client, host: str) -> None:
    assert local.get(PATH, host=host).status == 200


def test_a_site_bound_to_all_addresses_is_closed_without_password() -> None:
    with serving(filled(), daybook_host="0.0.0.0") as client:  # noqa: S104
        assert client.get(PATH).status == 403


def test_a_password_is_asked_for_and_any_user_name_will_do() -> None:
    with serving(filled(), site_password="pässwort", daybook_host="0.0.0.0") as client:  # noqa: S104
        nobody = client.get(PATH)
        assert (nobody.status, nobody.headers["WWW-Authenticate"]) == (401, 'Basic realm="Daybook", charset="UTF-8"')
        assert "Octocat" not in nobody.text
        assert client.get(PATH, host="daybook.example", Authorization=basic("pässwort")).status == 200
        assert client.get(PATH, Authorization=basic("pässwort", user="")).status == 200
        for wrong in ("passwort", "pässwort ", "", "密码"):
            assert client.get(PATH, Authorization=basic(wrong)).status == 401
        for malformed in ("Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff\xfe").decode(), "Bearer pässwort"):
            assert client.get(PATH, Authorization=malformed.encode().decode("latin-1")).status == 401


def test_a_password_leaves_the_local_reader_alone_but_not_a_tunnel() -> None:
    with serving(filled(), site_password="secret") as client:
        assert client.get(PATH).status == 200
        assert client.get(PATH, X_Forwarded_For="203.0.113.9").status == 401
        assert client.get(PATH, host="daybook.example").status == 401


def test_http_1_0_is_a_proxy_that_adds_no_header() -> None:
    visit = Visit(remote="127.0.0.1", protocol="HTTP/1.1", headers={"Host": "127.0.0.1:8000"}, password=None)
    assert judge(visit, configured()) == "open"
    for protocol in ("HTTP/1.0", "HTTP/1"):
        assert judge(Visit("127.0.0.1", protocol, visit.headers, None), configured()) == "closed"


@pytest.mark.parametrize("headers", [{}, {"Host": ""}, {"Host": "[::1"}, {"Host": "@localhost@x"}])
def test_a_missing_or_malformed_host_is_not_local(headers: dict[str, str]) -> None:
    assert judge(Visit("127.0.0.1", "HTTP/1.1", headers, None), configured()) == "closed"


def test_a_remote_reader_is_not_local_whatever_the_host_says() -> None:
    assert judge(Visit("203.0.113.9", "HTTP/1.1", {"Host": "localhost"}, None), configured()) == "closed"
