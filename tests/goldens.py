"""Whole expected texts in tests/golden; `REFRESH_GOLDEN=1 pytest` writes them anew, to be read before a commit."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def assert_golden(name: str, text: str) -> None:
    """The text is exactly the kept one."""
    path = FOLDER / name
    if os.environ.get("REFRESH_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
