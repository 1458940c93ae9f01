"""Machines for tests: network namespaces with an address each, joined by a bridge that leads nowhere else.

Their names begin with `daybook-PID-`, the process id of the test run. Whatever a run left behind that was killed
half-way is cleared away by the next one.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

NETWORK = "10.77.0"  # of the bridge alone; no route leads to it
_CLONE_NEWNET = 0x40000000
_NAME = re.compile(r"^daybook-(\d+)-")


class Network:
    """Hosts by name; `10.77.0.1` is the hub's, where the test itself goes by `within("hub", …)`."""

    def __init__(self) -> None:
        self._prefix = f"daybook-{os.getpid()}-"
        self._hosts: dict[str, str] = {}

    def build(self, hosts: Sequence[str]) -> None:
        """Make the hub and the hosts, each with one cable to it."""
        self._make("hub", f"{NETWORK}.1")
        hub = self._prefix + "hub"
        _ip("-n", hub, "link", "add", "name", "bridge", "type", "bridge")
        _ip("-n", hub, "addr", "add", f"{NETWORK}.1/24", "dev", "bridge")
        _ip("-n", hub, "link", "set", "bridge", "up")
        for number, name in enumerate(hosts):
            self._make(name, f"{NETWORK}.{number + 10}")
            mine, cable = self._prefix + name, f"to-{name}"
            _ip("-n", hub, "link", "add", "name", cable, "type", "veth", "peer", "name", "eth0", "netns", mine)
            _ip("-n", hub, "link", "set", cable, "master", "bridge", "up")
            _ip("-n", mine, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            _ip("-n", mine, "link", "set", "eth0", "up")

    def address(self, host: str) -> str:
        """A host's address."""
        return self._hosts[host]

    def run_on(self, host: str) -> list[str]:
        """What comes before a command that is to run on a host."""
        return ["ip", "netns", "exec", self._prefix + host]

    def cut(self, host: str) -> None:
        """Pull a host's cable: what it sends is lost, nobody is told."""
        _ip("-n", self._prefix + "hub", "link", "set", f"to-{host}", "down")

    def join(self, host: str) -> None:
        """Put the cable back."""
        _ip("-n", self._prefix + "hub", "link", "set", f"to-{host}", "up")

    def within(self, host: str, function: Callable[[], T]) -> T:
        """Run a function in a thread that is on a host; processes and sockets that it opens are there too."""
        came: list[T] = []
        failed: list[BaseException] = []

        def there() -> None:
            try:
                _enter(self._prefix + host)
                came.append(function())
            except BaseException as error:  # noqa: BLE001 - pytest's own are none of Exception; all are raised below
                failed.append(error)

        thread = threading.Thread(target=there)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return came[0]

    def _make(self, name: str, address: str) -> None:
        _ip("netns", "add", self._prefix + name)
        _ip("-n", self._prefix + name, "link", "set", "lo", "up")
        self._hosts[name] = address


@contextmanager
def network(*hosts: str) -> Iterator[Network]:
    """A network of these hosts; gone at the end, with every process in it. Skips the test where it cannot be made."""
    if why := why_impossible():
        pytest.skip(why)
    clear(lambda pid: not _lives(pid))
    made = Network()
    try:
        made.build(hosts)
        yield made
    finally:
        clear(lambda pid: pid == os.getpid())


def why_impossible() -> str:
    """Why no namespace can be made here; "" where one can."""
    if shutil.which("ip") is None:
        return "no network namespaces: `ip` of iproute2 is missing"
    if os.geteuid() != 0:
        return "no network namespaces: they want root"
    name = f"daybook-{os.getpid()}-probe"
    made = _tried("netns", "add", name)
    bridged = made or _tried("-n", name, "link", "add", "name", "bridge", "type", "bridge")
    cabled = bridged or _tried("-n", name, "link", "add", "name", "left", "type", "veth", "peer", "name", "right")
    if not made:
        _ip("netns", "del", name)
    return f"no network namespaces: {cabled}" if cabled else ""


def clear(whose: Callable[[int], bool]) -> None:
    """Kill what runs in the namespaces of some test runs, by their process id, and delete them."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    names = [line.split()[0] for line in listed.splitlines() if (found := _NAME.match(line)) and whose(int(found[1]))]
    for name in names:
        _kill_all(name)
    for name in names:
        _tried("netns", "del", name)


def _kill_all(name: str) -> None:
    deadline = time.monotonic() + 10
    while (pids := _processes(name) - {os.getpid()}) and time.monotonic() < deadline:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _processes(name: str) -> set[int]:
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout
    return {int(pid) for pid in listed.split()}


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _ip(*arguments: str) -> None:
    if why := _tried(*arguments):
        raise OSError(f"ip {' '.join(arguments)}: {why}")


def _tried(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    return done.stderr.strip() or f"ip ended with {done.returncode}" if done.returncode else ""


def _enter(name: str) -> None:
    """Move the calling thread into a namespace (setns(2)); no other thread of the process is moved."""
    with Path(f"/run/netns/{name}").open() as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
