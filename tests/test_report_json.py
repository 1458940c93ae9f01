"""The JSON of a report: whole text, and back again."""

from __future__ import annotations

import json

import pytest

from report.json import report_from_json, report_json
from tests.goldens import assert_golden
from tests.records import pages

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_whole_document(name: str) -> None:
    raw = report_json(PAGES[name])
    # Indented in the golden file for the reader of a diff; the bytes themselves are compact.
    assert_golden(f"{name}.json", json.dumps(json.loads(raw), ensure_ascii=False, indent=1) + "\n")
    assert raw == json.dumps(json.loads(raw), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize("name", ["varied-zh", "varied-en", "judged-zh", "quiet", "outage"])
def test_there_and_back(name: str) -> None:
    (expected,) = PAGES[name]
    assert report_from_json(report_json([expected])) == expected
    assert report_json([report_from_json(report_json([expected]))]) == report_json([expected])


LATER = {
    "report": ("spending", "names"),
    "coverage": ("budget_shallower", "budget_rules"),
    "entry": ("verdict", "correction"),
    "analysis": ("opinion", "names_checked", "names_removed", "parts", "batch", "limit"),
}


def test_a_report_from_before_there_were_two_judges_is_read() -> None:
    (expected,) = PAGES["two"][:1]
    document = json.loads(report_json([expected]))
    (kept,) = document["reports"]
    parts = {"report": [kept], "coverage": [kept["coverage"]], "entry": kept["entries"]}
    parts["analysis"] = [entry["analysis"] for entry in kept["entries"]]
    for part, names in LATER.items():
        for found in parts[part]:
            for name in names:
                del found[name]
    assert report_from_json(json.dumps(document).encode()).entries == expected.entries


def test_a_document_of_two_is_not_one_report() -> None:
    with pytest.raises(ValueError, match="one report is wanted, the document holds 2"):
        report_from_json(report_json(PAGES["two"]))


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"schema_version": 2, "day": "2026-02-17", "reports": []}'])
def test_other_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        report_from_json(raw)


def test_no_report_is_no_document() -> None:
    with pytest.raises(ValueError, match="reports of one day"):
        report_json([])
