"""Periods as people write them: civil months and years of a site, as half-open intervals of milliseconds.

`2026-01` is a month, `2026` a year, `2026-01..2026-03` a quarter, both ends included. Two UTC instants with a
slash are taken when they fall on the borders of months. Bills over other spans are split by their supplier.
"""

from __future__ import annotations

import re
from typing import Final

from carbonseal_accounting.periods import Calendar, month_bounds
from carbonseal_api.evidence.errors import MonthsNotWhole
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Interval, format_instant, parse_instant

MAX_TEXT: Final = 60  # characters of a period
_MONTH: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?")
_REMEDY: Final = "write 2026-01, 2026, 2026-01..2026-03, or the two UTC instants at borders of months"


def read_period(text: str, time_zone: str, *, field: str = "period") -> Interval:
    """Return the half-open interval, in ms, of the civil months that `text` names in `time_zone`.

    Raises:
        MonthsNotWhole: no period, or not made of whole civil months.
    """
    try:
        if "T" in text:
            start, _, end = text.partition("/")
            interval = parse_instant(start, field=field), parse_instant(end, field=field)
        else:
            first, dots, last = text.partition("..")
            interval = _months(first, time_zone)[0], _months(last if dots else first, time_zone)[1]
        months = Calendar.of(time_zone, *interval).months
    except (CarbonsealError, ValueError) as problem:
        raise MonthsNotWhole(field, f"{text[:MAX_TEXT]!r} is no period of months", _REMEDY) from problem
    if not all(month.is_whole for month in months):
        reason = f"{text[:MAX_TEXT]!r} does not tile civil months in {time_zone}"
        raise MonthsNotWhole(field, reason, _REMEDY)
    return interval


def period_label(interval: Interval, time_zone: str) -> str:
    """Return an interval as `read_period` takes it: a month, a year, several months, else two instants."""
    months = Calendar.of(time_zone, *interval).months
    first, last = months[0].label, months[-1].label
    if not all(month.is_whole for month in months):
        return "/".join(format_instant(at) for at in interval)
    if first == last:
        return first
    is_year = first.endswith("-01") and last == f"{first[:4]}-12"
    return first[:4] if is_year else f"{first}..{last}"


def _months(text: str, time_zone: str) -> Interval:
    match = _MONTH.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month = int(match[1]), match[2]
    if month is not None:
        return month_bounds(year, int(month), time_zone)
    return month_bounds(year, 1, time_zone)[0], month_bounds(year, 12, time_zone)[1]
