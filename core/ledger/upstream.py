"""Upstream: what each repository's source was last asked and said, and whose turn it is to be asked again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import AwareDatetime

from core.ledger.connection import P, day_bounds
from core.ledger.past import PastLedger
from core.models import Frozen, Sha

if TYPE_CHECKING:
    from collections.abc import Mapping

# A source is asked about a day this long after the day's end: until then a push may still be on its way to it.
SETTLE_SECONDS = 60.0
ETAG_SECONDS = 30 * 86400
FIRST_PUSHES = 200


class Asked(Frozen):
    """What the source was asked before a day's page was made, and whether it answered."""

    ok: bool
    at: AwareDatetime
    source: str
    branches: tuple[str, ...] = ()


class ForcedPush(Frozen):
    """A push that replaced commits of a branch."""

    branch: str
    before: Sha
    after: Sha
    pushed_at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the latest attempts to reconcile a repository ended; `why` is empty when the last one succeeded.

    `renamed` is the other name that it is followed by now.
    """

    tried_at: datetime
    answered_at: datetime | None
    why: str
    source: str
    branches: tuple[str, ...]
    failing_since: datetime | None = None
    renamed: str = ""

    def covers(self, end: datetime) -> bool:
        """Whether the source has answered since a day's end, and so told of all that landed on it."""
        return self.answered_at is not None and self.answered_at >= end + timedelta(seconds=SETTLE_SECONDS)


class UpstreamLedger(PastLedger):
    """What is known of the places that commits come from."""

    def reconciled_heads(self, repository: str) -> dict[str, str]:
        """Branch → the sha up to which the source's commits are known to be in the ledger."""
        found = self.redis.hgetall(f"{P}reconciled:{repository}")
        return {branch.decode(): sha.decode() for branch, sha in found.items()}

    def save_reconciled(self, repository: str, heads: Mapping[str, str]) -> None:
        """Note up to where branches are reconciled."""
        if heads:
            self.redis.hset(f"{P}reconciled:{repository}", mapping=dict(heads))

    def first_before(self, repository: str, branch: str) -> str | None:
        """Where a branch stood before the earliest push to it that is kept; None when it did not exist."""
        for row in self.redis.zrange(f"{P}pushes:{repository}", 0, FIRST_PUSHES - 1):
            told = json.loads(row)
            if told["branch"] == branch:
                return str(told["before"]) if told["before"].strip("0") else None
        return None

    def forced_pushes(self, repository: str, start: datetime, end: datetime) -> list[ForcedPush]:
        """The pushes of a span (the end excluded) that replaced commits, oldest first, each branch and sha once."""
        rows = self.redis.zrangebyscore(f"{P}pushes:{repository}", start.timestamp(), f"({end.timestamp()!r}")
        found: dict[tuple[str, str], ForcedPush] = {}
        for told in (json.loads(row) for row in rows if b"true" in row):  # thousands a day are not forced
            if told.get("forced") and told["before"].strip("0"):
                push = ForcedPush.model_validate({name: told[name] for name in ForcedPush.model_fields})
                found.setdefault((push.branch, push.after), push)
        return list(found.values())

    def save_replaced(self, repository: str, push: ForcedPush, shas: Sequence[str] | None) -> None:
        """Note which commits a forced push replaced; None when the source cannot tell any more."""
        self.redis.hset(f"{P}replaced:{repository}", f"{push.before} {push.after}", json.dumps(shas))

    def replaced(self, repository: str, push: ForcedPush) -> tuple[bool, tuple[str, ...] | None]:
        """Whether the source was asked what a forced push replaced, and its answer."""
        found = self.redis.hget(f"{P}replaced:{repository}", f"{push.before} {push.after}")
        shas = json.loads(found) if found else None
        return found is not None, None if shas is None else tuple(shas)

    def answered(
        self, repository: str, source: str, branches: Iterable[str], at: datetime, *, renamed: str = ""
    ) -> None:
        """Note that a repository's source told everything, asked at `at`; days closed without it are made again."""
        told = {"tried_at": at.timestamp(), "answered_at": at.timestamp(), "why": "", "source": source,
                "branches": json.dumps(sorted(branches)), "renamed": renamed}  # fmt: skip
        with self.redis.pipeline() as pipe:
            pipe.hset(f"{P}upstream:{repository}", mapping=told).hdel(f"{P}upstream:{repository}", "failing_since")
            pipe.srem(f"{P}failing", repository)
            pipe.hsetnx(f"{P}repositories", repository, at.timestamp())
            pipe.execute()
        for day in self._unasked(repository):
            _, end = day_bounds(day, self.zone)
            if at >= end + timedelta(seconds=SETTLE_SECONDS):
                self.redis.zadd(f"{P}dirty", {f"{repository} {day}": datetime.now(UTC).timestamp()})
                self.redis.srem(f"{P}unasked", f"{repository} {day}")

    def unanswered(self, repository: str, source: str, why: str, at: datetime) -> None:
        """Note that a repository's source failed; `why` is one line."""
        told = {"tried_at": at.timestamp(), "why": why[:300], "source": source}
        with self.redis.pipeline() as pipe:
            pipe.hset(f"{P}upstream:{repository}", mapping=told)
            pipe.hsetnx(f"{P}upstream:{repository}", "failing_since", at.timestamp())
            pipe.sadd(f"{P}failing", repository)
            pipe.execute()

    def outcome(self, repository: str) -> Outcome | None:
        """How asking a repository's source went; None when it was never asked."""
        row = {key.decode(): value.decode() for key, value in self.redis.hgetall(f"{P}upstream:{repository}").items()}
        if not row:
            return None
        return Outcome(
            tried_at=datetime.fromtimestamp(float(row["tried_at"]), UTC),
            answered_at=_moment(row.get("answered_at")),
            why=row["why"],
            source=row["source"],
            branches=tuple(json.loads(row.get("branches", "[]"))),
            failing_since=_moment(row.get("failing_since")),
            renamed=row.get("renamed", ""),
        )

    def failing_sources(self) -> dict[str, Outcome]:
        """The repositories whose source failed when it was last asked."""
        names = sorted(name.decode() for name in self.redis.smembers(f"{P}failing"))
        found = {name: self.outcome(name) for name in names}
        return {name: outcome for name, outcome in found.items() if outcome and outcome.why}

    def note_asked(self, repository: str, day: date, asked: Asked) -> None:
        """Keep what was asked for a day's page; a failure is remembered until the source has answered."""
        if not asked.ok:
            self.redis.sadd(f"{P}unasked", f"{repository} {day}")
        self.redis.hset(f"{P}asked:{repository}", day.isoformat(), asked.model_dump_json())

    def asked(self, repository: str, day: date) -> Asked | None:
        """What was asked for a day's page; None when nothing was."""
        found = self.redis.hget(f"{P}asked:{repository}", day.isoformat())
        return Asked.model_validate_json(found, extra="ignore") if found else None

    def waits_for_source(self, repository: str) -> bool:
        """Whether a day of the repository was closed although its source had not answered."""
        return bool(self._unasked(repository))

    def _unasked(self, repository: str) -> list[date]:
        rows = (row.decode().split(" ") for row in self.redis.smembers(f"{P}unasked"))
        return sorted(date.fromisoformat(day) for name, day in rows if name == repository)

    def take_turn(self, name: str, seconds: float) -> bool:
        """Whether it is time for something that is done every `seconds`; the one who hears True does it."""
        return bool(self.redis.set(f"{P}turn:{name}", "1", nx=True, px=max(1, int(seconds * 1000))))

    def next_turn(self, name: str, seconds: float) -> None:
        """Let the next turn come after `seconds` from now instead."""
        self.redis.set(f"{P}turn:{name}", "1", px=max(1, int(seconds * 1000)))

    def hurry(self, repository: str) -> None:
        """Let a repository's next reconciliation come at once."""
        self.redis.delete(f"{P}turn:reconcile:{repository.lower()}")

    def remember(self, repository: str, question: str, etag: str, answer: Mapping[str, str]) -> None:
        """Keep what a source answered to a question, and the tag by which it tells whether that has changed."""
        key = f"{P}etag:{repository}"
        with self.redis.pipeline() as pipe:
            pipe.hset(key, question, json.dumps({"etag": etag, "answer": dict(answer)}))
            pipe.expire(key, ETAG_SECONDS)
            pipe.execute()

    def recall(self, repository: str, question: str) -> tuple[str, dict[str, str]] | None:
        """The tag and the answer of a question that was asked before."""
        found = self.redis.hget(f"{P}etag:{repository}", question)
        if not found:
            return None
        kept = json.loads(found)
        return kept["etag"], kept["answer"]


def _moment(second: str | None) -> datetime | None:
    return datetime.fromtimestamp(float(second), UTC) if second else None
