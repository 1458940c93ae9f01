"""Inline SVG, each with the same numbers as a table for who cannot see it: 30 days, the day by hour, the areas touched.

A tier is told by its form and by its colour: high is a full bar, medium a narrower pale one, low an outline.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from markupsafe import Markup

from core.models import Tier
from report.prose import html_text
from report.table import Table
from report.trend import TREND_DAYS, DayCount, first_day

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from report.daily import DailyReport
    from report.labels import Labels

AREAS_SHOWN = 6
_QUARTER_SECONDS = 900
_QUARTER = _QUARTER_SECONDS * 1_000_000  # in microseconds

# Units of the drawings; the page scales them to its own width.
_WIDTH, _TOP, _BASE, _HEIGHT = 300.0, 13.0, 74.0, 88.0
_SHARES = {Tier.HIGH: 0.76, Tier.MEDIUM: 0.56, Tier.LOW: 0.64}  # of a bar's place
_LONG, _THICK = 100.0, 8.0

Counts = dict[Tier, int]


@dataclass(frozen=True)
class _Slot:
    """A place on the axis of a chart: its name, its numbers (None: nothing is known), and a word below, if any."""

    name: str
    counts: Counts | None
    below: str = ""

    @property
    def total(self) -> int:
        return sum(self.counts.values()) if self.counts else 0


def trend_chart(trend: Sequence[DayCount], words: Labels, last: date | None = None) -> Markup:
    """The 30 days that end with `last` (None: the last of `trend`); nothing when `trend` has fewer than two days."""
    if len(trend) < 2:
        return Markup("")
    last = last or trend[-1].day
    known = {count.day: _counts(count) for count in trend}
    days = [first_day(last) + timedelta(days=n) for n in range(TREND_DAYS)]
    marked = {days[0], days[TREND_DAYS // 2], last}
    slots = [_Slot(day.isoformat(), known.get(day), _short(day) if day in marked else "") for day in days]
    return _bar_chart(slots, words.word("chart_trend", n=TREND_DAYS), words.word("chart_day"), words)


def hours_chart(report: DailyReport, words: Labels) -> Markup:
    """When the commits of the day landed, by hour of the report's time zone; nothing for a day without commits."""
    if not report.entries:
        return Markup("")
    hours: list[Counts] = [dict.fromkeys(Tier, 0) for _ in range(24)]
    for (hour, tier), times in Counter(
        zip(_hours(report), Table.of(report.commits).column("tier"), strict=True)
    ).items():
        hours[hour][tier] += times
    slots = [_Slot(f"{hour:02}:00", counts, f"{hour}" if hour % 6 == 0 else "") for hour, counts in enumerate(hours)]
    title = words.word("chart_hours", timezone=report.timezone)
    return _bar_chart(slots, title, words.word("chart_hour"), words)


def _hours(report: DailyReport) -> Iterator[int]:
    """The hour in which each commit landed, by the report's time zone, whose offset is one of quarters of an hour."""
    quarters = [landed // _QUARTER for landed in Table.of(report.commits).column("landed")]
    known = {quarter: datetime.fromtimestamp(quarter * _QUARTER_SECONDS, report.zone).hour for quarter in set(quarters)}
    return map(known.__getitem__, quarters)


def areas_chart(report: DailyReport, words: Labels) -> Markup:
    """The areas that most commits of the day touch, each with a bar; nothing when no diff is known."""
    touched: dict[str, Counts] = {}
    commits = Table.of(report.commits)
    alike = Counter(zip(commits.column("areas"), commits.column("tier"), strict=True))
    for (areas, tier), times in alike.items():
        for area in areas:
            touched.setdefault(area, dict.fromkeys(Tier, 0))[tier] += times
    if not touched:
        return Markup("")
    most = sorted(touched.items(), key=_weight)[:AREAS_SHOWN]
    longest = sum(most[0][1].values())
    rows = Markup("\n").join(_area_row(area, counts, longest, words) for area, counts in most)
    head = _head(words.word("chart_area"), words)
    return Markup(
        '<figure class="chart areas">\n<figcaption>{}</figcaption>\n<table>\n<thead class="hidden">{}</thead>\n'
        "<tbody>\n{}\n</tbody>\n</table>\n</figure>"
    ).format(words.word("chart_areas"), head, rows)


def _weight(touched: tuple[str, Counts]) -> tuple[int, int, int, str]:
    area, counts = touched
    return -sum(counts.values()), -counts[Tier.HIGH], -counts[Tier.MEDIUM], area


def area_name(area: str, words: Labels) -> str:
    """A directory as a reader knows it; the top of the repository has no name of its own."""
    return words.word("area_top") if area == "." else area


def _counts(count: DayCount) -> Counts:
    return {tier: getattr(count, tier.value) for tier in Tier}


def _short(day: date) -> str:
    return f"{day:%m-%d}"


def _bar_chart(slots: Sequence[_Slot], title: str, axis: str, words: Labels) -> Markup:
    """A figure of upright bars, one place each."""
    rows = Markup("\n").join(_number_row(slot, words) for slot in slots if slot.counts is None or slot.total)
    return Markup(
        '<figure class="chart bars">\n<figcaption>{}</figcaption>\n{}\n'
        '<div class="hidden"><table>\n<thead>{}</thead>\n<tbody>\n{}\n</tbody>\n</table></div>\n</figure>'
    ).format(title, _drawing(slots, words), _head(axis, words), rows)


def _head(axis: str, words: Labels) -> Markup:
    cells = Markup("").join(Markup('<th scope="col">{}</th>').format(words.tiers[tier].capitalize()) for tier in Tier)
    return Markup('<tr><th scope="col">{}</th>{}</tr>').format(axis, cells)


def _number_row(slot: _Slot, words: Labels) -> Markup:
    if slot.counts is None:
        cells = Markup('<td colspan="{}">{}</td>').format(len(Tier), words.word("chart_unknown"))
    else:
        cells = Markup("").join(Markup("<td>{}</td>").format(slot.counts[tier]) for tier in Tier)
    return Markup('<tr><th scope="row">{}</th>{}</tr>').format(slot.name, cells)


def _drawing(slots: Sequence[_Slot], words: Labels) -> Markup:
    most = max(slot.total for slot in slots)
    place = _WIDTH / len(slots)
    parts = [
        Markup('<svg viewBox="0 0 {} {}" aria-hidden="true" focusable="false">').format(
            _number(_WIDTH), _number(_HEIGHT)
        ),
        Markup('<path class="axis" d="M0 {0}H{1}"/>').format(_number(_BASE), _number(_WIDTH)),
        *_bars(slots, place, most),
        *_captions(slots, place, most),
        *_tips(slots, place, words),
        Markup("</svg>"),
    ]
    return Markup("").join(parts)


def _bars(slots: Sequence[_Slot], place: float, most: int) -> Iterator[Markup]:
    """One path for all bars of a tier, high at the bottom so that its lengths compare; a dot where nothing is known."""
    drawn: dict[Tier, list[str]] = {tier: [] for tier in Tier}
    for n, slot in enumerate(slots):
        foot = _BASE
        for tier, count in (slot.counts or {}).items():
            if count:
                size, wide = (_BASE - _TOP) * count / most, place * _SHARES[tier]
                foot -= size
                drawn[tier].append(_box(place * n + (place - wide) / 2, foot, wide, size))
    for tier, boxes in drawn.items():
        if boxes:
            yield Markup('<path class="{}" d="{}"/>').format(tier.value, "".join(boxes))
    middles = [place * (n + 0.5) for n, slot in enumerate(slots) if slot.counts is None]
    if middles:
        dots = "".join(f"M{_number(middle - 1)} {_number(_BASE - 4)}h2" for middle in middles)
        yield Markup('<path class="gap" d="{}"/>').format(dots)


def _captions(slots: Sequence[_Slot], place: float, most: int) -> Iterator[Markup]:
    if most:
        yield Markup('<text x="0" y="9">{}</text>').format(most)
    for n, slot in enumerate(slots):
        if slot.below:
            side = "start" if n == 0 else "end" if n == len(slots) - 1 else "middle"
            at = {"start": 0.0, "middle": place * (n + 0.5), "end": _WIDTH}[side]
            yield Markup('<text class="{}" x="{}" y="{}">{}</text>').format(
                side, _number(at), _number(_HEIGHT - 2), slot.below
            )


def _tips(slots: Sequence[_Slot], place: float, words: Labels) -> Iterator[Markup]:
    """What a pointer over a place says."""
    for n, slot in enumerate(slots):
        if slot.counts is None or slot.total:
            said = words.word("chart_unknown") if slot.counts is None else _said(slot.counts, words)
            yield Markup('<rect x="{}" y="0" width="{}" height="{}"><title>{}{}{}</title></rect>').format(
                _number(place * n), _number(place), _number(_BASE), slot.name, words.word("colon"), said
            )


def _said(counts: Mapping[Tier, int], words: Labels) -> str:
    return " · ".join(f"{words.tiers[tier].capitalize()} {counts[tier]}" for tier in Tier if counts[tier])


def _area_row(area: str, counts: Counts, longest: int, words: Labels) -> Markup:
    drawn, left = [], 0.0
    for tier in Tier:
        if counts[tier]:
            wide, high = _LONG * counts[tier] / longest, _THICK * _SHARES[tier]
            box = _box(left, (_THICK - high) / 2, wide, high)
            drawn.append(Markup('<path class="{}" d="{}"/>').format(tier.value, box))
            left += wide
    svg = Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true" focusable="false">{}</svg>'
    ).format(_number(_LONG), _number(_THICK), Markup("").join(drawn))
    cells = Markup("").join(Markup('<td class="hidden">{}</td>').format(counts[tier]) for tier in Tier)
    meter = Markup('<td class="meter" aria-hidden="true">{}<span>{}</span></td>').format(svg, sum(counts.values()))
    # The bar comes last, so that the numbers stand under their heads.
    return Markup('<tr><th scope="row"><bdi>{}</bdi></th>{}{}</tr>').format(_path(area_name(area, words)), cells, meter)


def _path(name: str) -> Markup:
    """A directory that breaks after its slashes first."""
    return Markup("/<wbr>").join(html_text(part) for part in name.split("/"))


def _box(x: float, y: float, width: float, height: float) -> str:
    return f"M{_number(x)} {_number(y)}h{_number(width)}v{_number(height)}h-{_number(width)}z"


def _number(value: float) -> str:
    """At most two decimals, and none that say nothing."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
