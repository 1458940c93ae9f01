"""`daybook backfill`: asks the source what landed in a span and queues what the ledger lacks."""

from __future__ import annotations

import re
from datetime import date, timedelta

import click

from cli.checked import load_settings
from cli.replay import Moment, moment_from, start_of
from cli.report import Day
from core.errors import DaybookError
from core.models import REPOSITORY_PATTERN
from core.redis_server import redis_url
from workers.follow import has_source
from workers.reconcile import Reconciled
from workers.reconcile import backfill as backfilled
from workers.services import connect


@click.command()
@click.argument("repository", metavar="OWNER/REPO")
@click.option("--day", type=Day(), help="What landed on one day in REPORT_TIMEZONE.")
@click.option("--since", type=Moment(), help="What landed from this date or time on.")
@click.option("--until", type=Moment(), help="What landed up to the end of this date, or before this time.")
def backfill(repository: str, day: date | None, since: str | None, until: str | None) -> None:
    """Ask GitHub (or the clone that daybook.toml names) what landed, and queue what is not known yet."""
    if (day is None) == (since is None) or (day and until):
        raise click.UsageError("give --day, or --since with or without --until")
    if not re.fullmatch(REPOSITORY_PATTERN, repository):
        raise click.UsageError(f"{repository!r} is not OWNER/REPO")
    settings = load_settings()
    zone = settings.zone
    start = start_of(day, zone) if day else moment_from(since or "", zone)
    end = start_of(day + timedelta(days=1), zone) if day else moment_from(until, zone, end=True) if until else None
    if end and end <= start:
        raise click.UsageError("--until is before --since")
    with redis_url(settings) as url:
        services = connect(settings, url)
        if not has_source(services, repository):
            raise DaybookError(f"{repository} has no source: name it in {settings.daybook_config}")
        click.echo(_told(backfilled(services, repository, start, end)))


def _told(result: Reconciled) -> str:
    """What came of it; raises DaybookError when the source failed."""
    counts = f"found {result.found}, queued {result.queued}, known {result.known}"
    if not result.ok:
        raise DaybookError(f"{result.why}; until then {counts}: run it again, what is known is not queued twice")
    line = f"{result.repository}: {counts} (branch {', '.join(result.asked)} on {result.source})"
    if not result.queued:
        return line
    return f"{line}\nRunning workers (`daybook up`) analyse what is queued and then make its days' pages again."
