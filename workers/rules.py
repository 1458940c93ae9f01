"""The weights of triage: `triage.toml`, checked once; data only."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from core.errors import DaybookError
from core.models import Frozen

_SHIPPED = Path(__file__).with_name("triage.toml")


class Thresholds(Frozen):
    """The scores from which a commit is medium and high."""

    medium: float
    high: float


class Base(Frozen):
    """What a commit starts at, by what it touches."""

    product: float
    delivery: float
    other: float
    nature: float


class MarkWeight(Frozen):
    """The weight of a mark, by where it was seen."""

    title: float = 0.0
    body: float = 0.0
    code: float = 0.0


class ChangeWeight(Frozen):
    """The weight of public changes of one kind: the first one, each further one, and at most."""

    outer: float
    inner: float
    more: float
    cap: float


class Body(Frozen):
    """How much of a message counts, by what it is about and how clearly it speaks."""

    feature_factor: float
    loose_factor: float
    danger: float
    clearer: float


class Size(Frozen):
    """What size adds or takes away; pairs are (changed lines of code, weight)."""

    feature: tuple[tuple[int, float], ...]
    change: tuple[tuple[int, float], ...]
    tidy_below: int
    tidy: float
    tiny_build_below: int
    tiny_build: float
    other_ground: float
    sweeping_files: int
    sweeping: float


class Narrow(Frozen):
    """What shows that a change concerns few, and what that takes away."""

    title: float
    paths: float
    condition: float
    platforms: tuple[str, ...]
    folders: tuple[str, ...]
    conditions: tuple[str, ...]
    general: tuple[str, ...]


class TriageRules(Frozen):
    """All weights; see the comments in `triage.toml`."""

    thresholds: Thresholds
    base: Base
    marks: dict[str, MarkWeight]
    body: Body
    changes: dict[str, ChangeWeight]
    size: Size
    narrow: Narrow


def load_rules(path: Path = _SHIPPED) -> TriageRules:
    """Read the weights; raises DaybookError naming the key that is wrong."""
    try:
        return TriageRules.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DaybookError(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise DaybookError(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
