"""The command line and the processes as a person starts them: up, its end, its errors."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from itertools import takewhile
from pathlib import Path

import httpx2
import psutil
import pytest

from cli.supervisor import PROCESSES
from cli.up import await_ready, is_ready
from core.ledger import Ledger
from core.redis_server import answers, free_port, read_address
from tests.conftest import SHANGHAI
from tests.running import PATIENCE_SECONDS, PLAIN, SECRET

ROOT = Path(__file__).parent.parent
NOWHERE = "redis://127.0.0.1:1/0"


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli.main", *arguments], cwd=folder, env=PLAIN | environment,
                          capture_output=True, text=True, timeout=180, check=False)  # fmt: skip


def _alive(ledger: Ledger) -> set[str]:
    return {name.partition("@")[0] for name in ledger.meters().alive}


def test_up_runs_what_the_procfile_names() -> None:
    lines = [line.split(": ") for line in (ROOT / "Procfile").read_text().splitlines()]
    assert [(name, command.split()[:2]) for name, command in lines] == [(name, ["daybook", name]) for name in PROCESSES]


def test_a_process_loads_no_coloured_tracebacks_and_no_telemetry() -> None:
    loaded = "import sys, cli.main as it; it.daybook.get_command(None, 'up'); print(sorted({*sys.modules} & NAMES))"
    names = repr({"redis", "structlog", "rich", "opentelemetry"})
    told = subprocess.run([sys.executable, "-c", loaded.replace("NAMES", names)], capture_output=True, text=True,
                          check=True, timeout=180)  # fmt: skip
    assert told.stdout == "['redis', 'structlog']\n"


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_up_starts_everything_with_its_own_redis_and_stops_it_all(tmp_path: Path, end: signal.Signals) -> None:
    port = free_port()
    environment = PLAIN | {"GITHUB_WEBHOOK_SECRET": SECRET}
    up = subprocess.Popen([sys.executable, "-m", "cli.main", "up", "--port", str(port)], cwd=tmp_path, env=environment,
                          stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert up.stdout
    began = "".join(takewhile(lambda line: "ready: pages at http://127.0.0.1" not in line, up.stdout))
    url = read_address(tmp_path / ".daybook")
    assert url
    with closing(Ledger(url, SHANGHAI)) as ledger:  # whoever said it was ready does take work
        assert {"control", "worker"} <= _alive(ledger), began
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "beat" not in _alive(ledger):  # the scheduler comes last
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert is_ready(f"http://127.0.0.1:{port}")
    assert answers(url)
    status = run("status", "--json", folder=tmp_path)
    assert status.returncode == 0
    assert '"received": 0' in status.stdout
    children = psutil.Process(up.pid).children(recursive=True)
    assert len(children) >= len(PROCESSES) + 1
    up.send_signal(end)
    output = began + up.communicate(timeout=90)[0]
    assert up.returncode == 0
    assert output.splitlines()[-1] == "daybook stopped"
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert not answers(url)
    assert SECRET not in output
    assert url.split(":")[2].split("@")[0] not in output


@pytest.mark.slow
def test_when_up_is_killed_nothing_stays_behind(tmp_path: Path) -> None:
    port = free_port()
    environment = PLAIN | {"GITHUB_WEBHOOK_SECRET": SECRET}
    up = subprocess.Popen([sys.executable, "-m", "cli.main", "up", "--port", str(port)], cwd=tmp_path, env=environment,
                          stdout=subprocess.DEVNULL)  # fmt: skip
    assert await_ready(f"http://127.0.0.1:{port}", PATIENCE_SECONDS)
    children = psutil.Process(up.pid).children(recursive=True)
    os.kill(up.pid, signal.SIGKILL)
    up.wait()
    gone, alive = psutil.wait_procs(children, timeout=90)
    assert alive == []
    assert len(gone) >= len(PROCESSES) + 1


@pytest.mark.slow
def test_when_a_web_process_is_killed_its_port_is_free_again(redis_url: str, tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{(port := free_port())}"
    environment = PLAIN | {"GITHUB_WEBHOOK_SECRET": SECRET, "REDIS_URL": redis_url}
    web = subprocess.Popen([sys.executable, "-m", "cli.main", "web", "--port", str(port)], cwd=tmp_path,
                           env=environment)  # fmt: skip
    assert await_ready(base, PATIENCE_SECONDS)
    children = psutil.Process(web.pid).children(recursive=True)
    assert children
    web.kill()
    web.wait()
    assert psutil.wait_procs(children, timeout=90)[1] == []
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{base}/healthz", trust_env=False)


@pytest.mark.slow
def test_up_starts_again_what_dies(tmp_path: Path) -> None:
    port = free_port()
    environment = PLAIN | {"GITHUB_WEBHOOK_SECRET": SECRET}
    up = subprocess.Popen([sys.executable, "-m", "cli.main", "up", "--port", str(port)], cwd=tmp_path, env=environment,
                          stdout=subprocess.DEVNULL)  # fmt: skip
    base = f"http://127.0.0.1:{port}"
    try:
        assert await_ready(base, PATIENCE_SECONDS)
        redis = next(child for child in psutil.Process(up.pid).children() if "redis" in child.name())
        web = next(child for child in psutil.Process(up.pid).children() if "web" in child.cmdline())
        redis.kill()
        web.kill()
        time.sleep(0.5)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and not await_ready(base, 1):
            time.sleep(0.1)
        assert httpx2.get(f"{base}/readyz", trust_env=False).json() == {"ready": True, "redis": "ok"}
    finally:
        up.terminate()
        up.wait(30)


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        (["nonsense"], {}, 2, "No such command 'nonsense'"),
        (["report", "octocat/hello", "yesterday"], {}, 2, "'yesterday' is not a day; write it as 2026-02-17"),
        (["report", "octocat/hello", "9999-12-31"], {}, 2, "'9999-12-31' is out of range: days go from 1970-01-01"),
        (["backfill", "octocat/hello", "--day", "9999-12-31"], {}, 2, "'9999-12-31' is out of range: days go from"),
        (["backfill", "octocat/hello", "--since", "0001-01-01"], {}, 2, "'0001-01-01' is out of range: days go from"),
        (["report", "octocat/hello", "2026-02-17"], {}, 1, "daybook: there is no Daybook in .daybook; start"),
        (["up"], {}, 1, "daybook: GITHUB_WEBHOOK_SECRET is not set; make one with `openssl rand -hex 32`"),
        (["up"], {"GITHUB_WEBHOOK_SECRET": SECRET, "REDIS_URL": NOWHERE}, 1, "daybook: Redis does not answer at"),
        (["web"], {"REDIS_URL": NOWHERE}, 1, "daybook: GITHUB_WEBHOOK_SECRET is not set; make one with"),
        (["status"], {"REDIS_URL": NOWHERE}, 1, "daybook: Redis does not answer at REDIS_URL"),
        (["worker"], {}, 1, "daybook: no Redis: set REDIS_URL, or start everything with `daybook up`"),
        (["status"], {"REPORT_TIMEZONE": "Mars"}, 1, "daybook: settings: REPORT_TIMEZONE: "),
        (["demo", "--day", "2026-02-17", "--last", "3"], {}, 2, "give either --day or --last, not both"),
        (["triage", "."], {}, 1, "daybook: "),
        (["triage", "no such folder"], {}, 2, "does not exist"),
        (["demo", "--repo", "."], {}, 1, "daybook: "),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_line_that_says_what_to_do(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], code: int, said: str
) -> None:
    done = run(*arguments, folder=tmp_path, **environment)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert re.fullmatch(r"daybook: [^\n]+\n", done.stderr[done.stderr.index("daybook: ") :])


def test_help_names_every_command(tmp_path: Path) -> None:
    text = run("--help", folder=tmp_path).stdout
    for name in ("demo", "up", "replay", "report", "triage", "status", *PROCESSES):
        assert f"\n  {name} " in text
    assert "the scheduler alone; of several one leads, and the others stand by" in " ".join(text.split())


@pytest.mark.slow
def test_web_says_where_it_listens_and_obeys_its_concurrency_in_the_env_file(redis_url: str, tmp_path: Path) -> None:
    """It obeyed the environment alone, and without a word."""
    port = free_port()
    (tmp_path / ".env").write_text("WEB_CONCURRENCY=2\n")
    environment = PLAIN | {"GITHUB_WEBHOOK_SECRET": SECRET, "REDIS_URL": redis_url}
    command = [sys.executable, "-m", "cli.main", "web", "--port", str(port)]
    web = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    assert web.stderr
    try:
        said = [web.stderr.readline(), web.stderr.readline()]
        assert all(f"event=web_ready address=127.0.0.1:{port} pid=" in line for line in said), said
        assert said[0] != said[1]
        assert await_ready(f"http://127.0.0.1:{port}", PATIENCE_SECONDS)
    finally:
        web.terminate()
        web.wait(30)
        web.stderr.close()
