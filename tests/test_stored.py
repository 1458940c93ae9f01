"""What is stored outlives versions: an older ledger is moved on, what a newer version wrote is kept or left alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DaybookError
from core.ledger import Ledger, NewerRecord, Stage, packing
from core.ledger.packing import QUICK, packed, packed_commit, unpacked
from core.models import CommitRecord, Diff
from report.json import report_from_json
from tests import stored
from tests.conftest import SHANGHAI
from tests.patches import PAYLOADS
from tests.pushes import LANDED, REPOSITORY, commit, push, sha
from tests.records import record, varied_day
from workers.services import Services, connect
from workers.stages import analyse_commit

KEPT = json.loads((PAYLOADS / "ledger__0_1_0.json").read_text())
ID = f"{REPOSITORY}@{sha(1)}"


@pytest.fixture
def services(redis_url: str, tmp_path: Path) -> Iterator[Services]:
    """A worker's services over what version 0.1.0 left."""
    services = connect(stored.settings(tmp_path), redis_url)
    stored.restored(services.ledger.redis, KEPT)
    yield services
    services.ledger.close()


def test_every_record_of_an_older_ledger_is_read(services: Services) -> None:
    ledger = services.ledger
    found = ledger.records(REPOSITORY, LANDED.date()) + ledger.records(REPOSITORY, LANDED.date() + timedelta(days=1))
    assert [one.commit.message for one in found] == [stored.MESSAGES[number] for number in range(2, 8)]
    assert [bool(one.analysis) for one in found] == [True, True, True, True, False, False]
    assert [one.commit.sha for one in ledger.failed()] == [sha(stored.GIVEN_UP)]
    report = ledger.report(REPOSITORY, LANDED.date())
    assert report
    assert len(report_from_json(report).commits) == 2


def test_an_older_ledgers_commits_are_found_and_known(services: Services) -> None:
    ledger = services.ledger
    for number in stored.MESSAGES:
        assert ledger.find_commit(REPOSITORY, sha(number)) == sha(number)
    assert ledger.past_day(REPOSITORY, sha(stored.EXPIRED)) == stored.OLD.date()
    again = push(list(stored.MESSAGES))
    assert ledger.receive(again, [b"{}"] * 7) == (1, 6)  # the one that was given up on is opened again


def test_an_older_ledgers_stories_are_told(services: Services) -> None:
    reported = services.ledger.record(REPOSITORY, sha(stored.REPORTED))
    assert reported
    assert [one.commit.sha for one in services.ledger.kin(REPOSITORY, [reported])] == [sha(stored.REVERT)]


def test_work_that_an_older_version_began_is_ended(services: Services) -> None:
    services.ledger.redis.delete("fetch", "analyse")
    claim = services.ledger.claim(f"{REPOSITORY}@{sha(stored.FETCHED)}", Stage.ANALYSE)
    assert claim
    assert claim.diff
    assert analyse_commit(services, claim)
    ended = services.ledger.record(REPOSITORY, sha(stored.FETCHED))
    assert ended
    assert ended.analysis
    assert services.ledger.claim(f"{REPOSITORY}@{sha(stored.RECEIVED)}", Stage.FETCH)


def test_an_older_ledger_is_moved_whole_once(services: Services) -> None:
    client = services.ledger.redis
    services.ledger.bring_up_to_date()
    assert not client.exists(f"daybook:shas:{REPOSITORY}", f"daybook:names:{REPOSITORY}")
    assert not client.keys("daybook:past:*")
    once = stored.dumped(client)
    assert once["daybook:layout"] == ["string", "2"]
    client.delete("daybook:layout")
    Ledger(_url(client), SHANGHAI).bring_up_to_date()  # as if it had been broken off at its last step
    assert stored.dumped(client) == once


def test_many_processes_may_move_an_older_ledger_at_once(services: Services) -> None:
    client = services.ledger.redis
    shas = {f"{number:040x}": 0 for number in range(9000, 15_000)}
    client.zadd(f"daybook:shas:{REPOSITORY}", shas)
    client.zadd(f"daybook:names:{REPOSITORY}", {f"p:{number}:1771300800:{one}": 0 for number, one in enumerate(shas)})
    ledgers = [Ledger(_url(client), SHANGHAI) for _ in range(4)]
    threads = [threading.Thread(target=ledger.bring_up_to_date) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(client.hlen(key) for key in client.keys(f"daybook:shas:{REPOSITORY}:*")) == 6000 + len(stored.MESSAGES)
    names = sum(client.zcard(key) for key in client.keys(f"daybook:names:{REPOSITORY}:*"))
    assert names == 6000 + len(KEPT[f"daybook:names:{REPOSITORY}"][1])


def test_a_newer_layout_is_refused_in_one_line(ledger: Ledger) -> None:
    ledger.redis.set("daybook:layout", 3)
    with pytest.raises(DaybookError, match="newer Daybook"):
        ledger.receive(push([1]), [b"{}"])
    assert ledger.redis.keys("*") == [b"daybook:layout"]


def _url(client: redis.Redis) -> str:
    options = client.connection_pool.connection_kwargs
    return f"redis://:{options['password']}@{options['host']}:{options['port']}/0"


@pytest.mark.parametrize("level", [QUICK, 6, 9])
def test_what_is_packed_is_unpacked(level: int) -> None:
    for one in varied_day() + varied_day("en"):
        assert unpacked(one.commit.id, packed(one, level), None) == one


@given(message=st.text(max_size=300), author=st.text(max_size=40), level=st.sampled_from([1, 6]))
def test_any_text_is_packed(message: str, author: str, level: int) -> None:
    one = CommitRecord(commit=commit(1, message=message or "-").model_copy(update={"author": author}))
    assert unpacked(ID, packed(one, level), None) == one
    assert unpacked(ID, packed_commit(one.commit), None) == one


def test_the_form_of_a_text_in_utf_8_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    one = record(1, message="修复解析器 (#12)")
    now = packed(one)
    monkeypatch.setattr(packing, "DEFLATED", 0x02)
    then = packed(one)
    assert (now[0], then[0]) == (0x03, 0x02)
    assert unpacked(one.commit.id, then, None) == unpacked(one.commit.id, now, None) == one


def test_a_finished_record_is_small() -> None:
    one = record(1, message="Fix the parser (#12)")
    assert len(packed(one)) < 0.55 * len(one.model_dump_json(exclude_defaults=True))


def newer_text(one: CommitRecord) -> str:
    """A record as a newer version writes it: with fields that nobody knows yet, at three depths."""
    told = json.loads(one.model_dump_json(exclude_defaults=True))
    told["version"] = 2
    told["mood"] = {"calm": True}
    told["commit"]["verified"] = "gpg"
    if "facts" in told:
        told["facts"]["owners"] = ["@octocat"]
    return json.dumps(told)


def test_what_a_newer_version_added_outlives_an_older_workers_writing(ledger: Ledger) -> None:
    ledger.receive(push([1]), [b"{}"])
    known = ledger.record(REPOSITORY, sha(1))
    assert known
    ledger.redis.set(f"daybook:record:{ID}", b"\x01" + newer_text(known).encode())
    claim = ledger.claim(ID, Stage.FETCH)
    assert claim
    diff = Diff(sha=sha(1), parents=(), files=(), additions=0, deletions=0)
    assert ledger.advance(claim, claim.record, Stage.ANALYSE, diff, b"{}")
    claim = ledger.claim(ID, Stage.ANALYSE)
    assert claim
    ended = record(1).model_copy(update={"commit": claim.record.commit})
    assert ledger.finish(claim, claim.record.model_copy(update={"analysis": ended.analysis, "facts": ended.facts}))
    kept = ledger.record(REPOSITORY, sha(1))
    assert kept
    told = json.loads(kept.model_dump_json())
    assert (told["version"], told["mood"], told["commit"]["verified"]) == (2, {"calm": True}, "gpg")


@pytest.mark.parametrize("foreign", [b"\x04newer form", b'\x01{"version":2,"commit":{"message":{"a":1}}}'])
def test_a_commit_that_only_a_newer_version_can_read_is_left_to_it(ledger: Ledger, foreign: bytes) -> None:
    ledger.receive(push([1]), [b"{}"])
    known = ledger.redis.get(f"daybook:record:{ID}")
    ledger.redis.set(f"daybook:record:{ID}", foreign)
    assert ledger.claim(ID, Stage.FETCH) is None
    work = ledger.redis.hgetall(f"daybook:work:{ID}")
    assert (work[b"token"], work[b"attempts"], work[b"stage"]) == (b"", b"0", b"fetch")
    assert ledger.redis.get(f"daybook:record:{ID}") == foreign
    assert ledger.status([]).waiting == 1
    with pytest.raises(NewerRecord, match=sha(1)):
        ledger.record(REPOSITORY, sha(1))
    ledger.redis.hset(f"daybook:work:{ID}", "not_before", 0)
    ledger.redis.set(f"daybook:record:{ID}", known)
    assert ledger.claim(ID, Stage.FETCH)


def test_a_damaged_record_is_not_taken_for_a_newer_one() -> None:
    with pytest.raises(ValueError, match="validation error"):
        unpacked(ID, b'\x01{"commit":{"message":{"a":1}}}', None)


def test_a_diff_of_a_newer_version_is_read_or_fetched_anew(services: Services) -> None:
    commit_id = f"{REPOSITORY}@{sha(stored.FETCHED)}"
    services.ledger.redis.set(f"daybook:diff:{commit_id}", b"\x04newer form")
    claim = services.ledger.claim(commit_id, Stage.ANALYSE)
    assert claim
    assert claim.diff is None
    assert analyse_commit(services, claim)
    assert services.ledger.redis.hget(f"daybook:work:{commit_id}", "stage") == b"fetch"
    assert not services.ledger.redis.exists(f"daybook:diff:{commit_id}")
