"""Languages: whole, alike, right in numbers and plurals; and a third one, which is one more file and nothing else."""

from __future__ import annotations

import re
import string
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType

import pytest

from core.errors import DaybookError
from core.languages import languages
from core.models import ChangeType, Reason, Tier
from core.settings import load_settings
from report import labels as package
from report.daily import DailyReport
from report.digest import digest_from_json
from report.feed import Feed, FeedDay, atom
from report.html import commit_page, html_page, notice_page
from report.json import report_json
from report.labels import Labels, en, labels, zh
from report.letter import letter
from report.markdown import markdown
from report.parts import issue_text
from tests.records import REPOSITORY, facts, judged_day, sha_of, varied_day
from tests.records import report as report_of
from tests.serving import Shelves, serving
from workers.prompts import notes_prompt, system_prompt
from workers.replies import InvalidReply, checked_reply
from workers.rulebook import rulebook_analysis

TABLES = ("WORDS", "TIERS", "TYPES", "REASONS", "PHRASES")
DAY = date(2026, 2, 17)
# A language that is made up: English in Cyrillic letters, with a dot between thousands and three plural forms.
THIRD = '''
"""A made-up language, for tests."""

from report.labels import en

_LETTERS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопярстувшжьз")
NAME, HAN, THOUSANDS, PROMPT = "Madeup", False, ".", "Language: write every text in Madeup."


def plural(n: int) -> int:
    return 0 if n == 1 else 1 if n % 10 in (2, 3, 4) else 2


def _text(text: str) -> str:
    parts, depth = [], 0
    for character in text:
        depth += (character == "{") - (character == "}")
        parts.append(character if depth else character.translate(_LETTERS))
    return "".join(parts)


def _told(forms):
    if isinstance(forms, str):
        return _text(forms)
    one, many = forms
    return (_text(one), _text(many) + "\u2082", _text(many))


WORDS = {key: _told(forms) for key, forms in en.WORDS.items()} | {"html_language": "en-XA"}
PHRASES = {key: _told(forms) for key, forms in en.PHRASES.items()}
REASONS = {key: _text(text) for key, text in en.REASONS.items()}
TIERS = {key: _text(text) for key, text in en.TIERS.items()}
TYPES = {key: _text(text) for key, text in en.TYPES.items()}
'''


@pytest.fixture
def third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The code of a third language, whose file lies in the package's path while a test runs."""
    (tmp_path / "qaa.py").write_text(THIRD, encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    monkeypatch.setattr(package.__spec__, "submodule_search_locations", package.__path__)
    yield "qaa"
    package._loaded.pop("qaa", None)
    sys.modules.pop("report.labels.qaa", None)


def fields(forms: str | tuple[str, ...]) -> list[set[str]]:
    parts = (forms,) if isinstance(forms, str) else forms
    return [{name for _, name, _, _ in string.Formatter().parse(part) if name} for part in parts]


def test_there_are_two_languages() -> None:
    assert languages() == ("en", "zh")


@pytest.mark.parametrize("table", TABLES)
def test_every_language_has_every_word_once(table: str) -> None:
    for code in languages():
        module: ModuleType = sys.modules[f"report.labels.{code}"]
        assert list(getattr(module, table)) == list(getattr(zh, table)), code
    assert set(zh.TYPES) == set(ChangeType)
    assert set(zh.TIERS) == set(Tier)


@pytest.mark.parametrize("table", ["WORDS", "PHRASES"])
def test_every_language_fills_the_same_places(table: str) -> None:
    """A word of one language names nothing that callers do not give, which they do for the others."""
    for key, forms in getattr(zh, table).items():
        given = set[str]().union(*fields(forms), *fields(getattr(en, table)[key]))
        for code in languages():
            for form in fields(getattr(sys.modules[f"report.labels.{code}"], table)[key]):
                assert given - form <= {"n", "kind"}, (code, key)


def test_every_form_of_a_word_can_be_chosen() -> None:
    for code in languages():
        words = labels(code)
        forms = {words.plural(n) for n in range(200)}
        for table in (words.words, words.phrases):
            assert {len(word) for word in table.values() if isinstance(word, tuple)} <= {len(forms)}, code
        assert forms == set(range(len(forms)))


@pytest.mark.parametrize(
    ("language", "n", "said"),
    [
        ("en", 0, "0 commits"),
        ("en", 1, "1 commit"),
        ("en", 1234567, "1,234,567 commits"),
        ("zh", 1, "本日共 1 个提交"),
        ("zh", 12345, "本日共 12,345 个提交"),
    ],
)
def test_numbers_and_plurals(language: str, n: int, said: str) -> None:
    assert labels(language).word("commits", n=n) == said


@pytest.mark.usefixtures("third")
def test_a_third_language_has_numbers_and_plurals_of_its_own() -> None:
    words = labels("qaa")
    assert [words.word("commits", n=n) for n in (1, 2, 5, 12345)] == [
        "1 цоммит",
        "2 цоммитс₂",
        "5 цоммитс",
        "12.345 цоммитс",
    ]
    assert words.number(-1234) == "-1.234"


@pytest.mark.usefixtures("third")
def test_a_third_language_is_found_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert languages() == ("en", "qaa", "zh")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPORT_LANGUAGE", "qaa")
    assert load_settings().report_language == "qaa"


def test_a_language_without_a_file_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPORT_LANGUAGE", "../zh")
    with pytest.raises(DaybookError, match="REPORT_LANGUAGE"):
        load_settings()
    Path("daybook.toml").write_text("[[repository]]\nname = 'a/b'\nlanguage = 'fr'\n")
    monkeypatch.setenv("REPORT_LANGUAGE", "en")
    with pytest.raises(DaybookError, match=r"language: 'fr' has no words in report/labels; there are en, zh"):
        load_settings()


def test_a_kept_report_in_a_language_that_is_gone_is_shown_in_english() -> None:
    assert "## octocat/hello-world" in (page := markdown([report_of(varied_day("en"), language="xyz")]))
    assert "Daily" in page.partition("\n")[0]
    package._loaded.pop("xyz")


def days() -> list[DailyReport]:
    return [report_of(day("en"), language="qaa") for day in (varied_day, judged_day)] + [
        report_of([], language="qaa", source_ok=False)
    ]


def foreign(page: str) -> set[str]:
    """Words of English or Chinese labels that a page still has, outside of what the day's own texts say."""
    seen = re.sub(r"(?s)<(style|script)>.*?</\1>|<[^>]*>", "\n", page)
    found = set()
    for module in (en, zh):
        for table in (module.WORDS, module.REASONS, module.PHRASES):
            for forms in table.values():
                for part in (forms,) if isinstance(forms, str) else forms:
                    pieces = (text.strip() for text, _, _, _ in string.Formatter().parse(part))
                    found |= {text for text in pieces if len(text) > (11 if text.isascii() else 3) and text in seen}
    return found


@pytest.mark.usefixtures("third")
def test_every_view_of_a_day_speaks_a_third_language() -> None:
    for day in days():
        mail = letter(day, "https://daybook.example/x")
        for page in (
            markdown([day]),
            html_page([day]),
            mail.text,
            mail.html,
            *issue_text(day, "https://daybook.example").parts,
        ):
            assert "цоммит" in page
            assert foreign(page) == set()
    (entry, *_) = days()[0].entries
    assert foreign(commit_page(days()[0].model_copy(update={"entries": (entry,)}))) == set()
    for kind in ("not_found", "unauthorised", "throttled", "closed", "unavailable", "damaged", "ambiguous"):
        assert foreign(notice_page(kind, "qaa")) == set()
    digest = digest_from_json(report_json(days()[:1]))
    feed = atom(Feed(REPOSITORY, "qaa", "https://daybook.example", "daybook.example"),
                [FeedDay(digest, datetime(2026, 2, 18, tzinfo=UTC))]).decode()  # fmt: skip
    assert "цоммит" in feed
    assert foreign(feed) == set()


PATHS = (
    "/", "/2026-02-17", "/2026-02-17.md", f"/{REPOSITORY}", f"/{REPOSITORY}/2026-02-17", f"/{REPOSITORY}/2026-02-18",
    f"/{REPOSITORY}/2026-02", f"/{REPOSITORY}/2026-W08", f"/{REPOSITORY}/commit/{sha_of(1)}",
    f"/{REPOSITORY}/author/The%20Octocat", f"/{REPOSITORY}/area/parser", f"/{REPOSITORY}/feed.atom",
    f"/{REPOSITORY}/changes?from=2026-02-16&to=2026-02-18", f"/{REPOSITORY}/changes.md?from=2026-02-16&to=2026-02-18",
    "/search?q=parser",
)  # fmt: skip


@pytest.mark.usefixtures("third")
def test_every_page_of_the_site_speaks_a_third_language(tmp_path: Path) -> None:
    shelves = Shelves(
        {(REPOSITORY, DAY): report_json([report_of(varied_day("en"), language="qaa")])},
        {(REPOSITORY, one.commit.sha): one for one in varied_day("en")},
        [REPOSITORY],
    )
    now = datetime(2026, 2, 18, 4, 0, tzinfo=UTC)
    with serving(shelves, now, report_language="qaa", daybook_home=tmp_path) as site:
        for path in PATHS:
            page = site.get(path)
            assert page.status == 200, path
            assert re.search("[а-я]{4}", page.text), path
            assert (path, foreign(page.text)) == (path, set())


@pytest.mark.usefixtures("third")
def test_what_is_written_of_a_commit_speaks_a_third_language_too() -> None:
    commit = varied_day("en")[0].commit
    judged = report_of(varied_day("en")).entries[0].triage
    for tier in Tier:
        triaged = varied_day("en")[0].triage
        assert triaged
        written = rulebook_analysis(commit, facts(), triaged.model_copy(update={"tier": tier}), "qaa")
        assert (written.language, foreign(written.summary)) == ("qaa", set())
        assert "write every text in Madeup." in system_prompt(tier, "qaa")
    assert judged
    assert "write every text in Madeup." in notes_prompt("qaa")
    with pytest.raises(InvalidReply, match="the texts are not in Madeup"):
        checked_reply(
            '{"types": ["docs"], "tier": "low", "tier_reason": "文档更新。", "summary": "更新了文档。"}',
            Tier.LOW,
            "qaa",
        )


def test_a_language_that_lacks_words_is_refused_by_their_names(third: str, tmp_path: Path) -> None:
    lacking = f"{THIRD}\ndel WORDS['title'], REASONS['security'], PHRASES['titled']\n"
    (tmp_path / f"{third}.py").write_text(lacking, encoding="utf-8")
    with pytest.raises(DaybookError) as refused:
        labels(third)
    assert str(refused.value) == "report/labels/qaa.py lacks PHRASES titled, REASONS security, WORDS title"


def test_a_reason_that_is_not_known_any_more_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        Labels("en").reason(Reason(code="a_retired_code"))
