"""`daybook changes`: every compatibility change between two commits or days, for whoever upgrades."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from cli.checked import load_settings
from core.errors import DaybookError
from core.ledger import Ledger
from core.redis_server import redis_url
from report.changes_between import Between, NotBetween, between
from report.changes_html import changes_page
from report.changes_json import between_json
from report.changes_markdown import between_markdown
from report.daily import web_site
from report.labels import labels

Form = Literal["md", "html", "json"]


@click.command()
@click.argument("repository", metavar="OWNER/REPO")
@click.option("--from", "start", required=True, metavar="SHA|DAY", help="What you use now: a commit, or a first day.")
@click.option("--to", "end", default="", metavar="SHA|DAY", help="What you go to; without it the last day reported.")
@click.option("--format", "form", type=click.Choice(["md", "html", "json"]), default="md", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead.")
def changes(repository: str, start: str, end: str, form: Form, out: Path | None) -> None:
    """Print what was removed, renamed, given another default or added between two commits or days.

    It is made from the reports that are kept, so that it goes back to the first of them. A day counts whole; of two
    commits the first is left out and the last counts. A sha may be shortened to four digits or more.
    """
    text = _text(_found(repository, start, end), form)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DaybookError(f"{out} cannot be written: {error.strerror}") from error


def _found(repository: str, start: str, end: str) -> Between:
    settings = load_settings()
    with redis_url(settings) as url:
        ledger = Ledger(url, settings.zone)
        try:
            known = {name.lower(): name for name in ledger.repositories()}
            name = known.get(repository.lower())
            if name is None:
                names = ", ".join(known.values()) or "none yet"
                raise DaybookError(f"nothing was ever received of {repository}; known repositories: {names}")
            site = web_site(settings.web_url(name), name)
            return between(ledger, name, start, end, language=settings.language_of(name), commit_url=site)
        except NotBetween as wrong:
            raise DaybookError(wrong.told(labels("en"))) from None
        finally:
            ledger.close()


def _text(found: Between, form: Form) -> str:
    if form == "json":
        return between_json(found).decode()
    if form == "html":
        return changes_page(found.repository, found.language, found=found)
    return between_markdown(found)
