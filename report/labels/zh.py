"""Chinese: the words of the page, and of the analyses that are composed from facts."""

from __future__ import annotations

from core.models import ChangeType, Tier

TIERS: dict[Tier, str] = {}

TYPES: dict[ChangeType, str] = {}

# Words of the page.
WORDS: dict[str, str | tuple[str, str]] = {}

# Reasons of a tier, by code; {subject} is what the reason speaks of.
REASONS: dict[str, str] = {}

# Sentences of an analysis composed from facts.
PHRASES: dict[str, str | tuple[str, str]] = {}
