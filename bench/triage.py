"""Triage against hand-judged commits: `python -m bench.triage CLONE LABELS.jsonl [CLONE LABELS.jsonl …]`, as text.

LABELS.jsonl holds one object a line with at least `sha` and `tier`, and `or` for another tier that would do as well;
CLONE is a local clone that has those commits. Each repository is reported by itself: only one whose labels were never
looked at while weights were chosen says whether they hold. `bench/labels/README.md` says which were.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import NamedTuple

from cli.triage import commit_from
from core.models import Commit, Diff, Tier
from core.settings import RepositorySettings
from workers.facts import facts_from
from workers.gitrepo import GitRepository
from workers.rules import load_rules
from workers.triage import triage

Pair = tuple[str, str]

TIERS = [tier.value for tier in Tier]
REPOSITORY = "bench/triage"
SPEED_ROUNDS = 3


class Labelled(NamedTuple):
    """A commit with its diff, the tier it was given, and another that would do as well, or ""."""

    commit: Commit
    diff: Diff
    tier: str
    other: str


def labelled(clone: Path, labels: Path) -> list[Labelled]:
    repository, found = GitRepository(clone), list[Labelled]()
    for line in labels.read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        commit = commit_from(repository.commit_info(label["sha"]), REPOSITORY)
        found.append(Labelled(commit, repository.diff(label["sha"]), label["tier"], label.get("or", "")))
    return found


def judged(commits: Sequence[Labelled]) -> list[Pair]:
    """(hand-judged tier, tier by the rules) of each commit."""
    rules, settings = load_rules(), RepositorySettings(name=REPOSITORY)
    return [
        (one.tier, triage(one.commit, facts_from(one.commit, one.diff), rules, settings).tier.value) for one in commits
    ]


def accepted(commits: Sequence[Labelled], pairs: Sequence[Pair]) -> float:
    """The share of commits that were judged as labelled, or as the other tier that would do as well."""
    either = [guess in {one.tier, one.other} for one, (_, guess) in zip(commits, pairs, strict=True)]
    return sum(either) / len(either)


def speed(commits: Sequence[Labelled]) -> float:
    """Commits a second of CPU, from ready diffs to facts and tier; the best of a few rounds."""
    best = float("inf")
    for _ in range(SPEED_ROUNDS):
        started = process_time()
        judged(commits)
        best = min(best, process_time() - started)
    return len(commits) / best


def scores(pairs: Sequence[Pair]) -> dict[str, tuple[float, float, float]]:
    """Precision, recall and F1 by tier."""
    found = {}
    for tier in TIERS:
        hit = sum(label == guess == tier for label, guess in pairs)
        guessed = sum(guess == tier for _, guess in pairs)
        labelled_so = sum(label == tier for label, _ in pairs)
        precision, recall = hit / guessed if guessed else 0.0, hit / labelled_so if labelled_so else 0.0
        total = precision + recall
        found[tier] = (precision, recall, 2 * precision * recall / total if total else 0.0)
    return found


def macro_f1(pairs: Sequence[Pair]) -> float:
    return sum(f1 for _, _, f1 in scores(pairs).values()) / len(TIERS)


def accuracy(pairs: Sequence[Pair]) -> float:
    return sum(label == guess for label, guess in pairs) / len(pairs)


def report(title: str, pairs: Sequence[Pair]) -> str:
    always = [(label, Tier.MEDIUM.value) for label, _ in pairs]
    table = Counter(pairs)
    lines = [
        f"{title}: {len(pairs)} commits",
        f"  macro-F1 {macro_f1(pairs):.3f}  accuracy {accuracy(pairs):.3f}",
        f"  always medium: macro-F1 {macro_f1(always):.3f}  accuracy {accuracy(always):.3f}",
        f"  {'tier':8}{'precision':>10}{'recall':>8}{'F1':>7}",
        *(f"  {tier:8}{p:>10.3f}{r:>8.3f}{f:>7.3f}" for tier, (p, r, f) in scores(pairs).items()),
        "  labelled ↓ judged →" + "".join(f"{tier:>8}" for tier in TIERS),
        *(f"  {tier:19}" + "".join(f"{table[tier, guess]:>8}" for guess in TIERS) for tier in TIERS),
        "",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    if not arguments or len(arguments) % 2:
        print(__doc__)
        return 2
    every = list[Pair]()
    for clone, labels in zip(arguments[::2], arguments[1::2], strict=True):
        commits = labelled(Path(clone), Path(labels))
        pairs = judged(commits)
        every += pairs
        print(report(labels, pairs))
        print(f"  as labelled or as well {accepted(commits, pairs):.3f}")
        print(f"  {speed(commits):.0f} commits/s on ready diffs, one CPU\n")
    if len(arguments) > 2:
        print(report("all repositories", every))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
