"""One channel's outbox: its next message is posted, once whatever is killed, and a failure loses nothing.

Before a message is posted it is written down as an intent, afterwards its entries are settled, each in one step. An
intent that was never settled is looked for in the channel's history; only what is not there is posted again. A channel
that cannot be read back gets such a message twice rather than never.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import redis
import structlog

from core.errors import Permanent, Transient
from core.ledger import Intent, Trouble, Waiting
from core.redis_connections import briefly
from workers.channels import MessageGone, MessageRefused
from workers.drafts import LIST, Drafting
from workers.pauses import Paused, admitted
from workers.slack_errors import ScopeMissing

if TYPE_CHECKING:
    from workers.channels import Channel, Posted
    from workers.drafts import Draft
    from workers.notices import Notice
    from workers.services import Services

log = structlog.get_logger()

TURN_SECONDS: Final = 1.05  # between two messages in a channel: Slack takes one a second
GATHER_SECONDS: Final = 2.0  # so that the commits of one push come together
KEPT_SECONDS: Final = 7 * 86400.0
SETTLE_SECONDS: Final = 2.0  # until a message whose sender died is sure to be in the history
REPORT_WAIT_SECONDS: Final = 30.0
MOST_MOOT: Final = 100  # entries of which nothing is to be told, before the next look at other channels
MOST_ATTEMPTS: Final = 5  # of an entry that is itself at fault
FIRST_WAIT_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 3600.0
_ORDER: Final = {"commit": 0, "digest": 1, "update": 2}


class Outbox:
    """The outbox of one channel, for the holder of the lock `notify`, whose token it shows before each message."""

    def __init__(self, services: Services, name: str, token: str) -> None:
        self._services = services
        self._ledger = services.ledger
        self._name = name
        self._token = token
        self._turn = f"notify:{name}"

    def tell_next(self) -> None:
        """Post at most one message; a channel that fails is left alone for a while, and loses nothing."""
        try:
            channel = self._services.channels.channel(self._name)
            if channel is None:
                self._leave_alone(Permanent(f"nothing is set for the channel {self._name}; run `daybook check`"))
            elif self._settled(channel):
                self._tell_next(channel)
        except (Transient, Permanent) as error:
            self._leave_alone(error)
        except redis.RedisError as error:
            log.warning("redis_failed", channel=self._name, reason=briefly(error))
        except Exception as error:
            # A fault of our own must not hold up the other channels.
            log.exception("channel_crashed", channel=self._name)
            self._leave_alone(Transient(f"internal error: {type(error).__name__}"))

    def _settled(self, channel: Channel) -> bool:
        """Find out what became of the last message, if that is not known; False while it is too early to say."""
        intent = self._ledger.intent(self._name)
        if intent is None:
            return True
        if time.time() - intent.at < SETTLE_SECONDS:
            return False
        posted = self._found(channel, intent)
        if posted is None:
            self._ledger.settle(self._name, "repeated", intent=intent)
            log.warning("notice_repeated", channel=self._name, ids=intent.ids, read_back=channel.can_search)
        else:
            self._settle(intent, posted)
            log.info("notice_found", channel=self._name, ids=intent.ids)
        return True

    def _found(self, channel: Channel, intent: Intent) -> Posted | None:
        try:
            with admitted(self._ledger, channel.service):
                found = channel.find(intent.ids, datetime.fromtimestamp(intent.at, UTC), thread=intent.thread)
        except (ScopeMissing, MessageGone) as error:  # twice rather than never; `daybook check` tells of the scope
            log.warning("notice_not_looked_for", channel=self._name, reason=str(error))
            return None
        return next(iter(found.values()), None)

    def _tell_next(self, channel: Channel) -> None:
        for _ in range(MOST_MOOT):
            group = self._next_group(time.time())
            if not group:
                self._ledger.rest(self._name)
                return
            if not self._ledger.take_turn(self._turn, TURN_SECONDS):
                return
            if self._told(channel, group):
                return
            self._ledger.next_turn(self._turn, 0)  # it was not used

    def _told(self, channel: Channel, group: Sequence[Waiting]) -> bool:
        """Whether some entries came to a message, or to a failure; False when all was told by now."""
        drafting = Drafting(self._services, self._name, can_update=channel.can_update)
        try:
            draft = drafting.draft(group)
            self._tell(channel, group, draft)
        except MessageRefused as error:
            self._spare(group, str(error))
        except (Transient, Permanent, redis.RedisError):
            raise
        except Exception as error:
            # A fault of our own in one notice must not hold up the others.
            log.exception("notice_crashed", channel=self._name, entries=[one.entry for one in group])
            self._spare(group, f"internal error: {type(error).__name__}")
        else:
            return draft.notice is not None
        return True

    def _next_group(self, now: float) -> list[Waiting]:
        """The entries that the next message may tell of: of the kind that is due longest, commits as they landed.

        What is due in a moment goes with what is due.
        """
        waiting = self._without_old(self._ledger.waiting(self._name, now + GATHER_SECONDS), now)
        due = [one for one in waiting if one.due <= now]
        if not due:
            return []
        first = min(due, key=lambda one: (one.due, _ORDER.get(one.kind, len(_ORDER)), one.place))
        if first.kind != "commit":
            return [first]
        return sorted((one for one in waiting if one.kind == "commit"), key=lambda one: (one.place, one.entry))

    def _without_old(self, waiting: Sequence[Waiting], now: float) -> list[Waiting]:
        if old := [one.entry for one in waiting if now - one.filed > KEPT_SECONDS]:
            self._ledger.settle(self._name, "dropped", entries=old, count=len(old))
            log.error("notices_dropped", channel=self._name, count=len(old), reason="waited for a week")
        return [one for one in waiting if one.entry not in old]

    def _tell(self, channel: Channel, group: Sequence[Waiting], draft: Draft) -> None:
        if draft.early:
            self._ledger.put_off(self._name, group, time.time() + REPORT_WAIT_SECONDS, counts=False)
        if draft.moot:
            self._ledger.settle(self._name, "moot", entries=draft.moot, count=len(draft.moot))
        if draft.notice is not None:
            self._post(channel, draft, draft.notice)
        elif draft.entries:
            self._ledger.settle(self._name, "moot", entries=draft.entries, told=draft.told)

    def _post(self, channel: Channel, draft: Draft, notice: Notice) -> None:
        intent = Intent(ids=notice.id, entries=draft.entries, told=draft.told, at=time.time(), thread=draft.thread)
        try:
            with admitted(self._ledger, channel.service):
                if not self._ledger.intend(self._name, intent, self._token):
                    return
                if draft.replaces:
                    self._replace(channel, *draft.replaces)
                posted = channel.post(notice, thread=draft.thread)
        except MessageGone as error:  # somebody deleted it: there is nothing to add to
            log.info("notice_gone", channel=self._name, ids=intent.ids, reason=str(error))
            self._ledger.settle(self._name, "moot", intent=intent, entries=intent.entries, told=intent.told)
        except (Paused, Permanent):  # it was refused, so that nobody has to look for it
            self._ledger.settle(self._name, "refused", intent=intent)
            raise
        else:
            self._settle(intent, posted)
            self._ledger.next_turn(self._turn, TURN_SECONDS)
            log.info("notice_told", channel=self._name, kind=notice.kind, ids=intent.ids)

    def _replace(self, channel: Channel, first: Posted, notice: Notice) -> None:
        """Bring the first message up to date; where that is too late, the line below it may still be told."""
        try:
            channel.update(first, notice)
        except MessageGone as error:
            log.info("notice_not_changed", channel=self._name, ids=notice.id, reason=str(error))

    def _settle(self, intent: Intent, posted: Posted) -> None:
        """Keep what was told; what hangs on an earlier message leaves that where it stands."""
        where = {} if intent.thread else {"channel": posted.channel, "ts": posted.ts}
        told = {
            f"{LIST} {posted.ts}" if name == LIST else name: state.model_copy(update=where)
            for name, state in intent.told.items()
            if posted.ts or name != LIST  # what cannot be found again is not changed later
        }
        self._ledger.settle(self._name, "told", intent=intent, entries=intent.entries, told=told)

    def _spare(self, group: Sequence[Waiting], reason: str) -> None:
        """Put entries off that are at fault themselves; after some attempts, drop them in sight."""
        if (intent := self._ledger.intent(self._name)) is not None:
            self._ledger.settle(self._name, "refused", intent=intent)
        if over := [one.entry for one in group if one.attempts + 1 >= MOST_ATTEMPTS]:
            self._ledger.settle(self._name, "dropped", entries=over, count=len(over))
            log.error("notices_dropped", channel=self._name, entries=over, reason=reason)
        for one in group:
            if one.entry not in over:
                wait = FIRST_WAIT_SECONDS * 4**one.attempts
                self._ledger.put_off(self._name, [one], time.time() + wait, counts=True)

    def _leave_alone(self, error: Transient | Permanent) -> None:
        """Wait as long as was asked for, or longer each time; notices stay where they are."""
        before, now = self._ledger.trouble(self._name), time.time()
        attempts = (before.attempts if before else 0) + (not isinstance(error, Paused))
        growing = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(attempts, 10)) * random.uniform(0.7, 1.0)
        asked = (error.retry_after if isinstance(error, Transient) else None) or 0.0
        wait = asked if isinstance(error, Paused) and asked else max(asked, growing)
        trouble = Trouble(
            reason=str(error), since=before.since if before else now, until=now + wait, attempts=attempts,
            permanent=isinstance(error, Permanent),
        )  # fmt: skip
        self._ledger.note_trouble(self._name, trouble)
        log.warning("channel_put_off", channel=self._name, reason=str(error), seconds=round(wait, 1))
