"""Sealing windows and expected grids: which stretch of time one statement covers, and where a reading is due.

A window is either a fixed length aligned to 1970-01-01T00:00:00Z, or the civil day of the site's time zone
(23 or 25 hours long when the clocks change). The expected grid of a point starts at the site's civil
midnight and goes on in steps of real time, so that hourly slots fit zones that are off by half an hour. All
intervals are half-open, in milliseconds since 1970 UTC. Months and reporting periods are left to
accounting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

CIVIL_DAY: Final = "civil_day"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """How a source's time is cut into statements.

    Attributes:
        length_ms: fixed length in milliseconds; 0 stands for the civil day.
        time_zone: IANA name of the site's zone.
    """

    length_ms: int
    time_zone: str

    def around(self, instant: int) -> tuple[int, int]:
        """The half-open window that holds `instant`."""
        if self.length_ms:
            start = instant - instant % self.length_ms
            return start, start + self.length_ms
        return civil_day(self.time_zone, instant)

    def covering(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The windows that overlap `[start, end)`, in order."""
        at = start
        while at < end:
            window = self.around(at)
            yield window
            at = window[1]


def civil_day(time_zone: str, instant: int) -> tuple[int, int]:
    """The half-open civil day of `time_zone` that holds `instant`, in milliseconds since 1970 UTC."""
    zone = _zone(time_zone)
    day = (_EPOCH + instant * _MS).astimezone(zone).date()
    start, end = _midnight(time_zone, day), _midnight(time_zone, day + timedelta(days=1))
    return start, end


def grid(step_ms: int, time_zone: str, start: int, end: int) -> Iterator[int]:
    """The starts of the expected slots of `step_ms` that begin within `[start, end)`."""
    anchor = civil_day(time_zone, start)[0]
    slot = anchor + -(-(start - anchor) // step_ms) * step_ms
    while slot < end:
        yield slot
        slot += step_ms


def slot_of(instant: int, step_ms: int, time_zone: str) -> int:
    """The start of the expected slot that holds `instant`."""
    anchor = civil_day(time_zone, instant)[0]
    return anchor + (instant - anchor) // step_ms * step_ms


def to_instant(moment: datetime) -> int:
    """Milliseconds since 1970 UTC of an aware datetime, rounded down."""
    return (moment - _EPOCH) // _MS


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=8192)
def _midnight(time_zone: str, day: date) -> int:
    # Where the clocks jump over midnight, zoneinfo's fold=0 gives the instant of the jump: the day's true
    # start.
    return to_instant(datetime(day.year, day.month, day.day, tzinfo=_zone(time_zone)).astimezone(UTC))
