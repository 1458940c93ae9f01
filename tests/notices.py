"""Notices for tests of the channels: what they say does not matter there, what becomes of them does."""

from __future__ import annotations

from core.models import Tier
from workers.notices import Notice


def a_notice(headline: str, *ids: str) -> Notice:
    """A notice with this headline and these ids."""
    return Notice(
        kind="commit", id=ids, language="en", headline=headline, tier=Tier.HIGH, link="https://example.org/commit/1",
        page="https://daybook.example.org/a/b/commit/1", facts=("a/b · main",), summary="It says so.",
    )  # fmt: skip
