"""GET /metrics: Daybook's figures as Prometheus reads them, right under any number of processes and hosts.

The counters live in Redis, so that every web process tells the same; https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from datetime import time as clock
from typing import TYPE_CHECKING

import redis
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from core.ledger import BUCKETS, Stage
from report.site import refusal
from webhook.breaker import Breaker, RedisUnavailable
from workers.celeryconfig import QUEUES

if TYPE_CHECKING:
    from core.ledger import Ledger, Meters, OutboxState, Spending, StageMeter
    from core.outage import Outage
    from core.settings import Settings
    from report.throttle import Throttle

FLUSH_SECONDS = 5.0

# Counters of the ledger's totals: their names there, here, and what they count.
_TOTALS = {
    "received": ("commits_received", "Commits recorded from pushes, polls and backfills, each once."),
    "known": ("commits_duplicate", "Commits that were told of again and were known already."),
    "analysed": ("commits_analysed", "Commits whose analysis was stored."),
    "failed": ("commits_given_up", "Commits that were given up on, each time."),
    "leases_lost": ("leases_lost", "Leases that ran out without an outcome: their worker died or hung."),
    "repeats": ("analyses_repeated", "Analyses stored for a commit that had lost a lease before."),
    "model_calls": ("model_calls", "Calls of the model."),
}


class Refusals:
    """Deliveries that were refused, counted here and added to the ledger every few seconds by a thread.

    The refusal of a stranger's request costs Redis nothing, and counts go on while Redis is away. What a killed process
    had not added yet is lost.
    """

    def __init__(self, ledger: Ledger, interval: float = FLUSH_SECONDS) -> None:
        self._ledger = ledger
        self._interval = interval
        self._guard = threading.Lock()
        self._counts: Counter[int] = Counter()
        self._missigned = 0
        self._thread: threading.Thread | None = None

    def count(self, status: int, *, missigned: bool = False) -> None:
        """Count one, which may have had a wrong signature; does not wait for anything."""
        with self._guard:
            self._counts[status] += 1
            self._missigned += missigned
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._keep_flushing, name="refusals", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Add what was counted to the ledger; on a failure it is kept for the next time."""
        with self._guard:
            counts, self._counts = self._counts, Counter()
            missigned, self._missigned = self._missigned, 0
        if not counts:
            return
        try:
            self._ledger.refused(counts, missigned)
        except redis.RedisError:
            with self._guard:
                self._counts.update(counts)
                self._missigned += missigned

    def _keep_flushing(self) -> None:
        while True:
            time.sleep(self._interval)
            self.flush()


def create_metrics(
    ledger: Ledger, settings: Settings, throttle: Throttle, refusals: Refusals, outage: Outage
) -> Blueprint:
    """The route that Prometheus scrapes: open on loopback, else with SITE_PASSWORD, even where the pages are public."""
    blueprint = Blueprint("metrics", __name__)
    breaker = Breaker(outage)
    private = settings.model_copy(update={"site_public": False})

    @blueprint.get("/metrics")
    def metrics() -> Response:
        if refused := refusal(private, throttle):
            return refused
        refusals.flush()
        try:
            meters, outboxes = breaker.call(lambda: (ledger.meters(QUEUES), ledger.outboxes()))
        except RedisUnavailable as error:
            return Response(f"# Redis is unavailable: {error}\n", 503, content_type="text/plain; charset=utf-8")
        midnight = {name: _midnight(ledger, last.day) for name, last in meters.reports.items() if last.day}
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families(meters, midnight, settings.daybook_daily_budget_usd, outboxes))
        response = Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
        response.headers["Cache-Control"] = "no-store"
        return response

    return blueprint


def _midnight(ledger: Ledger, day: date) -> float:
    return datetime.combine(day, clock.min, tzinfo=ledger.zone).timestamp()


class _Families(Collector):
    """The ledger's figures of one moment as metric families."""

    def __init__(
        self, meters: Meters, midnight: Mapping[str, float], budget: float | None, outboxes: Mapping[str, OutboxState]
    ) -> None:
        self._meters = meters
        self._outboxes = outboxes
        self._midnight = midnight
        self._budget = budget

    def describe(self) -> list[Metric]:
        """Nothing: what is there is known only at the scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family, in the order of the flow."""
        yield from _totals(self._meters)
        yield from _spent(self._meters.spent)
        yield from _budget(self._meters, self._budget)
        yield from _stages(self._meters.stages)
        yield from _now(self._meters)
        yield from _reports(self._meters, self._midnight)
        yield from _notices(self._outboxes)
        yield from _processes(self._meters)


def _totals(meters: Meters) -> Iterator[Metric]:
    for key, (name, text) in _TOTALS.items():
        yield CounterMetricFamily(f"daybook_{name}", text, value=meters.total(key))
    refused = CounterMetricFamily(
        "daybook_deliveries_refused", "Webhook requests answered with an error, by HTTP status.", labels=["status"]
    )
    for status, count in sorted(meters.refused.items()):
        refused.add_metric([str(status)], count)
    yield refused


def _spent(spent: Spending) -> Iterator[Metric]:
    """At most 200 repositories by name; the ledger counts the rest as `other`."""
    text = "Tokens of model calls: input (fresh), cached (read from the cache), written (to the cache), output."
    tokens = CounterMetricFamily("daybook_model_tokens", text, labels=["repository", "tier", "kind"])
    text = "Dollars spent on the model, by the price table."
    cost = CounterMetricFamily("daybook_model_cost_usd", text, labels=["repository", "tier"])
    for (repository, tier), usage in spent.items():
        tokens.add_metric([repository, tier, "input"], usage.input_tokens)
        tokens.add_metric([repository, tier, "cached"], usage.cached_tokens)
        tokens.add_metric([repository, tier, "written"], usage.cache_write_tokens)
        tokens.add_metric([repository, tier, "output"], usage.output_tokens)
        cost.add_metric([repository, tier], usage.cost_usd)
    yield from (tokens, cost)


def _budget(meters: Meters, budget: float | None) -> Iterator[Metric]:
    if budget is not None:
        yield GaugeMetricFamily("daybook_budget_usd", "Dollars that the model may cost in a day.", value=budget)
    yield GaugeMetricFamily(
        "daybook_budget_spent_usd", "Dollars that the model cost since midnight in the report's time zone.",
        value=meters.today.get("cost_usd", 0.0),
    )  # fmt: skip
    text = "Analyses made shallower by the budget: to medium depth, or to rules."
    degraded = CounterMetricFamily("daybook_budget_degraded", text, labels=["to"])
    for depth, count in meters.degraded.items():
        degraded.add_metric([depth], count)
    yield degraded


def _stages(stages: Mapping[Stage, StageMeter]) -> Iterator[Metric]:
    text = (
        "What became of a stage's work: done, put_off (a retry that counts), paused (a limit that holds for all), "
        "given_up, lost (its lease ran out)."
    )
    outcomes = CounterMetricFamily("daybook_stage_outcomes", text, labels=["stage", "outcome"])
    crashes = CounterMetricFamily("daybook_stage_crashes", "Faults of Daybook's own in a stage.", labels=["stage"])
    seconds = HistogramMetricFamily(
        "daybook_stage_duration_seconds", "How long runs of a stage took, whatever became of them.", labels=["stage"]
    )
    for stage, meter in stages.items():
        for outcome, count in meter.outcomes.items():
            outcomes.add_metric([stage, outcome], count)
        crashes.add_metric([stage], meter.crashes)
        seconds.add_metric([stage], _cumulative(meter.durations), meter.seconds)
    yield from (outcomes, crashes, seconds)
    yield _gauge("stage_waiting", "Commits that stand in a stage, running or waiting.", stages, lambda m: m.waiting)
    yield _gauge(
        "stage_oldest_seconds", "Age of the oldest commit in a stage, since it was received.", stages,
        lambda m: m.oldest_seconds,
    )  # fmt: skip


def _gauge(
    name: str, text: str, stages: Mapping[Stage, StageMeter], value: Callable[[StageMeter], float]
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"daybook_{name}", text, labels=["stage"])
    for stage, meter in stages.items():
        gauge.add_metric([stage], value(meter))
    return gauge


def _cumulative(durations: tuple[int, ...]) -> list[tuple[str, float]]:
    """Prometheus's buckets: each counts what is at most as long as its bound."""
    bounds = [*map(str, BUCKETS), "+Inf"]
    return [(bound, float(sum(durations[: place + 1]))) for place, bound in enumerate(bounds)]


def _now(meters: Meters) -> Iterator[Metric]:
    depth = GaugeMetricFamily("daybook_queue_messages", "Messages in a queue of the broker.", labels=["queue"])
    for queue, length in meters.queues.items():
        depth.add_metric([queue], length)
    yield depth
    yield GaugeMetricFamily("daybook_commits_waiting", "Commits received and not finished.", value=meters.waiting)
    yield GaugeMetricFamily(
        "daybook_commits_failed", "Commits given up on, neither retried nor dropped.", value=meters.failed
    )
    batch = GaugeMetricFamily(
        "daybook_commits_in_batch", "Of those waiting, commits left to a batch: unsent, or sent and not answered yet.",
        labels=["state"],
    )  # fmt: skip
    batch.add_metric(["unsent"], meters.batch_unsent)
    batch.add_metric(["sent"], meters.batch_sent)
    yield batch
    yield GaugeMetricFamily("daybook_commits_suspect", "Commits whose worker died with them.", value=meters.suspects)
    yield GaugeMetricFamily(
        "daybook_oldest_waiting_seconds", "Age of the oldest commit that is not finished; 0 when none waits.",
        value=meters.oldest_waiting_seconds,
    )  # fmt: skip
    yield GaugeMetricFamily("daybook_redis_memory_bytes", "Memory that Redis uses.", value=meters.memory_used)
    yield GaugeMetricFamily(
        "daybook_redis_memory_limit_bytes", "Redis's maxmemory; 0 when it has none.", value=meters.memory_limit
    )


def _reports(meters: Meters, midnight: Mapping[str, float]) -> Iterator[Metric]:
    day = GaugeMetricFamily(
        "daybook_report_last_day_timestamp_seconds", "First moment of the latest day with a report.",
        labels=["repository"],
    )  # fmt: skip
    written = GaugeMetricFamily(
        "daybook_report_written_timestamp_seconds", "When a report was last written.", labels=["repository"]
    )
    for name, last in meters.reports.items():
        if name in midnight:
            day.add_metric([name], midnight[name])
        if last.written_at is not None:
            written.add_metric([name], last.written_at)
    yield from (day, written)


def _notices(outboxes: Mapping[str, OutboxState]) -> Iterator[Metric]:
    text = "Notices of a channel: messages posted (told), posted again as nobody knew (repeated), given up (dropped)."
    counts = CounterMetricFamily("daybook_notices", text, labels=["channel", "outcome"])
    waiting = GaugeMetricFamily("daybook_notices_waiting", "Notices that wait for a channel.", labels=["channel"])
    oldest = GaugeMetricFamily(
        "daybook_notices_oldest_seconds", "How long the oldest has been due; 0 when none is.", labels=["channel"]
    )
    for channel, state in outboxes.items():
        for outcome, count in (("told", state.told), ("repeated", state.repeated), ("dropped", state.dropped)):
            counts.add_metric([channel, outcome], count)
        waiting.add_metric([channel], state.waiting)
        oldest.add_metric([channel], state.oldest_seconds)
    yield from (counts, waiting, oldest)


def _processes(meters: Meters) -> Iterator[Metric]:
    seen = GaugeMetricFamily(
        "daybook_process_seen_seconds", "Seconds since a process last said that it is alive.", labels=["process"]
    )
    for name, seconds in sorted(meters.alive.items()):
        seen.add_metric([name], seconds)
    yield seen
    leads = GaugeMetricFamily(
        "daybook_beat_leads", "1 for the beat that leads; none while none does.", labels=["process"]
    )
    if meters.beat:
        leads.add_metric([meters.beat], 1)
    yield leads
    if meters.sweep_seconds is not None:
        yield GaugeMetricFamily(
            "daybook_sweep_seconds", "Seconds since the last sweep; it runs every 2 s while beat and control live.",
            value=meters.sweep_seconds,
        )  # fmt: skip
