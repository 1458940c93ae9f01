"""Why a commit has its tier, in one line: the rules' reasons, what the model moved, what held against it, a person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.models import Reason
from report import storylines
from report.prose import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from core.models import Correction, Opinion, Triage, Verdict
    from report.daily import Entry
    from report.labels import Labels

# Weight, as `shorten` counts it, of what a model or a person gives as a reason.
WHY_LIMIT = 120
_FULL_STOP = " .。;；"


def why(entry: Entry, zone: tzinfo, labels: Labels) -> str:
    """One line; days are those of the report's time zone."""
    if entry.cancelled:
        return storylines.why(entry, labels)
    if entry.correction is not None:
        return _corrected(entry, entry.correction, zone, labels)
    if entry.triage is None:
        return labels.word("unjudged")
    verdict = entry.verdict
    if verdict is not None and verdict.rule in {"floor", "ceiling"}:
        return _held(entry, entry.triage, verdict, labels)
    if verdict is not None and verdict.tier is not entry.triage.tier:
        return _moved(entry, entry.triage, verdict, labels)
    return _listed(entry.triage.reasons, labels)


def _corrected(entry: Entry, correction: Correction, zone: tzinfo, labels: Labels) -> str:
    text = labels.word("corrected", day=correction.at.astimezone(zone).date())
    before = entry.verdict or entry.triage
    parts = [_because(text, correction.why, labels)]
    if before is not None:
        parts.append(labels.word("corrected_from", tier=labels.tiers[before.tier]))
    return labels.word("reason_separator").join(parts)


def _moved(entry: Entry, triage: Triage, verdict: Verdict, labels: Labels) -> str:
    opinion = _opinion(entry)
    way = "raised" if verdict.tier.rank > triage.tier.rank else "lowered"
    tiers = {"before": labels.tiers[triage.tier], "after": labels.tiers[verdict.tier]}
    if verdict.rule == "one_step" and opinion is not None:
        text = labels.word(f"{way}_one_step", wanted=labels.tiers[opinion.tier], **tiers)
    else:
        text = labels.word(way, **tiers)
    parts = [_because(text, opinion.reason if opinion else "", labels)]
    if rules := _listed(triage.reasons, labels):
        parts.append(labels.word("rules_said", reasons=rules))
    return labels.word("reason_separator").join(parts)


def _held(entry: Entry, triage: Triage, verdict: Verdict, labels: Labels) -> str:
    """The fact that the model cannot overrule stands first, with what the model said; then the other reasons."""
    given = next((reason for reason in triage.reasons if reason.code == verdict.fact), None)
    others = [reason for reason in triage.reasons if reason.code != verdict.fact]
    ground = _reason(given or _from_facts(entry, verdict.fact), labels) or labels.word("by_rules")
    text = labels.word(f"held_{verdict.rule}", fact=ground, tier=labels.tiers[verdict.tier])
    if opinion := _opinion(entry):
        said = _because(labels.word("model_said", tier=labels.tiers[opinion.tier]), opinion.reason, labels)
        text = labels.word("aside", text=text, aside=said)
    return labels.word("reason_separator").join([text, *(_reason(reason, labels) for reason in others)])


def _from_facts(entry: Entry, code: str) -> Reason:
    """A reason that is not among the few that triage names, with the public change that it speaks of."""
    changes = entry.facts.changes if entry.facts else ()
    subject = next((change.name for change in changes if f"{change.action}_{change.kind}" == code), "")
    return Reason(code=code, subject=subject)


def _opinion(entry: Entry) -> Opinion | None:
    return entry.analysis.opinion if entry.analysis else None


def _because(text: str, reason: str, labels: Labels) -> str:
    """`text: reason`, or the text alone; a reason is a sentence of its own and gives up its full stop."""
    short = shorten(reason, WHY_LIMIT).rstrip(_FULL_STOP)
    return f"{text}{labels.word('colon')}{short}" if short else text


def _listed(reasons: Sequence[Reason], labels: Labels) -> str:
    return labels.word("reason_separator").join(_reason(reason, labels) for reason in reasons)


def _reason(reason: Reason, labels: Labels) -> str:
    subject = reason.subject
    if re.fullmatch(r"[^\s`]*[_./-][^\s`]*", subject):  # a name out of the code, not a number or a word
        subject = f"`{subject}`"
    if reason.code not in labels.reasons:  # a page of long ago may hold a code that has been retired
        return f"{reason.code} {subject}".strip()
    return labels.reason(reason.model_copy(update={"subject": subject})).rstrip(" :：")
