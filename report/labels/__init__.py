"""Every word a reader sees, by language: a third language is one more file beside zh.py and en.py."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from core.models import ChangeType, Language, Reason, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping


class Labels:
    """The words of one language. A word is a `str.format` template, or a (singular, plural) pair chosen by `n`."""

    def __init__(self, language: Language) -> None:
        module: Any = import_module(f"report.labels.{language}")
        self.language = language
        self.words: Mapping[str, str | tuple[str, str]] = module.WORDS
        self.tiers: Mapping[Tier, str] = module.TIERS
        self.types: Mapping[ChangeType, str] = module.TYPES
        self.reasons: Mapping[str, str] = module.REASONS
        self.phrases: Mapping[str, str | tuple[str, str]] = module.PHRASES

    def word(self, key: str, **values: object) -> str:
        """A word or sentence of the page."""
        return _filled(self.words[key], values)

    def phrase(self, key: str, **values: object) -> str:
        """A sentence of an analysis composed from facts."""
        return _filled(self.phrases[key], values)

    def reason(self, reason: Reason) -> str:
        """Why a commit has its tier, in a few words."""
        return self.reasons[reason.code].format(subject=reason.subject)


def _filled(template: str | tuple[str, str], values: Mapping[str, object]) -> str:
    if isinstance(template, tuple):
        template = template[0] if values.get("n") == 1 else template[1]
    return template.format(**values)


_loaded: dict[Language, Labels] = {}


def labels(language: Language) -> Labels:
    """The labels of a language, read once."""
    if language not in _loaded:
        _loaded[language] = Labels(language)
    return _loaded[language]
