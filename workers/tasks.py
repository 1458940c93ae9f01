"""The whole pipeline on one screen: fetch ▸ triage ▸ analyse ▸ notify, the sweep behind it, and the close of each day.

A push is recorded by the webhook, which queues `fetch` for each new commit. Messages carry ids only; what is to be done
stands in the ledger, so a task without work there does nothing, and work without a task is found by the sweep. The code
of rounds is loaded by the first of them: a process that only fetches and analyses does without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.ledger import SUSPECT_QUEUE, Stage
from workers.app import app, messages, wake
from workers.celeryconfig import (
    BATCH_LIMIT_SECONDS,
    NOTIFY_LIMIT_SECONDS,
    PUBLISH_LIMIT_SECONDS,
    SUSPECT_LIMIT_SECONDS,
)
from workers.onward import work_on
from workers.services import current
from workers.stages import analyse_commit, fetch_commit, give_up, poison_reason, run

if TYPE_CHECKING:
    from celery.app.task import Task

STAGES = {Stage.FETCH: fetch_commit, Stage.ANALYSE: analyse_commit}


@app.task(name="daybook.fetch")
def fetch(commit_id: str) -> None:
    """Read a commit's diff, find its facts, judge its tier. Next: `analyse`; at once, where no model is asked."""
    work_on(current(), commit_id, Stage.FETCH, STAGES)


@app.task(name="daybook.analyse")
def analyse(commit_id: str) -> None:
    """Write a commit's analysis. Next: `notify`, and its day's report, at `close_days`."""
    work_on(current(), commit_id, Stage.ANALYSE, STAGES)


@app.task(name="daybook.suspect", bind=True, time_limit=SUSPECT_LIMIT_SECONDS)
def suspect(self: Task[[], None]) -> None:
    """Work alone, in a child process, on a commit whose worker died with it. Next: the next suspect."""
    if claim := current().ledger.claim_suspect(str(self.request.id)):
        run(current(), claim, STAGES[claim.stage])
        current().ledger.enqueue(SUSPECT_QUEUE, [wake("suspect")])


@app.task(name="daybook.notify", time_limit=NOTIFY_LIMIT_SECONDS)
def notify() -> None:
    """Tell of finished commits, of what became of them and of each day, in the channels that the settings name."""
    from workers import rounds

    rounds.notify_due(current())


@app.task(name="daybook.sweep")
def sweep() -> None:
    """Queue again whatever is due and not done, and give up what keeps killing its worker."""
    swept = current().ledger.sweep()
    for stage in Stage:
        current().ledger.enqueue(stage, messages(stage, [commit_id for commit_id, at in swept.due if at is stage]))
    for claim in swept.poison:
        give_up(current(), claim, poison_reason(claim))
    current().ledger.enqueue(SUSPECT_QUEUE, [wake("suspect") for _ in range(swept.wake)])


@app.task(name="daybook.close_days")
def close_days() -> None:
    """Assemble the report of each day that is over, and again when a late commit is done. Next: `publish`."""
    from workers import rounds

    rounds.close_due_days(current())


@app.task(name="daybook.publish", time_limit=PUBLISH_LIMIT_SECONDS)
def publish() -> None:
    """Bring the reports that were written to GitHub and into mails, where their repositories ask for it."""
    from workers import rounds

    rounds.publish_due(current())


@app.task(name="daybook.poll")
def poll() -> None:
    """Look for new commits where no webhook tells of them. Next: `fetch`."""
    from workers import rounds

    rounds.poll_due(current())


@app.task(name="daybook.reconcile")
def reconcile() -> None:
    """Compare each followed repository with its source, hourly: what no push told of is queued. Next: `fetch`."""
    from workers import rounds

    rounds.reconcile_due(current())


@app.task(name="daybook.batch", time_limit=BATCH_LIMIT_SECONDS)
def batch() -> None:
    """Send the commits that wait for a batch and fetch the answers of those sent before. Next: `analyse`."""
    from workers import rounds

    rounds.work_on_batches(current())


@app.task(name="daybook.watch")
def watch() -> None:
    """Tell somebody what is wrong, once, and once more when it has cleared."""
    from workers import rounds

    rounds.watch(current())


@app.task(name="daybook.expire")
def expire() -> None:
    """Let go of the records of commits whose report was kept for long enough, once a day."""
    from workers import rounds

    rounds.expire_due(current())
