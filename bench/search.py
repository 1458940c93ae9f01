"""Search at work: `python -m bench.search CLONE... [--commits N]`; prints how long questions take over N commits.

The titles, authors and files are those of the clones' real commits, from the first again when there are fewer than N
(20,000); the analyses are put together at random from Chinese and English words and the files' names, a tenth of them
of high depth. Each question is asked for its first page, several times; the slowest counts.
"""

from __future__ import annotations

import argparse
import itertools
import random
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter

from core.ledger import Stamp
from core.models import Analysis, ChangeType, Commit, CommitRecord, Facts, Insights, Tier, Triage
from report.daily import assemble
from report.json import report_json
from report.search.finding import Question, find
from report.search.keeper import Keeper

REPOSITORY = "bench/search"
A_DAY = 30
ROUNDS = 5
CHINESE = (
    *("修复", "新增", "支持", "删除", "优化", "缓存", "解析器", "调度", "显存", "崩溃", "精度", "接口", "默认值"),
    *("兼容", "请求", "参数", "的", "在", "时", "并", "后", "后端", "内核", "测试", "文档"),
)
ENGLISH = ("fix", "cache", "batch", "kernel", "test", "release", "parser", "model", "config", "default", "memory")
QUESTIONS = (
    *("的", "修复", "缓存解析器", "调度器崩溃", "fix", "fi", "update readme", "test", "cpp", "turbomind", "README.md"),
    *("max_batch_size", "format.h", "修复 fix 的 缓存 cache test", "的" * 400, " ".join([*ENGLISH, *CHINESE]), ""),
)


def real_commits(clone: Path) -> list[tuple[str, str, list[str]]]:
    """(title, author, files) of a clone's commits, newest first; merges are left out."""
    log = subprocess.run(
        ["git", "-C", str(clone), "log", "--no-merges", "--name-only", "--format=%x01%s%x02%an"],
        check=True, capture_output=True, text=True, errors="replace",
    ).stdout  # fmt: skip
    found = []
    for block in log.split("\x01")[1:]:
        head, *files = filter(None, block.split("\n"))
        title, _, author = head.partition("\x02")
        found.append((title or "(none)", author, files[:20]))
    return found


def said(chance: random.Random, files: Sequence[str], size: int) -> str:
    """About `size` clauses of an analysis."""
    names = [f"`{name}`" for name in files] or ["`main`"]
    clauses = (
        "".join([*chance.choices(CHINESE, k=6), chance.choice(names), chance.choice(ENGLISH)]) for _ in range(size)
    )
    return "，".join(clauses) + "。"


def analysed(chance: random.Random, files: Sequence[str]) -> Analysis:
    """An analysis as long as a real one of its depth."""
    depth = chance.choices([Tier.HIGH, Tier.MEDIUM, Tier.LOW], [1, 3, 6])[0]
    texts = [said(chance, files, 4) for _ in range(10)]
    insights = Insights(architecture=texts[0], performance=texts[1], security=texts[2], compatibility=texts[3])
    return Analysis(origin="rules", language="zh", depth=depth, types=(chance.choice(list(ChangeType)),),
                    summary=texts[4], scope=() if depth is Tier.LOW else tuple(texts[5:7]),
                    advice=() if depth is Tier.LOW else (texts[7],), insights=insights if depth is Tier.HIGH else None,
                    risks=tuple(texts[8:]) if depth is Tier.HIGH else ())  # fmt: skip


def records(clones: Sequence[Path], count: int) -> Iterator[CommitRecord]:
    """As many commits as wanted, thirty a day."""
    chance, real = random.Random(1), [commit for clone in clones for commit in real_commits(clone)]
    start = datetime(2026, 2, 17, 1, tzinfo=UTC)
    for number, (title, author, files) in enumerate(itertools.islice(itertools.cycle(real), count)):
        landed = start - timedelta(days=number // A_DAY, seconds=number % A_DAY)
        commit = Commit(repository=REPOSITORY, sha=f"{chance.getrandbits(160):040x}", message=title, author=author,
                        committed_at=landed, landed_at=landed, position=0, branch="main")  # fmt: skip
        facts = Facts(files=len(files), additions=9, deletions=1, code_lines=9, paths=tuple(files))
        written = analysed(chance, files)
        judged = Triage(tier=written.depth, type=written.types[0], score=1.0, reasons=())
        yield CommitRecord(commit=commit, facts=facts, triage=judged, analysis=written, finished_at=landed)


class Archive:
    """Kept reports in memory."""

    def __init__(self, made: Iterator[CommitRecord]) -> None:
        self.stored: dict[date, bytes] = {}
        for day, some in itertools.groupby(made, key=lambda record: record.commit.landed_at.date()):
            report = assemble(list(some), repository=REPOSITORY, day=day, timezone="UTC", language="zh", revision=1,
                              web_url=None)  # fmt: skip
            self.stored[day] = report_json([report])

    def change_marks(self) -> dict[str, str]:
        """Nothing changes."""
        return {REPOSITORY: "as it is"}

    def unreported_days(self, repository: str) -> dict[date, str]:  # noqa: ARG002
        """All days are closed."""
        return {}

    def report_stamps(self, repository: str) -> dict[date, Stamp | None]:  # noqa: ARG002
        """All days, the newest first."""
        return dict.fromkeys(sorted(self.stored, reverse=True), Stamp(0.0, "as it is"))

    def reports(self, repository: str, days: Sequence[date]) -> list[bytes | None]:  # noqa: ARG002
        """Some days."""
        return [self.stored.get(day) for day in days]

    def records(self, repository: str, day: date) -> list[CommitRecord]:  # noqa: ARG002
        """All have expired."""
        return []


def ask(keeper: Keeper, text: str) -> None:
    """Print how long one question takes."""
    question, times, total = Question(text, tier=None if text else Tier.HIGH), [], 0
    for _ in range(ROUNDS):
        began = perf_counter()
        found, _ = keeper.ask(lambda index: find(index, question))
        times.append(perf_counter() - began)
        total = found.total
    shown = f"{text[:30]}… ({len(text)} characters)" if len(text) > 30 else text or "(no words, tier high)"
    print(f"{max(times) * 1000:7.1f} ms {total:7,} found  {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clones", nargs="+", type=Path, metavar="CLONE")
    parser.add_argument("--commits", type=int, default=20_000)
    given = parser.parse_args()
    archive = Archive(records(given.clones, given.commits))
    with tempfile.TemporaryDirectory() as home:
        keeper, began = Keeper(archive, Path(home)), perf_counter()
        commits, days = keeper.rebuild()
        taken = perf_counter() - began
        size = sum(file.stat().st_size for file in Path(home).rglob("*.sqlite"))
        print(f"{commits:,} commits of {days:,} days indexed in {taken:.1f} s, {size / 1e6:.0f} MB")
        for text in QUESTIONS:
            ask(keeper, text)


if __name__ == "__main__":
    main()
