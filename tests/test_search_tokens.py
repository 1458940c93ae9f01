"""How text is cut for the search index: what finds what, in SQLite itself, and where the matches stand."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.prose import clean
from report.search.tokens import Reading, Term, expression, segmented, terms, tokens
from tests.hostile import hostile_text


def hits(text: str, wanted: Iterable[Term]) -> list[tuple[int, int]]:
    return Reading(text).hits(wanted)


def matches(text: str, query: str) -> bool:
    """Whether FTS5 finds a text that was indexed as the store does it."""
    wanted, _ = terms(query)
    if not wanted:
        return False
    with closing(sqlite3.connect(":memory:")) as index:
        index.execute("CREATE VIRTUAL TABLE words USING fts5(said, wholes, tokenize = 'ascii', prefix = '2 3')")
        said, wholes = segmented([clean(text)])
        index.execute("INSERT INTO words VALUES (?, ?)", (said, " ".join(wholes)))
        found = index.execute("SELECT count(*) FROM words WHERE words MATCH ?", (expression(wanted),)).fetchone()
    return bool(found[0])


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("修复解析器在空输入时崩溃的问题", "解析", ["解析"]),
        ("修复解析器在空输入时崩溃的问题", "空", ["空"]),
        ("修复解析器在空输入时崩溃的问题", "解析崩溃", ["解析", "崩溃"]),
        ("修复解析器在空输入时崩溃的问题", "解析器在空输入时崩溃", ["解析器在空输入时崩溃"]),
        ("修复vLLM崩溃", "vllm崩溃", ["vLLM崩溃"]),
        ("Raise `max_num_seqs` to 512", "max_num_seqs", ["max_num_seqs"]),
        ("Raise `max_num_seqs` to 512", "--max-num-seqs", ["max_num_seqs"]),
        ("Raise `max_num_seqs` to 512", "maxNumSeqs", ["max_num_seqs"]),
        ("Raise `max_num_seqs` to 512", "maxnum", ["max_num_seqs"]),
        ("Raise `max_num_seqs` to 512", "num seq", ["num", "seqs"]),
        ("Rename BatchSampler", "sampler", ["Sampler"]),
        ("Rename BatchSampler", "batchsampler", ["BatchSampler"]),
        ("Rename BatchSampler", "batch_sampler", ["BatchSampler"]),
        ("Use GPUs over HTTPServer", "gpu httpserver", ["GPUs", "HTTPServer"]),
        ("python/srt/mem_cache/radix_cache.py", "radix", ["radix"]),
        ("python/srt/mem_cache/radix_cache.py", "mem_cache/radix_cache.py", ["mem_cache/radix_cache.py"]),
        ("It crashes on Ｆｕｌｌ-width and Café", "CRASH full cafe", ["crashes", "Ｆｕｌｌ", "Café"]),
        ("Исправлен Планировщик", "планировщик", ["Планировщик"]),
        ("バグを修正", "バグ", ["バグ"]),
        ("Bump to 0.4.12 (#18164)", "#18164", ["18164"]),
        ("bfe34c9d00000000000000000000000000000000", "bfe34c9", ["bfe34c9d00000000000000000000000000000000"]),
    ],
)
def test_what_is_meant_is_found_and_marked(text: str, query: str, marked: list[str]) -> None:
    assert matches(text, query)
    assert [text[start:end] for start, end in hits(text, terms(query)[0])] == marked


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("修复解析器崩溃", "解崩"),
        ("修复解析器崩溃", "析器解"),
        ("Raise `max_num_seqs`", "seqs_num"),
        ("Merge (#18164)", "#1816"),
        ("Rename BatchSampler", "ampler"),
        ("a b", "c"),
        ("NOT found", "zzz NOT found"),
        ("anything", '"" * ^ : ( ) -'),
    ],
)
def test_what_is_not_meant_is_not_found(text: str, query: str) -> None:
    assert not matches(text, query)
    assert hits(text, terms(query)[0]) == [] or "NOT" in query


def test_no_phrase_reaches_from_one_text_into_the_next() -> None:
    said, _ = segmented(["drop max", "num seqs"])
    assert said == "drop max ¶ num seqs ¶"


@given(hostile_text())
def test_each_text_is_found_by_itself_whatever_signs_it_has(text: str) -> None:
    wanted, cut = terms(text)
    assert matches(text, text) == bool(wanted)
    places = hits(clean(text), wanted)
    assert bool(places) == bool(wanted)
    assert all(0 <= start < end <= len(clean(text)) for start, end in places)
    assert all(end < start for (_, end), (start, _) in pairwise(places))
    assert not cut


@given(hostile_text(), hostile_text())
def test_sqlite_finds_what_is_marked(text: str, query: str) -> None:
    wanted, _ = terms(query)
    all_marked = bool(wanted) and all(hits(clean(text), [term]) for term in wanted)
    assert matches(text, query) == all_marked


@given(hostile_text())
def test_the_index_is_given_the_tokens_that_are_marked(text: str) -> None:
    assert segmented([clean(text)])[0].split()[:-1] == " ".join(token.text for token in tokens(clean(text))).split()


@given(st.text(alphabet="解析崩溃 a*\"'()", min_size=0, max_size=3000))
def test_a_long_query_asks_for_a_bounded_number_of_tokens(query: str) -> None:
    wanted, cut = terms(query)
    assert sum(len(term.parts) for term in wanted) <= 40
    assert cut or len(query) <= 400
