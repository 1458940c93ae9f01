"""Reports reach GitHub and mailboxes once, are brought up to date, and failures cost nothing but a delay."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from core.errors import Transient
from core.ledger import Ledger
from core.models import CommitRecord, Tier
from core.settings import RepositorySettings, Settings
from report.json import report_json
from report.markdown import markdown
from report.parts import issue_text
from tests.fakes.github import FakeGitHub
from tests.fakes.smtp import FakeSmtp
from tests.records import REPOSITORY, record, report
from tests.running import daybook
from tests.test_processes import run
from workers.alerts import conditions, read_state
from workers.days import write_day
from workers.pauses import PUBLISHING
from workers.publish import publish_by_hand, publish_due, publish_soon
from workers.publish_probe import probe_publishing
from workers.services import Services, connect

TO, TOKEN, WRITER = "octocat/reports", "ghp_read", "ghp_write"
DAY = date(2026, 2, 17)
NOW = datetime(2026, 2, 17, 16, 31, tzinfo=UTC)  # 00:31 of the 18th in Shanghai
FILE = ("", f"2026/{REPOSITORY}/2026-02-17.md")

Make = Callable[..., AbstractContextManager[Services]]


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        fake.tokens = {TOKEN, WRITER}
        fake.add_repository(TO)
        fake.add_repository(REPOSITORY)
        yield fake


@pytest.fixture
def make(github: FakeGitHub, redis_url: str, tmp_path: Path) -> Make:
    @contextmanager
    def made(*publish: str, table: dict[str, Any] | None = None, **settings: Any) -> Iterator[Services]:
        values = {"name": REPOSITORY, "publish": publish or ("files",), "publish_to": TO, **(table or {})}
        built = Settings(
            daybook_repositories=(RepositorySettings.model_validate(values),),
            **{"report_dir": tmp_path, "github_token": TOKEN, "github_api_url": github.url, **settings},
        )  # fmt: skip
        services = connect(built, redis_url)
        yield services
        services.ledger.close()

    return made


def keep(services: Services, records: Sequence[CommitRecord] = (), day: date = DAY, **changes: Any) -> str:
    """Close a day with these commits, as `write_day` does; the page."""
    made = report(records or [record(1), record(2, Tier.MEDIUM)], day=day, **changes)
    services.ledger.save_report(REPOSITORY, day, report_json([made]))
    publish_soon(services, REPOSITORY, day)
    return markdown([made])


def writes(github: FakeGitHub) -> list[str]:
    return [f"{asked.method} {asked.path}" for asked in github.requests if asked.method != "GET"]


def due(services: Services) -> list[float]:
    """Seconds from NOW until what is to be published is tried (again)."""
    later = NOW + timedelta(days=400)
    return [at - NOW.timestamp() for *_, at in services.ledger.publish_due(later.timestamp(), 100)]


def publish(services: Services, now: datetime = NOW) -> None:
    for repository, day, _ in services.ledger.publish_due(2e9, 100):
        services.ledger.publish_at(repository, day, now.timestamp())  # what is waiting is due now
    publish_due(services, now)


def test_a_day_that_is_closed_becomes_due_and_its_files_are_written_if_they_are_named(
    make: Make, tmp_path: Path
) -> None:
    with make("issue") as services:
        write_day(services, REPOSITORY, DAY)
        assert len(due(services)) == 1
        assert list(tmp_path.rglob("*.md")) == []
    with make("files", "issue") as services:
        write_day(services, REPOSITORY, DAY)
        assert len(list(tmp_path.rglob("*.md"))) == 1


def test_files_that_cannot_be_written_hold_up_nothing_and_are_written_when_they_can_be(
    make: Make, github: FakeGitHub, tmp_path: Path
) -> None:
    blocked = tmp_path / "reports"
    blocked.write_text("a file stands where the folder should be")
    with make("files", "issue", report_dir=blocked) as services:
        write_day(services, REPOSITORY, DAY)
        write_day(services, REPOSITORY, DAY + timedelta(days=1))
        assert services.ledger.report_days(REPOSITORY) == [DAY + timedelta(days=1), DAY]
        publish(services)
        assert len(github.boards[TO].issues) == 2
        told = "\n".join(alert.text for alert in conditions(read_state(services, NOW)))
        assert f"the report of {DAY} (and of 1 more day) cannot be published (files): REPORT_DIR, {blocked}, " in told
        assert max(due(services)) <= 60
        blocked.unlink()
        publish(services)
        assert len(list(blocked.rglob("*.md"))) == 2
        assert services.ledger.unpublished() == {}
        assert due(services) == []


@pytest.mark.slow
def test_the_command_says_where_it_stands(make: Make, github: FakeGitHub, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "daybook.toml").write_text(
        f'[[repository]]\nname = "{REPOSITORY}"\npublish = "issue"\npublish_to = "{TO}"\n'
    )
    environment = {"REDIS_URL": redis_url, "GITHUB_API_URL": github.url, "GITHUB_TOKEN": TOKEN}
    with make() as services:
        keep(services)
    done = run("publish", REPOSITORY, "2026-02-17", folder=tmp_path, **environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"issue: {TO}#1\n", "")
    none = run("publish", REPOSITORY, "2026-02-18", folder=tmp_path, **environment)
    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr.startswith(f"daybook: no report of 2026-02-18 is kept for {REPOSITORY};")
    github.boards[TO].open = False
    failed = run("publish", REPOSITORY, "2026-02-17", folder=tmp_path, **environment)
    assert failed.returncode == 1
    assert failed.stdout.startswith("issue: GitHub refuses to publish at octocat/reports (HTTP 410)")


@pytest.mark.slow
def test_the_processes_publish_by_themselves(make: Make, github: FakeGitHub, tmp_path: Path) -> None:
    (tmp_path / "daybook.toml").write_text(
        f'[[repository]]\nname = "{REPOSITORY}"\npublish = "issue"\npublish_to = "{TO}"\n'
    )
    with daybook(tmp_path, GITHUB_API_URL=github.url, GITHUB_TOKEN=TOKEN) as running, make("issue") as services:
        ours = replace(services, ledger=Ledger(running.redis.url, services.settings.zone))
        keep(ours)
        running.await_(lambda: bool(github.boards[TO].issues))
        running.await_(lambda: ours.ledger.publish_due(2e9, 1) == [])
        ours.ledger.close()
    assert writes(github) == [f"POST /repos/{TO}/issues"]


def test_files_alone_ask_nobody(make: Make, github: FakeGitHub) -> None:
    with make() as services:
        keep(services)
        assert due(services) == []
        publish(services)
        assert github.requests == []


def test_an_issue_is_made_once_and_changed_when_the_page_is(make: Make, github: FakeGitHub) -> None:
    board = github.boards[TO]
    with make("issue") as services:
        keep(services)
        publish(services)
        first = issue_text(report([record(1), record(2, Tier.MEDIUM)]), None)
        assert [(row["title"], row["body"]) for row in board.issues.values()] == [(first.title, first.parts[0])]
        assert due(services) == []
        before = len(github.requests)
        keep(services)
        publish(services)
        assert len(github.requests) == before  # the same page: nobody is asked
        keep(services, [record(1)], revision=2)
        publish(services)
        assert board.issues[1]["body"] == issue_text(report([record(1)], revision=2), None).parts[0]
        assert len(board.issues) == 1


def test_a_long_report_goes_on_in_comments_and_a_shorter_revision_takes_them_away(
    make: Make, github: FakeGitHub
) -> None:
    board = github.boards[TO]
    many = [record(n, Tier.HIGH) for n in range(1, 120)]
    with make("issue") as services:
        keep(services, many)
        publish(services)
        text = issue_text(report(many), None)
        assert len(text.parts) > 2
        assert [board.issues[1]["body"], *board.said(1)] == list(text.parts)
        board.say(1, "Thanks!", "octocat")
        board.say(1, text.parts[1], "mallory")  # a copy by somebody else is not ours to change
        keep(services, many[:3], revision=2)
        publish(services)
        assert board.said(1) == ["Thanks!", text.parts[1]]
        assert board.issues[1]["body"] == issue_text(report(many[:3], revision=2), None).parts[0]


@pytest.mark.parametrize("after", range(1, 7))
def test_a_failure_at_any_request_makes_no_second_issue_or_comment(make: Make, github: FakeGitHub, after: int) -> None:
    """What was written although its answer was lost is found again."""
    board = github.boards[TO]
    many = [record(n, Tier.HIGH) for n in range(1, 120)]
    with make("issue") as services:
        keep(services, many)
        github.misbehave("lost", after=after - 1, times=1)
        publish(services)
        publish(services)
        text = issue_text(report(many), None)
        assert [row["body"] for row in board.issues.values()] == [text.parts[0]]
        assert sorted(board.said(1)) == sorted(text.parts[1:])
        assert due(services) == []
        assert services.ledger.unpublished() == {}


def test_a_crash_between_making_an_issue_and_noting_it_makes_no_second(make: Make, github: FakeGitHub) -> None:
    board = github.boards[TO]
    with make("issue") as services:
        keep(services)
        publish(services)
        services.ledger.redis.delete(f"daybook:published:{REPOSITORY}")
        keep(services)
        publish(services)
        assert len(board.issues) == 1
        assert board.edits == 0


def test_an_issue_of_somebody_else_with_the_marker_is_not_taken_for_ours(make: Make, github: FakeGitHub) -> None:
    board = github.boards[TO]
    board.add("Mine", f"<!-- daybook {REPOSITORY} 2026-02-17 -->", "mallory")
    with make("issue") as services:
        keep(services)
        publish(services)
        assert board.issues[1]["title"] == "Mine"
        assert board.issues[2]["user"]["login"] == "daybook-bot"


def test_two_workers_make_one_issue(make: Make, github: FakeGitHub) -> None:
    with make("issue") as services:
        keep(services)
        github.misbehave("slow", seconds=0.2, times=20)
        threads = [threading.Thread(target=publish_due, args=(services, NOW)) for _ in range(2)]
        services.ledger.publish_at(REPOSITORY, DAY, NOW.timestamp())
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert writes(github) == [f"POST /repos/{TO}/issues"]


def test_a_deleted_issue_is_made_again_when_the_page_changes(make: Make, github: FakeGitHub) -> None:
    board = github.boards[TO]
    with make("issue") as services:
        keep(services)
        publish(services)
        board.delete(1)
        keep(services, [record(1)], revision=2)
        publish(services)
        assert "gone" not in board.issues[2]


def test_issues_of_old_days_are_closed_once_if_asked(make: Make, github: FakeGitHub) -> None:
    board = github.boards[TO]
    with make("issue", table={"publish_close_after_days": 30}) as services:
        for back in (32, 31, 30, 1):
            keep(services, day=DAY - timedelta(days=back))
        publish(services)
        keep(services)
        publish(services)
        assert sorted(row["title"][7:17] for row in board.issues.values() if row["state"] == "closed") == [
            "2026-01-16", "2026-01-17", "2026-01-18"
        ]  # fmt: skip
        reopened = next(row for row in board.issues.values() if "2026-01-16" in row["title"])
        reopened["state"] = "open"
        keep(services, [record(3)], revision=2)
        publish(services)
        assert reopened["state"] == "open"


def test_the_page_is_committed_where_the_template_says_and_only_when_it_changed(make: Make, github: FakeGitHub) -> None:
    contents = github.contents[TO]
    contents.branches.add("pages")
    table = {"publish_path": "daily/{repo}/{year}-{month}/{day} of {owner}.md", "publish_branch": "pages"}
    with make("commit", table=table) as services:
        page = keep(services)
        publish(services)
        place = ("pages", "daily/hello-world/2026-02/17 of octocat.md")
        assert contents.files == {place: page.encode()}
        services.ledger.redis.delete(f"daybook:published:{REPOSITORY}")
        keep(services)
        publish(services)  # GitHub has it already
        page = keep(services, [record(1)], revision=2)
        publish(services)
        assert contents.files == {place: page.encode()}
        assert contents.messages == [
            f"Daybook: {REPOSITORY}, 2026-02-17", f"Daybook: {REPOSITORY}, 2026-02-17 (revision 2)"
        ]  # fmt: skip


def test_a_commit_that_comes_between_is_no_reason_to_fail(make: Make, github: FakeGitHub) -> None:
    contents = github.contents[TO]
    contents.meanwhile = lambda: contents.files.update({FILE: b"by somebody else"})
    with make("commit") as services:
        page = keep(services)
        publish(services)
        assert contents.files == {FILE: page.encode()}
        assert due(services) == []


def test_a_lost_answer_makes_no_second_commit(make: Make, github: FakeGitHub) -> None:
    with make("commit") as services:
        keep(services)
        github.misbehave("lost", after=1)
        publish(services)
        assert due(services) == [60.0]
        publish(services)
        assert github.contents[TO].messages == [f"Daybook: {REPOSITORY}, 2026-02-17"]


@pytest.mark.parametrize(
    ("target", "trouble", "said"),
    [
        ("commit", "protected", (f"2026/{REPOSITORY}/2026-02-17.md cannot be committed to octocat/reports: "
         "Repository rule violations found")),
        ("commit", "folder", f"2026/{REPOSITORY}/2026-02-17.md at octocat/reports is no file: change `publish_path`"),
        ("commit", "branch", ("GitHub refuses to publish at octocat/reports (HTTP 404): check `publish_to`, and give "
         "the token or App write access to contents there")),
        ("issue", "readonly", ("GitHub refuses to publish at octocat/reports (HTTP 403): give the token or App write "
         "access to issues there")),
        ("issue", "off", ("GitHub refuses to publish at octocat/reports (HTTP 410): issues are switched off there: "
         "switch them on in the repository's settings")),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do(make: Make, github: FakeGitHub, target: str, trouble: str, said: str) -> None:
    board, contents = github.boards[TO], github.contents[TO]
    contents.protected = trouble == "protected"
    contents.folders = {FILE[1]} if trouble == "folder" else set()
    board.readonly, board.open = trouble == "readonly", trouble != "off"
    table = {"publish_branch": "nowhere"} if trouble == "branch" else {}
    with make(target, table=table) as services:
        keep(services)
        publish(services)
        assert [why.reason for why in services.ledger.unpublished().values()] == [said]
        assert due(services) == [60.0 if trouble == "protected" else 3600.0]


def test_a_limit_is_waited_for_and_holds_for_all_calls(make: Make, github: FakeGitHub) -> None:
    with make("issue") as services:
        keep(services)
        github.misbehave("secondary", seconds=50)
        publish(services)
        assert 45 < services.ledger.paused("github") <= 50
        (wait,) = due(services)
        assert 45 < wait < 60
        assert len(github.requests) == 1
        publish(services)
        assert len(github.requests) == 1  # nobody asks while it lasts


def test_a_token_of_its_own_that_is_refused_stops_publishing_alone(make: Make, github: FakeGitHub) -> None:
    """It stopped everything that asks GitHub, for a minute at each attempt."""
    with make("issue", publish_token="expired") as services:
        keep(services)
        publish(services)
        assert services.ledger.paused("github") == 0
        assert services.ledger.paused(PUBLISHING) > 30
        (alert,) = conditions(read_state(services, NOW))
        assert alert.text.startswith("GitHub refuses the credentials (Bad credentials): check PUBLISH_TOKEN; ")
    with make("issue", publish_token=WRITER) as services:
        services.ledger.redis.delete(f"daybook:pause:{PUBLISHING}")  # as time does
        publish(services)
        assert github.boards[TO].issues
        assert conditions(read_state(services, NOW)) == []


def test_one_place_that_fails_does_not_stop_the_others_and_is_not_asked_twice(make: Make, github: FakeGitHub) -> None:
    github.boards[TO].readonly = True
    with make("issue", "commit") as services:
        keep(services)
        publish(services)
        assert list(github.contents[TO].files) == [FILE]
        github.boards[TO].readonly = False
        publish(services, NOW + timedelta(hours=1))
        assert len(github.boards[TO].issues) == 1
        assert len(github.contents[TO].messages) == 1
        assert services.ledger.unpublished() == {}


def test_somebody_is_told_and_hears_when_it_is_over(make: Make, github: FakeGitHub) -> None:
    github.boards[TO].readonly = True
    with make("issue") as services:
        keep(services)
        keep(services, day=DAY + timedelta(days=1))
        publish(services)
        (alert,) = conditions(read_state(services, NOW))
        assert (alert.key, alert.text, alert.calm) == (
            f"publish {REPOSITORY} issue",
            (
                f"{REPOSITORY}: the report of 2026-02-17 (and of 1 more day) cannot be published (issue): GitHub "
                "refuses to publish at octocat/reports (HTTP 403): give the token or App write access to issues there; "
                f"it is tried again for a week, or at once by `daybook publish {REPOSITORY} 2026-02-17`"
            ),
            f"{REPOSITORY}: reports are published again (issue)",
        )
        github.boards[TO].readonly = False
        publish(services, NOW + timedelta(hours=1))
        assert conditions(read_state(services, NOW)) == []


def test_what_passes_by_itself_is_told_after_a_while_and_tried_for_a_week(make: Make, github: FakeGitHub) -> None:
    with make("commit") as services:
        github.contents[TO].protected = True
        keep(services)
        waits = []
        for hours in (0, 24 * 8):
            publish(services, NOW + timedelta(hours=hours))
            waits.append(len(due(services)))
        assert waits == [1, 0]
        assert conditions(read_state(services, NOW + timedelta(minutes=14))) == []
        assert len(conditions(read_state(services, NOW + timedelta(minutes=16)))) == 1
    with make("files") as services:  # nobody wants it any more
        assert conditions(read_state(services, NOW + timedelta(minutes=16))) == []


def test_a_revision_written_while_one_is_published_is_published_too(make: Make) -> None:
    with make("issue") as services:
        keep(services)
        ((_, _, seen),) = services.ledger.publish_due(2e9, 1)
        services.ledger.publish_at(REPOSITORY, DAY, seen + 5)
        services.ledger.publish_settled(REPOSITORY, DAY, seen)
        assert len(due(services)) == 1


def test_a_token_of_its_own_writes(make: Make, github: FakeGitHub) -> None:
    with make("issue", publish_token=WRITER) as services:
        keep(services)
        publish(services)
        assert {asked.headers["authorization"] for asked in github.requests} == {f"token {WRITER}"}
        assert WRITER in services.settings.secrets()


def test_an_installation_finds_its_own_issues(make: Make, github: FakeGitHub) -> None:
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    github.add_app("7", public.decode(), {"octocat": 1})
    app = {"github_app_id": "7", "github_app_private_key": SecretStr(private.decode()), "github_token": None}
    with make("issue", **app) as services:
        for _ in range(2):
            keep(services)
            publish(services)
            services.ledger.redis.delete(f"daybook:published:{REPOSITORY}")
        assert [row["user"]["login"] for row in github.boards[TO].issues.values()] == ["daybook-app[bot]"]


def test_a_mail_is_sent_once_whatever_becomes_of_the_page(make: Make) -> None:
    with FakeSmtp() as server:
        mail = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_security": "none",
                "mail_from": "daybook@example.org", "mail_to": "a@example.org, b@example.org"}  # fmt: skip
        with make(**mail) as services:
            server.replies["MAIL"] = "451 later"
            keep(services)
            publish(services)
            assert due(services) == [60.0]
            server.replies.clear()
            publish(services)
            keep(services, [record(1)], revision=2)
            publish(services)
            assert [done.recipients for done in server.mails] == [("a@example.org", "b@example.org")]
            assert publish_by_hand(services, REPOSITORY, DAY) == [("mail", "sent before", False)]
            keep(services, day=DAY - timedelta(days=4))  # found late: no news this morning
            publish(services)
            assert len(server.mails) == 1
            publish_by_hand(services, REPOSITORY, DAY - timedelta(days=4))
            assert len(server.mails) == 2


def test_what_is_kept_from_the_model_is_mailed_where_its_own_table_says_only(make: Make) -> None:
    mail = {"smtp_host": "127.0.0.1", "mail_to": "all@example.org"}
    with make(table={"analysis": "rules"}, **mail) as services:
        assert services.settings.recipients(REPOSITORY) == ()
        keep(services)
        assert due(services) == []
    with make(table={"analysis": "rules", "mail_to": "own@example.org"}, **mail) as services:
        assert services.settings.recipients(REPOSITORY) == ("own@example.org",)
    with make(table={"mail_to": []}, **mail) as services:
        assert services.settings.recipients(REPOSITORY) == ()
    with make(table={"analysis": {"low": "rules"}}, **mail) as services:
        assert services.settings.recipients(REPOSITORY) == ("all@example.org",)


def test_by_hand_what_was_taken_away_is_put_back(make: Make, github: FakeGitHub) -> None:
    with make("commit", "issue") as services:
        page = keep(services)
        publish(services)
        github.contents[TO].files.clear()
        assert publish_by_hand(services, REPOSITORY, DAY) == [
            ("issue", f"{TO}#1", False), ("commit", f"{TO}:{FILE[1]}", False)
        ]  # fmt: skip
        assert github.contents[TO].files == {FILE: page.encode()}
        lock = services.ledger.lock(f"publish:{REPOSITORY} {DAY}", 60)
        assert lock.acquire()
        with pytest.raises(Transient, match="a worker is publishing this day"):
            publish_by_hand(services, REPOSITORY, DAY)


def test_check_looks_at_each_place(make: Make, github: FakeGitHub) -> None:
    def found(*publish: str, **table: Any) -> list[tuple[str, str]]:
        with make(*publish, table=table) as services:
            return [(finding.verdict, finding.text) for finding in probe_publishing(services.settings)]

    there = github.repositories[TO]
    assert found("issue", "commit") == [("ok", f"{REPOSITORY} at {TO} (issue, commit)")]
    assert found("issue", analysis="rules") == [
        ("warn", f"{TO} is public, but what is published there of {REPOSITORY} is not")
    ]
    github.boards[TO].open, there.writable = False, False
    assert found("issue") == [("wrong", f"{TO} has issues switched off")]
    assert found("commit") == [("wrong", f"{TO} cannot be written to")]
    assert found("issue", publish_to="octocat/nowhere")[0][0] == "wrong"
    assert writes(github) == []
