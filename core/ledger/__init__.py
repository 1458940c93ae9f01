"""Ledger: what is known of every commit and what is still to be done; the only folder that knows Redis keys.

Keys, all under `daybook:` (ID is `owner/name@sha`, each change of several keys is one Lua script of lua/):

    layout               string  the version of how the indices are laid out (layout.py)  for ever
    record:ID            string  CommitRecord, deflated with a shared dictionary (packing.py)
                                                                            LEDGER_DAYS after its day was closed
    diff:ID              string  zlib JSON Diff, secrets taken out          until finished or read anew, at most 7 days
    work:ID              hash    stage, token, attempts, losses …           until finished
    due:STAGE            zset    ID → when the sweep must look at it        until finished
    long:STAGE           list    ID of those that take long there and wait, at most 1,000  until they are taken
    open                 zset    ID → since when it is owed: received, or left to a batch until  until finished
    suspects             zset    ID → since when                            until finished
    alone                hash    holder → token and ID of its suspect       until it is done
    swept                string  when the last sweep was                    overwritten
    pause:SERVICE        hash    until, admitted, waiting, met, why         11 minutes after its end
    refusals             hash    SERVICE → JSON Refusal, while it does not take our credentials  until it does
    failed               zset    ID → when it was given up                  until retried or dropped
    landed:REPOSITORY    zset    sha → landing order (unix seconds)         as its records
    shas:REPOSITORY:XX   hash    rest of a sha that begins with XX → '', or its day's ordinal once its record has
                                 expired                                    for ever; 50 bytes each
    names:REPOSITORY:XXX  zset   digest, second, sha in raw bytes: what a finished commit is called and what it speaks
                                 of (its pull request, title and series; see stories.py)  as its records
    untold               set     ID finished since other days' pages were told of it  until they are
    pushes:REPOSITORY    zset    push JSON → pushed at                      the latest 5,000; LEDGER_DAYS, unless forced
    heads:REPOSITORY     hash    branch → JSON {sha, pushed_at}             for ever
    reconciled:REPOSITORY  hash  branch → sha up to which nothing is lacking  for ever
    upstream:REPOSITORY  hash    tried_at, answered_at, why, source, branches, failing_since, renamed  for ever
    failing              set     REPOSITORY whose source failed when it was last asked  until it answers
    etag:REPOSITORY      hash    question → JSON {etag, answer}             30 days after the last answer
    asked:REPOSITORY     hash    DAY → JSON Asked, for the day's page       for ever
    unasked              set     "REPOSITORY DAY" closed while its source failed  until it answers
    replaced:REPOSITORY  hash    "BEFORE AFTER" of a forced push → JSON shas  for ever
    turn:NAME            string  a poll, a reconciliation: not due before it ends  its interval
    repositories         hash    name → first seen                          for ever
    dirty                zset    "REPOSITORY DAY" → last change             until its report is assembled
    report:REPOSITORY:DAY  string  zlib JSON of the report                  for ever
    reports:REPOSITORY   zset    DAY → its ordinal                          for ever
    tiers:REPOSITORY     hash    DAY → "HIGH MEDIUM LOW", the counts of its report  for ever
    fragments:REPOSITORY:DAY:CODE:PART  string  how its commits are shown, see report/fragments.py; at most 160 MB of a
                                 day  until two days after the day's end
    stamps:REPOSITORY    hash    DAY → "UNIX-TIME DIGEST" of its report     for ever
    lock:NAME            string  a lock's token                             seconds
    lead:NAME            string  the process that leads, and its token      seconds, unless renewed
    count:DAY            hash    counters of a report day                   400 days
    totals               hash    counters since the beginning               for ever
    meters               hash    "STAGE OUTCOME", "STAGE le BUCKET", "STAGE seconds", "STAGE crashed",
                                 "refused STATUS", "degraded DEPTH" → n     for ever; about 25 fields a stage
    ended:SLOT           hash    analysed, failed, missigned within five minutes  two hours
    spent:DAY            hash    "REPOSITORY TIER KIND" → dollars, calls, tokens  400 days
    spent                hash    the same since the beginning               for ever
    spenders             set     the 200 repositories that `spent` tells apart  for ever
    reserved             zset    "DOLLARS HOLDER" → when it ends            15 minutes
    calibration          hash    "MODEL estimated", "MODEL actual" → tokens  for ever
    corrections:REPOSITORY  hash  sha → JSON Correction                     for ever
    finished:ID          string  the token that finished it                 2 minutes
    parked               zset    ID → when it began to wait for a batch     until it is sent, or asked for by itself
    batches              zset    batch → when it was begun                  until it is over
    batch:BATCH          hash    begun, id (the API's), asked, dollars, cancelled  until it is over
    waits:BATCH          hash    custom id → ID that it has not answered    until it is over
    answer:ID            string  zlib JSON of a batch's answer              2 days
    highlights:REPOSITORY  hash  DAY → JSON, what the model wrote of a day  for ever
    reported             hash    REPOSITORY → when a report was last written   for ever
    publish              zset    "REPOSITORY DAY" → when it is to be published  until it is
    published:REPOSITORY  hash   "DAY TARGET" → JSON Published              for ever
    unpublished          hash    "REPOSITORY DAY TARGET" → JSON Unpublished  until it is published
    notify               zset    "new ID" or "again ID", to be routed → since when  until it is
    outboxes             zset    CHANNEL → when its next entry is due           until nothing waits there
    outbox:CHANNEL       hash    ENTRY ("commit ID", "update ID", "digest REPOSITORY DAY") → JSON  until told, 7 days
    outbox-due:CHANNEL   zset    ENTRY → from when it may be told               as its outbox
    intent:CHANNEL       string  JSON Intent, a message that may be posted or not  until that is known
    told:ID              hash    CHANNEL → JSON Told; of a digest: told:REPOSITORY DAY  as its record; 30 days
                                 of a list: told:list TS                         30 days
    notify-troubles      hash    CHANNEL → JSON Trouble                         until something is told there again
    notices              hash    "CHANNEL told", "… dropped", "… repeated" … → n  for ever
    alive                zset    process → last seen                        a day
    alerts               hash    condition → JSON AlertState                until it cleared and was told

Versions run side by side during an update. A release may add fields and keys; it raises RECORD_VERSION when an older
one could not read what stands in a record, and LAYOUT when it moves a key, for which the older one must be stopped.
Forms of records are read one release before they are written, and for ever. docs/upgrade.md says what else.
"""

from __future__ import annotations

from core.ledger.alerts import AlertLedger, AlertState
from core.ledger.batches import BatchLedger, GivenBack, OpenBatch, Standing
from core.ledger.connection import LEASE_SECONDS, PATIENCE_SECONDS, Unconfirmed, day_bounds
from core.ledger.corrections import CorrectionLedger
from core.ledger.days import DayLedger, Stamp
from core.ledger.failed import FailedLedger
from core.ledger.fragments import FragmentLedger, StoredDay
from core.ledger.highlights import HighlightLedger
from core.ledger.leading import LeadLedger
from core.ledger.meters import LastReport, MeterLedger, Meters, StageMeter
from core.ledger.money import FULL_DEPTH_SHARE, MoneyLedger, Spending
from core.ledger.notices import Filing, Intent, News, NoticeLedger, OutboxState, Told, Trouble, Waiting
from core.ledger.packing import NewerRecord, leave_to_newer
from core.ledger.pauses import Pause, PauseLedger, Refusal
from core.ledger.publishing import Published, PublishLedger, Target, Unpublished
from core.ledger.retention import RetentionLedger
from core.ledger.runs import BUCKETS
from core.ledger.searched import SearchedLedger
from core.ledger.server import ServerFacts, ServerLedger
from core.ledger.status import Status, StatusLedger
from core.ledger.stories import AmbiguousSha, StoryLedger
from core.ledger.upstream import SETTLE_SECONDS, Asked, ForcedPush, Outcome, UpstreamLedger
from core.ledger.work import MOST_LOSSES, SUSPECT_PLACES, SUSPECT_QUEUE, Claim, Stage, Swept, WorkLedger

__all__ = [
    "BUCKETS", "FULL_DEPTH_SHARE", "LEASE_SECONDS", "MOST_LOSSES", "PATIENCE_SECONDS", "SETTLE_SECONDS",
    "SUSPECT_PLACES", "SUSPECT_QUEUE", "AlertState", "AmbiguousSha", "Asked", "Claim", "Filing", "ForcedPush",
    "GivenBack", "Intent", "LastReport", "Ledger", "Meters", "NewerRecord", "News", "OpenBatch", "OutboxState",
    "Outcome", "Pause", "Published", "Refusal", "ServerFacts", "Spending", "Stage", "StageMeter", "Stamp", "Standing",
    "Status", "StoredDay", "Swept", "Target", "Told", "Trouble", "Unconfirmed", "Unpublished", "Waiting", "day_bounds",
    "leave_to_newer",
]  # fmt: skip


class Ledger(
    WorkLedger,
    PauseLedger,
    StoryLedger,
    RetentionLedger,
    SearchedLedger,
    FragmentLedger,
    DayLedger,
    MoneyLedger,
    CorrectionLedger,
    StatusLedger,
    MeterLedger,
    AlertLedger,
    BatchLedger,
    FailedLedger,
    HighlightLedger,
    LeadLedger,
    ServerLedger,
    UpstreamLedger,
    PublishLedger,
    NoticeLedger,
):
    """The one store. The constructor does no I/O; every method is safe to call from any thread.

    Methods raise redis.RedisError when Redis does not answer within `timeout` seconds.
    """
