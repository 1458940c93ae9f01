"""What a page's structure is, by parsers that are not ours: headings, ids, links and tags."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from markdown_it import MarkdownIt

_VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


@dataclass
class Outline:
    """Headings as (level, text), ids, links in order, and the number of each tag or token."""

    headings: list[tuple[int, str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)

    @property
    def inner_links(self) -> list[str]:
        """Targets of the links within the page."""
        return [link[1:] for link in self.links if link.startswith("#")]

    @property
    def levels(self) -> list[int]:
        """The heading levels in order."""
        return [level for level, _ in self.headings]

    def count(self, kind: str) -> None:
        """One more of a kind."""
        self.kinds[kind] = self.kinds.get(kind, 0) + 1


def assert_sound(outline: Outline) -> None:
    """Every inner link has its target, no id comes twice, and no heading skips a level."""
    assert sorted(outline.ids) == sorted(set(outline.ids))
    assert set(outline.inner_links) <= set(outline.ids)
    assert outline.levels[0] == 1
    assert outline.levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(outline.levels, outline.levels[1:], strict=False))


def markdown_outline(text: str) -> Outline:
    """The structure as markdown-it sees it, with GitHub's tables and strikethrough."""
    outline = Outline()
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    for place, token in enumerate(tokens):
        outline.count(token.type)
        if token.type == "heading_open":
            words = "".join(
                child.content for child in tokens[place + 1].children or [] if child.type in {"text", "code_inline"}
            )
            outline.headings.append((int(token.tag[1]), words))
        for child in token.children or []:
            if child.type not in {"text", "code_inline", "text_special", "softbreak"}:
                outline.count(child.type)
            if child.type == "link_open":
                outline.links.append(str(child.attrs["href"]))
            if child.type == "html_inline" and (found := re.fullmatch(r'<a id="([^"]+)">', child.content)):
                outline.ids.append(found[1])
            elif child.type == "html_inline":
                assert child.content == "</a>"
    return outline


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.outline = Outline()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.outline.count(tag)
        assert not [name for name in values if name == "style" or name.startswith("on")]
        assert not values.get("src")
        if tag not in _VOID:
            self.open.append(tag)
        if name := values.get("id"):
            self.outline.ids.append(name)
        if tag == "a" and ("href" in values or "id" not in values):  # a target alone, as Markdown pages have them
            self.outline.links.append(values["href"] or "")
        if re.fullmatch("h[1-6]", tag):
            self.outline.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        headings = self.outline.headings
        if headings and any(re.fullmatch("h[1-6]", tag) for tag in self.open):
            headings[-1] = (headings[-1][0], headings[-1][1] + data)


def html_outline(text: str) -> Outline:
    """The structure as Python's HTML parser sees it; fails where tags are not closed in order."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader.outline
