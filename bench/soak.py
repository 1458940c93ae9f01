"""A day's commits under fire: 500 posted over five minutes while processes are killed and the outside world fails.

    python -m bench.soak [--minutes 5] [--commits 500] [--every 5] [--fail 0.2] [--seed 1]

A random one of web, worker, control, beat and Redis is killed every few seconds. The stand-ins of GitHub and of the
model fail a share of their calls in every way they can. Prints what was sent, stored, lost, repeated and given up, and
how long recovery took. Ends with 1 when anything was lost or stored twice, or the model was asked twice for nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import get_args

import redis
from pydantic import SecretStr

from cli.replay import HOOK_PATH, chosen, post
from core.errors import DaybookError
from core.ledger import Ledger
from tests.fakes.anthropic import Behaviour, FakeAnthropic
from tests.fakes.github import FakeGitHub
from tests.fakes.github_answers import Trouble
from tests.reliability import NAME, calls, configure, ended, kill, ledger_of, many_commits, results
from tests.running import SECRET, Daybook, daybook
from workers.landings import Landing

# What passes by itself. Refusals end a commit at once, by design, and are counted apart.
MODEL_FAILURES = (
    Behaviour.RATE_LIMITED, Behaviour.OVERLOADED, Behaviour.ERROR_500, Behaviour.RESET, Behaviour.NO_MESSAGE,
    Behaviour.TRUNCATED, Behaviour.INVALID_JSON, Behaviour.SCHEMA_MISMATCH, Behaviour.WRONG_LANGUAGE,
    Behaviour.REFUSAL, Behaviour.CONTEXT_EXCEEDED, Behaviour.PROMPT_TOO_LONG,
)  # fmt: skip
VICTIMS = ("web", "worker", "control", "beat", "redis")


class UnsteadyModel(FakeAnthropic):
    """Notes what became of each call."""

    def __init__(self, share: float) -> None:
        super().__init__(delay=0.5)
        self.share = share
        self.did: Counter[Behaviour] = Counter()

    def enter(self) -> Behaviour:
        """Count a request as running; what to do with it."""
        super().enter()
        behaviour = random.choice(MODEL_FAILURES) if random.random() < self.share else Behaviour.FINE
        self.did[behaviour] += 1
        return behaviour


@dataclass
class Fire:
    """What was done to Daybook."""

    kills: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    refused_posts: int = 0
    sent: int = 0
    posted: bool = False


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--commits", type=int, default=500)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between kills, on average")
    parser.add_argument("--fail", type=float, default=0.2, help="share of calls that fail, 0 to 1")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as name, FakeGitHub() as github, UnsteadyModel(options.fail) as model:
        folder = Path(name)
        clone = many_commits(folder / "clone", options.commits)
        github.add_repository(NAME, clone.path)
        model.retry_after = "3"
        environment = {"GITHUB_API_URL": github.url, "ANTHROPIC_API_KEY": "soak", "ANTHROPIC_BASE_URL": model.url}
        with daybook(configure(folder, "github"), **environment) as running:
            sys.exit(0 if soak(running, chosen(clone.path, last=options.commits), github, model, options) else 1)


def soak(
    running: Daybook, pushes: list[Landing], github: FakeGitHub, model: UnsteadyModel, options: argparse.Namespace
) -> bool:
    """Post, kill, wait, count."""
    fire, ledger, started = Fire(), ledger_of(running), time.monotonic()
    threading.Thread(target=send, args=(running, pushes, options.minutes * 60, fire), daemon=True).start()
    threading.Thread(target=trouble_github, args=(github, options.fail, fire), daemon=True).start()
    next_kill = started + options.every
    while not fire.posted or time.monotonic() < started + options.minutes * 60:
        running.supervisor.tick()
        if time.monotonic() > next_kill:
            victim = random.choice(VICTIMS)
            kill(running, victim)
            fire.kills[victim] += 1
            next_kill = time.monotonic() + options.every * random.uniform(0.5, 1.5)
        time.sleep(0.05)
    last = time.monotonic()
    try:
        running.await_(lambda: over(ledger, len(pushes)), seconds=600)
    except AssertionError as error:
        print(f"NOT OVER after 600 s: {str(error)[-2000:]}")
    return tell(ledger, fire, model, github, time.monotonic() - last, len(pushes))


def over(ledger: Ledger, count: int) -> bool:
    """Whether the work on all commits is over; not while Redis is away."""
    try:
        return ended(ledger, count)
    except redis.RedisError:
        return False


def send(running: Daybook, pushes: list[Landing], seconds: float, fire: Fire) -> None:
    """Post each push at its time, again until it is accepted, as GitHub's redelivery (or a person) would."""
    started = time.monotonic()
    for number, push in enumerate(pushes):
        time.sleep(max(0.0, started + seconds * number / len(pushes) - time.monotonic()))
        while not delivered(running, push):
            fire.refused_posts += 1
            time.sleep(0.5)
        fire.sent += 1
    fire.posted = True


def delivered(running: Daybook, push: Landing) -> bool:
    """Whether a delivery was answered with 202."""
    try:
        (answer,) = post([push], running.base + HOOK_PATH, SecretStr(SECRET), name=NAME, branch="main")
    except DaybookError:  # it has tried five times
        return False
    return answer.status == 202


def trouble_github(github: FakeGitHub, share: float, fire: Fire) -> None:
    """Keep one call in so many bad, each kind in turn at random."""
    while True:
        if not github._troubles:  # noqa: SLF001
            kind: Trouble = random.choice(get_args(Trouble))
            if kind == "secondary_silent" and fire.troubles[kind]:
                continue  # once is enough: without a time, GitHub wants a minute of silence
            github.misbehave(
                kind, after=round(random.uniform(0, 2 / share - 2)), seconds=2, status=random.choice((404, 500, 502))
            )
            fire.troubles[kind] += 1
        time.sleep(0.01)


def tell(ledger: Ledger, fire: Fire, model: UnsteadyModel, github: FakeGitHub, recovery: float, expected: int) -> bool:
    """Print the figures; whether nothing was lost."""
    status, records, asked = ledger.status([]), results(ledger), calls(model)
    done = [record for record in records if record.analysis and not record.failure]
    reasons = Counter(record.failure.reason for record in records if record.failure)
    twice = len(records) - len({record.commit.sha for record in records})
    lost = expected - sum(record.analysis is not None for record in records)
    failed_calls = sum(count for kind, count in model.did.items() if kind is not Behaviour.FINE)
    # Each call beyond the first of a commit has its cause: the one before failed, or its lease was lost.
    without_cause = max(0, sum(asked.values()) - len(asked) - failed_calls - status.leases_lost)
    repeats, answered = (int(status.today.get(name, 0)) for name in ("repeats", "model_calls"))
    kinds = {kind.value: count for kind, count in model.did.most_common()}
    lines = [
        f"{datetime.now().astimezone():%Y-%m-%d %H:%M}, {os.cpu_count()} cores",
        f"killed            {sum(fire.kills.values())}: {dict(fire.kills)}",
        f"GitHub failed     {sum(fire.troubles.values())} of {len(github.requests)} calls: {dict(fire.troubles)}",
        f"model failed      {failed_calls} of {sum(model.did.values())} calls: {kinds}",
        f"sent              {fire.sent} commits; {fire.refused_posts} posts were not accepted and sent again",
        f"stored            {len(done)} analysed, {len(records) - len(done)} given up and shown by their facts",
        *(f"                  {count} x {reason[:110]}" for reason, count in reasons.most_common()),
        f"stored twice      {twice}",
        f"lost              {lost}",
        f"leases lost       {status.leases_lost}; {repeats} commits were finished after one",
        f"model calls       {sum(asked.values())} for {len(asked)} commits; {without_cause} repeated without cause",
        f"recovery          {recovery:.1f} s from the last kill until all was over",
        f"cost              ${status.today.get('cost_usd', 0):.4f} and {answered} answered calls counted",
    ]
    print("\n".join(lines))
    return lost == twice == without_cause == 0 and len(records) == expected


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
