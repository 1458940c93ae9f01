"""The settings as every command loads them: read and checked by `core`, with the weights of triage in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core import settings as read
from core.errors import DaybookError

if TYPE_CHECKING:
    from core.settings import Settings


def load_settings(**overrides: Any) -> Settings:
    """Read them as `core.settings` does, and refuse a `[repository.triage]` that no commit could be judged by."""
    settings = read.load_settings(**overrides)
    for table in settings.daybook_repositories:
        if not table.triage:
            continue
        from workers.rules import rules_for  # most installations set no weights of their own

        try:
            rules_for(table)
        except DaybookError as error:
            raise DaybookError(f"{settings.daybook_config}: {error}") from None
    return settings
