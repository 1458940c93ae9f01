"""Makes a dictionary for the ledger's records: what they have in common, the commonest last, where it costs least.

    python -m bench.dictionary FILE

It is made of our own text alone: turns of analyses (bench/phrases.txt), the sentences of the rulebook and the worked
examples of the prompts in both languages, and the JSON of an empty record with all its fields. A dictionary in
core/ledger/dictionaries/ is part of what is stored and is never changed: a better one gets the next number.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.models import (
    Analysis,
    ChangeType,
    Commit,
    CommitRecord,
    Facts,
    Failure,
    FileRole,
    Found,
    Insights,
    Opinion,
    PublicChange,
    Reason,
    RevertOf,
    Tier,
    Triage,
    Unseen,
    Usage,
    Verdict,
)
from core.settings import RepositorySettings
from tests.patches import PAYLOADS, payload
from workers.facts import facts_from
from workers.rulebook import rulebook_analysis
from workers.rules import load_rules
from workers.triage import triage
from workers.worked_examples import examples

PHRASES = Path(__file__).with_name("phrases.txt")
LANGUAGES = ("en", "zh")
CHANGES: tuple[tuple[Any, Any, str], ...] = (
    ("class", "added", "src/"), ("environment", "changed", "docs/"), ("config", "renamed", "config.py"),
    ("dependency", "changed", "pyproject.toml"), ("flag", "added", "args.py"), ("function", "removed", "utils.py"),
    ("parameter", "added", "__init__.py"), ("parameter", "default_changed", "core.py"),
)  # fmt: skip
REASONS = (
    "removed_flag", "changed_config", "added_config", "added_flag", "dependency_floor", "default_changed_parameter",
    "required_parameter", "renamed_function", "removed_function", "removed_parameter", "wrong_result", "large_feature",
    "small_internal", "security", "crash", "narrow_title", "limited_scope", "only_docs", "only_tests", "base_product",
)  # fmt: skip
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
INVENTED = re.compile(r"\b\w*(?:larkspool|quernfold|tarnwisp|hobnettle|grebecask)\w*\b", re.IGNORECASE)


def main() -> None:
    """Write the dictionary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    options.file.write_text(dictionary(), encoding="utf-8")


def dictionary() -> str:
    """Least common first: what records of a kind share, then turns of speech, then what stands in every record."""
    parts = [" ".join(FileRole), " ".join(ChangeType), *_answers(), *_rulebook(), *_phrases(), *_records()]
    return "\n".join(parts)


def _answers() -> Iterator[str]:
    """The prompts' worked answers, without the names of the project that they invent."""
    for language in LANGUAGES:
        for depth in Tier:
            for example in examples(language, depth):
                yield INVENTED.sub("", " ".join(example.answer.split()))


def _rulebook() -> Iterator[str]:
    """What the rulebook says of the commits that are kept for tests, each sentence once and without names."""
    said: dict[str, None] = {}
    for patch in sorted(PAYLOADS.glob("*.patch")):
        commit, diff = payload(patch.name)
        facts = facts_from(commit, diff)
        judged = triage(commit, facts, load_rules(), RepositorySettings(name=commit.repository))
        for language in LANGUAGES:
            deep = judged.model_copy(update={"tier": Tier.HIGH})
            made = rulebook_analysis(commit, facts, deep, language)
            texts = [*made.risks, *made.advice, *(made.insights.model_dump().values() if made.insights else ())]
            said.update(dict.fromkeys(re.sub(r"`[^`]*`", "``", text) for text in texts))
    yield from said


def _phrases() -> Iterator[str]:
    """The lines of phrases.txt below its first; line ends cost a match, so they are taken out of Chinese."""
    lines = PHRASES.read_text("utf-8").splitlines()[1:]
    english = [line for line in lines if line.isascii()]
    yield " ".join(english)
    yield "".join(line for line in lines if not line.isascii())


def _records() -> Iterator[str]:
    """A record that has every field, as it is stored."""
    commit = Commit(
        repository="org/project", sha="0" * 40, message="Fix (#1)\n\nSigned-off-by: <@users.noreply.github.com>",
        author="", login="", committed_at=WHEN, landed_at=WHEN, position=1, branch="main", found_by=Found.BACKFILL,
    )  # fmt: skip
    changes = [
        PublicChange(kind=kind, action=action, name="--", before="None", after="True", path=path)
        for kind, action, path in CHANGES
    ]
    roles = dict.fromkeys((FileRole.DOCS, FileRole.CI, FileRole.CONFIG, FileRole.TEST, FileRole.SOURCE), 1)
    facts = Facts(
        files=2, additions=10, deletions=1, code_lines=12, roles=roles, areas=("src", "tests"),
        paths=("tests/test_", "src/", ".py"), symbols=("__init__", "test_", "get_"), changes=tuple(changes),
        marks=("crash", "hang", "memory", "security", "numerics"), prefixes=("fix", "bugfix", "feat", "core", "ci"),
        pull_request=1, issues=(1,), series=(1, 2), merge=True, breaking=True, bot=True, parents=("1" * 40,),
        reverts=RevertOf(sha="2" * 40, pull_request=1, title=""), incomplete=True, coauthors=("",),
        deprecations=("",), migrations=("",), benchmarks=("",),
    )  # fmt: skip
    reasons = tuple(Reason(code=code, subject="") for code in REASONS)
    judged = Triage(tier=Tier.MEDIUM, type=ChangeType.BUGFIX, score=1.5, reasons=reasons)
    verdict, failure = (
        Verdict(tier=Tier.MEDIUM, rule="agreed"),
        Failure(stage="fetch", reason="", attempts=1, failed_at=WHEN),
    )
    record = CommitRecord(commit=commit, facts=facts, triage=judged, verdict=verdict, failure=failure)
    yield _stored(record)
    yield _stored(record.model_copy(update={"failure": None, "analysis": _whole(), "finished_at": WHEN}))


def _whole() -> Analysis:
    return Analysis(
        origin="model", language="zh", depth=Tier.HIGH, types=(ChangeType.FEATURE, ChangeType.BUGFIX),
        summary="`", scope=("`", "`：", "`"), risks=("`。", "。"), advice=("。", "。"),
        insights=Insights(architecture="`", performance="。", security="。", compatibility="。"),
        model="claude-haiku-5-5", unseen=(Unseen(path="", lines=1),), opinion=Opinion(tier=Tier.LOW, reason="。"),
        usage=Usage(input_tokens=1, cached_tokens=4, cache_write_tokens=1, output_tokens=1, cost_usd=0.001, calls=1),
        names_checked=12, names_removed=1, parts=2, batch=True, limit="room",
    )  # fmt: skip


def _stored(record: CommitRecord) -> str:
    return record.model_dump_json(exclude_defaults=True)


if __name__ == "__main__":
    main()
