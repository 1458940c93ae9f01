"""How many commits a day Daybook carries, and what ends first: the tables of `docs/scale.md`.

    python -m bench.scale [--figures bench/baseline.json] [--write]

Arithmetic over named assumptions (`ASSUMED`, `LIMITS`) and measured figures; where a run has written a figure into the
baseline it takes the place of the one that an earlier session measured (`FIGURES` says which). A day's commits do not
come evenly: `simulated` plays a working day through one queue with a seed and says how late they are analysed.
`--write` puts the tables into the page between its marks; without it they are printed.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.guard import BASELINE, kept

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
DAY = 86_400
SEED = 7


@dataclass(frozen=True, slots=True)
class Named:
    """A number with what it is and where it is from."""

    value: float
    unit: str
    source: str


# Measured: name → the figure of an earlier session. A figure of the same name in the baseline replaces it.
MEASURED = {
    "rulebook_commits_per_second": Named(55, "commits/s", "`bench.spine`: 200 posted at once, two shared cores"),
    "receiving_single_per_second": Named(
        4370, "pushes/s", "a sketch of this design, one commit a push, two shared cores with the load generator"
    ),
    "redis_writes_always_per_second": Named(5500, "writes/s", "embedded Redis, `appendfsync always`, this disk"),
    "redis_writes_everysec_per_second": Named(10_900, "writes/s", "embedded Redis, `appendfsync everysec`"),
    "memory_record_bytes": Named(3609, "bytes/commit", "for `LEDGER_DAYS`; earlier session's run"),
    "memory_for_ever_bytes": Named(1432, "bytes/commit", "report and marks, for ever; earlier session's run"),
}
# Names under which the benchmarks write the same things, the first that is there counts.
FIGURES: Mapping[str, Sequence[str]] = {
    "rulebook_commits_per_second": ("rulebook_lmdeploy_per_second", "rulebook_flask_per_second"),
    "receiving_single_per_second": ("receiving_1_always_per_second", "receiving_1_everysec_per_second"),
    "redis_writes_always_per_second": ("writes_always_per_second",),
    "redis_writes_everysec_per_second": ("writes_everysec_per_second",),
    "memory_record_bytes": ("memory_closed",),
    "memory_for_ever_bytes": ("memory_expired",),
}
ASSUMED = {
    "commits_per_push": Named(3, "commits", "assumed: small pushes and merged branches together"),
    "scripts_per_commit": Named(8, "writes", "assumed: receive, two claims, two results, renewals, a report's share"),
    "requests_per_commit": Named(1.1, "requests", "one a commit, more above 300 files; reconciliation's share"),
    "model_calls_per_commit": Named(1.09, "calls", "`bench.model`, 200 commits of a real history: 218 requests"),
    "input_tokens_per_commit": Named(8000, "tokens", "assumed: prompt of 2,700 to 4,100 and the diff, nothing cached"),
    "output_tokens_per_commit": Named(900, "tokens", "assumed: a medium analysis"),
    "model_seconds": Named(15, "s", "assumed: one call"),
    "threads": Named(100, "threads", "DAYBOOK_CONCURRENCY of one worker process"),
    "share_of_high": Named(0.15, "of commits", "assumed; they go to the high model, the others to the small one"),
    "peak_factor": Named(3, "times", "assumed: the busiest hour against the day's mean"),
    "record_days": Named(400, "days", "LEDGER_DAYS"),
    "redis_memory": Named(64e9, "bytes", "assumed: one large Redis host"),
    "commits_per_notice": Named(5, "commits", "assumed: of what waits for a channel more than five come as one list"),
    "github_commits_per_year": Named(
        986e6, "commits", "GitHub, Octoverse 2025: pushed in a year, public and private together"
    ),
    "public_share": Named(0.35, "of commits", "assumed: GitHub does not say how many of them are public"),
}
LIMITS = {
    "github_token": Named(5000, "requests/hour", "GitHub: personal access token"),
    "github_installation": Named(12_500, "requests/hour", "GitHub: one installation of an App, at most"),
    "slack_channel": Named(1, "messages/s", "Slack: one channel"),
    "model_start": Named(
        500_000, "input tokens/min", "tier Start, with 1,000 requests and 100,000 output tokens a minute"
    ),
    "model_scale": Named(
        4_000_000, "input tokens/min", "tier Scale, with 4,000 requests and 800,000 output tokens a minute"
    ),
}
# Requests, input and output tokens a minute.
WORKERS_A_MACHINE = 2  # a process waits more than it computes: its threads are bounded, not its processor
TIERS = {"Start": (1000, 500_000, 100_000), "Scale": (4000, 4_000_000, 800_000)}


@dataclass(frozen=True, slots=True)
class Bound:
    """How many commits a day one thing carries, and the arithmetic of it; `even`: it is used up, however they come."""

    what: str
    commits: float
    how: str
    even: bool = False

    @property
    def busy(self) -> float:
        """What may come a day, if the busiest hour is to be carried without delay."""
        return self.commits if self.even else self.commits / ASSUMED["peak_factor"].value


def figures(committed: Mapping[str, float]) -> dict[str, Named]:
    """The measured figures, those of the baseline first."""
    found = dict(MEASURED)
    for name, candidates in FIGURES.items():
        for candidate in candidates:
            if candidate in committed:
                found[name] = Named(committed[candidate], found[name].unit, f"`{candidate}` of the baseline")
                break
    return found


def bounds(measured: Mapping[str, Named]) -> list[Bound]:
    """What each part carries a day, the least first."""
    return sorted(_bounds(measured), key=lambda bound: bound.commits)


def _bounds(measured: Mapping[str, Named]) -> Iterator[Bound]:
    assumed = {name: named.value for name, named in ASSUMED.items()}
    per_commit, scripts = assumed["requests_per_commit"], assumed["scripts_per_commit"]
    for name, limit in (("token", LIMITS["github_token"]), ("App installation", LIMITS["github_installation"])):
        yield Bound(
            f"GitHub, one {name}",
            limit.value * 24 / per_commit,
            f"{limit.value:,.0f}/h × 24 h ÷ {per_commit:g} a commit",
        )
    for tier, (requests, tokens_in, tokens_out) in TIERS.items():
        yield _model_bound(tier, requests, tokens_in, tokens_out)
    threads, seconds = assumed["threads"], assumed["model_seconds"] * assumed["model_calls_per_commit"]
    yield Bound(
        "one worker process with a model",
        threads * DAY / seconds,
        f"{threads:g} threads × 86,400 s ÷ {seconds:.1f} s a commit",
    )
    rate = measured["rulebook_commits_per_second"].value
    yield Bound("one machine without a model", rate * DAY, f"{rate:,.0f} commits/s × 86,400 s")
    for word in ("always", "everysec"):
        writes = measured[f"redis_writes_{word}_per_second"].value
        yield Bound(
            f"one Redis, `appendfsync {word}`",
            writes * DAY / scripts,
            f"{writes:,.0f} writes/s × 86,400 s ÷ {scripts:g} a commit",
        )
    pushes, each = measured["receiving_single_per_second"].value, assumed["commits_per_push"]
    yield Bound(
        "one web process, receiving", pushes * DAY * each, f"{pushes:,.0f} pushes/s × 86,400 s × {each:g} commits"
    )
    kept_bytes = measured["memory_record_bytes"].value
    days, memory = assumed["record_days"], assumed["redis_memory"]
    yield Bound(
        "one Redis of 64 GB, memory", 0.8 * memory / kept_bytes / days,
        f"80 % of 64 GB ÷ {kept_bytes:,.0f} bytes ÷ {days:g} days (what is kept for ever comes on top)", even=True,
    )  # fmt: skip
    told = assumed["commits_per_notice"]
    yield Bound("one Slack channel", DAY * told, f"1 message/s × 86,400 s × {told:g} commits a message")


def _model_bound(tier: str, requests: float, tokens_in: float, tokens_out: float) -> Bound:
    """The model's limits, which count for each model alone: the small one gets all but the high commits."""
    share = 1 - ASSUMED["share_of_high"].value
    calls = requests / ASSUMED["model_calls_per_commit"].value
    reading = tokens_in / ASSUMED["input_tokens_per_commit"].value
    writing = tokens_out / ASSUMED["output_tokens_per_commit"].value
    least = min(calls, reading, writing)
    which = {calls: "requests", reading: "input tokens", writing: "output tokens"}[least]
    return Bound(
        f"the model, tier {tier}", least * 1440 / share,
        f"{least:,.0f} commits/min by its {which} × 1,440 min ÷ {share:g} that go to the small model",
    )  # fmt: skip


def machines(measured: Mapping[str, Named], count: int, tier: str | None) -> Bound:
    """What so many machines carry on one Redis by rules alone, or with a model's tier; `how` names what ends first."""
    one = {bound.what: bound for bound in _bounds(measured)}
    together = {
        "processors": one["one machine without a model"].busy * count,
        "Redis's writes": one["one Redis, `appendfsync always`"].busy,
    }
    if tier:
        together["worker threads"] = one["one worker process with a model"].busy * WORKERS_A_MACHINE * count
        together["the model's limit"] = one[f"the model, tier {tier}"].busy
    name = min(together, key=lambda key: together[key])
    return Bound(f"{count}", together[name], name)


def simulated(commits: int, places: int, seconds: float, seed: int = SEED) -> tuple[float, float]:
    """Median and 99th percentile of how long a commit waits, in seconds, over a day of `commits` on `places` threads.

    Pushes come at random moments, three times as many in the working hours as else; each commit holds a place for an
    exponential time of mean `seconds`.
    """
    dice = random.Random(seed)
    free = [0.0] * places
    waits = []
    for at in sorted(_moment(dice) for _ in range(commits)):
        begins = max(at, heapq.heappop(free))
        waits.append(begins - at)
        heapq.heappush(free, begins + dice.expovariate(1 / seconds))
    waits.sort()
    return waits[len(waits) // 2], waits[math.ceil(0.99 * len(waits)) - 1]


def _moment(dice: random.Random) -> float:
    """A second of the day; the eight working hours have three times the rate of the others."""
    working, other = 8 * 3.0, 16 * 1.0
    hours = dice.random() * (working + other)
    return 3600 * (8 + hours / 3 if hours < working else (hours - working + 16) % 24)


def tables(measured: Mapping[str, Named]) -> dict[str, str]:
    """Each table of the page by the name of its mark."""
    return {
        "bounds": _bounds_table(measured),
        "machines": _machines_table(measured),
        "waiting": _waiting_table(),
        "memory": _memory_table(measured),
        "public": _public_table(measured),
        "figures": _named_table(measured),
        "assumptions": _named_table(ASSUMED),
        "limits": _named_table(LIMITS),
    }


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _bounds_table(measured: Mapping[str, Named]) -> str:
    rows = [(bound.what, _rounded(bound.commits), _rounded(bound.busy), bound.how) for bound in bounds(measured)]
    return _table(("what", "commits a day, at most", "with a busy hour", "arithmetic"), rows)


def _machines_table(measured: Mapping[str, Named]) -> str:
    rows = []
    for count in (1, 2, 10):
        found = [machines(measured, count, tier) for tier in (None, *TIERS)]
        rows.append((f"{count}", *(f"{_rounded(bound.commits)} ({bound.how})" for bound in found)))
    return _table(("machines", "by rules alone", *(f"with a model, tier {tier}" for tier in TIERS)), rows)


def _waiting_table() -> str:
    seconds = ASSUMED["model_seconds"].value
    rows = []
    for commits, places in ((10_000, 100), (100_000, 100), (300_000, 100), (600_000, 100), (600_000, 400)):
        median, late = simulated(commits, places, seconds)
        rows.append((f"{commits:,}", f"{places}", f"{median:,.0f} s", f"{late:,.0f} s"))
    return _table(("commits a day", "threads", "wait, median", "wait, 99 %"), rows)


def _memory_table(measured: Mapping[str, Named]) -> str:
    days = ASSUMED["record_days"].value
    rows = []
    for commits in (100, 1000, 10_000):
        records = commits * days * measured["memory_record_bytes"].value / 1e9
        reports = commits * 365 * measured["memory_for_ever_bytes"].value / 1e9
        rows.append((f"{commits:,}", f"{records:,.2f} GB", f"{reports:,.2f} GB"))
    return _table(("commits a day", f"their records, {days:g} days", "more each year, for ever"), rows)


def _public_table(measured: Mapping[str, Named]) -> str:
    a_day = ASSUMED["github_commits_per_year"].value * ASSUMED["public_share"].value / 365
    one = {bound.what: bound for bound in _bounds(measured)}
    share = f"{ASSUMED['public_share'].value:.0%}"
    rows = [("public commits a day", f"{_rounded(a_day)}", f"986 million a year × {share} ÷ 365 days")]
    for what, unit in (
        ("one machine without a model", "machines, by rules alone"),
        ("one Redis, `appendfsync always`", "Redis servers, by writes"),
        ("one Redis of 64 GB, memory", "Redis servers of 64 GB, by memory"),
        ("one worker process with a model", "worker processes, with a model"),
        ("GitHub, one App installation", "App installations, by requests"),
        ("the model, tier Scale", "times the limits of tier Scale"),
    ):
        needed = math.ceil(a_day / one[what].busy)
        rows.append((unit, f"{needed:,}", f"{_rounded(a_day)} ÷ {_rounded(one[what].busy)}"))
    return _table(("what", "how many", "arithmetic"), rows)


def _named_table(named: Mapping[str, Named]) -> str:
    rows = [(name.replace("_", " "), f"{_number(one.value)}", one.unit, one.source) for name, one in named.items()]
    return _table(("name", "value", "unit", "from"), rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:g}"


def _rounded(value: float) -> str:
    """Two digits: more would claim a precision that the assumptions do not have."""
    digits = max(0, math.floor(math.log10(value)) - 1)
    return f"{round(value, -digits):,.0f}"


def filled(page: str, made: Mapping[str, str]) -> str:
    """The page with each table between its marks; raises ValueError naming a mark that is not there, or unknown."""
    marks = re.findall(r"<!-- table: (\w+) -->", page)
    if sorted(marks) != sorted(made):
        raise ValueError(f"the page has the marks {sorted(marks)}, the tables are {sorted(made)}")
    for name, table in made.items():
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
        page = re.sub(pattern, rf"\g<1>{_literal(table)}\n\g<2>", page, flags=re.DOTALL)
    return page


def _literal(text: str) -> str:
    """Text as a replacement that means itself."""
    return text.replace("\\", r"\\")


def committed(file: Path) -> dict[str, float]:
    """The values of a baseline; none when there is no file."""
    baseline = kept(file)
    return {name: figure.value for name, figure in baseline.figures.items()} if baseline else {}


def main() -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=Path, default=BASELINE)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(PAGE.parent.parent)}")
    options = parser.parse_args()
    made = tables(figures(committed(options.figures)))
    if options.write:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
    else:
        print("\n\n".join(f"{name}\n{table}" for name, table in made.items()))


if __name__ == "__main__":
    main()
