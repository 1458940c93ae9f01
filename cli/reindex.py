"""`daybook reindex`: make this host's search index again from the ledger, while the site goes on with the old one."""

from __future__ import annotations

import time

import click

from cli.checked import load_settings
from core.errors import DaybookError
from core.ledger import Ledger
from core.redis_server import redis_url
from report.search.keeper import IndexUnavailableError, Keeper


@click.command()
def reindex() -> None:
    """Make this host's search index again from the ledger.

    The index keeps itself up to date; this is for one that is damaged in a way that nothing noticed. The site goes on
    with the old one until the new one is whole.
    """
    settings = load_settings()
    began = time.monotonic()
    with redis_url(settings) as url:
        ledger = Ledger(url, settings.zone)
        try:
            commits, days = Keeper(ledger, settings.daybook_home).rebuild()
        except IndexUnavailableError as error:
            raise DaybookError(f"the index in {settings.daybook_home / 'search'} cannot be written: {error}") from error
        finally:
            ledger.close()
    click.echo(f"commits: {commits}, days: {days}, seconds: {time.monotonic() - began:.1f}")
