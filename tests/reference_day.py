"""The reference day: what landed in sgl-project/sglang on the 17th of February 2026, as its old report listed it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from core.models import CommitRecord, Tier
from tests.records import analysis, facts, record, triage
from workers.message import read_message

REPOSITORY = "sgl-project/sglang"

# Time of day in Shanghai, tier in the old report, author, title, sha; newest first.
COMMITS = (
    (
        "23:31:12",
        "medium",
        "Minglei Zhu",
        "[PCG] support piecewise cuda graph for kimi-linear model (#18849)",
        "bf523883545917d225cd5839d0ac8b0d715c5515",
    ),
    (
        "22:56:04",
        "high",
        "Mick",
        'Revert "[diffusion] operator: unify rotary embedding impl" (#18929)',
        "bfe34c90ffe57a78b5c2556c504292026e388a61",
    ),
    (
        "21:54:19",
        "medium",
        "Makcum888e",
        "[Diffusion] [NPU] Fix CI run (#18921)",
        "2aa0db7d9cfadc5f0a596328a641a6f09d5887e3",
    ),
    (
        "19:00:37",
        "low",
        "HAI",
        "ROCm use rotary_embedding from sgl-kernel (#18920)",
        "8bb103779624bb899dfe02d6ee9eab4b5ad8b4de",
    ),
    (
        "18:19:54",
        "low",
        "Makcum888e",
        '[Diffusion] Fix get model name when model local path end with "/" (#18918)',
        "5f81ec1ad5212be474c41b8140f0580891679227",
    ),
    (
        "18:17:46",
        "low",
        "Ratish P",
        "[diffusion]: fix sparse video gen 2 backend being applied to cross-attention (#18900)",
        "f6cc02489fb26af8eb6704170821359b6edb91c7",
    ),
    (
        "17:07:50",
        "low",
        "HAI",
        'Revert "[AMD] Fix RotaryEmbedding crash on AMD/ROCm (regression from #17934)" (#18922)',
        "b158f5d4a2b57512e5e75a5d7aa1a2c15a4c3e90",
    ),
    (
        "15:12:20",
        "low",
        "Makcum888e",
        "[Diffusion] [NPU] [Doc] Add NPU documentation for sglang-diffusion (#18894)",
        "14c95d255c1d0f43fe96f592339cf00eb197e2ec",
    ),
    (
        "14:18:57",
        "low",
        "billishyahao",
        "[TBO] fix cuda graph intermittently becomes disabled bug (#18320)",
        "899e2be7d06047aa95b16abf06e553148c1418f5",
    ),
    (
        "12:59:40",
        "low",
        "Michael",
        "[AMD] Fix RotaryEmbedding crash on AMD/ROCm (regression from #17934) (#18903)",
        "5e3103a7872c645012ce316bc87da41a7cbaae52",
    ),
    (
        "12:54:30",
        "low",
        "Mohammad Miadh Angkad",
        "[Tiny] Fix assert syntax warning in compressed_tensors_w4a4_mxint4_moe.py (#18899)",
        "90a0d66e1e46f67ceba1c1c5061180e6af1cc748",
    ),
    (
        "12:50:55",
        "low",
        "Alison Shao",
        "Skip flaky test_tool_choice_required_non_streaming for Mistral (#18889)",
        "7e41ac6c8db6496820f8c9f404db67f1973fd121",
    ),
    (
        "12:14:15",
        "low",
        "Yilong Zhao",
        "[misc] adding metadata field in UpdateWeightFromDiskReqInput (#18821)",
        "d5307ce022d0af0790b06af48a77465db0458d6f",
    ),
    (
        "12:02:48",
        "high",
        "triple-mu",
        "[diffusion] operator: unify rotary embedding impl (#18164)",
        "26b2c63d03665ab70524599c2e146b37f589f1a7",
    ),
    (
        "10:20:41",
        "low",
        "pansicheng",
        "Adapt the Qwen2Model._update_causal_mask for transformers==4.57.1 (#18774)",
        "b21390f8f396f734a0d516009fa2c87f2b5e645b",
    ),
    (
        "09:45:05",
        "low",
        "Ratish P",
        "[diffusion]: fix scheduler crash on ZMQ messages with unexpected frame counts (#17890)",
        "50ca24aebb7d2dfcd63f2759d43819845ed597c6",
    ),
    (
        "05:50:10",
        "low",
        "Alison Shao",
        "Fix CI: add flashinfer --download-cubin to install dependencies (#18887)",
        "f9c3def7fe464a19d8321474a4e149a3a8d3dcc4",
    ),
    (
        "03:50:39",
        "low",
        "Frank Minors",
        "Fix GLM-5 fused shared expert (#18804)",
        "1b659bcb088fd303ee472c0720eeb1a3797cffa1",
    ),
    (
        "00:59:50",
        "low",
        "danielafrimi",
        "Fix modelopt FP8 create weights (#18447)",
        "0ff24159a5bcd0872a65135b0b1eeb3350273949",
    ),
)


def reference_day() -> list[CommitRecord]:
    """The day's records with the tiers that the old report gave, each of a small diff."""
    return [
        record(
            0,
            Tier(tier),
            title,
            sha=sha,
            repository=REPOSITORY,
            author=author,
            login=None,
            committed_at=(at := datetime.fromisoformat(f"2026-02-17 {time}").replace(tzinfo=ZoneInfo("Asia/Shanghai"))),
            landed_at=at,
            facts=facts(pull_request=read_message(title).pull_request),
            triage=triage(Tier(tier)),
            analysis=analysis(Tier(tier)),
        )
        for time, tier, author, title, sha in COMMITS
    ]
