"""One question to the model and what is mended of it: asked, checked, and asked again in another form where that helps.

Four things are mended, each once: a reply that was cut off (more room), a prompt that was too long (a smaller view of
the diff), a reply that fails its check and one that names what the commit does not have (asked again with the fault).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, Self, TypeVar

from core.models import Usage, added
from workers.calibration import Calibration
from workers.diffview import estimate_tokens
from workers.messages_api import Answer, MessagesApi, Request
from workers.model_errors import AnalysisRefused, ModelUnavailable, ReplyTruncated, TooLong
from workers.prices import price_of
from workers.spending import usage_of

# Where the estimate comes this near to a limit of the model, the API is asked for the exact count.
_NEAR = 0.8
_MOST_COUNTS = 3
# A smaller view than the count asks for: what it is made smaller by is estimated.
_MARGIN = 0.95
_SMALLER = 0.25

T_co = TypeVar("T_co", covariant=True)


class Remedy(Enum):
    """What may help a question."""

    MORE_ROOM = "more room"
    SMALLER_VIEW = "smaller view"
    CORRECTION = "correction"
    GROUNDING = "grounding"


class Mend(Exception):
    """An answer that is worth asking for once more in another form; the text says what was wrong, in our words."""

    def __init__(self, remedy: Remedy, reason: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


class Question(Protocol[T_co]):
    """What can be asked; immutable."""

    def request(self) -> Request:
        """The call."""

    def read(self, text: str) -> T_co:
        """The checked result of a whole reply; raises Mend."""

    def roomier(self) -> Self:
        """The same with more room for the reply."""

    def smaller(self, share: float) -> Self | None:
        """The same with this share of the budget for the diff; None where it cannot be smaller."""

    def corrected(self, fault: str) -> Self:
        """The same, with the fault of the last reply named."""


@dataclass(frozen=True, slots=True)
class Heard(Generic[T_co]):
    """The result of a conversation, the question as it was in the end, and what all its calls used."""

    result: T_co
    question: Question[T_co]
    usage: Usage


def converse(api: MessagesApi, question: Question[T_co], calibration: Calibration) -> Heard[T_co]:
    """Ask until there is a result, mending what can be mended.

    Raises ReplyTruncated or another AnalysisRefused when the model gave nothing usable, and ModelUnavailable when the
    API cannot answer now; all with the usage of the calls that were made.
    """
    usage, used = Usage(), set[Remedy]()
    try:
        while True:
            question, request = _fitting(api, question, calibration)
            try:
                answer = _asked(api, request)
                usage = added(usage, usage_of(answer.usage, request.model))
                calibration.calibrate(request.model, estimate_of(request), answer.usage.prompt)
                return Heard(heard(answer, question, request), question, usage)
            except Mend as mend:
                question = _mended(question, mend, used)
    except (AnalysisRefused, ModelUnavailable) as error:
        error.usage = usage
        raise


def heard(answer: Answer, question: Question[T_co], request: Request) -> T_co:
    """The checked result of an answer; raises Mend for one that can be mended, AnalysisRefused for another."""
    match answer.stop_reason:
        case "end_turn":
            return question.read(answer.text)
        case "max_tokens":
            raise Mend(Remedy.MORE_ROOM, f"the reply did not fit into {request.max_tokens} tokens (max_tokens)")
        case "model_context_window_exceeded":
            raise Mend(Remedy.SMALLER_VIEW, "the commit does not fit the model (model_context_window_exceeded)")
        case "refusal":
            raise AnalysisRefused("the model declined to analyse this commit (refusal)")
        case reason:
            name = reason if reason in {"pause_turn", "tool_use", "stop_sequence"} else "unknown"
            raise AnalysisRefused(f"the model stopped for a reason that was not asked for ({name})")


def estimate_of(request: Request) -> int:
    """About how many tokens the prompt of a request is, before any calibration."""
    return estimate_tokens(request.system) + estimate_tokens(request.text)


def room_of(model: str, max_tokens: int) -> int | None:
    """Tokens that a prompt may have: what the window leaves beside the reply, or less where the price rises.

    None for a model of which neither is known.
    """
    price = price_of(model)
    limits = [price.window and price.window - max_tokens, price.prompt_limit] if price else []
    return min((limit for limit in limits if limit), default=None)


def _asked(api: MessagesApi, request: Request) -> Answer:
    try:
        return api.ask(request)
    except TooLong as error:
        raise Mend(Remedy.SMALLER_VIEW, str(error)) from None


def _mended(question: Question[T_co], mend: Mend, used: set[Remedy]) -> Question[T_co]:
    if mend.remedy in used:
        refusal = ReplyTruncated if mend.remedy is Remedy.MORE_ROOM else AnalysisRefused
        raise refusal(str(mend)) from None
    used.add(mend.remedy)
    match mend.remedy:
        case Remedy.MORE_ROOM:
            return question.roomier()
        case Remedy.SMALLER_VIEW:
            if smaller := question.smaller(_SMALLER):
                return smaller
            raise AnalysisRefused(str(mend)) from None
        case _:
            return question.corrected(str(mend))


def _fitting(api: MessagesApi, question: Question[T_co], calibration: Calibration) -> tuple[Question[T_co], Request]:
    """The question and its call, with a smaller view where the model's own count is beyond its limit."""
    request = question.request()
    for _ in range(_MOST_COUNTS):
        share = share_that_fits(api, request, calibration)
        smaller = question.smaller(share) if share < 1 else None
        if smaller is None:
            break
        question, request = smaller, smaller.request()
    return question, request


def share_that_fits(api: MessagesApi, request: Request, calibration: Calibration) -> float:
    """1.0 when a prompt fits its model, else the share of it that does; near the limit, the API counts it."""
    room = room_of(request.model, request.max_tokens)
    if room is None or estimate_of(request) * calibration.token_ratio(request.model) < _NEAR * room:
        return 1.0
    counted = api.count(request)
    return 1.0 if counted is None or counted <= room else _MARGIN * room / counted
