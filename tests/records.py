"""Builders of CommitRecords for tests: a varied day, and single commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from core.models import (
    Analysis,
    ChangeType,
    Commit,
    CommitRecord,
    Correction,
    Facts,
    Failure,
    Found,
    Insights,
    Language,
    Opinion,
    Reason,
    Tier,
    Triage,
    Unseen,
    Usage,
    Verdict,
)
from report.daily import DailyReport, Entry, assemble

REPOSITORY = "octocat/hello-world"
START = datetime(2026, 2, 16, 17, 0, tzinfo=UTC)  # 01:00 on the 17th in Shanghai


def sha_of(number: int) -> str:
    """A sha that shows which commit it is."""
    return f"{number:07x}{'0' * 33}"


def commit(number: int, message: str = "Fix the parser (#12)", **changes: Any) -> Commit:
    """The `number`th commit of the day, one every half hour."""
    values: dict[str, Any] = {
        "repository": REPOSITORY,
        "sha": sha_of(number),
        "message": message,
        "author": "The Octocat",
        "login": "octocat",
        "committed_at": START + timedelta(minutes=30 * number, seconds=number),
        "landed_at": START + timedelta(minutes=30 * number + 1),
        "position": 0,
        "branch": "main",
    }
    return Commit(**values | changes)


def facts(**changes: Any) -> Facts:
    """Facts of a small change."""
    return Facts(**{"files": 2, "additions": 12, "deletions": 3, "code_lines": 15, "areas": ("parser",)} | changes)


def triage(tier: Tier, kind: ChangeType = ChangeType.BUGFIX, *reasons: Reason) -> Triage:
    """The rules' judgement."""
    return Triage(tier=tier, type=kind, score=1.0, reasons=reasons)


TEXTS: dict[Language, dict[str, Any]] = {
    "zh": {
        "summary": "修复 `parse_header` 在空输入时崩溃的问题。",
        "scope": ("`parser/header.py`：所有读取请求头的代码",),
        "advice": ("升级后重跑解析测试。",),
        "risks": ("仍传 `strict=True` 的代码会抛出 `TypeError`。", "自定义解析器须自行处理空输入。"),
        "insights": Insights(
            architecture="解析与校验分成两层，入口仍是 `parse`。",
            performance="每个请求少一次复制；`a | b` 形式的值不再回溯。",
            security="拒绝超过 8 KB 的请求头。",
            compatibility="删除参数 `strict`，调用方须改用 `mode`（见 #18100）。",
        ),
    },
    "en": {
        "summary": "Fixes a crash of `parse_header` on empty input.",
        "scope": ("`parser/header.py`: all code that reads request headers",),
        "advice": ("Run the parser's tests again after the upgrade.",),
        "risks": ("Code that passes `strict=True` raises `TypeError`.", "Own parsers have to handle empty input."),
        "insights": Insights(
            architecture="Parsing and checking are two layers; `parse` stays the entry.",
            performance="One copy less per request; values such as `a | b` no longer backtrack.",
            security="Headers over 8 KB are refused.",
            compatibility="The parameter `strict` is gone; callers use `mode` (see #18100).",
        ),
    },
}


def analysis(depth: Tier = Tier.LOW, language: Language = "zh", **changes: Any) -> Analysis:
    """An analysis with all the fields of its depth."""
    texts = TEXTS[language]
    values: dict[str, Any] = {
        "origin": "model",
        "language": language,
        "depth": depth,
        "types": (ChangeType.BUGFIX,),
        "summary": texts["summary"],
        "model": "claude-haiku-5-5",
        "usage": Usage(input_tokens=1200, cached_tokens=3000, output_tokens=150, cost_usd=0.000195, calls=1),
    }
    if depth is not Tier.LOW:
        values |= {"scope": texts["scope"], "advice": texts["advice"]}
    if depth is Tier.HIGH:
        values |= {"insights": texts["insights"], "risks": texts["risks"]}
    return Analysis(**values | changes)


def record(number: int, tier: Tier = Tier.LOW, message: str = "Fix the parser (#12)", **changes: Any) -> CommitRecord:
    """A finished commit; `changes` are fields of the record, or of its commit."""
    own = {name: value for name, value in changes.items() if name in CommitRecord.model_fields}
    values: dict[str, Any] = {
        "commit": commit(number, message, **{name: value for name, value in changes.items() if name not in own}),
        "facts": facts(),
        "triage": triage(tier),
        "analysis": analysis(tier),
        "finished_at": START + timedelta(days=1),
    }
    return CommitRecord(**values | own)


def varied_day(language: Language = "zh", repository: str = REPOSITORY) -> list[CommitRecord]:
    """Every tier and state once, with the titles that broke the old report."""
    first = "Parse headers in two layers, drop `strict` and keep [PCG] tags (#18164)"
    return [
        record(
            1,
            Tier.HIGH,
            f"{first}\n\nBody.\n\nSigned-off-by: The Octocat",
            repository=repository,
            facts=facts(files=14, additions=1234, deletions=567),
            triage=triage(
                Tier.HIGH,
                ChangeType.BREAKING,
                Reason(code="removed_parameter", subject="parser.parse.strict"),
                Reason(code="security"),
            ),
            analysis=analysis(Tier.HIGH, language, types=(ChangeType.BREAKING, ChangeType.REFACTOR)),
        ),
        record(
            2,
            Tier.HIGH,
            'Revert "Strip <think> tags, see octocat/spoon-knife#7 and @hubot" (#18165)',
            repository=repository,
            author="hubot[bot]",
            triage=triage(Tier.HIGH, ChangeType.REVERT),
            analysis=analysis(Tier.HIGH, language, origin="degraded", model=None, usage=Usage()),
            failure=Failure(stage="analyse", reason="529 overloaded", attempts=8, failed_at=START),
        ),
        record(
            3,
            Tier.MEDIUM,
            "[Diffusion] Fix get model name when model local path ends with `/`",
            repository=repository,
            analysis=analysis(
                Tier.MEDIUM,
                language,
                unseen=tuple(Unseen(path=f"data/table_{n}.json", lines=100 * n) for n in range(1, 8)),
            ),
        ),
        record(4, repository=repository, message="Waits", triage=None, facts=None, analysis=None, finished_at=None),
        record(
            5,
            Tier.LOW,
            "docs: <details> a | b, see https://example.com",
            repository=repository,
            author="a|b",
            found_by=Found.BACKFILL,
            triage=triage(Tier.LOW, ChangeType.DOCS, Reason(code="a_retired_code", subject="docs")),
            analysis=analysis(Tier.LOW, language, origin="rules", model=None, usage=Usage(), types=(ChangeType.DOCS,)),
        ),
        record(
            6,
            Tier.LOW,
            "*Refused* by the model",
            repository=repository,
            analysis=analysis(
                Tier.LOW, language, origin="degraded", model=None, summary=("改" * 120, "word " * 120)[language == "en"]
            ),
        ),
    ]


SAID: dict[Language, tuple[str, str]] = {
    "zh": ("旧客户端升级后请求会被拒绝。", "发布前人工核对过，影响所有部署"),
    "en": ("Old clients are refused.", "it reaches every deployment"),
}


def judged_day(language: Language = "zh") -> list[CommitRecord]:
    """Every way in which rules, model, budget and people come to a tier, one commit each."""
    reason, by_hand = SAID[language]
    flag = Reason(code="removed_flag", subject="--strict")
    correction = Correction(tier=Tier.HIGH, why=by_hand, at=START + timedelta(days=1))
    dear = Usage(input_tokens=9000, output_tokens=900, cost_usd=0.027, calls=2)
    free = {"origin": "rules", "model": None, "usage": Usage(), "language": language}

    def opinion(tier: Tier) -> Opinion:
        return Opinion(tier=tier, reason=reason)

    def judged(number: int, tier: Tier, title: str, rule: str, written: Analysis, **changes: Any) -> CommitRecord:
        verdict = Verdict.model_validate({"tier": tier, "rule": rule, "fact": changes.pop("fact", "")})
        return record(number, tier, title, verdict=verdict, analysis=written, **changes)

    base = triage(Tier.MEDIUM, ChangeType.BUGFIX, Reason(code="base_product", subject="parser"))
    floor = triage(Tier.HIGH, ChangeType.BREAKING, Reason(code="security"), flag)
    docs = triage(Tier.LOW, ChangeType.DOCS, Reason(code="only_docs"))
    high, medium = analysis(Tier.HIGH, language), analysis(Tier.MEDIUM, language)
    return [
        judged(1, Tier.HIGH, "Raised", "moved", high.model_copy(
            update={"opinion": opinion(Tier.HIGH), "usage": dear, "parts": 5, "names_checked": 31, "names_removed": 2}
        ), triage=base),
        judged(2, Tier.MEDIUM, "One step", "one_step", medium.model_copy(
            update={"opinion": opinion(Tier.HIGH), "names_checked": 9}), triage=docs),
        judged(3, Tier.HIGH, "Held", "floor", high.model_copy(
            update={"opinion": opinion(Tier.MEDIUM), "names_checked": 7, "names_removed": 1}
        ), triage=floor, fact="removed_flag"),
        judged(4, Tier.LOW, "Capped", "ceiling", analysis(
            Tier.LOW, language, opinion=opinion(Tier.MEDIUM), batch=True), triage=docs, fact="only_docs"),
        judged(5, Tier.LOW, "Lowered, its surplus hidden", "moved", medium.model_copy(
            update={"opinion": opinion(Tier.LOW)}), triage=base),
        record(6, Tier.MEDIUM, "Set by hand, waits for its depth", triage=base, correction=correction, analysis=medium),
        judged(7, Tier.HIGH, "At medium depth for want of money", "agreed", medium.model_copy(
            update={"opinion": opinion(Tier.HIGH), "limit": "budget"}), triage=floor),
        judged(8, Tier.HIGH, "By rules for want of money", "rules", high.model_copy(
            update={**free, "limit": "budget"}), triage=floor),
        judged(9, Tier.HIGH, "Did not fit", "agreed", medium.model_copy(
            update={"opinion": opinion(Tier.HIGH), "limit": "room"}), triage=floor),
        judged(10, Tier.HIGH, "Raised, but read once only", "moved", medium.model_copy(
            update={"opinion": opinion(Tier.HIGH)}), triage=base),
    ]  # fmt: skip


def report(records: Sequence[CommitRecord | Entry], repository: str = REPOSITORY, **changes: Any) -> DailyReport:
    """The report of the 17th of February 2026 in Shanghai."""
    values: dict[str, Any] = {
        "repository": repository,
        "day": date(2026, 2, 17),
        "timezone": "Asia/Shanghai",
        "language": "zh",
        "revision": 1,
        "web_url": f"https://github.com/{repository}",
    }
    return assemble(records, **values | changes)


def pages() -> dict[str, list[DailyReport]]:
    """The pages that are kept whole in tests/golden."""
    asked = "branch main from 2026-02-17 00:00 to 24:00, GET /repos/octocat/outage/commits"
    outage = report([], "octocat/outage", source_ok=False, asked=asked)
    fork = "hubot/hello-world"
    return {
        "varied-zh": [report(varied_day())],
        "varied-en": [report(varied_day("en"), language="en", revision=3)],
        "judged-zh": [report(judged_day())],
        "judged-en": [report(judged_day("en"), language="en")],
        "quiet": [report([], "octocat/quiet", web_url=None)],
        "outage": [outage],
        "two": [
            report(varied_day()[:3], source_ok=False, asked=asked),
            report(varied_day("en", fork)[:1], fork, language="en", web_url=None),
        ],
    }
