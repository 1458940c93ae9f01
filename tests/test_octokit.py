"""GitHub's own example payloads, signed by GitHub's own library, posted at the real web process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from core.ledger import Ledger
from tests.running import SECRET, web_process

OCTOKIT = Path(__file__).parent / "octokit"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("node") or (not (OCTOKIT / "node_modules").exists() and not os.environ.get("CI")),
        reason="needs node and `npm install --prefix tests/octokit`",
    ),
]


def test_every_example_gets_the_answer_of_the_contract(redis_url: str, ledger: Ledger, tmp_path: Path) -> None:
    with web_process(redis_url, tmp_path) as base:
        posted = subprocess.run(["node", "post.mjs", f"{base}/webhooks/github", SECRET], cwd=OCTOKIT, check=True,
                                capture_output=True, text=True, timeout=100)  # fmt: skip
    rows = [json.loads(line) for line in posted.stdout.splitlines()]
    assert len(rows) > 300
    for row in rows:
        for answer in (row["first"], row["second"]):
            if row["event"] == "ping":
                assert answer["status"] == 200
                assert list(answer["answer"]) == ["pong"]
            elif row["event"] == "push" and row["ref"] == "refs/heads/master":
                assert answer["status"] == 202
                assert answer["answer"]["queued"] + answer["answer"]["known"] == 1
            else:
                assert answer["status"] == 202
                assert list(answer["answer"]) == ["ignored"]
    assert ledger.status([]).received == 1
    assert ledger.redis.llen("fetch") == 1
