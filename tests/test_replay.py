"""A clone's history posted as signed pushes, seen from the endpoint."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from cli.replay import chosen, endpoint, moment_from, push_payload, replay, replay_command, repository_name
from core.errors import DaybookError
from tests.gitclone import START, Clone, run_git
from workers.gitrepo import GitRepository

SECRET = SecretStr("It's a Secret to Everybody")
NAME = "octocat/Hello-World"


@dataclass
class Endpoint:
    """Notes what is posted and answers as told: `answers` first, then 202."""

    url: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)


@pytest.fixture
def hook() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.received.append(({"path": self.path, **self.headers}, body))
            endpoint.connections.add(self.client_address[1])
            status, text = endpoint.answers.pop(0) if endpoint.answers else (202, '{"queued": 1, "known": 0}')
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's signature
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    yield endpoint
    server.shutdown()
    server.server_close()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "Hello World")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command where there is no .env, with a secret and the report's time zone set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "new secret, old secret")
    monkeypatch.setenv("REPORT_TIMEZONE", "Asia/Shanghai")
    return lambda *arguments: CliRunner().invoke(replay_command, [str(argument) for argument in arguments])


def titles(hook: Endpoint) -> list[list[str]]:
    return [[commit["message"] for commit in json.loads(body)["commits"]] for _, body in hook.received]


def test_the_payload_is_githubs(clone: Clone) -> None:
    root = clone.commit("root", {"kept": "1\n", "gone": "x\n"})
    side = clone.commit(
        "side\n\nbody",
        {"new": "x\n"},
        parents=[root],
        branch="side",
        when=START + timedelta(minutes=5),
        author="The Octocat <583231+octocat@users.noreply.github.com>",
    )
    merge = clone.commit(
        "merge",
        {"new": "x\n", "gone": None, "kept": "2\n"},
        parents=[root, side],
        when=datetime(2026, 2, 17, 15, 30, tzinfo=timezone(timedelta(hours=8))),
        author="GitHub <noreply@github.com>",
    )
    (push,) = GitRepository(clone.path).first_parent(last=1)
    octocat = {
        "name": "The Octocat", "email": "583231+octocat@users.noreply.github.com", "username": "octocat"
    }  # fmt: skip
    web_flow = {"name": "GitHub", "email": "noreply@github.com", "username": "web-flow"}
    expected_side = {
        "id": side,
        "tree_id": clone.git("rev-parse", f"{side}^{{tree}}"),
        "distinct": True,
        "message": "side\n\nbody",
        "timestamp": "2026-02-17T04:05:00+00:00",
        "url": f"https://github.com/{NAME}/commit/{side}",
        "author": octocat,
        "committer": octocat,
        "added": ["new"],
        "removed": [],
        "modified": [],
    }
    expected_merge = {
        "id": merge,
        "tree_id": clone.git("rev-parse", f"{merge}^{{tree}}"),
        "distinct": True,
        "message": "merge",
        "timestamp": "2026-02-17T15:30:00+08:00",
        "url": f"https://github.com/{NAME}/commit/{merge}",
        "author": web_flow,
        "committer": web_flow,
        "added": ["new"],
        "removed": ["gone"],
        "modified": ["kept"],
    }
    payload = push_payload(push, NAME, "trunk")
    repository, sender = payload.pop("repository"), payload.pop("sender")
    assert payload == {
        "ref": "refs/heads/trunk",
        "before": root,
        "after": merge,
        "pusher": {"name": "web-flow", "email": "noreply@github.com"},
        "created": False,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "compare": f"https://github.com/{NAME}/compare/{root[:12]}...{merge[:12]}",
        "commits": [expected_side, expected_merge],
        "head_commit": expected_merge,
    }
    assert (repository["full_name"], repository["name"], repository["owner"]["login"]) == (
        NAME,
        "Hello-World",
        "octocat",
    )
    assert (repository["default_branch"], repository["master_branch"]) == ("trunk", "trunk")
    assert repository["pushed_at"] == 1771313400
    assert (repository["private"], type(repository["id"])) == (False, int)
    assert sender["login"] == "web-flow"


def test_the_first_push_creates_the_branch(clone: Clone) -> None:
    root = clone.commit("root", {"a": "x"})
    payload = push_payload(GitRepository(clone.path).first_parent()[0], NAME, "main")
    assert (payload["created"], payload["before"]) == (True, "0" * 40)
    assert payload["compare"] == f"https://github.com/{NAME}/commit/{root[:12]}"


@pytest.mark.slow
def test_at_most_2048_commits_are_listed(clone: Clone) -> None:
    tip = root = clone.commit("root", {"a": "x"})
    who = "committer octocat <octocat@users.noreply.github.com> 1771300000 +0000"
    stream = "".join(
        f"commit refs/heads/side\nmark :{number}\n{who}\ndata {len(str(number))}\n{number}\n"
        f"from {f':{number - 1}' if number > 1 else root}\n\n"
        for number in range(1, 2050)
    )
    run_git("fast-import", "--quiet", git_dir=clone.git_dir, given=stream.encode())
    side = clone.git("rev-parse", "side")
    clone.trees[side] = clone.trees[tip]
    merge = clone.commit("merge", parents=[root, side])
    (push,) = GitRepository(clone.path).first_parent(last=1)
    assert len(push.commits) == 2050
    payload = push_payload(push, NAME, "main")
    assert len(payload["commits"]) == 2048
    assert (payload["commits"][0]["message"], payload["commits"][-1]["id"]) == ("3", merge)


def test_each_delivery_is_signed_over_its_exact_bytes(hook: Endpoint, clone: Clone) -> None:
    shas = [clone.commit(f"提交 {number}", {"文件": f"{number}"}) for number in range(3)]
    delivered = list(replay(clone.path, hook.url, SECRET, name=NAME))
    assert [(one.push.head.sha, one.status, one.refused) for one in delivered] == [(sha, 202, False) for sha in shas]
    assert delivered[0].answer == '{"queued": 1, "known": 0}'
    for headers, body in hook.received:
        signature = hmac.new(SECRET.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
        assert headers["X-Hub-Signature-256"] == f"sha256={signature}"
        assert headers["path"] == "/webhooks/github"
        assert (headers["X-GitHub-Event"], headers["Content-Type"]) == ("push", "application/json")
        assert headers["User-Agent"].startswith("GitHub-Hookshot/")
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["X-GitHub-Delivery"])
    assert [json.loads(body)["after"] for _, body in hook.received] == shas
    assert len({headers["X-GitHub-Delivery"] for headers, _ in hook.received}) == 3
    assert len(hook.connections) == 1


def test_a_busy_endpoint_is_asked_again_with_the_same_delivery(hook: Endpoint, clone: Clone) -> None:
    clone.commit("one", {"a": "x"})
    hook.answers = [(503, '{"error": "Redis is away"}')]
    (delivered,) = replay(clone.path, hook.url, SECRET)
    assert (delivered.status, len(hook.received)) == (202, 2)
    assert len({headers["X-GitHub-Delivery"] for headers, _ in hook.received}) == 1


def test_a_refusal_is_handed_on(hook: Endpoint, clone: Clone) -> None:
    for number in range(3):
        clone.commit(f"{number}", {"a": f"{number}"})
    hook.answers = [(401, '{"error": "wrong\\nsignature"}'), (404, "<html>nothing\nhere")]
    first, second, third = replay(clone.path, hook.url, SECRET)
    assert (first.refused, first.status, first.error) == (True, 401, "wrong signature")
    assert (second.refused, second.error) == (True, "<html>nothing here")
    assert not third.refused


@pytest.mark.slow
def test_nobody_there(clone: Clone) -> None:
    clone.commit("one", {"a": "x"})
    with pytest.raises(DaybookError, match=r"^http://127\.0\.0\.1:1/webhooks/github does not answer .*`daybook up`"):
        list(replay(clone.path, "http://127.0.0.1:1", SECRET))


def test_a_rate_is_kept(hook: Endpoint, clone: Clone) -> None:
    for number in range(4):
        clone.commit(f"{number}", {"a": f"{number}"})
    before = time.monotonic()
    assert len(list(replay(clone.path, hook.url, SECRET, rate=20))) == 4
    assert time.monotonic() - before >= 0.14


def test_a_day_is_one_of_the_reports_time_zone(clone: Clone) -> None:
    for hour in (15, 16, 17):
        clone.commit(f"{hour} UTC", {"a": f"{hour}"}, when=datetime(2026, 2, 17, hour, tzinfo=UTC))
    clone.commit("next", {"a": "next"}, when=datetime(2026, 2, 18, 16, tzinfo=UTC))

    def of(day: int, zone: str) -> list[str]:
        return [push.head.message for push in chosen(clone.path, day=date(2026, 2, day), zone=ZoneInfo(zone))]

    assert of(17, "Asia/Shanghai") == ["15 UTC"]
    assert of(18, "Asia/Shanghai") == ["16 UTC", "17 UTC"]
    assert of(17, "UTC") == ["15 UTC", "16 UTC", "17 UTC"]


def test_twenty_pushes_are_usual(clone: Clone) -> None:
    for number in range(22):
        clone.commit(f"{number}", {"a": f"{number}"})
    assert [push.head.message for push in chosen(clone.path)] == [str(number) for number in range(2, 22)]
    assert len(chosen(clone.path, last=3)) == 3
    assert len(chosen(clone.path, since=START)) == 22
    assert len(chosen(clone.path, until=START + timedelta(minutes=2))) == 2


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("2026-02-17", False, "2026-02-17T00:00:00+08:00"),
        ("2026-02-17", True, "2026-02-18T00:00:00+08:00"),
        ("2026-02-17T08:30", True, "2026-02-17T08:30:00+08:00"),
        ("2026-02-17 08:30:15", False, "2026-02-17T08:30:15+08:00"),
        ("2026-02-17T08:30Z", False, "2026-02-17T08:30:00+00:00"),
        ("2026-02-17T08:30-05:00", False, "2026-02-17T08:30:00-05:00"),
    ],
)
def test_moments(text: str, end: bool, expected: str) -> None:
    assert moment_from(text, ZoneInfo("Asia/Shanghai"), end=end).isoformat() == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://github.com/octocat/Hello-World.git", NAME),
        ("https://github.com/octocat/Hello-World/", NAME),
        ("https://user:token@github.com/octocat/Hello-World", NAME),
        ("git@github.com:octocat/Hello-World.git", NAME),
        ("ssh://git@github.com:22/octocat/Hello-World.git", NAME),
        ("ssh://git@github.example.org/octocat/Hello-World", NAME),
        ("github.com:octocat/Hello-World", NAME),
        ("https://gitlab.com/octocat/Hello-World.git", "local/Hello-World"),
        ("https://notgithub.com/octocat/Hello-World.git", "local/Hello-World"),
        ("https://example.org/github.com/octocat/Hello-World", "local/Hello-World"),
        ("https://github.com/octocat/a/b", "local/Hello-World"),
        ("https://github.com/octocat/..", "local/Hello-World"),
        ("/srv/git/Hello-World", "local/Hello-World"),
    ],
)
def test_the_name_comes_from_origin(clone: Clone, origin: str, expected: str) -> None:
    clone.git("config", "remote.origin.url", origin)
    assert repository_name(clone.path) == repository_name(clone.path / ".git") == expected


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("plain", "local/plain"), ("bare.git", "local/bare"), ("中文", "local/repository"), (".x y..", "local/x-y")],
)
def test_the_name_of_a_clone_without_origin(tmp_path: Path, folder: str, expected: str) -> None:
    assert repository_name(Clone(tmp_path / folder, bare=True).path) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/webhooks/github"),
        ("https://daybook.example.org/", "https://daybook.example.org/webhooks/github"),
        ("http://127.0.0.1:8000/elsewhere", "http://127.0.0.1:8000/elsewhere"),
    ],
)
def test_an_address_without_a_path_gets_the_webhooks(url: str, expected: str) -> None:
    assert endpoint(url) == expected


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://x/", "http://", "http://x:99999", "http://[x"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(DaybookError, match="is not an address: give one such as"):
        endpoint(url)


def test_the_command_posts_and_sums_up(hook: Endpoint, clone: Clone, run: Callable[..., Result]) -> None:
    root = clone.commit("one", {"a": "1"})
    side = clone.commit("side", {"b": "1"}, parents=[root], branch="side")
    clone.commit("two", {"b": "1"}, parents=[root, side])
    result = run(clone.path, "--url", hook.url)
    assert (result.exit_code, result.stdout) == (0, "local/Hello-World: 2 pushes with 3 commits delivered\n")
    assert titles(hook) == [["one"], ["side", "two"]]
    headers, body = hook.received[0]
    signature = hmac.new(b"new secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={signature}"
    result = run(clone.path, "--url", hook.url, "--name", NAME, "--last", 1)
    assert result.stdout == f"{NAME}: 1 push with 2 commits delivered\n"


def test_the_commands_days_are_the_reports(hook: Endpoint, clone: Clone, run: Callable[..., Result]) -> None:
    for hour in (15, 16):
        clone.commit(f"{hour} UTC", {"a": f"{hour}"}, when=datetime(2026, 2, 17, hour, tzinfo=UTC))
    run(clone.path, "--url", hook.url, "--day", "2026-02-18")
    run(clone.path, "--url", hook.url, "--since", "2026-02-17", "--until", "2026-02-17")
    run(clone.path, "--url", hook.url, "--since", "2026-02-18T00:00")
    assert titles(hook) == [["16 UTC"], ["15 UTC"], ["16 UTC"]]
    nothing = run(clone.path, "--url", hook.url, "--day", "2026-02-19")
    assert nothing.stdout == "local/Hello-World: 0 pushes with 0 commits delivered\n"


def test_a_refusal_fails_the_command(hook: Endpoint, clone: Clone, run: Callable[..., Result]) -> None:
    shas = [clone.commit(f"{number}", {"a": f"{number}"}) for number in range(3)]
    hook.answers = [(202, ""), (401, '{"error": "the signature is wrong"}')]
    result = run(clone.path, "--url", hook.url)
    assert isinstance(result.exception, DaybookError)
    assert str(result.exception) == (
        f"1 of 3 pushes of local/Hello-World were refused; the first, {shas[1][:12]}, with 401: the signature is wrong"
    )
    assert len(hook.received) == 3


UNFOLLOWED = (202, json.dumps({"ignored": "local/Hello-World is not followed"}))


def test_what_the_endpoint_ignores_is_not_called_delivered(
    hook: Endpoint, clone: Clone, run: Callable[..., Result]
) -> None:
    for number in range(3):
        clone.commit(f"{number}", {"a": f"{number}"})
    hook.answers = [UNFOLLOWED] * 3
    result = run(clone.path, "--url", hook.url)
    assert isinstance(result.exception, DaybookError)
    assert str(result.exception) == (
        "nothing was taken: 3 pushes ignored: local/Hello-World is not followed; "
        "have the endpoint's daybook.toml follow it, or give the --name that it follows"
    )
    assert result.stdout == ""
    hook.answers = [UNFOLLOWED]
    result = run(clone.path, "--url", hook.url)
    assert (result.exit_code, result.stdout) == (
        0,
        "local/Hello-World: 2 pushes with 2 commits delivered; 1 push ignored: local/Hello-World is not followed\n",
    )


def test_what_is_not_new_or_cannot_be_read_is_counted(hook: Endpoint, clone: Clone, run: Callable[..., Result]) -> None:
    for number in range(3):
        clone.commit(f"{number}", {"a": f"{number}"})
    rejected = {"queued": 0, "known": 1, "rejected": ["commits.0.id: not a sha"]}
    hook.answers = [(202, '{"queued": 0, "known": 1}'), (202, json.dumps(rejected))]
    assert run(clone.path, "--url", hook.url).stdout == (
        "local/Hello-World: 3 pushes with 3 commits delivered, 2 of them known before; "
        "1 commit rejected, the first for commits.0.id: not a sha\n"
    )


@pytest.mark.parametrize(
    "answer", ["", "[]", "null", "7", '"ignored"', "<html>", '{"known": "many", "rejected": "all"}']
)
def test_an_answer_that_is_not_daybooks_is_taken_for_a_yes(
    hook: Endpoint, clone: Clone, run: Callable[..., Result], answer: str
) -> None:
    clone.commit("one", {"a": "1"})
    hook.answers = [(200, answer)]
    assert run(clone.path, "--url", hook.url).stdout == "local/Hello-World: 1 push with 1 commit delivered\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--day", "2026-02-17", "--last", "1"),
        ("--last", "1", "--until", "2026-02-17"),
        ("--day", "yesterday"),
        ("--day", "9999-12-31"),
        ("--until", "9999-12-31"),
        ("--since", "0001-01-01T00:00"),
        ("--since", "last week"),
        ("--last", "0"),
        ("--rate", "0"),
        ("--name", "no-owner"),
        ("--name", "a/.."),
    ],
)
def test_wrong_use(clone: Clone, run: Callable[..., Result], arguments: tuple[str, ...]) -> None:
    assert run(clone.path, "--url", "http://127.0.0.1:1", *arguments).exit_code == 2


def test_what_a_person_can_mend(
    clone: Clone, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def message(*arguments: object) -> str:
        error = run(*arguments).exception
        assert isinstance(error, DaybookError)
        return str(error)

    assert message(tmp_path / "none", "--url", "http://127.0.0.1:1").endswith(
        "is not a git repository: give the path of a clone"
    )
    assert "has no commit 'HEAD'" in message(clone.path, "--url", "http://127.0.0.1:1")
    clone.commit("one", {"a": "x"})
    assert "is not an address" in message(clone.path, "--url", "localhost")
    monkeypatch.delenv("GITHUB_WEBHOOK_SECRET")
    assert message(clone.path, "--url", "http://127.0.0.1:1").startswith("GITHUB_WEBHOOK_SECRET is not set")
