"""Invented commits and analyses of about 3.3 KB of Chinese JSON each, which compress about as badly as real ones.

Sentences come from a chain of characters over the Chinese of tests/golden and tests/reference_texts.toml: each is drawn
by the one before it, three in ten by their frequency alone. So they have the letters and pairs of the language and
hardly a phrase of it, and nothing of what the ledger's dictionary is made from. Names of files, symbols and flags are
joined from 400 words and are new in every sentence. zlib squeezes such an analysis to about 0.59 of its size; a
real one of 3.5 KB, which a model wrote for the batch tool before Daybook, to 0.56.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from core.models import (
    Analysis,
    ChangeType,
    Commit,
    Facts,
    FileRole,
    Insights,
    Opinion,
    PublicChange,
    Reason,
    Tier,
    Triage,
    Usage,
    Verdict,
)

TESTS = Path(__file__).parent.parent / "tests"
SOURCES = (TESTS / "golden/day__reference-zh.md", TESTS / "golden/day__busy-zh.md", TESTS / "reference_texts.toml")
SENTENCES = 20_000
JUMPS = 0.3
_RUN = re.compile(r"[\u4e00-\u9fff，、；：]{4,}")
_WORDS = re.compile(r"\b[a-z]{4,10}\b")


class Invention:
    """Commits of one repository after another; the same seed invents the same."""

    def __init__(self, seed: int = 7) -> None:
        self._dice = random.Random(seed)
        text = "\n".join(source.read_text("utf-8") for source in SOURCES)
        runs = dict.fromkeys(_RUN.findall(text))
        follows: defaultdict[str, list[str]] = defaultdict(list)
        for run in runs:
            for one, next_one in pairwise(run):
                follows[one].append(next_one)
        self._follows = dict(follows)
        self._chars = [char for run in runs for char in run]
        self._words = sorted(set(_WORDS.findall(text)))[:400]
        self._sentences = [self._sentence() for _ in range(SENTENCES)]

    def _sentence(self) -> str:
        """20 to 60 characters with up to three places for names."""
        dice = self._dice
        parts: list[str] = []
        for _ in range(dice.randint(1, 3)):
            part = [dice.choice(self._chars)]
            for _ in range(dice.randint(7, 19)):
                jump = dice.random() < JUMPS
                part.append(dice.choice(self._chars if jump else self._follows.get(part[-1], self._chars)))
            parts.append("".join(part).strip("，、；：") + ("%s" if dice.random() < 0.45 else ""))
        return "，".join(parts) + "。"

    def _name(self) -> str:
        dice = self._dice
        words = dice.sample(self._words, dice.randint(1, 3))
        form = dice.randrange(5)
        if form == 0:
            return "--" + "-".join(words)
        if form == 1:
            return "".join(word.title() for word in words)
        if form == 2:
            return f"{'/'.join(words)}_{dice.choice(self._words)}.py"
        return "_".join(words)

    def _text(self, sentences: int) -> str:
        told = "".join(self._dice.choice(self._sentences) for _ in range(sentences))
        return told % tuple(f"`{self._name()}`" for _ in range(told.count("%s")))

    def commit(self, repository: str, number: int, landed_at: datetime) -> Commit:
        """A commit with a title, a pull request and, in half of the cases, a body of some lines."""
        dice = self._dice
        title = " ".join(dice.sample(self._words, dice.randint(4, 9))).capitalize()
        body = "\n".join(" ".join(dice.sample(self._words, dice.randint(6, 12))) for _ in range(dice.randint(2, 6)))
        author = " ".join(word.title() for word in dice.sample(self._words, 2))
        return Commit(
            repository=repository,
            sha=f"{dice.getrandbits(160):040x}",
            message=f"[{dice.choice(self._words).title()}] {title} (#{20_000 + number})"
            + (f"\n\n{body}" if dice.random() < 0.5 else ""),
            author=author,
            login=author.replace(" ", "").lower(),
            committed_at=landed_at - timedelta(seconds=dice.randint(1, 5000)),
            landed_at=landed_at,
            position=0,
            branch="main",
        )

    def facts(self, number: int) -> Facts:
        """Facts of a commit of some ten files."""
        dice = self._dice
        paths = tuple(f"{'/'.join(dice.sample(self._words, 3))}_{dice.choice(self._words)}.py" for _ in range(8))
        names = [self._name() for _ in range(10)]
        return Facts(
            files=len(paths), additions=dice.randint(1, 900), deletions=dice.randint(1, 500),
            code_lines=dice.randint(1, 800), roles={FileRole.SOURCE: 6, FileRole.TEST: 2},
            areas=tuple(path.rpartition("/")[0] for path in paths[:3]), paths=paths, symbols=tuple(names),
            changes=(PublicChange(kind="flag", action="added", name=names[0], path=paths[0]),
                     PublicChange(kind="parameter", action="default_changed", name=names[1], before="1", after="2",
                                  path=paths[1])),
            marks=("crash",), prefixes=(dice.choice(self._words),), pull_request=20_000 + number,
            parents=(f"{dice.getrandbits(160):040x}",),
        )  # fmt: skip

    def triage(self, facts: Facts) -> Triage:
        """The rules' judgement, with its reasons."""
        reasons = (Reason(code="base_product", subject=facts.areas[0]), Reason(code="added_flag", subject="--x"))
        return Triage(
            tier=Tier.HIGH, type=ChangeType.FEATURE, score=round(self._dice.uniform(3, 9), 2), reasons=reasons
        )

    def verdict(self) -> Verdict:
        """What both judges came to."""
        return Verdict(tier=Tier.HIGH, rule="agreed")

    def analysis(self) -> Analysis:
        """A high analysis: 3.3 KB of JSON on average."""
        dice = self._dice
        return Analysis(
            origin="model", language="zh", depth=Tier.HIGH, types=(ChangeType.FEATURE, ChangeType.BUGFIX),
            summary=self._text(4),
            scope=tuple(self._text(1) for _ in range(4)),
            insights=Insights(architecture=self._text(3), performance=self._text(3), security=self._text(1),
                              compatibility=self._text(3)),
            risks=tuple(self._text(2) for _ in range(3)), advice=tuple(self._text(1) for _ in range(3)),
            model="claude-sonnet-5-5",
            usage=Usage(input_tokens=dice.randint(2000, 30_000), cached_tokens=4096,
                        output_tokens=dice.randint(800, 1600), cost_usd=round(dice.uniform(0.005, 0.08), 6), calls=1),
            opinion=Opinion(tier=Tier.HIGH, reason=self._text(1)), names_checked=dice.randint(5, 40),
        )  # fmt: skip
