"""Runs Daybook's processes as children: starts, prefixes their output, restarts what dies, stops all without loss."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING

from core.redis_server import RedisServer, die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PROCESSES = ("web", "worker", "control", "beat")  # as in the Procfile; a test holds the two together
TICK_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 60.0  # who ran this long is restarted at once again
STOP_SECONDS = 60.0


@dataclass
class _Child:
    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    pause: float = 0.5
    restart_at: float = 0.0


@dataclass
class Supervisor:
    """The processes named, under one environment, with the embedded Redis where one is given.

    `tell` gets every line the children write, with the name of the process; those in `later` are started when
    `release` is called. Use the rest from the main thread: children end with the thread that started them.
    """

    environment: Mapping[str, str]
    arguments: Mapping[str, Sequence[str]]
    tell: Callable[[str, str], None]
    redis: RedisServer | None = None
    later: frozenset[str] = frozenset()
    _children: list[_Child] = field(default_factory=list)
    _readers: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start every process; raises DaybookError when Redis does not come up."""
        if self.redis:
            self.redis.start()
        self._children = [_Child(name, [name, *more]) for name, more in self.arguments.items()]
        for child in self._children:
            if child.name in self.later:
                child.restart_at = math.inf
            else:
                self._spawn(child)

    def release(self) -> None:
        """Let the next tick start those that were to come later; any thread may call it."""
        for child in self._children:
            if child.restart_at == math.inf:
                child.restart_at = 0.0

    def tend(self, until: Callable[[], bool]) -> None:
        """Restart what dies, until told to stop."""
        while not until():
            self.tick()
            time.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """Look once after every child."""
        if self.redis and self.redis.pid is None:
            self.tell("redis", "ended; starting it again")
            self.redis.start()
        for child in self._children:
            self._look_after(child)

    def pids(self) -> dict[str, int]:
        """The running processes by name, Redis included."""
        running = {child.name: child.process.pid for child in self._children if child.process}
        return running | ({"redis": self.redis.pid} if self.redis and self.redis.pid else {})

    def stop(self, *, now: Callable[[], bool] = lambda: False) -> None:
        """End the web process first, then the rest after their running tasks, Redis last.

        Whatever is still running after a minute, or when `now` says so, is killed: its leases run out and the work is
        done after the next start.
        """
        for names in ({"web", "beat"}, {"worker", "control"}):
            group = [child for child in self._children if child.name in names and child.process]
            for child in group:
                if child.process:
                    child.process.send_signal(signal.SIGTERM)
            self._await_end(group, now)
        for reader in self._readers:
            reader.join(2)
        if self.redis:
            self.redis.stop()

    def _await_end(self, group: Sequence[_Child], now: Callable[[], bool]) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        for child in group:
            while child.process and child.process.poll() is None:
                if now() or time.monotonic() > deadline:
                    child.process.kill()
                time.sleep(0.05)

    def _spawn(self, child: _Child) -> None:
        child.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *child.arguments],
            env=dict(self.environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", preexec_fn=partial(die_with_parent, parent=os.getpid()),
            start_new_session=True,
        )  # fmt: skip
        child.started = time.monotonic()
        assert child.process.stdout
        reader = threading.Thread(target=self._read, args=(child.name, child.process.stdout), daemon=True)
        reader.start()
        self._readers = [thread for thread in self._readers if thread.is_alive()] + [reader]

    def _read(self, name: str, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.tell(name, line.rstrip("\n"))

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process and child.process.poll() is not None:
            child.pause = 0.5 if now - child.started > STEADY_SECONDS else min(child.pause * 2, LONGEST_PAUSE_SECONDS)
            child.restart_at = now + child.pause
            self.tell(child.name, f"ended with {child.process.returncode}; starting it again in {child.pause:.0f} s")
            child.process = None
        elif child.process is None and now >= child.restart_at:
            self._spawn(child)
