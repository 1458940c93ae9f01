"""Celery's settings: Redis carries ids only, the ledger is the truth."""

from __future__ import annotations

SWEEP_SECONDS = 2.0
CLOSE_DAYS_SECONDS = 5.0
WATCH_SECONDS = 30.0
POLL_ROUND_SECONDS = 10.0  # how often it is looked whose turn it is
RECONCILE_ROUND_SECONDS = 30.0
BATCH_ROUND_SECONDS = 30.0
PUBLISH_ROUND_SECONDS = 10.0
EXPIRE_ROUND_SECONDS = 300.0
NOTIFY_ROUND_SECONDS = 1.0
SUSPECT_LIMIT_SECONDS = 960  # a suspect's child process is killed after this: more than any stage's deadline
BATCH_LIMIT_SECONDS = 420  # so is a round over the batches: more than its own bounds add up to
NOTIFY_LIMIT_SECONDS = 300  # and a round of telling, whose last search through a channel's history takes some requests
PUBLISH_LIMIT_SECONDS = 600  # and a round of publishing, whose last day may begin at the end of its time

broker_connection_retry_on_startup = True
broker_connection_max_retries = None
# Who waits in BRPOP for a Redis that stands still, and may have a successor by then, hangs up 1 + 2 × 3 s later.
broker_transport_options = {
    "socket_connect_timeout": 5, "socket_timeout": 15, "health_check_interval": 3,
    # It would take two transactions a message, and one that fails while Redis is away takes a place of the prefetch
    # limit for ever: with all places taken, a worker idled until it was restarted. What a dead worker had is found by
    # the ledger, and much sooner.
    "ack_emulation": False,
}  # fmt: skip

task_serializer = "json"
accept_content = ["json"]
task_ignore_result = True
task_store_errors_even_if_ignored = False
# Acknowledged before the work: what a dead worker held is found by its lease, in seconds instead of an hour.
task_acks_late = False
worker_lost_wait = 2.0  # seconds between a child's death and the proof of it
worker_autoscaler = "workers.children:Children"  # of the control worker alone
worker_proc_alive_timeout = 30.0  # a busy machine starts a child late; killing it for that helps nobody
worker_prefetch_multiplier = 1
worker_disable_prefetch = True  # what waits, waits in Redis, where any thread or host may take it
task_create_missing_queues = True
task_routes = {
    "daybook.fetch": {"queue": "fetch"},
    "daybook.analyse": {"queue": "analyse"},
    "daybook.suspect": {"queue": "suspect"},
    "daybook.sweep": {"queue": "control"},
    "daybook.close_days": {"queue": "report"},
    "daybook.publish": {"queue": "publish"},
    "daybook.poll": {"queue": "upstream"},
    "daybook.reconcile": {"queue": "upstream"},
    "daybook.batch": {"queue": "upstream"},
    "daybook.watch": {"queue": "control"},
    "daybook.expire": {"queue": "report"},
    "daybook.notify": {"queue": "notify"},
}

QUEUES = tuple(dict.fromkeys(route["queue"] for route in task_routes.values()))

worker_hijack_root_logger = False
worker_redirect_stdouts = False
worker_send_task_events = False
worker_enable_remote_control = False
# Either does nothing here, with tasks acknowledged early and nothing prefetched, but a paragraph of advice is logged at
# each lost connection without the one, a line without the other.
worker_cancel_long_running_tasks_on_connection_loss = True
worker_enable_prefetch_count_reduction = False

beat_schedule = {
    "sweep": {"task": "daybook.sweep", "schedule": SWEEP_SECONDS, "options": {"expires": 10}},
    "close_days": {"task": "daybook.close_days", "schedule": CLOSE_DAYS_SECONDS, "options": {"expires": 60}},
    "publish": {"task": "daybook.publish", "schedule": PUBLISH_ROUND_SECONDS, "options": {"expires": 30}},
    "poll": {"task": "daybook.poll", "schedule": POLL_ROUND_SECONDS, "options": {"expires": 20}},
    "reconcile": {"task": "daybook.reconcile", "schedule": RECONCILE_ROUND_SECONDS, "options": {"expires": 60}},
    "batch": {"task": "daybook.batch", "schedule": BATCH_ROUND_SECONDS, "options": {"expires": 30}},
    "watch": {"task": "daybook.watch", "schedule": WATCH_SECONDS, "options": {"expires": 30}},
    "expire": {"task": "daybook.expire", "schedule": EXPIRE_ROUND_SECONDS, "options": {"expires": 60}},
    "notify": {"task": "daybook.notify", "schedule": NOTIFY_ROUND_SECONDS, "options": {"expires": 5}},
}
beat_max_loop_interval = 5
