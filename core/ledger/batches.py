"""Batches: commits that wait to be sent together, what was sent with which batch, and the answers that came.

A parked commit stays open and holds no lease; its due time is when it has to be asked for by itself. Its work's field
`batch` says where it stands: `parked`, the key of the batch that holds it, `answered`, or `direct`.
"""

from __future__ import annotations

import secrets
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.ledger.connection import Connection, P
from core.ledger.runs import run_since
from core.ledger.work import Claim, diff_from
from core.models import Diff

ANSWER_SECONDS = 2 * 86400
# A batch that was begun and not noted as sent may have been sent all the same: it is sent at most once more.
MOST_SENDINGS = 2

GivenBack = Literal["direct", "again", "uncounted"]


@dataclass(frozen=True)
class Standing:
    """Where a claimed commit stands: left to a batch, answered by one, to be asked for directly, or its lease lost."""

    way: Literal["parked", "answered", "direct", "lost"]
    answer: bytes = b""


@dataclass(frozen=True)
class OpenBatch:
    """A batch that is under way. `id` is the API's, None while it is not known to be sent; times are unix seconds."""

    key: str
    begun: float
    id: str | None
    asked: float
    dollars: float
    cancelled: bool


class BatchLedger(Connection):
    """What waits for a batch, and what batches are under way."""

    def park(self, claim: Claim, latest: datetime | None) -> Standing:
        """Leave a commit to a batch until `latest` (None: there is no time), once; asked again: what came of it."""
        until = repr(latest.timestamp()) if latest else 0
        way, *answer = self._run("park", claim.id, claim.token, until, *run_since(claim.began))
        return Standing(way.decode(), zlib.decompress(answer[0]) if answer else b"")

    def drop_answer(self, claim: Claim) -> bool:
        """Forget an answer that is of no use; whether it was there, so that its cost is counted once."""
        return bool(self.redis.delete(f"{P}answer:{claim.id}"))

    def begin_batch(self, *, most: int, fewest: int, patience: float, left: float) -> tuple[str, dict[str, str]]:
        """Begin a batch of `fewest` to `most` parked commits, or of fewer when one has waited `patience` seconds.

        Those with less than `left` seconds are due at once instead. Returns its key and {custom id: commit id}.
        """
        key = secrets.token_hex(8)
        row = iter(text.decode() for text in self._run("batch_take", key, most, fewest, patience, left))
        return key, dict(zip(row, row, strict=True))

    def sent(self, key: str, batch_id: str, dollars: float) -> None:
        """Note the API's id of a batch, and what it is expected to cost."""
        self.redis.hset(f"{P}batch:{key}", mapping={"id": batch_id, "dollars": repr(dollars)})

    def give_back(self, key: str, how: GivenBack, custom_ids: Iterable[str] | None = None) -> int:
        """Take commits out of a batch, or all (None), which ends it; returns how many it still held.

        `direct`: they are asked for by themselves, at once. `again`: they wait for another batch, unless they were sent
        twice. `uncounted`: so too, as if they had never been sent.
        """
        chosen = None if custom_ids is None else list(custom_ids)
        return 0 if chosen == [] else int(self._run("batch_back", key, how, MOST_SENDINGS, *(chosen or ())))

    def batches(self) -> list[OpenBatch]:
        """Batches under way, oldest first."""
        keys = [key.decode() for key in self.redis.zrange(f"{P}batches", 0, -1)]
        rows = [self.redis.hgetall(f"{P}batch:{key}") for key in keys]
        return [_open_batch(key, row) for key, row in zip(keys, rows, strict=True) if row]

    def asked_for(self, key: str) -> None:
        """Note that the API is asked about a batch now."""
        self.redis.hset(f"{P}batch:{key}", "asked", repr(time.time()))

    def cancelled(self, key: str) -> None:
        """Note that the API was asked to cancel a batch."""
        self.redis.hset(f"{P}batch:{key}", "cancelled", 1)

    def wanted(self, key: str) -> int:
        """How many commits of a batch still wait for its answer."""
        ids = self.redis.hvals(f"{P}waits:{key}")
        with self.redis.pipeline(transaction=False) as pipe:
            for commit_id in ids:
                pipe.hmget(f"{P}work:{commit_id.decode()}", "batch", "token", "not_before")
            rows = pipe.execute()
        now = time.time()
        return sum(batch == key.encode() and token == b"" and float(latest) > now for batch, token, latest in rows)

    def keep_answer(self, key: str, custom_id: str, answer: bytes) -> tuple[Literal["kept", "late", "known"], str]:
        """Keep an answer of a batch for its commit, which is due now; returns what became of it, and the commit's id.

        `late`: the commit is being asked for by itself, or done. `known`: the answer had come before.
        """
        outcome, commit_id = self._run("batch_answer", key, custom_id, zlib.compress(answer), ANSWER_SECONDS)
        return outcome.decode(), commit_id.decode()

    def diff(self, commit_id: str) -> Diff | None:
        """A commit's diff while it is kept."""
        return diff_from(self.redis.get(f"{P}diff:{commit_id}"))


def _open_batch(key: str, row: Mapping[bytes, bytes]) -> OpenBatch:
    return OpenBatch(
        key=key,
        begun=float(row[b"begun"]),
        id=row[b"id"].decode() if b"id" in row else None,
        asked=float(row.get(b"asked", row[b"begun"])),
        dollars=float(row.get(b"dollars", 0)),
        cancelled=b"cancelled" in row,
    )
