"""What the model costs: a clone's latest commits analysed through the stand-in of the Messages API, counted, priced.

    python -m bench.model CLONE [--last 200] [--language zh] [--moved 0.1] [--json]

Diffs, facts, triage and the analyst are the real ones, without Celery. What was asked is then sent through the
stand-in's prompt cache at the times when the commits landed, so that entries expire as the real ones would between
pushes, with the lifetime that `workers/lifetimes.py` chooses at these times. It is compared with every commit at the
high depth, measured in the same way, and with the old way, computed: the message and the first 30,000 characters of
the whole diff to the high model, behind a short instruction that is too short to be cached.

Read the result with care. Tokens of the prompts are the stand-in's count, and replies are the stand-in's, far shorter
than a model's and without thinking: so every sum of money is given twice, with these and with the reply lengths that
the budget assumes (`reply_tokens` of `workers/orders.py`, thinking included; the old way for replies as long
as a medium and as a high analysis). Commits are asked about one after another; calls that really run at once would
write some cache entries twice.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr

from cli.triage import commit_from
from core.languages import languages
from core.models import Analysis, Language, Tier, Usage
from core.settings import RepositorySettings, Settings
from tests.fakes.anthropic import FakeAnthropic, Recorded
from tests.fakes.anthropic_replies import commit_in
from tests.fakes.anthropic_tokens import Clock, Prompt, PromptCache, count_tokens
from workers.analyst import AnalysisRefused, Analyst
from workers.facts import facts_from
from workers.gitrepo import GitRepository
from workers.lifetimes import Lifetimes
from workers.orders import DEPTHS, Order
from workers.policy import joined
from workers.prices import Lifetime, price_of
from workers.questions import NOTES_TOKENS
from workers.redact import redact_diff
from workers.rules import rules_for
from workers.triage import triage

REPOSITORY = "bench/model"
CLIPPED_CHARACTERS = 30_000
KEPT: dict[str, Lifetime | None] = {"none": None, "5m": "5m", "1h": "1h"}
SHORT_REPLY = 170  # tokens of the stand-in's medium replies
CHARACTERS_PER_TOKEN = 3.4  # as the stand-in counts
OLD_INSTRUCTION = "You are a senior engineer. Analyse the following commit: what changed, the risks, and advice. " * 3


@dataclass
class Spent:
    """What the commits of one tier, or all, used; tokens, and US dollars with the stand-in's and assumed replies."""

    commits: int = 0
    requests: int = 0
    fresh: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    cacheable: int = 0
    prompt_dollars: float = 0.0
    dollars: float = 0.0
    dollars_assumed: float = 0.0

    def add(self, other: Spent) -> None:
        """Count another's in."""
        for name in asdict(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def prompt(self) -> int:
        """All tokens of the prompts."""
        return self.fresh + self.cached + self.written


class Asked(NamedTuple):
    """A request, its commit's tier by the rules and landing, and the tokens of the stand-in's reply."""

    request: Recorded
    tier: Tier
    at: datetime
    output: int


@dataclass(frozen=True)
class Replay:
    """One way of analysing the commits, by their tiers by the rules."""

    commits: Counter[Tier]
    asked: tuple[Asked, ...]
    read_twice: int
    in_parts: int
    refused: int


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("clone", type=Path)
    parser.add_argument("--last", type=int, default=200, help="commits (default 200)")
    parser.add_argument("--language", choices=languages(), default="zh")
    parser.add_argument("--moved", type=float, default=0.0, help="share of commits that the model puts one tier higher")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    orders = list(orders_of(options.clone, options.last, options.language))
    settings = Settings()
    ours = replayed(orders, settings, moved=options.moved)
    deep = replayed([replace(order, depth=Tier.HIGH) for order in orders], settings)
    found = figures(orders, ours, deep, settings.model_for(Tier.HIGH))
    print(json.dumps(found, ensure_ascii=False, indent=1) if options.json else told(found))
    return 0


def orders_of(clone: Path, last: int, language: Language) -> Iterator[Order]:
    """The latest commits in the order they landed, each fetched and judged as the pipeline does it."""
    repository, table = GitRepository(clone), RepositorySettings(name=REPOSITORY)
    landings = repository.first_parent(last=last)
    landed = [(info, landing.head.committed_at) for landing in landings for info in landing.commits][-last:]
    for info, at in sorted(landed, key=lambda pair: pair[1]):
        commit = commit_from(info, REPOSITORY).model_copy(update={"landed_at": at})
        diff = redact_diff(repository.diff(info.sha))
        facts = facts_from(commit, diff)
        judged = triage(commit, facts, rules_for(table), table)
        yield Order(commit, facts, judged, diff, language, judged.tier)


def replayed(orders: Sequence[Order], settings: Settings, *, moved: float = 0.0) -> Replay:
    """All orders through the analyst; merges are the rulebook's and ask nobody."""
    models = {tier: settings.model_for(tier) for tier in Tier}
    with FakeAnthropic() as api:
        analyst = Analyst(api_key=SecretStr("bench"), base_url=api.url, models=models, timeout=60)
        ends = Counter[str]()
        for order in orders:
            if order.facts.merge:
                continue
            if int(order.commit.sha[:8], 16) < moved * 0x1_0000_0000:  # the same commits each time
                api.opinions[order.commit.sha] = (above(order.triage.tier), None)
            ends.update(_read(analyst, order))
        analyst.close()
    by_sha = {order.commit.sha: order for order in orders}
    asked = list[Asked]()
    for request, usage in api.billed:
        order = by_sha[commit_in(request.prompt) or ""]
        asked.append(Asked(request, order.triage.tier, order.commit.landed_at, usage["output_tokens"]))
    commits = Counter(order.triage.tier for order in orders)
    return Replay(commits, tuple(asked), ends["twice"], ends["parts"], ends["refused"])


def above(tier: Tier) -> Tier:
    """The next higher tier."""
    return Tier.MEDIUM if tier is Tier.LOW else Tier.HIGH


def _read(analyst: Analyst, order: Order) -> list[str]:
    """Analyse an order, once more where the verdict is above its depth, as the analyse stage does; what happened."""
    ends = []
    try:
        analysis = _analysed(analyst, order)
        verdict = joined(order.facts, order.triage, analysis.opinion)
        if verdict.tier.rank > order.depth.rank and not analysis.limit:
            ends.append("twice")
            analysis = _analysed(analyst, replace(order, depth=verdict.tier))
    except AnalysisRefused as error:
        print(f"{order.commit.sha[:12]}: {error}", file=sys.stderr)
        return [*ends, "refused"]
    return [*ends, "parts"] if analysis.parts > 1 else ends


def _analysed(analyst: Analyst, order: Order) -> Analysis:
    return analyst.analyse(order.commit, order.facts, order.triage, order.diff, order.language, order.depth)


def by_tier(replay: Replay) -> dict[Tier, Spent]:
    """What the commits of each tier used, with the lifetimes that Daybook chooses."""
    tiers = {tier: Spent(commits=replay.commits[tier]) for tier in Tier}
    for one, spent in zip(replay.asked, bills(replay.asked, "chosen"), strict=True):
        tiers[one.tier].add(spent)
    return tiers


def together(parts: Iterable[Spent]) -> Spent:
    """The sum."""
    total = Spent()
    for spent in parts:
        total.add(spent)
    return total


def bills(asked: Sequence[Asked], kept: str, denser: int = 1) -> Iterator[Spent]:
    """What each request comes to when cached prompts are kept for a time; `denser`: as if so many more commits came."""
    clock = Clock()
    cache, chooser = PromptCache(clock), Lifetimes(lambda: clock.seconds)
    for one in asked:
        clock.stand_at(asked[0].at + (one.at - asked[0].at) / denser)
        body, system = one.request.body, one.request.system
        lifetime = chooser.choose(body["model"], system) if kept == "chosen" else KEPT[kept]
        control = {"cache_control": {"type": "ephemeral", "ttl": lifetime}} if lifetime else {}
        block = {"type": "text", "text": system, **control}
        yield _bill(one, cache.take({**body, "system": [block]}, CHARACTERS_PER_TOKEN))


def _bill(one: Asked, prompt: Prompt) -> Spent:
    """What one request comes to."""
    written, model = prompt.written_5m + prompt.written_1h, one.request.body["model"]
    lifetime: Lifetime = "1h" if prompt.written_1h else "5m"
    usage = Usage(input_tokens=prompt.fresh, cached_tokens=prompt.read, cache_write_tokens=written)
    replies = (0, one.output, _assumed_reply(one.request.body["output_config"]["format"]["schema"]["properties"]))
    dollars = [_dollars(usage.model_copy(update={"output_tokens": reply}), model, lifetime) for reply in replies]
    return Spent(
        requests=1,
        fresh=prompt.fresh,
        cached=prompt.read,
        written=written,
        output=one.output,
        cacheable=count_tokens(one.request.system, CHARACTERS_PER_TOKEN),
        prompt_dollars=dollars[0],
        dollars=dollars[1],
        dollars_assumed=dollars[2],
    )


def _dollars(usage: Usage, model: str, lifetime: Lifetime = "5m") -> float:
    price = price_of(model)
    return price.cost(usage, lifetime=lifetime) if price else 0.0


def lifetimes(asked: Sequence[Asked]) -> list[dict[str, Any]]:
    """What all prompts would cost by how long they are kept, also if commits came ten and thirty times as densely."""
    rows = []
    for denser, kept in product((1, 10, 30), (*KEPT, "chosen")):
        total = together(bills(asked, kept, denser))
        share = total.cached / total.prompt
        rows.append({"denser": denser, "kept": kept, "prompt_dollars": total.prompt_dollars, "read_share": share})
    return rows


def _assumed_reply(schema: Mapping[str, Any]) -> int:
    """Tokens of a reply with its thinking, by the fields that the schema has."""
    if "notes" in schema:
        return NOTES_TOKENS // 2
    depth = Tier.HIGH if "insights" in schema else Tier.MEDIUM if "scope" in schema else Tier.LOW
    return DEPTHS[depth].reply_tokens


def old_way(orders: Sequence[Order], model: str, reply: int) -> Spent:
    """Message and clipped diff of every commit to one model, uncached; computed with the stand-in's token counts.

    `reply` is the tokens of each reply; the stand-in would say as much as in a medium analysis.
    """
    spent = Spent()
    for order in orders:
        diff = "\n".join(f"--- {change.path}\n{change.patch or ''}" for change in order.diff.files)
        prompt = f"{OLD_INSTRUCTION}\n{order.commit.message}\n{diff[:CLIPPED_CHARACTERS]}"
        fresh = count_tokens(prompt, CHARACTERS_PER_TOKEN)
        short, whole = (Usage(input_tokens=fresh, output_tokens=output) for output in (SHORT_REPLY, reply))
        dollars, assumed = _dollars(short, model), _dollars(whole, model)
        spent.add(Spent(1, 1, fresh, output=SHORT_REPLY, dollars=dollars, dollars_assumed=assumed))
    return spent


def figures(orders: Sequence[Order], ours: Replay, deep: Replay, high: str) -> dict[str, Any]:
    """All that is told, as JSON."""
    days = Counter(order.commit.landed_at.date().isoformat() for order in orders)
    clipped = sum(sum(len(change.patch or "") for change in order.diff.files) > CLIPPED_CHARACTERS for order in orders)
    tiers = by_tier(ours)
    return {
        "commits": len(orders),
        "merges": sum(order.facts.merge for order in orders),
        "days": len(days),
        "first_day": min(days),
        "last_day": max(days),
        "read_twice": ours.read_twice,
        "in_parts": ours.in_parts,
        "refused": ours.refused,
        "diffs_that_the_old_way_clips": clipped,
        "tiers": {tier.value: asdict(spent) for tier, spent in tiers.items()},
        "ours": _way(together(tiers.values()), len(days)),
        "ours_with_low_in_batches": _way(_in_batches(tiers), len(days)),
        "all_high": _way(together(by_tier(deep).values()), len(days)),
        "old_way_with_medium_replies": _way(old_way(orders, high, DEPTHS[Tier.MEDIUM].reply_tokens), len(days)),
        "old_way_with_high_replies": _way(old_way(orders, high, DEPTHS[Tier.HIGH].reply_tokens), len(days)),
        "lifetimes": lifetimes(ours.asked),
    }


def _way(spent: Spent, days: int) -> dict[str, Any]:
    prompt = spent.prompt or 1
    return {
        **asdict(spent),
        "prompt_tokens": spent.prompt,
        "cacheable_share": round(spent.cacheable / prompt, 4),
        "read_from_cache_share": round(spent.cached / prompt, 4),
        "read_of_cacheable_share": round(spent.cached / spent.cacheable, 4) if spent.cacheable else 0.0,
        "dollars_per_commit": spent.dollars / spent.commits,
        "dollars_per_day": spent.dollars / days,
        "dollars_per_commit_assumed": spent.dollars_assumed / spent.commits,
        "dollars_per_day_assumed": spent.dollars_assumed / days,
    }


def _in_batches(tiers: Mapping[Tier, Spent]) -> Spent:
    """The same with the low tier at half the price, and its prompt cache as it was."""
    total, low = together(tiers.values()), tiers[Tier.LOW]
    total.dollars -= low.dollars / 2
    total.dollars_assumed -= low.dollars_assumed / 2
    return total


def told(found: Mapping[str, Any]) -> str:
    """The figures for a person."""
    ours = found["ours"]
    shares = [ours[f"{name}_share"] for name in ("cacheable", "read_from_cache", "read_of_cacheable")]
    return f"""\
{found["commits"]} commits ({found["merges"]} merges, asked of nobody) on {found["days"]} days, \
{found["first_day"]} to {found["last_day"]}
read twice {found["read_twice"]}, in parts {found["in_parts"]}, refused {found["refused"]}

{_table_of_tiers(found["tiers"])}

{shares[0]:.1%} of the prompts could be cached, {shares[1]:.1%} was read (of what could be: {shares[2]:.1%}).

{_table_of_ways(found)}
* with the reply lengths that the budget assumes, in place of the stand-in's short ones
The old way clips {found["diffs_that_the_old_way_clips"]} of the diffs at {CLIPPED_CHARACTERS:,} characters.

All prompts, without replies, by how long the cached part is kept, also if commits came more densely:
{_table_of_lifetimes(found["lifetimes"])}"""


def _table_of_tiers(tiers: Mapping[str, Any]) -> str:
    names = ("fresh", "cached", "written", "output")
    rows = [f"{'tier':8}{'commits':>8}{'requests':>9}" + "".join(f"{name:>12}" for name in names) + f"{'dollars':>10}"]
    for tier, spent in tiers.items():
        tokens = "".join(f"{spent[name]:>12,}" for name in names)
        rows.append(f"{tier:8}{spent['commits']:>8}{spent['requests']:>9}{tokens}{spent['dollars']:>10.4f}")
    return "\n".join(rows)


def _table_of_lifetimes(rows: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(
        f"{row['denser']:>3} x  {row['kept']:7}{row['prompt_dollars']:>9.4f} dollars"
        f"{row['read_share']:>8.1%} read from the cache"
        for row in rows
    )


def _table_of_ways(found: Mapping[str, Any]) -> str:
    ways = {
        "ours": "as Daybook does",
        "ours_with_low_in_batches": "low tier in batches",
        "all_high": "every commit at high",
        "old_way_with_medium_replies": "old way, short replies",
        "old_way_with_high_replies": "old way, long replies",
    }
    rows = [f"{'':24}{'requests':>9}{'prompt':>12}{'$/commit':>11}{'$/commit*':>11}{'$/day*':>10}"]
    for key, name in ways.items():
        way = found[key]
        dollars = f"{way['dollars_per_commit']:>11.5f}{way['dollars_per_commit_assumed']:>11.5f}"
        rows.append(
            f"{name:24}{way['requests']:>9}{way['prompt_tokens']:>12,}{dollars}{way['dollars_per_day_assumed']:>10.4f}"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
