"""One worker without processes: real services over a clone, a Redis and a stand-in of the model, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from core.ledger import Stage
from core.models import Analysis, Commit, CommitRecord, Push, Verdict
from core.settings import RepositorySettings, Settings, Watch
from tests.fakes.anthropic import FakeAnthropic
from tests.gitclone import START, Clone, Entry, Name
from workers.app import messages
from workers.services import Services, connect
from workers.stages import analyse_commit, fetch_commit, run

NAME = "octocat/hello-world"
KEY = "key-for-tests-0123456789"
STAGES = {Stage.FETCH: fetch_commit, Stage.ANALYSE: analyse_commit}


@dataclass(frozen=True)
class Worker:
    """Works on commits of one repository, in this thread."""

    services: Services
    clone: Clone
    api: FakeAnthropic

    def push(self, title: str, changes: Mapping[str, str]) -> str:
        """Make a commit, receive its push and read its diff; its id. `analyse` is next."""
        if self.clone.head is None:
            self.clone.commit("Begin", {"README.md": "Hello.\n"})
        contents: dict[Name, Name | Entry | None] = dict(changes.items())
        sha = self.clone.commit(title, contents)
        now = datetime.now(UTC)
        commit = Commit(
            repository=NAME, sha=sha, message=title, author="octocat", committed_at=START, landed_at=now, position=0,
            branch="main",
        )  # fmt: skip
        pushed = Push(
            repository=NAME, branch="main", before="0" * 40, after=sha, pushed_at=now, delivery=sha, commits=(commit,)
        )
        self.services.ledger.receive(pushed, messages(Stage.FETCH, [commit.id]))
        self.stage(commit.id, Stage.FETCH)
        return commit.id

    def stage(self, commit_id: str, stage: Stage) -> None:
        """Run one stage under its lease."""
        claim = self.services.ledger.claim(commit_id, stage)
        assert claim
        run(self.services, claim, STAGES[stage])

    def analyse(self, commit_id: str) -> CommitRecord:
        """Analyse a commit, unless the rules alone did as its diff was read; its record afterwards."""
        found = self.record(commit_id)
        if found.analysis is None or self.services.ledger.redis.exists(f"daybook:work:{commit_id}"):
            self.stage(commit_id, Stage.ANALYSE)
        return self.record(commit_id)

    def record(self, commit_id: str) -> CommitRecord:
        """What the ledger has of a commit."""
        repository, _, sha = commit_id.partition("@")
        record = self.services.ledger.record(repository, sha)
        assert record
        return record

    def asked(self) -> list[tuple[str, str]]:
        """Each call to create a message so far: its model and the depth that its schema asks for."""
        return [
            (str(request.body["model"]), _depth(request.body["output_config"]["format"]["schema"]["properties"]))
            for request in self.api.requests
            if request.path == "/v1/messages"
        ]


def _depth(properties: Mapping[str, Any]) -> str:
    if "notes" in properties:
        return "notes"
    return "high" if "insights" in properties else "medium" if "advice" in properties else "low"


def analysis_and_verdict(record: CommitRecord) -> tuple[Analysis, Verdict]:
    """Both of a record that has both."""
    assert record.analysis
    assert record.verdict
    return record.analysis, record.verdict


@contextmanager
def worker(
    folder: Path, redis_url: str, *, table: Mapping[str, Any] | None = None, **settings: Any
) -> Iterator[Worker]:
    """A worker whose repository has some settings of its own; what is below `vital/` is watched, so it is high."""
    clone = Clone(folder / "clone")
    with FakeAnthropic(key=KEY) as api:
        values = {"watch": Watch(paths=("vital/*",)), "language": "en", **(table or {})}
        repository = RepositorySettings(name=NAME, source=str(clone.path), **values)
        built = Settings(
            anthropic_api_key=SecretStr(KEY), anthropic_base_url=api.url, daybook_repositories=(repository,), **settings
        )
        services = connect(built, redis_url)
        yield Worker(services, clone, api)
        assert services.analyst
        services.analyst.close()
        services.ledger.close()
