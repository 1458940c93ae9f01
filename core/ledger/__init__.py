"""Ledger: what is known of every commit and what is still to be done; the only folder that knows Redis keys.

Keys, all under `daybook:` (ID is `owner/name@sha`, each change of several keys is one Lua script of lua/):

    record:ID            string  zlib JSON CommitRecord                     until its report's retention ends
    diff:ID              string  zlib JSON Diff, secrets taken out          until analysed, at most 7 days
    work:ID              hash    stage, token, attempts, losses …           until finished
    due:STAGE            zset    ID → when the sweep must look at it        until finished
    open                 zset    ID → when it was received                  until finished
    suspects             zset    ID → since when                            until finished
    suspect              string  the suspect that is being worked on        overwritten
    failed               zset    ID → when it was given up                  until retried or dropped
    landed:REPOSITORY    zset    sha → landing order (unix seconds)         as its records
    pushes:REPOSITORY    zset    push JSON → pushed at                      the latest 5,000
    heads:REPOSITORY     hash    branch → JSON {sha, pushed_at}             for ever
    repositories         hash    name → first seen                          for ever
    dirty                zset    "REPOSITORY DAY" → last change             until its report is assembled
    report:REPOSITORY:DAY  string  zlib JSON of the report                  for ever
    reports:REPOSITORY   zset    DAY → its ordinal                          for ever
    lock:NAME            string  a lock's token                             seconds
    count:DAY            hash    counters of a report day                   400 days
    totals               hash    counters since the beginning               for ever
"""

from __future__ import annotations

from core.ledger.connection import LEASE_SECONDS, PATIENCE_SECONDS, day_bounds
from core.ledger.days import DayLedger
from core.ledger.status import Status, StatusLedger
from core.ledger.work import MOST_LOSSES, SUSPECT_QUEUE, Claim, Stage, Swept, WorkLedger

__all__ = [
    "LEASE_SECONDS", "MOST_LOSSES", "PATIENCE_SECONDS", "SUSPECT_QUEUE", "Claim", "Ledger", "Stage", "Status", "Swept",
    "day_bounds",
]  # fmt: skip


class Ledger(WorkLedger, DayLedger, StatusLedger):
    """The one store. The constructor does no I/O; every method is safe to call from any thread.

    Methods raise redis.RedisError when Redis does not answer within `timeout` seconds.
    """
