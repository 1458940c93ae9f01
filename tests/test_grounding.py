"""What a reply names and its commit does not have goes with its sentence; what is there stays, however it is spelt."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.models import ChangeType, Diff, Facts, Insights, Language, Opinion, PublicChange, Tier
from tests.patches import change, commit, diff
from workers.evidence import Evidence
from workers.grounding import NAME_LIMIT, Grounded, ground, sentences
from workers.replies import Reply, checked_reply
from workers.worked_examples import commit_text, examples

MESSAGE = """Limit the queue of the scheduler (#4821)

Throughput rises by 18.5% on A100, a batch of 1,024 takes 0.35 s. Fixes CVE-2025-31337, reverts 9f3c1a7b.
Needs `zmq` 26.2.0; see docs/queue.md."""
PATCH = """\
@@ -118,7 +118,12 @@ class Scheduler(BaseScheduler):
     def add_request(self, request):
-        limit = 4096
+        limit = int(os.environ.get("ENGINE_MAX_QUEUE", 65536))
+        if len(self.waiting) > limit * 1.5:
+            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS)
     parser.add_argument("--max-queue-size", default=0.05)"""
DIFF = diff(change("engine/core/scheduler.py", PATCH), change("tests/test_scheduler.py", "@@ -1 +1 @@\n-a = 1\n+a = 2"))
FACTS = Facts(
    files=2,
    additions=4,
    deletions=2,
    code_lines=37,
    areas=("engine/core",),
    symbols=("Scheduler.add_request",),
    changes=(
        PublicChange(
            kind="flag", action="added", name="--max-queue-size", after="0.05", path="engine/core/scheduler.py"
        ),
    ),
)
NOTHING = Facts(files=0, additions=0, deletions=0, code_lines=0)


def reply(summary: str, **fields: object) -> Reply:
    given_fields = {"types": (ChangeType.BUGFIX,), "opinion": Opinion(tier=Tier.MEDIUM, reason=""), **fields}
    return Reply(summary=summary, **given_fields)  # type: ignore[arg-type]


def grounded(summary: str, **fields: object) -> Grounded:
    return ground(reply(summary, **fields), commit(MESSAGE), FACTS, DIFF)


@pytest.mark.parametrize(
    "name",
    [
        *("`engine/core/scheduler.py`", "`scheduler.py`", "engine/core", "`core/scheduler.py:121`", "docs/queue.md"),
        *("`Scheduler`", "`Scheduler.add_request`", "`add_request()`", "`self.waiting`", "`BaseScheduler`"),
        *("`Scheduler.add_request(request)`", "`scheduler::add_request`", "add_request()", "``os.environ.get``"),
        *("`--max-queue-size`", "`--max-queue-size=0.05`", "`--max-queue-size 64`"[:18] + "`", "`max_queue_size`"),
        *("`args.max_queue_size`", "`ENGINE_MAX_QUEUE`", "ENGINE_MAX_QUEUE", "`engine-max-queue`", "`ENGINE_*`"),
        *("`*_QUEUE`", "`test_*.py`", "`HTTPStatus.TOO_MANY_REQUESTS`", "`len(self.waiting) > limit * 1.5`"),
        *("18.5%", "18.5 %", "18.5％", "18.5 percent", "１８.５％", "1.5x", "1.5 倍", "1.5×", "5%", "`.05`", "`0.050`"),
        *(
            "1024",
            "1,024",
            "1_024"[:1] + "024",
            "`1_024`",
            "`:1024`",
            "65536",
            "64K",
            "4096",
            "4k",
            "0.35 s",
            "37",
            "26.2",
        ),
        *("`26.2.0`", "v26.2.0", "#4821", "`#4821`", "CVE-2025-31337", "9f3c1a7", "`9f3c1a7b`", "429", "line 121"),
        *(
            "`None`",
            "`bfloat16`",
            "`ValueError`",
            "`True`",
            "`list[int]`",
            "`pip install zmq`",
            '`"limit"`',
            "`size_t`",
        ),
        *("3", "10 个", "H100", "GPT-4", "FP8", "e.g. this", "and/or", "100%", "另外 12 项", "octocat/hello-world"),
        "`显存不足`",
        "`KV cache`",
    ],
)
def test_what_the_commit_has_stays(name: str) -> None:
    text = f"The queue has a limit: {name} is meant. 队列长度受 {name} 限制。"
    assert grounded(text).removed == ()
    assert grounded(text).reply.summary == text


@pytest.mark.parametrize(
    "name",
    [
        *("`engine/core/router.py`", "`router.py`", "router.py", "`core/queue/scheduler.py`", "`docs/scheduler.md`"),
        *("`Scheduler.drop_request`", "`drop_request()`", "drop_request", "`BaseQueue`", "`scheduler_queue`"),
        *("`--max-queue`", "--max-waiting-size", "`--max-queue-len=4`", "`ENGINE_QUEUE`", "ENGINE_MAX_WAITING"),
        *(
            "`FOO_*`",
            "18%",
            "19.5 %",
            "2x",
            "`4x`",
            "3 倍",
            "2.5 倍",
            "2 times",
            "118",
            "2048",
            "0.36",
            "512 MB",
            "8 GB",
            "5ms",
            "5 ms",
            "20k",
        ),
        *(
            "`26.3.0`",
            "`:8443`",
            "v27.1",
            "#4822",
            "#3",
            "CVE-2025-31338",
            "9f3c1a8",
            "`deadbee`",
            "404",
            "https://evil.invalid/x",
        ),
    ],
)
def test_what_the_commit_does_not_have_takes_its_sentence_with_it(name: str) -> None:
    found = grounded(f"The queue has a limit. It touches {name}, too. Callers get an error.")
    assert found.reply.summary == "The queue has a limit. Callers get an error."
    assert found.removed == (name.strip("`"),)
    assert (
        grounded(f"队列长度有上限。其中涉及 {name} 的部分也变了。请求会报错！").reply.summary
        == "队列长度有上限。请求会报错！"
    )


def test_every_text_of_a_reply_is_checked_and_what_becomes_empty_goes() -> None:
    insights = Insights(
        architecture="`Scheduler` holds the limit. `Router` asks for it.",
        performance="No change; see `scheduler.py`.",
        security="Bounds memory by `--max-queue-size`.",
        compatibility="`ENGINE_MAX_QUEUE` is new.",
    )
    found = grounded(
        "`add_request` refuses requests.",
        scope=("`scheduler.py`", "`router.py`"),
        insights=insights,
        risks=("`limit` may be too small.", "`GhostCache` may overflow. Then it stops."),
        advice=("Set `ENGINE_MAX_QUEUE`.",),
        opinion=Opinion(tier=Tier.HIGH, reason="It removes `old_limit`."),
    )

    assert found.reply == reply(
        "`add_request` refuses requests.",
        scope=("`scheduler.py`",),
        insights=insights.model_copy(update={"architecture": "`Scheduler` holds the limit."}),
        risks=("`limit` may be too small.", "Then it stops."),
        advice=("Set `ENGINE_MAX_QUEUE`.",),
        opinion=Opinion(tier=Tier.HIGH, reason=""),
    )
    assert found.removed == ("router.py", "Router", "GhostCache", "old_limit")
    assert found.checked == 10
    assert found.too_many


def test_few_misses_are_not_too_many_and_a_name_is_counted_once() -> None:
    found = grounded("`Scheduler` and `limit` change. `Scheduler` too. `add_request` as well. `GhostCache` goes.")
    assert (found.checked, found.removed, found.too_many) == (4, ("GhostCache",), False)

    two_of_three = grounded("`Scheduler` changes. `GhostCache` goes. `GhostQueue` too.")
    assert (two_of_three.checked, two_of_three.too_many) == (3, True)


def test_a_field_that_must_not_be_empty_makes_the_reply_useless() -> None:
    empty = grounded("`GhostCache` is fast.")
    assert (empty.reply.summary, empty.too_many) == ("", True)

    insights = Insights(architecture="-", performance="-", security="`GhostCache` is safe.", compatibility="-")
    named = "`Scheduler`, `limit`, `add_request` and `waiting` change."
    assert grounded(named, insights=insights).too_many
    assert not grounded(named, advice=("Ask `GhostCache`.",)).too_many


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("depth", list(Tier))
def test_the_worked_examples_own_answers_lose_nothing(language: Language, depth: Tier) -> None:
    for example in examples(language, depth):
        answer = checked_reply(example.answer, depth, language)
        shown = diff(change("shown.txt", f"@@ -1 +1 @@\n{commit_text(example)}"))
        found = ground(answer, commit("An example"), FACTS, shown)
        assert (found.removed, found.reply) == ((), answer)
        assert found.checked > 0


def test_a_clause_goes_alone_and_the_sentence_before_it_still_ends() -> None:
    assert grounded("队列有上限；`GhostCache` 随之删除。").reply.summary == "队列有上限。"
    assert grounded("It has a limit; `GhostCache` goes.").reply.summary == "It has a limit."
    assert grounded("`GhostCache` goes; it has a limit.").reply.summary == "it has a limit."


def test_removed_names_are_short_printable_and_few() -> None:
    names = [f"`ghost_{n}\u200b\u202e{'x' * 200}`" for n in range(60)]
    found = grounded(" ".join(f"{name} is here." for name in names))
    assert len(found.removed) == 20
    assert all(len(name) == NAME_LIMIT and name.isprintable() for name in found.removed)
    assert found.checked == 60


SENTENCES = [
    ("One. Two! Three? Four", ["One. ", "Two! ", "Three? ", "Four"]),
    ("Use a mode, e.g. fast, i.e. `a. b`. Then 2.10.0 and v1.5 stay.", 2),
    ("一。二！（三。）四", ["一。", "二！", "（三。）", "四"]),
    ("Call `a; b. c` now; then stop.", ["Call `a; b. c` now; ", "then stop."]),
    ("", []),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_sentences_end_where_a_reader_says_so(text: str, expected: list[str] | int) -> None:
    found = sentences(text)
    assert "".join(found) == text
    assert (found if isinstance(expected, list) else len(found)) == expected


@given(st.text("ab_-./ 1\n", max_size=60), st.text("ab_", min_size=1, max_size=4))
def test_a_word_is_found_where_it_stands_for_itself_and_nowhere_else(message: str, word: str) -> None:
    evidence = Evidence(commit(message), NOTHING, diff())
    words = {found for found in re.findall(r"\w+", message) if found.strip("_")}
    stands = word in words or word.strip("_") in words | {found.strip("_") for found in words}
    assume(word.strip("_") not in {"", "a"} and "_" not in word.strip("_"))  # what needs no proof or may be a flag
    assert evidence.has(word) == stands


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_name_is_found_however_often_it_stands_within_others(before: int, after: int) -> None:
    evidence = Evidence(commit("xqueue " * before + "queue " + "queue_y " * after), FACTS, diff())
    assert evidence.has("queue")
    assert not Evidence(commit("xqueue " * before + "queue_y " * after), NOTHING, diff()).has("queue")


@given(st.text(alphabet="ab .。;；!`()\n1", max_size=60))
def test_sentences_joined_are_the_text_again(text: str) -> None:
    assert "".join(sentences(text)) == text


WORD = st.text(alphabet="abcdefghijkmnopqrstuvwy", min_size=3, max_size=9)
NAME = st.one_of(
    st.builds("{}_{}".format, WORD, WORD),
    st.builds("--{}-{}".format, WORD, WORD),
    st.builds("{}/{}/{}.py".format, WORD, WORD, WORD),
    st.builds("{}.{}()".format, WORD, WORD),
    st.builds("{}_{}".format, WORD, WORD).map(str.upper),
    st.floats(11, 9e6, allow_nan=False).map("{:.3f}".format),
    st.integers(11, 10**9).map(str),
    st.integers(11, 10**9).map("{}%".format),
)
PROSE = st.sampled_from(["{} changes.", "Now {} is used, and faster.", "新增 {} 的支持。", "原因：{}；其余不变！"])


def _told(names: list[str], prose: list[str]) -> str:
    return " ".join(form.format(f"`{name}`") for name, form in zip(names, prose, strict=False))


@given(st.lists(NAME, min_size=1, max_size=6), st.lists(PROSE, min_size=6, max_size=6))
@settings(max_examples=60)
def test_a_reply_made_of_the_diffs_own_names_loses_nothing(names: list[str], prose: list[str]) -> None:
    text = _told(names, prose)
    patched = diff(change("a.py", "@@ -1 +1 @@\n" + "\n".join(f"+{name}" for name in names)))
    found = ground(reply(text), commit("Change it"), FACTS, patched)
    assert (found.removed, found.reply.summary, found.too_many) == ((), text, False)


@given(st.lists(NAME, min_size=1, max_size=6, unique=True), st.lists(PROSE, min_size=6, max_size=6))
@settings(max_examples=60)
def test_an_invented_name_is_gone_from_every_text(names: list[str], prose: list[str]) -> None:
    invented = [f"zz{name}x" if name[0].isalpha() else name.replace("--", "--zx-") for name in names]
    text = _told(invented, prose)
    nothing = Facts(files=0, additions=0, deletions=0, code_lines=0)
    empty = Diff(sha="a" * 40, parents=(), files=(), additions=0, deletions=0)
    found = ground(
        reply(text, risks=(text,), opinion=Opinion(tier=Tier.LOW, reason=text)), commit("Change it"), nothing, empty
    )
    left = " ".join(found.reply.texts)
    assert not [name for name in invented if f"`{name}`" in left]


@pytest.mark.parametrize(
    "unit", ["`", "a.", "a/", "1,", "--a", "_", "`x*` ", "http://", "。", "e.g. ", "`a_{}` ", "1% "]
)
def test_a_hostile_reply_and_a_large_diff_cost_little(unit: str) -> None:
    lines = "\n".join(f"+value_{n} = call_{n}(self.item{n}, {n}.5)" for n in range(60_000))
    text = "".join(unit.replace("{}", str(n)) for n in range(100_000 // len(unit)))[:100_000]
    started = time.process_time()
    ground(reply(text), commit("Change it"), FACTS, diff(change("a.py", f"@@ -1 +1 @@\n{lines}")))
    assert time.process_time() - started < 10  # seconds; what is quadratic takes minutes
