"""Robots whose commits are upkeep whatever they hold, by name; those that write code are judged as everybody."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import Final

# Shell patterns over names in lower case. A name that only ends in `[bot]` says nothing: agents write whole fixes now.
UPKEEP_ROBOTS: Final = (
    "dependabot*", "renovate*", "pre-commit-ci*", "github-actions*", "mergify*", "allcontributors*", "imgbot*",
    "snyk-bot*", "pyup-bot*", "greenkeeper*", "weblate*", "crowdin*", "transifex*", "semantic-release*",
    "release-please*", "changeset-bot*", "codecov*", "deepsource*", "restyled-io*", "pytorchupdatebot*",
    "*-autoroll*", "*-autobump*",
)  # fmt: skip


_UPKEEP: Final = re.compile("|".join(map(translate, UPKEEP_ROBOTS)))


def is_upkeep_robot(*names: str | None) -> bool:
    """Whether one of an author's names is a robot's that does upkeep alone."""
    return any(_UPKEEP.match(name[:100].lower()) for name in names if name)
