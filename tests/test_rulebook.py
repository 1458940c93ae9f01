"""The analysis without a model: whole texts of real commits in both languages, depth by tier, untrusted text held."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import Analysis, ChangeType, Commit, Diff, Language, Tier
from core.settings import RepositorySettings
from report.labels import labels
from tests.goldens import assert_golden
from tests.patches import commit, diff, edited, payload
from workers.facts import facts_from
from workers.phrasing import code, fitted, quoted, width
from workers.rulebook import rulebook_analysis
from workers.triage import load_rules, triage

GOLDEN = Path(__file__).with_name("golden")
RULES = load_rules()
PLAIN = RepositorySettings(name="octocat/hello-world")
LANGUAGES: tuple[Language, ...] = ("zh", "en")
REAL = {
    "flag_replaced": "lmdeploy",
    "batch_sessions": "lmdeploy",
    "python_dropped": "lmdeploy",
    "dependency_floor": "lmdeploy",
    "one_platform": "lmdeploy",
    "version_bump": "lmdeploy",
    "test_only": "lmdeploy",
    "buffer_overflow": "fmt",
    "security_docs": "flask",
    "session_access": "flask",
    "vary_cookie": "flask",
}


def page(analysis: Analysis) -> str:
    """All texts of an analysis, a line each, as a reader meets them."""
    insights = analysis.insights
    return "\n".join(
        [
            f"{analysis.depth.value} {' '.join(analysis.types)} {analysis.origin}",
            analysis.summary,
            *(f"- {line}" for line in analysis.scope),
            *(f"= {text}" for _, text in (insights or ())),
            *(f"! {line}" for line in analysis.risks),
            *(f"> {line}" for line in analysis.advice),
            "",
        ]
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", REAL)
def test_whole_text_of_real_commits(name: str, language: Language) -> None:
    made, shown = payload(f"{REAL[name]}__{name}.patch")
    facts = facts_from(made, shown)
    analysis = rulebook_analysis(made, facts, triage(made, facts, RULES, PLAIN), language)
    assert_golden(f"rulebook__{name}.{language}.txt", page(analysis))


def written(message: str, language: Language = "en", **texts: str) -> Analysis:
    made = commit(message)
    shown = diff(*(edited(path.replace("__", "/") + ".py", *text.split("=>")) for path, text in texts.items()))
    facts = facts_from(made, shown)
    return rulebook_analysis(made, facts, triage(made, facts, RULES, PLAIN), language)


def test_without_a_diff_it_says_so() -> None:
    made = commit("Fix a crash at start (#5)\n\nThe server crashed and requests got stuck.")
    facts = facts_from(made, None)
    judged = triage(made, facts, RULES, PLAIN)
    degraded = rulebook_analysis(made, facts, judged, "zh", origin="degraded")
    assert page(degraded) == (
        "high bugfix degraded\n"
        "修复缺陷：「Fix a crash at start」。作者说明：「The server crashed and requests got stuck.」"
        "未能取得差异，以上只依据提交说明。\n"
        "- 未能取得差异，影响范围不明\n"
        "= 未能取得差异，无法判断。\n"
        "= 未能取得差异，无法判断。\n"
        "= 未能取得差异，无法判断。\n"
        "= 未能取得差异，无法判断。\n"
        "! 未能取得差异，无法判断。\n"
        "> 遇到过这个问题的用户请升级。\n"
    )


QUOTES = {
    "Use x\n\nFirst it reads the bytes of a peer. A crafted one is arbitrary code execution.": (
        "A crafted one is arbitrary code execution."
    ),
    "Use x\n\nIt reads some bytes (e.g. `a`) of a peer. Then more.": "It reads some bytes (e.g. `a`) of a peer.",
    "Use x\n\n* widen the range\n\nAligns the values with others and more.\n\n* defer that": None,
    "Use x\n\n- one point of a list of such\n- another": None,
    "Use x\n\nFollow-up to https://example.org/octo/cat/pull/12 and #13. It widens the range of all keys.": (
        "It widens the range of all keys."
    ),
    "Use x\n\nCloses https://example.org/octo/cat/issues/834.\n\nAssisted-by: some model of some kind (1.2)": None,
    "Use x\n\n### How was this tested?\nThe engine of two ranks: all passed.\n### What\nIt frees a buffer too much.": (
        "It frees a buffer too much."
    ),
    "Use x\n\nKeep the workspace allocation of #3364 out of it all.": (
        "Keep the workspace allocation of #3364 out of it all."
    ),
    'Use x\n\nWrong.\n\nFile\n"/tmp/a/b.py", line 344, in launch\nassert len(a) == b * c and so on': None,
    "Use x\n\nsee `recipe/pool/run_the_pool.sh` for an example of it": None,
    "Use x\n\nline 516: `x=self.config.data` of this one file": None,
    "Declare all direct dependencies of the bindings\n\nbuild: declare the dependencies of the bindings": None,
    "Use x\n\n" + "a very long sentence " * 30 + ".": None,
    "Use one pool for all hosts\n\nUse one pool for all the hosts.": None,
    "Use one pool\n\nUse one pool for all hosts, as each opened its own.": (
        "Use one pool for all hosts, as each opened its own."
    ),
    "Use x\n\nIt mends the pool of all hosts. https://example.org/builds/12": "It mends the pool of all hosts.",
    "Use x\n\nnumpy: https://example.org/a/1 shell: https://example.org/b and torch: https://example.org/c too": None,
    "Use x\n\nHosts had a pool each, which cost memory. There are two ways:\n\n- one": (
        "Hosts had a pool each, which cost memory."
    ),
    "Use x\n\nIt opened **all** the hosts at once, `a**b` too.": "It opened all the hosts at once, `a**b` too.",
    "Use x\n\nfeat(pool): let hosts share what they opened": None,
    "Use x\n\nIt failed to build:\n\n    error: a value of type 'a' is no pool at all": None,
    "Use x\n\nSUMMARY:\nHosts share the pool that they opened.\n\nTEST PLAN:\nRan it on two hosts for a day.": (
        "Hosts share the pool that they opened."
    ),
    'Use x\n\nSUMMARY:\n"please provide a brief summary of what it does"\n\nTEST PLAN:\nRan it on two hosts.': None,
    "Use x\n\nSummary: adds \\`a_pool\\` that all hosts share.": "adds `a_pool` that all hosts share.",
}


@pytest.mark.parametrize("message", QUOTES)
def test_the_author_is_quoted_in_whole_sentences_or_not_at_all(message: str) -> None:
    said = re.search(r"The author says: “(.*?)”", written(message, app__core="a=>b").summary)
    if written(message, app__core="a=>b").depth is Tier.LOW:
        said = re.search(r"The author says: “(.*?)”", written(message, app__cli="p.add_argument('--a')=>b").summary)
    assert (said.group(1) if said else None) == QUOTES[message]


def test_names_stand_once_and_whole_under_compatibility() -> None:
    flags = "\n".join(f"p.add_argument('--{word}-old')" for word in ("port", "host", "size", "mode"))
    found = written("Drop them", app__cli=f"{flags}=>")
    assert "`--host-old`, `--mode-old`, `--port-old` and 1 more" in found.summary
    assert found.insights is not None
    assert "`--host-old`, `--mode-old`, `--port-old` and `--size-old`" in found.insights.compatibility
    assert not any("--" in text for text in (*found.risks, *found.advice))


def test_removed_names_give_advice_wherever_they_stand() -> None:
    gone = "def stop(self, now):\n    return now=>"
    outer, inner = written("Drop them", app__cli="p.add_argument('--a-old')=>"), written("Drop it", app__core=gone)
    assert outer.advice[0].startswith("Before upgrading, search scripts, configuration and code for the old names")
    assert inner.advice == ("If your own code imports or patches what is gone or renamed here, change it first.",)
    assert written("Add it", app__core="=>def stop(self, now):\n    return now").advice == ()


def test_inner_code_is_told_of_in_sentences_of_its_own() -> None:
    old = "p.add_argument('--a-old')=>"
    found = written("Drop them", app__cli=old, app__core="def stop(self, now):\n    return now=>")
    assert found.insights is not None
    assert found.insights.compatibility.endswith(
        "What follows is in code outside the public entry files. Removed function: `stop`."
    )


@pytest.mark.parametrize("message", ["Fix the pool", "Drop the pool", "Add a pool"])
def test_a_summary_leaves_counts_to_the_pages_own_line(message: str) -> None:
    assert "+1" not in at_depth(Tier.MEDIUM, commit(message), diff(edited("app/core.py", "a", "b"))).summary


def test_a_chinese_title_that_says_it_is_not_told_twice() -> None:
    made, shown = commit("修复连接池"), diff(edited("app/core.py", "a", "b"))
    facts = facts_from(made, shown)
    judged = triage(made, facts, RULES, PLAIN).model_copy(update={"tier": Tier.MEDIUM, "type": ChangeType.BUGFIX})
    assert rulebook_analysis(made, facts, judged, "zh").summary.startswith("改动 `app/core.py`：「修复连接池」")


def at_depth(tier: Tier, made: Commit, shown: Diff) -> Analysis:
    """The English analysis, as deep as a given tier asks for."""
    facts = facts_from(made, shown)
    judged = triage(made, facts, RULES, PLAIN).model_copy(update={"tier": tier})
    return rulebook_analysis(made, facts, judged, "en")


LEADS = {
    "Fix the pool": "Changes `app/core.py`: “Fix the pool”.",
    "fix: the pool": "Fixes a defect in `app/core.py`: “the pool”.",
    "The pool crashes on start": "Fixes a defect in `app/core.py`: “The pool crashes on start”.",
    "Annotate the pool": "Changes `app/core.py`: “Annotate the pool”.",
    "Add a missing import": "Changes `app/core.py`: “Add a missing import”.",
    "Refactor the pool": "Reworks `app/core.py`: “Refactor the pool”.",
    "feat: remove the old pool": "Reworks `app/core.py`: “remove the old pool”.",
    'Revert "Add a pool" (#3)': "Takes back an earlier change: “Add a pool”.",
    "feat: refactor the pool": "Reworks `app/core.py`: “refactor the pool”.",
    "feat: fix a rare leak": "Changes `app/core.py`: “fix a rare leak”.",
    "fix - the pool": "Fixes a defect in `app/core.py`: “the pool”.",
    ":bug: fix: the pool": "Fixes a defect in `app/core.py`: “the pool”.",
}


@pytest.mark.parametrize("message", LEADS)
def test_a_lead_claims_no_more_than_message_and_diff_bear_out(message: str) -> None:
    made, shown = commit(message), diff(edited("app/core.py", "a", "b"))
    found = at_depth(Tier.MEDIUM, made, shown)
    assert found.summary.startswith(LEADS[message])


CONCERNED = {
    "p.add_argument('--port')=>": "users of its flags or environment variables",
    "=>os.environ['APP_PORT']": "users of its flags or environment variables",
    "def start(port):\n    pass=>def start():\n    pass": "code that uses the functions or classes changed here",
    "@app.get('/v1/old')\ndef a():=>def a():": "HTTP clients",
}


@pytest.mark.parametrize("text", CONCERNED)
def test_whom_it_concerns_follows_from_what_changes(text: str) -> None:
    made, shown = commit("Change the start"), diff(edited("app/core.py", *text.split("=>")))
    found = at_depth(Tier.MEDIUM, made, shown)
    assert f"Concerns: {CONCERNED[text]}" in found.scope


def test_nobody_is_named_where_the_facts_name_nobody() -> None:
    assert not any(line.startswith("Concerns") for line in written("Hold the pool", app__core="a=>b").scope)


def test_parameters_of_one_function_are_told_with_it_once() -> None:
    text = "def run(pool, size, mode, name):\n    pass=>def run(pool):\n    pass"
    found = written("Drop what nobody sets", app__core=text)
    assert "`run` loses the parameters `mode`, `name` and `size`." in found.summary


def test_an_environment_variable_is_read_not_made() -> None:
    text = "os.environ['APP_HOST']=>os.environ['CONDA_PREFIX']"
    assert "开始读取环境变量 `CONDA_PREFIX`。" in written("Use the prefix", "zh", app__core=text).summary
    assert "Now reads the environment variable `CONDA_PREFIX`." in written("Use the prefix", app__core=text).summary


def test_a_route_stands_apart_from_the_chinese_words_around_it() -> None:
    moved = written("Move it", "zh", app__core="@app.get('/v1/old')\ndef a():=>@app.post('/v2/new')\ndef b():")
    assert "新增 HTTP 路由 `/v2/new`。" in moved.summary
    assert "删除 HTTP 路由 `/v1/old`。" in moved.summary


def test_what_the_message_calls_incompatible_is_advised_on_even_without_names() -> None:
    made, shown = commit("Drop support for the old wire format"), diff(edited("app/core.py", "a", "b"))
    found = at_depth(Tier.HIGH, made, shown)
    assert "By the message, code or configurations that rely on the old way may no longer work." in found.risks
    assert "Before upgrading, check the message for what is gone or no longer compatible." in found.advice


def test_fields_follow_the_depth() -> None:
    low = written("Simplify", app__core="a=>b")
    assert (low.depth, low.scope, low.advice, low.insights, low.risks) == (Tier.LOW, (), (), None, ())
    medium = written("Hold the pool", app__core="a=>b")
    assert (medium.depth, medium.insights, medium.risks) == (Tier.MEDIUM, None, ())
    assert medium.scope
    assert medium.advice == ()  # nothing in it asks for action
    high = written("Drop it", app__cli="p.add_argument('--port')=>")
    assert (high.depth, high.insights is not None) == (Tier.HIGH, True)
    assert high.risks
    assert high.advice


def test_a_hostile_title_stays_one_bounded_line() -> None:
    text = written("Hold\u202e the\u0000 \u2066`pool\x1b[31m " + "x" * 5_000, app__core="a=>b").summary
    assert text.startswith("Changes `app/core.py`: “Hold the 'pool[31m xxx")
    assert len(text) < 300
    assert text.isprintable()


def test_names_stand_in_code_spans_that_hold() -> None:
    assert code("a`b\nc") == "`a'b c`"
    assert quoted("fix `generate` and `x") == "fix 'generate' and 'x"
    assert quoted("fix `generate`") == "fix `generate`"
    assert quoted("``x``") == "''x''"


def test_a_long_title_is_cut_after_a_whole_word() -> None:
    assert quoted("widen the range, " * 9, 150) == "widen the range, " * 8 + "widen the…"
    assert quoted("a whole title that ends so…") == "a whole title that ends so…"
    assert quoted("把" * 200) == "把" * 139 + "…"


def test_width_counts_an_ascii_word_as_one() -> None:
    assert width("修复 lmdeploy_serve 中的缺陷。") == 2 + 1 + 4 + 1
    assert fitted("one two three four", 3) == "one two…"
    assert fitted("a `b c d` e", 4) == "a…"
    assert fitted("短", 5) == "短"


@given(message=st.text(max_size=600), path=st.text(min_size=1, max_size=300), patch=st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_commit_is_written_about_within_bounds(message: str, path: str, patch: str) -> None:
    for name in (path, f"docs/{path}.md", f"app/{path}.py"):
        made, shown = commit(message), diff(edited(name, patch, "x"))
        facts = facts_from(made, shown)
        judged = triage(made, facts, RULES, PLAIN)
        for language in LANGUAGES:
            for tier in Tier:
                found = rulebook_analysis(made, facts, judged.model_copy(update={"tier": tier}), language)
                _check(found)


def _check(found: Analysis) -> None:
    texts = [found.summary, *found.scope, *found.risks, *found.advice, *(text for _, text in (found.insights or ()))]
    for text in texts:
        assert text.strip()
        assert "\n" not in text
        assert text.count("`") % 2 == 0, text
    if found.depth is Tier.LOW:
        assert width(found.summary) <= 100


def test_both_languages_word_the_same_things_with_the_same_values() -> None:
    def fields(text: str | tuple[str, ...]) -> set[str]:
        parts = text if isinstance(text, tuple) else (text,)
        return {name for part in parts for _, name, _, _ in string.Formatter().parse(part) if name}

    zh, en = labels("zh"), labels("en")
    assert set(zh.phrases) == set(en.phrases)
    assert set(zh.types) == set(en.types) == set(ChangeType)
    assert set(zh.tiers) == set(en.tiers) == set(Tier)
    optional = {"n", "kind"}
    for key, text in zh.phrases.items():
        assert fields(text) - optional == fields(en.phrases[key]) - optional, key


def test_no_chinese_in_english_and_no_space_between_chinese_words() -> None:
    for name in REAL:
        english = (GOLDEN / f"rulebook__{name}.en.txt").read_text(encoding="utf-8")
        assert not re.search(r"[\u4e00-\u9fff]", english)
        chinese = (GOLDEN / f"rulebook__{name}.zh.txt").read_text(encoding="utf-8")
        assert not re.search(r"[\u4e00-\u9fff] [\u4e00-\u9fff]", chinese)


def test_what_is_going_to_go_is_told() -> None:
    made = commit("Prefer the new pool")
    shown = diff(edited("app/core.py", "", "def old():\n    warnings.warn('gone soon', DeprecationWarning)"))
    found = at_depth(Tier.HIGH, made, shown)
    assert "New deprecation warnings in `old`." in found.summary
    assert found.insights
    assert found.insights.compatibility == "New deprecation warnings in `old`."


def test_a_bound_that_is_dropped_stops_no_installation() -> None:
    made, shown = commit("Let it float"), diff(edited("requirements.txt", "shell==1.4.0", "shell"))
    assert not any("may fail to install" in risk for risk in at_depth(Tier.HIGH, made, shown).risks)
    raised = diff(edited("requirements.txt", "shell==1.4.0", "shell==1.5.0"))
    assert any("may fail to install" in risk for risk in at_depth(Tier.HIGH, made, raised).risks)


def test_what_the_message_measures_is_told_where_it_speaks_of_performance() -> None:
    shown = diff(edited("app/core.py", "a", "b"))
    fast = at_depth(Tier.HIGH, commit("Speed up the pool\n\nIt is 1.35x faster."), shown)
    assert fast.insights
    assert "The message measures `1.35x faster`." in fast.insights.performance
    other = at_depth(Tier.HIGH, commit("Judge the pool\n\nIt is right in 12% more cases."), shown)
    assert other.insights
    assert "measures" not in other.insights.performance


def test_of_a_long_path_the_end_is_told() -> None:
    path = "python/cat_cache/cat_cache/integration/engine/connector/cat_offloading_connector.py"
    found = at_depth(Tier.MEDIUM, commit("Hold the lock"), diff(edited(path, "a", "b")))
    assert "`…/cat_cache/integration/engine/connector/cat_offloading_connector.py`" in found.summary
