"""Triage: the diff decides, words adjust, style never; what is always low; what is watched; the weights' own checks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import DaybookError
from core.models import ChangeType, Commit, Diff, FileChange, Reason, Tier, Triage
from core.settings import RepositorySettings, Settings, Watch
from report.labels import labels
from tests.patches import PARENT, change, commit, diff, edited, payload
from workers.facts import facts_from
from workers.rules import load_rules, rules_for
from workers.services import connect
from workers.triage import triage

RULES = load_rules()
PLAIN = RepositorySettings(name="octocat/hello-world")


def judged(made: Commit, shown: Diff | None, repository: RepositorySettings = PLAIN) -> Triage:
    return triage(made, facts_from(made, shown), RULES, repository)


REAL = {
    "lmdeploy__flag_replaced.patch": (Tier.HIGH, ChangeType.BREAKING, "removed_flag"),
    "lmdeploy__batch_sessions.patch": (Tier.HIGH, ChangeType.BUGFIX, "crash"),
    "lmdeploy__python_dropped.patch": (Tier.HIGH, ChangeType.BREAKING, "platform_dropped"),
    "lmdeploy__dependency_floor.patch": (Tier.HIGH, ChangeType.DEPENDENCY, "dependency_floor"),
    "lmdeploy__one_platform.patch": (Tier.MEDIUM, ChangeType.BUGFIX, "one_platform"),
    "lmdeploy__version_bump.patch": (Tier.LOW, ChangeType.CHORE, "release"),
    "lmdeploy__test_only.patch": (Tier.LOW, ChangeType.TEST, "only_test"),
    "flask__session_access.patch": (Tier.HIGH, ChangeType.SECURITY, "advisory"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_commits(name: str) -> None:
    result = judged(*payload(name))
    assert (result.tier, result.type, result.reasons[0].code) == REAL[name]
    assert 1 <= len(result.reasons) <= 4


SOURCE = edited("app/core.py", "    return a + 1", "    return a + 2")
STYLES = [
    "{}",
    "fix: {}",
    "fix(core): {}",
    "[Bugfix] {}",
    "[Core][Bugfix] {}",
    "chore: {}",
    "[Misc] {} (#12)",
    "feat: {}",
]
TITLES = [
    "crash when the queue is empty",
    "wrong order of results",
    "the pool",
    "remove --port",
    "memory leak in the pool",
]


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("name", REAL)
def test_the_style_of_a_title_never_moves_the_tier(title: str, name: str) -> None:
    _, shown = payload(name)
    results = {style: judged(commit(style.format(title)), shown) for style in STYLES}
    assert len({(result.tier, result.score) for result in results.values()}) == 1, results


@pytest.mark.parametrize("title", ["crash when the queue is empty", "wrong order of results", "the pool"])
def test_a_leading_fix_is_style_too(title: str) -> None:
    assert judged(commit(f"Fix {title}"), diff(SOURCE)).score == judged(commit(title), diff(SOURCE)).score


def test_merges_are_low_whatever_they_hold() -> None:
    shown = diff(edited("app/cli.py", "p.add_argument('--port')"), parents=(PARENT, "c" * 40))
    assert judged(commit("Fix a security hole"), shown) == Triage(
        tier=Tier.LOW, type=ChangeType.MERGE, score=0.0, reasons=(Reason(code="merge"),)
    )


def test_robots_are_low_unless_they_mend_a_hole() -> None:
    floor = diff(edited("requirements.txt", "requests>=2.1", "requests>=2.4"))
    routine = commit("Bump requests from 2.1 to 2.4", author="dependabot[bot]")
    assert judged(routine, floor).tier is Tier.LOW
    assert judged(routine, floor).reasons == (Reason(code="low_author", subject="dependabot[bot]"),)
    changelog = commit("Bump requests\n\nRelease notes: improves security of docs", author="dependabot[bot]")
    assert judged(changelog, floor).tier is Tier.LOW
    hole = commit("Bump requests\n\nMends CVE-2024-12345", author="dependabot[bot]")
    assert judged(hole, floor).tier is Tier.HIGH
    everyone = PLAIN.model_copy(update={"low_authors": ()})
    assert judged(routine, floor, everyone).tier is Tier.HIGH


@pytest.mark.parametrize(
    ("watch", "subject"),
    [
        (Watch(paths=("app/*",)), "app/core.py"),
        (Watch(symbols=("parse_*",)), "parse_all"),
        (Watch(flags=("--port",)), "--port"),
    ],
)
def test_what_is_watched_is_high(watch: Watch, subject: str) -> None:
    shown = diff(edited("app/core.py", "", "def parse_all(a):\n    p.add_argument('--port')"))
    repository = PLAIN.model_copy(update={"watch": watch})
    assert judged(commit("Tidy"), shown).tier is Tier.MEDIUM
    result = judged(commit("Tidy"), shown, repository)
    assert (result.tier, result.reasons[0]) == (Tier.HIGH, Reason(code="watched", subject=subject))


def test_ignored_paths_do_not_judge() -> None:
    shown = diff(edited("gen/cli.py", "p.add_argument('--port')"))
    repository = PLAIN.model_copy(update={"ignore_paths": ("gen/",)})
    assert judged(commit("Regenerate"), shown).tier is Tier.HIGH
    assert judged(commit("Regenerate"), shown, repository).reasons == (Reason(code="ignored_paths"),)


def test_a_message_alone_is_judged_by_its_words() -> None:
    assert judged(commit("Fix a typo"), None).tier is Tier.MEDIUM
    assert judged(commit("Fix a security hole"), None).tier is Tier.HIGH
    assert judged(commit("Merge branch 'main'"), None).type is ChangeType.MERGE


def test_a_revert_says_so() -> None:
    result = judged(commit('Revert "Add x (#3)"'), diff(edited("app/cli.py", "p.add_argument('--port')")))
    assert (result.tier, result.type) == (Tier.HIGH, ChangeType.REVERT)


@given(message=st.text(max_size=200), author=st.text(min_size=1, max_size=40), patch=st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_anything_is_judged_and_every_reason_can_be_worded(message: str, author: str, patch: str) -> None:
    for name in ("app/cli.py", "docs/a.md", "Dockerfile", "x"):
        result = judged(commit(message, author=author), diff(change(name, f"@@ -1 +1 @@\n{patch}")))
        for reason in result.reasons:
            assert len(reason.subject) <= 60
            assert "\n" not in labels("zh").reason(reason) + labels("en").reason(reason)


def test_every_code_of_the_rules_is_worded_in_both_languages() -> None:
    codes = {*RULES.marks, *RULES.changes}
    for language in ("zh", "en"):
        assert codes - set(labels(language).reasons) == set()
    assert set(labels("zh").reasons) == set(labels("en").reasons)


def test_a_requirement_of_one_platform_concerns_that_platform() -> None:
    floor = edited("requirements/runtime_rocm.txt", "torch>=2.1", "torch>=2.4")
    assert judged(commit("Update"), diff(floor)).reasons[-1] == Reason(code="one_of_many", subject="rocm")


def test_the_words_name_what_the_files_are() -> None:
    guide, test = edited("docs/guide.md", "a", "b"), edited("tests/test_a.py", "a", "b")
    assert judged(commit("Cover x"), diff(test)).reasons == (Reason(code="only_test"),)
    assert judged(commit("Cover x"), diff(guide, test)).reasons == (Reason(code="only_test_docs"),)
    workflow = edited(".github/workflows/a.yml", "a", "b")
    assert judged(commit("Cover x"), diff(guide, workflow)).reasons == (Reason(code="only_supporting"),)


@pytest.mark.parametrize(
    ("path", "code"),
    [("tests/a.cc", "mostly_test"), ("docs/a.md", "mostly_docs"), ("examples/a.py", "mostly_supporting")],
)
def test_a_small_build_adjustment_beside_much_else_is_told_as_that(path: str, code: str) -> None:
    build, aside = edited("CMakeLists.txt", "add_subdirectory(tests)"), edited(path, "x = 1\n" * 40)
    assert judged(commit("Remove old things"), diff(build, aside)).reasons[-1].code == code
    assert judged(commit("Remove old things"), diff(build)).reasons[-1].code == "small_build"


@pytest.mark.parametrize(
    ("word", "named"), [("D2H", False), ("p2p", False), ("Main2Main", False), ("qwen2vl", True), ("gemma4", True)]
)
def test_from_one_to_the_other_is_no_platform(word: str, named: bool) -> None:
    codes = {reason.code for reason in judged(commit(f"Hold the lock in the {word} copy"), diff(SOURCE)).reasons}
    assert ("one_platform" in codes) is named


def test_documents_beside_a_reworded_comment_are_what_a_commit_is_about() -> None:
    shown = diff(edited("docs/en/guide.md", "a", "b"), edited("app/core.py", "# Teh name", "# The name"))
    facts = facts_from(commit("Update the guide"), shown)
    assert facts.areas == ("docs/en", "app")
    assert judged(commit("Update the guide"), shown).type is ChangeType.DOCS


def test_much_that_is_new_and_can_be_set_is_a_feature() -> None:
    code = "\n".join(f"x{n} = {n}" for n in range(300))
    grown, knob = edited("src/a.cc", code[:900], code), edited("src/b.cc", "", 'auto x = getenv("GEMM_TUNE");')
    assert judged(commit("Native kernels"), diff(grown, knob)).type is ChangeType.FEATURE
    assert judged(commit("Native kernels"), diff(grown)).type is ChangeType.REFACTOR


@pytest.mark.parametrize("pattern", ["Engine", "stop", "Engine.stop"])
def test_a_method_is_watched_by_any_part_of_its_name(pattern: str) -> None:
    shown = diff(edited("app/a.py", "        return 1", "        return 2", "    def stop(self):"))
    inside = diff(
        edited(
            "app/a.py",
            "    def stop(self):\n        return 1",
            "    def stop(self):\n        return 2",
            "class Engine:",
        )
    )
    watching = PLAIN.model_copy(update={"watch": Watch(symbols=(pattern,))})
    assert judged(commit("Tidy"), inside, watching).reasons[0].code == "watched"
    assert (judged(commit("Tidy"), shown, watching).reasons[0].code == "watched") == (pattern == "stop")


def weighted(**triage_table: object) -> RepositorySettings:
    return RepositorySettings.model_validate({"name": "octocat/hello-world", "triage": triage_table})


def test_a_repository_sets_its_own_weights_over_the_shipped_ones() -> None:
    table = weighted(thresholds={"high": 13}, marks={"crash": {"title": 4}}, narrow={"platforms": ["amiga"]})
    own = rules_for(table)
    assert (own.thresholds.medium, own.thresholds.high) == (RULES.thresholds.medium, 13)
    assert (own.marks["crash"].title, own.marks["crash"].body) == (4, RULES.marks["crash"].body)
    assert own.narrow.platforms == ("amiga",)
    assert own.changes == RULES.changes
    assert rules_for(table) is own
    assert rules_for(PLAIN) == RULES
    made, shown = payload("lmdeploy__flag_replaced.patch")
    assert triage(made, facts_from(made, shown), own, table).tier is Tier.MEDIUM


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"marks": {"crash": {"titel": 1}}}, "triage.marks.crash.titel: no such key"),
        ({"marks": {"crsh": {"title": 1}}}, "triage.marks.crsh: no such key"),
        ({"weights": 1}, "triage.weights: no such key"),
        ({"thresholds": 3}, "triage.thresholds: a table is wanted"),
        ({"thresholds": {"high": 1}}, "triage.thresholds: medium is above high"),
        ({"marks": {"crash": {"title": float("nan")}}}, "triage.marks.crash.title: Input should be a finite number"),
    ],
)
def test_a_repositorys_wrong_weight_is_named(table: dict[str, object], said: str) -> None:
    with pytest.raises(DaybookError) as caught:
        rules_for(weighted(**table))
    assert str(caught.value).startswith(f"[[repository]] octocat/hello-world: {said}")
    settings = Settings(_env_file=None).model_copy(update={"daybook_repositories": (weighted(**table),)})
    with pytest.raises(DaybookError):
        connect(settings, "redis://127.0.0.1:1")


def test_wrong_weights_name_the_key(tmp_path: Path) -> None:
    wrong = tmp_path / "triage.toml"
    wrong.write_text("[thresholds]\nmedium = 'much'\nhigh = 5.0\n", encoding="utf-8")
    with pytest.raises(DaybookError, match=r"^triage\.toml: thresholds\.medium: "):
        load_rules(wrong)
    wrong.write_text("[[", encoding="utf-8")
    with pytest.raises(DaybookError, match=r"^triage\.toml cannot be read: "):
        load_rules(wrong)


ADVISED = edited("CHANGES.rst", "", "-   The session is marked as accessed. :ghsa:`68rp-wp8r-4726`")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("CHANGES.rst", "-   The session is marked as accessed. :ghsa:`68rp-wp8r-4726`"),
        (
            "CHANGELOG.md",
            "* See [GHSA-m2qf-hxjv-5gpq](https://github.com/a/b/security/advisories/GHSA-m2qf-hxjv-5gpq).",
        ),
        ("docs/releases/4.2.1.txt", "CVE-2023-31047: Potential bypass of validation"),
        ("docs/whatsnew/3.1.rst", ":cve:`2024-39614`"),
    ],
)
def test_a_change_log_that_names_an_advisory_tells_what_the_message_does_not(path: str, line: str) -> None:
    silent = commit("request context tracks session access")
    before = judged(silent, diff(SOURCE, edited(path, "", "- The session is marked as accessed.")))
    assert (before.tier, before.type) == (Tier.MEDIUM, ChangeType.REFACTOR)
    result = judged(silent, diff(SOURCE, edited(path, "", line)))
    assert (result.tier, result.type, result.reasons) == (Tier.HIGH, ChangeType.SECURITY, (Reason(code="advisory"),))


@pytest.mark.parametrize(
    "files",
    [
        (ADVISED,),  # the log alone: what it tells of was mended elsewhere
        (ADVISED, edited("tests/test_core.py", "a", "b")),
        (SOURCE, edited("docs/guide.rst", "", "See GHSA-m2qf-hxjv-5gpq.")),  # no change log
        (SOURCE, edited("CHANGES.rst", "x :ghsa:`68rp-wp8r-4726`", "- x :ghsa:`68rp-wp8r-4726`")),  # stood there before
        (SOURCE, edited("CHANGES.rst", "", "\n".join(f"CVE-2020-1000{n}" for n in range(9)))),  # a whole history
        (edited("pkg/version.py", "__version__ = '0.1.0'", "__version__ = '0.2.0'"), ADVISED),
    ],
)
def test_an_advisory_that_this_commit_does_not_mend_makes_it_no_matter_of_security(
    files: tuple[FileChange, ...],
) -> None:
    result = judged(commit("Update"), diff(*files))
    assert (result.tier is not Tier.HIGH, result.type is not ChangeType.SECURITY) == (True, True)


def test_what_github_merges_from_a_private_fork_mends_what_an_advisory_tells_of() -> None:
    result = judged(commit("Merge commit from fork\n\nTrack session access"), diff(SOURCE))
    assert (result.tier, result.type, result.reasons[0].code) == (Tier.HIGH, ChangeType.SECURITY, "advisory")
    merge = judged(commit("Merge commit from fork"), diff(SOURCE, parents=(PARENT, "c" * 40)))
    assert (merge.tier, merge.type, merge.reasons) == (Tier.LOW, ChangeType.MERGE, (Reason(code="merge_advisory"),))
