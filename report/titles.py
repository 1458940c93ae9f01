"""What a commit is called on every page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from report.prose import clean

if TYPE_CHECKING:
    from core.models import Commit

# What a message's first line can be when nobody wrote one (see git-interpret-trailers(1)).
_TRAILER = re.compile(r"(?:[A-Za-z]+-)+by: |Change-Id: |Cc: |Bug: |git-svn-id: ", re.IGNORECASE)


def shown_title(commit: Commit) -> str:
    """The first line of the message, or the short sha when it shows nothing or there are trailers alone."""
    return commit.sha[:7] if _TRAILER.match(commit.title) or not clean(commit.title) else commit.title
