"""What the control worker does in rounds, in one place: its children share the code, other workers do without it."""

from __future__ import annotations

from workers.alerts import watch
from workers.batches import work_on_batches
from workers.days import close_due_days
from workers.follow import poll_due, reconcile_due
from workers.notify import notify_due
from workers.publish import publish_due
from workers.retention import expire_due

__all__ = [
    "close_due_days", "expire_due", "notify_due", "poll_due", "publish_due", "reconcile_due", "watch",
    "work_on_batches",
]  # fmt: skip
