"""Corrections: what people say a commit's tier is, and the finished commits they want analysed anew."""

from __future__ import annotations

from collections.abc import Mapping

from core.ledger.connection import Connection, P
from core.ledger.work import Stage
from core.models import Correction


class CorrectionLedger(Connection):
    """What people overrule. A correction is kept for ever, and joined to its commit's record when that is read."""

    def correct(self, commit_id: str, correction: Correction | None) -> bool:
        """Keep a correction, or take it back with None; its day's page is made again. False for an unknown commit."""
        repository, _, sha = commit_id.rpartition("@")
        landed = self.redis.zscore(f"{P}landed:{repository}", sha)
        if landed is None:
            return False
        key = f"{P}corrections:{repository}"
        seconds, micros = self.redis.time()
        with self.redis.pipeline() as pipe:
            if correction is None:
                pipe.hdel(key, sha)
            else:
                pipe.hset(key, sha, correction.model_dump_json())
            pipe.zadd(f"{P}dirty", {f"{repository} {self.day_of_second(landed)}": seconds + micros / 1_000_000})
            pipe.zadd(f"{P}notify", {f"again {commit_id}": seconds + micros / 1_000_000})
            pipe.execute()
        return True

    def corrections(self, repository: str | None = None) -> Mapping[str, Correction]:
        """Every correction of one repository or of all, by commit id, in order."""
        names = [repository] if repository else [name.decode() for name in self.redis.hkeys(f"{P}repositories")]
        with self.redis.pipeline(transaction=False) as pipe:
            for name in sorted(names):
                pipe.hgetall(f"{P}corrections:{name}")
            found = pipe.execute()
        return {
            f"{name}@{sha.decode()}": Correction.model_validate_json(told, extra="ignore")
            for name, rows in zip(sorted(names), found, strict=True)
            for sha, told in sorted(rows.items())
        }

    def reanalyse(self, commit_id: str, message: bytes, queue: str = Stage.FETCH) -> bool:
        """Open the work on a finished commit again and queue `message`; its record stays until the new one is written.

        One that was left to a batch is due at once instead. False when the commit is unknown, or at work already.
        """
        return bool(self._run("reanalyse", commit_id, queue, message, self.patience_seconds))
