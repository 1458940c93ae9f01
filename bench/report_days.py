"""Days for bench/report.py: 1.5 KB of analysis a commit, in the ledger as workers leave it, and in a plain way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment

from core.ledger import Ledger, Stage
from core.models import ChangeType, CommitRecord, Insights, PublicChange, Push, Reason, Tier
from report.daily import DailyReport
from report.markdown import markdown_parts
from report.reading import keep_finished
from report.view import view_of
from tests.records import REPOSITORY, analysis, facts, record, triage

ZONE = ZoneInfo("Asia/Shanghai")
DAY = (datetime.now(ZONE) - timedelta(days=1)).date()  # closed, and young enough for its fragments
_BEGIN = datetime(DAY.year, DAY.month, DAY.day, tzinfo=ZONE)
_AT_ONCE = 50
_TIERS = (Tier.HIGH, Tier.MEDIUM, Tier.MEDIUM, Tier.MEDIUM)
_TEXT = "注意力后端的参数 `mixed_qkv` 只接受合并后的张量；多卡环境下并行数不一致时 `load_weights` 报错（#{n}）。"


def commits(count: int) -> list[CommitRecord]:
    """Commits of high and medium tier with 1.5 KB of analysis each; every 250th takes the one before it back."""
    return [_commit(n, count) for n in range(count)]


def _commit(n: int, count: int) -> CommitRecord:
    tier, text = _TIERS[n % 4], _TEXT.format(n=18000 + n)
    title = f"[Part {n % 23}] Unify the interface of hybrid backends, step {n} (#{18000 + n})"
    if n % 250 == 249:
        title = f'Revert "[Part {(n - 1) % 23}] Unify the interface of hybrid backends, step {n - 1} (#{17999 + n})"'
    lists: dict[str, Any] = {"summary": text * 3, "scope": (text,) * 4, "advice": (text,) * 4}
    if tier is Tier.HIGH:
        lists = {"summary": text * 2, "scope": (text,) * 2, "advice": (text,), "risks": (text,) * 2,
                 "insights": Insights(**dict.fromkeys(Insights.model_fields, text))}  # fmt: skip
    change = PublicChange(kind="flag", action="added", name=f"--option-{n}", path="server/args.py")
    at = (_BEGIN + timedelta(seconds=n * 82_000 / count)).astimezone(UTC)
    return record(
        n, tier, title, author=f"Engineer {n % 97}", landed_at=at, committed_at=at,
        facts=facts(areas=(f"part_{n % 23}",), changes=(change,) if n % 10 == 0 else (), pull_request=18000 + n),
        triage=triage(tier, ChangeType.FEATURE, Reason(code="base_product", subject=f"part_{n % 23}")),
        analysis=analysis(tier, **lists),
    )  # fmt: skip


def filled(ledger: Ledger, records: Sequence[CommitRecord]) -> float:
    """Receive and finish commits and keep how they are shown; milliseconds that the last takes for each commit."""
    view = view_of(REPOSITORY, ZONE.key, "zh", "https://github.com")
    rendering = 0.0
    for start in range(0, len(records), _AT_ONCE):
        some = records[start : start + _AT_ONCE]
        for one in some:
            push = Push(repository=REPOSITORY, branch="main", before="0" * 40, after=one.commit.sha,
                        commits=(one.commit,), pushed_at=one.commit.landed_at, delivery=one.commit.sha)  # fmt: skip
            ledger.receive(push, [b"{}"])
            claim = ledger.claim(one.commit.id, Stage.FETCH)
            assert claim
            assert ledger.finish(claim, one)
        started = time.process_time()
        for one in some:
            keep_finished(ledger, one, view)
        rendering += time.process_time() - started
    return 1000 * rendering / len(records)


_PAGE = """# {{ day }}

## {{ repository }}

| 提交时间 | 作者 | 提交信息 |
|----------|------|----------|
{% for one in commits %}
| {{ one.when }} | {{ one.author }} | {{ one.title }} |
{% endfor %}

### 📋 目录

{% for one in commits %}
- [{{ one.title }}](#{{ one.sha }})
{% endfor %}

{% for one in commits %}
<a id="{{ one.sha }}"></a>

#### {{ one.title }}

**SHA**: `{{ one.sha[:7] }}` | 🔗 [查看提交](https://github.com/{{ repository }}/commit/{{ one.sha }})

**🎯 变更类型**：{{ one.type }}  
**⚡ 重要程度**：{{ one.tier }}

**📋 变更摘要**  
{{ one.summary }}

**🎯 影响范围**

{% for item in one.scope.split("\\n") %}
- {{ item }}
{% endfor %}

{% if one.insights %}
**🔍 技术洞察**

| 维度 | 影响 |
|------|------|
{% for item in one.insights.split("\\n") %}
| {{ loop.index }} | {{ item }} |
{% endfor %}

{% endif %}
**💡 关注建议**

{% for item in one.advice.split("\\n") %}
- {{ item }}
{% endfor %}

---

{% endfor %}
"""  # noqa: W291 - Markdown's line break


def stored_plainly(redis: Any, records: Sequence[CommitRecord]) -> None:
    """A hash per commit, and a set of their shas by time."""
    for one in records:
        written = one.analysis
        assert written
        redis.hset(f"plain:{one.commit.sha}", mapping={
            "sha": one.commit.sha, "title": one.commit.title, "author": one.commit.author,
            "when": one.commit.committed_at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S"),
            "type": written.types[0].value, "tier": one.tier.value, "summary": written.summary,
            "scope": "\n".join(written.scope), "advice": "\n".join((*written.risks, *written.advice)),
            "insights": "\n".join(written.insights.model_dump().values()) if written.insights else "",
        })  # fmt: skip
        redis.zadd("plain", {one.commit.sha: one.commit.landed_at.timestamp()})


_TEMPLATE = Environment(trim_blocks=True, lstrip_blocks=True).from_string(_PAGE)  # noqa: S701 - Markdown, as a plain way has it


def plainly(redis: Any) -> bytes:
    """One HGETALL per commit, and Jinja2 for Markdown alone; nothing is escaped."""
    found = []
    for sha in redis.zrevrange("plain", 0, -1):
        row = redis.hgetall(f"plain:{sha.decode()}")
        found.append({name.decode(): value.decode() for name, value in row.items()})
    return _TEMPLATE.render(day=DAY, repository=REPOSITORY, commits=found).encode()


def floor(redis: Any, day: DailyReport) -> Callable[[], bytes]:
    """Reading the bytes of the Markdown by commit in one MGET and joining them."""
    keys = []
    for entry in day.entries:
        key = f"floor:{entry.sha}"
        redis.set(key, b"\n\n".join(markdown_parts(day.view, entry)[:-1]))
        keys.append(key)
    return lambda: b"\n\n".join(redis.mget(keys))
