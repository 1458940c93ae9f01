"""`daybook status`: what is waiting, done and failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from core.ledger import Ledger, Meters
from core.redis_server import redis_url
from core.settings import load_settings
from workers.celeryconfig import QUEUES

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs.")
def status(*, as_json: bool) -> None:
    """Print queue depths, the oldest waiting commit, today's failures and cost, and each repository's last report."""
    settings = load_settings()
    with redis_url(settings) as url:
        ledger = Ledger(url, settings.zone)
        now = ledger.meters(QUEUES)
        ledger.close()
    click.echo(json.dumps(document(now), indent=2) if as_json else text(now))


ALIVE_SECONDS = 90.0


def document(now: Meters) -> dict[str, Any]:
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
        "tokens_today": _today(now, "input_tokens") + _today(now, "cached_tokens") + _today(now, "output_tokens"),
        "duplicates": int(now.total("known")),
        "refused": {str(code): count for code, count in sorted(now.refused.items())},
        "leases_lost": int(now.total("leases_lost")),
        "suspects": now.suspects,
        "queues": dict(now.queues),
        "stages": {
            str(stage): {
                "waiting": meter.waiting,
                "oldest_seconds": round(meter.oldest_seconds, 1),
                "mean_seconds": round(meter.mean_seconds, 3),
                "crashes": meter.crashes,
                **meter.outcomes,
            }
            for stage, meter in now.stages.items()
        },
        "sweep_seconds": None if now.sweep_seconds is None else round(now.sweep_seconds, 1),
        "processes": {name: round(seconds, 1) for name, seconds in now.alive.items()},
        "reports": _reports(now),
    }


def _today(now: Meters, name: str) -> int:
    return int(now.today.get(name, 0))


def _reports(now: Meters) -> Mapping[str, str]:
    return {name: str(last.day) for name, last in now.reports.items() if last.day}


def text(now: Meters) -> str:
    """The lines for a person."""
    today = {"received": 0.0, "failed": 0.0, "model_calls": 0.0, "cost_usd": 0.0} | dict(now.today)
    received, analysed = int(now.total("received")), int(now.total("analysed"))
    lines = [
        f"commits   {received} received, {analysed} analysed, {now.waiting} waiting, {now.failed} given up",
        f"oldest    {now.oldest_waiting_seconds:.0f} s waiting" if now.waiting else "oldest    nothing waits",
        f"today     {today['received']:.0f} received, {today['failed']:.0f} given up",
        f"model     {today['model_calls']:.0f} calls today, ${today['cost_usd']:.2f}",
        "queues    " + ", ".join(f"{name} {depth}" for name, depth in now.queues.items()),
    ]
    for stage, meter in now.stages.items():
        outcomes = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in meter.outcomes.items() if count)
        lines.append(f"{stage:<10}{meter.waiting} there, {outcomes or 'none done'}, {meter.mean_seconds:.2f} s a run")
    if now.refused:
        lines.append("refused   " + ", ".join(f"{count} with {code}" for code, count in sorted(now.refused.items())))
    alive = [name for name, seconds in now.alive.items() if seconds < ALIVE_SECONDS]
    lines.append("processes " + (", ".join(sorted(alive)) or "none is running; start `daybook up`"))
    lines.append("sweep     " + ("never ran" if now.sweep_seconds is None else f"{now.sweep_seconds:.0f} s ago"))
    return "\n".join(lines + [f"report    {name}: {day}" for name, day in _reports(now).items()])
