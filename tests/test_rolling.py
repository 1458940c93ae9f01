"""A new version's processes beside old ones, over one Redis, while commits stream in: every commit is analysed, once.

The newer version is this one, copied and changed as a release may change it (docs/upgrade.md): a higher record version,
new fields, a new argument of a Lua script; and once more with records in a form that the older one cannot read, which
is more than a release may do at once.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cli.replay import HOOK_PATH, chosen, post
from cli.up import await_ready
from core.ledger import Ledger, Status
from core.redis_server import RedisServer, free_port
from tests.conftest import SHANGHAI
from tests.gitclone import Clone
from tests.running import PLAIN, SECRET
from workers.landings import Landing

ROOT = Path(__file__).parent.parent
PACKAGES = ("core", "report", "workers", "webhook", "cli")
NAME = "octocat/rolling"
A_PHASE = 8
CLAIMED = "daybook:claimed"  # counted by the newer version alone
MOST_PROCESSES = 20  # of the older one
READ = """
import json, sys
from datetime import date
from zoneinfo import ZoneInfo
import core
from core.ledger import Ledger, Status
ledger = Ledger(sys.argv[1], ZoneInfo("Asia/Shanghai"))
found = [ledger.record(sys.argv[2], sha) for sha in sys.argv[3:]]
print(json.dumps([core.__file__, [one.model_dump(mode="json") for one in found]]))
"""


def changed(folder: Path, file: str, *changes: tuple[str, str]) -> None:
    """Replace text of a file, each piece of which must be there once."""
    path = folder / file
    text = path.read_text("utf-8")
    for before, after in changes:
        assert text.count(before) == 1, (file, before)
        text = text.replace(before, after)
    path.write_text(text, "utf-8")


def newer_version(folder: Path, *, new_form: bool) -> Path:
    """The packages as a future release may have them."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    finished, bot = "    finished_at: AwareDatetime | None = None\n", "    bot: bool = False\n"
    changed(
        folder,
        "core/models.py",
        ("RECORD_VERSION = 1\n", "RECORD_VERSION = 2\n"),
        (finished, f"{finished}    written_by: str | None = None\n"),
        (bot, f"{bot}    owners: tuple[str, ...] = ()\n"),
    )
    update = 'record = claim.record.model_copy(update={"facts": facts,'
    newer = update.replace("{", '{"written_by": "newer", ')
    owners = 'facts = facts.model_copy(update={"owners": ("@octocat",)})'
    changed(folder, "workers/stages.py", (update, f"{owners}\n    {newer}"))
    changed(folder, "core/ledger/work.py", ("holder, MOST_LOSSES)", 'holder, MOST_LOSSES, "newer")'))
    taken = "return work and lease("
    asked = "if ARGV[8] ~= 'newer' then return redis.error_reply('not asked by the newer version') end"
    changed(folder, "core/ledger/lua/claim.lua", (taken, f"{asked}\n{taken}"))
    taken = "redis.call('HSET', work_key(id), 'token', token, 'queued', 0)"
    changed(folder, "core/ledger/lua/prelude.lua", (taken, f"redis.call('INCR', P .. 'claimed')\n  {taken}"))
    if new_form:
        text = (folder / "core/ledger/dictionaries/1.txt").read_text("utf-8")
        (folder / "core/ledger/dictionaries/2.txt").write_text(text[::-1], "utf-8")
        changed(
            folder,
            "core/ledger/packing.py",
            ("DEFLATED, ZLIB = 0x01, 0x03,", "DEFLATED, ZLIB = 0x01, 0x04,"),
            ('"gb18030")}', '"gb18030"), 0x04: ("dictionaries/2.txt", "utf-8")}'),
        )
    return folder


@dataclass
class Version:
    """One version's processes: those of the folder it was started from."""

    code: Path
    environment: dict[str, str]
    lines: list[str] = field(default_factory=list)
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    readers: list[threading.Thread] = field(default_factory=list)

    def start(self, *names: str, port: int = 0) -> None:
        """Start processes by the names of the Procfile."""
        for name in names:
            more = ["--port", str(port)] if name == "web" else []
            process = self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "cli.main", name, *more],
                cwd=self.code, env=self.environment | {"PYTHONPATH": str(self.code)}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            )  # fmt: skip
            self.readers.append(threading.Thread(target=self._read, args=(process,), daemon=True))
            self.readers[-1].start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process.stdout as told:
            self.lines.extend(told)

    def stop(self) -> None:
        """End its processes as an update does, and let them finish what they have begun."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait(60)
        for reader in self.readers:
            reader.join(10)
        self.running.clear()

    def read(self, url: str, shas: list[str]) -> tuple[str, list[dict[str, Any]]]:
        """Where this version's code lies, and what it reads of some commits; raises CalledProcessError."""
        told = subprocess.run(
            [sys.executable, "-c", READ, url, NAME, *shas], cwd=self.code, check=True, capture_output=True, text=True,
            env=self.environment | {"PYTHONPATH": str(self.code)}, timeout=60,
        )  # fmt: skip
        place, records = json.loads(told.stdout)
        return place, records


@contextmanager
def versions(folder: Path, url: str, *, new_form: bool) -> Iterator[tuple[Version, Version]]:
    """The older and the newer version, nothing of them started."""
    environment = PLAIN | {
        "REDIS_URL": url, "GITHUB_WEBHOOK_SECRET": SECRET, "DAYBOOK_CONFIG": str(folder / "daybook.toml"),
        "DAYBOOK_HOME": str(folder / "home"), "REPORT_DIR": str(folder / "reports"), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    older = Version(ROOT, environment)
    newer = Version(newer_version(folder / "newer", new_form=new_form), environment)
    with ExitStack() as stack:
        stack.callback(older.stop)
        stack.callback(newer.stop)
        yield older, newer


@dataclass
class Update:
    """One update: a stream of pushes, a ledger, and the versions that share it."""

    clone: Clone
    url: str
    ledger: Ledger
    older: Version
    newer: Version
    pushes: list[Landing] = field(default_factory=list)
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))

    def start(self, version: Version, *others: str) -> None:
        """Start a version's web process and others, and wait until it takes deliveries."""
        version.start("web", *others, port=self.ports[version is self.newer])
        assert await_ready(f"http://127.0.0.1:{self._port(version)}", 90), "".join(version.lines)

    def _port(self, version: Version) -> int:
        return self.ports[version is self.newer]

    def deliver(self, version: Version, count: int) -> None:
        """Make some commits and post their pushes to a version's web process."""
        for number in range(len(self.pushes), len(self.pushes) + count):
            self.clone.commit(f"Change {number} (#{number + 1})", {f"src/part_{number % 7}.py": f"value = {number}\n"})
        some = chosen(self.clone.path, last=count)
        self.pushes += some
        address = f"http://127.0.0.1:{self._port(version)}{HOOK_PATH}"
        assert len(list(post(some, address, SecretStr(SECRET), name=NAME, branch="main"))) == count

    def until(self, condition: Callable[[Status], bool], seconds: float = 120.0) -> None:
        """Wait until it holds; fails with what the versions said last."""
        deadline = time.monotonic() + seconds
        while not condition(self.ledger.status([])):
            said = self.older.lines[-40:] + self.newer.lines[-40:]
            assert time.monotonic() < deadline, "".join(said)
            time.sleep(0.1)


@contextmanager
def update_of(folder: Path, *, new_form: bool) -> Iterator[Update]:
    """A clone to commit to, a Redis, and both versions; nothing of them started."""
    clone = Clone(folder / "clone")
    clone.commit("long ago", {"README": "1\n"})
    (folder / "daybook.toml").write_text(f'[[repository]]\nname = "{NAME}"\nsource = "{clone.path}"\n')
    server = RedisServer(folder / "redis")
    with ExitStack() as stack:
        url = server.start()
        stack.callback(server.stop)
        ledger = Ledger(url, SHANGHAI)
        stack.callback(ledger.close)
        older, newer = stack.enter_context(versions(folder, url, new_form=new_form))
        yield Update(clone, url, ledger, older, newer)


@pytest.mark.slow
@pytest.mark.kills
@pytest.mark.timeout(400)
@pytest.mark.parametrize("new_form", [False, True], ids=["new fields", "new form"])
def test_an_update_in_mid_replay_loses_nothing(tmp_path: Path, *, new_form: bool) -> None:
    with update_of(tmp_path, new_form=new_form) as update:
        older, newer = update.older, update.newer
        update.start(older, "worker", "control", "beat")
        update.deliver(older, A_PHASE)
        update.until(lambda status: status.analysed >= A_PHASE // 2)
        update.start(newer, "worker", "control")  # in the middle of it
        update.deliver(older, A_PHASE)
        for _ in range(A_PHASE // 2):  # both take deliveries, and both work
            update.deliver(older, 1)
            update.deliver(newer, 1)
        update.until(lambda status: status.analysed >= 2 * A_PHASE and bool(update.ledger.redis.exists(CLAIMED)))
        older.stop()
        newer.start("beat")
        update.deliver(newer, A_PHASE)
        update.until(lambda status: status.waiting == 0)
        check(update, [commit.sha for push in update.pushes for commit in push.commits], new_form=new_form)
        newer.stop()
        for version in (older, newer):
            said = "".join(version.lines)
            assert "Traceback" not in said, said
            assert "stage_crashed" not in said
        left = sum("left_to_newer_version" in line for line in older.lines)
        assert left <= (MOST_PROCESSES if new_form else 0)  # once in each process that met one


def check(update: Update, shas: list[str], *, new_form: bool) -> None:
    """Nothing is lost, given up on or done twice, and both versions read what they are to read."""
    status = update.ledger.status([])
    assert (status.received, status.analysed, status.failed) == (4 * A_PHASE, 4 * A_PHASE, 0)
    assert status.leases_lost == 0
    place, records = update.newer.read(update.url, shas)
    assert Path(place).is_relative_to(update.newer.code)
    assert all(record["analysis"] for record in records)
    written = [record["written_by"] for record in records]
    assert written[-A_PHASE:] == ["newer"] * A_PHASE
    assert None in written[:A_PHASE]
    if not new_form:
        place, seen = update.older.read(update.url, shas)
        assert Path(place).is_relative_to(ROOT)
        told = [without_defaults(record) for record in records]
        assert [without_defaults(record) for record in seen] == told  # what it does not know included


def without_defaults(record: dict[str, Any]) -> dict[str, Any]:
    """A record as both versions tell of it: the newer one also tells of new fields that are empty."""
    return {
        name: without_defaults(value) if isinstance(value, dict) else value
        for name, value in record.items()
        if value not in (None, [])
    }
