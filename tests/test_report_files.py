"""Files of a report: where they are, what they hold, and that nothing is ever half there."""

from __future__ import annotations

from pathlib import Path

import pytest

from report.files import write_report
from report.html import html_page
from report.json import report_from_json
from report.markdown import markdown
from tests.records import report, varied_day


def test_three_files_by_year_and_repository(tmp_path: Path) -> None:
    day = report(varied_day())
    paths = write_report(tmp_path / "reports", day)
    folder = tmp_path / "reports/2026/octocat/hello-world"
    assert paths == tuple(folder / f"2026-02-17.{ending}" for ending in ("md", "html", "json"))
    assert paths[0].read_text(encoding="utf-8") == markdown([day])
    assert paths[1].read_text(encoding="utf-8") == html_page([day])
    assert report_from_json(paths[2].read_bytes()) == day
    assert sorted(folder.iterdir()) == sorted(paths)


def test_a_new_revision_replaces_the_old_one(tmp_path: Path) -> None:
    write_report(tmp_path, report([]))
    paths = write_report(tmp_path, report(varied_day(), revision=2))
    assert report_from_json(paths[2].read_bytes()).revision == 2


def test_what_cannot_be_written_leaves_whole_files_and_no_drafts(tmp_path: Path) -> None:
    old = write_report(tmp_path, report([]))
    old[1].unlink()
    (old[1] / "in the way").mkdir(parents=True)  # no file can take the place of a folder, whoever runs this test
    day = report(varied_day())
    with pytest.raises(OSError, match=r"2026-02-17\.html"):
        write_report(tmp_path, day)
    assert old[0].read_text(encoding="utf-8") == markdown([day])
    assert report_from_json(old[2].read_bytes()) == report([])
    assert sorted(old[0].parent.iterdir()) == sorted(old)
