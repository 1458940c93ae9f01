"""Type hints as Python writes them today say what the old ones said."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from core.models import Reason, Tier
from tests.patches import change, commit, diff
from tests.test_triage import judged
from workers.looks import with_plain_types

OLD_HINTS = """@@ -1,4 +1,5 @@ import torch
-from typing import Any, Dict, List, Optional, Union
-Pair = Tuple[Tensor, Tensor]
+Pair = tuple[Tensor, Tensor]
-def run(self, given: Optional[List[int]] = None, other: Union[Dict[str, Any], None, Hook[[int, str], bool]] = None):
+def run(
+    self, given: list[int] | None = None, other: dict[str, Any] | None | Hook[[int, str], bool] = None
+):
     return given
"""


def test_types_written_as_they_are_today_are_a_matter_of_looks() -> None:
    found = judged(commit("Modernise the types"), diff(change("app/run.py", OLD_HINTS)))
    assert (found.tier, found.reasons) == (Tier.LOW, (Reason(code="cosmetic"),))
    other = judged(
        commit("Modernise the types"), diff(change("app/run.py", OLD_HINTS.replace("list[int]", "list[str]")))
    )
    assert other.reasons != (Reason(code="cosmetic"),)


@given(st.lists(st.text("Optionalst[](), |Unio")))
@example(["Optional[" * 2_000, "List[" * 2_000 + "]" * 2_000, "Union[" + "a, " * 5_000 + "]"])
def test_types_in_any_text_are_read(lines: list[str]) -> None:
    plain = with_plain_types(lines)
    assert len(plain) == len(lines)
    assert with_plain_types(plain) == plain or any(line.count("[") > 40 for line in lines)
