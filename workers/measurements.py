"""Text → the measurements that it quotes, and the largest gain that they tell of; pure, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_FIGURE = r"\d{1,7}(?:[.,]\d{1,3}){0,2}"
_RATE = r"(?:tok(?:en)?s?/s(?:ec)?|req(?:uest)?s?/s(?:ec)?|it/s|ops/s|[GM]i?B/s|T?FLOP/?S|qps|rps)"
_COST = r"(?:ns|[uµm]s|s|sec(?:onds)?|[GMK]i?B)"
_UNIT = rf"(?:{_RATE}|{_COST}|%)"
_GAIN = r"(?:faster|quicker|speed|improve|higher|less|fewer|smaller|reduc|throughput|better)"
_EFFECT = rf"(?:{_GAIN}|slower|lower|more|latency)"
# `1.3x faster`, `10-29x faster`, `speedup of 2x`, `12% less`, `120 ms -> 80 ms`, `3,400 tok/s`.
_MEASURED = re.compile(
    rf"(?<![\w.])(?:{_FIGURE} ?[x×]? ?[-–~] ?)?{_FIGURE} ?(?:[x×]|%) (?:\w{{1,12}} )?{_EFFECT}\w{{0,8}}"
    rf"|speed-?ups?:? (?:\w{{1,8}} ){{0,2}}~?{_FIGURE} ?[x×%]"
    rf"|(?<![\w.]){_FIGURE} ?{_UNIT}? ?(?:->|→|to) ?{_FIGURE} ?{_UNIT}(?!\w)"
    rf"|(?<![\w.]){_FIGURE} ?{_RATE}(?!\w)",
    re.IGNORECASE,
)
_TIMES = re.compile(rf"({_FIGURE}) ?([x×%])", re.IGNORECASE)
_GAINS = re.compile(rf"{_GAIN}|speed-?up", re.IGNORECASE)
_FROM_TO = re.compile(
    rf"({_FIGURE}) ?{_UNIT}? ?(?:->|→|to) ?({_FIGURE}) ?(?:(?P<rate>{_RATE})|(?P<cost>{_COST}))(?!\w)", re.IGNORECASE
)
_LIMIT = 8
_LENGTH = 60


class Gain(NamedTuple):
    """How many times better something became, by the text that says so."""

    times: float
    said: str


def measurements(text: str) -> tuple[str, ...]:
    """The first few measurements of a text as it has them, tables and code fences included, each once."""
    found = (" ".join(match.group().split())[:_LENGTH] for match in _MEASURED.finditer(text))
    return tuple(dict.fromkeys(found))[:_LIMIT]


def best_gain(measured: Iterable[str]) -> Gain:
    """The largest gain among measurements; 1.0 and "" where none tells of one."""
    return max((Gain(_times(said), said) for said in measured), key=lambda gain: gain.times, default=Gain(1.0, ""))


def _times(said: str) -> float:
    if found := _FROM_TO.search(said):
        before, after = _number(found.group(1)), _number(found.group(2))
        better = (after, before) if found.group("rate") else (before, after)
        return better[0] / better[1] if better[1] > 0 else 1.0
    if not _GAINS.search(said) or not (found := _TIMES.search(said)):
        return 1.0
    figure = _number(found.group(1))
    return 1.0 + figure / 100 if found.group(2) == "%" else figure


def _number(figure: str) -> float:
    """`3,400` and `1.3`, as English texts write them; 0 where it is none."""
    try:
        return float(figure.replace(",", ""))
    except ValueError:
        return 0.0
