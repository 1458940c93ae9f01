"""Work: receiving commits, claiming them with leases, writing results, sweeping what is due."""

from __future__ import annotations

import json
import secrets
import time
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from core.ledger.connection import Connection, P
from core.ledger.money import amounts
from core.ledger.packing import QUICK, NewerRecord, leave_to_newer, packed, packed_commit, unpacked
from core.ledger.runs import NO_RUN, run_since
from core.ledger.stories import names
from core.models import CommitRecord, Diff, Push, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from core.models import Commit

DIFF_SECONDS = 7 * 86400
MOST_LOSSES = 5  # proven deaths of a process that worked on nothing else
MOST_LOST_LEASES = 15  # of any kind: a commit that takes its whole host with it leaves no proof
LONGEST_SWEEPLESS_SECONDS = 6.0  # three sweeps
SUSPECT_PLACES = 4  # suspects worked on at the same time, each in a process of its own
SWEEP_LIMIT = 1000
NEWER_SECONDS = 5.0  # until a commit is looked at again that only a newer version can read
SUSPECT_QUEUE = "suspect"
LOOKED_AT = 100  # messages at a time, in search of one whose commit still has work
PART = 256  # commits of a push that Redis is handed at a time: a tenth of a second's work for a busy one


class Stage(StrEnum):
    """The stages a commit passes; each is also the name of its queue."""

    FETCH = "fetch"
    ANALYSE = "analyse"


@dataclass(frozen=True)
class Claim:
    """A lease on one commit's stage: what is known of it, and the token that proves the holder.

    `began` is when it was taken, by the monotonic clock; None for one that is only to be given up.
    `batch` says where a commit stands that was left to a batch once (batches.py); empty for any other.
    """

    record: CommitRecord
    stage: Stage
    token: str
    attempts: int = 0
    lost: int = 0
    diff: Diff | None = None
    batch: str = ""
    began: float | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """`owner/name@sha`."""
        return self.record.commit.id


@dataclass(frozen=True)
class Swept:
    """What a sweep found: (id, stage) to queue again, claims to give up, and for how many suspects there is a place."""

    due: tuple[tuple[str, Stage], ...]
    poison: tuple[Claim, ...]
    wake: int


class WorkLedger(Connection):
    """What is to be done with each commit, and who does it."""

    @cached_property
    def _turns(self) -> dict[Stage, Iterator[int]]:
        """Counts what was taken of each stage."""
        return {stage: count() for stage in Stage}

    def receive(self, push: Push, messages: Sequence[bytes], queue: str = Stage.FETCH) -> tuple[int, int]:
        """Record a push and queue what is new with `messages`, one per commit; returns (queued, known).

        A large push is handed over in parts, so that nobody else waits long for Redis; that there was a push, and where
        its branch stands, is written with the last. Whoever meets an error hands the whole push over again: what had
        arrived is known then, and each commit is queued once.

        Raises Unconfirmed when replicas must confirm a part and do not in time.
        """
        at = push.pushed_at.timestamp()
        told = push.model_dump_json(exclude={"commits", "repository"}) if push.delivery else ""
        head = json.dumps({"sha": push.after, "pushed_at": at})
        pairs = list(zip(push.commits, messages, strict=True))
        queued = known = 0
        for start in range(0, max(len(pairs), 1), PART):
            is_last = start + PART >= len(pairs)
            fresh, met = self._run_confirmed(
                "receive", push.repository, at, told if is_last else "", push.branch, head, self._today(), queue,
                self.patience_seconds, *_listed(pairs[start : start + PART]),
            )  # fmt: skip
            queued, known = queued + int(fresh), known + int(met)
        return queued, known

    def claim(self, commit_id: str, stage: Stage) -> Claim | None:
        """Take a lease on a commit's stage; None when there is nothing to do."""
        return self._claimed(commit_id, stage)

    def claim_suspect(self, holder: str) -> Claim | None:
        """Take a lease on the suspect that has waited longest; None while all places are taken or none is left.

        `holder` names the process that will work on it and on nothing else, for `lost_alone`.
        """
        return self._claimed("", "", holder)

    def take(self, queues: Sequence[tuple[Stage, bytes]]) -> Claim | None:
        """Take what has waited longest off the first of some queues that holds anything, with a lease on its commit.

        Each queue comes with what stands in its messages before the commit's id. None when nothing waits there. By
        turns, what takes long comes first, if any waits: begun last, it would end long after all the others; and by
        turns it does not, so that nothing waits for ever.
        """
        token = secrets.token_hex(16)
        told = [part for stage, opening in queues for part in (stage, opening, next(self._turns[stage]) % 2)]
        return self._claim_of(token, self._run("take", token, self.lease_seconds, MOST_LOSSES, LOOKED_AT, *told))

    def lost_alone(self, holder: str) -> str | None:
        """Count a loss against the suspect that a holder died of; returns its id, None when it held none any more."""
        found = self._run("lost", holder)
        return found.decode() if found else None

    def _claimed(self, commit_id: str, stage: str, holder: str = "") -> Claim | None:
        token = secrets.token_hex(16)
        row = self._run("claim", commit_id, stage, token, self.lease_seconds, SUSPECT_PLACES, holder, MOST_LOSSES)
        return self._claim_of(token, row)

    def _claim_of(self, token: str, row: Sequence[Any] | None) -> Claim | None:
        if row is None:
            return None
        found, held, record, diff, attempts, lost, correction, batch = row
        try:
            known = unpacked(found.decode(), record, correction)
        except NewerRecord as newer:
            leave_to_newer(newer)
            self._run("retry", found, token, NEWER_SECONDS, str(newer), "", 0, *NO_RUN)
            return None
        return Claim(record=known, stage=Stage(held.decode()), token=token, attempts=attempts, lost=lost,
                     diff=diff_from(diff), batch=batch.decode(), began=time.monotonic())  # fmt: skip

    def renew(self, held: Iterable[tuple[str, str]]) -> set[str]:
        """Extend leases, given as (id, token); returns the ids that are not held any more."""
        pairs = [text for pair in held for text in pair]
        return {commit_id.decode() for commit_id in self._run("renew", self.lease_seconds, *pairs)} if pairs else set()

    def advance(
        self, claim: Claim, record: CommitRecord, then: Stage, diff: Diff, message: bytes, *, takes_long: bool = False
    ) -> bool:
        """Write a stage's result and queue the next stage; False when the lease was lost, and nothing is written.

        `takes_long` says that the next stage will take much longer than of other commits.
        """
        squeezed = zlib.compress(diff.model_dump_json().encode(), 1)
        long, run = int(takes_long), run_since(claim.began)
        return bool(self._run("advance", claim.id, claim.token, then, packed(record, QUICK), squeezed, DIFF_SECONDS,
                              then, message, self.patience_seconds, long, *run))  # fmt: skip

    def finish(
        self, claim: Claim, record: CommitRecord, *, spent: Usage | None = None, analysis_began: float | None = None
    ) -> bool:
        """Write a commit's last record: analysed, or given up when it has a failure; and count what it cost.

        `spent` is what is to be counted where that is not the usage of the record's analysis: one that was kept.
        `analysis_began` is when the analysis was begun, where that was within an earlier stage; see `Claim.began`.

        False when the lease was lost: then the caller has `spend` to count the cost. Asking again after a lost answer
        is safe: it says True once more, and nothing is counted twice.
        """
        assert record.analysis
        commit, usage = record.commit, spent or record.analysis.usage
        outcome, named = "failed" if record.failure else "analysed", names(record)
        dirty = f"{commit.repository} {self.day_of(commit.landed_at)}"
        counters = [f"origin_{record.analysis.origin}", 1, *(("repeats", 1) if claim.lost else ())]
        return bool(self._run("finish", claim.id, claim.token, packed(record), outcome, dirty, self._today(),
                              commit.repository, record.tier, *amounts(usage), *run_since(claim.began),
                              *run_since(analysis_began), len(named) // 2, *named,
                              *counters))  # fmt: skip

    def retry(
        self, claim: Claim, wait: float, reason: str, *, back_to: Stage | None = None, counts: bool = True
    ) -> bool:
        """Put a stage off by `wait` seconds; it counts as an attempt or not. False when the lease was lost."""
        return bool(self._run("retry", claim.id, claim.token, wait, reason[:500], back_to or "", int(counts),
                              *run_since(claim.began)))  # fmt: skip

    def sweep(self) -> Swept:
        """Find whatever is due and not done, and put it off by the queue's patience; the caller queues it again."""
        token = secrets.token_hex(16)
        stages = [text for stage in Stage for text in (stage, stage)]
        patience, lease = self.patience_seconds, self.lease_seconds
        rows, poison, wake = self._run(
            "sweep", patience, SWEEP_LIMIT, MOST_LOSSES, token, lease, SUSPECT_QUEUE,
            MOST_LOST_LEASES, SUSPECT_PLACES, max(lease / 2, LONGEST_SWEEPLESS_SECONDS), *stages,
        )  # fmt: skip
        claims = [self._given_up_on(commit_id.decode(), token) for commit_id in poison]
        return Swept(due=tuple((commit_id.decode(), Stage(stage.decode())) for commit_id, stage in rows),
                     poison=tuple(claim for claim in claims if claim), wake=int(wake))  # fmt: skip

    def _given_up_on(self, commit_id: str, token: str) -> Claim | None:
        repository, _, sha = commit_id.rpartition("@")
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.get(f"{P}record:{commit_id}").hget(f"{P}corrections:{repository}", sha)
            pipe.hmget(f"{P}work:{commit_id}", "stage", "losses", "lost")
            record, correction, (stage, losses, lost) = pipe.execute()
        if not record or not stage:
            return None
        try:
            known = unpacked(commit_id, record, correction)
        except NewerRecord as newer:
            leave_to_newer(newer)  # the lease that this sweep holds ends, and a newer one's sweep finds it
            return None
        return Claim(known, Stage(stage.decode()), token, int(losses or 0), int(lost or 0))

    def enqueue(self, queue: str, messages: Sequence[bytes]) -> None:
        """Put encoded messages on a queue."""
        if messages:
            self.redis.lpush(queue, *messages)


def _listed(pairs: Iterable[tuple[Commit, bytes]]) -> Iterator[bytes | str]:
    """What the script is told of commits: sha, landing order, record and message of each."""
    for commit, message in pairs:
        order = commit.landed_at.timestamp() + min(commit.position, 4095) / 4096
        yield from (commit.sha, repr(order), packed_commit(commit), message)


def diff_from(stored: bytes | None) -> Diff | None:
    """A kept diff; None when there is none, or none that this version can read: then it is fetched again."""
    try:
        return Diff.model_validate_json(zlib.decompress(stored), extra="ignore") if stored else None
    except (zlib.error, ValidationError):
        return None
