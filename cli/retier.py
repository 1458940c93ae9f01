"""`daybook retier`: a person's judgement of how much a commit matters; it overrules the rules and the model."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cli.checked import load_settings
from cli.failed import printable
from core.errors import DaybookError
from core.ledger import Ledger, Stage
from core.models import REPOSITORY_PATTERN, Correction, Tier
from core.redis_server import redis_url

if TYPE_CHECKING:
    from core.models import CommitRecord

WHY_LIMIT = 300
TITLE_LIMIT = 60
_SHA = re.compile(r"[0-9a-f]{4,64}", re.IGNORECASE)


@click.command()
@click.argument("commit", metavar="OWNER/REPO@SHA")
@click.argument("tier", required=False, type=click.Choice([tier.value for tier in Tier]))
@click.option("--why", metavar="TEXT", help="The reason, in a sentence; the page shows it.")
@click.option("--undo", is_flag=True, help="Take the correction back.")
def retier(commit: str, tier: str | None, why: str | None, *, undo: bool) -> None:
    """Say how much a commit matters, and why; its page is made again.

    What was analysed less deeply than its new tier asks for is analysed again. A sha may be shortened to four digits or
    more. `daybook triage --labels` writes all corrections down.
    """
    name, sha = _target(commit)
    judged = None if undo else _judgement(tier, why)
    if undo and (tier or why):
        raise click.UsageError("--undo takes neither a tier nor --why")
    settings = load_settings()
    with redis_url(settings) as url:
        ledger = Ledger(url, settings.zone, patience_seconds=settings.daybook_lease_seconds)
        try:
            record = _found(ledger, name, sha)
            for line in _corrected(ledger, record, judged) if judged else _taken_back(ledger, record):
                click.echo(line)
        finally:
            ledger.close()


def _target(commit: str) -> tuple[str, str]:
    name, _, sha = commit.rpartition("@")
    if not re.match(REPOSITORY_PATTERN, name) or not _SHA.fullmatch(sha):
        raise click.UsageError(f"{commit!r} is not OWNER/REPO@SHA (a sha's first four digits or more)")
    return name, sha.lower()


def _judgement(tier: str | None, why: str | None) -> Correction:
    reason = " ".join((why or "").split())
    if not tier:
        raise click.UsageError("say which tier it should have: high, medium or low (or --undo)")
    if not reason:
        raise click.UsageError("say why with --why: the page shows it, and the rules are improved by it")
    if len(reason) > WHY_LIMIT:
        raise click.UsageError(f"--why has {len(reason)} characters; {WHY_LIMIT} are shown")
    return Correction(tier=Tier(tier), why=reason, at=datetime.now(UTC))


def _found(ledger: Ledger, name: str, prefix: str) -> CommitRecord:
    """The one commit that is meant; raises DaybookError when there is none, or more than one."""
    repository = next((known for known in ledger.repositories() if known.lower() == name.lower()), None)
    if repository is None:
        raise DaybookError(f"no push to {name} was ever received")
    sha = ledger.find_commit(repository, prefix)
    record = ledger.record(repository, sha) if sha else None
    if record is None:
        raise DaybookError(f"no commit of {repository} that begins with {prefix} is known")
    return record


def _corrected(ledger: Ledger, record: CommitRecord, correction: Correction) -> list[str]:
    was = record.tier
    ledger.correct(record.commit.id, correction)
    judged = f"is confirmed as {was}" if correction.tier == was else f"is {correction.tier} now, it was {was}"
    lines = [f"{_told(record)} {judged}", _page(ledger, record)]
    if record.analysis is None:
        return [*lines, "its analysis is still to come, at that depth"]
    if record.analysis.depth.rank >= correction.tier.rank:
        return lines
    return [*lines, _analysed_again(ledger, record, correction.tier)]


def _analysed_again(ledger: Ledger, record: CommitRecord, tier: Tier) -> str:
    from workers.app import message  # loads Celery, which other corrections do without

    commit_id = record.commit.id
    if ledger.reanalyse(commit_id, message(Stage.FETCH, commit_id)):
        return f"it was analysed at {record.analysis.depth if record.analysis else 'no'} depth: queued again for {tier}"
    return "it is being analysed at this moment already"


def _taken_back(ledger: Ledger, record: CommitRecord) -> list[str]:
    if record.correction is None:
        raise DaybookError(f"{_told(record)} was not corrected")
    ledger.correct(record.commit.id, None)
    tier = record.model_copy(update={"correction": None}).tier
    return [f"{_told(record)} is {tier} again, it was corrected to {record.correction.tier}", _page(ledger, record)]


def _told(record: CommitRecord) -> str:
    commit, title = record.commit, printable(record.commit.title)
    short = title if len(title) <= TITLE_LIMIT else title[: TITLE_LIMIT - 1].rstrip() + "…"
    return f"{commit.repository}@{commit.sha[:10]} ({short})"


def _page(ledger: Ledger, record: CommitRecord) -> str:
    return f"the page of {ledger.day_of(record.commit.landed_at)} is made again at the next look, if it was made before"
