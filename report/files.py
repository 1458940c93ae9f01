"""A day's report as files in REPORT_DIR, written whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from report.html import html_bytes
from report.json import report_json
from report.markdown import markdown_bytes

if TYPE_CHECKING:
    from report.daily import DailyReport


def write_report(directory: Path, report: DailyReport) -> tuple[Path, ...]:
    """Write `DIRECTORY/YYYY/OWNER/REPO/YYYY-MM-DD.{md,html,json}` and return the three paths.

    Each file is replaced in one step, and none before all three are on the disk. Raises OSError; each file is then
    the old one or the new one, and whole.
    """
    # A repository's name is checked against REPOSITORY_PATTERN, so it cannot climb out of the directory.
    folder = directory / str(report.day.year) / report.repository
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "md": markdown_bytes([report]),
        "html": html_bytes([report]),
        "json": report_json([report]),
    }
    drafts: list[tuple[Path, Path]] = []
    try:
        for ending, content in contents.items():
            path = folder / f"{report.day}.{ending}"
            drafts.append((_draft(folder), path))
            _write_through(drafts[-1][0], content)
        for draft, path in drafts:
            draft.replace(path)
    finally:
        for draft, _ in drafts:
            draft.unlink(missing_ok=True)
    _sync_folder(folder)
    return tuple(path for _, path in drafts)


def _draft(folder: Path) -> Path:
    # In the same folder, so that the replacement stays within one file system; hidden, so that nobody serves it.
    return folder / f".{secrets.token_hex(8)}.draft"


def _write_through(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new names survive a power cut as well."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
