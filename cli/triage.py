"""`daybook triage`: what the rules make of a clone's commits, as JSON lines; no server, no key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.replay import repository_name
from core.errors import DaybookError, Permanent, Transient
from core.models import Commit
from core.settings import RepositorySettings, load_settings
from report.labels import labels
from workers.facts import facts_from
from workers.gitrepo import GitRepository
from workers.rules import load_rules
from workers.triage import triage as judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.patch import CommitInfo

USUAL = 20


@click.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("shas", nargs=-1, metavar="[SHA…]")
@click.option("--last", type=click.IntRange(1), help=f"The last N commits instead of named ones (default {USUAL}).")
def triage(path: Path, shas: tuple[str, ...], last: int | None) -> None:
    """Judge commits of a clone by the rules alone and print a JSON line for each, oldest first."""
    if shas and last:
        raise click.UsageError("give either SHAs or --last, not both")
    clone = GitRepository(path)
    name = repository_name(path)
    settings = load_settings()
    table = settings.repository(name) or RepositorySettings(name=name)
    rules, words = load_rules(), labels("en")
    for info in _chosen(clone, shas, last or USUAL):
        commit = commit_from(info, name)
        facts = facts_from(commit, clone.diff(info.sha), table.ignore_paths)
        result = judged(commit, facts, rules, table)
        reasons = [words.reason(reason) for reason in result.reasons]
        line = {"sha": info.sha, "tier": result.tier, "type": result.type, "score": result.score, "reasons": reasons}
        click.echo(json.dumps(line, ensure_ascii=False))


def _chosen(clone: GitRepository, shas: Sequence[str], last: int) -> list[CommitInfo]:
    if not shas:
        return [info for landing in clone.first_parent(last=last) for info in landing.commits][-last:]
    try:
        return [clone.commit_info(clone.resolve(sha)) for sha in shas]
    except (Permanent, Transient) as error:
        raise DaybookError(str(error)) from error


def commit_from(info: CommitInfo, repository: str) -> Commit:
    """A clone's commit as the pipeline would have received it, landed when it was committed."""
    return Commit(
        repository=repository,
        sha=info.sha,
        message=info.message,
        author=info.author.name,
        committed_at=info.committed_at,
        landed_at=info.committed_at,
        position=0,
        branch="HEAD",
    )
