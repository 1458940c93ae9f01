"""What changed between two points → JSON bytes; docs/report-schema.md describes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from report.changes_between import Between


def between_json(found: Between) -> bytes:
    """UTF-8 JSON, keys sorted: the same reports give the same bytes."""
    return json_line(found.model_dump(mode="json"))


def json_line(document: object) -> bytes:
    """One line of JSON."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"
