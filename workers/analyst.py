"""The analyst: orders in, checked analyses out, with what they cost; directly or by batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal, TypeVar

from pydantic import SecretStr

from core.models import Analysis, Commit, Diff, Facts, Language, Tier, Triage, Usage, added
from workers.calibration import Calibration, Uncalibrated
from workers.conversation import Heard, Mend, Question, converse, estimate_of, heard
from workers.deadlines import within
from workers.fair_semaphore import FairSemaphore
from workers.messages_api import BatchAnswer, MessagesApi, Request
from workers.model_errors import AnalysisRefused, ModelUnavailable, NeedsDirectCall, ReplyTruncated
from workers.orders import DEPTHS, Order, shallower
from workers.prices import price_of
from workers.questions import NOTES_TOKENS, CommitQuestion, analysis_of, question_of
from workers.reading import is_long, parts_of, questions_about, read_whole
from workers.redact import redact_diff
from workers.spending import usage_of

__all__ = [
    "TOTAL_SECONDS", "AnalysisRefused", "Analyst", "BatchAnswer", "ModelUnavailable", "NeedsDirectCall", "Order",
    "ReplyTruncated",
]  # fmt: skip

TOTAL_SECONDS = 540.0
MOST_CALLS = 512
# Reading in parts may take this much longer: its parts come first, then as much as for any other commit.
_PARTS_FACTOR = 1.5
_BATCH_SECONDS = 120.0

T = TypeVar("T")


class Analyst:
    """Asks the model for analyses. One instance serves all threads of a process."""

    def __init__(
        self,
        *,
        api_key: SecretStr,
        base_url: str,
        models: Mapping[Tier, str],
        timeout: float,
        total: float = TOTAL_SECONDS,
        calibration: Calibration | None = None,
        calls: FairSemaphore | None = None,
    ) -> None:
        """Seconds: `timeout` is the longest silence in one call, `total` the limit for all calls of one analysis.

        `calls` has a place for each call that may be under way.
        """
        places = calls or FairSemaphore(MOST_CALLS)
        self._api = MessagesApi(api_key=api_key, base_url=base_url, timeout=timeout, calls=places)
        self._total = total
        self._models = dict(models)
        self._calibration = calibration or Uncalibrated()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def unpriced(self) -> tuple[str, ...]:
        """Models in use that the price table does not know; their calls are counted as free of charge."""
        return tuple(sorted({model for model in self._models.values() if not price_of(model)}))

    def analyse(
        self,
        commit: Commit,
        facts: Facts,
        triage: Triage,
        diff: Diff,
        language: Language,
        depth: Tier,
        *,
        limit: Literal["budget"] | None = None,
    ) -> Analysis:
        """The analysis of a commit at a depth, or at one below when the reply does not fit (`limit` is then "room").

        `limit` says why the depth is already less than the commit's tier asks for. Raises AnalysisRefused (Permanent)
        when the model gave nothing usable for this commit, and ModelUnavailable (Transient) when the API cannot answer
        now; both with what the attempt cost.
        """
        order, usage = _safe(Order(commit, facts, triage, diff, language, depth)), Usage()
        why: Literal["budget", "room"] | None = limit
        while True:
            try:
                analysis = self._read(order)
                return analysis.model_copy(update={"usage": added(usage, analysis.usage), "limit": why})
            except (AnalysisRefused, ModelUnavailable) as error:
                usage = error.usage = added(usage, error.usage)
                if not isinstance(error, ReplyTruncated) or order.depth is Tier.LOW:
                    raise
            order, why = replace(order, depth=shallower(order.depth)), why or "room"

    def estimate(
        self, commit: Commit, facts: Facts, triage: Triage, diff: Diff, language: Language, depth: Tier
    ) -> float:
        """US dollars that an analysis will cost, about; 0 for models without a price. Asks nobody."""
        order = Order(commit, facts, triage, diff, language, depth)
        question = question_of(order, self._models[depth])
        dollars = self.price(question.request(), DEPTHS[depth].reply_tokens)
        for note in questions_about(order, parts_of(question), self._models[Tier.MEDIUM]):
            dollars += self.price(note.request(), NOTES_TOKENS // 2)
        return dollars

    def price(self, request: Request, reply_tokens: int) -> float:
        """US dollars that a request will cost, about; 0 for a model without a price. Asks nobody."""
        price = price_of(request.model)
        prompt = round(estimate_of(request) * self._calibration.token_ratio(request.model))
        return price.cost(Usage(input_tokens=prompt, output_tokens=reply_tokens)) if price else 0.0

    def ask(self, question: Question[T]) -> Heard[T]:
        """The answer to a question that is not about a single commit; raises as `analyse`."""
        with within(self._total):
            return converse(self._api, question, self._calibration)

    def in_one_call(self, order: Order) -> bool:
        """Whether one call shows the model all of a commit that it should see; only then it can go into a batch."""
        return not parts_of(question_of(order, self._models[order.depth]))

    def takes_long(self, order: Order) -> bool:
        """Whether an analysis will take several times as long as others. Asks nobody."""
        return is_long(order, self._models[order.depth])

    def submit(self, orders: Mapping[str, Order]) -> str:
        """Send orders as one batch at half the price; keys match `^[a-zA-Z0-9_-]{1,64}$`. Returns the batch's id.

        Raises ModelUnavailable, or AnalysisRefused when the API refuses the batch as a whole.
        """
        with within(_BATCH_SECONDS):
            return self._api.submit({name: self._question(order).request() for name, order in orders.items()})

    def batch_ended(self, batch_id: str) -> bool:
        """Whether every request of a batch has its answer; raises as `submit`."""
        with within(_BATCH_SECONDS):
            return self._api.ended(batch_id)

    def cancel(self, batch_id: str) -> None:
        """Ask the API to end a batch; raises as `submit`."""
        with within(_BATCH_SECONDS):
            self._api.cancel(batch_id)

    def batch_answers(self, batch_id: str) -> Iterator[tuple[str, BatchAnswer]]:
        """The answers of a batch that has ended, by their keys, in any order; raises as `submit`."""
        with within(_BATCH_SECONDS):
            answers = self._api.answers(batch_id)
        return iter(answers)

    def judge(self, order: Order, answer: BatchAnswer) -> Analysis:
        """The analysis that a batch's answer makes.

        Raises AnalysisRefused when the model declined this commit, and NeedsDirectCall when there is no answer, or one
        that has to be asked for in another form; both with what the answer cost.
        """
        if answer.message is None:
            raise NeedsDirectCall(f"the batch gave no answer ({answer.type})")
        question = self._question(order)
        request, message = question.request(), answer.message
        usage = usage_of(message.usage, request.model, batch=True)
        self._calibration.calibrate(request.model, estimate_of(request), message.usage.prompt)
        try:
            result = heard(message, question, request)
        except Mend as mend:
            raise NeedsDirectCall(str(mend), usage) from None
        except AnalysisRefused as error:
            error.usage = usage
            raise
        return analysis_of(result, question, usage).model_copy(update={"batch": True})

    def _read(self, order: Order) -> Analysis:
        question = question_of(order, self._models[order.depth])
        cut = parts_of(question)
        with within(self._total * (_PARTS_FACTOR if cut else 1)):
            if cut:
                return read_whole(self._api, question, cut, self._models[Tier.MEDIUM], self._calibration)
            found = converse(self._api, question, self._calibration)
            assert isinstance(found.question, CommitQuestion)
            return analysis_of(found.result, found.question, found.usage)

    def _question(self, order: Order) -> CommitQuestion:
        return question_of(_safe(order), self._models[order.depth])


def _safe(order: Order) -> Order:
    return replace(order, diff=redact_diff(order.diff))
