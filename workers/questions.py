"""What is asked of the model: the analysis of a commit, and notes on one part of a long one; and the checks of both."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field, replace
from typing import Self

from core.models import Analysis, Usage
from workers.conversation import Mend, Remedy
from workers.diffview import DiffView, view
from workers.grounding import Grounded, ground
from workers.messages_api import Request
from workers.orders import DEPTHS, Order
from workers.prompts import correction, notes_message, notes_prompt, system_prompt, user_message
from workers.redact import redact
from workers.replies import InvalidReply, Note, checked_notes, checked_reply, leaked, notes_schema, schema_for

NOTES_TOKENS = 4_000
_NAMED_MISSES = 5
_NAME_LIMIT = 60


@dataclass(frozen=True, slots=True)
class CommitQuestion:
    """One commit, to be analysed at the depth of its order; `order.diff` is without secrets."""

    order: Order
    model: str
    budget_tokens: int
    max_tokens: int
    notes: tuple[Note, ...] = ()
    fault: str | None = None
    shown: DiffView = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown", view(self.order.diff, self.order.facts, self.budget_tokens))

    def request(self) -> Request:
        """The call; each has a fence of its own."""
        order, depth = self.order, DEPTHS[self.order.depth]
        system = system_prompt(order.depth, order.language)
        text = _with_fault(self._message(), self.fault)
        return Request(self.model, self.max_tokens, system, text, schema_for(order.depth), depth.effort)

    def read(self, text: str) -> Grounded:
        """The checked reply without what the commit does not have."""
        order = self.order
        try:
            reply = checked_reply(text, order.depth, order.language)
        except InvalidReply as fault:
            raise Mend(Remedy.CORRECTION, str(fault)) from None
        if leaked(reply, _own_text(order)):
            raise Mend(Remedy.CORRECTION, "the reply repeats an example of the prompt")
        grounded = ground(reply, order.commit, order.facts, order.diff)
        if grounded.too_many:
            raise Mend(Remedy.GROUNDING, unfounded(grounded.removed))
        return grounded

    def roomier(self) -> Self:
        """Twice the tokens for the reply."""
        return replace(self, max_tokens=self.max_tokens * 2)

    def smaller(self, share: float) -> Self:
        """A smaller view."""
        return replace(self, budget_tokens=int(self.budget_tokens * share))

    def corrected(self, fault: str) -> Self:
        """With the fault named."""
        return replace(self, fault=fault)

    def _message(self) -> str:
        order = self.order
        return user_message(order.commit, order.facts, order.triage, self.shown, _tag(), self.notes)


@dataclass(frozen=True, slots=True)
class NotesQuestion:
    """One part of a commit that is read in parts."""

    order: Order
    model: str
    shown: DiffView
    part: int
    parts: int
    max_tokens: int = NOTES_TOKENS
    fault: str | None = None

    def request(self) -> Request:
        """The call."""
        order = self.order
        text = notes_message(order.commit, order.facts, order.triage, self.shown, _tag(), self.part, self.parts)
        system = notes_prompt(order.language)
        return Request(self.model, self.max_tokens, system, _with_fault(text, self.fault), notes_schema(), "low")

    def read(self, text: str) -> tuple[Note, ...]:
        """The checked notes."""
        try:
            return checked_notes(text)
        except InvalidReply as fault:
            raise Mend(Remedy.CORRECTION, str(fault)) from None

    def roomier(self) -> Self:
        """Twice the tokens for the notes."""
        return replace(self, max_tokens=self.max_tokens * 2)

    def smaller(self, share: float) -> None:
        """A part is a part: it is cut to its size before it is asked about."""

    def corrected(self, fault: str) -> Self:
        """With the fault named."""
        return replace(self, fault=fault)


def analysis_of(grounded: Grounded, question: CommitQuestion, usage: Usage) -> Analysis:
    """The analysis that a checked reply makes."""
    reply, order = grounded.reply, question.order
    return Analysis(
        origin="model",
        language=order.language,
        depth=order.depth,
        types=reply.types,
        summary=reply.summary,
        scope=reply.scope,
        insights=reply.insights,
        risks=reply.risks,
        advice=reply.advice,
        model=question.model,
        usage=usage,
        unseen=question.shown.unseen,
        opinion=reply.opinion,
        names_checked=grounded.checked,
        names_removed=grounded.missing,
    )


def _own_text(order: Order) -> str:
    """All that a commit brings itself; notes on it are not among it, an example may have leaked into one."""
    files = (text or "" for file in order.diff.files for text in (file.path, file.previous_path, file.patch))
    return "\n".join((order.commit.message, *files))


def question_of(order: Order, model: str) -> CommitQuestion:
    """The question about an order with the room and the view of its depth."""
    depth = DEPTHS[order.depth]
    return CommitQuestion(order, model, depth.budget_tokens, depth.max_tokens)


def _tag() -> str:
    """A name that the commit's author cannot know."""
    return f"commit-{secrets.token_hex(8)}"


def _with_fault(text: str, fault: str | None) -> str:
    # Facts and metadata can hold secrets too, so the whole message goes through once more.
    return redact(f"{text}\n\n{correction(fault)}" if fault else text)


def unfounded(names: tuple[str, ...]) -> str:
    """The fault of a reply that makes up names, with a few of them.

    They come from the reply, which hostile text may have steered, and go where our own words stand: only what a name is
    made of is left of them.
    """
    fault = "it names what the commit does not have"
    clean = (re.sub(r"[^\w./:#%+=@-]", "", name, flags=re.ASCII)[:_NAME_LIMIT] for name in names)
    listed = [f"`{name}`" for name in clean if name][:_NAMED_MISSES]
    return f"{fault}: {', '.join(listed)}" if listed else fault
