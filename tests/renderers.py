"""Markdown renderers that are not ours, and the structure of what each makes of a page."""

from __future__ import annotations

from collections.abc import Callable

import cmarkgfm
from cmarkgfm.cmark import Options
from markdown_it import MarkdownIt

from tests.outline import Outline, html_outline


def _commonmark(text: str) -> str:
    """CommonMark alone has no tables; GitHub's are the one extension that a page uses."""
    return str(MarkdownIt("commonmark").enable("table").render(text))


def _github_like(text: str) -> str:
    return str(MarkdownIt("gfm-like", {"linkify": False}).render(text))


def _github(text: str) -> str:
    """GitHub's own parser, with all its extensions: tables, strikethrough, autolinks, tag filter."""
    return str(cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE))


RENDERERS: dict[str, Callable[[str], str]] = {
    "commonmark": _commonmark,
    "github-like": _github_like,
    "github": _github,
}


def rendered_outline(text: str, renderer: str) -> Outline:
    """The headings, ids, links and tags of a page as a renderer makes it."""
    page = RENDERERS[renderer](text)
    return html_outline(page.replace("<br />", "<br>").replace("<hr />", "<hr>"))
