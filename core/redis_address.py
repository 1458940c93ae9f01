"""Where Redis is and how it is reached: a url, read once, and the connections that every process makes from it.

    redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]
    rediss://…                                   the same with TLS
    unix://[[USER]:PASSWORD@]/PATH[?db=DB]
    redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT],…/SERVICE[/DB]     the hosts are the Sentinels'
    rediss+sentinel://…                          TLS to the Sentinels and to the Redis they name

Options follow after `?`: `db`; with TLS `ssl_ca_certs` (a file), `ssl_cert_reqs` (required or none),
`ssl_check_hostname`, `ssl_certfile` and `ssl_keyfile`; with Sentinel `sentinel_username` and `sentinel_password`.
Reserved characters in names and passwords are percent-encoded.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.redis_connections import MASTER, PLAIN, SENTINELS_SHARE, PoolOfMaster, Sentinels

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_cert_reqs", "ssl_check_hostname", "ssl_certfile", "ssl_keyfile")
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")
_PORTS = {"redis": 6379, "rediss": 6379, "unix": 0, "redis+sentinel": 26379, "rediss+sentinel": 26379}
MOST = 1024  # connections of a pool
# A host that vanished answers nothing, not even that it is gone: its kernel's silence is noticed after 5 s, whether we
# wait for an answer or for our words to arrive. A Redis that is merely busy or frozen is not taken for one.
_KEEPALIVE = {
    "socket_keepalive": True,
    "socket_keepalive_options": {
        socket.TCP_KEEPIDLE: 2, socket.TCP_KEEPINTVL: 1, socket.TCP_KEEPCNT: 3, socket.TCP_USER_TIMEOUT: 5000
    },
}  # fmt: skip
_LONGEST_SENTINEL_SECONDS = 1.0


@dataclass(frozen=True)
class RedisAddress:
    """One Redis, or a service that Sentinels watch. Its `repr` shows no password.

    `hosts` are Redis's own, or the Sentinels' where `service` is set; empty with a unix socket at `path`.
    """

    scheme: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    tls: tuple[tuple[str, str | bool], ...] = ()

    @property
    def is_encrypted(self) -> bool:
        """Whether connections use TLS."""
        return self.scheme.startswith("rediss")

    @property
    def shown(self) -> str:
        """The address as a person may see it: without names, passwords and options."""
        if self.path:
            return f"unix://{self.path}"
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{self.scheme}://{hosts}/{f'{self.service}/' if self.service else ''}{self.db}"

    @property
    def broker_url(self) -> str:
        """What Celery is told and may log; the connections themselves come from `pool`."""
        host, port = (self.service or "localhost", 6379) if self.service or self.path else self.hosts[0]
        return f"redis://{f'[{host}]' if ':' in host else quote(host, safe='')}:{port}/{self.db}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords, as they are and as they stand in a url."""
        found = [secret for secret in (self.password, self.sentinel_password) if secret]
        return tuple(dict.fromkeys([*found, *(quote(secret, safe="") for secret in found)]))

    @property
    def connection_class(self) -> type[Any]:
        """The class of its connections, each of which notices that its Redis takes no writes any more."""
        kind = "unix" if self.path else "tls" if self.is_encrypted else "tcp"
        return (MASTER if self.service else PLAIN)[kind]

    def pool(self, *, connection_class: type[Any] | None = None, **options: Any) -> redis.ConnectionPool:
        """A pool of connections, no I/O yet; `options` are redis-py's, `connection_class` a subclass of this one's."""
        chosen = connection_class or self.connection_class
        named = self._credentials() | {"db": self.db, "retry": Retry(NoBackoff(), 0), "max_connections": MOST} | options
        if self.path:
            return redis.ConnectionPool(connection_class=chosen, path=self.path, **named)
        named |= _KEEPALIVE
        if not self.service:
            host, port = self.hosts[0]
            return redis.ConnectionPool(connection_class=chosen, host=host, port=port, **named | dict(self.tls))
        sentinels = self._sentinels(float(options.get("socket_timeout") or 10.0))
        pool: Any = PoolOfMaster  # redis-py's own is untyped
        of_master: redis.ConnectionPool = pool(
            self.service, sentinels, connection_class=chosen, **named | dict(self.tls)
        )
        return of_master

    def client(self, timeout: float) -> redis.Redis:
        """A client that gives up connecting, and each command, after `timeout` seconds, without trying again."""
        return redis.Redis.from_pool(self.pool(socket_timeout=timeout, socket_connect_timeout=timeout))

    def _credentials(self) -> dict[str, Any]:
        return {"username": self.username, "password": self.password} if self.password is not None else {}

    def _sentinels(self, timeout: float) -> Sentinels:
        """The Sentinels, each asked for a part of the time only: the first may be the one that is cut off."""
        seconds = min(timeout * SENTINELS_SHARE, _LONGEST_SENTINEL_SECONDS)
        options: dict[str, Any] = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
        if self.sentinel_password is not None:
            options |= {"username": self.sentinel_username, "password": self.sentinel_password}
        if self.is_encrypted:
            options |= {"ssl": True, **dict(self.tls)}
        return Sentinels.at(self.hosts, options | {"retry": Retry(NoBackoff(), 0)})


def with_tls(url: str, *, ca_file: Path | None, verify: bool) -> str:
    """The url with what the settings say of TLS as its options, unless it has some of its own."""
    parts = urlsplit(url)
    if not parts.scheme.startswith("rediss"):
        return url
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if ca_file:
        options.setdefault("ssl_ca_certs", str(ca_file))
    if not verify:
        options.setdefault("ssl_cert_reqs", "none")
    return parts._replace(query=urlencode(options, safe="/")).geturl()


def address_from_url(url: str) -> RedisAddress:
    """Read a url; raises ValueError with what is wrong, never with a value: it may be a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("the host cannot be read") from None
    if parts.scheme not in SCHEMES or not url.startswith(f"{parts.scheme}://"):
        raise ValueError("a url such as redis://:password@host:6379/0 is wanted")
    if parts.fragment:
        raise ValueError("write # in a password as %23")
    if "@" in parts.path and parts.scheme != "unix":
        raise ValueError("write / and @ in a password as %2F and %40")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    userinfo, _, hosts = parts.netloc.rpartition("@")
    username, colon, password = userinfo.partition(":")
    service, db = _service_and_db(parts, options.pop("db", ""))
    return RedisAddress(
        scheme=parts.scheme,
        hosts=() if parts.scheme == "unix" else _hosts(parts.scheme, hosts),
        path=_path(parts) if parts.scheme == "unix" else "",
        service=service,
        db=db,
        username=unquote(username) or None,
        password=unquote(password) if colon else None,
        **_sentinel_options(parts.scheme, options),
        tls=_tls_options(parts.scheme, options),
    )


def _path(parts: SplitResult) -> str:
    if not parts.path.strip("/"):
        raise ValueError("unix:// wants the path of a socket: unix:///run/redis/redis.sock")
    return unquote(parts.path)


def _hosts(scheme: str, text: str) -> tuple[tuple[str, int], ...]:
    found = tuple(_host(one, _PORTS[scheme]) for one in text.split(","))
    if len(found) > 1 and "sentinel" not in scheme:
        raise ValueError("several hosts are for redis+sentinel:// and rediss+sentinel:// only")
    return found


def _host(text: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        given, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("the host or port cannot be read") from None
    if text.endswith(":") or given == 0:
        raise ValueError("the port is no number between 1 and 65535")
    return unquote(host or "localhost"), given or port


def _service_and_db(parts: SplitResult, given: str) -> tuple[str, int]:
    """Sentinel's name of the service, and the database's number, from the path and the option `db`."""
    names = [] if parts.scheme == "unix" else [unquote(name) for name in parts.path.split("/") if name]
    service = ""
    if "sentinel" in parts.scheme:
        if not names:
            raise ValueError("the service that the Sentinels watch is wanted: …host:26379/mymaster/0")
        service = names.pop(0)
    text = given or (names.pop(0) if names else "0")
    if names or not (text.isascii() and text.isdecimal()):
        raise ValueError("the path is no number of a database")
    return service, int(text)


def _sentinel_options(scheme: str, options: dict[str, str]) -> dict[str, str]:
    found = {name: options.pop(name) for name in _SENTINEL_OPTIONS if name in options}
    if found and "sentinel" not in scheme:
        raise ValueError(f"{next(iter(found))} is for redis+sentinel:// and rediss+sentinel:// only")
    return found


def _tls_options(scheme: str, options: dict[str, str]) -> tuple[tuple[str, str | bool], ...]:
    """What is left of the options, all of it TLS's; raises ValueError where it is not."""
    for name in options:
        if name not in _TLS_OPTIONS:
            raise ValueError(f"unknown option {name!r}" if name.isidentifier() else "an option cannot be read")
        if not scheme.startswith("rediss"):
            raise ValueError(f"{name} is for rediss:// and rediss+sentinel:// only")
    if options.get("ssl_cert_reqs", "required") not in ("none", "required"):
        raise ValueError("ssl_cert_reqs: `required` or `none`")
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if name in options and not Path(options[name]).is_file():
            raise ValueError(f"{name}: there is no such file")
    check = options.pop("ssl_check_hostname", "true").lower()
    if check not in ("true", "false", "1", "0"):
        raise ValueError("ssl_check_hostname: `true` or `false`")
    return (*options.items(), ("ssl_check_hostname", check in ("true", "1"))) if scheme.startswith("rediss") else ()
