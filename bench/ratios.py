"""The figures of a benchmark as JSON: a flat map of name → value, its unit, and which way is better."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, TypeAdapter


class Figure(BaseModel):
    """One figure. `better` says whether a higher or a lower value is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: FiniteFloat
    better: Literal["higher", "lower"]
    unit: str


Figures = dict[str, Figure]
_FIGURES = TypeAdapter(Figures)


def lower(value: float, unit: str) -> Figure:
    """A figure that should be low; kept to four digits."""
    return Figure(value=float(f"{value:.4g}"), better="lower", unit=unit)


def higher(value: float, unit: str) -> Figure:
    """A figure that should be high; kept to four digits."""
    return Figure(value=float(f"{value:.4g}"), better="higher", unit=unit)


def read(path: Path) -> Figures:
    """The figures of a file; raises OSError, or ValueError (pydantic's) where it is not a map of figures."""
    return _FIGURES.validate_json(path.read_bytes())


def write(path: Path, figures: Mapping[str, Figure]) -> None:
    """Write a file of figures, a line each, by name."""
    rows = (f"  {json.dumps(name)}: {figures[name].model_dump_json()}" for name in sorted(figures))
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n")
