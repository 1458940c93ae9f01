"""The weights of triage: `triage.toml`, with what a repository's table sets otherwise; checked once, data only."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import FiniteFloat, ValidationError, model_validator

from core.errors import DaybookError
from core.models import Frozen
from core.settings import RepositorySettings

_SHIPPED = Path(__file__).with_name("triage.toml")


class Thresholds(Frozen):
    """The scores from which a commit is medium and high."""

    medium: FiniteFloat
    high: FiniteFloat

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.medium > self.high:
            raise ValueError("medium is above high")
        return self


class Base(Frozen):
    """What a commit starts at, by what it touches."""

    product: FiniteFloat
    delivery: FiniteFloat
    vendored_fix: FiniteFloat
    other: FiniteFloat
    nature: FiniteFloat


class MarkWeight(Frozen):
    """The weight of a mark, by where it was seen."""

    title: FiniteFloat = 0.0
    body: FiniteFloat = 0.0
    code: FiniteFloat = 0.0


class ChangeWeight(Frozen):
    """The weight of public changes of one kind: the first one, each further one, and at most."""

    outer: FiniteFloat
    inner: FiniteFloat
    more: FiniteFloat
    cap: FiniteFloat


class Body(Frozen):
    """How much of a message counts, by what it is about and how clearly it speaks."""

    feature_factor: FiniteFloat
    loose_factor: FiniteFloat
    danger: FiniteFloat
    gain_from: FiniteFloat
    gain: FiniteFloat
    clearer: FiniteFloat


class Size(Frozen):
    """What size adds or takes away; pairs are (changed lines of code, weight)."""

    feature: tuple[tuple[int, FiniteFloat], ...]
    change: tuple[tuple[int, FiniteFloat], ...]
    tidy_below: int
    tidy_bump_below: int
    tidy: FiniteFloat
    tiny_build_below: int
    tiny_build: FiniteFloat
    aside_below: int
    aside: FiniteFloat
    other_ground: FiniteFloat
    sweeping_files: int
    sweeping: FiniteFloat


class Narrow(Frozen):
    """What shows that a change concerns few, and what that takes away."""

    title: FiniteFloat
    paths: FiniteFloat
    condition: FiniteFloat
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


# Tables that list what triage may find; elsewhere the models themselves refuse a key they do not know.
_BY_NAME = ("marks", "changes")
_NO_SUCH_KEY = "no such key; workers/triage.toml shows them all"
_WORDED = {"extra_forbidden": _NO_SUCH_KEY, "model_type": "a table is wanted", "dict_type": "a table is wanted"}


def load_rules(path: Path = _SHIPPED) -> TriageRules:
    """Read the weights; raises DaybookError naming the key that is wrong."""
    return _checked(_read(path), f"{path.name}: ")


def rules_for(table: RepositorySettings) -> TriageRules:
    """The shipped weights with the repository's `[repository.triage]` over them; read and checked once for each table.

    Numbers and lists are replaced, tables are merged. Raises DaybookError naming the repository and the dotted key.
    """
    try:
        return _overridden(json.dumps(table.triage, sort_keys=True, default=str))
    except DaybookError as error:
        raise DaybookError(f"[[repository]] {table.name}: {error}") from None


@lru_cache(maxsize=256)
def _overridden(overrides: str) -> TriageRules:
    shipped, wanted, where = _read(_SHIPPED), json.loads(overrides), "triage."
    for group in _BY_NAME:
        chosen = wanted.get(group)
        for name in chosen if isinstance(chosen, dict) else ():
            if name not in shipped[group]:
                raise DaybookError(f"{where}{group}.{name}: {_NO_SUCH_KEY}")
    return _checked(_merged(shipped, wanted), where)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DaybookError(f"{path.name} cannot be read: {error}") from error


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**base, **over}
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            merged[key] = _merged(base[key], over[key])
    return merged


def _checked(document: Mapping[str, Any], where: str) -> TriageRules:
    try:
        return TriageRules.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        said = _WORDED.get(first["type"], first["msg"])
        key = ".".join(map(str, first["loc"]))
        raise DaybookError(f"{where}{key}: {said.removeprefix('Value error, ')}") from None
