"""`daybook status`: what is waiting, done and failed."""

from __future__ import annotations

import json

import click

from core.ledger import Ledger, Status
from core.redis_server import redis_url
from core.settings import load_settings

QUEUES = ("fetch", "analyse", "suspect", "control", "report")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs.")
def status(*, as_json: bool) -> None:
    """Print queue depths, the oldest waiting commit, today's failures and cost, and each repository's last report."""
    settings = load_settings()
    with redis_url(settings) as url:
        ledger = Ledger(url, settings.zone)
        now = ledger.status(QUEUES)
        reports = {name: str(days[0]) for name in ledger.repositories() if (days := ledger.report_days(name))}
    document = {
        "received": now.received,
        "analysed": now.analysed,
        "waiting": now.waiting,
        "failed": now.failed,
        "oldest_waiting_seconds": now.oldest_waiting_seconds,
        "cost_usd_today": round(now.today.get("cost_usd", 0.0), 6),
        "received_today": int(now.today.get("received", 0)),
        "analysed_today": int(now.today.get("analysed", 0)),
        "failed_today": int(now.today.get("failed", 0)),
        "repeats_today": int(now.today.get("repeats", 0)),
        "leases_lost": now.leases_lost,
        "queues": dict(now.queues),
        "reports": reports,
    }
    click.echo(json.dumps(document, indent=2) if as_json else _text(now, reports))


def _text(now: Status, reports: dict[str, str]) -> str:
    today = {"received": 0.0, "failed": 0.0, "model_calls": 0.0, "cost_usd": 0.0} | dict(now.today)
    lines = [
        f"commits   {now.received} received, {now.analysed} analysed, {now.waiting} waiting, {now.failed} given up",
        f"oldest    {now.oldest_waiting_seconds:.0f} s waiting" if now.waiting else "oldest    nothing waits",
        f"today     {today['received']:.0f} received, {today['failed']:.0f} given up",
        f"model     {today['model_calls']:.0f} calls today, ${today['cost_usd']:.2f}",
        "queues    " + ", ".join(f"{name} {depth}" for name, depth in now.queues.items()),
    ]
    return "\n".join(lines + [f"report    {name}: {day}" for name, day in reports.items()])
