"""The places of a measurement's grid over a reporting period, and the months they fall in.

Places are every `step_ms` from the start of the period. A step of whole days follows civil days where the
clocks change, so a daily reading stays a daily reading. A step that does not divide the civil months is
refused: an interval across a month belongs to neither.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from carbonseal_accounting.errors import PeriodInvalid
from carbonseal_accounting.periods import Calendar, find_zone, start_of_day

MAX_PLACES: Final = 40_000_000  # of a plan over a period: seventy-six points a minute for a year
_DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Axis:
    """`count` places; `edges` holds their bounds where they are uneven, else is None."""

    start_ms: int
    end_ms: int
    step_ms: int
    count: int
    months: tuple[tuple[str, int, int], ...]  # label, first place, place after the last
    edges: tuple[int, ...] | None
    _month_ends: tuple[int, ...]

    def place(self, at: int, step: int, count: int, width: int) -> int | None:
        """Return the place of the interval at `at`, `count` of which follow each other by `step`; else None.

        None also when an interval is not exactly of the grid, or one of them lies outside the period.
        """
        if self.edges is not None:
            if count != 1:
                return None
            index = bisect_left(self.edges, at)
            is_place = index < self.count and self.edges[index] == at
            return index if is_place and width in (self.step_ms, self.edges[index + 1] - at) else None
        index, rest = divmod(at - self.start_ms, self.step_ms)
        if rest or width != self.step_ms or (count > 1 and step != self.step_ms):
            return None
        return index if index >= 0 and index + count <= self.count else None

    def bounds_at(self, at: int, step: int, count: int) -> int | None:
        """Return the first of `count` bounds that instants from `at` by `step` hit exactly, or None."""
        if self.edges is not None or (count > 1 and step != self.step_ms):
            return None
        index, rest = divmod(at - self.start_ms, self.step_ms)
        return index if not rest and index >= 0 and index + count <= self.count + 1 else None

    def months_beside(self, first: int, last: int) -> set[int]:
        """Return the months of the places before and after bounds `first` to `last` (exclusive)."""
        return set(self.months_of(max(first - 1, 0), min(last, self.count)))

    def nearest(self, at: int) -> int | None:
        """Return the bound (0 to `count`) within a quarter of a step of `at`, or None."""
        tolerance = self.step_ms // 4
        if self.edges is not None:
            index = bisect_left(self.edges, at - tolerance)
            return index if index <= self.count and abs(self.edges[index] - at) <= tolerance else None
        index, rest = divmod(at - self.start_ms + tolerance, self.step_ms)
        return index if rest <= 2 * tolerance and 0 <= index <= self.count else None

    def bound(self, index: int) -> int:
        """Return the instant of bound `index`."""
        return self.start_ms + index * self.step_ms if self.edges is None else self.edges[index]

    def holds(self, at: int) -> bool:
        """Whether the instant lies in the period."""
        return self.start_ms <= at < self.end_ms

    def covered(self, start: int, end: int, *, by_end: bool) -> tuple[int, int]:
        """Return the places (first, after last) whose start, or end, lies in `[start, end)`."""
        shift = 1 if by_end else 0
        first, last = (self._first_bound(instant) - shift for instant in (start, end))
        return max(first, 0), min(last, self.count)

    def month_at(self, index: int) -> int:
        """Return the month of place `index`."""
        return bisect_right(self._month_ends, index)

    def months_of(self, first: int, last: int) -> Iterator[int]:
        """Yield the months that places `first` to `last` (exclusive) touch."""
        yield from range(self.month_at(first), self.month_at(last - 1) + 1)

    def _first_bound(self, at: int) -> int:
        if self.edges is not None:
            return bisect_left(self.edges, at)
        return max(-((self.start_ms - at) // self.step_ms), 0)


def make_axis(calendar: Calendar, step_ms: int, name: str) -> Axis:
    """Return the axis of a step over a calendar.

    Raises:
        PeriodInvalid: the step does not divide the civil months, or makes too many places.
    """
    spans = [month.end_ms - month.start_ms for month in calendar.months]
    if all(span % step_ms == 0 for span in spans):
        edges: Sequence[int] | None = None
        counts = [span // step_ms for span in spans]
    elif step_ms % _DAY_MS == 0:
        edges = _civil_days(calendar, step_ms // _DAY_MS)
        counts = [
            bisect_left(edges, month.end_ms) - bisect_left(edges, month.start_ms) for month in calendar.months
        ]
        if any(month.end_ms not in edges for month in calendar.months):
            raise _not_dividing(name, calendar)
    else:
        raise _not_dividing(name, calendar)
    if sum(counts) > MAX_PLACES:
        raise PeriodInvalid(name, f"more than {MAX_PLACES} places of the grid", "compute it in parts")
    months, first = list[tuple[str, int, int]](), 0
    for month, count in zip(calendar.months, counts, strict=True):
        months.append((month.label, first, first + count))
        first += count
    return Axis(
        calendar.start_ms,
        calendar.end_ms,
        step_ms,
        first,
        tuple(months),
        None if edges is None else tuple(edges),
        tuple(last for _, _, last in months),
    )


def _civil_days(calendar: Calendar, days: int) -> list[int]:
    """Return the starts of every `days`-th civil day from the period's start, and its end."""
    zone = find_zone(calendar.time_zone)
    day = (_EPOCH + timedelta(milliseconds=calendar.start_ms)).astimezone(zone).date()
    edges = list[int]()
    while not edges or edges[-1] < calendar.end_ms:
        edges.append(start_of_day(day, calendar.time_zone))
        day += timedelta(days=days)
    return edges if edges[0] == calendar.start_ms else []


def _not_dividing(name: str, calendar: Calendar) -> PeriodInvalid:
    return PeriodInvalid(
        f"measurements.{name}.step_ms",
        f"does not divide the civil months of {calendar.time_zone} in this period",
        "use a step that does, and a period that begins and ends on the grid",
    )
