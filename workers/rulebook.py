"""The analysis composed from facts alone, when there is no model; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from core.models import Analysis, ChangeType, Commit, Facts, FileRole, Language, Tier, Triage
from report.labels import Labels, labels
from workers.advice import advice, deprecated, insights, risks
from workers.changes_told import changes_told
from workers.concerned import concerned
from workers.facts import PATHS_LIMIT, SYMBOLS_LIMIT
from workers.fileroles import area_of
from workers.message import Message, read_message
from workers.phrasing import NAME_LIMIT, code, fitted, joined, listed, quoted, sentences, spaced, width
from workers.quoting import SENTENCE_LIMIT, quoted_sentence

LOW_WIDTH = 100
_SCOPE_LIMIT = 6
_AREAS = 3
# Changed lines of code up to which the kinds of lines added say what was done.
_SMALL = 120
# Fewer changed lines of code than this bring no feature, unless they bring something that has a name.
_FEATURE = 30
# What shows that a change is upkeep, however large.
_UPKEEP = frozenset({"cosmetic", "version_bump", "logging"})
# A title that names one of these speaks of a defect, whatever its verb.
_DEFECTS = frozenset({"crash", "hang", "deadlock", "memory", "corruption", "wrong_result", "regression"})
_VERB = re.compile(r"[a-z]{3}|[\u4e00-\u9fff]{2}")  # as much of a title's first word as does not change with its tense
_PLAIN = frozenset({ChangeType.MERGE, ChangeType.REVERT})


class _Told(NamedTuple):
    """What every part of an analysis is written from."""

    facts: Facts
    judged: Triage
    message: Message
    words: Labels


def rulebook_analysis(
    commit: Commit,
    facts: Facts,
    triage: Triage,
    language: Language,
    *,
    origin: Literal["rules", "degraded"] = "rules",
) -> Analysis:
    """An analysis in plain sentences, its fields by the tier's depth; nothing in it that the facts do not show.

    `facts` may come from the message alone; the text then says that the diff was not at hand.
    """
    told = _Told(facts, triage, read_message(commit.message), labels(language))
    depth = triage.tier
    low, high = depth is Tier.LOW, depth is Tier.HIGH
    return Analysis(
        origin=origin,
        language=language,
        depth=depth,
        types=(triage.type,),
        summary=_low_summary(told) if low else _summary(told),
        scope=() if low else tuple(_scope(told))[:_SCOPE_LIMIT],
        insights=insights(facts, told.message, told.words) if high else None,
        risks=risks(facts, triage, told.message, told.words) if high else (),
        advice=() if low else advice(facts, triage, told.message, told.words),
    )


def _low_summary(told: _Told) -> str:
    """One sentence that fits; the title gives way first, then what stands before it."""
    lead = _lead(told, with_title=False)
    title = _title(told)
    text = told.words.phrase("titled", lead=lead, title=title)
    if (excess := width(text) - LOW_WIDTH) > 0:
        text = told.words.phrase("titled", lead=lead, title=fitted(title, max(width(title) - excess, 8)))
    return fitted(text, LOW_WIDTH)


def _summary(told: _Told) -> str:
    parts = [
        _lead(told, with_title=True),
        *changes_told(told.facts, told.words, limit=3),
        deprecated(told.facts, told.words),
        _shown(told),
        _author_says(told),
    ]
    if told.facts.reverts and told.facts.reverts.sha:
        parts.append(told.words.phrase("reverted_sha", sha=code(told.facts.reverts.sha[:7])))
    if told.facts.series:
        parts.append(_series(told))
    if told.facts.incomplete:
        parts.append(told.words.phrase("no_diff" if not told.facts.files else "part_of_diff"))
    return sentences(parts, told.words)


def _lead(told: _Told, *, with_title: bool) -> str:
    """What was done and where: `Fixes a problem in x` and, if wished, the title."""
    words, kind = told.words, told.judged.type
    places = [] if kind in _PLAIN else _places(told.facts)
    key = f"lead_{kind.value if _borne_out(told) and not _says_it_itself(told) else 'change'}"
    lead = spaced(words.phrase(f"{key}_in" if places else key, areas=listed(places, words, limit=2)))
    return words.phrase("titled", lead=lead, title=_title(told)) if with_title else lead


def _title(told: _Told) -> str:
    """The title as it is quoted; of a revert, that of what it takes back, as the lead says the rest."""
    undone = told.facts.reverts.title if told.facts.reverts and told.judged.type is ChangeType.REVERT else None
    return quoted(undone or told.message.core)


def _says_it_itself(told: _Told) -> bool:
    """Whether the quoted title begins with the lead's own verb: “Fixes a defect: fix …” says it twice."""
    if told.judged.type is not ChangeType.BUGFIX:
        return False
    lead, verb = told.words.phrase("lead_bugfix").lower(), _VERB.match(told.message.core.lower())
    return bool(verb and lead.startswith(verb[0]))


def _borne_out(told: _Told) -> bool:
    """Whether message or diff bear out the type; for want of a better one, triage has to guess, and a lead must not."""
    message, facts, kind = told.message, told.facts, told.judged.type
    said = {message.meaning, message.prefix_meaning}
    if kind is ChangeType.BUGFIX:
        return "fix" in said or bool(message.stated) or bool(_DEFECTS & {*message.title_marks})
    if kind is ChangeType.FEATURE:
        named = any(change.action == "added" for change in facts.changes)
        return named or not facts.files or "new_module" in facts.marks or facts.code_lines >= _FEATURE
    if kind is ChangeType.REFACTOR:
        return bool(said & {"refactor", "remove"})
    return kind is not ChangeType.CHORE or facts.code_lines < _SMALL or bool(_UPKEEP & {*facts.marks})


def _places(facts: Facts) -> list[str]:
    """Areas worth naming; one file is named itself, the top folder is not a place."""
    if facts.files == 1 and facts.paths:
        return [_short(facts.paths[0])]
    return [area for area in facts.areas if area != "."][:2]


def _short(path: str) -> str:
    """A path as it is, or the last folders of a long one with the file: its end says more than its beginning."""
    if len(path) <= NAME_LIMIT:
        return path
    parts = path.split("/")
    while len("/".join(parts)) > NAME_LIMIT - 2 and len(parts) > 1:
        parts = parts[1:]
    return f"…/{'/'.join(parts)}"


def _shown(told: _Told) -> str:
    """What kinds of lines the diff adds, where a small change has nothing public to tell."""
    marks = [mark for mark in ("rejects", "handler") if mark in told.facts.marks]
    if not marks or told.facts.code_lines > _SMALL or told.facts.changes:
        return ""
    items = joined([told.words.phrase(f"adds_{mark}") for mark in marks], told.words)
    return spaced(told.words.phrase("adds", items=items))


def _author_says(told: _Told) -> str:
    text = quoted_sentence(told.message.lead, told.message.title)
    return told.words.phrase("author_says", text=quoted(text, SENTENCE_LIMIT)) if text else ""


def _series(told: _Told) -> str:
    part, total = told.facts.series or (0, 0)
    return told.words.phrase("series" if total else "series_open", part=part, total=total)


def _scope(told: _Told) -> Iterator[str]:
    """Where the change lies, by area with its files; whom it concerns; then what accompanies it."""
    facts, words = told.facts, told.words
    if not facts.files:
        yield words.phrase("scope_unknown")
        return
    for area in facts.areas[:_AREAS]:
        files = [path for path in facts.paths if area_of(path) == area]
        if files:
            names = listed([PurePosixPath(path).name for path in files], words, more=facts.files > PATHS_LIMIT)
            yield words.phrase("scope_top" if area == "." else "scope_area", area=code(area), files=names)
    if people := concerned(facts, told.judged, told.message):
        named = [words.phrase(f"concerns_{key}", subject=code(subject) if subject else "") for key, subject in people]
        yield spaced(words.phrase("concerns", items=words.phrase("list_comma").join(named)))
    if symbols := _innermost(facts.symbols):
        more = len(facts.symbols) >= SYMBOLS_LIMIT
        yield words.phrase("scope_symbols", names=listed(symbols, words, limit=4, more=more))
    if {"removed_release", "release_pipeline", "release_step"} & set(facts.marks):
        yield words.phrase("scope_release_removed" if "removed_release" in facts.marks else "scope_release")
    if extra := _accompanying(facts):
        yield words.phrase(
            "scope_with", items=words.phrase("list_comma").join(words.phrase(f"with_{r}", n=n) for r, n in extra)
        )


def _innermost(symbols: tuple[str, ...]) -> list[str]:
    """Without a class whose methods are named, and without constructors, which say no more than their class."""
    bare = list(dict.fromkeys(name.removesuffix(".__init__") for name in symbols))
    owners = {name.rpartition(".")[0] for name in bare}
    return [name for name in bare if name not in owners]


def _accompanying(facts: Facts) -> list[tuple[str, int]]:
    roles = (FileRole.TEST, FileRole.DOCS, FileRole.EXAMPLE, FileRole.CI)
    return [(role.value, facts.roles[role]) for role in roles if facts.roles.get(role)]
