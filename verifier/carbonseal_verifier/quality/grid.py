"""Completeness on the monitoring plan's grid: what was expected, and what became of each slot.

A slot is one point at one step of the plan. It is *measured* (a usable value, registered in time),
*late* (a usable value, registered beyond the limit), *gap* (nothing usable, and a signed gap covers
it) or *missing*. Instants and registers are counted to the nearest slot, since polling never hits the
very millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.errors import PlanUnusable
from carbonseal_verifier.quality.findings import Run, runs_of
from carbonseal_verifier.quality.series_index import BAD, OrderedSeries, PointSeries

MISSING, GAP, LATE, MEASURED = 0, 1, 2, 3
_HOUR: Final = 3_600_000
MAX_SLOTS: Final = 40_000_000


@dataclass(frozen=True, slots=True)
class Gap:
    """A signed gap: no reading of these points of a device between start and end, and why."""

    device: str
    points: frozenset[str]
    start: int
    end: int
    reason: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class SlotCounts:
    """Slots of one measurement by what became of them; `corrected` ones are among measured and late."""

    expected: int
    measured: int
    late: int
    gap: int
    missing: int
    substituted: int = 0
    corrected: int = 0


@dataclass(frozen=True, slots=True)
class GridCount:
    """The slots of one measurement in a period, and their states."""

    start: int
    step_ms: int
    states: bytearray

    def counts(self) -> SlotCounts:
        """Return the slots by state."""
        count = self.states.count
        return SlotCounts(len(self.states), count(MEASURED), count(LATE), count(GAP), count(MISSING))

    def unmark(self, ends: Iterable[int]) -> None:
        """Set the slots that end at these instants to missing: the amounts of such intervals are unknown."""
        for at in ends:
            slot = (at - self.start - self.step_ms // 2) // self.step_ms
            if 0 <= slot < len(self.states):
                self.states[slot] = MISSING

    def runs(self, *states: int) -> tuple[Run, ...]:
        """Return the runs of slots in any of these states."""
        wanted = set(states)
        if not wanted & set(self.states):
            return ()
        step = self.step_ms
        return runs_of((self.start + i * step for i, s in enumerate(self.states) if s in wanted), step)


def percent(part: int, whole: int) -> Decimal:
    """Return part of whole in per cent with four decimals, rounded half to even; an empty whole is 100 %."""
    if whole == 0:
        return Decimal("100.0000")
    return (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.0001"))


def grid_bounds(
    measurement: Mapping[str, Any], plan: Mapping[str, Any], start: int, end: int
) -> tuple[int, int, int]:
    """Return (start, step_ms, slots) of a measurement's grid: the period within the plan's effective time."""
    step = measurement["step_ms"]
    first, last = plan["effective"]["start"], plan["effective"]["end"]
    low, high = max(start, first), end if last is None else min(end, last)
    low = start + -(-(low - start) // step) * step if low > start else start
    slots = max(0, -(-(high - low) // step))
    if slots > MAX_SLOTS:
        raise PlanUnusable(
            f"measurement {measurement['id']}", f"{slots} slots", "choose a longer step or shorter period"
        )
    return low, step, slots


def count_grid(
    bounds: tuple[int, int, int], series: PointSeries | None, gaps: Iterable[Gap], *, by_end: bool = False
) -> GridCount:
    """Return the state of each slot; a register's slot (`by_end`) is read at its end."""
    start, step, slots = bounds
    states = bytearray(slots)
    for gap in gaps:
        low, high = max(0, -(-(gap.start - start) // step)), min(slots, -(-(gap.end - start) // step))
        if low < high:
            states[low:high] = bytes((GAP,)) * (high - low)
    if series is not None:
        for state in (LATE, MEASURED):
            _mark(states, start + step if by_end else start, step, series, state)
    return GridCount(start, step, states)


def excluded_steps(series: OrderedSeries, measurement: Mapping[str, Any]) -> list[int]:
    """Return when a register was read after a step that no calculation can use.

    That is a fall without the plan's modulus, or more than the plan's capacity gives in the time.
    """
    times, values = series.present()
    capacity = measurement.get("capacity_per_hour")
    per_ms = None if capacity is None else Fraction(parse_decimal(capacity)) * 10**series.scale / _HOUR
    may_roll_over = measurement.get("register_modulus") is not None
    ends = []
    for (t0, t1), (v0, v1) in zip(pairwise(times), pairwise(values), strict=True):
        step = v1 - v0
        is_beyond = per_ms is not None and step * per_ms.denominator > per_ms.numerator * (t1 - t0)
        if is_beyond or (step < 0 and not may_roll_over):
            ends.append(t1)
    return ends


def _mark(states: bytearray, start: int, step: int, series: PointSeries, state: int) -> None:
    slots, half = len(states), step // 2
    whole = BAD not in series.quality and None not in series.values
    for block in series.blocks:
        if block.provenance.is_late != (state == LATE):
            continue
        first, count = block.first, block.count
        times = series.times[first : first + count]
        low, high = (times[0] - start + half) // step, (times[-1] - start + half) // step
        if (
            whole
            and times[-1] - times[0] == (count - 1) * step
            and high - low == count - 1
            and _is_even(times, step)
        ):
            low, high = max(low, 0), min(high + 1, slots)
            if low < high:
                states[low:high] = bytes((state,)) * (high - low)
            continue
        for at, value, quality in zip(times, series.values[first : first + count],
                                      series.quality[first : first + count], strict=True):  # fmt: skip
            slot = (at - start + half) // step
            if value is not None and quality != BAD and 0 <= slot < slots:
                states[slot] = state


def _is_even(times: Any, step: int) -> bool:
    return bool(list(times) == list(range(times[0], times[0] + len(times) * step, step)))
