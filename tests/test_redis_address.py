"""REDIS_URL in all its forms: what is read from it, what is refused, and that no password leaves it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DaybookError
from core.redis_address import RedisAddress, address_from_url, with_tls
from core.redis_connections import PoolOfMaster
from core.redis_server import RedisServer, why_silent
from core.settings import load_settings
from tests.encrypted import certificate, tls_in_front_of
from workers.app import app, connect_broker
from workers.broker import Channel

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host", RedisAddress("redis", (("host", 6379),))),
        ("redis://:p%40w@10.0.0.1:7000/3", RedisAddress("redis", (("10.0.0.1", 7000),), db=3, password="p@w")),
        ("redis://me:pw@[::1]/?db=2", RedisAddress("redis", (("::1", 6379),), db=2, username="me", password="pw")),
        ("unix:///run/redis.sock?db=1", RedisAddress("unix", path="/run/redis.sock", db=1)),
        (
            "redis+sentinel://:pw@a,b:26380,[::2]:3/main/1?sentinel_password=s%26x",
            RedisAddress("redis+sentinel", (("a", 26379), ("b", 26380), ("::2", 3)), service="main", db=1,
                         password="pw", sentinel_password="s&x"),
        ),
        (
            "rediss://h?ssl_cert_reqs=none",
            RedisAddress("rediss", (("h", 6379),), tls=(("ssl_cert_reqs", "none"), ("ssl_check_hostname", True))),
        ),
    ],
)  # fmt: skip
def test_each_form_is_read(url: str, expected: RedisAddress) -> None:
    assert address_from_url(url) == expected


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://host", "a url such as redis://"),
        ("redis:/host", "a url such as redis://"),
        ("redis://:sec#ret@host/0", "write # in a password as %23"),
        ("redis://:secret/more@host/0", "write / and @ in a password as %2F and %40"),
        ("redis://host/secret", "the path is no number of a database"),
        ("redis://host:0/0", "the port is no number"),
        ("redis://a,b/0", "several hosts are for redis\\+sentinel"),
        ("redis+sentinel://a:1,b:2", "the service that the Sentinels watch"),
        ("redis+sentinel://a/main/0?sentinel_user=secret", "unknown option 'sentinel_user'"),
        ("redis://a?sentinel_password=secret", "sentinel_password is for"),
        ("redis://a?decode_responses=secret", "unknown option 'decode_responses'"),
        ("redis://a?ssl_cert_reqs=none", "ssl_cert_reqs is for rediss://"),
        ("rediss://a?ssl_cert_reqs=secret", "ssl_cert_reqs: `required` or `none`"),
        ("rediss://a?ssl_ca_certs=/secret", "ssl_ca_certs: there is no such file"),
        ("rediss://a?ssl_check_hostname=secret", "ssl_check_hostname: `true` or `false`"),
        ("unix://", "unix:// wants the path of a socket"),
    ],
)
def test_what_is_wrong_is_said_without_a_value(url: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(DaybookError, match=f"^settings: REDIS_URL: .*({why})") as refused:
        load_settings()
    assert "secret" not in str(refused.value)


@given(TEXT, TEXT, TEXT)
def test_no_password_leaves_an_address_whatever_is_in_it(name: str, password: str, other: str) -> None:
    name, password, other = f"name {name}", f"password {password}", f"other {other}"
    login = f"{quote(name, safe='')}:{quote(password, safe='')}"
    address = address_from_url(f"redis+sentinel://{login}@h:1,h:2/main?sentinel_password={quote(other, safe='')}")
    assert (address.username, address.password, address.sentinel_password) == (name, password, other)
    assert {password, other, quote(password, safe="")} <= set(address.secrets)
    pool = address.pool(socket_timeout=1.0)
    for shown in (repr(address), address.shown, address.broker_url, repr(pool)):
        assert not any(secret in shown for secret in address.secrets)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    for scheme in ("redis://", "rediss+sentinel://", "unix://", ""):
        with suppress(ValueError):  # anything else fails
            assert address_from_url(scheme + text).shown


def test_the_settings_of_tls_become_options_of_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.pem").write_text("")
    for name, value in (("URL", "rediss://:pw@host/0"), ("CA_FILE", f"{tmp_path}/ca.pem"), ("TLS_VERIFY", "0")):
        monkeypatch.setenv(f"REDIS_{name}", value)
    settings = load_settings()
    assert settings.redis_url
    address = address_from_url(url := settings.redis_url.get_secret_value())
    assert dict(address.tls) == {
        "ssl_ca_certs": f"{tmp_path}/ca.pem", "ssl_cert_reqs": "none", "ssl_check_hostname": True
    }  # fmt: skip
    assert with_tls(url, ca_file=tmp_path / "ca.pem", verify=False) == url
    assert with_tls("redis://host", ca_file=None, verify=False) == "redis://host"


def test_the_ledgers_and_celerys_connections_are_made_by_the_same_address() -> None:
    address = address_from_url("redis+sentinel://:pw@127.0.0.1:1/main/2")
    pool = address.pool(socket_timeout=1.0)
    assert isinstance(pool, PoolOfMaster)
    with pytest.raises(redis.ConnectionError, match=r"no Sentinel names a master of 'main': 127\.0\.0\.1:1 "):
        address.client(1.0).ping()


def test_celerys_own_and_pooled_connections_are_made_by_it_too(redis_url: str) -> None:
    connect_broker(redis_url)
    password = address_from_url(redis_url).password or ""
    assert password
    assert password not in repr(app.conf.broker_url) + repr(app.conf.broker_transport_options)
    with app.connection_for_write() as connection:
        pool = connection.Pool(limit=1)
        with pool.acquire() as pooled:
            for one in (connection, pooled):
                channel: Any = one.default_channel
                assert isinstance(channel, Channel)
                assert channel.client.ping()
        pool.force_close_all()


@pytest.mark.slow
def test_tls_is_verified_unless_that_is_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = RedisServer(tmp_path / "redis")
    plain = address_from_url(server.start())
    certificate(tmp_path)
    try:
        with tls_in_front_of(plain.hosts[0][1], tmp_path) as port:
            url = f"rediss://:{plain.password}@localhost:{port}/0"
            monkeypatch.setenv("REDIS_URL", url)
            assert "its certificate is not trusted; name who signed it in REDIS_CA_FILE" in str(why_silent(url))
            monkeypatch.setenv("REDIS_CA_FILE", f"{tmp_path}/cert.pem")
            settings = load_settings()
            assert settings.redis_url
            assert why_silent(settings.redis_url.get_secret_value()) is None
            elsewhere = settings.redis_url.get_secret_value().replace("localhost", "127.1")
            assert "not trusted" in str(why_silent(elsewhere))  # the name is checked too
            assert why_silent(f"{url}?ssl_cert_reqs=none") is None
            assert "refuses the password" in str(why_silent(f"rediss://:wrong@localhost:{port}/0?ssl_cert_reqs=none"))
    finally:
        server.stop()
