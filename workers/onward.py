"""A worker's thread that is done with a commit takes the next one itself, as long as any waits in its queues.

Celery's way for a message (a round trip of its own, an object for each layer, a thread that is woken) costs more than
most stages do. So it only wakes threads: whoever is awake goes on, and whatever nobody has taken wakes another.

There are more threads than places for analyses, most of which wait for the model: who has no place fetches meanwhile.
There are a few more places than calls that may be under way (`messages_api.py`), so that a call that ends is followed
at once by one that was made ready.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from celery.worker import state

from core.ledger import Claim, Stage
from workers.app import message, opening
from workers.stages import run

if TYPE_CHECKING:
    from workers.services import Services

WAIT_SECONDS = 0.5  # for a place, until the thread looks again for something to fetch

Stages = Mapping[Stage, Callable[["Services", Claim], bool]]


class _Place:
    """One thread's place among those that analyse; it may have none."""

    def __init__(self, places: threading.Semaphore) -> None:
        self._places = places
        self._taken = False

    def take(self, seconds: float = 0.0) -> bool:
        """Whether there is one within some seconds; it is this thread's then."""
        self._taken = self._taken or self._places.acquire(timeout=seconds)
        return self._taken

    def close(self) -> None:
        """Leave it to others."""
        if self._taken:
            self._taken = False
            self._places.release()


def work_on(services: Services, commit_id: str, stage: Stage, stages: Stages) -> None:
    """Work on one commit's stage, if there is anything to do, and then on what waits in this process's queues."""
    with closing(_Place(services.places)) as place:
        if stage is Stage.ANALYSE and not _have_place(services, place, stages):
            services.ledger.enqueue(stage, [message(stage, commit_id)])
            return
        claim = services.ledger.claim(commit_id, stage)
        while claim:
            run(services, claim, stages[claim.stage])
            place.close()
            claim = None if _stopping() else _next(services, place)


def _have_place(services: Services, place: _Place, stages: Stages) -> bool:
    """Wait until there is a place, and fetch meanwhile; False when the worker is to stop before."""
    while not place.take():
        if _stopping():
            return False
        if claim := _taken(services, {Stage.FETCH}.intersection(services.stages)):
            run(services, claim, stages[claim.stage])
        else:
            place.take(WAIT_SECONDS)
    return True


def _next(services: Services, place: _Place) -> Claim | None:
    """The next commit to be analysed while there is a place, for the model is what takes long; else to be fetched."""
    possible = [stage for stage in services.stages if stage is not Stage.ANALYSE or place.take()]
    claim = _taken(services, sorted(possible, key=lambda stage: stage is not Stage.ANALYSE))
    if claim is None or claim.stage is not Stage.ANALYSE:
        place.close()
    return claim


def _taken(services: Services, stages: Iterable[Stage]) -> Claim | None:
    queues = [(stage, opening(stage)) for stage in stages]
    return services.ledger.take(queues) if queues else None


def _stopping() -> bool:
    """Whether Celery was told to end this worker; it waits for the tasks that run. 0 is an exit code, not a no."""
    return any(told is not None and told is not False for told in (state.should_stop, state.should_terminate))
