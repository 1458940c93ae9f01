"""Deliveries over real sockets to the real web process: what is answered, and what is in Redis afterwards."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx2
import pytest
from structlog.testing import capture_logs
from werkzeug.test import Client

from core.ledger import Ledger
from core.outage import Outage
from core.redis_server import RedisServer
from core.settings import load_settings
from tests.conftest import SHANGHAI
from tests.running import PATIENCE_SECONDS, SECRET, deliver, signature, web_process
from webhook.github import Webhook
from webhook.metrics import Refusals

pytestmark = pytest.mark.slow

PAYLOADS = Path(__file__).parent / "payloads"
PUSH = (PAYLOADS / "push__new_branch_one_commit.json").read_bytes()
GITHUBS_PATIENCE = 10.0  # seconds until it counts a delivery as failed
SHA = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"


@pytest.fixture(scope="module")
def base(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with web_process(
        redis_server.url, tmp_path_factory.mktemp("web"), GITHUB_WEBHOOK_SECRET=f"the next one,{SECRET}"
    ) as url:
        yield url


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that a test may break."""
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


def queued(ledger: Ledger) -> int:
    return int(ledger.redis.llen("fetch"))


def refused(answer: httpx2.Response, status: int, said: str) -> bool:
    return answer.status_code == status and list(answer.json()) == ["error"] and said in answer.json()["error"]


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(PUSH) | fields).encode()


def many(count: int, padding: int = 0) -> bytes:
    first = json.loads(PUSH)["commits"][0]
    return changed(
        commits=[first | {"id": f"{number:040x}", "message": "x" * padding} for number in range(1, count + 1)]
    )


def test_a_push_is_accepted_once_and_known_afterwards(base: str, ledger: Ledger) -> None:
    first = deliver(base, PUSH, x_github_delivery="one")
    assert (first.status_code, first.headers["content-type"]) == (202, "application/json")
    assert first.text == '{"delivery":"one","known":0,"queued":1}\n'
    again = deliver(base, PUSH, x_github_delivery="two")
    assert (again.status_code, again.json()) == (202, {"delivery": "two", "queued": 0, "known": 1})
    assert queued(ledger) == 1
    record = ledger.record("Codertocat/Hello-World", SHA)
    assert record
    assert record.commit.title == "Initial commit"


def test_a_push_that_github_may_have_cut_is_reconciled_at_once(base: str, ledger: Ledger) -> None:
    turn = "reconcile:codertocat/hello-world"
    assert ledger.take_turn(turn, 3600)
    assert deliver(base, many(2047)).json()["queued"] == 2047
    assert not ledger.take_turn(turn, 3600)
    assert deliver(base, many(2048)).json() | {"delivery": ""} == {"delivery": "", "queued": 1, "known": 2047}
    assert ledger.take_turn(turn, 3600)


def test_the_same_delivery_twenty_times_at_once_is_one_set_of_commits(base: str, ledger: Ledger) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: deliver(base, many(7)), range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert sorted(answer.json()["queued"] for answer in answers) == [0] * 19 + [7]
    assert queued(ledger) == 7


def test_a_form_is_read_and_another_content_type_is_refused(base: str, ledger: Ledger) -> None:
    form = b"payload=" + quote_plus(PUSH.decode()).encode()
    answer = deliver(base, form, content_type="application/x-www-form-urlencoded", x_hub_signature_256=signature(form))
    assert answer.json()["queued"] == 1
    assert refused(deliver(base, PUSH, content_type="text/plain"), 415, "content type")
    assert queued(ledger) == 1


@pytest.mark.parametrize(
    "given",
    ["", "sha256=0", signature(PUSH, "another secret"), signature(PUSH).upper(), "sha1=" + "0" * 40, "sha256=\xe9"],
)
def test_without_the_right_signature_nobody_gets_in(base: str, ledger: Ledger, given: str) -> None:
    headers = {"content-type": "application/json", "x-github-event": "push", "x-github-delivery": "one"}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = httpx2.post(f"{base}/webhooks/github", content=PUSH, trust_env=False,
                         headers=[*raw, (b"x-hub-signature-256", given.encode("latin-1"))])  # fmt: skip
    assert refused(answer, 401, "X-Hub-Signature-256")
    assert queued(ledger) == 0


def test_a_signature_over_other_bytes_is_refused(base: str, ledger: Ledger) -> None:
    body = PUSH.replace(b"Initial commit", b"Initial Commit")
    assert refused(deliver(base, body, x_hub_signature_256=signature(PUSH)), 401, "X-Hub-Signature-256")
    same = json.dumps(json.loads(PUSH)).encode()
    assert refused(deliver(base, same, x_hub_signature_256=signature(PUSH)), 401, "X-Hub-Signature-256")
    assert queued(ledger) == 0


def test_both_secrets_work_while_they_are_rotated(base: str, redis_url: str) -> None:
    assert redis_url
    assert deliver(base, PUSH, x_hub_signature_256=signature(PUSH, "the next one")).status_code == 202
    assert deliver(base, PUSH).status_code == 202


def test_over_25_mib_is_refused_after_it_was_read_and_just_under_is_taken_quickly(base: str, ledger: Ledger) -> None:
    assert refused(deliver(base, many(1) + b" " * (27 << 20)), 413, "over 25 MiB")
    body = many(2048, padding=11_900)
    body += b" " * ((25 << 20) - len(body))
    signed = signature(body)
    started = time.monotonic()
    answer = deliver(base, body, x_hub_signature_256=signed, x_github_delivery="one")
    assert answer.json() == {"delivery": "one", "queued": 2048, "known": 0}
    assert time.monotonic() - started < GITHUBS_PATIENCE
    assert queued(ledger) == 2048


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000, b'{"ref": ' + b"9" * 5000 + b"}", PUSH[:-9], b'{"ref": "\\ud800"}', b"\xff", b"", b"null",
        changed(commits={}), changed(repository=None), changed(after="short"),
    ],
)  # fmt: skip
def test_garbage_is_refused_by_name_and_the_next_request_is_served(base: str, ledger: Ledger, body: bytes) -> None:
    answer = deliver(base, body)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert queued(ledger) == 0
    assert deliver(base, PUSH).status_code == 202


@pytest.mark.parametrize(
    "ending", [b', "forced": NaN}', b', "forced": 1e999}', b', "ref": "refs/heads/master"}', b', "\\u0000": 1}']
)
def test_odd_json_is_refused_or_read_and_never_a_500(base: str, ledger: Ledger, ending: bytes) -> None:
    answer = deliver(base, PUSH.rstrip()[:-1] + ending)
    assert answer.status_code in (202, 400)
    assert queued(ledger) == (answer.status_code == 202)


def test_one_bad_commit_leaves_the_others_queued_and_is_named(base: str, ledger: Ledger) -> None:
    first = json.loads(PUSH)["commits"][0]
    answer = deliver(base, changed(commits=[first, first | {"id": "../etc"}]), x_github_delivery="d")
    assert answer.json() == {
        "delivery": "d", "queued": 1, "known": 0,
        "rejected": ["commits.1.id: String should match pattern '^(?:[0-9a-f]{40}|[0-9a-f]{64})$'"],
    }  # fmt: skip
    assert queued(ledger) == 1


def test_what_is_not_for_us_is_ignored_with_a_reason(base: str, ledger: Ledger) -> None:
    assert deliver(base, (PAYLOADS / "ping.json").read_bytes(), event="ping").json() == {
        "pong": json.loads((PAYLOADS / "ping.json").read_bytes())["zen"]
    }
    for answer, why in (
        (deliver(base, PUSH, event="issues"), "event issues is not used"),
        (deliver(base, PUSH, event="<b>"), "event ?b? is not used"),
        (deliver(base, (PAYLOADS / "push__tag_deleted.json").read_bytes()), "a tag, not a branch"),
        (deliver(base, changed(ref="refs/heads/topic")), "branch topic is not followed"),
        (deliver(base, changed(deleted=True, after="0" * 40, commits=[], head_commit=None)), "the branch was deleted"),
    ):
        assert (answer.status_code, answer.json()) == (202, {"ignored": why})
    assert queued(ledger) == 0


def test_a_delivery_without_an_id_is_refused(base: str, ledger: Ledger) -> None:
    assert refused(deliver(base, PUSH, x_github_delivery="no\tid"), 400, "X-GitHub-Delivery")
    assert queued(ledger) == 0


def test_what_nobody_expected_is_said_to_the_sender_and_to_the_log(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", SECRET)
    monkeypatch.setattr(ledger, "receive", lambda *_: 1 // 0)
    headers = {"x-github-event": "push", "x-github-delivery": "one", "x-hub-signature-256": signature(PUSH)}
    with capture_logs() as logged:
        answer = Client(Webhook(ledger, load_settings(), Refusals(ledger), Outage("redis://localhost"))).post(
            data=PUSH, headers=headers, content_type="application/json"
        )
    assert (answer.status_code, list(answer.json or ())) == (500, ["error"])
    assert [(line["event"], line["delivery"]) for line in logged] == [("delivery_failed", "one")]


def test_health_and_unknown_routes(base: str, redis_url: str) -> None:
    assert redis_url
    assert httpx2.get(f"{base}/healthz", trust_env=False).json() == {"alive": True}
    assert httpx2.get(f"{base}/readyz", trust_env=False).json() == {"ready": True, "redis": "ok"}
    assert httpx2.get(f"{base}/webhooks/github", trust_env=False).status_code == 404
    assert httpx2.put(f"{base}/webhooks/github", trust_env=False).status_code == 405


def test_a_sender_who_hangs_up_half_way_does_not_disturb_the_next(base: str, ledger: Ledger) -> None:
    with socket.create_connection((urlsplit(base).hostname, urlsplit(base).port)) as sender:
        head = b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999"
        sender.sendall(head + b"\r\n\r\n{")
    assert deliver(base, PUSH).status_code == 202
    assert queued(ledger) == 1


@pytest.mark.parametrize("fault", ["frozen", "gone", "read-only", "full"])
def test_with_redis_out_64_posts_at_once_each_get_a_503_in_time_and_afterwards_all_is_well(
    fault: str, own_server: RedisServer, tmp_path: Path
) -> None:
    with (
        closing(Ledger(own_server.url, SHANGHAI)) as ledger,
        web_process(own_server.url, tmp_path) as base,
    ):
        assert deliver(base, many(1)).status_code == 202
        _break(fault, own_server, ledger)

        def timed(_: int) -> tuple[httpx2.Response, float]:
            started = time.monotonic()
            return deliver(base, many(30)), time.monotonic() - started

        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(timed, range(64)))
        assert {answer.status_code for answer, _ in answers} == {503}
        assert {answer.json()["error"] for answer, _ in answers} == {"Redis is unavailable; redeliver later"}
        assert max(seconds for _, seconds in answers) < GITHUBS_PATIENCE
        _mend(fault, own_server, ledger)
        # What a frozen Redis had in its buffers it does when it thaws: answered 503, and recorded all the same, once.
        answer = _taken_at_last(base, many(30))
        assert answer["queued"] + answer["known"] == 30
        assert queued(ledger) == ledger.status([]).received == 30


def _taken_at_last(base: str, body: bytes) -> dict[str, Any]:
    """Deliver again and again until it is taken: for a second after a failure nothing is tried."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := deliver(base, body)).status_code != 202:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)
    taken: dict[str, Any] = answer.json()
    return taken


def _break(fault: str, server: RedisServer, ledger: Ledger) -> None:
    assert server.pid
    if fault == "frozen":
        os.kill(server.pid, signal.SIGSTOP)
    elif fault == "gone":
        os.kill(server.pid, signal.SIGKILL)
        while server.pid:
            time.sleep(0.01)
    elif fault == "full":
        ledger.redis.config_set("maxmemory", "1")
    else:
        ledger.redis.replicaof("127.0.0.1", 1)


def _mend(fault: str, server: RedisServer, ledger: Ledger) -> None:
    if fault == "frozen":
        assert server.pid
        os.kill(server.pid, signal.SIGCONT)
    elif fault == "gone":
        server.start()
    elif fault == "full":
        ledger.redis.config_set("maxmemory", "0")
    else:
        ledger.redis.replicaof("NO", "ONE")
