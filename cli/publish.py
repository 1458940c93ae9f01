"""`daybook publish`: bring a day's report to where its repository's settings say, now."""

from __future__ import annotations

import re
from datetime import date

import click

from cli.checked import load_settings
from cli.report import Day
from core.errors import DaybookError, Transient
from core.models import REPOSITORY_PATTERN
from core.redis_server import redis_url
from workers.publish import publish_by_hand, targets
from workers.services import connect


@click.command()
@click.argument("repository", metavar="OWNER/REPO")
@click.argument("day", type=Day())
def publish(repository: str, day: date) -> None:
    """Publish a day's kept report as its table of daybook.toml says: issue, commit, mail; what stands is updated."""
    if not re.match(REPOSITORY_PATTERN, repository):
        raise click.UsageError(f"{repository!r} is not OWNER/REPO")
    settings = load_settings()
    with redis_url(settings) as url:
        services = connect(settings, url)
        known = {name.lower(): name for name in services.ledger.repositories()}
        name = known.get(repository.lower(), repository)
        if services.ledger.report(name, day) is None:
            raise DaybookError(f"no report of {day} is kept for {name}; a report is kept when its day is closed")
        if not targets(settings, name):
            raise DaybookError(f"{name} is published as files only; set `publish` or `mail_to` in daybook.toml")
        try:
            done = publish_by_hand(services, name, day)
        except Transient as error:
            raise DaybookError(f"{error}; try again in a minute") from error
    for target, said, _ in done:
        click.echo(f"{target}: {said}")
    if any(failed for *_, failed in done):
        raise click.exceptions.Exit(1)
