"""Corrections as labels: what people said of commits, one JSON object a line, for `python -m bench.triage`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cli.checked import load_settings
from core.errors import DaybookError
from core.ledger import Ledger
from core.redis_server import redis_url

if TYPE_CHECKING:
    from core.models import CommitRecord, Correction


def label_lines(repository: str | None) -> list[str]:
    """A line for each correction of one repository or of all; a commit whose record has expired has none.

    Raises DaybookError when Redis does not answer, or the repository is not known.
    """
    settings = load_settings()
    with redis_url(settings) as url:
        ledger = Ledger(url, settings.zone)
        try:
            return _lines(ledger, _known(ledger, repository) if repository else None)
        finally:
            ledger.close()


def _known(ledger: Ledger, name: str) -> str:
    found = next((known for known in ledger.repositories() if known.lower() == name.lower()), None)
    if found is None:
        raise DaybookError(f"no push to {name} was ever received")
    return found


def _lines(ledger: Ledger, repository: str | None) -> list[str]:
    lines = []
    for commit_id, correction in ledger.corrections(repository).items():
        name, _, sha = commit_id.rpartition("@")
        if record := ledger.record(name, sha):
            lines.append(_line(record, correction))
    return lines


def _line(record: CommitRecord, correction: Correction) -> str:
    facts = record.facts
    label = {
        "sha": record.commit.sha,
        "title": record.commit.title,
        "tier": correction.tier,
        "type": record.triage.type if record.triage else "chore",
        "reason": correction.why,
        "files": facts.files if facts else 0,
        "additions": facts.additions if facts else 0,
        "deletions": facts.deletions if facts else 0,
    }
    return json.dumps(label, ensure_ascii=False)
