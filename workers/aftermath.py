"""What became of a commit since it was told of: later reverts, another tier, an analysis where there was none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.ledger import Ledger, Told
from core.models import Tier
from core.references import references
from report.kinship import told_from_record
from report.stories import PART, tell
from workers.notices import Change, Repaired, Retiered, Reverted

if TYPE_CHECKING:
    from datetime import tzinfo

    from core.models import Commit, CommitRecord
    from report.stories import Relation


def taken_back_by(ledger: Ledger, record: CommitRecord) -> list[Commit]:
    """The commits that a finished one takes back, in whole or in part."""
    commit = record.commit
    if not any(one.kind == "reverts" for one in references(commit.message, commit.repository)):
        return []
    kin = ledger.kin(commit.repository, [record])
    relations = _relations([record], kin, ledger.zone).get(commit.sha, ())
    taken = {one.sha for one in relations if one.kind == "reverts"}
    return [other.commit for other in kin if other.commit.sha in taken]


def reverts_of(ledger: Ledger, records: Sequence[CommitRecord]) -> dict[str, tuple[Reverted, ...]]:
    """By id of each of these commits of one repository: the finished commits that take it back, the oldest first."""
    repository = records[0].commit.repository
    kin = ledger.kin(repository, records)
    commits = {record.commit.sha: record.commit for record in (*records, *kin)}
    relations = _relations(records, kin, ledger.zone)
    return {
        record.commit.id: tuple(
            Reverted(commits[one.sha], partly=one.detail == PART)
            for one in relations.get(record.commit.sha, ())
            if one.kind == "reverted_by"
        )
        for record in records
    }


def _relations(
    records: Sequence[CommitRecord], kin: Sequence[CommitRecord], zone: tzinfo
) -> Mapping[str, Sequence[Relation]]:
    return tell(map(told_from_record, records), map(told_from_record, kin), zone).relations


def told_now(record: CommitRecord, reverts: Sequence[Reverted], *, alone: bool) -> Told:
    """What is told of a commit by a notice of now; where it stands is not known yet."""
    lacking = is_lacking(record)
    return Told(
        alone=alone, tier=record.tier, first_tier=record.tier, degraded=lacking, first_degraded=lacking,
        reverted=tuple(one.by.sha for one in reverts),
    )  # fmt: skip


def pending(record: CommitRecord, reverts: Sequence[Reverted], told: Told) -> list[tuple[Change, Told]]:
    """What is to be told of still, each with what is told when it was."""
    found: list[tuple[Change, Told]] = []
    for revert in reverts:
        if revert.by.sha not in told.reverted:
            told = told.model_copy(update={"reverted": (*told.reverted, revert.by.sha)})
            found.append((revert, told))
    if told.degraded and not is_lacking(record):
        told = told.model_copy(update={"degraded": False})
        found.append((Repaired(), told))
    if told.tier is not None and told.tier is not record.tier:
        before = told.tier
        told = told.model_copy(update={"tier": record.tier})
        found.append((Retiered(before), told))
    return found


def since_first(record: CommitRecord, reverts: Sequence[Reverted], told: Told) -> list[Change]:
    """All that differs from the first message, for its new text."""
    found: list[Change] = list(reverts)
    if told.first_degraded and not is_lacking(record):
        found.append(Repaired())
    if told.first_tier is not None and told.first_tier is not record.tier:
        found.append(Retiered(told.first_tier))
    return found


def is_weighty(record: CommitRecord, told: Told) -> bool:
    """Whether a change is worth a message of its own where the first one cannot be changed: it is, or was, high."""
    return Tier.HIGH in (record.tier, told.tier, told.first_tier)


def is_lacking(record: CommitRecord) -> bool:
    """Whether a commit was given up on, or only its facts are there."""
    return record.analysis is None or record.analysis.origin == "degraded"
