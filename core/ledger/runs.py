"""How long the runs of stages take: in which part of the histogram one is counted."""

from __future__ import annotations

import time
from bisect import bisect_left

# Upper bounds in seconds of the histogram of stage durations; what is longer falls into a last one without a bound.
BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

Run = tuple[str, str]
NO_RUN: Run = ("", "")


def run_since(began: float | None) -> Run:
    """A run that ends now, as `ran` in lua/prelude.lua is told of it; `began` by the monotonic clock, None for none."""
    if began is None:
        return NO_RUN
    seconds = time.monotonic() - began
    return str(bisect_left(BUCKETS, seconds)), f"{seconds:.6f}"
