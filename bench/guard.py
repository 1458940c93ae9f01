"""Has anything become slower or larger? The benchmarks' ratios against those of `bench/baseline.json`.

    python -m bench.guard [--clone PATH] [--only start,report] [--figures FILE …] [--write NOTE]

Runs the benchmarks (those that replay a history only with `--clone`), or reads what they wrote (`--figures`), and
prints every figure that is worse than the committed one by more than 15 %; exit 1 then, and for a figure that was
committed and did not come, or came and is not committed. `--write NOTE` makes the new baseline instead: figures that
were not measured this time keep their value, and NOTE (machine, how busy) and the date are kept beside them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.figures import Figure, Figures, read

BASELINE = Path(__file__).parent / "baseline.json"
ALLOWED = 0.15
# Each writes figures that begin with its name. Those of the second kind replay a clone's history.
ALONE = ("start", "report", "memory", "receiving", "burst")
WITH_CLONE = ("rulebook",)


class Baseline(BaseModel):
    """The committed figures, when and on what they were measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: str
    note: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of one figure."""

    name: str
    kind: Literal["worse", "missing", "new", "turned"]
    text: str


def main() -> None:
    """Run or read, compare, print; exit 1 when something fell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clone", type=Path, help="a clone whose history the others replay")
    parser.add_argument("--only", help="names of benchmarks, with commas between")
    parser.add_argument("--figures", type=Path, nargs="+", default=[], help="read these files instead of running")
    parser.add_argument("--baseline", type=Path, default=BASELINE)
    parser.add_argument("--write", metavar="NOTE", help="write the baseline; NOTE says on what it was measured")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else [*ALONE, *(WITH_CLONE if options.clone else ())]
    try:
        found = figures_of(options.figures) if options.figures else measured(names, options.clone)
        baseline = kept(options.baseline)
    except (OSError, ValueError) as error:  # a ValidationError is one
        sys.exit(f"guard: {error}")
    if options.write:
        merged = baseline.figures | found if baseline else found
        save(options.baseline, Baseline(date=datetime.now(UTC).date().isoformat(), note=options.write, figures=merged))
        print(f"wrote {len(found)} figures of {len(merged)} to {options.baseline}")
        return
    if baseline is None:
        sys.exit(f"guard: there is no {options.baseline}; make one with --write NOTE")
    asked = {bench_of(name) for name in found} if options.figures else set(names)
    told(baseline, found, asked)


def told(baseline: Baseline, found: Figures, asked: Collection[str]) -> None:
    """Print what was found, and what was not looked at; exit 1 when there is anything to say against it."""
    findings = list(compared(baseline.figures, found, asked))
    for finding in findings:
        print(f"{finding.kind.upper():<8} {finding.name}: {finding.text}")
    unseen = sorted({bench_of(name) for name in baseline.figures}.difference(asked))
    print(f"{len(found)} figures against {baseline.date} ({baseline.note}): {len(findings)} findings"
          + (f"; not looked at: {', '.join(unseen)}" if unseen else ""))  # fmt: skip
    sys.exit(bool(findings))


def compared(before: Mapping[str, Figure], now: Mapping[str, Figure], asked: Collection[str]) -> Iterator[Finding]:
    """Every finding, by name, among the benchmarks that were asked for."""
    for name in sorted({*before, *now}):
        if name not in before:
            yield Finding(name, "new", f"{_shown(now[name])}, not in the baseline")
        elif name in now:
            yield from _changed(name, before[name], now[name])
        elif bench_of(name) in asked:
            yield Finding(name, "missing", f"was {_shown(before[name])}, was not measured")


def bench_of(name: str) -> str:
    """Which benchmark a figure comes from: its name's first word."""
    found = re.match(r"[a-z]*", name)
    return found[0] if found else ""


def _changed(name: str, before: Figure, now: Figure) -> Iterator[Finding]:
    if (before.better, before.unit) != (now.better, now.unit):
        yield Finding(
            name, "turned", f"was {_shown(before)}, {before.better} is better; is {_shown(now)}, {now.better}"
        )
    elif compares(name) and (loss := worse_by(before, now)) > ALLOWED:
        yield Finding(name, "worse", f"was {_shown(before)}, is {_shown(now)}: {100 * loss:.0f} % worse")


def worse_by(before: Figure, now: Figure) -> float:
    """By what share the figure fell: 0.2 for 10 → 12 where lower is better, and for 12 → 10 where higher is."""
    worse, better = (now.value, before.value) if before.better == "lower" else (before.value, now.value)
    if worse <= better:
        return 0.0
    return worse / better - 1 if better > 0 else float("inf")


def compares(name: str) -> bool:
    """Whether a figure says the same on every machine: seconds and rates are told, for the reader, and not compared."""
    return not name.endswith(("_seconds", "_per_second", "_ms", "_us"))


def _shown(figure: Figure) -> str:
    return f"{figure.value:g} {figure.unit}"


def measured(names: Collection[str], clone: Path | None) -> Figures:
    """Run benchmarks one after the other; one that fails is told, and its figures will be missing."""
    found: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            file = Path(folder) / f"{name}.json"
            more = [str(clone)] if clone and name in WITH_CLONE else []
            print(f"running bench.{name} …", file=sys.stderr)
            done = subprocess.run([sys.executable, "-m", f"bench.{name}", *more, "--json", str(file)], check=False)
            if done.returncode:
                print(f"FAILED   bench.{name} ended with {done.returncode}")
            if file.exists():
                found |= figures_of([file])
    return found


def figures_of(files: Collection[Path]) -> Figures:
    """What files of figures hold together; raises OSError, or ValueError naming the file or the figure."""
    found: Figures = {}
    for file in files:
        try:
            figures = read(file)
        except ValidationError as error:
            raise ValueError(f"{file} holds no figures: {error.errors()[0]['msg']}") from error
        if twice := found.keys() & figures.keys():
            raise ValueError(f"{file} repeats {', '.join(sorted(twice))}")
        found |= figures
    return found


def kept(file: Path) -> Baseline | None:
    """The baseline of a file; None when there is none."""
    return Baseline.model_validate_json(file.read_bytes()) if file.exists() else None


def save(file: Path, baseline: Baseline) -> None:
    """Write a baseline, a line a figure, by name."""
    ordered = baseline.model_copy(update={"figures": dict(sorted(baseline.figures.items()))})
    text = ordered.model_dump_json(indent=1)
    file.write_text(text + "\n")


if __name__ == "__main__":
    main()
