"""What every view says of a day and a commit, in the page's language; plain text that the view still has to escape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.models import Found, Insights, Tier
from report import judgement
from report.prose import clean, markdown_code, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.models import Analysis, ChangeType, Unseen
    from report.daily import DailyReport, Entry, Member, Rewrite
    from report.labels import Labels
    from report.view import View

LOW_SUMMARY_LIMIT = 100
UNSEEN_SHOWN = 5
REPLACED_SHOWN = 20

FieldKey = Literal["types", "importance", "summary", "summary_low", "scope", "insights", "risks", "advice"]


@dataclass(frozen=True)
class Field:
    """A labelled part of an analysis: a short `line`, a `text`, the `items` of a list, or the `rows` of a table."""

    key: FieldKey
    label: str
    kind: Literal["line", "text", "items", "rows"]
    text: str = ""
    items: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()


def coverage(report: DailyReport, labels: Labels) -> str:
    """How many commits are analysed, by whom, and what it cost."""
    counts = report.coverage
    usage = report.usage
    tokens = usage.input_tokens + usage.cached_tokens + usage.cache_write_tokens + usage.output_tokens
    parts = [
        labels.word("coverage", covered=counts.covered, total=counts.total),
        labels.word("count_model", n=counts.model),
        labels.word("count_rules", n=counts.rules),
        labels.word("count_degraded", n=counts.degraded),
        labels.word("count_pending", n=counts.pending),
        labels.word("count_backfilled", n=counts.backfilled),
        labels.word("tokens", n=tokens),
        dollars(usage.cost_usd),
    ]
    return " · ".join([*parts, labels.word("revision", n=report.revision)] if report.revision > 1 else parts)


def day_notes(report: DailyReport, labels: Labels) -> list[str]:
    """What the budget took away; where the money went, and what the check of names took out. Empty on a plain day."""
    found = []
    counts, spending = report.coverage, report.spending
    limited = {"budget_shallower": counts.budget_shallower, "budget_rules": counts.budget_rules}
    if any(limited.values()):
        parts = [labels.word(key, n=n) for key, n in limited.items() if n]
        found.append(labels.word("budget", parts=labels.word("reason_separator").join(parts)))
    spent = [(tier, getattr(spending, tier.value)) for tier in Tier if getattr(spending, tier.value)]
    told = dollar_parts([cost for _, cost in spent], report.usage.cost_usd)
    costs = [
        labels.word("cost_of_tier", tier=labels.tiers[tier], cost=cost)
        for (tier, _), cost in zip(spent, told, strict=True)
    ]
    if spending.batched:
        costs.append(labels.word("cost_of_batch", n=spending.batched, cost=dollars(spending.batch)))
    if len(costs) > 1:  # one tier alone has cost what the coverage line says
        found.append(labels.word("cost", parts=" · ".join(costs)))
    if report.names.removed:
        found.append(labels.word("names_of_day", n=report.names.removed, checked=report.names.checked))
    return found


def dollars(amount: float) -> str:
    """Cents, and four decimals below a dollar: a commit costs fractions of a cent."""
    return f"${amount:.{_decimals(amount)}f}"


def dollar_parts(amounts: Sequence[float], total: float) -> list[str]:
    """The parts of an amount, rounded so that what is shown adds up to what `dollars` shows of the whole."""
    decimals = _decimals(total)
    units = [amount * 10**decimals for amount in amounts]
    rounded = [math.floor(unit) for unit in units]
    lacking = round(total * 10**decimals) - sum(rounded)
    if not 0 <= lacking <= len(rounded):  # not the parts of this whole: each for itself
        return [dollars(amount) for amount in amounts]
    for index in sorted(range(len(units)), key=lambda n: rounded[n] - units[n])[:lacking]:
        rounded[index] += 1
    return [f"${unit / 10**decimals:.{decimals}f}" for unit in rounded]


def _decimals(amount: float) -> int:
    return 2 if amount >= 1 or amount == 0 else 4


def source_notes(report: DailyReport, labels: Labels) -> list[str]:
    """What was replaced by force, and what to say when there is nothing to show or the source failed: never silence."""
    rewrites = [_rewrite(rewrite, labels) for rewrite in report.source.rewrites]
    if report.still_open:
        return [labels.word("still_open" if report.entries else "still_open_quiet"), *rewrites]
    if report.source.ok and report.entries:
        return rewrites
    if report.source.ok:
        first = labels.word("quiet")
    else:
        first = labels.word("source_partial" if report.entries else "source_failed")
    default = labels.word("asked_default", repository=report.repository, day=report.day, timezone=report.timezone)
    return [first, labels.word("asked", asked=report.source.asked or default), *rewrites]


def _rewrite(rewrite: Rewrite, labels: Labels) -> str:
    where = {"branch": rewrite.branch, "before": rewrite.before[:7], "after": rewrite.after[:7]}
    if rewrite.replaced is None:
        return labels.word("rewritten_unknown", **where)
    shown = [f"`{sha[:7]}`" for sha in rewrite.replaced[:REPLACED_SHOWN]]
    shas = labels.word("list_separator").join(shown) + (" …" if len(rewrite.replaced) > REPLACED_SHOWN else "")
    return labels.word("rewritten", **where, n=len(rewrite.replaced), shas=shas)


def sizes(entry: Entry, labels: Labels) -> list[str]:
    """Added and deleted lines, and the number of files."""
    if entry.facts is None:
        return [labels.word("no_facts")]
    lines = f"+{labels.number(entry.facts.additions)} −{labels.number(entry.facts.deletions)}"
    return [lines, labels.word("files", n=entry.facts.files)]


def tier_name(tier: Tier, labels: Labels) -> str:
    """The name of a tier where it stands by itself."""
    return labels.tiers[tier].capitalize()


def origin(entry: Entry, labels: Labels) -> str:
    """Who analysed it: the model by name, rules, or nobody yet."""
    model = entry.analysis.model if entry.analysis and entry.analysis.model else ""
    name = labels.word(f"origin_{entry.state}", model=model).strip()
    return labels.word("origin_batch", origin=name) if entry.analysis and entry.analysis.batch else name


def mark(entry: Entry, labels: Labels) -> str:
    """A word beside the title of a commit that lacks its analysis or is cancelled out; empty when all is well."""
    if entry.cancelled:
        return labels.word("cancelled", n=1 + len(entry.folded))
    return "" if entry.covered else origin(entry, labels)


def notes(entry: Entry, labels: Labels) -> list[str]:
    """What a reader must know before trusting the analysis."""
    found = []
    if entry.state == "pending":
        found.append(labels.word("pending_note"))
    if entry.state == "degraded" and entry.failure is None:
        found.append(labels.word("degraded_note"))
    if entry.failure is not None:
        failure = entry.failure
        found.append(labels.word("given_up_note", stage=failure.stage, n=failure.attempts, reason=failure.reason))
    if entry.state == "model" and entry.facts and entry.facts.incomplete:  # the rules say it in their own text
        found.append(labels.word("partial_note"))
    return [*found, *_notes_on_analysis(entry, entry.analysis, labels)] if entry.analysis else found


def _notes_on_analysis(entry: Entry, analysis: Analysis, labels: Labels) -> Iterator[str]:
    if short := _shortfall(entry, analysis):
        yield labels.word(short, depth=labels.tiers[analysis.depth])
    if analysis.parts > 1:
        yield labels.word("parts_note", n=analysis.parts)
    if analysis.unseen:
        yield _unseen(analysis.unseen, labels)
    if analysis.names_removed:
        yield labels.word("names_note", n=analysis.names_removed)


def _shortfall(entry: Entry, analysis: Analysis) -> str:
    """Why the analysis is less than its tier asks for, as the key of a sentence; empty when it is not."""
    if entry.failure is not None or analysis.origin == "degraded":
        return ""  # their own notes say it
    if analysis.limit == "budget":
        return "budget_rules_note" if analysis.origin == "rules" else "budget_note"
    if not entry.too_shallow:
        return ""
    if analysis.limit == "room":
        return "room_note"
    return "corrected_note" if entry.correction else "raised_note"


def _unseen(unseen: Sequence[Unseen], labels: Labels) -> str:
    shown, rest = unseen[:UNSEEN_SHOWN], unseen[UNSEEN_SHOWN:]
    files = [labels.word("unseen_file", path=markdown_code(part.path), n=part.lines) for part in shown]
    if rest:
        files.append(labels.word("unseen_more", n=len(rest), lines=sum(part.lines for part in rest)))
    return labels.word("unseen_note", files=labels.word("list_separator").join(files))


def is_backfilled(entry: Entry) -> bool:
    """Whether reconciliation found it."""
    return entry.found_by is Found.BACKFILL


def fields(view: View, entry: Entry, labels: Labels, tier_mark: str = "") -> list[Field]:
    """The analysis as labelled parts, as many as its tier has use for; `tier_mark` stands before the tier's name."""
    tier = f"{tier_mark} {tier_name(entry.tier, labels)}".strip()
    why = judgement.why(entry, view.zone, labels)
    found = [Field("importance", labels.word("importance"), "line", f"{tier} · {why}" if why else tier)]
    if types := types_of(entry):
        named = labels.word("list_separator").join(labels.types[kind] for kind in types)
        found.insert(0, Field("types", labels.word("types"), "line", named))
    return [*found, *_written(entry.analysis, entry, labels)] if entry.analysis else found


def types_of(commit: Member) -> tuple[ChangeType, ...]:
    """What kind of change it is, by its analysis or else by the rules; nothing when nobody has looked."""
    if commit.analysis:
        return commit.analysis.types
    return (commit.triage.type,) if commit.triage else ()


def _written(analysis: Analysis, entry: Entry, labels: Labels) -> list[Field]:
    if entry.tier is Tier.LOW:
        return [Field("summary_low", labels.word("summary_low"), "line", shorten(analysis.summary, LOW_SUMMARY_LIMIT))]
    found = [Field("summary", labels.word("summary"), "text", analysis.summary)]
    if entry.depth is Tier.LOW:
        return found
    found.append(_list("scope", analysis.scope, labels))
    if entry.depth is Tier.HIGH:
        found.append(_table(analysis.insights, labels))
        found.append(_list("risks", analysis.risks, labels))
    return [*found, _list("advice", analysis.advice, labels)]


def _list(key: Literal["scope", "risks", "advice"], items: Sequence[str], labels: Labels) -> Field:
    written = tuple(item for item in items if clean(item))
    return Field(key, labels.word(key), "items", items=written or (labels.word("none"),))


def _table(insights: Insights | None, labels: Labels) -> Field:
    nothing = labels.word("none")
    rows = tuple(
        (labels.word(name), (clean(getattr(insights, name)) if insights else "") or nothing)
        for name in Insights.model_fields
    )
    return Field("insights", labels.word("insights"), "rows", rows=rows)
