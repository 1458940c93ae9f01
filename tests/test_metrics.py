"""/metrics: right after a real run, the same from every web process, and not for everybody."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from core.ledger import Ledger, Stage
from core.models import Tier, Usage
from core.outage import Outage
from core.settings import Settings
from report.throttle import Throttle
from tests.conftest import SHANGHAI
from tests.pushes import REPOSITORY, push
from tests.running import SECRET, daybook, deliver, signature, web_process
from tests.test_pipeline import NAME, clone_of, configured, post
from webhook.github import Webhook
from webhook.metrics import Refusals, create_metrics
from workers.alerts import conditions, read_state
from workers.services import connect

Figures = dict[tuple[str, ...], float]


def scraped(base: str) -> Figures:
    answer = httpx2.get(f"{base}/metrics", trust_env=False)
    assert answer.status_code == 200
    return figures(answer.text)


def figures(text: str) -> Figures:
    """Every sample as (name, values of the labels by the labels' names…) → value."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    assert all(family.name.startswith("daybook_") for family in families)
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def settled(base: str) -> Figures:
    """The figures apart from those that move while nothing happens."""
    moving = {"daybook_process_seen_seconds", "daybook_sweep_seconds", "daybook_redis_memory_bytes",
              "daybook_queue_messages"}  # fmt: skip
    return {key: value for key, value in scraped(base).items() if key[0] not in moving}


@pytest.mark.slow
def test_after_a_real_run_two_web_processes_tell_the_same_and_right_figures(tmp_path: Path) -> None:
    clone = clone_of(tmp_path / "clone", 3)
    with daybook(configured(tmp_path, clone)) as running, web_process(running.redis.url, tmp_path) as second:
        post(running, clone)
        post(running, clone)
        assert [deliver(second, b"{}", x_hub_signature_256="sha256=00").status_code for _ in range(3)] == [401] * 3
        assert deliver(running.base, b"{", x_hub_signature_256="sha256=00").status_code == 401
        ledger = Ledger(running.redis.url, SHANGHAI)
        running.await_(lambda: ledger.status([]).analysed == 3 and bool(ledger.report_days(NAME)))
        ledger.close()
        running.await_(lambda: scraped(running.base).get(("daybook_deliveries_refused_total", "401")) == 4.0)
        running.await_(lambda: settled(running.base) == settled(second))
        one = scraped(running.base)
    expected = {
        ("daybook_commits_received_total",): 3, ("daybook_commits_duplicate_total",): 3,
        ("daybook_commits_analysed_total",): 3, ("daybook_commits_given_up_total",): 0,
        ("daybook_commits_waiting",): 0, ("daybook_oldest_waiting_seconds",): 0,
        ("daybook_stage_outcomes_total", "done", "fetch"): 3, ("daybook_stage_outcomes_total", "done", "analyse"): 3,
        ("daybook_stage_outcomes_total", "put_off", "fetch"): 0, ("daybook_stage_crashes_total", "fetch"): 0,
        ("daybook_stage_duration_seconds_count", "fetch"): 3,
        ("daybook_stage_duration_seconds_bucket", "+Inf", "analyse"): 3,
        ("daybook_model_calls_total",): 0, ("daybook_budget_spent_usd",): 0,
        ("daybook_budget_degraded_total", "medium"): 0, ("daybook_budget_degraded_total", "low"): 0,
        ("daybook_budget_degraded_total", "rules"): 0,
        ("daybook_deliveries_refused_total", "401"): 4,
    }  # fmt: skip
    assert {key: one[key] for key in expected} == expected
    assert ("daybook_budget_usd",) not in one
    assert one["daybook_report_last_day_timestamp_seconds", NAME] == 1771257600.0  # 2026-02-17 00:00 in Shanghai
    assert time.time() - one["daybook_report_written_timestamp_seconds", NAME] < 60
    assert one["daybook_sweep_seconds",] < 30
    assert {key[1].partition("@")[0] for key in one if key[0] == "daybook_process_seen_seconds"} == {
        "worker", "control", "beat",
    }  # fmt: skip


@pytest.mark.slow
def test_metrics_need_the_password_elsewhere_even_where_the_pages_are_public(redis_url: str, tmp_path: Path) -> None:
    with web_process(redis_url, tmp_path, SITE_PUBLIC="1", SITE_PASSWORD="a good one") as base:
        far = {"x-forwarded-for": "192.0.2.1"}
        url = f"{base}/metrics"
        assert httpx2.get(base, headers=far, trust_env=False).status_code == 200
        assert httpx2.get(url, headers=far, trust_env=False).status_code == 401
        assert httpx2.get(url, headers=far, auth=("me", "a good one"), trust_env=False).status_code == 200
        assert httpx2.get(url, trust_env=False).status_code == 200
        wrong = [httpx2.get(url, headers=far, auth=("me", "no"), trust_env=False).status_code for _ in range(11)]
        assert wrong == [401] * 10 + [429]
    with web_process(redis_url, tmp_path, SITE_PUBLIC="1") as base:
        assert httpx2.get(f"{base}/metrics", headers=far, trust_env=False).status_code == 403


def test_refusals_are_kept_while_redis_is_away(ledger: Ledger) -> None:
    away = Ledger("redis://127.0.0.1:1/0", SHANGHAI, timeout=0.2)
    refusals = Refusals(away, interval=1000)
    for status in (401, 401, 413):
        refusals.count(status)
    refusals.flush()
    refusals._ledger = ledger  # Redis is back
    refusals.flush()
    refusals.flush()
    assert ledger.meters().refused == {401: 2, 413: 1}


def test_who_signs_with_another_secret_is_told_apart_from_who_does_not_sign(
    redis_url: str, ledger: Ledger, tmp_path: Path
) -> None:
    settings = Settings(_env_file=None, github_webhook_secret=SECRET, report_dir=tmp_path)
    refusals = Refusals(ledger, interval=1000)
    client = Client(Webhook(ledger, settings, refusals, Outage(redis_url)))
    services = connect(settings, redis_url)
    headers = {"X-GitHub-Event": "push", "X-GitHub-Delivery": "1", "Content-Type": "application/json"}
    for _ in range(5):
        assert client.post("/webhooks/github", data=b"{}", headers=headers).status_code == 401
    refusals.flush()
    assert conditions(read_state(services, datetime.now(UTC))) == []
    signed = headers | {"X-Hub-Signature-256": signature(b"{}", "another secret")}
    for _ in range(3):
        assert client.post("/webhooks/github", data=b"{}", headers=signed).status_code == 401
    refusals.flush()
    assert ledger.meters().refused == {401: 8}
    (alert,) = conditions(read_state(services, datetime.now(UTC)))
    assert alert.text.startswith(
        "3 deliveries within the hour were signed with another secret and refused: compare the webhook's secret on "
        "GitHub with GITHUB_WEBHOOK_SECRET"
    )
    assert all(0 < ledger.redis.ttl(key) <= 7200 for key in ledger.redis.keys("daybook:ended:*"))
    services.ledger.close()


def test_each_stages_oldest_is_found_by_one_call_of_a_script(ledger: Ledger) -> None:
    ledger.receive(push(range(1, 6)), [b"{}"] * 5)
    first = ledger.redis.zrange("daybook:open", 0, 0)[0]
    ledger.redis.zadd("daybook:open", {first: time.time() - 100})
    ledger.meters()  # the script is loaded
    before = ledger.redis.info("commandstats")["cmdstat_evalsha"]["calls"]
    meters = ledger.meters(["fetch"])
    assert ledger.redis.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 1
    fetch, analyse = meters.stages[Stage.FETCH], meters.stages[Stage.ANALYSE]
    assert fetch.waiting == 5
    assert 99 < fetch.oldest_seconds < 110
    assert analyse.oldest_seconds == 0
    assert (meters.waiting, meters.queues) == (5, {"fetch": 5})


def told(ledger: Ledger, **settings: Any) -> Figures:
    app = Flask(__name__)
    known = Settings(_env_file=None, **settings)
    app.register_blueprint(
        create_metrics(ledger, known, Throttle(), Refusals(ledger, interval=1000), Outage("redis://localhost"))
    )
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    return figures(answer.text)


def test_what_the_model_cost_by_repository_and_tier_and_the_budget(ledger: Ledger) -> None:
    usage = Usage(
        input_tokens=700, cached_tokens=4000, cache_write_tokens=300, output_tokens=150, cost_usd=0.5, calls=2
    )
    ledger.spend(usage, REPOSITORY, Tier.HIGH)
    ledger.spend(usage, 'an "odd" \\ name\n', Tier.LOW)
    ledger.degraded("rules")
    found = told(ledger, daybook_daily_budget_usd=2.5)
    money = {key: value for key, value in found.items() if key[0].startswith(("daybook_model_", "daybook_budget_"))}
    tokens, cost = "daybook_model_tokens_total", "daybook_model_cost_usd_total"
    expected = {
        ("daybook_model_calls_total",): 4.0, ("daybook_budget_usd",): 2.5, ("daybook_budget_spent_usd",): 1.0,
        ("daybook_budget_degraded_total", "medium"): 0.0, ("daybook_budget_degraded_total", "low"): 0.0,
        ("daybook_budget_degraded_total", "rules"): 1.0,
    }  # fmt: skip
    for repository, tier in ((REPOSITORY, "high"), ('an "odd" \\ name\n', "low")):
        expected |= {
            (tokens, "input", repository, tier): 700.0, (tokens, "cached", repository, tier): 4000.0,
            (tokens, "written", repository, tier): 300.0, (tokens, "output", repository, tier): 150.0,
            (cost, repository, tier): 0.5,
        }  # fmt: skip
    assert money == expected


def test_the_series_of_repositories_are_bounded(ledger: Ledger) -> None:
    for number in range(210):
        ledger.spend(Usage(cost_usd=1.0, calls=1), f"acme/tool-{number}", Tier.LOW)
    cost = {key[1]: value for key, value in told(ledger).items() if key[0] == "daybook_model_cost_usd_total"}
    assert len(cost) == 201
    assert cost["other"] == 10.0
