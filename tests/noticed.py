"""Notices for tests: every kind once, of commits that show what is hard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from core.models import Analysis, ChangeType, CommitRecord, Failure, Language, PublicChange, Reason, Tier, Usage
from core.settings import Settings
from tests.hostile import hostile_text
from tests.records import START, analysis, commit, facts, judged_day, record, report, triage, varied_day
from workers.notices import Notice, Repaired, Retiered, Reverted, commit_notice, sample_notice, update_notice
from workers.roundups import digest_notice, list_notice

CHANGES = (
    PublicChange(kind="flag", action="renamed", name="--mode", before="--strict", after="--mode", path="parser/cli.py"),
    PublicChange(kind="environment", action="default_changed", name="LIMIT", before="4096", after="8192", path="e.py"),
    *(
        PublicChange(kind="route", action="removed", name=f"/v1/headers/{number}", path="parser/routes.py")
        for number in range(6)
    ),
)  # fmt: skip
MENTIONED = ("U0123456789", "S0123456789", "ou_0123abcd")
HOSTILE = "*bold* _it_ ~gone~ `co*de` <!channel> <@U0BOSS> <https://evil.test|x> &amp; @here :tada: https://evil.test"


def settings(language: Language = "zh", **changes: Any) -> Settings:
    """Settings with a site, in a language."""
    values = {"site_url": "https://daybook.test/", "report_language": language} | changes
    return Settings(_env_file=None, **values)


def high(language: Language = "zh", **changes: Any) -> CommitRecord:
    """A commit with everything that a notice can say of one."""
    values: dict[str, Any] = {
        "facts": facts(files=14, additions=1234, deletions=567, changes=CHANGES, paths=("parser/cli.py",)),
        "triage": triage(Tier.HIGH, ChangeType.BREAKING, Reason(code="watched", subject="parser/cli.py")),
        "analysis": analysis(Tier.HIGH, language, types=(ChangeType.BREAKING, ChangeType.REFACTOR)),
    }
    return record(1, Tier.HIGH, "Parse headers in two layers, drop `strict` (#18164)", **values | changes)


def many(number: int = 30) -> list[CommitRecord]:
    """A burst of commits of every tier, in the order of their landing."""
    tiers = (Tier.LOW, Tier.MEDIUM, Tier.LOW, Tier.LOW, Tier.HIGH)
    return [record(one, tiers[one % 5], f"Change number {one} of the `parser`, *again*") for one in range(number)]


def notices() -> dict[str, Notice]:
    """What the goldens show."""
    zh, en = settings(), settings("en")
    medium, low = varied_day("en")[2], varied_day("en")[4]
    gone = Failure(stage="analyse", reason="529 overloaded", attempts=8, failed_at=START)
    degraded = analysis(Tier.HIGH, "en", origin="degraded", model=None, usage=Usage())
    reverted = Reverted(commit(9, 'Revert "Parse headers in two layers" (#18170)'))
    raised = judged_day("en")[0]
    elsewhere = record(40, Tier.MEDIUM, repository="octocat/spoon-knife", landed_at=START + timedelta(days=2))
    day = [*varied_day("en"), high("en", sha="f" * 40)]
    return {
        "high-zh": commit_notice(high(), zh, mention=MENTIONED),
        "high-en": commit_notice(high("en"), en, changes=(reverted, Retiered(Tier.MEDIUM))),
        "medium": commit_notice(medium, en),
        "low": commit_notice(record(5, message="Trim white space", analysis=analysis(Tier.LOW, "en")), en),
        "rules": commit_notice(low, en),
        "degraded": commit_notice(high("en", analysis=degraded, failure=gone), en),
        "hostile": commit_notice(record(7, message=HOSTILE, author=HOSTILE, branch="x*y*_z_<b>"), zh),
        "local": commit_notice(high("en", repository="local/clone"), settings("en", site_url=None)),
        "list": list_notice(many(), zh),
        "morning": list_notice([*many(3), elsewhere], en, morning=True, mention=("U0123456789",)),
        "digest-zh": digest_notice(report(varied_day()), zh),
        "digest-en": digest_notice(report(day, language="en"), en),
        "outage": digest_notice(report([], source_ok=False), zh),
        "reverted": update_notice(high("en"), reverted, en),
        "retiered": update_notice(raised, Retiered(Tier.MEDIUM), en),
        "repaired": update_notice(high(), Repaired(), zh),
        "test": sample_notice(zh),
    }


_LONG = st.builds(lambda text, times: (text + " ") * times, hostile_text(), st.sampled_from([1, 1, 3, 60]))


@st.composite
def any_notice(draw: st.DrawFn) -> Notice:
    """A notice of whatever a repository and a model can say, of every kind, with what the settings allow."""
    texts = st.lists(_LONG, max_size=8).map(tuple)
    written = Analysis(
        origin="model", language="zh", depth=Tier.HIGH, types=(ChangeType.FEATURE,), summary=draw(_LONG),
        scope=draw(texts), risks=draw(texts), advice=draw(texts),
    )  # fmt: skip
    names = draw(st.lists(_LONG, max_size=7))
    changes = tuple(PublicChange(kind="flag", action="removed", name=name, path="cli.py") for name in names)
    told = record(
        1, Tier.HIGH, draw(_LONG), author=draw(_LONG), branch=draw(_LONG), facts=facts(changes=changes),
        triage=triage(draw(st.sampled_from(Tier)), ChangeType.FEATURE, Reason(code="watched", subject=draw(_LONG))),
        analysis=written,
    )  # fmt: skip
    by = Reverted(told.commit, partly=True)
    return draw(st.sampled_from([
        commit_notice(told, settings(), mention=MENTIONED, changes=(by, Retiered(Tier.LOW))),
        update_notice(told, by, settings("en")),
        list_notice([told] * 40, settings("en"), mention=MENTIONED),
        digest_notice(report([told]), settings()),
    ]))  # fmt: skip
