"""The reports as files: written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from report.daily import DailyReport
from report.html import html_page
from report.json import report_json
from report.markdown import markdown


def write_report(directory: Path, report: DailyReport) -> tuple[Path, Path, Path]:
    """Write `directory/YYYY/OWNER/REPO/YYYY-MM-DD` as .md, .html and .json; returns their paths.

    Each file appears whole: a reader, or a process killed half-way, sees the old one or the new one. Raises OSError.
    """
    folder = directory / str(report.day.year) / report.repository
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"md": markdown([report]).encode(), "html": html_page([report]).encode(), "json": report_json([report])}
    md, html, json = (_replaced(folder / f"{report.day}.{form}", page) for form, page in pages.items())
    return md, html, json


def _replaced(path: Path, content: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fchmod(handle.fileno(), 0o644)
            os.fsync(handle.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return path
