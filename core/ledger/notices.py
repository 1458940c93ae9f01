"""Notices: which finished commits are still to be told of, what waits for each channel, and what stands there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from core.ledger.connection import Connection, P
from core.models import Tier

MOST_WAITING: Final = 5000  # notices of one channel; beyond that the oldest go
TOLD_SECONDS: Final = 30 * 86400  # for which digests and lists are remembered; a commit is as long as its record

NewsKind = Literal["new", "again"]
Result = Literal["told", "moot", "dropped", "repeated", "refused"]


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Told(_Kept):
    """Where a notice stands in one channel, and what of its commit was told there.

    `channel` and `ts` are empty where a channel does not say. A list has several commits (not `alone`). The rest is of
    commits only: the tier and whether the analysis was lacking, as told at first and as told last, and the shas of the
    reverts that were told of. Of a list, kept as `list TS`, there are the ids of its commits, and whether it was what
    waited for the `morning`.
    """

    channel: str = ""
    ts: str = ""
    alone: bool = False
    tier: Tier | None = None
    first_tier: Tier | None = None
    degraded: bool = False
    first_degraded: bool = False
    reverted: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    morning: bool = False


class Intent(_Kept):
    """A message that is about to be posted: whether it was is not known until it is settled.

    `ids` are what the channel is searched for, `entries` what of the outbox is done with it, `told` what is to be kept
    of each commit then.
    """

    ids: tuple[str, ...]
    entries: tuple[str, ...]
    told: Mapping[str, Told]
    at: float
    thread: str | None = None


class Trouble(_Kept):
    """Why a channel cannot be posted to, since when (unix seconds), and until when it is left alone."""

    reason: str
    since: float
    until: float
    attempts: int = 0
    permanent: bool = False


class _Note(_Kept):
    """What the outbox keeps of an entry."""

    place: float
    filed: float
    quiet: bool = False
    attempts: int = 0


@dataclass(frozen=True)
class News:
    """A commit to be looked at: finished for the first time (`new`), or changed since (`again`)."""

    kind: NewsKind
    id: str
    since: float

    @property
    def member(self) -> str:
        """Its name in the ledger."""
        return f"{self.kind} {self.id}"


@dataclass(frozen=True)
class Filing:
    """One notice for one channel: `entry` is `commit ID`, `update ID` or `digest OWNER/REPO DAY`.

    `place` is its order among those that are ready, `due` when it is (unix seconds); `quiet`: it waits for the end of
    quiet hours.
    """

    channel: str
    entry: str
    place: float
    due: float
    quiet: bool = False


@dataclass(frozen=True)
class Waiting:
    """One entry of a channel's outbox; see `Filing`. `attempts` are those that failed because of the entry itself."""

    entry: str
    place: float
    due: float
    filed: float
    quiet: bool
    attempts: int

    @property
    def kind(self) -> str:
        """`commit`, `update` or `digest`."""
        return self.entry.partition(" ")[0]

    @property
    def subject(self) -> str:
        """The commit's id, or the digest's repository and day."""
        return self.entry.partition(" ")[2]


@dataclass(frozen=True)
class OutboxState:
    """One channel's numbers: what waits now and how long the oldest has been ready, and what was done since ever."""

    waiting: int
    oldest_seconds: float
    trouble: Trouble | None
    told: int = 0
    dropped: int = 0
    repeated: int = 0


class NoticeLedger(Connection):
    """What is to be told, in which channel, and what was."""

    def notices_wait(self) -> bool:
        """Whether any commit is to be routed or any channel's entry is due."""
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.exists(f"{P}notify").zrange(f"{P}outboxes", 0, 0, withscores=True)
            news, first = pipe.execute()
        return bool(news) or bool(first and first[0][1] <= time.time())

    def news(self, most: int) -> list[News]:
        """Commits to be routed, the longest waiting first."""
        rows = self.redis.zrange(f"{P}notify", 0, most - 1, withscores=True)
        split = [(*row.decode().split(" ", 1), since) for row, since in rows]
        return [News("again" if kind == "again" else "new", commit_id, since) for kind, commit_id, since in split]

    def forget_news(self) -> None:
        """Take off all commits to be routed: there is no channel to tell them."""
        self.redis.delete(f"{P}notify")

    def file(self, filings: Iterable[Filing], *, of: News | None = None) -> int:
        """Put notices into outboxes, each entry once; returns how many older ones had to go for them.

        The commit they come of is taken off the news, unless it changed again meanwhile.
        """
        now = time.time()
        rows = [
            text
            for one in filings
            for text in (one.channel, one.entry, repr(one.due),
                         _Note(place=one.place, filed=now, quiet=one.quiet).model_dump_json(exclude_defaults=True))
        ]  # fmt: skip
        member, since = (of.member, repr(of.since)) if of else ("", "")
        return int(self._run("notify_file", member, since, MOST_WAITING, *rows))

    def outboxes_due(self, now: float) -> list[str]:
        """Channels with an entry that is due, save those that are left alone for a while."""
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.zrangebyscore(f"{P}outboxes", "-inf", now).hgetall(f"{P}notify-troubles")
            names, troubles = pipe.execute()
        resting = {name for name, told in troubles.items() if Trouble.model_validate_json(told).until > now}
        return [name.decode() for name in names if name not in resting]

    def waiting(self, channel: str, until: float) -> list[Waiting]:
        """A channel's entries that are due by then, the longest due first."""
        rows = self.redis.zrangebyscore(f"{P}outbox-due:{channel}", "-inf", until, withscores=True)
        if not rows:
            return []
        kept = self.redis.hmget(f"{P}outbox:{channel}", [entry for entry, _ in rows])
        notes = [_Note.model_validate_json(note) for note in kept if note]
        pairs = [pair for pair, note in zip(rows, kept, strict=True) if note]
        return [
            Waiting(entry.decode(), note.place, due, note.filed, note.quiet, note.attempts)
            for (entry, due), note in zip(pairs, notes, strict=True)
        ]

    def put_off(self, channel: str, entries: Iterable[Waiting], due: float, *, counts: bool) -> None:
        """Let entries wait until `due`; it counts as an attempt that failed because of them, or not."""
        with self.redis.pipeline() as pipe:
            for one in entries:
                note = _Note(place=one.place, filed=one.filed, quiet=one.quiet, attempts=one.attempts + counts)
                pipe.hset(f"{P}outbox:{channel}", one.entry, note.model_dump_json(exclude_defaults=True))
                pipe.zadd(f"{P}outbox-due:{channel}", {one.entry: due})
            pipe.execute()
        self.rest(channel)

    def rest(self, channel: str) -> None:
        """Let a channel be looked at when its next entry is due."""
        self._run("notify_settle", channel, "", "", 0)

    def intent(self, channel: str) -> Intent | None:
        """The message that may have been posted to a channel or not."""
        found = self.redis.get(f"{P}intent:{channel}")
        return Intent.model_validate_json(found) if found else None

    def intend(self, channel: str, intent: Intent, token: str) -> bool:
        """Write down that a message is about to be posted; False when the lock `notify` is another's by now."""
        return bool(self._run("notify_intend", channel, _json(intent), token))

    def settle(
        self, channel: str, outcome: Result, *, intent: Intent | None = None, entries: Sequence[str] = (),
        told: Mapping[str, Told] | None = None, count: int = 1,
    ) -> bool:  # fmt: skip
        """End an intent (None: there is none), take entries off the outbox and keep what was told, all at once.

        `told` is by commit id, `OWNER/REPO DAY` of a digest or `list TS`; `count` of the outcome are counted. False
        when the intent is not the one that stands: then nothing is done.
        """
        rows = [text for name, state in (told or {}).items()
                for text in (name, state.model_dump_json(exclude_defaults=True),
                             TOLD_SECONDS if state.tier is None else 0)]  # fmt: skip
        return bool(self._run("notify_settle", channel, _json(intent) if intent else "", outcome, count, len(entries),
                              *entries, *rows))  # fmt: skip

    def told_of(self, names: Sequence[str]) -> dict[str, dict[str, Told]]:
        """What was told of commits (or digests), by name and channel; names of which nothing was are left out."""
        with self.redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hgetall(f"{P}told:{name}")
            rows = pipe.execute()
        return {
            name: {channel.decode(): Told.model_validate_json(state) for channel, state in row.items()}
            for name, row in zip(names, rows, strict=True)
            if row
        }

    def trouble(self, channel: str) -> Trouble | None:
        """Why a channel cannot be posted to; None when nothing is known against it."""
        found = self.redis.hget(f"{P}notify-troubles", channel)
        return Trouble.model_validate_json(found) if found else None

    def note_trouble(self, channel: str, trouble: Trouble) -> None:
        """Leave a channel alone for a while; forgotten when something is told there again."""
        self.redis.hset(f"{P}notify-troubles", channel, _json(trouble))

    def outboxes(self) -> dict[str, OutboxState]:
        """Every channel that anything was ever filed for, by name."""
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(f"{P}notices").hgetall(f"{P}notify-troubles").zrange(f"{P}outboxes", 0, -1)
            counts, troubles, waiting = pipe.execute()
        figures = {field.decode(): int(value) for field, value in counts.items()}
        named = {field.rpartition(" ")[0] for field in figures} | {name.decode() for name in waiting}
        names = sorted(named | {name.decode() for name in troubles})
        with self.redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.zcard(f"{P}outbox-due:{name}").zrange(f"{P}outbox-due:{name}", 0, 0, withscores=True)
            rows = pipe.execute()
        states, now = {}, time.time()
        for place, name in enumerate(names):
            first, stored = rows[2 * place + 1], troubles.get(name.encode())
            states[name] = OutboxState(
                waiting=rows[2 * place],
                oldest_seconds=max(0.0, now - first[0][1]) if first else 0.0,
                trouble=Trouble.model_validate_json(stored) if stored else None,
                told=figures.get(f"{name} told", 0),
                dropped=figures.get(f"{name} dropped", 0),
                repeated=figures.get(f"{name} repeated", 0),
            )
        return states


def _json(kept: _Kept) -> str:
    return kept.model_dump_json(exclude_defaults=True)
