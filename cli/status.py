"""`daybook status`: what is waiting, done and failed."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

import click

from cli.checked import load_settings
from core.ledger import FULL_DEPTH_SHARE, Ledger, Meters
from core.redis_server import redis_url
from workers.celeryconfig import QUEUES
from workers.pauses import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from core.ledger import OutboxState, Pause
    from core.models import Tier, Usage


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs.")
def status(*, as_json: bool) -> None:
    """Print queue depths, the oldest waiting commit, today's failures and cost, and each repository's last report."""
    settings = load_settings()
    with redis_url(settings) as url:
        ledger = Ledger(url, settings.zone)
        now, outboxes = ledger.meters(QUEUES), ledger.outboxes()
        pauses = ledger.pauses(SERVICES)
        ledger.close()
    budget = settings.daybook_daily_budget_usd
    found = document(now, budget, outboxes, pauses) if as_json else text(now, budget, outboxes, pauses)
    click.echo(json.dumps(found, indent=2) if as_json else found)


ALIVE_SECONDS = 90.0
MOST_SPENDERS = 10  # repositories with a line of their own
_SILENT: Mapping[str, OutboxState] = {}  # of a Daybook that tells nobody
_UNHINDERED: Mapping[str, Pause] = {}
_DEPTHS = {
    "full": "every commit at its tier's depth",
    "medium": "high commits are analysed at medium depth",
    "rules": "analyses are composed by rules",
}


def document(
    now: Meters,
    budget: float | None,
    outboxes: Mapping[str, OutboxState] = _SILENT,
    pauses: Mapping[str, Pause] = _UNHINDERED,
) -> dict[str, Any]:
    """The JSON of `--json`: an edge, so a plain dict. Its keys stay; new ones may come."""
    return {
        "received": int(now.total("received")),
        "analysed": int(now.total("analysed")),
        "waiting": now.waiting,
        "failed": now.failed,
        "oldest_waiting_seconds": round(now.oldest_waiting_seconds, 1),
        "cost_usd_today": round(now.today.get("cost_usd", 0.0), 6),
        "received_today": _today(now, "received"),
        "analysed_today": _today(now, "analysed"),
        "failed_today": _today(now, "failed"),
        "repeats_today": _today(now, "repeats"),
        "model_calls_today": _today(now, "model_calls"),
        "tokens_today": sum(_tokens_today(now).values()),
        "tokens_today_by_kind": _tokens_today(now),
        "spent_today": [
            {"repository": repository, "tier": str(tier)} | usage.model_dump()
            for (repository, tier), usage in now.spent_today.items()
        ],
        "budget": None if budget is None else _budget(now, budget),
        "token_ratios": {model: round(ratio, 3) for model, ratio in now.token_ratios.items()},
        "duplicates": int(now.total("known")),
        "refused": {str(code): count for code, count in sorted(now.refused.items())},
        "leases_lost": int(now.total("leases_lost")),
        "suspects": now.suspects,
        "batch": {"unsent": now.batch_unsent, "sent": now.batch_sent},
        "queues": dict(now.queues),
        "stages": _stages(now),
        "sweep_seconds": None if now.sweep_seconds is None else round(now.sweep_seconds, 1),
        "beat": now.beat,
        "processes": {name: round(seconds, 1) for name, seconds in now.alive.items()},
        "notices": _outboxes(outboxes),
        "pauses": {name: {"seconds": round(pause.seconds, 1), "reason": pause.why} for name, pause in pauses.items()},
        "reports": _reports(now),
    }


def _stages(now: Meters) -> dict[str, Any]:
    return {
        str(stage): {
            "waiting": meter.waiting,
            "oldest_seconds": round(meter.oldest_seconds, 1),
            "mean_seconds": round(meter.mean_seconds, 3),
            "crashes": meter.crashes,
            **meter.outcomes,
        }
        for stage, meter in now.stages.items()
    }


def _outboxes(outboxes: Mapping[str, OutboxState]) -> dict[str, Any]:
    return {
        name: {
            "waiting": state.waiting,
            "oldest_seconds": round(state.oldest_seconds, 1),
            "told": state.told,
            "repeated": state.repeated,
            "dropped": state.dropped,
            "trouble": state.trouble.reason if state.trouble else None,
        }
        for name, state in outboxes.items()
    }


def _budget(now: Meters, budget: float) -> dict[str, Any]:
    spent = now.today.get("cost_usd", 0.0)
    return {
        "usd": budget,
        "spent_usd": round(spent, 6),
        "reserved_usd": round(now.reserved_usd, 6),
        "share": round(_share(now, budget), 4),
        "depth": _depth(now, budget),
        "degraded_today": {depth: _today(now, f"degraded_{depth}") for depth in now.degraded},
    }


def _share(now: Meters, budget: float) -> float:
    """How much of the budget is spent or set aside for calls under way; 1 when there was none to spend."""
    return (now.today.get("cost_usd", 0.0) + now.reserved_usd) / budget if budget else 1.0


def _depth(now: Meters, budget: float) -> Literal["full", "medium", "rules"]:
    """The deepest analysis for which something is left; a dear call may find too little a little earlier."""
    share = _share(now, budget)
    return "full" if share < FULL_DEPTH_SHARE else "medium" if share < 1 else "rules"


def _tokens_today(now: Meters) -> dict[str, int]:
    kinds = {"fresh": "input", "cached": "cached", "written": "cache_write", "output": "output"}
    return {kind: _today(now, f"{name}_tokens") for kind, name in kinds.items()}


def _today(now: Meters, name: str) -> int:
    return int(now.today.get(name, 0))


def _reports(now: Meters) -> Mapping[str, str]:
    return {name: str(last.day) for name, last in now.reports.items() if last.day}


def text(
    now: Meters,
    budget: float | None,
    outboxes: Mapping[str, OutboxState] = _SILENT,
    pauses: Mapping[str, Pause] = _UNHINDERED,
) -> str:
    """The lines for a person."""
    today = {"received": 0.0, "failed": 0.0, "model_calls": 0.0, "cost_usd": 0.0} | dict(now.today)
    received, analysed = int(now.total("received")), int(now.total("analysed"))
    lines = [
        f"commits   {received} received, {analysed} analysed, {now.waiting} waiting, {now.failed} given up",
        f"oldest    {now.oldest_waiting_seconds:.0f} s waiting" if now.waiting else "oldest    nothing waits",
        *_batch(now),
        f"today     {today['received']:.0f} received, {today['failed']:.0f} given up",
        f"model     {today['model_calls']:.0f} calls today, ${today['cost_usd']:.2f}",
        *_money(now, budget),
        "queues    " + ", ".join(f"{name} {depth}" for name, depth in now.queues.items()),
    ]
    for stage, meter in now.stages.items():
        outcomes = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in meter.outcomes.items() if count)
        lines.append(f"{stage:<10}{meter.waiting} there, {outcomes or 'none done'}, {meter.mean_seconds:.2f} s a run")
    lines += [f"paused    {name} for {pause.seconds:.0f} s more: {pause.why}" for name, pause in pauses.items()]
    lines += [f"notices   {name}: {_notices(state)}" for name, state in outboxes.items()]
    if now.refused:
        lines.append("refused   " + ", ".join(f"{count} with {code}" for code, count in sorted(now.refused.items())))
    alive = [name for name, seconds in now.alive.items() if seconds < ALIVE_SECONDS]
    lines.append("processes " + (", ".join(sorted(alive)) or "none is running; start `daybook up`"))
    lines.append("beat      " + (f"{now.beat} leads" if now.beat else "none leads"))
    lines.append("sweep     " + ("never ran" if now.sweep_seconds is None else f"{now.sweep_seconds:.0f} s ago"))
    return "\n".join(lines + [f"report    {name}: {day}" for name, day in _reports(now).items()])


def _batch(now: Meters) -> Iterator[str]:
    """How many of those that wait are left to a batch, so that their wait is no trouble."""
    if left := now.batch_unsent + now.batch_sent:
        told = f"{now.batch_unsent} to be sent, {now.batch_sent} sent and not answered yet"
        yield f"batch     {left} of the waiting are left to a batch: {told}"


def _notices(state: OutboxState) -> str:
    oldest = f", the oldest for {state.oldest_seconds:.0f} s" if state.oldest_seconds else ""
    dropped = f", {state.dropped} dropped" if state.dropped else ""
    why = f"; {state.trouble.reason}" if state.trouble else ""
    return f"{state.told} messages told, {state.waiting} waiting{oldest}{dropped}{why}"


def _money(now: Meters, budget: float | None) -> Iterator[str]:
    """Today's tokens, the repositories that cost most, the budget, and how far estimates are off."""
    if any(_tokens_today(now).values()):
        yield "tokens    " + ", ".join(f"{count:,} {kind}" for kind, count in _tokens_today(now).items())
    yield from _spenders(now)
    if budget is not None:
        used = f"{_share(now, budget):.0%} of ${budget:.2f} today used"
        if now.reserved_usd:
            used += f", ${now.reserved_usd:.2f} of it by calls under way"
        yield f"budget    {used}: {_DEPTHS[_depth(now, budget)]}"
        names = {"medium": "medium depth", "low": "low depth", "rules": "rules"}
        cut = {names[depth]: _today(now, f"degraded_{depth}") for depth in now.degraded}
        if any(cut.values()):
            told = ", ".join(f"{count} to {depth}" for depth, count in cut.items() if count)
            yield f"          made shallower today: {told}"
    if now.token_ratios:
        yield "estimates " + ", ".join(f"{model} × {ratio:.2f}" for model, ratio in now.token_ratios.items())


def _spenders(now: Meters) -> Iterator[str]:
    by_name: defaultdict[str, list[tuple[Tier, Usage]]] = defaultdict(list)
    for (repository, tier), usage in now.spent_today.items():
        by_name[repository].append((tier, usage))
    dearest = sorted(by_name.items(), key=lambda row: -_dollars(row[1]))
    for name, tiers in dearest[:MOST_SPENDERS]:
        told = ", ".join(f"{tier} ${usage.cost_usd:.4f} in {_calls(usage)}" for tier, usage in tiers)
        yield f"spent     {name}: {told}"
    if rest := dearest[MOST_SPENDERS:]:
        yield f"          and ${sum(_dollars(tiers) for _, tiers in rest):.4f} for {len(rest)} more"


def _dollars(tiers: Iterable[tuple[Tier, Usage]]) -> float:
    return sum(usage.cost_usd for _, usage in tiers)


def _calls(usage: Usage) -> str:
    return f"{usage.calls} call{'s' * (usage.calls != 1)}"
