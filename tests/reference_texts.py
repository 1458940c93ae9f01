"""The reference day with facts and analyses: what its old report wrote about each commit, in both languages."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from core.models import (
    Analysis,
    ChangeType,
    CommitRecord,
    FileRole,
    Insights,
    Language,
    PublicChange,
    Reason,
    Tier,
    Usage,
)
from tests.records import analysis, facts, triage
from tests.reference_day import reference_day

_TOLD = tomllib.loads(Path(__file__).with_name("reference_texts.toml").read_text(encoding="utf-8"))
_ROPE = "python/sglang/multimodal_gen/runtime/layers/rotary_embedding.py"
_IO = "python/sglang/srt/managers/io_struct.py"
CHANGES: dict[str, PublicChange] = {
    "26b2c63": PublicChange(kind="function", action="removed", name="apply_flashinfer_rope_qk_inplace", path=_ROPE),
    "bfe34c9": PublicChange(kind="function", action="added", name="apply_flashinfer_rope_qk_inplace", path=_ROPE),
    "d5307ce": PublicChange(kind="config", action="added", name="UpdateWeightFromDiskReqInput.manifest", path=_IO),
}


def written_day(language: Language = "zh") -> list[CommitRecord]:
    """The reference day with its analyses: the tiers are the old report's."""
    return [_written(record, language) for record in reference_day()]


def _written(record: CommitRecord, language: Language) -> CommitRecord:
    short, tier = record.commit.sha[:7], record.tier
    kind, change = ChangeType(_TOLD["commit"][short]["type"]), CHANGES.get(short)
    area = "python/sglang/multimodal_gen" if "iffusion" in record.commit.message else "python/sglang/srt"
    known = {"areas": (area,), "changes": (change,) if change else (), "roles": {FileRole.SOURCE: 2}}
    return record.model_copy(
        update={
            "analysis": _analysis(short, tier, kind, language),
            "triage": triage(tier, kind, Reason(code="base_product", subject=area)),
            "facts": (record.facts or facts()).model_copy(update=known),
        }
    )


def _analysis(short: str, tier: Tier, kind: ChangeType, language: Language) -> Analysis:
    model = "claude-haiku-5-5" if tier is not Tier.HIGH else "claude-sonnet-5-5"
    usage = Usage(input_tokens=2400, cached_tokens=3900, output_tokens=310, cost_usd=0.0005, calls=1)
    told = _TOLD["deep"][language]
    deep: dict[str, Any] = {"high": told["high"], "medium": told.get(short), "low": {}}[tier.value]
    parts: dict[str, Any] = {
        name: tuple(deep[name]) for name in ("scope", "advice", "risks")[: tier.rank + 1] if name in deep
    }
    if tier is Tier.HIGH:
        parts |= {"insights": Insights(**deep["insights"])}
    summary = _TOLD["commit"][short][language]
    return analysis(tier, language, types=(kind,), summary=summary, model=model, usage=usage, **parts)
