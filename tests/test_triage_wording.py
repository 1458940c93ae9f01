"""What the words of a message do to the tier: forms that were filled in, titles in Chinese, vague verbs."""

from __future__ import annotations

import pytest

from core.models import ChangeType, Tier
from tests.patches import commit, diff, edited
from tests.test_triage import SOURCE, judged

FORM = """
### What does it do?

{said}

- [x] Search for similar changes
- [ ] Breaking change (something that worked no longer does)
- If it breaks an interface, add [BREAKING] to the title.

### Checklist Before Submitting

Crashes, deadlocks and regressions are looked for by the tests; tell of each security issue you fix.

#### Which of these?

- [ ] A breaking change, e.g. `[BREAKING] remove the flag`

<!-- BREAKING CHANGES need two
reviewers. -->

## Breaking changes

None.

### Test

> Say how it was tried, whether it hangs
and whether results are incorrect.
"""


def test_the_form_that_a_project_has_filled_in_says_nothing_of_the_commit() -> None:
    found = judged(commit("Pass the name on\n" + FORM.format(said="The name was lost on the way.")), diff(SOURCE))
    assert (found.tier, found.score, found.type) == (Tier.MEDIUM, 3.0, ChangeType.REFACTOR)
    plain = judged(commit("Pass the name on\n\nThe name was lost on the way."), diff(SOURCE))
    assert found == plain


@pytest.mark.parametrize(
    "said",
    [
        "BREAKING CHANGE: the name must be given",
        "## Breaking changes\n\nThe name must be given.",
        "## Kind\n\n- [ ] Bug fix\n- [x] Breaking change (what worked no longer does)\n- [x] This change has tests",
    ],
)
def test_what_is_said_to_break_is_taken_as_such(said: str) -> None:
    found = judged(commit(f"Ask for the name\n\n{said}"), diff(SOURCE))
    assert (found.tier, found.type) == (Tier.HIGH, ChangeType.BREAKING)


@pytest.mark.parametrize(
    ("title", "tier", "kind", "reason"),
    [
        ("修复高并发下的死锁", Tier.HIGH, ChangeType.BUGFIX, "deadlock"),
        ("fix: 修复服务卡死的问题", Tier.HIGH, ChangeType.BUGFIX, "hang"),
        ("支持新的采样方法", Tier.MEDIUM, ChangeType.FEATURE, "base_product"),
        ("重构调度器", Tier.LOW, ChangeType.REFACTOR, "small_internal"),
        ("优化解码性能", Tier.MEDIUM, ChangeType.PERFORMANCE, "small_internal"),
        ("不再支持旧版协议", Tier.HIGH, ChangeType.BREAKING, "incompatible"),
    ],
)
def test_titles_in_chinese_are_understood(title: str, tier: Tier, kind: ChangeType, reason: str) -> None:
    found = judged(commit(title), diff(SOURCE))
    assert (found.tier, found.type) == (tier, kind)
    assert reason in {one.code for one in found.reasons}


def test_a_title_that_updates_something_is_judged_by_what_was_done() -> None:
    assert judged(commit("Update observer arguments"), diff(SOURCE)).tier is Tier.MEDIUM
    assert judged(commit("Bump the kernels"), diff(SOURCE)).tier is Tier.LOW


def test_a_vendored_change_is_a_fix_only_where_the_title_names_a_fault() -> None:
    moved = diff(edited("third_party/engine", "Subproject commit 1", "Subproject commit 2"))
    assert judged(commit("Bump the engine: out-of-bounds access"), moved).reasons[0].code == "vendored_fix"
    assert judged(commit("Bump the engine: faster kernels"), moved).tier is Tier.LOW


def test_a_warning_that_goes_is_no_support_that_ends() -> None:
    gone = judged(commit("Remove the deprecation warnings of a recipe"), diff(SOURCE))
    assert "incompatible" not in {reason.code for reason in gone.reasons}
    assert judged(commit("Remove the deprecated recipe"), diff(SOURCE)).type is ChangeType.BREAKING


def test_what_is_going_to_go_is_no_clean_up() -> None:
    warned = edited("app/core.py", "", "def old():\n    warnings.warn('gone soon', DeprecationWarning)")
    assert judged(commit("Deprecate the old pool"), diff(warned)).tier is not Tier.LOW


def test_names_that_are_gone_are_no_matter_of_spelling() -> None:
    renamed = edited("app/models.py", "class CasualCat:", "class CausalCat:")
    assert judged(commit("Fix a typo of the cat"), diff(renamed)).type is not ChangeType.DOCS
    assert judged(commit("Fix a typo of the cat"), diff(edited("app/models.py", "# teh cat", "# the cat"))).type in {
        ChangeType.DOCS,
        ChangeType.CHORE,
    }
