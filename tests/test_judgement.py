"""Why a commit has its tier, in one line: every clause of the policy, both languages, strangers' texts bounded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.models import ChangeType, Correction, Language, Opinion, PublicChange, Reason, Tier, Verdict
from report.daily import entry_from_record
from report.judgement import WHY_LIMIT, why
from report.labels import labels
from tests.records import analysis, facts, judged_day, record, triage

SHANGHAI = ZoneInfo("Asia/Shanghai")
DOCS = triage(Tier.LOW, ChangeType.DOCS, Reason(code="only_docs"))
PARSER = triage(Tier.MEDIUM, ChangeType.BUGFIX, Reason(code="base_product", subject="parser"))


def line(language: Language = "zh", **changes: Any) -> str:
    return why(entry_from_record(record(1, **changes)), SHANGHAI, labels(language))


def moved(rule: str, tier: Tier, said: Opinion | None, **changes: Any) -> dict[str, Any]:
    verdict = Verdict.model_validate({"tier": tier, "rule": rule, "fact": changes.pop("fact", "")})
    return {"verdict": verdict, "analysis": analysis(opinion=said), "triage": PARSER, **changes}


WORDED: dict[str, tuple[str, str]] = {
    "Raised": (
        "模型由中升为高：旧客户端升级后请求会被拒绝；规则的依据：改动了 parser",
        "raised by the model from medium to high: Old clients are refused; the rules' grounds: changes parser",
    ),
    "One step": (
        "模型判为高，只升一级，由低升为中：旧客户端升级后请求会被拒绝；规则的依据：只涉及文档",
        (
            "the model says high; raised by one step only, from low to medium: Old clients are refused; "
            "the rules' grounds: documentation only"
        ),
    ),
    "Held": (
        "删除了命令行参数 `--strict`，不低于高（模型判为中：旧客户端升级后请求会被拒绝）；提交说明谈到安全",
        (
            "removes the flag `--strict`, so not below high (the model says medium: Old clients are refused); "
            "the message speaks of security"
        ),
    ),
    "Capped": (
        "只涉及文档，不高于低（模型判为中：旧客户端升级后请求会被拒绝）",
        "documentation only, so not above low (the model says medium: Old clients are refused)",
    ),
    "Lowered, its surplus hidden": (
        "模型由中降为低：旧客户端升级后请求会被拒绝；规则的依据：改动了 parser",
        "lowered by the model from medium to low: Old clients are refused; the rules' grounds: changes parser",
    ),
    "Set by hand, waits for its depth": (
        "人工改定（2026-02-18）：发布前人工核对过，影响所有部署；此前判为中",
        "set by a person on 2026-02-18: it reaches every deployment; before that medium",
    ),
    "Did not fit": (
        "提交说明谈到安全；删除了命令行参数 `--strict`",
        "the message speaks of security; removes the flag `--strict`",
    ),
}


@pytest.mark.parametrize("title", WORDED)
def test_each_clause_in_both_languages(title: str) -> None:
    languages: tuple[Language, ...] = ("zh", "en")
    for language, expected in zip(languages, WORDED[title], strict=True):
        (found,) = [entry_from_record(one) for one in judged_day(language) if one.commit.title == title]
        assert why(found, SHANGHAI, labels(language)) == expected


def test_nobody_has_judged_it_yet() -> None:
    assert line(triage=None, analysis=None) == "未判定"


def test_a_move_is_told_even_where_its_reason_is_gone() -> None:
    assert line(**moved("moved", Tier.HIGH, None)) == "模型由中升为高；规则的依据：改动了 parser"
    assert line(**moved("one_step", Tier.LOW, None)) == "模型由中降为低；规则的依据：改动了 parser"


def test_a_fact_that_is_not_among_the_reasons_is_named_all_the_same() -> None:
    opinion = Opinion(tier=Tier.LOW, reason="")
    held = moved("floor", Tier.MEDIUM, opinion, fact="danger")
    assert line(**held) == "提交说明写明了安全漏洞或攻击方式，不低于中（模型判为低）；改动了 parser"
    assert line(**moved("floor", Tier.MEDIUM, opinion)) == "按规则，不低于中（模型判为低）；改动了 parser"
    assert line("en", **moved("floor", Tier.MEDIUM, opinion, fact="a_new_code")).startswith("a_new_code, so not below")


def test_such_a_fact_brings_the_name_it_is_about() -> None:
    change = PublicChange(kind="environment", action="removed", name="APP_PORT", path="app/core.py")
    held = moved("floor", Tier.MEDIUM, Opinion(tier=Tier.LOW, reason="仅内部使用。"), fact="removed_environment")
    told = line(**held, facts=facts(changes=(change,)))
    assert told == "删除了环境变量 `APP_PORT`，不低于中（模型判为低：仅内部使用）；改动了 parser"


def test_a_number_of_lines_is_written_as_elsewhere() -> None:
    reasons = Reason(code="large_feature", subject="9612"), Reason(code="release", subject="2026")
    large = triage(Tier.HIGH, ChangeType.FEATURE, *reasons)
    assert line("en", triage=large, verdict=None) == (
        "a large change, mostly additions (9,612 lines of code); version number only, for release 2026"
    )


def test_agreement_needs_no_words() -> None:
    agreed = moved("agreed", Tier.MEDIUM, Opinion(tier=Tier.MEDIUM, reason="改动较小。"))
    assert line(**agreed) == "改动了 parser"


def test_the_day_of_a_correction_is_the_reports() -> None:
    correction = Correction(tier=Tier.HIGH, why="", at=datetime(2026, 2, 17, 16, 30, tzinfo=UTC))
    assert line(correction=correction, triage=DOCS) == "人工改定（2026-02-18）；此前判为低"


def test_long_reasons_are_cut() -> None:
    text = line(**moved("moved", Tier.HIGH, Opinion(tier=Tier.HIGH, reason="长" * 500)))
    assert text == f"模型由中升为高：{'长' * (WHY_LIMIT - 1)}…；规则的依据：改动了 parser"
