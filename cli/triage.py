"""`daybook triage`: what the rules make of a clone's commits, or people's corrections, as JSON lines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.checked import load_settings
from cli.labels import label_lines
from cli.replay import repository_name
from core.errors import DaybookError, Permanent, Transient
from core.models import REPOSITORY_PATTERN, Commit
from core.settings import RepositorySettings
from report.labels import labels
from workers.facts import facts_from
from workers.gitrepo import GitRepository
from workers.rules import rules_for
from workers.triage import triage as judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.settings import Settings
    from workers.patch import CommitInfo

USUAL = 20


@click.command()
@click.argument("words", nargs=-1, metavar="PATH [SHA…]")
@click.option("--last", type=click.IntRange(1), help=f"The last N commits instead of named ones (default {USUAL}).")
@click.option("--name", metavar="OWNER/REPO", help="Whose table of daybook.toml to judge by (default: the clone's).")
@click.option("--labels", "as_labels", is_flag=True, help="Write the corrections kept here (of OWNER/REPO) as labels.")
def triage(words: tuple[str, ...], last: int | None, name: str | None, *, as_labels: bool) -> None:
    """Judge commits of a clone by the rules alone and print a JSON line for each, oldest first.

    They are judged by the table of daybook.toml that --name names; without it, by the one whose `source` is PATH, or
    that has the name of the clone's GitHub origin. No server and no key is needed. With --labels [OWNER/REPO], print
    what `daybook retier` was told instead.
    """
    if as_labels:
        if last or name or len(words) > 1 or not all(re.match(REPOSITORY_PATTERN, word) for word in words):
            raise click.UsageError("--labels takes one OWNER/REPO, or nothing for all")
        for line in label_lines(words[0] if words else None):
            click.echo(line)
        return
    if not words:
        raise click.UsageError("give the path of a clone")
    if name and not re.match(REPOSITORY_PATTERN, name):
        raise click.UsageError(f"--name {name!r} is not OWNER/REPO")
    if words[1:] and last:
        raise click.UsageError("give either SHAs or --last, not both")
    _judge(Path(words[0]), words[1:], last or USUAL, name)


def _judge(path: Path, shas: Sequence[str], last: int, name: str | None) -> None:
    if not path.is_dir():
        raise click.UsageError(f"the folder {str(path)!r} does not exist")
    clone = GitRepository(path)
    table = _table(load_settings(), path, name)
    rules, words = rules_for(table), labels("en")
    for info in _chosen(clone, shas, last):
        commit = commit_from(info, table.name)
        facts = facts_from(commit, clone.diff(info.sha), table.ignore_paths, table.watch.paths)
        result = judged(commit, facts, rules, table)
        reasons = [words.reason(reason) for reason in result.reasons]
        line = {"sha": info.sha, "tier": result.tier, "type": result.type, "score": result.score, "reasons": reasons}
        click.echo(json.dumps(line, ensure_ascii=False))


def _table(settings: Settings, path: Path, name: str | None) -> RepositorySettings:
    """The table to judge a clone by; the defaults where none is its own. Raises DaybookError when --name has none."""
    if name:
        if table := settings.repository(name):
            return table
        raise DaybookError(f"{settings.daybook_config} has no [[repository]] {name}")
    for table in settings.daybook_repositories:
        if table.source != "github" and Path(table.source).resolve() == path.resolve():
            return table
    found = repository_name(path)
    return settings.repository(found) or RepositorySettings(name=found)


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
