"""`daybook demo`: the main job end to end, on embedded parts, with the real history of a clone.

Starts Redis, web, worker and control in a folder of their own, replays the clone's history as signed pushes over HTTP,
waits until every commit is analysed, writes the reports and reads the page back from the site.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import tempfile
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click
import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cli.checked import load_settings
from cli.replay import HOOK_PATH, USUAL_PUSHES, Delivered, chosen, post, repository_name
from cli.report import Day
from cli.supervisor import Supervisor
from cli.up import READY_SECONDS, await_ready
from core.errors import DaybookError
from core.languages import languages
from core.ledger import Ledger
from core.models import REPOSITORY_PATTERN, Tier
from core.redis_server import RedisServer, free_port
from core.settings import Settings
from workers.app import wake
from workers.celeryconfig import SWEEP_SECONDS
from workers.days import write_day
from workers.gitrepo import GitRepository
from workers.landings import Landing
from workers.services import connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from report.daily import DailyReport

STALLED_SECONDS = 300.0
PROCESSES = ("web", "worker", "control")  # the demo itself is the scheduler: it knows when the day is over


@dataclass
class Demo:
    """One run: where it listens, its settings, and the latest lines of its processes, to show when it fails."""

    base: str
    settings: Settings
    supervisor: Supervisor
    ledger: Ledger
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=30))


@click.command()
@click.option(
    "--repo",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A local clone (default: this checkout).",
)
@click.option("--day", type=Day(), help="The pushes of one day.")
@click.option("--last", type=click.IntRange(1), help="The last N pushes (default 20).")
@click.option("--name", metavar="OWNER/REPO", help="What to call the repository (default: from the clone's origin).")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("reports"), show_default=True)
@click.option(
    "--language", type=click.Choice(languages()), help="Language of the report (default: REPORT_LANGUAGE or zh)."
)
@click.option("--keep", is_flag=True, help="Leave the site running until Ctrl-C.")
def demo(repo: Path | None, day: date | None, last: int | None, name: str | None, out: Path, language: str | None, *,
         keep: bool) -> None:  # fmt: skip
    """Replay a clone's history through the whole of Daybook and show the report. Needs no key."""
    if day and last:
        raise click.UsageError("give either --day or --last, not both")
    if name and not re.fullmatch(REPOSITORY_PATTERN, name):
        raise click.UsageError("--name: write it as OWNER/REPO")
    started = time.monotonic()
    clone = (repo or _this_checkout()).resolve()
    pushes = chosen(clone, day=day, last=last or (None if day else USUAL_PUSHES), zone=load_settings().zone)
    if not pushes:
        raise DaybookError(f"{clone} has no pushes {f'on {day}' if day else 'at all'}; try another --day, or --last N")
    _check_writable(out)
    console = Console(stderr=True)
    with _running(clone, name or repository_name(clone), out.resolve(), language) as running:
        console.print(f"Daybook is up after {time.monotonic() - started:.1f} s: {running.base}", highlight=False)
        _replayed(running, clone, pushes, console)
        reports = _written(running)
        _told(running, reports, out, kept=keep)
        commits = sum(len(report.entries) for report in reports)
        click.echo(f"commits: {commits}, reports: {len(reports)}, seconds: {time.monotonic() - started:.1f}")
        if not day:
            click.echo("The oldest of these days may lack the pushes before the first one; --day shows a whole day.")
        if keep:
            click.echo("The site stays up until Ctrl-C.")
            running.supervisor.tend(lambda: False)


def _check_writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise DaybookError(f"{out} cannot be written to ({error.strerror}); choose another --out") from error


def _interrupted(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _this_checkout() -> Path:
    here = Path.cwd()
    return here if (here / ".git").exists() else Path(__file__).parent.parent


@contextmanager
def _running(clone: Path, name: str, out: Path, language: str | None) -> Iterator[Demo]:
    """Daybook's processes in a folder that is removed afterwards."""
    signal.signal(signal.SIGTERM, _interrupted)
    with tempfile.TemporaryDirectory(prefix="daybook-demo-") as folder:
        home = Path(folder)
        (home / "daybook.toml").write_text(
            f"[[repository]]\nname = {_toml(name)}\nsource = {_toml(str(clone))}\n", "utf-8"
        )
        redis = RedisServer(home / "redis")
        port = free_port()
        environment = {
            "REDIS_URL": redis.reserve(),
            "DAYBOOK_HOME": str(home / "redis"),
            "DAYBOOK_CONFIG": str(home / "daybook.toml"),
            "REPORT_DIR": str(out),
            "GITHUB_WEBHOOK_SECRET": secrets.token_hex(24),
            "DAYBOOK_HOST": "127.0.0.1",
            "SITE_PUBLIC": "0",
        } | ({"REPORT_LANGUAGE": language} if language else {})
        os.environ.update(environment)
        settings = load_settings()
        lines: deque[str] = deque(maxlen=30)
        supervisor = Supervisor(
            {**os.environ, "PYTHONUNBUFFERED": "1"},
            dict.fromkeys(PROCESSES, ()) | {"web": ("--host", "127.0.0.1", "--port", str(port))},
            lambda process, line: lines.append(f"{process}: {line}"),
            redis,
        )
        demo = Demo(f"http://127.0.0.1:{port}", settings, supervisor, Ledger(redis.url, settings.zone), lines)
        try:
            supervisor.start()
            if not await_ready(demo.base, READY_SECONDS):
                raise DaybookError("the web process did not come up; it said:\n" + "\n".join(lines))
            yield demo
        except KeyboardInterrupt:
            click.echo("stopping")
        finally:
            demo.ledger.close()
            supervisor.stop()


def _replayed(running: Demo, clone: Path, pushes: Sequence[Landing], console: Console) -> None:
    """Post the history and wait until every commit of it is analysed."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        posting = progress.add_task("pushes posted", total=len(pushes))
        analysing = progress.add_task("commits analysed", total=None)
        done = threading.Event()
        watcher = threading.Thread(target=_watched, args=(running, progress, analysing, done))
        watcher.start()
        try:
            for delivered in _posted(running, clone, pushes):
                if delivered.refused:
                    raise DaybookError(f"a push was refused with {delivered.status}: {delivered.error}")
                progress.advance(posting)
            _await_analyses(running)
        finally:
            done.set()
            watcher.join()


def _posted(running: Demo, clone: Path, pushes: Sequence[Landing]) -> Iterator[Delivered]:
    name = running.settings.daybook_repositories[0].name
    branch = GitRepository(clone).default_branch()
    return post(pushes, running.base + HOOK_PATH, running.settings.github_webhook_secret[0], name=name, branch=branch)


def _watched(running: Demo, progress: Progress, task: TaskID, done: threading.Event) -> None:
    while True:
        finished = done.is_set()
        status = running.ledger.status([])
        progress.update(task, completed=status.analysed + status.failed, total=status.received)
        if finished:
            return
        done.wait(0.2)


def _await_analyses(running: Demo) -> None:
    """Wait for the workers, with a sweep every few seconds as beat would order it."""
    best, since, swept = -1, time.monotonic(), 0.0
    while (status := running.ledger.status([])).waiting:
        running.supervisor.tick()
        now = time.monotonic()
        if status.waiting != best:
            best, since = status.waiting, now
        if now - since > STALLED_SECONDS:
            raise DaybookError(
                f"{status.waiting} commits wait and nothing moves; the processes said:\n" + "\n".join(running.lines)
            )
        if now - swept > SWEEP_SECONDS:
            running.ledger.enqueue("control", [wake("sweep")])
            swept = now
        time.sleep(0.1)


def _written(running: Demo) -> list[DailyReport]:
    services = connect(
        running.settings, running.settings.redis_url.get_secret_value() if running.settings.redis_url else ""
    )
    days = [(repository, day) for repository, day, _ in running.ledger.dirty_days()]
    return [write_day(services, repository, day) for repository, day in sorted(days)]


def _told(running: Demo, reports: Sequence[DailyReport], out: Path, *, kept: bool) -> None:
    """Read each page back from the site, as a reader would, and say where everything lies, the newest day last."""
    ordered = sorted(reports, key=lambda report: report.day)
    _read_back(running, ordered)
    for report in ordered:
        place = out / str(report.day.year) / report.repository
        tiers = ", ".join(f"{len(report.group(tier))} {tier}" for tier in Tier)
        click.echo(f"{report.repository} {report.day}: {tiers}")
        click.echo(f"  Markdown  {place / f'{report.day}.md'}")
        click.echo(f"  HTML      {place / f'{report.day}.html'}")
        if kept:
            click.echo(f"  page      {_address(running, report)}")
    if not kept:
        click.echo(f"The pages were at {_address(running, ordered[-1])}; --keep (make demo KEEP=1) leaves them up.")


def _address(running: Demo, report: DailyReport) -> str:
    return f"{running.base}/{report.repository}/{report.day}"


def _read_back(running: Demo, reports: Sequence[DailyReport]) -> None:
    with httpx2.Client(timeout=30, trust_env=False) as client:
        for report in reports:
            url = _address(running, report)
            if (status := client.get(url).status_code) != 200:
                raise DaybookError(f"the site answered {status} for {url}")


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
