"""`daybook check`: settings, clones, Redis, GitHub, model, budget, Slack, clock, scheduler, disk: a line each."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click
import redis

from cli.checked import load_settings
from core.errors import DaybookError
from core.ledger import Ledger, Unconfirmed
from core.log import SHORTEST_SECRET
from core.models import Tier
from core.redis_connections import NotWritable
from core.redis_server import redis_url
from workers.clonelist import unreadable_clones
from workers.prices import price_of
from workers.probes import Finding, clock_finding, probe_feishu, probe_github, probe_model, probe_slack
from workers.publish_probe import probe_mail, probe_publishing
from workers.pulse import GONE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.ledger import Meters, ServerFacts
    from core.settings import Settings

OLDEST_REDIS = (6, 2)
SWEEP_LATE_SECONDS = 30.0
_NAME = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=", re.MULTILINE)
_NEARLY = 0.85  # alike; a letter too few is 0.95
_SERVER_PID = "DAYBOOK_SERVER_PID"  # of the web server's own processes
LITTLE_SPACE_BYTES = 500 * 2**20
COLOURS = {"ok": "green", "warn": "yellow", "wrong": "red"}


@click.command()
def check() -> None:
    """Check everything Daybook stands on; a line each, with a remedy; exit code 1 when something is wrong."""
    try:
        settings = load_settings()
    except DaybookError as error:
        tell([Finding("settings", "wrong", str(error).removeprefix("settings: "), "correct it and check again")], ())
        raise click.exceptions.Exit(1) from None
    findings: list[Finding] = []
    parts = (
        check_settings,
        check_names,
        check_clones,
        check_ledger,
        probe_github,
        probe_model,
        check_budget,
        probe_slack,
        probe_feishu,
        probe_publishing,
        probe_mail,
        check_reports,
    )
    for part in parts:
        some = list(part(settings))
        tell(some, settings.secrets())
        findings += some
    if any(found.verdict == "wrong" for found in findings):
        raise click.exceptions.Exit(1)


def tell(findings: Sequence[Finding], secrets: Sequence[str]) -> None:
    """Print findings; a secret that an outside answer might repeat is blotted out."""
    for found in findings:
        line = found.text + (f" → {found.remedy}" if found.remedy else "")
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= SHORTEST_SECRET:
                line = line.replace(secret, "***")
        verdict = click.style(f"{found.verdict:<6}", fg=COLOURS[found.verdict])
        click.echo(f"{verdict}{found.subject:<11}{line}")


def check_settings(settings: Settings) -> Iterator[Finding]:
    """What can be seen of the settings alone."""
    if settings.github_webhook_secret:
        count, tables = len(settings.github_webhook_secret), len(settings.daybook_repositories)
        followed = f"{tables or 'all pushed'} repositor{'y' if tables == 1 else 'ies'} followed"
        yield Finding("settings", "ok", f"{count} webhook secret{'s' * (count > 1)}, {followed}")
    else:
        remedy = "make one with `openssl rand -hex 32`, and put it into .env and the webhook's settings on GitHub"
        yield Finding("settings", "wrong", "GITHUB_WEBHOOK_SECRET is not set", remedy)
    if bool(settings.github_app_id) != bool(settings.github_app_private_key):
        remedy = "set both, or GITHUB_TOKEN"
        yield Finding("settings", "wrong", "GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY belong together", remedy)


def check_names(settings: Settings) -> Iterator[Finding]:
    """Names in `.env` and the environment that are nearly a setting's: what they set is without effect, in silence."""
    known = {name.upper() for name in type(settings).model_fields}
    told = Path(".env").read_text("utf-8", "replace") if Path(".env").is_file() else ""
    for name in sorted({*_NAME.findall(told), *os.environ}):
        ours = name.startswith("DAYBOOK_") and name != _SERVER_PID
        near = get_close_matches(name.upper(), known, n=1, cutoff=_NEARLY)
        if name.upper() not in known and (ours or near):
            remedy = f"write {near[0]}, if that is meant" if near else "see .env.example for all that there are"
            yield Finding("settings", "warn", f"{name} is no setting, and without effect", remedy)


def check_clones(settings: Settings) -> Iterator[Finding]:
    """Whether each clone that a `source` names can be read here."""
    clones = sum(table.source != "github" for table in settings.daybook_repositories)
    wrong = dict(unreadable_clones(settings.daybook_repositories))
    remedy = f"correct `source` in {settings.daybook_config}, or make the clone there, where workers and control run"
    yield from (Finding("clones", "wrong", f"source of {name}: {why}", remedy) for name, why in wrong.items())
    if clones > len(wrong):
        yield Finding("clones", "ok", f"{clones - len(wrong)} can be read")


def check_ledger(settings: Settings) -> Iterator[Finding]:
    """Redis itself, its clock, and by what stands in it the scheduler and the workers."""
    try:
        with redis_url(settings) as url:
            ledger = Ledger(url, settings.zone, timeout=5.0, min_replicas=settings.redis_min_replicas)
            try:
                facts = ledger.server()
                yield from _server(facts, _written(ledger))
                yield clock_finding("Redis", -facts.clock_ahead)
                yield from _processes(ledger.meters())
            finally:
                ledger.close()
    except DaybookError as error:
        said, _, remedy = str(error).partition("; ")
        yield Finding("redis", "wrong", said, remedy or "start it, or correct REDIS_URL")


def _written(ledger: Ledger) -> tuple[str, str] | None:
    """Why Redis does not take a write or its replicas do not confirm it, and a remedy; None when all is well."""
    try:
        came_back = ledger.write_and_read()
        ledger.ready()
    except NotWritable as error:
        return f"it refuses writes: {str(error).partition(': ')[2]}", error.remedy
    except Unconfirmed as error:
        remedy = "bring replicas up, or lower REDIS_MIN_REPLICAS: until then every push is answered 503"
        return str(error), remedy
    except redis.RedisError as error:
        return f"it refuses writes ({type(error).__name__})", "look into its log"
    return None if came_back else ("what is written does not come back", "look into its log")


def _server(facts: ServerFacts, unwritten: tuple[str, str] | None) -> Iterator[Finding]:
    version = ".".join(map(str, facts.version))
    found = []
    if facts.version < OLDEST_REDIS:
        found.append(Finding("redis", "wrong", f"version {version} is too old", "use 6.2 or newer"))
    if unwritten:
        found.append(Finding("redis", "wrong", *unwritten))
    if facts.appendonly is False:
        remedy = "set `appendonly yes` and `appendfsync always`, or accepted pushes can be lost"
        found.append(Finding("redis", "wrong", "it keeps no append-only file", remedy))
    elif facts.appendonly is None:
        found.append(Finding("redis", "warn", "it does not tell whether it keeps an append-only file", "see its host"))
    elif facts.appendfsync not in ("always", ""):
        text = f"appendfsync {facts.appendfsync}: a crash of its host loses up to a second of accepted pushes"
        found.append(Finding("redis", "warn", text, "set `appendfsync always`, or live with it"))
    if facts.policy not in ("noeviction", ""):
        text = f"maxmemory-policy {facts.policy} throws commits away when memory is short"
        found.append(Finding("redis", "wrong", text, "set `maxmemory-policy noeviction`"))
    if facts.memory_limit and facts.memory_used > 0.8 * facts.memory_limit:
        text = f"{facts.memory_used / facts.memory_limit:.0%} of its maxmemory is used"
        found.append(Finding("redis", "warn", text, "raise maxmemory"))
    yield from found or [Finding("redis", "ok", f"version {version}, {facts.memory_used / 2**20:.0f} MiB used")]


def _processes(meters: Meters) -> Iterator[Finding]:
    alive = sorted(name for name, seconds in meters.alive.items() if seconds < GONE_SECONDS)
    remedy = "start `daybook up`, or the processes of the Procfile: beat and control together run the sweep"
    if meters.sweep_seconds is None:
        yield Finding("scheduler", "warn", "it never ran", remedy)
    elif meters.sweep_seconds > SWEEP_LATE_SECONDS:
        yield Finding("scheduler", "wrong", f"its last sweep was {meters.sweep_seconds:.0f} s ago", remedy)
    else:
        yield Finding(
            "scheduler", "ok", f"its last sweep was {meters.sweep_seconds:.0f} s ago{_led(meters.beat, alive)}"
        )
    for kind in ("worker", "control"):
        some = [name for name in alive if name.startswith(f"{kind}@")]
        if some:
            yield Finding(kind, "ok", ", ".join(some))
        else:
            never = meters.sweep_seconds is None
            yield Finding(kind, "warn" if never else "wrong", "none is alive", f"start `daybook {kind}`")


def _led(leader: str | None, alive: Sequence[str]) -> str:
    idle = [name for name in alive if name.startswith("beat@") and name != leader]
    return (f"; {leader} leads" if leader else "") + (f", {len(idle)} more stands by" if leader and idle else "")


def check_budget(settings: Settings) -> Iterator[Finding]:
    """What the model may cost in a day, and whether each model's cost is known."""
    budget = settings.daybook_daily_budget_usd
    if budget is None:
        yield Finding("budget", "ok", "DAYBOOK_DAILY_BUDGET_USD is not set: nothing limits what the model costs")
        return
    models = dict.fromkeys(settings.model_for(tier) for tier in Tier)
    free = [model for model in models if price_of(model) is None]
    if settings.anthropic_api_key and free:
        text = f"${budget:.2f} a day, which does not limit {' and '.join(free)}: without a price, calls count as free"
        yield Finding("budget", "warn", text, "add the price to workers/prices.toml")
    else:
        yield Finding("budget", "ok", f"${budget:.2f} a day, from midnight in {settings.report_timezone}")


def check_reports(settings: Settings) -> Iterator[Finding]:
    """Whether reports can be written, and the space left."""
    folder = settings.report_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _try_to_write(folder)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        reason = error.strerror or type(error).__name__
        remedy = "give this user the right to write there, or set REPORT_DIR"
        yield Finding("reports", "wrong", f"{folder} cannot be written: {reason}", remedy)
        return
    low = free < LITTLE_SPACE_BYTES
    text = f"{folder} can be written; {free / 2**30:.1f} GiB free"
    yield Finding("reports", "warn" if low else "ok", text, "free some space" if low else "")


def _try_to_write(folder: Path) -> None:
    handle, name = tempfile.mkstemp(prefix=".check-", dir=folder)
    try:
        os.write(handle, b"Daybook")
        os.fsync(handle)
    finally:
        os.close(handle)
        Path(name).unlink()
