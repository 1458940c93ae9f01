"""Strategies for what strangers write: any text, with a taste for what Markdown, HTML and GitHub make something of."""

from __future__ import annotations

from hypothesis import strategies as st

_BITS = st.sampled_from(
    [
        *"`*_~[]()<>!#|\\&$@:=+-.^\"'{}\n\r\t ",
        *("```", "~~~", "---", "===", "  \n", "\n\n", "\n    ", "\n# ", "\n> ", "\n- ", "\n1. ", "\n|-|\n", "\n</dl>"),
        *("<script>", "</article>", "<img src=x onerror=a>", "<!--", "-->", "<![CDATA[", "<?", "<details>", "</style>"),
        *("![x](http://evil.test/i.png)", "[x](javascript:a)", "[x]: http://evil.test", "[^1]", "[^1]: x", "[x][y]"),
        *("http://evil.test/?a=b", "www.evil.test", "<http://evil.test>", "a@evil.test", "@octocat", "&lt;", "&#60;"),
        *("#12", "octocat/x#3", "GH-7", "\u202e", "\u200b", "\x00", "\u2028", "\x85", "\ufeff", "\ufffe", "中文", "é"),
        *("`a|b`", "`` ` ``", "`\\|`", "\\|", "$x$", "$`x`$", "{{ 7 * 7 }}", "{% raw %}", "{0}", "{subject}", "%s"),
    ]
)


def hostile_text() -> st.SearchStrategy[str]:
    """Any text that a commit or a model can hold (no lone surrogates: they are no text in UTF-8)."""
    anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    return st.lists(st.one_of(_BITS, _BITS, anything), max_size=12).map("".join)
