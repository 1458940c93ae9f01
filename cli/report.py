"""`daybook report`: assemble a day's report now and print it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.checked import load_settings
from core.days import day_from
from core.errors import DaybookError
from core.ledger import Ledger
from core.ledger.fragments import FORMS, Form
from core.redis_server import redis_url
from report.json import report_json
from report.markdown import markdown_bytes
from workers.assembling import assembled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report.daily import DailyReport


class Day(click.ParamType[date]):
    """A calendar day as YYYY-MM-DD."""

    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read the day, or say what one looks like."""
        try:
            return day_from(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("repository", metavar="OWNER/REPO")
@click.argument("day", type=Day())
@click.option("--format", "form", type=click.Choice(FORMS), default="md", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead.")
def report(repository: str, day: date, form: Form, out: Path | None) -> None:
    """Assemble a day's report from what is known now and print it."""
    settings = load_settings()
    with redis_url(settings) as url:
        ledger = Ledger(url, settings.zone)
        known = {name.lower(): name for name in ledger.repositories()}
        if repository.lower() not in known:
            names = ", ".join(known.values()) or "none yet"
            raise DaybookError(f"nothing was ever received of {repository}; known repositories: {names}")
        page = [assembled(ledger, settings, known[repository.lower()], day, (form,), closing=False)]
    content = _written(page, form)
    if out is None:
        click.echo(content, nl=False)
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        raise DaybookError(f"{out} cannot be written: {error.strerror}") from error


def _written(page: Sequence[DailyReport], form: Form) -> bytes:
    if form == "html":
        from report.html import html_bytes  # loads the templates, which the other forms do without

        return html_bytes(page)
    return markdown_bytes(page) if form == "md" else report_json(page)
