"""What the author of a pull request wrote is told from the form it was written into."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.hostile import hostile_text
from workers.authored import authored

FILLED = """\
<!-- Thanks!
Read the guide first. -->
## What does it do?

It hands the name on, which was lost.

- faster
- smaller

- [x] I looked for similar changes
- [x] The title reads `[module] kind: text` (this
is checked)
- If it breaks an interface, add [BREAKING]

## ✅ Pull Request Checklist

Thank you! Please see to the following.

### Pre-commit checks

- [x] They pass.

Nothing else.

## Measured

| before | after |
| --- | --- |
| 3 s | 2 s |

**Reviewers**: two people

**Before submitting**

Sign it.

**Note**

The cache must be emptied.

## Who can review?

Anybody.
"""

WRITTEN = """\

## What does it do?

It hands the name on, which was lost.

- faster
- smaller

## Measured

| before | after |
| --- | --- |
| 3 s | 2 s |

**Reviewers**: two people

**Note**

The cache must be emptied.
"""


def test_of_a_filled_in_form_the_answers_are_left() -> None:
    assert authored(FILLED) == WRITTEN


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("- [x] Breaking change (of a flag)\n- [ ] Bug fix", "Breaking change (of a flag)"),
        ("- [ ] Breaking change (of a flag)\n- [x] Bug fix", ""),
        ("before <!-- a comment that does not end\n## Checklist", "before "),
        ("* the checklist of the scheduler is kept in order", "* the checklist of the scheduler is kept in order"),
        ("# Checklist\nx\n## Deeper\ny\n# What\nz", "# What\nz"),
        ("a\n\n\n \n\nb", "a\n\nb"),
        ('SUMMARY:\n"please provide a brief summary"\n_Please say how._\nPlease do.', "SUMMARY:\nPlease do."),
    ],
)  # fmt: skip
def test_what_is_left(body: str, left: str) -> None:
    assert authored(body) == left


@given(hostile_text() | st.text("#*-[] x<!->\n"))
@example("<!--" * 50_000)
@example("#" * 50_000)
@example("- [" * 50_000)
@example(" \n" * 50_000)
def test_nothing_is_added_to_any_text(body: str) -> None:
    left = iter(body)
    assert all(character in left for character in authored(body))


@given(st.lists(st.text("ab .,`()", min_size=1), max_size=8).map("\n".join))
def test_plain_paragraphs_stay_as_they_are(body: str) -> None:
    squeezed = re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", body)
    assert authored(body) == squeezed
