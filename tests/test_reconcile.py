"""What no push told of is found, recorded once and queued: a fake GitHub with a real clone behind it, a real Redis."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.replay import push_payload
from core.models import Found
from core.settings import RepositorySettings, Settings
from report.markdown import markdown
from tests.conftest import SHANGHAI
from tests.fakes.github import FakeGitHub
from tests.gitclone import START, Clone, run_git
from webhook.payload import Received, read_push
from workers.app import messages
from workers.assembling import assembled
from workers.gitrepo import GitRepository
from workers.landings import Landing
from workers.reconcile import Reconciled, backfill, reconcile
from workers.services import Services, connect

NAME = "octocat/Hello-World"
DAY = date(2026, 2, 17)  # START is noon of it in Shanghai
NOW = START + timedelta(hours=6)
Serve = Callable[..., Services]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


@pytest.fixture
def fake(clone: Clone) -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        github.add_repository(NAME, clone.path)
        yield github


@pytest.fixture
def serve(fake: FakeGitHub, redis_url: str, tmp_path: Path) -> Iterator[Serve]:
    """Makes the services of a Daybook that follows the repository so."""
    made: list[Services] = []

    def build(name: str = NAME, **table: object) -> Services:
        fake.tokens.add("a token")
        followed = RepositorySettings.model_validate({"name": name, **table})
        settings = Settings(github_api_url=fake.url, github_token=SecretStr("a token"),
                            report_dir=tmp_path / "reports", daybook_repositories=(followed,))  # fmt: skip
        made.append(connect(settings, redis_url))
        return made[-1]

    yield build
    for services in made:
        services.ledger.close()


def delivered(services: Services, landing: Landing, *, branch: str = "main", **changed: object) -> tuple[int, int]:
    """A push delivery as the webhook takes it."""
    body = json.dumps(push_payload(landing, NAME, branch) | changed).encode()
    received = read_push(body, "72d3162e-cc78-11e3-81ab-4c9367dc0958", services.settings, NOW)
    assert isinstance(received, Received)
    push = received.push
    return services.ledger.receive(push, messages("fetch", [commit.id for commit in push.commits]))


def landings(clone: Clone, rev: str = "main") -> list[Landing]:
    return GitRepository(clone.path).first_parent(rev)


def shas(services: Services, day: date = DAY, name: str = NAME) -> list[str]:
    """What the ledger has for a day, in landing order."""
    return [record.commit.sha for record in services.ledger.records(name, day)]


def counts(result: Reconciled) -> tuple[bool, int, int, int]:
    return result.ok, result.found, result.queued, result.known


def many(clone: Clone, number: int, parent: str, *, start: datetime) -> list[str]:
    """A line of commits a second apart, in one git command."""
    parts = []
    for count in range(number):
        who = f"octocat <octocat@users.noreply.github.com> {int(start.timestamp()) + count} +0000"
        above = f"from {parent}\n" if count == 0 else ""
        text = f"Change {count}"
        parts.append(f"commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata {len(text)}\n{text}\n{above}"
                     f"M 100644 inline f\ndata {len(str(count))}\n{count}\n\n")  # fmt: skip
    run_git("fast-import", "--quiet", "--force", git_dir=clone.git_dir, given="".join(parts).encode())
    clone.head = clone.git("rev-parse", "main")
    return clone.git("rev-list", "--reverse", f"{parent}..main").split()


def test_a_delivery_that_never_came_is_found_and_counts_as_backfilled(serve: Serve, clone: Clone) -> None:
    services = serve()
    first = clone.commit("one", {"a": "1"})
    assert delivered(services, landings(clone)[0]) == (1, 0)
    lost = [clone.commit("two", {"a": "2"}), clone.commit("three", {"a": "3"})]
    assert counts(reconcile(services, NAME, Found.BACKFILL, now=NOW)) == (True, 3, 2, 1)
    assert shas(services) == [first, *lost]
    found = services.ledger.record(NAME, lost[0])
    assert found
    assert (found.commit.found_by, found.commit.landed_at) == (Found.BACKFILL, START + timedelta(minutes=1))
    assert services.ledger.redis.llen("fetch") == 3
    assert delivered(services, landings(clone)[1]) == (0, 1)  # the delivery comes late


def test_when_nothing_has_changed_two_free_requests_are_made(serve: Serve, clone: Clone, fake: FakeGitHub) -> None:
    services = serve()
    clone.commit("one", {"a": "1"})
    assert reconcile(services, NAME, Found.BACKFILL, now=NOW).queued == 1
    left, asked = fake.remaining, len(fake.requests)
    for _ in range(3):
        assert counts(reconcile(services, NAME, Found.BACKFILL, now=NOW)) == (True, 0, 0, 0)
    assert fake.paths()[asked:] == [f"/repos/{NAME}", f"/repos/{NAME}/git/matching-refs/heads/main"] * 3
    assert fake.remaining == left
    asked = len(fake.requests)
    reconcile(services, NAME, Found.POLL, now=NOW)
    assert fake.paths()[asked:] == [f"/repos/{NAME}/git/matching-refs/heads/main"]
    assert fake.remaining == left


def test_a_merge_lands_what_it_merged_when_it_was_made(serve: Serve, clone: Clone) -> None:
    services = serve()
    base = clone.commit("base", {"a": "1"}, when=START - timedelta(days=3))
    reconcile(services, NAME, Found.BACKFILL, now=NOW)
    week_old = [clone.commit(f"feature {number}", {f"f{number}": "1"}, branch="feature",
                             when=START - timedelta(days=2, hours=number)) for number in range(2)]  # fmt: skip
    merge = clone.commit("merge", {"a": "2"}, parents=[base, week_old[-1]], when=START)
    assert counts(reconcile(services, NAME, Found.BACKFILL, now=NOW)) == (True, 3, 3, 0)
    records = services.ledger.records(NAME, DAY)
    assert [record.commit.sha for record in records] == [*week_old, merge]
    assert {record.commit.landed_at for record in records} == {START}
    assert [record.commit.position for record in records] == [0, 1, 2]


def test_the_first_look_takes_the_current_day_with_what_was_merged_on_it(serve: Serve, clone: Clone) -> None:
    services = serve()
    old = clone.commit("old", {"a": "1"}, when=START - timedelta(days=2))
    feature = clone.commit("feature", {"b": "1"}, branch="feature", when=START - timedelta(days=1))
    merge = clone.commit("merge", {"b": "1"}, parents=[old, feature], when=START)
    assert counts(reconcile(services, NAME, Found.POLL, now=NOW)) == (True, 2, 2, 0)
    assert shas(services) == [feature, merge]


def test_a_commit_dated_out_of_order_hides_nothing(serve: Serve, clone: Clone) -> None:
    services = serve()
    clone.commit("old", {"a": "0"}, when=START - timedelta(days=2))
    first = clone.commit("first of the day", {"a": "1"}, when=START)
    clone.commit("dated long ago", {"a": "2"}, when=START - timedelta(days=400))
    last = clone.commit("last of the day", {"a": "3"}, when=START + timedelta(hours=1))
    assert reconcile(services, NAME, Found.POLL, now=NOW).ok
    assert shas(services) == [first, last]


@pytest.mark.slow
def test_600_commits_are_listed_to_the_last_page(serve: Serve, clone: Clone, fake: FakeGitHub) -> None:
    services = serve()
    base = clone.commit("base", {"a": "1"}, when=START - timedelta(days=1))
    reconcile(services, NAME, Found.BACKFILL, now=NOW)
    lost = many(clone, 600, base, start=START)
    asked = len(fake.requests)
    assert counts(reconcile(services, NAME, Found.BACKFILL, now=NOW)) == (True, 600, 600, 0)
    assert shas(services) == lost
    compared = [request.query.get("page", "1") for request in fake.requests[asked:] if "/compare/" in request.path]
    assert compared == ["1", "2", "3"]


@pytest.mark.slow
def test_600_commits_of_the_first_day_are_listed_to_the_last_page(serve: Serve, clone: Clone, fake: FakeGitHub) -> None:
    services = serve()
    base = clone.commit("base", {"a": "1"}, when=START - timedelta(days=1))
    lost = many(clone, 600, base, start=START)
    assert counts(reconcile(services, NAME, Found.POLL, now=NOW)) == (True, 600, 600, 0)
    assert shas(services) == lost
    assert len([path for path in fake.paths() if path.endswith("/commits")]) == 7


@pytest.mark.slow
def test_a_push_cut_at_2048_commits_is_completed(serve: Serve, clone: Clone) -> None:
    services = serve()
    base = clone.commit("base", {"a": "1"}, when=START - timedelta(days=1))
    pushed = many(clone, 2100, base, start=START - timedelta(hours=30))  # most of them dated the day before
    history = GitRepository(clone.path).landed(base, pushed[-1])
    assert history
    whole = Landing(base, tuple(commit for landing in history for commit in landing.commits))
    assert delivered(services, whole) == (2048, 0)
    assert counts(reconcile(services, NAME, Found.BACKFILL, now=NOW)) == (True, 2100, 52, 2048)
    assert services.ledger.known(NAME, pushed) == set(pushed)
    assert counts(reconcile(services, NAME, Found.BACKFILL, now=NOW)) == (True, 0, 0, 0)


def test_push_b_before_a_and_both_are_there_in_order(serve: Serve, clone: Clone) -> None:
    services = serve()
    order = [clone.commit(f"{number}", {"a": f"{number}"}) for number in range(3)]
    _, a, b = landings(clone)
    assert delivered(services, b) == (1, 0)
    assert counts(reconcile(services, NAME, Found.BACKFILL, now=NOW)) == (True, 1, 0, 1)
    assert delivered(services, a) == (1, 0)
    assert counts(reconcile(services, NAME, Found.BACKFILL, now=NOW)) == (True, 0, 0, 0)
    assert shas(services) == order[1:]


def test_a_new_branch_brings_only_what_is_new(serve: Serve, clone: Clone) -> None:
    services = serve(branches=["main", "release/*"])
    for number in range(3):
        clone.commit(f"{number}", {"a": f"{number}"})
    assert reconcile(services, NAME, Found.BACKFILL, now=NOW).queued == 3
    fix = clone.commit("fix", {"b": "1"}, branch="release/1", when=START + timedelta(minutes=9))
    result = reconcile(services, NAME, Found.BACKFILL, now=NOW)
    assert counts(result) == (True, 4, 1, 3)
    assert result.asked == ("main", "release/1")
    record = services.ledger.record(NAME, fix)
    assert record
    assert record.commit.branch == "release/1"


@pytest.mark.parametrize("told", [True, False], ids=["by a delivery", "by polling alone"])
def test_after_a_force_push_old_results_stay_and_the_page_says_what_was_replaced(
    serve: Serve, clone: Clone, told: bool
) -> None:
    services = serve(follow=["webhook", "poll"])
    base = clone.commit("base", {"a": "1"})
    replaced = [clone.commit("two", {"a": "2"}), clone.commit("three", {"a": "3"})]
    assert reconcile(services, NAME, Found.POLL, now=NOW).queued == 3
    fresh = clone.commit("another two", {"a": "4"}, parents=[base])
    if told:
        pushed_at = {"pushed_at": int((NOW + timedelta(minutes=1)).timestamp())}
        landing = landings(clone)[-1]
        repository = push_payload(landing, NAME, "main")["repository"] | pushed_at
        assert delivered(services, landing, before=replaced[-1], forced=True, repository=repository) == (1, 0)
    queued = reconcile(services, NAME, Found.POLL, now=NOW + timedelta(minutes=2)).queued
    assert queued == (0 if told else 1)
    assert set(shas(services)) == {base, *replaced, fresh}
    for _ in range(2):  # it is noted once
        report = assembled(services.ledger, services.settings, NAME, DAY)
        (rewrite,) = report.source.rewrites
        assert (rewrite.branch, rewrite.before, rewrite.after) == ("main", replaced[-1], fresh)
        assert rewrite.replaced == tuple(replaced)
        assert markdown([report.model_copy(update={"language": "en"})]).count(
            f"> Branch main was force-pushed: `{replaced[-1][:7]}` → `{fresh[:7]}`, "
            f"replacing 2 (`{replaced[0][:7]}`, `{replaced[1][:7]}`); analyses are kept.\n"
        ) == 1  # fmt: skip
        reconcile(services, NAME, Found.POLL, now=NOW + timedelta(minutes=3))


def test_a_branch_set_back_and_set_back_again_is_noted_twice(serve: Serve, clone: Clone) -> None:
    services = serve(follow="poll")
    line = [clone.commit(f"{number}", {"a": f"{number}"}) for number in range(3)]
    reconcile(services, NAME, Found.POLL, now=NOW)
    for minute, sha in ((1, line[1]), (2, line[0])):
        clone.git("update-ref", "refs/heads/main", sha)
        assert counts(reconcile(services, NAME, Found.POLL, now=NOW + timedelta(minutes=minute))) == (True, 0, 0, 0)
    pushes = services.ledger.forced_pushes(NAME, NOW, NOW + timedelta(hours=1))
    assert [(push.before, push.after) for push in pushes] == [(line[2], line[1]), (line[1], line[0])]
    assert services.ledger.replaced(NAME, pushes[1]) == (True, (line[1],))


def test_a_last_known_commit_that_is_gone_does_not_stop_reconciliation(serve: Serve, clone: Clone) -> None:
    services = serve()
    sha = clone.commit("one", {"a": "1"})
    services.ledger.save_reconciled(NAME, {"main": "a" * 40})
    assert counts(reconcile(services, NAME, Found.POLL, now=NOW)) == (True, 1, 1, 0)
    assert services.ledger.reconciled_heads(NAME) == {"main": sha}
    (push,) = services.ledger.forced_pushes(NAME, NOW, NOW + timedelta(minutes=1))
    assert services.ledger.replaced(NAME, push) == (True, None)


def test_poll_push_and_reconciliation_at_once_count_each_commit_once(serve: Serve, clone: Clone) -> None:
    services = serve(follow=["webhook", "poll"])
    line = [clone.commit(f"{number}", {"a": f"{number}"}) for number in range(30)]
    pushes = landings(clone)
    queued: list[int] = []

    def note(work: Callable[[], int]) -> threading.Thread:
        return threading.Thread(target=lambda: queued.append(work()))

    threads = [note(lambda: reconcile(services, NAME, Found.POLL, now=NOW).queued) for _ in range(4)]
    threads += [note(lambda: sum(delivered(services, push)[0] for push in pushes)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(queued), sum(queued)) == (6, 30)
    assert services.ledger.redis.llen("fetch") == 30
    assert sorted(shas(services)) == sorted(line)
    assert services.ledger.status([]).received == 30


def test_a_commit_of_this_minute_is_left_to_its_delivery(serve: Serve, clone: Clone) -> None:
    services = serve()
    clone.commit("one", {"a": "1"}, when=NOW - timedelta(minutes=5))
    fresh = clone.commit("two", {"a": "2"}, when=NOW - timedelta(seconds=10))
    result = reconcile(services, NAME, Found.BACKFILL, now=NOW)
    assert (result.queued, result.left) == (1, 1)
    assert services.ledger.record(NAME, fresh) is None
    result = reconcile(services, NAME, Found.BACKFILL, now=NOW + timedelta(minutes=2))
    assert (result.queued, result.left) == (1, 0)


def test_a_commit_of_this_minute_that_was_delivered_is_not_waited_for(serve: Serve, clone: Clone) -> None:
    services = serve()
    clone.commit("one", {"a": "1"}, when=NOW - timedelta(minutes=5))
    clone.commit("two", {"a": "2"}, when=NOW - timedelta(seconds=10))
    assert delivered(services, landings(clone)[1]) == (1, 0)
    result = reconcile(services, NAME, Found.BACKFILL, now=NOW)
    assert (result.known, result.left) == (1, 0)


def test_work_that_was_given_up_is_not_opened_again_by_reconciliation(serve: Serve, clone: Clone) -> None:
    services = serve()
    sha = clone.commit("one", {"a": "1"})
    delivered(services, landings(clone)[0])
    services.ledger.redis.zadd("daybook:failed", {f"{NAME}@{sha}": 1})
    assert counts(reconcile(services, NAME, Found.BACKFILL, now=NOW)) == (True, 1, 0, 1)
    assert services.ledger.redis.zcard("daybook:failed") == 1


def test_messages_are_cut_and_redacted_and_ignored_authors_left_out_as_for_a_push(serve: Serve, clone: Clone) -> None:
    services = serve(ignore_authors=["*[bot]"])
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
    long = clone.commit(f"key {token[:40]}\n" + "x" * 70_000, {"a": "1"})
    clone.commit("bump", {"a": "2"}, author="dependabot[bot] <support@github.com>")
    result = reconcile(services, NAME, Found.BACKFILL, now=NOW)
    assert (result.found, result.queued) == (2, 1)
    record = services.ledger.record(NAME, long)
    assert record
    assert token[:40] not in record.commit.message
    assert len(record.commit.message) <= 65_536
    assert record.commit.message.endswith(" … [cut]")


def test_a_repository_is_recorded_as_github_spells_it(serve: Serve, clone: Clone) -> None:
    services = serve(name=NAME.lower())
    sha = clone.commit("one", {"a": "1"})
    assert reconcile(services, NAME.lower(), Found.POLL, now=NOW).repository == NAME
    assert shas(services) == [sha]
    assert services.ledger.repositories() == [NAME]


def test_a_branch_that_is_not_there_is_a_failure_with_a_remedy(serve: Serve, clone: Clone) -> None:
    services = serve(branches=["trunk"])
    clone.commit("one", {"a": "1"})
    result = reconcile(services, NAME, Found.POLL, now=NOW)
    assert (result.ok, result.why) == (False, f"{NAME} has no branch trunk: correct `branches` in daybook.toml")
    outcome = services.ledger.outcome(NAME)
    assert outcome
    assert (outcome.answered_at, outcome.why) == (None, result.why)


def test_a_limit_that_is_met_pauses_all_requests(serve: Serve, clone: Clone, fake: FakeGitHub) -> None:
    services = serve()
    clone.commit("one", {"a": "1"})
    fake.misbehave("secondary", seconds=40)
    result = reconcile(services, NAME, Found.POLL, now=NOW)
    assert not result.ok
    assert result.retry_after is not None
    assert 38 < result.retry_after < 60
    assert not reconcile(services, NAME, Found.POLL, now=NOW).ok
    assert len(fake.requests) == 1


def test_an_answer_of_another_form_is_a_failure_not_a_crash(serve: Serve, clone: Clone, fake: FakeGitHub) -> None:
    services = serve()
    clone.commit("one", {"a": "1"})
    fake.misbehave("empty")
    assert "unexpected form" in reconcile(services, NAME, Found.POLL, now=NOW).why
    fake.misbehave("truncated")
    assert not reconcile(services, NAME, Found.POLL, now=NOW).ok
    assert reconcile(services, NAME, Found.POLL, now=NOW).queued == 1


def test_backfill_takes_the_span_and_leaves_the_rest(serve: Serve, clone: Clone) -> None:
    services = serve()
    days = [START + timedelta(days=number) for number in range(5)]
    line = [clone.commit(f"{number}", {"a": f"{number}"}, when=when) for number, when in enumerate(days)]
    start = datetime(2026, 2, 18, tzinfo=SHANGHAI)
    result = backfill(services, NAME, start, start + timedelta(days=2))
    assert counts(result) == (True, 2, 2, 0)
    assert counts(backfill(services, NAME, start, start + timedelta(days=2))) == (True, 2, 0, 2)
    assert services.ledger.known(NAME, line) == set(line[1:3])
    assert counts(backfill(services, NAME, START - timedelta(days=1))) == (True, 5, 3, 2)


def test_a_local_clone_is_polled_the_same_way(serve: Serve, clone: Clone) -> None:
    services = serve(source=str(clone.path), follow="poll")
    base = clone.commit("one", {"a": "1"})
    assert counts(reconcile(services, NAME, Found.POLL, now=NOW)) == (True, 1, 1, 0)
    feature = clone.commit("feature", {"b": "1"}, branch="feature")
    merge = clone.commit("merge", {"b": "1"}, parents=[base, feature])
    assert counts(reconcile(services, NAME, Found.POLL, now=NOW)) == (True, 2, 2, 0)
    assert shas(services) == [base, feature, merge]
    assert counts(reconcile(services, NAME, Found.POLL, now=NOW)) == (True, 0, 0, 0)
    other = clone.commit("instead", {"c": "1"}, parents=[base])
    assert reconcile(services, NAME, Found.POLL, now=NOW + timedelta(minutes=1)).queued == 1
    (push,) = services.ledger.forced_pushes(NAME, NOW, NOW + timedelta(hours=1))
    assert (push.before, push.after) == (merge, other)
    assert services.ledger.replaced(NAME, push) == (True, (feature, merge))


def test_a_clone_that_is_not_there_is_a_failure(serve: Serve, tmp_path: Path) -> None:
    result = reconcile(serve(source=str(tmp_path / "gone")), NAME, Found.POLL, now=NOW)
    assert not result.ok
    assert "is not a git repository" in result.why


def test_a_landing_dated_in_the_future_lands_now(serve: Serve, clone: Clone) -> None:
    services = serve()
    sha = clone.commit("one", {"a": "1"}, when=NOW + timedelta(days=300))
    assert reconcile(services, NAME, Found.POLL, now=NOW).ok
    record = services.ledger.record(NAME, sha)
    assert record
    assert record.commit.landed_at == NOW.astimezone(UTC)
