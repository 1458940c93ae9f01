"""How one commit is shown in each form of its day's page, kept as bytes, and read again for a day at once.

What a commit looks like by itself is settled when its analysis is finished: its rows, its heading, its fields. Only
the story that stands among them, and the marks by which a page is filtered, hang on the other commits of the day; each
form is therefore kept in parts, between which these have their place. A page is then put together by joining bytes.

What all pages need of every commit (its order, its tier, its part of the sums and of the stories) is kept by itself, in
its line (lines.py); of the rest and of the forms, nothing is read but where somebody asks.

Kept parts are a saving and nothing else: they lie where their view and the code that made them say, and each line names
the record that it was made from, so that whoever does not find what he looks for makes the parts anew.
"""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from core.ledger.fragments import Fragment
from report.json import json_parts
from report.lines import DIGEST_BYTES, Sizes, numbers_of, rest_of, words_of
from report.markdown import markdown_parts
from report.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.ledger.fragments import Form
    from report.daily import Entry
    from report.view import View


@cache
def made_by(view: View) -> str:
    """Under what the fragments of a view are kept: a digest of it, and of the code, words and templates that render."""
    return hashlib.sha256(f"{_code()} {sys.byteorder} {view!r}".encode()).hexdigest()[: 2 * DIGEST_BYTES]


@cache
def _code() -> str:
    """A digest of all code and text that a fragment is made of: after an upgrade, none of an earlier version is shown.

    All of `report` and the shapes of `core` count: too many files are no harm, one too few would be.
    """
    digest = hashlib.sha256()
    found = [(str(file.name), file) for name in _FOLDERS for file in files(name).iterdir() if file.is_file()]
    for name, file in sorted(found, key=lambda one: one[0]):
        digest.update(f"{name} ".encode() + file.read_bytes())
    return digest.hexdigest()


_FOLDERS = ("core", "core.ledger", "report", "report.labels", "report.templates")


def made_from(sha: str, record: bytes, correction: bytes | None) -> bytes:
    """By what a commit's line is known: a digest of its record as it is stored, and its correction."""
    return hashlib.sha256(b"%b %b\0%b" % (sha.encode(), record, correction or b"")).digest()[:DIGEST_BYTES]


def fragment_of(view: View, entry: Entry, made_from: bytes) -> tuple[Fragment, Shelf]:
    """What is kept of an entry, and it on a shelf of its own; it is neither cancelled nor related to any other."""
    from report.html import html_parts  # loads the templates, which whoever joins what is kept does without

    markdown, html, json = markdown_parts(view, entry), html_parts(view, entry), json_parts(entry)
    rest = rest_of(entry)
    sizes = Sizes(
        rest=len(rest),
        markdown_row=len(markdown.row), markdown_contents=len(markdown.contents),
        markdown_article=len(markdown.article), markdown_story=markdown.story,
        html_row=len(html.row), html_contents=len(html.contents), html_open=len(html.opened),
        html_article=len(html.article), html_story=html.story,
        json_entry=len(json.entry), json_relations=json.relations,
    )  # fmt: skip
    fragment = Fragment(
        numbers_of(made_from, sizes, entry), words_of(entry), rest,
        b"".join(markdown[:3]), b"".join(html[:4]), bytes(json.entry),
    )  # fmt: skip
    parts: dict[Form, Sequence[Any]] = {"md": markdown, "html": html, "json": json}
    return fragment, Shelf(view, {form: [[part] for part in some] for form, some in parts.items()})
