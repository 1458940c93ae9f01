"""A long commit read in parts: notes on each part by the medium model, then one analysis from all notes.

What is read in parts is covered whole, up to twelve parts; a part of which no notes could be had is listed as unseen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from core.models import Analysis, Tier, Unseen, Usage, added
from workers.calibration import Calibration
from workers.conversation import converse, share_that_fits
from workers.deadlines import current, seconds_left, within
from workers.diffview import DiffView, estimate_tokens, parts
from workers.messages_api import MessagesApi
from workers.model_errors import AnalysisRefused, ModelUnavailable
from workers.orders import Order
from workers.questions import CommitQuestion, NotesQuestion, analysis_of, question_of
from workers.replies import Note

MOST_PARTS = 12
# Below the 100,000 tokens from which the default medium model costs five times as much, its own prompt counted in.
PART_TOKENS = 80_000
# Beside the notes on everything, the analysis is written with the most telling part of the diff before it.
_REDUCE_TOKENS = 24_000
# Calls at once for one commit: twelve parts then take as long as three, and one commit does not fill the API's limit.
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class _Noted:
    """What became of one part."""

    usage: Usage
    notes: tuple[Note, ...] = ()
    unread: tuple[Unseen, ...] = ()


def parts_of(question: CommitQuestion, budget_tokens: int = PART_TOKENS) -> tuple[DiffView, ...]:
    """The parts in which a commit is read; none when the question shows all that can be read."""
    order = question.order
    if order.depth is not Tier.HIGH or not question.shown.unseen:
        return ()
    cut = parts(order.diff, order.facts, budget_tokens, MOST_PARTS)
    return cut if _lines(cut[-1]) < _lines(question.shown) else ()


def is_long(order: Order, model: str) -> bool:
    """Whether a commit is read in several parts, so that its analysis takes three answers in a row and more."""
    if (
        order.depth is not Tier.HIGH
        or sum(estimate_tokens(file.patch or "") for file in order.diff.files) < PART_TOKENS
    ):
        return False
    return len(parts_of(question_of(order, model))) > 1


def read_whole(
    api: MessagesApi, question: CommitQuestion, cut: tuple[DiffView, ...], model: str, calibration: Calibration
) -> Analysis:
    """The analysis of a commit that is cut into parts; raises AnalysisRefused or ModelUnavailable, with the usage.

    One part is shown as it is; of several, `model` makes the notes.
    """
    if len(cut) == 1:
        return _concluded(api, replace(question, budget_tokens=PART_TOKENS), calibration)
    fitting = _refitted(api, question.order, cut, model, calibration)
    noted = _all_noted(api, list(questions_about(question.order, fitting, model)), calibration)
    usage = added(*(part.usage for part in noted))
    notes = tuple(note for part in noted for note in part.notes)
    try:
        analysis = _concluded(api, replace(question, budget_tokens=_REDUCE_TOKENS, notes=notes), calibration)
    except (AnalysisRefused, ModelUnavailable) as error:
        error.usage = added(usage, error.usage)
        raise
    unseen = (*fitting[-1].unseen, *(unread for part in noted for unread in part.unread))
    return analysis.model_copy(update={"usage": added(usage, analysis.usage), "unseen": unseen, "parts": len(fitting)})


def questions_about(order: Order, cut: tuple[DiffView, ...], model: str) -> Iterator[NotesQuestion]:
    """One question about each part."""
    for number, shown in enumerate(cut, start=1):
        yield NotesQuestion(order, model, shown, number, len(cut))


def _concluded(api: MessagesApi, question: CommitQuestion, calibration: Calibration) -> Analysis:
    heard = converse(api, question, calibration)
    assert isinstance(heard.question, CommitQuestion)
    return analysis_of(heard.result, heard.question, heard.usage)


def _refitted(
    api: MessagesApi, order: Order, cut: tuple[DiffView, ...], model: str, calibration: Calibration
) -> tuple[DiffView, ...]:
    """The parts, cut smaller when the longest is beyond the model's limit: measured once for all of them."""
    longest = max(questions_about(order, cut, model), key=lambda question: len(question.shown.text))
    share = share_that_fits(api, longest.request(), calibration)
    return cut if share >= 1 else parts(order.diff, order.facts, int(PART_TOKENS * share), MOST_PARTS)


def _all_noted(api: MessagesApi, questions: list[NotesQuestion], calibration: Calibration) -> list[_Noted]:
    """The notes on every part, a few asked for at once, all within this thread's deadline.

    Raises ModelUnavailable when the API cannot answer now, with what all parts cost together.
    """
    deadline = current()

    def noted(question: NotesQuestion) -> _Noted:
        with within(seconds_left(deadline)):
            return _noted(api, question, calibration)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="part") as pool:
        asked = [pool.submit(noted, question) for question in questions]
        for future in asked:
            if isinstance(future.exception(), ModelUnavailable):
                pool.shutdown(cancel_futures=True)
                raise _together(asked)
    return [future.result() for future in asked]


def _noted(api: MessagesApi, question: NotesQuestion, calibration: Calibration) -> _Noted:
    try:
        heard = converse(api, question, calibration)
    except AnalysisRefused as error:
        return _Noted(usage=error.usage, unread=unread_of(question.shown))
    return _Noted(notes=heard.result, usage=heard.usage)


def _together(asked: list[Future[_Noted]]) -> ModelUnavailable:
    """The first part's failure, with the usage of all."""
    ended = [future for future in asked if future.done() and not future.cancelled()]
    failures = [error for future in ended if isinstance(error := future.exception(), ModelUnavailable)]
    whole = [future.result().usage for future in ended if future.exception() is None]
    failures[0].usage = added(*whole, *(error.usage for error in failures))
    return failures[0]


def unread_of(part: DiffView) -> tuple[Unseen, ...]:
    """What is lost with a part: its files, each with the changed lines that the part shows."""
    lost: Counter[str] = Counter()
    path = ""
    for line in part.text.split("\n"):
        if line.startswith("=== "):
            path = line.removeprefix("=== ").rpartition(" [")[0].partition(" (was ")[0]
        elif path and line[:1] in {"+", "-"}:
            lost[path] += 1
    return tuple(Unseen(path=path, lines=lines) for path, lines in lost.items())


def _lines(shown: DiffView) -> int:
    return sum(unseen.lines for unseen in shown.unseen)
