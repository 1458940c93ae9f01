"""What a worker process works with: settings, ledger, sources and the model, built once at process entry."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.errors import Permanent
from core.ledger import Ledger, Stage
from core.models import Analysis, Commit, Diff, Tier
from core.settings import RepositorySettings
from workers.app import connect_broker
from workers.calibration import LedgerCalibration
from workers.channels import Channels, channels_of
from workers.fair_semaphore import FairSemaphore
from workers.gitrepo import GitRepository
from workers.leases import Leases
from workers.model_errors import AnalysisRefused, ModelUnavailable
from workers.orders import Order
from workers.pauses import admitted
from workers.rules import rules_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.settings import Settings
    from workers.analyst import Analyst
    from workers.github import GitHub

MODEL_SECONDS = 180.0
ALONE_SECONDS = 5.0  # one thread that never ends must not hold up the others


@dataclass(frozen=True)
class Services:
    """One process's connections; each is made on first use, so that a forked child makes its own.

    The clients' code is loaded on first use too: a process that is idle, or needs one of them only, does without 18 MB
    of PyGithub and 42 MB of the model's SDK. Threads that come first together may each make one; the last is kept.
    """

    settings: Settings
    ledger: Ledger
    leases: Leases
    channels: Channels
    places: threading.Semaphore  # for analyses, among this process's threads; see workers/onward.py
    calls: FairSemaphore  # to the model
    computing: threading.Lock  # held by the thread that does, see `alone`
    stages: tuple[Stage, ...] = ()  # whose queues its threads take from by themselves

    @cached_property
    def github(self) -> GitHub:
        """GitHub's API with the credentials that are set."""
        from workers.github import GitHub

        return GitHub.from_settings(self.settings)

    @cached_property
    def analyst(self) -> Analyst | None:
        """Who asks the model; None without a key."""
        return _analyst(self.settings, self.ledger, self.calls)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Compute inside the block while no other thread does, or after ALONE_SECONDS all the same.

        Of many that compute, each keeps the interpreter from all who only want to send or to hear something.
        """
        taken = self.computing.acquire(timeout=ALONE_SECONDS)
        try:
            yield
        finally:
            if taken:
                self.computing.release()

    def load(self) -> None:
        """Load at once what the settings speak of, for children to share instead of loading it each for themselves."""
        from report.html import load_templates
        from workers import rounds  # noqa: F401 - what the children are for

        load_templates()
        _ = self.analyst
        if self.settings.github_token or self.settings.github_app_id:
            _ = self.github
        self.channels.for_alerts()

    def repository(self, name: str) -> RepositorySettings:
        """The settings of a repository, also of one that was followed once and is not any more."""
        return self.settings.repository(name) or RepositorySettings(name=name)

    def diff(self, commit: Commit) -> Diff:
        """A commit's diff from where its repository's settings say; raises Transient or Permanent."""
        source = self.repository(commit.repository).source
        if source == "github" and commit.repository.startswith("local/"):
            raise Permanent(f"{commit.repository} is not on GitHub; name its clone as `source` in daybook.toml")
        if source == "github":
            with admitted(self.ledger, "github"):
                return self.github.diff(commit.repository, commit.sha)
        return GitRepository(Path(source)).diff(commit.sha)

    def analyse(self, order: Order, limit: Literal["budget"] | None = None) -> Analysis:
        """The model's analysis of a commit; raises Transient or Permanent, after counting what it cost all the same."""
        assert self.analyst
        with admitted(self.ledger, "anthropic"):
            try:
                return self.analyst.analyse(
                    order.commit, order.facts, order.triage, order.diff, order.language, order.depth, limit=limit
                )
            except (AnalysisRefused, ModelUnavailable) as error:
                self.ledger.spend(error.usage, order.commit.repository, order.depth)
                raise


def connect(settings: Settings, redis_url: str, stages: tuple[Stage, ...] = ()) -> Services:
    """Build the services for the settings and point Celery at the same Redis; no I/O yet.

    `stages` are those whose queues the process's threads take from by themselves.
    Raises DaybookError naming the key when a repository's weights are wrong.
    """
    for table in settings.daybook_repositories:
        rules_for(table)  # a wrong weight stops the process here, not a commit later
    connect_broker(redis_url)
    lease = settings.daybook_lease_seconds
    ledger = Ledger(redis_url, settings.zone, lease_seconds=lease, patience_seconds=lease)
    return Services(
        settings=settings,
        ledger=ledger,
        leases=Leases(ledger),
        channels=channels_of(settings),
        places=threading.Semaphore(analyses_of(settings.daybook_concurrency)),
        calls=FairSemaphore(settings.daybook_concurrency),
        computing=threading.Lock(),
        stages=stages,
    )


def analyses_of(calls: int) -> int:
    """How many analyses are under way beside so many calls: a few are made ready, or written down, meanwhile."""
    return calls + calls // 4


def _analyst(settings: Settings, ledger: Ledger, calls: FairSemaphore) -> Analyst | None:
    if settings.anthropic_api_key is None:
        return None
    from workers.analyst import Analyst

    return Analyst(
        api_key=settings.anthropic_api_key,
        base_url=settings.anthropic_base_url,
        models={tier: settings.model_for(tier) for tier in Tier},
        timeout=MODEL_SECONDS,
        calibration=LedgerCalibration(ledger),
        calls=calls,
    )


_current: Services | None = None


def use(services: Services) -> None:
    """Make these the services of this process's tasks."""
    global _current  # Celery calls tasks by name; there is no other way to hand them anything
    _current = services


def current() -> Services:
    """The services of this process; a process that set none cannot run tasks."""
    if _current is None:
        raise RuntimeError("no services: start workers with `daybook worker` or `daybook control`")
    return _current
