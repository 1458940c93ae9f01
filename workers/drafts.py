"""Entries of an outbox → the next message of its channel, with what is settled once it stands there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Final

from core.ledger import Told, Waiting
from report.json import report_from_json
from report.labels import labels
from workers.aftermath import is_weighty, pending, reverts_of, since_first, told_now
from workers.channels import Posted
from workers.notices import commit_notice, update_notice
from workers.roundups import TITLE_LIMIT, digest_notice, list_notice
from workers.routing import Route, routes
from workers.sentences import cut

if TYPE_CHECKING:
    from core.models import CommitRecord
    from workers.notices import Notice, Reverted
    from workers.services import Services

MOST_SINGLE: Final = 5  # more commits than these come in one list
MOST_LISTED: Final = 100
LIST: Final = "list"  # under which a draft keeps what stands in its list, until the message has a time stamp
MOST_ID_CHARACTERS: Final = 7_000  # of a list: Slack's metadata has a limit


@dataclass(frozen=True)
class Draft:
    """What becomes of some entries: a message, or none, as all was told by now (`moot` are those that were).

    `told` is kept once the message stands, `thread` is the message it hangs on, `replaces` that message and its new
    form. `early`: what the entries tell of is not there yet.
    """

    entries: tuple[str, ...] = ()
    notice: Notice | None = None
    told: Mapping[str, Told] = field(default_factory=dict)
    moot: tuple[str, ...] = ()
    thread: str | None = None
    replaces: tuple[Posted, Notice] | None = None
    early: bool = False


class Drafting:
    """Drafts for one channel; `can_update`: its messages can be changed and answered."""

    def __init__(self, services: Services, channel: str, *, can_update: bool) -> None:
        self._ledger = services.ledger
        self._settings = services.settings
        self._channel = channel
        self._can_update = can_update

    def draft(self, group: Sequence[Waiting]) -> Draft:
        """The next message: a digest, what became of one commit, or commits in the order of their landing."""
        if group[0].kind == "digest":
            return self._digest(group[0])
        return self._update(group[0]) if group[0].kind == "update" else self._commits(group)

    def _commits(self, group: Sequence[Waiting]) -> Draft:
        found = self._to_tell(group)
        moot = tuple(one.entry for one in group if one.subject not in found)
        wanted = [one for one in group if one.subject in found]
        if not wanted:
            return Draft(moot=moot)
        together = [one for one in wanted if not one.attempts]  # what failed before goes alone, not to fail the others
        morning = any(one.quiet for one in together)
        if len(together) <= (1 if morning else MOST_SINGLE):
            together = wanted[:1]
        records = _within_metadata([found[one.subject][0] for one in together])
        reverts = self._reverts(records)
        ids, alone = tuple(record.commit.id for record in records), len(records) == 1
        told = {record.commit.id: told_now(record, reverts[record.commit.id], alone=alone) for record in records}
        if not alone:
            told[LIST] = Told(listed=ids, morning=morning)
        return Draft(
            entries=tuple(f"commit {name}" for name in ids),
            notice=self._first_notice([found[name] for name in ids], reverts, morning=morning),
            told=told,
            moot=moot,
        )

    def _first_notice(
        self,
        found: Sequence[tuple[CommitRecord, Route]],
        reverts: Mapping[str, tuple[Reverted, ...]],
        *,
        morning: bool,
    ) -> Notice:
        mention = _mentioned(route for _, route in found)
        records = [record for record, _ in found]
        if len(records) == 1:
            changes = reverts[records[0].commit.id]
            return commit_notice(records[0], self._settings, mention=mention, changes=changes)
        return list_notice(records, self._settings, morning=morning, mention=mention, reverts=reverts)

    def _to_tell(self, group: Sequence[Waiting]) -> dict[str, tuple[CommitRecord, Route]]:
        """The commits that are still to be told here, by id, as they are by now."""
        ids = [one.subject for one in group]
        told = self._ledger.told_of(ids)
        found = {}
        for record in self._records(ids):
            route = self._route(record)
            if route and record.analysis and self._channel not in told.get(record.commit.id, {}):
                found[record.commit.id] = record, route
        return found

    def _route(self, record: CommitRecord) -> Route | None:
        return next((one for one in routes(record, self._settings) if one.channel == self._channel), None)

    def _records(self, ids: Sequence[str]) -> list[CommitRecord]:
        shas: defaultdict[str, list[str]] = defaultdict(list)
        for commit_id in ids:
            repository, _, sha = commit_id.rpartition("@")
            shas[repository].append(sha)
        return [record for name, some in shas.items() for record in self._ledger.commits(name, some)]

    def _reverts(self, records: Sequence[CommitRecord]) -> dict[str, tuple[Reverted, ...]]:
        by_name: defaultdict[str, list[CommitRecord]] = defaultdict(list)
        for record in records:
            by_name[record.commit.repository].append(record)
        found: dict[str, tuple[Reverted, ...]] = {}
        for some in by_name.values():
            found |= reverts_of(self._ledger, some)
        return found

    def _digest(self, one: Waiting) -> Draft:
        repository, _, day = one.subject.partition(" ")
        if self._channel in self._ledger.told_of([one.subject]).get(one.subject, {}):
            return Draft(moot=(one.entry,))
        kept = self._ledger.report(repository, date.fromisoformat(day))
        if not kept:  # it is filed a moment before its report is kept
            return Draft(early=True)
        notice = digest_notice(report_from_json(kept), self._settings)
        return Draft((one.entry,), notice, {one.subject: Told(alone=True)})

    def _update(self, one: Waiting) -> Draft:
        """The next thing that became of a commit; where messages cannot be changed, only what is high is worth one."""
        told = self._ledger.told_of([one.subject]).get(one.subject, {}).get(self._channel)
        record = next(iter(self._records([one.subject])), None)
        if told is None or record is None:
            return Draft(moot=(one.entry,))
        reverts = self._reverts([record])[record.commit.id]
        news = pending(record, reverts, told)
        changeable = self._can_update and bool(told.ts)
        if not news or not (changeable or is_weighty(record, told)):
            return Draft((one.entry,), told={one.subject: news[-1][1]} if news else {})
        change, after = news[0]
        # An entry stays until all that it stands for is told, each thing by a message of its own.
        entries = (one.entry,) if len(news) == 1 else ()
        line, thread = update_notice(record, change, self._settings), told.ts if changeable else None
        if told.alone and changeable:
            return self._replacing(Draft(entries, line, {one.subject: after}, thread=thread), record, reverts, told)
        draft = Draft(entries, self._named(line, record), {one.subject: after}, thread=thread)
        return self._replacing_list(draft, told) if changeable else draft

    def _named(self, line: Notice, record: CommitRecord) -> Notice:
        """A line that says which commit it speaks of: it does not hang on that commit's own message."""
        words = labels(line.language)
        name = words.word("notify_commit", title=cut(record.commit.title, TITLE_LIMIT), sha=record.commit.sha[:7])
        return replace(line, headline=f"{name}{words.word('colon')}{line.headline}")

    def _replacing(self, draft: Draft, record: CommitRecord, reverts: Sequence[Reverted], told: Told) -> Draft:
        """With the first message brought up to date."""
        route, changes = self._route(record), since_first(record, reverts, told)
        mention = route.mention if route else ()
        notice = commit_notice(record, self._settings, mention=mention, changes=changes)
        return replace(draft, replaces=(Posted(told.channel, told.ts), notice))

    def _replacing_list(self, draft: Draft, told: Told) -> Draft:
        """With the list that the commit stands in brought up to date, as long as it is known what else stands there."""
        name = f"{LIST} {told.ts}"
        kept = self._ledger.told_of([name]).get(name, {}).get(self._channel)
        records = {record.commit.id: record for record in self._records(kept.listed)} if kept else {}
        if not kept or len(records) < len(kept.listed):
            return draft
        listed = [records[one] for one in kept.listed]
        notice = list_notice(
            listed,
            self._settings,
            morning=kept.morning,
            mention=_mentioned(route for record in listed if (route := self._route(record))),
            reverts=self._reverts(listed),
        )
        return replace(draft, replaces=(Posted(told.channel, told.ts), notice))


def _mentioned(found: Iterable[Route]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for route in found for name in route.mention))


def _within_metadata(records: Sequence[CommitRecord]) -> list[CommitRecord]:
    """As many of the first as one list takes; at least one."""
    some: list[CommitRecord] = []
    left = MOST_ID_CHARACTERS
    for record in records[:MOST_LISTED]:
        left -= len(record.commit.id) + 4
        if some and left < 0:
            break
        some.append(record)
    return some
