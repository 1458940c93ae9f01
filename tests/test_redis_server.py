"""The embedded Redis keeps what it acknowledged, lets nobody else in, and ends with its parent."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import redis

from core.errors import DaybookError
from core.redis_server import RedisServer, answers, read_address, redis_url
from core.settings import load_settings

PARENT = """
import sys, time
from pathlib import Path
from core.redis_server import RedisServer
server = RedisServer(Path(sys.argv[1]))
print(server.start(), server.pid, flush=True)
time.sleep(60)
"""


def test_data_survive_a_restart_and_sigkill(home: Path) -> None:
    server = RedisServer(home)
    with redis.Redis.from_url(server.start()) as client:
        client.set("kept", "yes")
    server.stop()
    with redis.Redis.from_url(server.start()) as client:
        assert client.get("kept") == b"yes"
        client.set("also", "kept")
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    while server.pid:
        time.sleep(0.01)
    with redis.Redis.from_url(server.start()) as client:
        assert client.get("also") == b"kept"
    server.stop()


def test_it_wants_its_password_and_only_the_owner_can_read_it(home: Path) -> None:
    server = RedisServer(home)
    url = server.start()
    password = url.split(":")[2].split("@")[0]
    with (
        redis.Redis(port=int(url.rsplit(":", 1)[1].split("/")[0])) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()
    assert stat.S_IMODE((home / "redis.json").stat().st_mode) == 0o600
    assert server.pid
    assert password not in " ".join(psutil.Process(server.pid).cmdline())
    assert read_address(home) == url
    server.stop()
    assert not answers(url)


def test_a_folder_that_it_makes_is_its_owners_alone_and_one_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o750)
    for folder, mode in ((tmp_path / "new" / "home", 0o700), (shared, 0o750)):
        server = RedisServer(folder)
        server.start()
        server.stop()
        assert (folder / "appendonly.aof").exists()
        assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_a_second_server_on_the_same_directory_is_refused_with_the_remedy(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.redis_server.LOCK_SECONDS", 0.1)
    server = RedisServer(home)
    server.start()
    with pytest.raises(DaybookError, match="stop it, or set DAYBOOK_HOME to another folder"):
        RedisServer(home).start()
    server.stop()


def test_commands_reach_the_running_server_and_start_one_for_the_moment_otherwise(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYBOOK_HOME", str(home))
    monkeypatch.delenv("REDIS_URL", raising=False)
    with (
        pytest.raises(DaybookError, match="start `daybook up` here, or set REDIS_URL"),
        redis_url(load_settings()),
    ):
        pass
    assert not home.exists()
    once = RedisServer(home)
    once.start()
    once.stop()
    with redis_url(load_settings()) as momentary:
        assert answers(momentary)
    assert not answers(momentary)
    server = RedisServer(home)
    running = server.start()
    with redis_url(load_settings()) as found:
        assert found == running
    assert answers(running)
    server.stop()
    monkeypatch.setenv("REDIS_URL", running)
    with pytest.raises(DaybookError, match="Redis does not answer at REDIS_URL"), redis_url(load_settings()):
        pass


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_parent_even_a_killed_one(home: Path, end: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(home)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    with parent.stdout:
        url, pid = parent.stdout.readline().split()
    assert answers(url)
    parent.send_signal(end)
    parent.wait()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not psutil.pid_exists(int(pid))
    after = RedisServer(home)
    after.start()  # its directory is free again
    after.stop()


def test_a_child_whose_parent_died_before_it_could_ask_ends_at_once() -> None:
    orphan = f"from core.redis_server import die_with_parent; die_with_parent(parent={2**22}); print('still here')"
    done = subprocess.run([sys.executable, "-c", orphan], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")
