"""Report days: which calendar days there can be a report of, and reading one that a person wrote."""

from __future__ import annotations

from datetime import date

# Commits have the days of a Unix clock, and each day has days around it, which Python's calendar ends before.
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9998, 12, 31)


def day_from(text: str) -> date:
    """The day of an ISO 8601 date; raises ValueError, saying what is wrong, for what is none or out of range."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a day; write it as 2026-02-17") from error
    return in_range(day)


def in_range(day: date) -> date:
    """The same day; raises ValueError for one before FIRST_DAY or after LAST_DAY."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"'{day}' is out of range: days go from {FIRST_DAY} to {LAST_DAY}")
    return day
