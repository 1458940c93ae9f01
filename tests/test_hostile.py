"""What strangers write stays inert, what is secret stays out, no address in a payload is visited: end to end."""

from __future__ import annotations

import json
import re
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import httpx2
import pytest
from markdown_it import MarkdownIt
from pydantic import SecretStr

from cli.replay import HOOK_PATH, chosen, post, push_payload
from core.ledger import Ledger
from tests.conftest import SHANGHAI
from tests.fakes.anthropic import FakeAnthropic
from tests.gitclone import Clone, Entry, Name
from tests.running import SECRET, Daybook, daybook, deliver

pytestmark = pytest.mark.slow

NAME = "octocat/hello-world"
PAGE = f"/{NAME}/2026-02-17"
# Put together here so that no scanner takes this file for a leak.
SECRETS = {
    "aws": "AKIA" + "IOSFODNN7EXAMPLQ",
    "github": "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8",
    "anthropic": "sk-ant-" + "api03-" + "Zx9Yw8Vu7T" * 9,
    "openai": "sk-proj-" + "q1W2e3R4t5" * 5,
    "slack": "xoxb-" + "123456789012-1234567890123-" + "AbCdEfGhIjKlMnOpQrStUvWx",
    "google": "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
    "jwt": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "url": "S3cr3tPassw0rd" + "InAnUrl",
    "stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "huggingface": "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh",
    "private key": "MIIEpAIBAAKCAQEA" + "7Vn0Zk3qXw9JbR5tYc2LmP8sHd4GfK6uEo1NiTzQxWvCyBaS",
}
SCRIPT = files("report").joinpath("templates/script.js").read_text("utf-8")
HOSTILE = (
    "<script>alert(1)</script> ![x](http://evil.test/i.png) <!channel> @octocat \u202eevil\u202c [x](javascript:a) `|`"
)


class Elements(HTMLParser):
    """The elements of a page, and every attribute that loads or runs something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.scripts: list[str] = []
        self.forms: set[str | None] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "form":
            self.forms.add(dict(attrs).get("action"))
        self.loads += [f"{name}={value}" for name, value in attrs if name in ("src", "srcset") or name.startswith("on")]
        self.loads += [
            value or "" for name, value in attrs if name == "href" and re.match(r"\s*(javascript|data):", value or "")
        ]

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts.append(data)


def posted(running: Daybook, clone: Clone) -> None:
    pushes = chosen(clone.path, last=100)
    answers = list(post(pushes, running.base + HOOK_PATH, SecretStr(SECRET), name=NAME, branch="main"))
    assert [answer.status for answer in answers] == [202] * len(pushes)


@contextmanager
def analysed(folder: Path, clone: Clone, commits: int, **environment: str) -> Iterator[tuple[Daybook, Ledger]]:
    """A Daybook that has analysed a clone's commits and closed their day."""
    (folder / "daybook.toml").write_text(f'[[repository]]\nname = "{NAME}"\nsource = "{clone.path}"\n')
    with daybook(folder, **environment) as running:
        ledger = Ledger(running.redis.url, SHANGHAI)
        posted(running, clone)
        running.await_(lambda: ledger.status([]).analysed == commits)
        running.await_(lambda: bool(ledger.report_days(NAME)))
        yield running, ledger
        ledger.close()


def test_hostile_messages_names_and_diffs_are_inert_on_every_page(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    changes: dict[Name, Name | Entry | None] = {
        "src/<script>alert(1)<-script>.py": "def f():\n    return '<script>alert(1)</script>'\n",
        "src/long.py": "x = '" + "<b>" * 22_000 + "'\n",
        "src/nul.bin": b"\x00\x01<script>",
        "src/\u202egnp.py": "y = 1\n",
        "src/tab\tand\nnewline`|`.py": "z = 1\n",
    }
    clone.commit("A quiet start", {"README.md": "hello\n"})
    clone.commit(
        f"{HOSTILE}\n\n{HOSTILE}\nBREAKING: everything",
        changes,
        author="![x](http://evil.test) @octocat &lt;script&gt; <o@example.test>",
    )
    with analysed(tmp_path, clone, 2) as (running, _):
        log = "\n".join(running.lines)
        for path in (PAGE, f"/{NAME}/commit/{clone.head}", "/", "/2026-02-17"):
            answer = httpx2.get(running.base + path, trust_env=False)
            assert answer.status_code == 200
            elements = Elements()
            elements.feed(answer.text)
            assert elements.tags.isdisjoint({"img", "iframe", "object"})
            assert elements.scripts in ([], [SCRIPT])
            assert elements.forms <= {None, "/search", f"/{NAME}/changes"}
            assert elements.loads in ([], ["data:,"])
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "\u202e" not in answer.text
        markdown = httpx2.get(f"{running.base}{PAGE}.md", trust_env=False).text
    rendered = Elements()
    rendered.feed(MarkdownIt("commonmark").enable("table").render(markdown))  # this preset lets raw HTML through
    assert rendered.tags.isdisjoint({"script", "img", "iframe", "object", "form"})
    assert rendered.loads == []
    assert "@octocat" not in re.sub(r"`[^`\n]*`", "", markdown)
    assert "\u202e" not in markdown
    assert "\u202e" not in log
    assert "<script" not in log


def test_secrets_in_a_diff_or_message_reach_neither_the_model_nor_redis_nor_a_log_nor_a_page(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    lines = [f'value_{number} = "{secret}"' for number, secret in enumerate(SECRETS.values())]
    lines += [f"DATABASE = 'postgres://daybook:{SECRETS['url']}@db.example.test/daybook'"]
    lines += ["-----BEGIN RSA PRIVATE KEY-----", SECRETS["private key"], "-----END RSA PRIVATE KEY-----"]
    lines = [line for line in lines if f'"{SECRETS["url"]}"' not in line and f'"{SECRETS["private key"]}"' not in line]
    clone.commit("A quiet start", {"README.md": "hello\n"})
    clone.commit(
        f"Rotate {SECRETS['github']}\n\nand {SECRETS['anthropic']}", {"src/settings.py": "\n".join(lines) + "\n"}
    )
    with FakeAnthropic() as model:
        key = "sk-ant-" + "the-key-of-this-very-service"
        environment = {"ANTHROPIC_API_KEY": key, "ANTHROPIC_BASE_URL": model.url}
        with analysed(tmp_path, clone, 2, **environment) as (running, ledger):
            pages = [httpx2.get(running.base + path, trust_env=False).text
                     for path in (PAGE, PAGE + ".md", PAGE + ".json", f"/{NAME}/commit/{clone.head}")]  # fmt: skip
            stored = everything(ledger)
            record = ledger.record(NAME, clone.head or "")
        sent = json.dumps([request.body for request in model.requests], ensure_ascii=False)
    assert record
    assert record.analysis
    assert record.analysis.origin == "model"
    assert "settings.py" in sent
    assert "[redacted: " in sent
    files = "\n".join(path.read_text() for path in (tmp_path / "reports").rglob("*.*") if path.is_file())
    places = {
        "the model": sent,
        "Redis": stored,
        "a log": "\n".join(running.lines),
        "a page": "\n".join(pages),
        "a file": files,
    }
    found = [(kind, place) for place, text in places.items() for kind, secret in (SECRETS | {"our own": key}).items()
             if secret in text]  # fmt: skip
    assert found == []


def everything(ledger: Ledger) -> str:
    """All that Redis holds, unpacked."""
    raw: list[bytes] = []
    for key in ledger.redis.keys("*"):
        kind = ledger.redis.type(key)
        if kind == b"string":
            raw.append(ledger.redis.get(key))
        elif kind == b"hash":
            raw += [part for pair in ledger.redis.hgetall(key).items() for part in pair]
        elif kind == b"zset":
            raw += ledger.redis.zrange(key, 0, -1)
        elif kind == b"list":
            raw += ledger.redis.lrange(key, 0, -1)
        elif kind == b"set":
            raw += ledger.redis.smembers(key)
    return "\n".join(_unpacked(value).decode("utf-8", "replace") for value in raw)


def _unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


class Canary(threading.Thread):
    """Listens on loopback and counts who comes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.visits = 0
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                visitor, _ = self.socket.accept()
            except OSError:
                return
            self.visits += 1
            visitor.close()


def test_no_address_in_a_payload_is_ever_visited(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    clone.commit("A quiet start", {"README.md": "hello\n"})
    canary = Canary()
    canary.start()
    (tmp_path / "daybook.toml").write_text(f'[[repository]]\nname = "{NAME}"\nsource = "{clone.path}"\n')
    (push,) = chosen(clone.path, last=1)
    payload = json.dumps(push_payload(push, NAME, "main"))
    visited = payload.replace("https://api.github.com", canary.url).replace("https://github.com", canary.url)
    assert visited.count(canary.url) > 5
    linklocal = payload.replace("https://github.com", "http://169.254.169.254").replace("octocat@", "http://10.0.0.1/")
    with daybook(tmp_path) as running:
        ledger = Ledger(running.redis.url, SHANGHAI)
        assert deliver(running.base, visited.encode()).json()["queued"] == 1
        assert deliver(running.base, linklocal.encode()).json()["known"] == 1
        running.await_(lambda: bool(ledger.report_days(NAME)))
        page = httpx2.get(f"{running.base}{PAGE}", trust_env=False).text
        ledger.close()
    canary.socket.close()
    assert canary.visits == 0
    assert canary.url not in page
    assert "169.254" not in page
