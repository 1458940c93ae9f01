"""Following without a webhook, and backfill, with Daybook's real processes and a fake GitHub."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from cli.replay import replay
from core.ledger import Ledger
from core.models import Found
from tests.conftest import SHANGHAI
from tests.fakes.github import FakeGitHub
from tests.gitclone import START, Clone
from tests.running import PLAIN, SECRET, Daybook, daybook

NAME = "octocat/Hello-World"
DAY = "2026-02-17"


def configured(folder: Path, **keys: str) -> Path:
    lines = ["[[repository]]", *(f'{key} = "{value}"' for key, value in keys.items())]
    (folder / "daybook.toml").write_text("\n".join(lines))
    return folder


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli.main", *arguments], cwd=folder, env=PLAIN | environment,
                          capture_output=True, text=True, timeout=180, check=False)  # fmt: skip


def backfill(folder: Path, running: Daybook, *arguments: str) -> str:
    done = run(folder, "backfill", NAME, *arguments, REDIS_URL=running.redis.url)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_repository_without_a_webhook_is_followed_and_a_push_counts_nothing_twice(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    clone.commit("old", {"a.py": "A = 1\n"}, when=START)
    now = datetime.now(UTC)
    new = [clone.commit(f"new {n}", {"a.py": f"A = {n + 2}\n"}, when=now - timedelta(seconds=9 - n)) for n in range(3)]
    with FakeGitHub() as fake:
        fake.add_repository(NAME, clone.path)
        fake.tokens.add("a token")
        folder = configured(tmp_path, name=NAME.lower(), follow="poll")
        with daybook(folder, GITHUB_API_URL=fake.url, GITHUB_TOKEN="a token") as running:
            ledger = Ledger(running.redis.url, SHANGHAI)
            running.await_(lambda: ledger.status([]).analysed >= 1)
            url = f"{running.base}/webhooks/github"
            for delivered in replay(clone.path, url, SecretStr(SECRET), name=NAME, last=3, zone=SHANGHAI):
                assert delivered.answer == f'{{"delivery":"{delivered.delivery}","known":1,"queued":0}}\n'
            running.await_(lambda: ledger.status([]).analysed == 3)
            records = [ledger.record(NAME, sha) for sha in new]
            assert [record.commit.found_by for record in records if record] == [Found.POLL] * 3
            assert ledger.status([]).received == 3
            page = httpx2.get(f"{running.base}/{NAME}/commit/{new[-1]}", trust_env=False)
            assert (page.status_code, "new 2" in page.text) == (200, True)
            ledger.close()


@pytest.mark.slow
def test_backfill_queues_what_is_lacking_and_the_days_page_is_made(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    clone.commit("the day before", {"a.py": "A = 0\n"}, when=START - timedelta(days=1))
    for number in range(3):
        clone.commit(f"change {number}", {"a.py": f"A = {number + 1}\n"}, when=START + timedelta(minutes=number))
    folder = configured(tmp_path, name=NAME, source=str(clone.path))
    with daybook(folder) as running:
        ledger = Ledger(running.redis.url, SHANGHAI)
        told = backfill(folder, running, "--day", DAY)
        assert told == (
            f"{NAME}: found 3, queued 3, known 0 (branch main on git)\n"
            "Running workers (`daybook up`) analyse what is queued and then make its days' pages again.\n"
        )
        again = f"{NAME}: found 3, queued 0, known 3 (branch main on git)\n"
        assert backfill(folder, running, "--since", DAY, "--until", DAY) == again
        running.await_(lambda: ledger.report_days(NAME) != [])
        page = httpx2.get(f"{running.base}/{NAME}/{DAY}.md", trust_env=False).text
        ledger.close()
    assert re.search(r"覆盖 3/3 .* 补录 3", page)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["octocat/hello"], 2, "give --day, or --since with or without --until"),
        (["octocat/hello", "--day", DAY, "--since", DAY], 2, "give --day, or --since with or without --until"),
        (["hello", "--day", DAY], 2, "'hello' is not OWNER/REPO"),
        (["octocat/hello", "--since", DAY, "--until", "2026-02-01"], 2, "--until is before --since"),
        (["octocat/unfollowed", "--day", DAY], 1, "octocat/unfollowed has no source: name it in daybook.toml"),
        ([NAME, "--day", DAY], 1, "is not a git repository"),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_line(tmp_path: Path, redis_url: str, arguments: list[str], code: int, said: str) -> None:
    configured(tmp_path, name=NAME, source=str(tmp_path / "no clone"))
    done = run(tmp_path, "backfill", *arguments, REDIS_URL=redis_url)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr
