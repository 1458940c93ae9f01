"""Untrusted text made inert: one case per trick, then any text at all."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from report.prose import WORD_JOINER, Origin, clean, cut_title, html_text, markdown_code, markdown_text, shorten
from tests.hostile import hostile_text

ORIGIN = Origin("octocat/hello_world", "https://github.com")
J = WORD_JOINER


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[PCG] support it", r"\[PCG\] support it"),
        ("snake_case and __init__ and _a_", r"snake_case and \_\_init\_\_ and \_a\_"),
        ("*a* ~~b~~ ![i](j)", r"\*a\* \~\~b\~\~ !\[i\](j)"),
        ("drop <think> & co, &lt; AT&T", "drop &lt;think> & co, &amp;lt; AT&amp;T"),
        ("costs $5 and $6", "costs &#36;5 and &#36;6"),
        ("thanks @hubot, a@b.example", f"thanks @{J}hubot, a@{J}b.example"),
        ("see https://example.com/a_b. Or www.example.com)", "see `https://example.com/a_b`. Or `www.example.com`)"),
        ("# not a heading #", r"\# not a heading \#"),
        ("1. not a list", r"1\. not a list"),
        ("2026) neither", r"2026\) neither"),
        ("- nor this", r"\- nor this"),
        ("> nor a quote", r"\> nor a quote"),
        ("=== nor a title", r"\=== nor a title"),
        (":-: | nor a table", r"\:-: \| nor a table"),
        ("```python", r"\`\`\`python"),
        ("a `b` c", "a `b` c"),
        ("a ``b`c`` `", r"a ``b`c`` \`"),
        ("``` `` ```", "``` `` ```"),
        ("`<b> @x #1 $y$`", "`<b> @x #1 $y$`"),
        ("two\nlines\tand\u2028more\x00", "two lines and more"),
        ("\u202eevil\u200b\ufeff", "evil"),
        ("C:\\temp\\", r"C:\\temp\\"),
        ("footnote[^1]", r"footnote\[^1\]"),
        ("", ""),
    ],
)
def test_markdown_shows_the_characters_and_does_nothing(text: str, expected: str) -> None:
    assert markdown_text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fix (#12)", "Fix ([#12](https://github.com/octocat/hello_world/issues/12))"),
        ("修复#12的问题", "修复[#12](https://github.com/octocat/hello_world/issues/12)的问题"),
        ("GH-3", "[GH-3](https://github.com/octocat/hello_world/issues/3)"),
        ("a/b_c#4", r"[a/b\_c#4](https://github.com/a/b_c/issues/4)"),
        ("abc#5 #0 x/y/z#6 &#7;", f"abc#{J}5 #{J}0 x/y/z#{J}6 &amp;#{J}7;"),
        ("`#8` #9a", f"`#8` #{J}9a"),
        ("from octocat/bugfix-#12 and a-#13", f"from octocat/bugfix-#{J}12 and a-#{J}13"),
        (
            "Merge pull request #14 from octocat/fix#12",
            f"Merge pull request [#14](https://github.com/octocat/hello_world/issues/14) from octocat/fix#{J}12",
        ),
        ("Merge branch 'x#5' (a/b#4)", f"Merge branch 'x#{J}5' ([a/b#4](https://github.com/a/b/issues/4))"),
        ("Merge branch 'feature/x#12'", f"Merge branch 'feature/x#{J}12'"),
    ],
)
def test_references_lead_to_the_repository_they_speak_of(text: str, expected: str) -> None:
    assert markdown_text(text, ORIGIN) == expected


def test_references_without_a_web_page_lead_nowhere() -> None:
    assert markdown_text("Fix #12, GH-3", Origin("octocat/hello", None)) == f"Fix #{J}12, GH-{J}3"
    assert html_text("Fix #12", Origin("octocat/hello", None)) == "Fix #12"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a | b", r"a \| b"),
        ("`a | b`", r"`a \| b`"),
        (r"`a\|b`", "`a\\\u2060\\|b`"),
    ],
)
def test_a_pipe_does_not_end_a_table_cell(text: str, expected: str) -> None:
    assert markdown_text(text, cell=True) == expected


def test_code_holds_any_backticks() -> None:
    assert markdown_code("a`b") == "``a`b``"
    assert markdown_code("`` ` ``") == "``` `` ` `` ```"
    assert markdown_code("") == ""


def test_html_escapes_links_and_marks_code() -> None:
    assert html_text("<b> `x<y` a/b#4 & https://example.com", ORIGIN) == (
        '&lt;b&gt; <code>x&lt;y</code> <a href="https://github.com/a/b/issues/4">a/b#4</a> &amp; https://example.com'
    )


def test_titles_are_cut_over_sixty_characters() -> None:
    assert cut_title("x" * 60) == "x" * 60
    assert cut_title("x" * 61) == "x" * 57 + "..."


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("一二三四五", 5, "一二三四五"),
        ("一二三四五六", 5, "一二三四…"),
        ("one two three four", 3, "one two…"),
        ("修复 `parse_header` 崩溃", 5, "修复 `parse_header` 崩溃"),
        ("修复 `a b c` 崩溃", 4, "修复…"),
        ("修复，然后更新", 4, "修复…"),
    ],
)
def test_summaries_are_cut_between_words(text: str, limit: int, expected: str) -> None:
    assert shorten(text, limit) == expected


@given(st.text())
def test_clean_text_is_one_line_of_visible_characters(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == clean(cleaned)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\n]", cleaned)


@given(hostile_text(), st.integers(2, 30))
def test_shortened_text_is_within_its_limit(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(re.findall(r"[!-~]+|[^ -~]", short.replace("`", ""))) <= limit
    assert short == clean(text) or short.endswith("…")


def visible(markdown: str) -> str:
    """What a reader sees of a line of Markdown; fails when it is anything but one plain paragraph."""
    tokens = MarkdownIt("commonmark", {"linkify": False}).enable(["table", "strikethrough"]).parse(markdown)
    assert [token.type for token in tokens] in (["paragraph_open", "inline", "paragraph_close"], [])
    children = [child for token in tokens for child in token.children or []]
    assert {child.type for child in children} <= {"text", "text_special", "code_inline"}
    return "".join(child.content for child in children)


def squeezed(text: str) -> str:
    """Without backticks, joiners and spaces, which code spans add and take away."""
    return re.sub(r"[`\s\u2060]", "", text)


@given(hostile_text())
@example("http://evil.test/?a=b`*`` ` ``")
def test_any_text_reads_as_itself(text: str) -> None:
    assert squeezed(visible(markdown_text(text))) == squeezed(clean(text))
    assert squeezed(visible(markdown_code(text))) == squeezed(clean(text))


@given(hostile_text())
def test_any_text_stays_in_its_cell(text: str) -> None:
    page = f"| a | b |\n|---|---|\n| {markdown_text(text, cell=True)} | {markdown_code(text, cell=True)} |\n"
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)
    cells = [tokens[place + 1] for place, token in enumerate(tokens) if token.type == "td_open"]
    assert len(cells) == 2
    for cell in cells:
        children = cell.children or []
        assert {child.type for child in children} <= {"text", "text_special", "code_inline"}
        assert squeezed("".join(child.content for child in children)) == squeezed(clean(text))


@given(hostile_text())
@example("@`$`x`$")
def test_nothing_is_left_that_github_turns_into_a_link_or_a_mention(text: str) -> None:
    outside_code = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", " code ", markdown_text(text))
    assert not re.search(r"@[A-Za-z0-9]|https?://|www\.\w|(?<!&)#[0-9]|<", outside_code)
