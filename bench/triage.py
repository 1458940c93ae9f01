"""Triage against hand-judged commits: `python bench/triage.py CLONE LABELS.jsonl`; prints figures as text.

LABELS.jsonl holds one object a line with at least `sha` and `tier`; CLONE is a local clone that has those commits.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import process_time

from cli.triage import commit_from
from core.models import Tier
from core.settings import RepositorySettings
from workers.facts import facts_from
from workers.gitrepo import GitRepository
from workers.triage import load_rules, triage

Pair = tuple[str, str]

TIERS = [tier.value for tier in Tier]
REPOSITORY = "bench/triage"


def judged(clone: Path, labels: Path) -> list[Pair]:
    """(hand-judged tier, tier by the rules) of each labelled commit."""
    repository, rules = GitRepository(clone), load_rules()
    settings, pairs = RepositorySettings(name=REPOSITORY), list[Pair]()
    for line in labels.read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        commit = commit_from(repository.commit_info(label["sha"]), REPOSITORY)
        facts = facts_from(commit, repository.diff(label["sha"]))
        pairs.append((label["tier"], triage(commit, facts, rules, settings).tier.value))
    return pairs


def scores(pairs: Sequence[Pair]) -> dict[str, tuple[float, float, float]]:
    """Precision, recall and F1 by tier."""
    found = {}
    for tier in TIERS:
        hit = sum(label == guess == tier for label, guess in pairs)
        guessed = sum(guess == tier for _, guess in pairs)
        labelled = sum(label == tier for label, _ in pairs)
        precision, recall = hit / guessed if guessed else 0.0, hit / labelled if labelled else 0.0
        total = precision + recall
        found[tier] = (precision, recall, 2 * precision * recall / total if total else 0.0)
    return found


def macro_f1(pairs: Sequence[Pair]) -> float:
    return sum(f1 for _, _, f1 in scores(pairs).values()) / len(TIERS)


def accuracy(pairs: Sequence[Pair]) -> float:
    return sum(label == guess for label, guess in pairs) / len(pairs)


def report(pairs: Sequence[Pair], seconds: float) -> str:
    always = [(label, Tier.MEDIUM.value) for label, _ in pairs]
    table = Counter(pairs)
    lines = [
        f"{len(pairs)} commits, {seconds:.1f} s of CPU, git not counted",
        f"macro-F1 {macro_f1(pairs):.3f}  accuracy {accuracy(pairs):.3f}",
        f"always medium: macro-F1 {macro_f1(always):.3f}  accuracy {accuracy(always):.3f}",
        "",
        f"{'tier':8}{'precision':>10}{'recall':>8}{'F1':>7}",
        *(f"{tier:8}{p:>10.3f}{r:>8.3f}{f:>7.3f}" for tier, (p, r, f) in scores(pairs).items()),
        "",
        "labelled ↓ judged →" + "".join(f"{tier:>8}" for tier in TIERS),
        *(f"{tier:19}" + "".join(f"{table[tier, guess]:>8}" for guess in TIERS) for tier in TIERS),
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        print(__doc__)
        return 2
    started = process_time()
    pairs = judged(Path(arguments[0]), Path(arguments[1]))
    print(report(pairs, process_time() - started))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
