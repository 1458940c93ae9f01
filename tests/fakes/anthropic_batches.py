"""The Message Batches endpoints of the fake Anthropic: batches that take their time, end, expire or are cancelled.

As with the real API, the parameters of the single requests are looked at only when they are worked on, so a bad one is
an errored result and not a refused batch; and the results come in another order than the requests.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from tests.fakes.anthropic_behaviours import Behaviour
from tests.fakes.anthropic_requests import Recorded
from tests.fakes.anthropic_rules import Refused, invalid
from tests.fakes.anthropic_tokens import Clock

PATH = "/v1/messages/batches"
MAX_BATCH_BYTES = 256 * 1024 * 1024
_MOST_REQUESTS = 100_000
_DAY = 86_400.0
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KINDS = ("succeeded", "errored", "canceled", "expired")

Result = dict[str, Any]
Work = Callable[[Recorded, Behaviour], Result]


@dataclass(slots=True)
class _Batch:
    id: str
    created: float
    seconds: float
    orders: dict[str, tuple[Recorded, Behaviour]]
    cancelled: float | None = None
    cancelling: float = 0.0
    results: dict[str, Result] = field(default_factory=dict)

    @property
    def expires(self) -> float:
        return self.created + _DAY

    @property
    def ends(self) -> float:
        """When it ends or has ended."""
        worked = min(self.created + self.seconds, self.expires)
        return worked if self.cancelled is None else min(worked, self.cancelled + self.cancelling)

    def all_are(self) -> str | None:
        """What becomes of every request, where it is the same for all and nobody works on any."""
        if self.cancelled is not None and self.ends < min(self.created + self.seconds, self.expires):
            return "canceled"
        return "expired" if self.seconds >= _DAY else None


class Batches:
    """The batches of one API key; `seconds` is how long new ones take, `cancelling` how long a cancellation takes."""

    def __init__(self, url: str, clock: Clock, behave: Callable[[], Behaviour], work: Work) -> None:
        """`behave` says what each request of a new batch will get; `work` makes the results at its end."""
        self.seconds = self.cancelling = 0.0
        self._url, self._clock, self._behave, self._work = url, clock, behave, work
        self._batches: dict[str, _Batch] = {}
        self._lock = threading.RLock()

    def answer(self, request: Recorded, size: int) -> dict[str, Any] | list[Result]:
        """The answer to a request below `/v1/messages/batches`; a list is one line of JSON for each entry."""
        name, _, verb = request.path.removeprefix(PATH).strip("/").partition("/")
        with self._lock:
            match request.method, bool(name), verb:
                case "POST", False, "":
                    return self._create(request, size)
                case "GET", False, "":
                    return self._list(request.query)
                case "GET", True, "":
                    return self._told(self._batch(name))
                case "GET", True, "results":
                    return self._results(self._batch(name))
                case "POST", True, "cancel":
                    return self._cancel(self._batch(name))
                case "DELETE", True, "":
                    return self._delete(self._batch(name))
                case _:
                    raise Refused(404, "not_found_error", "Not found")

    def _create(self, request: Recorded, size: int) -> dict[str, Any]:
        _check_batch(request.body, size)
        batch = _Batch(
            id=f"msgbatch_01{len(self._batches):022d}",
            created=self._clock.seconds,
            seconds=self.seconds,
            orders={custom_id: (order, self._behave()) for custom_id, order in request.orders.items()},
        )
        self._batches[batch.id] = batch
        return self._told(batch, fresh=True)

    def _batch(self, name: str) -> _Batch:
        if name not in self._batches:
            raise Refused(404, "not_found_error", f"Message Batch with id {name} not found.")
        return self._batches[name]

    def _list(self, query: str) -> dict[str, Any]:
        """A page, newest first."""
        given = {key: values[-1] for key, values in parse_qs(query).items()}
        limit = int(given.get("limit", "20"))
        if not 1 <= limit <= 1_000:
            raise invalid("limit: Input should be between 1 and 1000")
        names = list(reversed(self._batches))
        first = names.index(given["after_id"]) + 1 if "after_id" in given else 0
        last = names.index(given["before_id"]) if "before_id" in given else len(names)
        first = max(first, last - limit) if "before_id" in given else first
        page = names[first:last][:limit]
        more = first > 0 if "before_id" in given else first + len(page) < len(names)
        return {
            "data": [self._told(self._batches[name]) for name in page],
            "has_more": more,
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }

    def _cancel(self, batch: _Batch) -> dict[str, Any]:
        if self._over(batch):
            raise invalid(f"Message Batch {batch.id} has already ended and cannot be canceled.")
        if batch.cancelled is None:
            batch.cancelled, batch.cancelling = self._clock.seconds, self.cancelling
        return self._told(batch, fresh=True)

    def _delete(self, batch: _Batch) -> dict[str, Any]:
        if not self._over(batch):
            raise invalid(f"Message Batch {batch.id} is still being processed; cancel it first.")
        del self._batches[batch.id]
        return {"id": batch.id, "type": "message_batch_deleted"}

    def _results(self, batch: _Batch) -> list[Result]:
        if not self._over(batch):
            raise invalid(f"Message Batch {batch.id} has no available results: it is not ended.")
        return [{"custom_id": custom_id, "result": result} for custom_id, result in reversed(batch.results.items())]

    def _over(self, batch: _Batch) -> bool:
        """Whether a batch has ended; its results are made when this is first seen."""
        if self._clock.seconds < batch.ends:
            return False
        if not batch.results:
            kind = batch.all_are()
            for custom_id, (order, behaviour) in batch.orders.items():
                batch.results[custom_id] = {"type": kind} if kind else self._work(order, behaviour)
        return True

    def _told(self, batch: _Batch, *, fresh: bool = False) -> dict[str, Any]:
        """The API's object for a batch; a `fresh` one is told before it can have ended."""
        over = not fresh and self._over(batch)
        counts = Counter(result["type"] for result in batch.results.values()) if over else Counter[str]()
        status = "ended" if over else "in_progress" if batch.cancelled is None else "canceling"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": {
                "processing": 0 if over else len(batch.orders),
                **{kind: counts[kind] for kind in _KINDS},
            },
            "created_at": _written(batch.created),
            "expires_at": _written(batch.expires),
            "ended_at": _written(batch.ends) if over else None,
            "cancel_initiated_at": None if batch.cancelled is None else _written(batch.cancelled),
            "archived_at": None,
            "results_url": f"{self._url}{PATH}/{batch.id}/results" if over else None,
        }


def as_lines(results: list[Result]) -> bytes:
    """Results as the API's JSONL."""
    return b"".join(json.dumps(result, ensure_ascii=False).encode() + b"\n" for result in results)


def _check_batch(body: Any, size: int) -> None:
    if size > MAX_BATCH_BYTES:
        raise Refused(413, "request_too_large", "Request exceeds the maximum size")
    if not isinstance(body, dict) or body.keys() != {"requests"}:
        raise invalid("requests: Field required, and nothing else")
    orders = body["requests"]
    if not isinstance(orders, list) or not 1 <= len(orders) <= _MOST_REQUESTS:
        raise invalid(f"requests: List should have between 1 and {_MOST_REQUESTS} items")
    for n, order in enumerate(orders):
        if not isinstance(order, dict) or order.keys() != {"custom_id", "params"}:
            raise invalid(f"requests.{n}: custom_id and params are required, and nothing else")
        if not isinstance(order["custom_id"], str) or not _CUSTOM_ID.fullmatch(order["custom_id"]):
            raise invalid(f"requests.{n}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        if not isinstance(order["params"], dict):
            raise invalid(f"requests.{n}.params: Input should be a valid dictionary")
    twice = [custom_id for custom_id, count in Counter(order["custom_id"] for order in orders).items() if count > 1]
    if twice:
        raise invalid(f"requests: custom_id must be unique; found more than once: {twice[0]}")


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
