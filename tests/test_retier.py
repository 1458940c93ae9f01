"""`daybook retier` and `daybook triage --labels`: a correction is kept, analysed for, taken back, written down."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import daybook
from core.errors import DaybookError
from core.ledger import Ledger
from core.models import Tier
from core.settings import Settings
from tests.pushes import REPOSITORY, commit, push, sha
from tests.test_days import done
from workers.services import Services, connect

DAY = date(2026, 2, 17)
FIRST, TWIN, LATER = 0xABCD01, 0xABCD02, 3


@pytest.fixture
def ledger(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Two commits that are analysed by the rules, and one that waits."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)
    services: Services = connect(Settings(_env_file=None, report_dir=tmp_path / "reports"), redis_url)
    services.ledger.receive(push([FIRST, TWIN, LATER]), [b"{}"] * 3)
    for number in (FIRST, TWIN):
        done(services, number)
    services.ledger.redis.delete("fetch", "analyse", "daybook:dirty")
    return services.ledger


def ran(*words: str) -> Result:
    return CliRunner().invoke(daybook, words)


def told(number: int) -> str:
    return f"{REPOSITORY}@{sha(number)[:10]} (Change number {number})"


PAGE = f"the page of {DAY} is made again at the next look, if it was made before"


def test_a_correction_is_kept_and_what_is_too_shallow_is_analysed_again(ledger: Ledger) -> None:
    answer = ran("retier", f"{REPOSITORY.upper()}@{sha(FIRST)}", "high", "--why", "  every user\nmust act ")
    assert answer.output == (
        f"{told(FIRST)} is high now, it was medium\n{PAGE}\nit was analysed at medium depth: queued again for high\n"
    )
    record = ledger.record(REPOSITORY, sha(FIRST))
    assert record
    assert record.correction
    assert (record.tier, record.correction.why) == (Tier.HIGH, "every user must act")
    assert [(name, day) for name, day, _ in ledger.dirty_days()] == [(REPOSITORY, DAY)]
    assert sha(FIRST).encode() in ledger.redis.lindex("fetch", 0)
    again = ran("retier", f"{REPOSITORY}@{sha(FIRST)}", "high", "--why", "still")
    assert again.output.endswith("it is being analysed at this moment already\n")


def test_what_is_deep_enough_stays_and_what_waits_is_judged_before(ledger: Ledger) -> None:
    assert ran("retier", f"{REPOSITORY}@{sha(FIRST)}", "low", "--why", "a test").output == (
        f"{told(FIRST)} is low now, it was medium\n{PAGE}\n"
    )
    assert ran("retier", f"{REPOSITORY}@{sha(LATER)}", "low", "--why", "a test").output == (
        f"{told(LATER)} is low now, it was medium\n{PAGE}\nits analysis is still to come, at that depth\n"
    )
    assert ledger.redis.llen("fetch") == 0


def test_the_same_tier_is_confirmed_and_a_long_title_is_cut_with_a_mark(ledger: Ledger) -> None:
    assert ran("retier", f"{REPOSITORY}@{sha(FIRST)}", "medium", "--why", "it is").output == (
        f"{told(FIRST)} is confirmed as medium\n{PAGE}\n"
    )
    found = commit(9).model_copy(update={"message": "Change everything about " + "a" * 60})
    ledger.receive(push([9]).model_copy(update={"commits": (found,)}), [b"{}"])
    answer = ran("retier", f"{REPOSITORY}@{sha(9)}", "low", "--why", "a test")
    assert f"(Change everything about {'a' * 35}…) is low now" in answer.output


def test_a_correction_is_taken_back(ledger: Ledger) -> None:
    ran("retier", f"{REPOSITORY}@{sha(FIRST)}", "low", "--why", "a test")
    answer = ran("retier", f"{REPOSITORY}@{sha(FIRST)}", "--undo")
    assert answer.output == f"{told(FIRST)} is medium again, it was corrected to low\n{PAGE}\n"
    record = ledger.record(REPOSITORY, sha(FIRST))
    assert record
    assert record.correction is None
    with pytest.raises(DaybookError, match=r"was not corrected$"):
        CliRunner().invoke(daybook, ["retier", f"{REPOSITORY}@{sha(FIRST)}", "--undo"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody/nothing@abcd", "low", "--why", "x"), r"no push to nobody/nothing was ever received"),
        ((f"{REPOSITORY}@ffff", "low", "--why", "x"), r"no commit of .* that begins with ffff is known"),
        ((f"{REPOSITORY}@{sha(FIRST)[:38]}", "low", "--why", "x"), r"begins 2 commits of .*: 0.*, 0"),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_what_is_not_known_is_named(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(DaybookError, match=said):
        CliRunner().invoke(daybook, ["retier", *words], catch_exceptions=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a/b", "low", "--why", "x"), "'a/b' is not OWNER/REPO@SHA"),
        (("a/b@12", "low", "--why", "x"), "'a/b@12' is not OWNER/REPO@SHA"),
        (("a/b@1234", "low"), "say why with --why"),
        (("a/b@1234", "low", "--why", " \n"), "say why with --why"),
        (("a/b@1234", "low", "--why", "x" * 301), "--why has 301 characters"),
        (("a/b@1234", "--why", "x"), "say which tier"),
        (("a/b@1234", "urgent", "--why", "x"), "is not one of"),
        (("a/b@1234", "low", "--undo"), "--undo takes neither"),
    ],
)
def test_wrong_use_is_refused_before_redis_is_asked(words: tuple[str, ...], said: str) -> None:
    answer = ran("retier", *words)
    assert answer.exit_code == 2
    assert said in answer.output


def test_without_redis_the_setting_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    with pytest.raises(DaybookError, match=r"^Redis does not answer at REDIS_URL"):
        CliRunner().invoke(daybook, ["retier", "a/b@1234", "low", "--why", "x"], catch_exceptions=False)


@pytest.mark.usefixtures("ledger")
def test_corrections_are_written_down_as_labels() -> None:
    assert ran("triage", "--labels").output == ""
    ran("retier", f"{REPOSITORY}@{sha(FIRST)}", "high", "--why", "每个用户都要改")
    ran("retier", f"{REPOSITORY}@{sha(TWIN)}", "low", "--why", "a test")
    answer = ran("triage", "--labels", REPOSITORY.lower())
    assert [json.loads(line) for line in answer.output.splitlines()] == [
        {
            "sha": sha(number),
            "title": f"Change number {number}",
            "tier": tier,
            "type": "refactor",
            "reason": why,
            "files": 1,
            "additions": 1,
            "deletions": 1,
        }
        for number, tier, why in ((FIRST, "high", "每个用户都要改"), (TWIN, "low", "a test"))
    ]
    assert ran("triage", "--labels").output == answer.output
    with pytest.raises(DaybookError, match="no push to nobody/nothing"):
        CliRunner().invoke(daybook, ["triage", "--labels", "nobody/nothing"], catch_exceptions=False)
    assert "--labels takes one OWNER/REPO" in ran("triage", "--labels", "a/b", "c/d").output
