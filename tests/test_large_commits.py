"""Commits that GitHub gives only in part, through the whole pipeline: analysed on what there is, and marked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.models import CommitRecord
from tests.fakes.github import FakeGitHub
from tests.fakes.githubrepo import file_json
from tests.pushes import sha
from tests.reliability import NAME, configure, ended, ledger_of
from tests.running import daybook, deliver

pytestmark = pytest.mark.slow

PUSH = Path(__file__).parent / "payloads" / "push__new_branch_one_commit.json"
PATCH = "@@ -1 +1 @@\n-old = 1\n+new = 2"


def push_of(shas: list[str]) -> bytes:
    """GitHub's example push, of these commits of our repository."""
    payload = json.loads(PUSH.read_bytes())
    first = payload["commits"][0]
    payload["repository"] |= {"full_name": NAME, "default_branch": "master"}
    payload["commits"] = [first | {"id": one, "message": f"Change {one[-1]}"} for one in shas]
    return json.dumps(payload | {"after": shas[-1]}).encode()


def test_commits_of_301_and_3001_files_binaries_and_missing_patches_are_analysed_and_marked(tmp_path: Path) -> None:
    some, most, binary, unshown = (sha(number) for number in range(1, 5))
    with FakeGitHub() as github:
        github.add_repository(NAME)
        github.add_commit(NAME, some, [file_json(f"src/a{n}.py", patch=PATCH) for n in range(301)])
        github.add_commit(NAME, most, [file_json(f"src/b{n}.py", patch=PATCH) for n in range(3001)])
        github.add_commit(NAME, binary, [file_json("logo.png", additions=0, deletions=0)])
        github.add_commit(NAME, unshown, [file_json("src/huge.py", additions=90_000, deletions=3)])
        with daybook(configure(tmp_path, "github"), GITHUB_API_URL=github.url) as running:
            ledger = ledger_of(running)
            assert deliver(running.base, push_of([some, most, binary, unshown])).json()["queued"] == 4
            running.await_(lambda: ended(ledger, 4))
            records = [ledger.record(NAME, one) for one in (some, most, binary, unshown)]
            ledger.close()
        asked = {one: sum(f"/commits/{one}" in path for path in github.paths()) for one in (some, most)}
    assert asked == {some: 2, most: 10}  # one request for each 300 files, up to GitHub's 3,000
    first, second, third, fourth = (marked(record) for record in records)
    assert first == (301, False)
    assert second == (3000, True)
    assert third == (1, False)
    assert fourth == (1, True)


def marked(record: CommitRecord | None) -> tuple[int, bool]:
    """How many files were read of an analysed commit, and whether its facts say that the diff was not whole."""
    assert record
    assert record.analysis
    assert record.facts
    assert record.failure is None
    return record.facts.files, record.facts.incomplete
