"""What the model must answer at each depth, and the check of what it did answer; pure.

The API enforces the schema's shape but not its lengths, and nothing but this file looks at language and markup. The
model writes the fields in the order of the schema: what the commit does comes first, the judgement after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import anthropic
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.models import ChangeType, Insights, Language, Opinion, Tier
from report.labels import labels
from workers.diffview import visible
from workers.worked_examples import words


class InvalidReply(Exception):
    """A reply that must not be stored; the text says what is wrong with it, in our words and never in its own."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The checked fields of an analysis; those that its depth does not have are empty."""

    types: tuple[ChangeType, ...]
    summary: str
    opinion: Opinion
    scope: tuple[str, ...] = ()
    insights: Insights | None = None
    risks: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts, whatever their field."""
        insights = tuple(text for _, text in self.insights) if self.insights else ()
        return (self.summary, *self.scope, *insights, *self.risks, *self.advice, self.opinion.reason)


@dataclass(frozen=True, slots=True)
class Note:
    """What one part of a long diff does to one file or theme; written by the model from untrusted text."""

    path: str
    what: str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Judgement(_Strict):
    """The fields that end a reply of any depth. Where it is the first base, pydantic puts its fields last."""

    types: list[ChangeType] = Field(
        min_length=1, strict=False, description="one to three types, the best fitting first"
    )
    tier: Tier = Field(strict=False, description="how much the commit matters, by the definitions of the tiers")
    tier_reason: str = Field(
        description="one sentence of at most 60 characters (an English word counts as one): the fact that decides"
    )


class _LowTexts(_Strict):
    summary: str = Field(description="one sentence of at most 100 characters, an ASCII word counted as one")


class LowReply(_Judgement, _LowTexts):
    """Analysis of a commit of low importance."""


class _MediumTexts(_Strict):
    summary: str = Field(description="two to four sentences: what changed, why, how it behaves now")
    scope: list[str] = Field(min_length=1, description="one to six components, interfaces, models or groups of users")
    advice: list[str] = Field(min_length=1, description="one to three actions, each for a named group of readers")


class MediumReply(_Judgement, _MediumTexts):
    """Analysis of a commit of medium importance."""


class InsightsReply(_Strict):
    """One to three sentences for each dimension; a dimension that is not touched says so in a few words."""

    architecture: str
    performance: str
    security: str
    compatibility: str


class _HighTexts(_Strict):
    summary: str = Field(description="three to six sentences: what changed, why, how it behaves now")
    scope: list[str] = Field(min_length=1, description="one to eight components, interfaces, models or groups of users")
    insights: InsightsReply
    risks: list[str] = Field(description="none to five concrete risks, each with the condition under which it happens")
    advice: list[str] = Field(min_length=1, description="one to five actions, each for a named group of readers")


class HighReply(_Judgement, _HighTexts):
    """Analysis of a commit of high importance."""


class NoteReply(_Strict):
    """What this part does to one file, or to several that change alike."""

    path: str = Field(description="the file's path as the diff gives it; of several alike, the first")
    what: str = Field(description="one to three sentences with the names that matter, at most 300 characters")


class NotesReply(_Strict):
    """Notes on one part of a long diff."""

    notes: list[NoteReply] = Field(min_length=1, description="one to twenty notes, those that matter most first")


_AnyReply = LowReply | MediumReply | HighReply
_MODELS: dict[Tier, type[_AnyReply]] = {Tier.LOW: LowReply, Tier.MEDIUM: MediumReply, Tier.HIGH: HighReply}


@dataclass(frozen=True, slots=True)
class _Limits:
    """Most of what is shown at a depth: lengths as `length` counts, and numbers of entries."""

    summary: int
    entry: int
    scope: int
    advice: int
    risks: int = 0
    insight: int = 0


_LIMITS = {
    Tier.LOW: _Limits(summary=100, entry=0, scope=0, advice=0),
    Tier.MEDIUM: _Limits(summary=400, entry=160, scope=6, advice=3),
    Tier.HIGH: _Limits(summary=700, entry=240, scope=8, advice=5, risks=5, insight=400),
}
_TYPES, _TIER_REASON = 3, 60
_NOTES, _NOTE_CHARACTERS, _PATH_CHARACTERS = 20, 400, 300

_HTML = re.compile(
    r"</?(?:a|abbr|b|base|blockquote|body|br|button|center|code|del|details|div|em|embed|font|form|h[1-6]|head|hr|html|i|"
    r"iframe|img|input|ins|kbd|li|link|meta|object|ol|p|pre|s|script|small|span|strong|style|sub|summary|sup|svg|table|"
    r"tbody|td|th|thead|tr|u|ul|video|audio)(?:[\s/][^<>]{0,500})?>|<!--",
    re.IGNORECASE,
)
_MARKUP = {
    "a Markdown heading": re.compile(r"^[ \t]{0,8}#{1,6}[ \t]", re.MULTILINE),
    "a list inside a text": re.compile(r"\n[ \t]{0,8}(?:[-*+•]|\d{1,2}[.)])[ \t]"),
    "a table": re.compile(r"^[ \t]{0,8}\|.{0,400}\|[ \t]*$", re.MULTILINE),
    "a code block": re.compile(r"^[ \t]{0,8}(?:```|~~~)", re.MULTILINE),
    "a link or an image": re.compile(r"!?\[[^\]\n]{0,200}\]\([^)\n]{1,500}\)"),
    "an HTML tag": _HTML,
}
_CODE_SPAN = re.compile(r"(`{1,2})(?!`)[^`\n]{1,400}\1(?!`)")
_BOLD = re.compile(r"\*\*([^*\n]{1,400})\*\*")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LETTER = re.compile(r"[^\W\d_]")
_UNIT = re.compile(r"[A-Za-z0-9_]+|[^\sA-Za-z0-9_]")
_SENTENCE_END = re.compile(r"[。！？；](?=[”’」』）)]?)|[.!?;](?=\s|$)")


@cache
def schema_for(depth: Tier) -> dict[str, Any]:
    """The JSON schema of a reply, in the subset that `output_config.format` takes; one for all, to be left as it is."""
    return anthropic.transform_schema(_MODELS[depth])


@cache
def notes_schema() -> dict[str, Any]:
    """The JSON schema of the notes on one part of a diff; one for all, to be left as it is."""
    return anthropic.transform_schema(NotesReply)


def length(text: str) -> int:
    """Characters of a text, an ASCII word counted as one and white space as none: how the report's limits count."""
    return sum(1 for _ in _UNIT.finditer(text))


def checked_reply(text: str, depth: Tier, language: Language) -> Reply:
    """The reply's fields, cleaned and within their limits.

    Raises InvalidReply for text that is not JSON, that does not fit the schema, that has markup of its own, that is
    too long to be ended at a sentence, or that is in the wrong language.
    """
    try:
        found = _MODELS[depth].model_validate_json(text)
    except ValidationError as error:
        raise InvalidReply(_explain(error)) from None  # its own text would quote the reply
    reply = _fitted(found, _LIMITS[depth])
    _check_language(replace(reply, scope=()).texts, language)  # an entry of the scope may be a name alone
    return reply


def checked_line(text: str, limit: int, language: Language) -> str:
    """One clean line of prose, at most `limit` long as `length` counts, in the language; raises InvalidReply."""
    line = _text("text", text, limit)
    _check_language((line,), language)
    return line


def checked_notes(text: str) -> tuple[Note, ...]:
    """The notes on one part of a diff, each on one bounded line with invisible characters written out.

    Nobody but the model reads them, so that they are cut where a reply would be refused. Raises InvalidReply for text
    that is not JSON or does not fit the schema.
    """
    try:
        found = NotesReply.model_validate_json(text)
    except ValidationError as error:
        raise InvalidReply(_explain(error)) from None
    notes = (
        Note(_cut(note.path, _PATH_CHARACTERS), _cut(note.what, _NOTE_CHARACTERS)) for note in found.notes[:_NOTES]
    )
    if kept := tuple(note for note in notes if note.path and note.what):
        return kept
    raise InvalidReply("the notes are empty")


def leaked(reply: Reply, haystack: str) -> str | None:
    """A name of the prompt's worked examples that stands in the reply; None where there is none.

    `haystack` is the commit's own text (message, paths, diff): a name that stands there too is the commit's.
    """
    said = "\n".join(reply.texts).casefold()
    if not (named := [word for word in words() if word in said]):
        return None
    own = haystack.casefold()
    return next((word for word in named if word not in own), None)


def _cut(text: str, most: int) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= most else f"{line[:most]}…"


def _fitted(found: _AnyReply, limits: _Limits) -> Reply:
    reply = Reply(
        types=tuple(dict.fromkeys(found.types))[:_TYPES],
        summary=_text("summary", found.summary, limits.summary),
        opinion=Opinion(tier=found.tier, reason=_text("tier_reason", found.tier_reason, _TIER_REASON)),
    )
    if isinstance(found, LowReply):
        return reply
    scope = _entries("scope", found.scope, limits.scope, limits.entry)
    advice = _entries("advice", found.advice, limits.advice, limits.entry)
    if isinstance(found, MediumReply):
        return replace(reply, scope=scope, advice=advice)
    dimensions = {name: _text(f"insights.{name}", text, limits.insight) for name, text in found.insights}
    risks = _entries("risks", found.risks, limits.risks, limits.entry)
    return replace(reply, scope=scope, insights=Insights(**dimensions), risks=risks, advice=advice)


def _entries(field: str, texts: list[str], most: int, limit: int) -> tuple[str, ...]:
    """The first entries: they come in order of weight, so what is over the number is what matters least."""
    return tuple(_text(f"{field}[{n}]", text, limit) for n, text in enumerate(texts[:most]))


def _text(field: str, text: str, limit: int) -> str:
    """One clean line within its limit.

    A text that is too long ends at its last whole sentence within the limit: asking again costs a whole call and a
    shorter whole text is still true. Only when there is no such sentence is the reply refused.
    """
    prose = _CODE_SPAN.sub("`_`", text)
    for name, pattern in _MARKUP.items():
        if pattern.search(prose):
            raise InvalidReply(f"{field} contains {name}")
    clean = _without_bold(visible(" ".join(text.split())))
    if not clean:
        raise InvalidReply(f"{field} is empty")
    return clean if length(clean) <= limit else _ended_early(field, clean, limit)


def _without_bold(text: str) -> str:
    """Emphasis would be shown as asterisks; inside code (`**kwargs`) they are meant."""
    parts, at = list[str](), 0
    for span in _CODE_SPAN.finditer(text):
        parts += (_BOLD.sub(r"\1", text[at : span.start()]), span[0])
        at = span.end()
    return "".join(parts) + _BOLD.sub(r"\1", text[at:])


def _ended_early(field: str, text: str, limit: int) -> str:
    room = list(_UNIT.finditer(text))[limit - 1].end()
    spans = [(span.start(), span.end()) for span in _CODE_SPAN.finditer(text)]
    ends = [
        end.end()
        for end in _SENTENCE_END.finditer(text)
        if end.end() <= room and not any(start < end.end() <= stop for start, stop in spans)
    ]
    if not ends or length(text[: ends[-1]]) < limit // 4:
        raise InvalidReply(f"{field} is longer than {limit} characters (an ASCII word counted as one)")
    return text[: ends[-1]].rstrip("；;").rstrip()


def _check_language(texts: tuple[str, ...], language: Language) -> None:
    """Judged by the prose without code."""
    sentences = [_CODE_SPAN.sub("", text) for text in texts]
    prose = " ".join(sentences)
    han, letters = len(_HAN.findall(prose)), len(_LETTER.findall(prose))
    wanted = labels(language)
    chinese = han >= 0.2 * letters and all(map(_HAN.search, sentences))
    if not (chinese if wanted.han else han <= 0.1 * letters):
        raise InvalidReply(f"the texts are not in {wanted.name}")


def _explain(error: ValidationError) -> str:
    """Which fields are wrong and how, at most five of them, without any text of the reply."""
    known = error.errors(include_input=False, include_url=False, include_context=False)
    if any(item["type"] == "json_invalid" for item in known):
        return "the reply is not valid JSON"
    return "; ".join(f"{_place(item['loc'])}: {item['type'].replace('_', ' ')}" for item in known[:5])


def _place(location: tuple[int | str, ...]) -> str:
    """The path of a field; a name that is not of our schema is not repeated."""
    names = {*HighReply.model_fields, *InsightsReply.model_fields, *NotesReply.model_fields, *NoteReply.model_fields}
    return (
        ".".join(str(step) if isinstance(step, int) or step in names else "unknown field" for step in location)
        or "reply"
    )
