"""A Daybook that tells: services over a real Redis and a fake Slack, and commits that are finished at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from core.ledger import Stage
from core.models import Commit, CommitRecord, Correction, Found, Push, Tier
from core.settings import RepositorySettings, Settings
from tests.fakes.slack import TOKEN, FakeSlack, Message
from tests.records import analysis, commit, facts, triage
from workers.app import messages
from workers.notify import notify_due
from workers.services import Services, connect

REPOSITORY = "octocat/hello-world"
CHANNEL = "#daybook"
P = "daybook:"


@dataclass
class Teller:
    """Finishes commits and tells of them, in this thread."""

    services: Services
    slack: FakeSlack

    def finish(self, number: int, message: str = "", tier: Tier = Tier.LOW, **changes: Any) -> Commit:
        """Receive and finish a commit; it landed `number` seconds after midnight today, unless said otherwise."""
        midnight = datetime.now(self.services.settings.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        own = {name: changes.pop(name) for name in ("analysis", "failure") if name in changes}
        at = {"landed_at": midnight + timedelta(seconds=number)} | changes
        one = commit(number, message or f"Change number {number}", **at)
        pushed = Push(
            repository=REPOSITORY, branch="main", before="0" * 40, after=one.sha, pushed_at=one.landed_at, delivery="",
            commits=(one,),
        )  # fmt: skip
        self.services.ledger.receive(pushed, messages(Stage.FETCH, [one.id]))
        self.finished(one, tier, **own)
        return one

    def backfilled(self, number: int, landed_at: datetime) -> Commit:
        """Finish a commit that no push told of."""
        return self.finish(number, landed_at=landed_at, found_by=Found.BACKFILL)

    def finished(self, one: Commit, tier: Tier, **changes: Any) -> None:
        """Finish the work on a commit that is open, some seconds ago, so that nothing is gathered any more."""
        claim = self.services.ledger.claim(one.id, Stage.FETCH)
        assert claim
        values = {"facts": facts(), "triage": triage(tier), "analysis": analysis(tier, "en")}
        record = claim.record.model_copy(update=values | {"finished_at": datetime.now(UTC)} | changes)
        assert self.services.ledger.finish(claim, record)
        self.age_news(one)

    def again(self, one: Commit, tier: Tier, **changes: Any) -> None:
        """Analyse a finished commit anew."""
        message = messages(Stage.FETCH, [one.id])[0]
        assert self.services.ledger.reanalyse(one.id, message)
        self.finished(one, tier, **changes)

    def retier(self, one: Commit, tier: Tier) -> None:
        """A person's correction."""
        assert self.services.ledger.correct(
            one.id, Correction(tier=tier, why="it is in every deployment", at=datetime.now(UTC))
        )
        self.age_news(one)

    def age_news(self, one: Commit) -> None:
        """Let what became of a commit just now have happened some seconds ago."""
        before = time.time() - 10
        self.services.ledger.redis.zadd(f"{P}notify", {f"new {one.id}": before, f"again {one.id}": before}, xx=True)

    def tell(self) -> list[Message]:
        """One round; what stands in the workspace then."""
        notify_due(self.services)
        return self.slack.messages

    def wait(self) -> None:
        """Let the time go by for which a channel is left alone, and an unknown message is not looked for."""
        ledger = self.services.ledger
        ledger.redis.delete(f"{P}notify-troubles", f"{P}pause:slack:{CHANNEL}", f"{P}pause:slack:webhook")
        for name in ledger.outboxes():
            if intent := ledger.intent(name):
                aged = intent.model_copy(update={"at": intent.at - 10}).model_dump_json(exclude_defaults=True)
                ledger.redis.set(f"{P}intent:{name}", aged)
            due = f"{P}outbox-due:{name}"
            for entry, score in ledger.redis.zrange(due, 0, -1, withscores=True):
                ledger.redis.zadd(due, {entry: score - 30})
            ledger.rest(name)

    def record(self, one: Commit) -> CommitRecord:
        """What the ledger has of a commit."""
        found = self.services.ledger.record(one.repository, one.sha)
        assert found
        return found


@contextmanager
def teller(
    redis_url: str, *, bot: bool = True, table: dict[str, Any] | None = None, **changes: Any
) -> Iterator[Teller]:
    """By the bot of a fake workspace, or its incoming webhook."""
    with FakeSlack() as slack:
        own = {"slack_bot_token": SecretStr(TOKEN), "slack_channel": CHANNEL} if bot else {}
        hook = {} if bot else {"slack_webhook_url": SecretStr(slack.webhook_url)}
        repository = RepositorySettings.model_validate({"name": REPOSITORY, "language": "en", **(table or {})})
        values: dict[str, Any] = {
            "slack_api_url": slack.api_url, "daybook_repositories": (repository,), **own, **hook, **changes,
        }  # fmt: skip
        services = connect(Settings(**values), redis_url)
        yield Teller(services, slack)
        services.ledger.close()
