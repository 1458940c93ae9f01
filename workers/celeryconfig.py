"""Celery's settings: Redis carries ids only, the ledger is the truth."""

from __future__ import annotations

SWEEP_SECONDS = 2.0
CLOSE_DAYS_SECONDS = 15.0
SUSPECT_LIMIT_SECONDS = 600  # a suspect's child process is killed after this

broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_transport_options = {"socket_connect_timeout": 5, "socket_keepalive": True, "health_check_interval": 10}

task_serializer = "json"
accept_content = ["json"]
task_ignore_result = True
task_store_errors_even_if_ignored = False
# Acknowledged before the work: what a dead worker held is found by its lease, in seconds instead of an hour.
task_acks_late = False
worker_prefetch_multiplier = 1
task_create_missing_queues = True
task_routes = {
    "daybook.fetch": {"queue": "fetch"},
    "daybook.analyse": {"queue": "analyse"},
    "daybook.suspect": {"queue": "suspect"},
    "daybook.sweep": {"queue": "control"},
    "daybook.close_days": {"queue": "report"},
}

worker_hijack_root_logger = False
worker_redirect_stdouts = False
worker_send_task_events = False
worker_enable_remote_control = False
worker_cancel_long_running_tasks_on_connection_loss = False

beat_schedule = {
    "sweep": {"task": "daybook.sweep", "schedule": SWEEP_SECONDS, "options": {"expires": 10}},
    "close_days": {"task": "daybook.close_days", "schedule": CLOSE_DAYS_SECONDS, "options": {"expires": 60}},
}
beat_scheduler = "workers.beat:Scheduler"
beat_max_loop_interval = 5
