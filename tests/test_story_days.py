"""Stories over days, on a real Redis: commits find their kin, and the pages of earlier days are made again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from itertools import count, islice
from pathlib import Path

import pytest

from core.ledger import AmbiguousSha, Ledger, Stage
from core.ledger.places import place_of
from core.models import CommitRecord, Diff, FileChange, Push
from core.references import title_key
from core.settings import Settings
from report.json import report_from_json
from tests.pushes import LANDED, REPOSITORY, commit, sha
from tests.test_ledger import done
from workers.app import message
from workers.days import close_due_days, tell_other_days
from workers.facts import facts_from
from workers.rules import load_rules
from workers.services import Services, connect
from workers.stages import analyse_commit
from workers.triage import triage

DAY = date(2026, 2, 17)  # LANDED is noon of it in Shanghai
CLOSES = datetime(2026, 2, 17, 16, 30, tzinfo=UTC)


def received(ledger: Ledger, number: int, text: str, *, days: int = 0, of: str = "") -> str:
    """Receive a commit of its own push; its sha is `of`, or tells its number."""
    at = LANDED + timedelta(days=days, minutes=number)
    told = commit(number, landed_at=at, message=text).model_copy(update={"sha": of or sha(number)})
    pushed = Push(repository=REPOSITORY, branch="main", before=sha(0), after=told.sha, pushed_at=at, delivery=told.sha,
                  commits=(told,))  # fmt: skip
    ledger.receive(pushed, [b"{}"])
    return told.sha


def finished(ledger: Ledger, number: int, text: str, *, days: int = 0, of: str = "") -> CommitRecord:
    """Receive a commit and write its last record, with the facts of its message."""
    claim = ledger.claim(f"{REPOSITORY}@{received(ledger, number, text, days=days, of=of)}", Stage.FETCH)
    assert claim
    record = done(claim.record).model_copy(update={"facts": facts_from(claim.record.commit, None)})
    assert ledger.finish(claim, record)
    return record


def kin(ledger: Ledger, *records: CommitRecord) -> list[int]:
    return [int(one.commit.sha, 16) for one in ledger.kin(REPOSITORY, records)]


def test_a_commit_is_found_by_its_first_digits(ledger: Ledger) -> None:
    one = received(ledger, 1, "One", of="abcdef1" + "0" * 33)
    two = received(ledger, 2, "Two", of="abcdef1" + "1" * 33)
    assert ledger.find_commit(REPOSITORY, "abcdef10") == one
    assert ledger.find_commit(REPOSITORY, "ABCDEF11") == two
    assert ledger.find_commit(REPOSITORY, one) == one
    with pytest.raises(AmbiguousSha, match=f"^abcdef1 begins 2 commits of octocat/hello-world: {one}, {two}$"):
        ledger.find_commit(REPOSITORY, "abcdef1")
    assert ledger.find_commit("octocat/other", "abcdef10") is None
    for nothing in ("abcdef2", "abc", "", "abcdef1g", "abcdef1\xff", "[abcdef", "f" * 41):
        assert ledger.find_commit(REPOSITORY, nothing) is None


@pytest.mark.parametrize(
    "text",
    ['Revert "Add X" (#9)', "Back out #7", f"Go back\n\nThis reverts commit {sha(1)}.", "Go on\n\nFollow-up to #7."],
)
def test_who_names_a_commit_is_its_kin_from_both_sides(ledger: Ledger, text: str) -> None:
    named, other = finished(ledger, 1, "Add X (#7)"), finished(ledger, 2, "Add Y (#8)")
    naming = finished(ledger, 3, text, days=40)
    assert kin(ledger, naming) == [1]
    assert kin(ledger, named) == [3]
    assert kin(ledger, other) == []
    assert kin(ledger, named, naming) == []


def test_an_abbreviated_sha_names_a_commit(ledger: Ledger) -> None:
    named = finished(ledger, 1, "Add X", of="abcdef1" + "2" * 33)
    naming = finished(ledger, 2, "Go back\n\nThis reverts commit abcdef122.")
    assert ledger.kin(REPOSITORY, [naming]) == [named]
    assert ledger.kin(REPOSITORY, [named]) == [naming]


def test_the_ends_of_a_chain_are_kin_and_so_are_the_parts_of_a_series(ledger: Ledger) -> None:
    first = finished(ledger, 1, "Add X (#7)")
    finished(ledger, 2, 'Revert "Add X" (#8)', days=1)
    last = finished(ledger, 3, 'Revert "Revert "Add X"" (#9)', days=2)
    assert kin(ledger, first) == [2, 3]
    assert kin(ledger, last) == [1, 2]
    part = finished(ledger, 4, "[1/3] Pool: begin")
    assert kin(ledger, finished(ledger, 5, "[2/3] Pool: go on", days=9)) == [4]
    assert kin(ledger, part) == [5]


def test_a_common_title_brings_its_latest_twenty(ledger: Ledger) -> None:
    for number in range(1, 31):
        finished(ledger, number, "Bump", days=number)
    found = kin(ledger, finished(ledger, 40, 'Revert "Bump"', days=40))
    assert found == list(range(11, 31))


def test_titles_of_one_place_are_looked_through_at_once_and_bring_the_same(ledger: Ledger) -> None:
    """Names lie in 1,024 sorted sets; one of which much is asked is read once, one of which little is asked is not."""
    titles = (f"Bump {number}" for number in count())
    place = place_of(REPOSITORY, title_name("Bump 0")).key
    alike = list(islice((one for one in titles if place_of(REPOSITORY, title_name(one)).key == place), 6))
    for number in range(1, 31):
        finished(ledger, number, alike[0] if number > 1 else alike[1], days=number)
    assert ledger.redis.zcard(place) == 30
    reverts = [finished(ledger, 40 + n, f'Revert "{title}"', days=40) for n, title in enumerate(alike)]
    one_by_one = {number for revert in reverts for number in kin(ledger, revert)}
    assert kin(ledger, *reverts) == sorted(one_by_one) == [1, *range(11, 31)]


def title_name(title: str) -> str:
    """What a commit of this title is called in the index of names."""
    return f"t:{blake2b(title_key(title).encode(), digest_size=6).hexdigest()}"


def test_finishing_again_changes_no_names(ledger: Ledger) -> None:
    record = finished(ledger, 1, 'Revert "Add X (#7)" (#9)')
    before = entries(ledger)
    assert len(before) == 4
    assert ledger.reanalyse(record.commit.id, b"again")
    claim = ledger.claim(record.commit.id, Stage.FETCH)
    assert claim
    assert ledger.finish(claim, record)
    assert entries(ledger) == before


def entries(ledger: Ledger) -> list[tuple[bytes, bytes]]:
    """All that the index of names holds."""
    keys = sorted(ledger.redis.keys(f"daybook:names:{REPOSITORY}:*"))
    return [(key, member) for key in keys for member in ledger.redis.zrange(key, 0, -1)]


@pytest.fixture
def services(redis_url: str, tmp_path: Path) -> Iterator[Services]:
    settings = Settings(report_dir=tmp_path / "reports", report_time=time(0, 30), report_grace_minutes=60)
    services = connect(settings, redis_url)
    yield services
    services.ledger.close()


def worked(services: Services, number: int, text: str, *, days: int = 0) -> None:
    """Receive, fetch and analyse a commit as a worker would, with a diff given."""
    ledger = services.ledger
    claim = ledger.claim(f"{REPOSITORY}@{received(ledger, number, text, days=days)}", Stage.FETCH)
    assert claim
    ledger.redis.hset("daybook:repositories", REPOSITORY, LANDED.timestamp())
    patch = "@@ -1 +1 @@\n-a = 1\n+a = 2"
    change = FileChange(path="src/a.py", status="modified", additions=1, deletions=1, patch=patch)
    diff = Diff(sha=sha(number), parents=(sha(0),), files=(change,), additions=1, deletions=1)
    facts = facts_from(claim.record.commit, diff)
    judged = triage(claim.record.commit, facts, load_rules(), services.repository(REPOSITORY))
    record = claim.record.model_copy(update={"facts": facts, "triage": judged})
    ledger.advance(claim, record, Stage.ANALYSE, diff, message("analyse", claim.id))
    analysing = ledger.claim(claim.id, Stage.ANALYSE)
    assert analysing
    assert analyse_commit(services, analysing)


def told(services: Services, day: date) -> tuple[int, list[tuple[str, str, date]]]:
    """Revision and relations of the kept report of a day."""
    document = services.ledger.report(REPOSITORY, day)
    assert document
    report = report_from_json(document)
    return report.revision, [(one.kind, one.title, one.day) for entry in report.entries for one in entry.relations]


def test_the_page_of_an_earlier_day_gets_a_forward_link_when_its_commit_is_reverted(services: Services) -> None:
    worked(services, 1, "Add X (#7)")
    close_due_days(services, CLOSES)
    assert told(services, DAY) == (1, [])
    worked(services, 2, 'Revert "Add X" (#8)', days=1)
    close_due_days(services, CLOSES + timedelta(hours=12))  # the second day is still open
    later = DAY + timedelta(days=1)
    assert told(services, DAY) == (2, [("reverted_by", 'Revert "Add X" (#8)', later)])
    page = (services.settings.report_dir / f"2026/{REPOSITORY}/{DAY}.md").read_text()
    assert f"](2026-02-18.md#commit-octocat.hello-world-{sha(2)})" in page
    close_due_days(services, CLOSES + timedelta(days=1))
    assert told(services, later) == (1, [("reverts", "Add X (#7)", DAY)])
    assert told(services, DAY)[0] == 2
    assert services.ledger.dirty_days() == []


def test_a_late_commit_is_told_of_on_the_page_that_spoke_of_it_before(services: Services) -> None:
    worked(services, 2, 'Revert "Add X" (#8)', days=1)
    close_due_days(services, CLOSES + timedelta(days=1))
    later = DAY + timedelta(days=1)
    assert told(services, later) == (1, [])
    worked(services, 1, "Add X (#7)")
    close_due_days(services, CLOSES + timedelta(days=1, minutes=1))
    assert told(services, later) == (2, [("reverts", "Add X (#7)", DAY)])


def test_a_commit_that_concerns_nobody_makes_no_page_again(services: Services) -> None:
    worked(services, 1, "Add X (#7)")
    close_due_days(services, CLOSES)
    worked(services, 2, "Add Y (#8)", days=1)
    tell_other_days(services)
    assert [day for _, day, _ in services.ledger.dirty_days()] == [DAY + timedelta(days=1)]
    assert services.ledger.untold(10) == []
