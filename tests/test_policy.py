"""The policy that joins the rules' tier and the model's: each clause, and what holds for any input at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import (
    ChangeType,
    Diff,
    Facts,
    FileChange,
    FileRole,
    Opinion,
    PublicChange,
    Reason,
    Tier,
    Triage,
    Verdict,
)
from core.settings import RepositorySettings, Watch
from tests.patches import commit, diff, edited, payload
from workers.facts import facts_from
from workers.policy import joined, joined_types
from workers.rules import load_rules
from workers.triage import triage

HIGH, MEDIUM, LOW = Tier.HIGH, Tier.MEDIUM, Tier.LOW
RULES = load_rules()
PLAIN = RepositorySettings(name="octocat/hello-world")
SOURCE = edited("app/core.py", "    return a + 1", "    return a + 2")
FLAG_GONE = edited("app/cli.py", "p.add_argument('--port')")


def verdict(
    message: str,
    files: Diff | FileChange,
    wanted: Tier | None,
    why: str = "it matters",
    table: RepositorySettings = PLAIN,
) -> Verdict:
    """The verdict on a commit of which the model says `wanted`, None for a model that was not asked."""
    made, shown = commit(message), files if isinstance(files, Diff) else diff(files)
    facts = facts_from(made, shown, (), table.watch.paths)
    opinion = None if wanted is None else Opinion(tier=wanted, reason=why)
    return joined(facts, triage(made, facts, RULES, table), opinion)


CASES: dict[str, tuple[Verdict, Verdict]] = {
    "nobody was asked": (verdict("Change it", SOURCE, None), Verdict(tier=MEDIUM, rule="rules")),
    "both say the same": (verdict("Change it", SOURCE, MEDIUM, ""), Verdict(tier=MEDIUM, rule="agreed")),
    "up by one": (verdict("Change it", SOURCE, HIGH), Verdict(tier=HIGH, rule="moved")),
    "down by one": (verdict("Change it", SOURCE, LOW), Verdict(tier=LOW, rule="moved")),
    "no reason moves nothing": (verdict("Change it", SOURCE, HIGH, " \n"), Verdict(tier=MEDIUM, rule="rules")),
    "two tiers are one step up": (verdict("Simplify the loop", SOURCE, HIGH), Verdict(tier=MEDIUM, rule="one_step")),
    "two tiers are one step down": (
        verdict("Avoid a segfault\n\nEvery server crashes and gets stuck.", SOURCE, LOW),
        Verdict(tier=MEDIUM, rule="one_step"),
    ),
    "a security fix stays high": (
        verdict("fix buffer overflow", SOURCE, MEDIUM),
        Verdict(tier=HIGH, rule="floor", fact="security"),
    ),
    "a medium with a security fact stays medium": (
        verdict("Check it\n\nThe path was untrusted.", SOURCE, LOW),
        Verdict(tier=MEDIUM, rule="floor", fact="security"),
    ),
    "a flag that went stays high": (
        verdict("Tidy up", FLAG_GONE, LOW),
        Verdict(tier=HIGH, rule="floor", fact="removed_flag"),
    ),
    "what says BREAKING is not lowered": (
        verdict("Drop v1\n\nBREAKING CHANGE: v1 is gone", SOURCE, LOW),
        Verdict(tier=HIGH, rule="floor", fact="says_breaking"),
    ),
    "lost data is not lowered": (
        verdict("Avoid data loss", SOURCE, LOW),
        Verdict(tier=HIGH, rule="floor", fact="corruption"),
    ),
    "a floor is no ceiling": (
        verdict("Check it\n\nThe path was untrusted.", SOURCE, HIGH),
        Verdict(tier=HIGH, rule="moved"),
    ),
    "a document": (
        verdict("Rewrite", edited("docs/a.md", "a", "b"), HIGH),
        Verdict(tier=LOW, rule="ceiling", fact="only_docs"),
    ),
    "a test": (
        verdict("Test it", edited("tests/test_a.py", "a", "b"), MEDIUM),
        Verdict(tier=LOW, rule="ceiling", fact="only_test"),
    ),
    "tests and CI": (
        verdict("Test it", diff(edited("tests/test_a.py", "a", "b"), edited("tox.ini", "a", "b")), HIGH),
        Verdict(tier=LOW, rule="ceiling", fact="only_supporting"),
    ),
    "a release pipeline": (
        verdict("Build it", edited(".github/workflows/release.yml", "  cuda: 1", "  cuda: 2"), HIGH),
        Verdict(tier=MEDIUM, rule="ceiling", fact="only_ci"),
    ),
    "looks": (
        verdict("Format", edited("app/a.py", "x = f( 1 )", "x = f(1)"), MEDIUM),
        Verdict(tier=LOW, rule="ceiling", fact="cosmetic"),
    ),
    "a picture may be the product": (
        verdict("Add it", edited("logo.png"), MEDIUM),
        Verdict(tier=MEDIUM, rule="moved"),
    ),
    "what is watched": (
        verdict("Tidy", SOURCE, LOW, table=PLAIN.model_copy(update={"watch": Watch(paths=("app/",))})),
        Verdict(tier=HIGH, rule="floor", fact="watched"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_clauses(case: str) -> None:
    found, expected = CASES[case]
    assert found == expected


def test_a_low_author_is_not_raised() -> None:
    made = commit("Bump x", author="dependabot[bot]")
    facts = facts_from(made, diff(edited("requirements.txt", "a>=1.1", "a>=2.1")))
    judged = triage(made, facts, RULES, PLAIN)
    assert joined(facts, judged, Opinion(tier=HIGH, reason="a major version")) == Verdict(
        tier=LOW, rule="ceiling", fact="low_author"
    )


def test_a_real_breaking_commit_is_not_lowered() -> None:
    made, shown = payload("lmdeploy__flag_replaced.patch")
    facts = facts_from(made, shown)
    found = joined(facts, triage(made, facts, RULES, PLAIN), Opinion(tier=LOW, reason="the flag was seldom used"))
    assert found == Verdict(tier=HIGH, rule="floor", fact="removed_flag")


CHANGES = st.builds(
    PublicChange,
    kind=st.sampled_from(["flag", "function", "environment", "route", "dependency", "config"]),
    action=st.sampled_from(["added", "removed", "renamed", "default_changed", "changed"]),
    name=st.just("x"),
    path=st.sampled_from(["app/cli.py", "app/core.py"]),
)
FACTS = st.builds(
    Facts,
    files=st.just(1),
    additions=st.just(1),
    deletions=st.just(1),
    code_lines=st.just(2),
    roles=st.dictionaries(st.sampled_from(FileRole), st.just(1), max_size=3),
    changes=st.lists(CHANGES, max_size=2).map(tuple),
    breaking=st.booleans(),
    series=st.none(),
    pull_request=st.none(),
    reverts=st.none(),
)
CODES = st.sampled_from(
    ["security", "watched", "merge", "cosmetic", "crash", "removed_flag", "base_code", "low_author"]
)
JUDGED = st.builds(
    Triage,
    tier=st.sampled_from(Tier),
    type=st.just(ChangeType.CHORE),
    score=st.just(0.0),
    reasons=st.lists(st.builds(Reason, code=CODES, subject=st.just("")), min_size=1, max_size=3).map(tuple),
)


@given(
    facts=FACTS,
    judged=JUDGED,
    opinion=st.none() | st.builds(Opinion, tier=st.sampled_from(Tier), reason=st.sampled_from(["", "why"])),
)
def test_whatever_comes_the_verdict_is_within_one_step_and_towards_the_model(
    facts: Facts, judged: Triage, opinion: Opinion | None
) -> None:
    found = joined(facts, judged, opinion)
    step = found.tier.rank - judged.tier.rank
    wanted = opinion.tier.rank - judged.tier.rank if opinion else 0
    assert abs(step) <= 1
    assert step * wanted > 0 or not step
    assert bool(step) == (found.rule in {"moved", "one_step"})
    assert bool(found.fact) == (found.rule in {"floor", "ceiling"})
    assert (found.rule == "agreed") == (opinion is not None and not wanted)


def types(message: str, files: FileChange, *given: ChangeType) -> tuple[ChangeType, ...]:
    made, shown = commit(message), diff(files)
    facts = facts_from(made, shown)
    return joined_types(facts, triage(made, facts, RULES, PLAIN), given)


def test_what_the_facts_settle_about_a_type_the_model_does_not_change() -> None:
    fix, docs, breaking = ChangeType.BUGFIX, ChangeType.DOCS, ChangeType.BREAKING
    assert types("Change it", SOURCE, fix) == (fix,)
    assert types("Tidy the options", FLAG_GONE, fix) == (breaking, fix)
    assert types("Tidy the options", FLAG_GONE, fix, breaking) == (breaking, fix)
    assert types("Correct the guide", edited("docs/guide.md", "old", "new"), fix) == (docs,)
    loads = edited("app/net.py", "    return pickle.loads(data)", "    return json.loads(data)")
    assert types("Fix a vulnerability: no pickle from the network", loads, fix)[0] is ChangeType.SECURITY
