"""The files of nginx and Caddy, really running with TLS in front of two web processes; and the units of systemd."""

from __future__ import annotations

import base64
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import httpx2
import pytest

from cli.main import daybook
from core.ledger import Ledger
from core.redis_server import die_with_parent, free_port
from tests.encrypted import certificate
from tests.running import signature, web_process

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parent.parent / "deploy"
PAYLOAD = (Path(__file__).parent / "payloads/push__new_branch_one_commit.json").read_bytes()
PASSWORD = "a password for readers"


def filled(name: str, changes: dict[str, str]) -> str:
    """An example file with what differs here; each of its places must be there."""
    text = (DEPLOY / name).read_text()
    for ours, theirs in changes.items():
        assert ours in text, ours
        text = text.replace(ours, theirs)
    return text


def nginx(folder: Path, port: int, webs: list[int]) -> list[str]:
    """The command of nginx with the example in a configuration of its own; `nginx -t` finds no fault in it."""
    example = filled("nginx.conf", {
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "listen [::]:443 ssl http2;": "", "listen 80;": f"listen 127.0.0.1:{free_port()};", "listen [::]:80;": "",
        "127.0.0.1:8001": f"127.0.0.1:{webs[0]}", "127.0.0.1:8002": f"127.0.0.1:{webs[1]}",
        "/etc/ssl/daybook/": f"{folder}/",
    })  # fmt: skip
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))  # fmt: skip
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log stderr; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{example}\n}}"
    )
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    return command


def caddy(folder: Path, port: int, webs: list[int]) -> list[str]:
    """The command of Caddy with the example and a certificate of our own; `caddy adapt` finds no fault in it."""
    example = filled("Caddyfile", {
        "\ndaybook.example {": f"\n{{\n\tadmin off\n\tauto_https disable_redirects\n}}\nhttps://localhost:{port} {{\n"
        f"\tbind 127.0.0.1\n\ttls {folder}/cert.pem {folder}/key.pem",
        "127.0.0.1:8001": f"127.0.0.1:{webs[0]}", "127.0.0.1:8002": f"127.0.0.1:{webs[1]}",
    })  # fmt: skip
    (folder / "Caddyfile").write_text(example)
    file = ["--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    subprocess.run(["caddy", "adapt", *file], check=True, capture_output=True)
    return ["caddy", "run", *file]


@contextmanager
def proxy(made: Callable[[Path, int, list[int]], list[str]], folder: Path, webs: list[str]) -> Iterator[httpx2.Client]:
    """A proxy before web processes, and a client that trusts its certificate."""
    if shutil.which(made.__name__) is None:
        pytest.skip(f"{made.__name__} is not installed")
    certificate(folder)
    port = free_port()
    command = made(folder, port, [int(base.rpartition(":")[2]) for base in webs])
    with (folder / "proxy.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=log, preexec_fn=die_with_parent,
            env=os.environ | {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)},
        )  # fmt: skip
    trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    with httpx2.Client(base_url=f"https://localhost:{port}", verify=trust, trust_env=False, timeout=30) as client:
        try:
            _await(client, folder / "proxy.log")
            yield client
        finally:
            process.terminate()
            process.wait(20)


def _await(client: httpx2.Client, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if client.get("/healthz").status_code == 200:
                return
        except httpx2.TransportError:
            assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def posted(client: httpx2.Client, body: bytes) -> httpx2.Response:
    """A signed delivery, as GitHub makes it."""
    headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": "a-1",
               "X-Hub-Signature-256": signature(body)}  # fmt: skip
    return client.post("/webhooks/github", content=body, headers=headers)


@pytest.mark.parametrize("made", [nginx, caddy])
def test_deliveries_and_pages_pass_a_proxy_and_nobody_is_let_in_for_being_on_its_host(
    made: Callable[[Path, int, list[int]], list[str]], ledger: Ledger, redis_url: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(web_process(redis_url, tmp_path, SITE_PASSWORD=PASSWORD))
        second = ExitStack()
        other = second.enter_context(web_process(redis_url, tmp_path, SITE_PASSWORD=PASSWORD))
        stack.enter_context(second)
        client = stack.enter_context(proxy(made, tmp_path, [one, other]))

        assert posted(client, PAYLOAD).json() == {"delivery": "a-1", "queued": 1, "known": 0}
        assert ledger.status([]).received == 1
        assert client.post("/webhooks/github", content=PAYLOAD, headers={"Content-Type": "application/json"}
                           ).status_code == 401  # fmt: skip
        assert posted(client, b" " * (25 * 1024 * 1024)).status_code == 400  # as long as GitHub's longest
        assert posted(client, b" " * (27 * 1024 * 1024)).status_code == 413

        assert httpx2.get(f"{one}/", trust_env=False).status_code == 200  # who is on the machine needs no password
        for host in ({}, {"Host": "localhost"}, {"Host": "127.0.0.1"}, {"X-Forwarded-For": "127.0.0.1"}):
            answer = client.get("/", headers=host)
            assert answer.status_code == 401 or not answer.content  # Caddy's own to a name that it does not serve
        login = base64.b64encode(f"reader:{PASSWORD}".encode()).decode()
        page = client.get("/", headers={"Authorization": f"Basic {login}"})
        assert page.status_code == 200
        assert page.headers["strict-transport-security"] == "max-age=31536000"

        second.close()  # one web process of the two is stopped: no delivery is refused
        assert [posted(client, PAYLOAD).status_code for _ in range(12)] == [202] * 12
        assert ledger.status([]).received == 1


def test_the_units_of_systemd_have_no_fault(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for unit in sorted((DEPLOY / "systemd").iterdir()):
        text = unit.read_text().replace("/opt/daybook/.venv/bin/daybook", sys.executable)
        (tmp_path / unit.name.replace("@.", "@8001.")).write_text(text)
    units = [str(path) for path in sorted(tmp_path.glob("*.*"))]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "daybook" in line]
    assert (done.returncode, ours) == (0, [])


def test_what_the_units_start_is_what_the_command_line_has() -> None:
    lines = [line for unit in (DEPLOY / "systemd").glob("*.service") for line in unit.read_text().splitlines()]
    starts = [line.split("daybook ", 1)[1].split() for line in lines if line.startswith("ExecStart=")]
    assert sorted(words[0] for words in starts) == ["beat", "control", "web", "worker"]
    for words in starts:
        command = daybook.get_command(click.Context(daybook), words[0])
        assert command
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options
