"""The processes of the Procfile, each alone: `daybook web`, `worker`, `control`, `beat`."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import socket
import sys
import threading
import warnings
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click
import redis

from cli.checked import load_settings
from core.errors import DaybookError
from core.ledger import SUSPECT_PLACES, Ledger, Stage
from core.log import configure_logging
from core.outage import Outage
from core.redis_address import address_from_url
from core.redis_server import answers, die_with_parent, read_address
from core.undisturbed import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flask import Flask

    from core.settings import Settings

# The most children: each suspect's own, a report's, a publication's, a poll's, a reconciliation's, a batch's, the
# notices', and one that is always free for the sweep. Few are there at a time; see `workers.children`.
MOST_CHILDREN = SUSPECT_PLACES + 7
WEB_THREADS = 16
_SERVER_PID = "DAYBOOK_SERVER_PID"
_M_ARENA_MAX = -8  # mallopt(3)
ARENAS = 2
# Objects made until it is looked for garbage, and such looks until older ones are looked through: a diff is read into
# ten thousands of objects, none of them garbage that only a collector finds.
_GARBAGE = (50_000, 20, 50)
WORKER_QUEUES = ("fetch", "analyse")
_POOLS = {"threads": "workers.threads:TaskPool", "prefork": "prefork"}
CONTROL_QUEUES = ("control", "suspect", "report", "upstream", "publish", "notify")

_F = TypeVar("_F", bound="Callable[..., Any]")


def _queues(known: Sequence[str]) -> Callable[[_F], _F]:
    """The option that leaves some queues to other hosts; its value is what Celery's own `--queues` takes."""
    text = f"Only these, comma-separated: {', '.join(known)} (default: all)."
    return click.option("--queues", default=",".join(known), callback=_some_of(known), help=text)


def _some_of(known: Sequence[str]) -> Callable[[click.Context, click.Parameter, str], str]:
    def chosen(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
        names = list(dict.fromkeys(name.strip() for name in value.split(",")))
        if unknown := [name for name in names if name not in known]:
            raise click.BadParameter(f"{unknown[0] or 'nothing'!r} is none of {', '.join(known)}")
        return ",".join(names)

    return chosen


def _secrets(url: str) -> Sequence[str]:
    """What no log may show of a url: the whole, and the passwords in it."""
    return (url, *address_from_url(url).secrets)


def _redis_url(settings: Settings) -> str:
    """REDIS_URL, or the server that `daybook up` runs in this folder."""
    url = settings.redis_url.get_secret_value() if settings.redis_url else read_address(settings.daybook_home)
    if not url or (not settings.redis_url and not answers(url)):
        raise DaybookError("no Redis: set REDIS_URL, or start everything with `daybook up`, which brings its own")
    return url


def _bring_up_to_date(settings: Settings, url: str) -> None:
    """Move what an older version stored, before any work; raises DaybookError when a newer version has moved it on."""
    ledger = Ledger(url, settings.zone)
    with suppress(redis.RedisError):  # not there yet: each ledger looks again at its first use
        ledger.bring_up_to_date()
    ledger.close()


def check_free(host: str, port: int) -> None:
    """Raise DaybookError when something listens on the address already, or it is not this machine's."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(*found[:3]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found[4])
    except OSError as error:
        raise DaybookError(f"cannot listen on {host} port {port} ({error.strerror}); choose another --port") from error


@click.command()
@click.option("--host", default=None, help="Address to listen on (default: DAYBOOK_HOST or 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Port (default: PORT or 8000).")
def web(host: str | None, port: int | None) -> None:
    """Run the web process: the webhook and the pages."""
    from webhook.app import create_app

    settings = load_settings()
    url = _redis_url(settings)
    address, port = host or settings.daybook_host, settings.port if port is None else port
    check_free(address, port)
    _bring_up_to_date(settings, url)
    # What is wrong with the settings is said here, once, not by a server that restarts.
    create_app(settings, url, Outage(url))
    # Read by the server's own processes.
    os.environ.update({"REDIS_URL": url, "DAYBOOK_HOST": address, "PORT": str(port), _SERVER_PID: str(os.getpid())})
    serve("cli.processes:application", address, port, settings.web_concurrency)


def serve(factory: str, address: str, port: int, processes: int = 1) -> None:
    """Run the HTTP server for an application, whose factory is named as `module:function`, until it is told to stop."""
    from granian import Granian
    from granian.constants import Interfaces

    Granian(
        factory,
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=processes,
        blocking_threads=WEB_THREADS,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
        log_enabled=False,
    ).serve()


def application() -> Flask:
    """The web application in a process of the server's; it ends with the server, even one that was killed."""
    from webhook.app import from_environment

    die_with_parent(parent=int(os.environ[_SERVER_PID]))
    return from_environment()


@click.command()
@click.option(
    "--concurrency",
    type=click.IntRange(1, 512),
    default=None,
    help="Calls to the model at a time (default: DAYBOOK_CONCURRENCY).",
)
@_queues(WORKER_QUEUES)
def worker(concurrency: int | None, queues: str) -> None:
    """Run a worker: fetches and analyses commits in threads."""
    from workers.services import analyses_of

    settings = load_settings()
    if concurrency:
        settings = settings.model_copy(update={"daybook_concurrency": concurrency})
    # Who fetches computes, for the most part; a few more of them keep all places busy.
    fetchers = max(1, settings.daybook_concurrency // 8) if _stages(queues) == tuple(Stage) else 0
    _celery(settings, "worker", "threads", analyses_of(settings.daybook_concurrency) + fetchers, queues)


@click.command()
@_queues(CONTROL_QUEUES)
def control(queues: str) -> None:
    """Run the control worker: sweep, suspects, reports, polls and notices, in child processes of their own."""
    _celery(load_settings(), "control", "prefork", MOST_CHILDREN, queues)


@click.command()
def beat() -> None:
    """Run the scheduler; of several one works, and the others take over when it is gone."""
    from workers.app import app, connect_broker
    from workers.beat import Scheduler
    from workers.leadership import Leadership
    from workers.pulse import pulse

    settings = load_settings()
    url = _redis_url(settings)
    configure_logging(settings, "beat", extra_secrets=_secrets(url))
    connect_broker(url)
    app.conf.update(include=())  # it sends names: the tasks' code is their workers'
    led: Any = partial(Scheduler, leadership=Leadership(Ledger(url, settings.zone), "beat"))
    with pulse(Ledger(url, settings.zone), "beat"):
        app.Beat(quiet=True, loglevel="INFO", schedule="", scheduler=led).run()


def _stages(queues: str) -> tuple[Stage, ...]:
    """The stages among some queues, which are named with commas between."""
    return tuple(stage for stage in Stage if stage in queues.split(","))


def _celery(settings: Settings, name: str, pool: str, concurrency: int, queues: str) -> None:
    from celery.exceptions import SecurityWarning
    from celery.signals import worker_ready
    from celery.utils.nodenames import host_format

    from workers.app import app
    from workers.children import FREE
    from workers.pulse import pulse
    from workers.services import connect, current, use
    from workers.standstill import end_when_stuck

    url = _redis_url(settings)
    configure_logging(settings, name, extra_secrets=_secrets(url))
    # It warns of running as root for the sake of pickled messages; ours are JSON and carry ids only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    _bring_up_to_date(settings, url)
    use(connect(settings, url, _stages(queues)))
    ready = threading.Event()
    worker_ready.connect(lambda **_: ready.set(), weak=False)
    _limit_arenas()
    with pulse(Ledger(url, settings.zone), name, ready=ready):
        if pool == "threads":  # the children of prefork see to it themselves
            end_when_stuck(settings.daybook_lease_seconds)
        # Not by Celery's command line, which loads an interactive prompt.
        worker = app.Worker(
            pool_cls=_POOLS[pool], concurrency=concurrency, queues=queues, hostname=host_format(f"{name}@%h"),
            autoscale=(concurrency, FREE) if pool == "prefork" else None, without_gossip=True, without_mingle=True,
            without_heartbeat=True, loglevel=logging.INFO, quiet=True,
        )  # fmt: skip
        if pool == "prefork":
            current().load()
        gc.set_threshold(*_GARBAGE)
        settle()
        worker.start()
    sys.exit(worker.exitcode)


def _limit_arenas() -> None:
    """Keep freed memory in two pools, not in eight for each core: a hundred threads would spread theirs thin."""
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)
    except AttributeError:
        return  # another C library than glibc
