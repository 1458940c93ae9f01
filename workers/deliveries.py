"""Webhook deliveries that failed: GitHub keeps them for three days and sends them again when asked to.

https://docs.github.com/en/rest/repos/webhooks and https://docs.github.com/en/rest/apps/webhooks
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from core.errors import Permanent, Transient
from workers.pauses import admitted

if TYPE_CHECKING:
    from workers.github import Answer
    from workers.services import Services

log = structlog.get_logger()

KEPT: Final = timedelta(days=3)
HOOK_PATH: Final = "/webhooks/github"
MOST_PAGES: Final = 20
ROUND_SECONDS: Final = 1800.0
AGAIN_SECONDS: Final = 6 * 3600.0  # before the same delivery is asked for once more
NO_ACCESS_SECONDS: Final = 24 * 3600.0
ONCE_SECONDS: Final = 365 * 24 * 3600.0
FORBIDDEN: Final = (401, 403, 404)

Ask = Callable[..., "Answer | None"]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Config(_Told):
    url: str = ""


class _Hook(_Told):
    id: int
    config: _Config = _Config()


class _Delivery(_Told):
    id: int
    guid: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    delivered_at: AwareDatetime
    status_code: int
    event: str

    @property
    def failed(self) -> bool:
        """Whether Daybook did not take it."""
        return not 200 <= self.status_code < 300


_hooks, _deliveries = TypeAdapter(list[_Hook]), TypeAdapter(list[_Delivery])


def ask_again(services: Services, repository: str) -> int:
    """Have the failed push deliveries of the last three days sent again; returns how many were asked for.

    Best effort: credentials that may not read the webhook are noted in the log once, other failures each time.
    """
    turn = f"deliveries:{repository.lower()}"
    if not services.github.has_credentials or not services.ledger.take_turn(turn, ROUND_SECONDS):
        return 0
    try:
        return sum(_again(services, ask, folder) for ask, folder in _folders(services, repository))
    except (Transient, Permanent, ValidationError) as error:
        log.warning("deliveries_unknown", repository=repository, reason=str(error).partition("\n")[0])
        return 0


def _folders(services: Services, repository: str) -> Iterator[tuple[Ask, str]]:
    """Where deliveries are listed: the App's one webhook, or each of the repository's that lead to Daybook."""

    def as_app(path: str, **options: object) -> Answer | None:
        with admitted(services.ledger, "github"):
            return services.github.ask_as_app(path, accept=FORBIDDEN, **options)  # type: ignore[arg-type]

    def about(path: str, **options: object) -> Answer:
        with admitted(services.ledger, "github"):
            return services.github.ask(repository, path, accept=FORBIDDEN, **options)  # type: ignore[arg-type]

    if services.settings.github_app_id:
        yield as_app, "/app/hook/deliveries"
        return
    answer = about("/hooks?per_page=100")
    if answer.status in FORBIDDEN:
        _note_no_access(services, repository)
        return
    for hook in _hooks.validate_python(answer.body):
        if hook.config.url.partition("?")[0].rstrip("/").endswith(HOOK_PATH):
            yield about, f"/hooks/{hook.id}/deliveries"


def _note_no_access(services: Services, repository: str) -> None:
    services.ledger.next_turn(f"deliveries:{repository.lower()}", NO_ACCESS_SECONDS)
    if services.ledger.take_turn(f"no-hook-access:{repository.lower()}", ONCE_SECONDS):
        log.info("deliveries_not_readable", repository=repository,
                 remedy="give the token `admin:repo_hook` to have failed deliveries sent again; "
                        "their commits are found by reconciliation all the same")  # fmt: skip


def _again(services: Services, ask: Ask, folder: str) -> int:
    listed = list(_listed(ask, folder))
    taken = {delivery.guid for delivery in listed if not delivery.failed}
    asked = 0
    for delivery in listed:
        if delivery.event != "push" or delivery.guid in taken:
            continue
        taken.add(delivery.guid)  # each is listed once for each attempt
        if services.ledger.take_turn(f"redelivery:{delivery.guid}", AGAIN_SECONDS):
            answer = ask(f"{folder}/{delivery.id}/attempts", verb="POST")
            asked += bool(answer and answer.status not in FORBIDDEN)
            log.info("redelivery_asked", delivery=delivery.guid, status=answer.status if answer else 0)
    return asked


def _listed(ask: Ask, folder: str) -> Iterator[_Delivery]:
    """The deliveries of the last three days, newest first."""
    oldest = datetime.now(UTC) - KEPT
    path: str | None = f"{folder}?per_page=100"
    for _ in range(MOST_PAGES):
        answer = ask(path) if path else None
        if answer is None or answer.status in FORBIDDEN:
            return
        page = _deliveries.validate_python(answer.body)
        yield from (delivery for delivery in page if delivery.delivered_at >= oldest)
        path = answer.next if page and page[-1].delivered_at >= oldest else None
