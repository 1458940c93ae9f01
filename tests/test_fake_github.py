"""The fake GitHub answers as GitHub's documentation says it does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.fakes.github import FakeGitHub
from tests.gitclone import Clone

NAME = "octocat/Hello-World"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


@pytest.fixture
def fake(clone: Clone) -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        github.add_repository(NAME, clone.path)
        yield github


def get(fake: FakeGitHub, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{fake.url}/repos/{NAME}{path}", headers=headers, timeout=30)


def test_a_repository(fake: FakeGitHub) -> None:
    answer = get(fake, "").json()
    assert (answer["full_name"], answer["default_branch"], answer["owner"]["login"]) == (NAME, "main", "octocat")
    assert get(fake, "/nothing").status_code == requests.get(fake.url + "/repos/a/b", timeout=30).status_code == 404


def test_a_commit_of_a_clone(fake: FakeGitHub, clone: Clone) -> None:
    parent = clone.commit("one", {"a": "x\n"})
    sha = clone.commit("two\n\nbody\n", {"a": "y\n"})
    answer = get(fake, "/commits/main").json()
    assert answer["sha"] == sha
    assert answer["parents"] == [{"sha": parent}]
    assert answer["commit"]["message"] == "two\n\nbody"
    assert answer["commit"]["committer"]["date"] == "2026-02-17T04:01:00+00:00"
    assert answer["stats"] == {"total": 2, "additions": 1, "deletions": 1}
    assert answer["files"] == [
        {
            "sha": clone.git("rev-parse", "main:a"), "filename": "a", "status": "modified", "additions": 1,
            "deletions": 1, "changes": 2, "patch": "@@ -1 +1 @@\n-x\n+y",
        }
    ]  # fmt: skip
    assert get(fake, "/commits/" + "0" * 40).status_code == 422


def test_a_list_is_paged_and_conditional(fake: FakeGitHub, clone: Clone) -> None:
    shas = [clone.commit(f"{number}", {"a": f"{number}"}) for number in range(5)]
    first = get(fake, "/commits?per_page=2")
    assert [commit["sha"] for commit in first.json()] == shas[:2:-1]
    assert first.links["next"]["url"] == f"{fake.url}/repos/{NAME}/commits?per_page=2&page=2"
    third = get(fake, "/commits?per_page=2&page=3")
    assert [commit["sha"] for commit in third.json()] == shas[:1]
    assert set(third.links) == {"prev", "first"}
    left = fake.remaining
    again = get(fake, "/commits?per_page=2", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content, fake.remaining) == (304, b"", left)
    clone.commit("new", {"a": "new"})
    assert get(fake, "/commits?per_page=2", **{"If-None-Match": first.headers["ETag"]}).status_code == 200
    span = get(fake, "/commits?since=2026-02-17T04:01:00Z&until=2026-02-17T04:02:30Z").json()
    assert [commit["sha"] for commit in span] == [shas[2], shas[1]]


def test_compare(fake: FakeGitHub, clone: Clone) -> None:
    base = clone.commit("base", {"a": "1"})
    side = clone.commit("side", {"b": "1"}, parents=[base], branch="side")
    main = clone.commit("main", {"a": "2"}, parents=[base])
    answer = get(fake, f"/compare/{side}...{main}").json()
    assert (answer["status"], answer["ahead_by"], answer["behind_by"]) == ("diverged", 1, 1)
    assert [commit["sha"] for commit in answer["commits"]] == [main]
    assert get(fake, f"/compare/{base}...{base}").json()["status"] == "identical"


def test_bad_days_end(fake: FakeGitHub, clone: Clone) -> None:
    clone.commit("one", {"a": "x\n"})
    fake.misbehave("error", times=2, status=503)
    fake.misbehave("secondary", seconds=9)
    fake.misbehave("primary", seconds=9)
    fake.misbehave("slow", seconds=0.2)
    assert [get(fake, "").status_code for _ in range(2)] == [503, 503]
    assert get(fake, "").headers["Retry-After"] == "9"
    spent = get(fake, "")
    assert (spent.status_code, spent.headers["X-RateLimit-Remaining"]) == (403, "0")
    before = time.monotonic()
    assert get(fake, "").status_code == 200
    assert time.monotonic() - before >= 0.2
    fake.misbehave("reset")
    with pytest.raises(requests.ConnectionError):
        get(fake, "")
    fake.misbehave("truncated")
    with pytest.raises(requests.JSONDecodeError):
        get(fake, "").json()
    assert get(fake, "/commits/main").status_code == 200
    assert fake.paths()[-1] == f"/repos/{NAME}/commits/main"


def test_matching_refs(fake: FakeGitHub, clone: Clone) -> None:
    main = clone.commit("one", {"a": "x"})
    release = clone.commit("two", {"a": "y"}, branch="release/1")
    assert get(fake, "/git/matching-refs/heads/main").json() == [{"ref": "refs/heads/main", "object": {"sha": main}}]
    assert [ref["object"]["sha"] for ref in get(fake, "/git/matching-refs/heads/").json()] == [main, release]
    assert get(fake, "/git/matching-refs/heads/none").json() == []


def test_webhooks_are_shown_to_administrators(fake: FakeGitHub) -> None:
    fake.tokens |= {"a reader", "an administrator"}
    fake.administrators.add("an administrator")
    repository = fake.repositories[NAME.lower()]
    repository.deliveries = [{"id": 7}]
    assert get(fake, "/hooks", Authorization="Bearer a reader").status_code == 404
    allowed = {"Authorization": "Bearer an administrator"}
    assert get(fake, "/hooks", **allowed).json() == []
    assert get(fake, "/hooks/1/deliveries", **allowed).json() == [{"id": 7}]
    url = f"{fake.url}/repos/{NAME}/hooks/1/deliveries/7/attempts"
    assert requests.post(url, headers=allowed, timeout=30).status_code == 202
    assert repository.redelivered == [7]
