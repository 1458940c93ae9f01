"""Builders of pushes and commits for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from core.models import Commit, Push

REPOSITORY = "octocat/hello-world"
LANDED = datetime(2026, 2, 17, 4, 0, tzinfo=UTC)


def sha(number: int) -> str:
    """A sha that is different for each number."""
    return f"{number:040x}"


def commit(number: int, *, landed_at: datetime = LANDED, position: int = 0, message: str = "") -> Commit:
    """A commit of its own sha."""
    return Commit(
        repository=REPOSITORY,
        sha=sha(number),
        message=message or f"Change number {number}",
        author="The Octocat",
        committed_at=landed_at - timedelta(minutes=1),
        landed_at=landed_at,
        position=position,
        branch="main",
    )


def push(
    numbers: Sequence[int], *, landed_at: datetime = LANDED, delivery: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
) -> Push:
    """A push of numbered commits, oldest first."""
    commits = tuple(commit(number, landed_at=landed_at, position=place) for place, number in enumerate(numbers))
    return Push(repository=REPOSITORY, branch="main", before=sha(0), after=commits[-1].sha if commits else sha(0),
                pushed_at=landed_at, delivery=delivery, commits=commits)  # fmt: skip
