"""Civil months of a site as half-open intervals of UTC milliseconds.

A month begins at local midnight of its first day in the site's IANA time zone (`zoneinfo`), so a March with
a change of clocks has an hour less and nobody's meter reading falls between two months. An interval that
crosses a month is refused here; `activity` decides what a register step that does so means. Left out:
billing calendars.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from carbonseal_accounting.errors import PeriodInvalid

MAX_MONTHS: Final = 240  # of one computation
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+){0,2}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS: Final = (1970, 9998)


@dataclass(frozen=True, slots=True)
class MonthSlice:
    """The part of a civil month that lies in a period: `[start_ms, end_ms)`, whole or not."""

    label: str  # 2026-01
    start_ms: int
    end_ms: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """A reporting period cut into the civil months of one time zone."""

    time_zone: str
    start_ms: int
    end_ms: int
    months: tuple[MonthSlice, ...]
    _starts: tuple[int, ...]

    @classmethod
    def of(cls, time_zone: str, start_ms: int, end_ms: int) -> Calendar:
        """Return the months of `[start_ms, end_ms)`; the first and last may be cut.

        Raises:
            PeriodInvalid: an empty period, an unknown zone, or more than MAX_MONTHS.
        """
        zone = find_zone(time_zone)
        if type(start_ms) is not int or type(end_ms) is not int or not 0 <= start_ms < end_ms:
            raise PeriodInvalid("period", "empty, or not UTC milliseconds", "give a start before the end")
        first = _local(start_ms, zone)
        year, month = first.year, first.month
        slices = list[MonthSlice]()
        while True:
            begins, ends = month_bounds(year, month, time_zone)
            if begins >= end_ms:
                break
            inside = (max(begins, start_ms), min(ends, end_ms))
            slices.append(MonthSlice(f"{year:04d}-{month:02d}", *inside, inside == (begins, ends)))
            if len(slices) > MAX_MONTHS:
                raise PeriodInvalid("period", f"longer than {MAX_MONTHS} months", "compute it in parts")
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return cls(time_zone, start_ms, end_ms, tuple(slices), tuple(s.start_ms for s in slices))

    @property
    def last_year(self) -> int:
        """The civil year in which the period ends."""
        return int(self.months[-1].label[:4])

    def index_of(self, instant: int) -> int:
        """Return the position in `months` of the month that holds `instant`.

        Raises:
            PeriodInvalid: the instant lies outside the period.
        """
        if not self.start_ms <= instant < self.end_ms:
            raise PeriodInvalid("instant", "outside the period", "give an instant of the period")
        return bisect_right(self._starts, instant) - 1

    def index_of_interval(self, start_ms: int, end_ms: int) -> int:
        """Return the position of the one month that holds `[start_ms, end_ms)`.

        Raises:
            PeriodInvalid: the interval crosses a month or leaves the period: it is never split by guessing.
        """
        index = self.index_of(start_ms)
        if not start_ms < end_ms <= self.months[index].end_ms:
            raise PeriodInvalid(
                "interval",
                f"crosses the end of {self.months[index].label} in {self.time_zone}",
                "use a step that divides the civil month of the site",
            )
        return index


def find_zone(name: object) -> ZoneInfo:
    """Return the IANA time zone `name`, such as Asia/Shanghai.

    Raises:
        PeriodInvalid: no such zone.
    """
    if isinstance(name, str) and len(name) <= 64 and _ZONE.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError, caught below
            pass
        except KeyError:
            pass
    raise PeriodInvalid(
        "time_zone", f"unknown time zone {str(name)[:40]!r}", "name an IANA zone: Asia/Shanghai"
    )


def month_bounds(year: int, month: int, time_zone: str) -> tuple[int, int]:
    """Return the half-open UTC milliseconds of a civil month."""
    if not _YEARS[0] <= year <= _YEARS[1] or not 1 <= month <= 12:
        raise PeriodInvalid("month", f"{year}-{month} is not a month", "use 1970-01 to 9998-12")
    after = (year + 1, 1) if month == 12 else (year, month + 1)
    return start_of_day(date(year, month, 1), time_zone), start_of_day(date(*after, 1), time_zone)


def start_of_day(day: date, time_zone: str) -> int:
    """Return the UTC milliseconds at which a civil day begins in `time_zone`.

    Where the clocks skip midnight the day begins with the change itself.
    """
    local = datetime(day.year, day.month, day.day, tzinfo=find_zone(time_zone))
    return (local.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


def read_period(start: object, end: object, time_zone: str, *, field: str = "period") -> Calendar:
    """Return the calendar from day `start` to day `end`, exclusive (2026-01-01; 2026-01 is its first day)."""
    begins = start_of_day(_day(start, f"{field}.start"), time_zone)
    ends = start_of_day(_day(end, f"{field}.end"), time_zone)
    if begins >= ends:
        raise PeriodInvalid(
            f"{field}.end",
            "not after the start",
            "give the first day after the period (the end is exclusive)",
        )
    return Calendar.of(time_zone, begins, ends)


def _day(value: object, field: str) -> date:
    if isinstance(value, str):
        text = f"{value}-01" if _MONTH.fullmatch(value) else value
        if _DATE.fullmatch(text):
            try:
                day = date.fromisoformat(text)
            except ValueError:
                pass
            else:
                if _YEARS[0] < day.year <= _YEARS[1]:
                    return day
    raise PeriodInvalid(field, f"{str(value)[:40]!r} is not a day", "write a day such as 2026-01-01")


def _local(instant: int, zone: ZoneInfo) -> datetime:
    try:
        return (_EPOCH + timedelta(milliseconds=instant)).astimezone(zone)
    except OverflowError as error:
        raise PeriodInvalid("period", "beyond the year 9998", "give UTC milliseconds since 1970") from error
