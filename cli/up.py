"""`daybook up`: every process of the Procfile in one terminal, with the embedded Redis when REDIS_URL is unset."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
import redis

from cli.checked import load_settings
from cli.processes import check_free
from cli.supervisor import PROCESSES, Supervisor
from core.errors import DaybookError
from core.ledger import Ledger
from core.redis_server import RedisServer, why_silent
from webhook.signature import require_secret
from workers.clonelist import unreadable_clones
from workers.pulse import process_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.settings import Settings

COLOURS = {
    "web": "cyan",
    "worker": "green",
    "control": "yellow",
    "beat": "blue",
    "redis": "magenta",
    "daybook": "white",
}
READY_SECONDS = 30.0
WORKERS = ("worker", "control")
LATER = frozenset({"beat"})  # it plans work for those who are not there yet: its start would only put theirs off


@click.command()
@click.option("--host", default=None, help="Address to listen on (default: DAYBOOK_HOST or 127.0.0.1).")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="Port (default: PORT or 8000).")
def up(host: str | None, port: int | None) -> None:
    """Run every process here: web, worker, control, beat, and Redis unless REDIS_URL is set."""
    settings = load_settings()
    _check(settings, host or settings.daybook_host, port or settings.port)
    supervisor = supervised(settings, host or settings.daybook_host, port or settings.port, tell)
    stops = 0
    stopping = threading.Event()

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stops
        stops += 1
        stopping.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    supervisor.start()
    try:
        base = f"http://{host or settings.daybook_host}:{port or settings.port}"
        url = settings.redis_url.get_secret_value() if settings.redis_url else supervisor.environment["REDIS_URL"]
        ledger = Ledger(url, settings.zone)
        told = (base, supervisor, ledger, stopping)
        threading.Thread(target=_say_when_ready, args=told, daemon=True).start()
        supervisor.tend(stopping.is_set)
        tell("daybook", "stopping: running work is finished first; once more to stop at once (nothing is lost)")
    finally:
        supervisor.stop(now=lambda: stops > 1)
    tell("daybook", "stopped")


def _check(settings: Settings, host: str, port: int) -> None:
    """Say what is wrong before anything starts, rather than in the restarts of a process."""
    require_secret(settings)
    check_free(host, port)
    for name, why in unreadable_clones(settings.daybook_repositories):
        raise DaybookError(f"{settings.daybook_config}: [[repository]] {name}: source: {why}")


def supervised(settings: Settings, host: str, port: int, tell: Callable[[str, str], None]) -> Supervisor:
    """The supervisor of a whole Daybook on one machine, not started yet."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    redis = None
    if settings.redis_url is None:
        redis = RedisServer(settings.daybook_home)
        environment["REDIS_URL"] = redis.reserve()  # the same port and password after a restart
    elif why := why_silent(settings.redis_url.get_secret_value()):
        raise DaybookError(f"{why}; start it, correct the setting, or unset it")
    arguments = dict.fromkeys(PROCESSES, ()) | {"web": ("--host", host, "--port", str(port))}
    return Supervisor(environment, arguments, tell, redis, LATER)


def tell(name: str, line: str) -> None:
    """Write a line of a process with its name before it."""
    click.echo(click.style(f"{name:<8}", fg=COLOURS.get(name)) + line)


def _say_when_ready(base: str, supervisor: Supervisor, ledger: Ledger, stopping: threading.Event) -> None:
    """Say it when a push would be taken, worked on and told of, and start the rest; say later who is missing."""
    deadline = time.monotonic() + READY_SECONDS
    late = False
    while (missing := _missing(base, supervisor, ledger)) and not stopping.wait(0.05):
        if time.monotonic() > deadline and not late:
            late = True
            supervisor.release()
            tell("daybook", f"not ready after {READY_SECONDS:.0f} s: still waiting for {', '.join(missing)}")
    supervisor.release()
    if not missing:
        tell("daybook", f"ready: pages at {base}/, GitHub's webhook at {base}/webhooks/github")


def _missing(base: str, supervisor: Supervisor, ledger: Ledger) -> list[str]:
    """Which processes do not take work yet, the web server or those that tell the ledger that they live."""
    if not is_ready(base):
        return ["web"]
    try:
        alive = ledger.meters().alive
    except redis.RedisError:
        return ["redis"]
    pids = supervisor.pids()
    return [name for name in WORKERS if process_name(name, pids.get(name, 0)) not in alive]


def await_ready(base: str, seconds: float, give_up: Callable[[], bool] = lambda: False) -> bool:
    """Whether the web process at `base` answers /readyz within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not give_up():
        if is_ready(base):
            return True
        time.sleep(0.05)
    return False


def is_ready(base: str) -> bool:
    """Whether the web process at `base` says that it can take pushes."""
    server = http.client.HTTPConnection(urlsplit(base).netloc, timeout=2)
    try:
        server.request("GET", "/readyz")
        return server.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        server.close()
