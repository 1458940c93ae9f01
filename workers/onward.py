"""A worker's thread that is done with a commit takes the next one itself, as long as any waits in its queues.

Celery's way for a message (a round trip of its own, an object for each layer, a thread that is woken) costs more than
most stages do. So it only wakes threads: whoever is awake goes on, and whatever nobody has taken wakes another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from celery.worker import state

from core.ledger import Claim, Stage
from workers.app import opening
from workers.stages import run

if TYPE_CHECKING:
    from workers.services import Services

Stages = Mapping[Stage, Callable[["Services", Claim], bool]]


def work_on(services: Services, commit_id: str, stage: Stage, stages: Stages) -> None:
    """Work on one commit's stage, if there is anything to do, and then on what waits in this process's queues."""
    claim = services.ledger.claim(commit_id, stage)
    while claim:
        run(services, claim, stages[claim.stage])
        claim = None if _stopping() else _next(services, claim.stage)


def _next(services: Services, after: Stage) -> Claim | None:
    """The next commit, of another stage first, so that none of them waits for the end of the other's queue."""
    turn = sorted(services.stages, key=lambda stage: stage is after)
    return services.ledger.take([(stage, opening(stage)) for stage in turn]) if turn else None


def _stopping() -> bool:
    """Whether Celery was told to end this worker; it waits for the tasks that run."""
    return any(told is not None and told is not False for told in (state.should_stop, state.should_terminate))
