"""`daybook failed`: the commits that were given up on; try them again, or take them off the list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from cli.checked import load_settings
from core.errors import DaybookError
from core.ledger import Ledger, Stage
from core.models import REPOSITORY_PATTERN
from core.redis_server import redis_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.models import CommitRecord

ACTIONS = ("list", "retry", "drop")
TITLE_WIDTH = 60
_SHA = re.compile(r"[0-9a-f]{4,64}", re.IGNORECASE)


@click.command()
@click.argument("words", nargs=-1, metavar="[list|retry|drop] [OWNER/REPO[@SHA]]")
def failed(words: tuple[str, ...]) -> None:
    """List the commits that were given up on (the default), retry them, or drop them from the list.

    What is retried is analysed again and its page written again; what is dropped stays marked on its page.
    """
    action, target = _read(words)
    settings = load_settings()
    with redis_url(settings) as url:
        ledger = Ledger(url, settings.zone, patience_seconds=settings.daybook_lease_seconds)
        try:
            records = _chosen(ledger.failed(), target)
            if action == "list":
                click.echo(listing(records, ledger))
            elif action == "retry":
                click.echo(f"{_counted(_retry(ledger, records))} queued again")
            else:
                click.echo(f"{_counted(ledger.drop([record.commit.id for record in records]))} dropped")
        finally:
            ledger.close()


def _read(words: Sequence[str]) -> tuple[str, str]:
    """The action and whom it is for, "" for all; raises UsageError."""
    action, rest = (words[0], words[1:]) if words and words[0] in ACTIONS else ("list", words)
    if len(rest) > 1:
        raise click.UsageError("give one OWNER/REPO or OWNER/REPO@SHA, after list, retry or drop")
    target = rest[0] if rest else ""
    name, at, sha = target.partition("@")
    if target and (not re.match(REPOSITORY_PATTERN, name) or (at and not _SHA.fullmatch(sha))):
        raise click.UsageError(f"{target!r} is not OWNER/REPO or OWNER/REPO@SHA (a sha's first four digits or more)")
    return action, target.lower()


def _chosen(records: Sequence[CommitRecord], target: str) -> list[CommitRecord]:
    """The given-up commits that are meant; raises DaybookError when something was named that is not there."""
    name, at, sha = target.partition("@")
    found = [
        record
        for record in records
        if (not name or record.commit.repository.lower() == name) and (not at or record.commit.sha.startswith(sha))
    ]
    if target and not found:
        raise DaybookError(f"nothing of {target} is given up on; `daybook failed` lists what is")
    return found


def _retry(ledger: Ledger, records: Sequence[CommitRecord]) -> int:
    from workers.app import messages  # loads Celery, which listing does without

    ids = [record.commit.id for record in records]
    return ledger.reopen(ids, messages(Stage.FETCH, ids))


def _counted(number: int) -> str:
    return f"{number} commit{'' if number == 1 else 's'}"


def listing(records: Sequence[CommitRecord], ledger: Ledger) -> str:
    """Two lines for each commit, oldest failure first: what it is, and where, when and why it ended."""
    lines = []
    for record in records:
        commit, failure = record.commit, record.failure
        title = printable(commit.title)
        lines.append(f"{commit.repository}@{commit.sha[:10]}  {_shortened(title)}")
        if failure:
            when = failure.failed_at.astimezone(ledger.zone)
            lines.append(f"    {failure.stage}, {when:%Y-%m-%d %H:%M}, {failure.attempts} attempts: "
                         f"{printable(failure.reason)}")  # fmt: skip
    return "\n".join(lines) or "nothing is given up on"


def _shortened(title: str) -> str:
    return title if len(title) <= TITLE_WIDTH else title[: TITLE_WIDTH - 1] + "…"


def printable(text: str) -> str:
    """Text of strangers for a terminal: what would move the cursor, colour or turn the line's direction becomes `?`."""
    keep: Callable[[str], bool] = str.isprintable
    return "".join(character if keep(character) else "?" for character in text)
