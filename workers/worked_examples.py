"""The worked examples of the system prompt: invented commits with their ideal answers, read from examples/.

`commits.toml` holds the commits as the model is shown them; `en.toml` and `zh.toml` hold the answers, the English ones
for a language without a file too (what the model is told of the language goes before them). The project is
invented, and its names are found nowhere else, so that an answer copied from an example can be recognised.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from pydantic import Field, model_validator

from core.models import Frozen, Language, Tier
from report.labels import SPARE

_FOLDER = Path(__file__).with_name("examples")


class WorkedExample(Frozen):
    """A commit of commits.toml with the ideal answer to it, as JSON; `bad` is an answer to avoid, `why` its faults."""

    commit: str
    bad: str = ""
    why: str = ""
    answer: str

    @model_validator(mode="after")
    def _bad_with_reason(self) -> WorkedExample:
        if bool(self.bad) != bool(self.why):
            raise ValueError("a bad answer needs its faults, and faults need their answer")
        return self


class _Analysed(WorkedExample):
    depth: Tier


class _Commits(Frozen):
    words: tuple[str, ...] = Field(min_length=1, description="lower case; part of every name of the project")
    commit: dict[str, str] = Field(description="text by name")


class _Answers(Frozen):
    example: tuple[_Analysed, ...]
    notes: WorkedExample


def examples(language: Language, depth: Tier) -> tuple[WorkedExample, ...]:
    """The examples of a depth in a language, in the order of the file."""
    return tuple(example for example in _answers(language).example if example.depth is depth)


def notes_example(language: Language) -> WorkedExample:
    """The example of notes on one part of a diff."""
    return _answers(language).notes


def commit_text(example: WorkedExample) -> str:
    """The commit of an example, in the form in which the model is shown commits."""
    return _commits().commit[example.commit].strip()


def words() -> tuple[str, ...]:
    """The words, in lower case, by which the names of the invented project can be told from all others."""
    return _commits().words


@cache
def _commits() -> _Commits:
    return _Commits.model_validate(_read("commits.toml"))


@cache
def _answers(language: Language) -> _Answers:
    own = (_FOLDER / f"{language}.toml").is_file()
    return _Answers.model_validate(_read(f"{language if own else SPARE}.toml"))


def _read(name: str) -> dict[str, object]:
    return tomllib.loads((_FOLDER / name).read_text(encoding="utf-8"))
