"""`daybook failed`: what was given up is listed, tried again with all that follows, or let go."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from core.ledger import Ledger, Stage
from core.settings import Settings
from tests.pushes import LANDED, REPOSITORY, push, sha
from tests.test_days import done
from tests.test_processes import run
from workers.services import Services, connect
from workers.stages import give_up

DAY = date(2026, 2, 17)


@pytest.fixture
def services(redis_url: str, tmp_path: Path) -> Services:
    made = connect(Settings(_env_file=None, report_dir=tmp_path / "reports"), redis_url)
    made.ledger.receive(push([0xABCD01, 0xABCD02, 3]), [b"{}"] * 3)
    for number, reason in ((0xABCD01, "GitHub answered 502\x1b[2J"), (0xABCD02, "gone")):
        claim = made.ledger.claim(f"{REPOSITORY}@{sha(number)}", Stage.FETCH)
        assert claim
        give_up(made, claim, reason)
    made.ledger.redis.delete("fetch")
    return made


def daybook(redis_url: str, folder: Path, *words: str) -> tuple[int, str, str]:
    answer = run("failed", *words, folder=folder, REDIS_URL=redis_url)
    return answer.returncode, answer.stdout, answer.stderr


@pytest.mark.slow
def test_the_list_shows_what_where_when_and_why(services: Services, redis_url: str, tmp_path: Path) -> None:
    code, out, _ = daybook(redis_url, tmp_path)
    assert code == 0
    assert re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "WHEN", out) == (
        f"{REPOSITORY}@{sha(0xABCD01)[:10]}  Change number {0xABCD01}\n"
        "    fetch, WHEN, 1 attempts: GitHub answered 502?[2J\n"
        f"{REPOSITORY}@{sha(0xABCD02)[:10]}  Change number {0xABCD02}\n"
        "    fetch, WHEN, 1 attempts: gone\n"
    )
    services.ledger.redis.delete("daybook:failed")
    assert daybook(redis_url, tmp_path, "list") == (0, "nothing is given up on\n", "")


@pytest.mark.slow
def test_a_retry_runs_the_work_again_and_the_page_follows(services: Services, redis_url: str, tmp_path: Path) -> None:
    ledger = services.ledger
    code, out, _ = daybook(redis_url, tmp_path, "retry", f"{REPOSITORY}@{sha(0xABCD01)}")
    assert (code, out) == (0, "1 commit queued again\n")
    assert [record.commit.sha for record in ledger.failed()] == [sha(0xABCD02)]
    assert sha(0xABCD01).encode() in ledger.redis.lindex("fetch", 0)
    assert ledger.redis.llen("fetch") == 1
    done(services, 0xABCD01)
    record = ledger.record(REPOSITORY, sha(0xABCD01))
    assert record
    assert (record.failure, record.analysis and record.analysis.origin) == (None, "rules")
    assert [(name, day) for name, day, _ in ledger.dirty_days()] == [(REPOSITORY, DAY)]
    assert daybook(redis_url, tmp_path, "retry", REPOSITORY.upper())[1] == "1 commit queued again\n"
    assert daybook(redis_url, tmp_path, "retry")[1] == "0 commits queued again\n"


@pytest.mark.slow
def test_what_is_dropped_leaves_the_list_and_stays_marked(services: Services, redis_url: str, tmp_path: Path) -> None:
    assert daybook(redis_url, tmp_path, "drop", REPOSITORY) == (0, "2 commits dropped\n", "")
    ledger = services.ledger
    assert ledger.failed() == []
    record = ledger.record(REPOSITORY, sha(0xABCD02))
    assert record
    assert record.failure
    assert record.analysis
    assert record.analysis.origin == "degraded"
    assert ledger.receive(push([0xABCD02], landed_at=LANDED), [b"{}"]) == (0, 1)  # a redelivery does not open it


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("retry", "octocat/other"), 1, "daybook: nothing of octocat/other is given up on; `daybook failed` lists"),
        (("drop", "nonsense"), 2, "'nonsense' is not OWNER/REPO or OWNER/REPO@SHA"),
        (("list", "octocat/x@xyz"), 2, "'octocat/x@xyz' is not OWNER/REPO or OWNER/REPO@SHA"),
        (("list", "a/b", "c/d"), 2, "give one OWNER/REPO"),
    ],
)  # fmt: skip
def test_mistakes(redis_url: str, tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    returned, _, error = daybook(redis_url, tmp_path, *words)
    assert returned == code
    assert said in error
    assert "Traceback" not in error


def test_reopening_twice_opens_once(ledger: Ledger, redis_url: str, tmp_path: Path) -> None:
    services = connect(Settings(_env_file=None, report_dir=tmp_path), redis_url)
    ledger.receive(push([1]), [b"{}"])
    claim = services.ledger.claim(f"{REPOSITORY}@{sha(1)}", Stage.FETCH)
    assert claim
    give_up(services, claim, "gone")
    services.ledger.close()
    assert [ledger.reopen([claim.id], [b"again"]) for _ in range(2)] == [1, 0]
    assert ledger.drop([claim.id]) == 0
    assert ledger.meters().waiting == 1
