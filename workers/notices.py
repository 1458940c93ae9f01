"""Record → Notice: what is told of one commit, in plain words, before any channel gives it its own form; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from core.models import Tier
from report import wording
from report.changes import changes_of, table
from report.changes_words import rows
from report.daily import Entry, entry_from_record
from report.judgement import why
from report.labels import labels
from report.prose import clean, shorten
from workers.sentences import cut

if TYPE_CHECKING:
    from core.models import Commit, CommitRecord, Language, Triage
    from core.settings import Settings
    from report.labels import Labels

HEADLINE_LIMIT: Final = 200
SUMMARY_LIMIT: Final = 800
LOW_SUMMARY_LIMIT: Final = 200
LINE_LIMIT: Final = 200
FACT_LIMIT: Final = 100
MOST_LINES: Final = 5  # of scope, risks, compatibility changes and advice each

TIER_MARKS: Final = {Tier.HIGH: "🔴", Tier.MEDIUM: "🟡", Tier.LOW: "🟢"}


@dataclass(frozen=True)
class Line:
    """One point of a list. The whole text is the link, or where there is one the `name` behind it (a short sha)."""

    text: str
    link: str | None = None
    name: str = ""


@dataclass(frozen=True)
class Part:
    """A labelled list; `more` says how much of it is left out."""

    label: str
    lines: tuple[Line, ...]
    more: str = ""


@dataclass(frozen=True)
class Notice:
    """One message: texts of one line each, untrusted, with `code` spans and nothing rendered.

    `id` is what a channel is searched for: the ids of its commits, `OWNER/REPO DAY` of a digest, or of an update the
    commit's id and what happened to it. `link` is where the headline leads, `page` the page of ours, `facts` short
    words of who, where and how much, `mention` ids of people and groups that the settings name.
    """

    kind: Literal["commit", "list", "digest", "update", "test"]
    id: tuple[str, ...]
    language: Language
    headline: str
    tier: Tier | None = None
    link: str | None = None
    page: str | None = None
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    summary: str = ""
    fields: tuple[Part, ...] = ()
    mention: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reverted:
    """A later commit took it back, in whole or in part."""

    by: Commit
    partly: bool = False


@dataclass(frozen=True)
class Retiered:
    """It was filed in another tier before."""

    before: Tier


@dataclass(frozen=True)
class Repaired:
    """It has an analysis now that it lacked when it was told of."""


Change = Reverted | Retiered | Repaired


def commit_notice(
    record: CommitRecord, settings: Settings, *, mention: Sequence[str] = (), changes: Sequence[Change] = ()
) -> Notice:
    """One finished commit; `changes` is what became of it since it was told of first, the oldest first."""
    words, entry, commit = (
        labels(settings.language_of(record.commit.repository)),
        entry_from_record(record),
        record.commit,
    )
    return Notice(
        kind="commit",
        id=(commit.id,),
        language=words.language,
        headline=headline(entry),
        tier=entry.tier,
        link=commit_link(settings, commit),
        page=page_link(settings, f"{commit.repository}/commit/{commit.sha}"),
        facts=tuple(cut(fact, FACT_LIMIT) for fact in _facts(commit, entry, words)),
        notes=(
            *(cut(_told(record, change, settings), LINE_LIMIT) for change in changes),
            *_watched(entry, settings, words),
            *_lacking(entry, words),
        ),
        summary=_summary(entry),
        fields=tuple(_fields(entry, record, settings, words)),
        mention=tuple(mention),
    )


def update_notice(record: CommitRecord, change: Change, settings: Settings) -> Notice:
    """What became of a commit, as one line for its thread."""
    commit = record.commit
    by = change.by if isinstance(change, Reverted) else None
    return Notice(
        kind="update",
        id=(f"{commit.id} {_name(record, change)}",),
        language=settings.language_of(commit.repository),
        headline=cut(_told(record, change, settings), 2 * LINE_LIMIT),
        tier=record.tier,
        link=commit_link(settings, by) if by else None,
        page=page_link(settings, f"{commit.repository}/commit/{commit.sha}"),
    )


def sample_notice(settings: Settings) -> Notice:
    """A message to try a channel with, that shows how a high commit looks."""
    words = labels(settings.report_language)
    point = Line(words.word("notify_test_point"))
    keys = ("scope", "risks", "compatibility_table", "advice")
    return Notice(
        kind="test",
        id=(),
        language=words.language,
        headline=words.word("notify_test"),
        tier=Tier.HIGH,
        facts=("OWNER/REPO · main", words.word("author"), "+12 −3", words.word("files", n=2)),
        notes=(words.word("notify_test_note"),),
        summary=words.word("notify_test_summary"),
        fields=tuple(Part(words.word(key), (point,)) for key in keys),
    )


def headline(entry: Entry) -> str:
    """A commit's title, as long as a headline may be."""
    return cut(entry.title, HEADLINE_LIMIT)


def commit_link(settings: Settings, commit: Commit) -> str | None:
    """The commit where the repository is on the web, if anywhere."""
    place = settings.web_url(commit.repository)
    return f"{place}/commit/{commit.sha}" if place else None


def page_link(settings: Settings, path: str) -> str | None:
    """A page of our site, when its address is set."""
    return f"{settings.site_url.rstrip('/')}/{path}" if settings.site_url else None


def reverted_by(change: Reverted, named: str, words: Labels) -> str:
    """That a commit was taken back, by one that is `named` so."""
    return words.word("story_reverted_by_part" if change.partly else "story_reverted_by", commit=named)


def lesser(notice: Notice) -> Notice | None:
    """The notice with a little less in it, for a channel with no room for all; None when nothing can be spared.

    First the last point of the longest list goes, then whole lists from the end, then the notes, then the summary.
    """
    longest = max(notice.fields, key=lambda part: len(part.lines), default=None)
    if longest is not None and len(longest.lines) > 1:
        fields = [_shorter(part, notice.language) if part is longest else part for part in notice.fields]
        return replace(notice, fields=tuple(fields))
    if notice.fields:
        return replace(notice, fields=notice.fields[:-1])
    if notice.notes:
        return replace(notice, notes=())
    return replace(notice, summary="") if notice.summary else None


def _shorter(part: Part, language: Language) -> Part:
    """Without the last line; a count of what is left out cannot be told from here, so that three dots stand for it."""
    return replace(part, lines=part.lines[:-1], more=part.more or labels(language).word("notify_cut"))


def _facts(commit: Commit, entry: Entry, words: Labels) -> Iterator[str]:
    yield f"{commit.repository} · {clean(commit.branch)}"
    yield clean(commit.author) or "?"
    yield from wording.sizes(entry, words)
    if types := wording.types_of(entry):
        yield words.word("list_separator").join(words.types[kind] for kind in types)
    if entry.state != "model":
        yield wording.origin(entry, words)


def _watched(entry: Entry, settings: Settings, words: Labels) -> Iterator[str]:
    """Why somebody is mentioned."""
    if is_watched(entry.triage):
        yield cut(why(entry, settings.zone, words), LINE_LIMIT)


def _lacking(entry: Entry, words: Labels) -> Iterator[str]:
    """A channel has no legend that says what the word `degraded` means."""
    if entry.state in {"degraded", "given_up"}:
        yield words.word("degraded_note")


def is_watched(triage: Triage | None) -> bool:
    """Whether a commit touches what the `watch` of its repository names."""
    return triage is not None and any(reason.code == "watched" for reason in triage.reasons)


def _summary(entry: Entry) -> str:
    if entry.analysis is None:
        return ""
    if entry.tier is Tier.LOW:
        return cut(shorten(entry.analysis.summary, wording.LOW_SUMMARY_LIMIT), LOW_SUMMARY_LIMIT)
    return cut(entry.analysis.summary, SUMMARY_LIMIT)


def _fields(entry: Entry, record: CommitRecord, settings: Settings, words: Labels) -> Iterator[Part]:
    """Of a high commit: whom it reaches, what can go wrong, what changes for users, and what to do."""
    if entry.tier is not Tier.HIGH or entry.analysis is None:
        return
    written = entry.analysis
    told = {
        "scope": written.scope,
        "risks": written.risks,
        "compatibility_table": _changes(record, settings, words),
        "advice": written.advice,
    }
    for label, texts in told.items():
        if part := _part(words.word(label), texts, words):
            yield part


def _changes(record: CommitRecord, settings: Settings, words: Labels) -> list[str]:
    if record.facts is None:
        return []
    day = record.commit.landed_at.astimezone(settings.zone).date()
    found = rows(table(changes_of(record.commit.sha, day, record.facts.changes)), words)
    return [change_words(row.action, row.kind, row.text, words) for row in found]


def change_words(action: str, kind: str, text: str, words: Labels) -> str:
    """A row of the table of compatibility changes as one line."""
    return f"{words.word('notify_change', action=action, kind=kind)}{words.word('colon')}{text}"


def _part(label: str, texts: Sequence[str], words: Labels) -> Part | None:
    written = [text for text in texts if clean(text)]
    if not written:
        return None
    rest = len(written) - MOST_LINES
    lines = tuple(Line(cut(text, LINE_LIMIT)) for text in written[:MOST_LINES])
    return Part(label, lines, words.word("lines_more", n=rest) if rest > 0 else "")


def _told(record: CommitRecord, change: Change, settings: Settings) -> str:
    words = labels(settings.language_of(record.commit.repository))
    if isinstance(change, Reverted):
        named = words.word("notify_commit", title=cut(change.by.title, FACT_LIMIT), sha=change.by.sha[:7])
        return reverted_by(change, named, words)
    entry = entry_from_record(record)
    if isinstance(change, Repaired):
        return words.word("notify_repaired", origin=wording.origin(entry, words))
    tiers = {"before": words.tiers[change.before], "after": words.tiers[record.tier]}
    return words.word("notify_retiered", **tiers, why=_ground(entry, settings, words))


def _ground(entry: Entry, settings: Settings, words: Labels) -> str:
    """Why the tier is another: a person's words, or the model's where it moved the tier, or the rules' reasons."""
    if entry.correction:
        return entry.correction.why
    moved = entry.verdict and entry.verdict.rule in {"moved", "one_step"}
    opinion = entry.analysis.opinion if entry.analysis else None
    return opinion.reason if moved and opinion else why(entry, settings.zone, words)


def _name(record: CommitRecord, change: Change) -> str:
    """What tells one update of a commit from another."""
    if isinstance(change, Reverted):
        return f"reverted {change.by.sha}"
    return f"tier {change.before} {record.tier}" if isinstance(change, Retiered) else "repaired"
