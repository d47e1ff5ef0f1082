"""Civil days, months and years of China, as half-open intervals of instants.

`2026`, `2026-01`, `2026-01..2026-03` and `2026-01-05..2026-03-31` (the last one included) are read as people
write them; inside, everything is milliseconds since 1970 UTC. A civil day ends where the next one begins.
The zone is Asia/Shanghai: industry means, grants and grades are of Chinese civil years. A report's own zone
is its plan's.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from datetime import time as day_time
from typing import Final
from zoneinfo import ZoneInfo

from carbonseal_api.problems import RequestInvalid
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Interval, parse_instant

ZONE: Final = ZoneInfo("Asia/Shanghai")
_SPAN: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?")
_LAST_YEAR: Final = 9000  # what comes after a day must still be a date


def start_of(day: date) -> int:
    """Return the instant at which a civil day begins."""
    return int(datetime.combine(day, day_time(), ZONE).timestamp()) * 1000


def end_of(day: date) -> int:
    """Return the instant at which a civil day ends: the next one's begin, which is no longer part of it."""
    return start_of(day + timedelta(days=1))


def parse_day(text: str, field: str) -> date:
    """Return the civil day that `2026-01-31` names.

    Raises:
        RequestInvalid: It names none.
    """
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a civil day has no zone yet
    except ValueError:
        raise RequestInvalid(field, f"{text[:40]!r} is no day", "write one such as 2026-01-31") from None
    if not text.isascii() or len(text) != 10 or not 1970 < day.year < _LAST_YEAR:
        raise RequestInvalid(field, f"{text[:40]!r} is no day", "write one such as 2026-01-31")
    return day


def parse_civil_span(text: str, field: str) -> Interval:
    """Return the interval of a year, a month or a day, or from one to another, both included.

    Raises:
        RequestInvalid: It is none of them, or ends before it starts.
    """
    first, is_range, last = text.partition("..")
    start, end = _span_of(first, field)
    if is_range:
        end = _span_of(last, field)[1]
    if start >= end:
        raise RequestInvalid(field, "ends before it starts", "give the first and the last day")
    return start, end


def _span_of(text: str, field: str) -> Interval:
    if len(text) == 10:
        day = parse_day(text, field)
        return start_of(day), end_of(day)
    match = _SPAN.fullmatch(text)
    year = int(match[1]) if match else 0
    month = int(match[2]) if match and match[2] else None
    if not 1970 < year < _LAST_YEAR or (month is not None and not 1 <= month <= 12):
        raise RequestInvalid(
            field, f"{text[:40]!r} is no period", "write 2026, 2026-01 or 2026-01-01..2026-03-31"
        )
    if month is None:
        return start_of(date(year, 1, 1)), start_of(date(year + 1, 1, 1))
    return start_of(date(year, month, 1)), start_of(date(year + month // 12, month % 12 + 1, 1))


def parse_as_of(text: str | None, now: int, field: str = "as_of") -> int:
    """Return the instant that `as_of` means: an instant itself, the last moment of a civil day, or now.

    A civil day stands for its end, so that whatever was registered during it counts; today stands for now.

    Raises:
        RequestInvalid: Neither a day nor an instant, or it lies ahead of `now`.
    """
    if text is None:
        return now
    if "T" in text:
        try:
            at = parse_instant(text, field=field)
        except CarbonsealError as problem:
            raise RequestInvalid(problem.field, problem.reason, problem.remedy) from problem
    else:
        day = parse_day(text, field)
        at = end_of(day) - 1
        if start_of(day) <= now <= at:
            return now
    if at > now:
        raise AsOfInFuture(field, f"{text[:40]} lies ahead", "ask for a day that has come, or leave it out")
    return at


class AsOfInFuture(RequestInvalid):
    """What holds on a day to come is not known."""

    code = "as-of-in-future"
