"""Every word a reader sees, by language: a third language is one more file beside zh.py and en.py, and nothing else.

Such a file is named by its code (`fr`, `pt_BR`) and found by itself. It has what en.py has: the name of the language,
what the model is told of it, how it writes numbers and plurals, and five tables with the same keys. A word is a
`str.format` template, or a tuple of templates, one for each plural form, of which the file's `plural` chooses by `n`.
`{n:,}` has the language's own sign between thousands.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from core.errors import DaybookError
from core.languages import languages
from core.models import ChangeType, Language, Reason, Tier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Reasons whose subject is a number of lines or files.
_COUNTED = frozenset({"large_feature", "large_change", "sweeping"})

Forms = str | tuple[str, ...]

# What is shown with words of: reports in a language whose file was taken away.
SPARE = "en"


class Labels:
    """The words of one language, and what a program must know to write in it."""

    def __init__(self, language: Language) -> None:
        """Read a language's file; raises DaybookError naming the words that it lacks."""
        module: Any = import_module(f"report.labels.{language}")
        _refuse_gaps(module)
        self.language = language
        self.name: str = module.NAME
        self.han: bool = module.HAN
        self.prompt: str = module.PROMPT
        self.thousands: str = module.THOUSANDS
        self.plural: Callable[[int], int] = module.plural
        self.words: Mapping[str, Forms] = module.WORDS
        self.tiers: Mapping[Tier, str] = module.TIERS
        self.types: Mapping[ChangeType, str] = module.TYPES
        self.reasons: Mapping[str, str] = module.REASONS
        self.phrases: Mapping[str, Forms] = module.PHRASES
        self._plain: dict[str, str] = {}  # words that nothing is filled into

    def word(self, key: str, **values: object) -> str:
        """A word or sentence of the page."""
        if values:
            return self._filled(self.words[key], values)
        if key not in self._plain:
            self._plain[key] = self._filled(self.words[key], {})
        return self._plain[key]

    def phrase(self, key: str, **values: object) -> str:
        """A sentence of an analysis composed from facts."""
        return self._filled(self.phrases[key], values)

    def reason(self, reason: Reason) -> str:
        """Why a commit has its tier, in a few words."""
        subject = reason.subject
        shown = self.number(int(subject)) if reason.code in _COUNTED and subject.isdecimal() else subject
        return self.reasons[reason.code].format(subject=shown)

    def number(self, n: int) -> str:
        """A whole number with the language's sign between thousands."""
        return f"{n:,}".replace(",", self.thousands)

    def _filled(self, forms: Forms, values: Mapping[str, object]) -> str:
        template = forms if isinstance(forms, str) else forms[self.plural(_count(values))]
        return template.format(**{name: self._shown(value) for name, value in values.items()})

    def _shown(self, value: object) -> object:
        return _Number(value, self.thousands) if isinstance(value, int) and not isinstance(value, bool) else value


def _refuse_gaps(module: Any) -> None:
    whole: Any = import_module(f"report.labels.{SPARE}")
    gaps = [
        f"{table} {key}"
        for table in ("PHRASES", "REASONS", "TIERS", "TYPES", "WORDS")
        for key in sorted(getattr(whole, table).keys() - getattr(module, table).keys())
    ]
    if gaps:
        raise DaybookError(f"{module.__name__.replace('.', '/')}.py lacks {', '.join(gaps)}")


@dataclass(frozen=True)
class _Number:
    """A number that a template with `:,` writes as its language does."""

    value: int
    thousands: str

    def __format__(self, spec: str) -> str:
        return format(self.value, spec).replace(",", self.thousands)


def _count(values: Mapping[str, object]) -> int:
    n = values["n"]
    assert isinstance(n, int)
    return n


_loaded: dict[Language, Labels] = {}


def labels(language: Language) -> Labels:
    """The labels of a language, read once."""
    if language not in _loaded:
        _loaded[language] = Labels(language if language in languages() else SPARE)
    return _loaded[language]
