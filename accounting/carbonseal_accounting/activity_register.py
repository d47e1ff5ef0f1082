"""Cumulative registers on the plan's grid: differences of readings, roll-over, and what is excluded.

Grid interval i is measured when the register was read at its end and some earlier reading of the period,
with no refused step between them. Readings snap to the nearest place of the grid, within a quarter of a
step.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from carbonseal_accounting.activity_axis import Axis
from carbonseal_accounting.activity_grid import LATE, MEASURED, Grid
from carbonseal_accounting.activity_plan import Measurement
from carbonseal_accounting.activity_tally import Findings, Run, SourceContent, Sums, runs_of
from carbonseal_accounting.arithmetic import EXACT, plain

ROLL_OVER_SHARE: Final = 100  # without a capacity, a roll-over is at most a hundredth of the modulus
MAX_SHIFT: Final = 12  # decimal places that a change of unit may add
_HOUR_MS: Final = 3_600_000
_LATE: Final = 1
_UNCERTAIN: Final = 2
_CORRECTED: Final = 4
_BOTH_ENDS: Final = _UNCERTAIN | _CORRECTED  # a step is touched when either of its readings is


class RegisterGrid(Grid):
    """Readings of a cumulative register."""

    form = "register"

    def __init__(self, measurement: Measurement, axis: Axis, findings: Findings) -> None:
        super().__init__(measurement, axis, findings)
        self.values: list[int | None] = [None] * (axis.count + 1)
        self.marks = bytearray(axis.count + 1)  # _LATE, _UNCERTAIN, _CORRECTED
        self.is_read = bytearray(axis.count + 1)
        self.scale = 0
        self.contents = list[bytes]()  # digests
        self.content_at = array("L", [0]) * (axis.count + 1)  # positions in `contents`

    def _place(self, content: SourceContent, series: Mapping[str, Any], ratio: Fraction) -> None:
        lift = self._lift(series["scale"], ratio)
        if lift is None:
            self._note(
                "unit_differs", series["times"][0], content, "not a decimal multiple of the plan's unit"
            )
            return
        months = set[int]()
        number = len(self.contents)
        is_plain = len(series["quality"]) == 1 and series["quality"][0][0] == "good"
        for run in runs_of(series["times"]):
            index = self.axis.bounds_at(run.at, run.step, run.count) if is_plain else None
            chunk = series["values"][run.first : run.first + run.count]
            if index is None or None in chunk or any(self.is_read[index : index + run.count]):
                self._place_slowly(content, series, run, lift, number, months)
                continue
            last = index + run.count
            self.is_read[index:last] = b"\x01" * run.count
            self.values[index:last] = chunk if lift == 1 else [value * lift for value in chunk]
            self.content_at[index:last] = array("L", [number]) * run.count
            if marks := _marks_of(content):
                self.marks[index:last] = bytes([marks]) * run.count
            months |= self.axis.months_beside(index, last)
        if months:
            self.contents.append(content.digest)
        for month in months:
            self.digests[month][content.digest] = None

    def _place_slowly(
        self,
        content: SourceContent,
        series: Mapping[str, Any],
        run: Run,
        lift: int,
        number: int,
        months: set[int],
    ) -> None:
        qualities = [quality for quality, _, count in series["quality"] for _ in range(count)]
        marks = _marks_of(content)
        for offset in range(run.count):
            at = run.at + offset * run.step
            integer, quality = series["values"][run.first + offset], qualities[run.first + offset]
            index = self.axis.nearest(at)
            if index is None:
                self._note_outside(at, content, None)
                continue
            if self.is_read[index]:
                self._note("duplicate", at, content, "the register was read here before; the first counts")
                continue
            self.is_read[index] = 1
            months |= self.axis.months_beside(index, index + 1)
            if integer is None or quality == "bad":
                continue
            self.values[index] = integer * lift
            self.marks[index] = marks | (_UNCERTAIN if quality == "uncertain" else 0)
            self.content_at[index] = number

    def _lift(self, scale: int, ratio: Fraction) -> int | None:
        """Return the whole number that brings a series to the grid's scale, widening that first if needed.

        None when the ratio of the units is no decimal: a register is never rounded.
        """
        places, power = scale, 1
        while power % ratio.denominator:
            places, power = places + 1, power * 10
            if places - scale > MAX_SHIFT:
                return None
        if places > self.scale:
            widen = 10 ** (places - self.scale)
            self.values = [None if value is None else value * widen for value in self.values]
            self.scale = places
        return int(ratio.numerator * (power // ratio.denominator) * 10 ** (self.scale - places))

    def _sums(self) -> list[Sums]:
        sums = [Sums() for _ in self.axis.months]
        key = (self.scale, Fraction(1))
        limit = self._limit_per_ms()
        place_limit = self._limit_per_place(limit)
        last, last_value = -1, 0
        month, month_end, plain_sum = -1, 0, 0
        for index, value in enumerate(self.values):
            if value is None:
                continue
            if last >= 0:
                if index > month_end:  # the place before this bound lies in another month
                    if month >= 0:
                        sums[month].add(key, plain_sum)
                    month, plain_sum = self.axis.month_at(index - 1), 0
                    month_end = self.axis.months[month][2]
                step = value - last_value
                is_plain = last == index - 1 and not (self.marks[index] or self.marks[last] & _BOTH_ENDS)
                if is_plain and 0 <= step <= place_limit:  # the common case, without a call
                    self.states[index - 1] = MEASURED
                    plain_sum += step
                else:
                    self._count(sums[month], key, (last, last_value), (index, value), limit)
            last, last_value = index, value
        if month >= 0:
            sums[month].add(key, plain_sum)
        return sums

    def _count(
        self,
        sums: Sums,
        key: tuple[int, Fraction],
        opening: tuple[int, int],
        closing: tuple[int, int],
        limit: tuple[int, int] | None,
    ) -> None:
        """Take the step between two (bound, value), or note why it is excluded."""
        (last, last_value), (index, value) = opening, closing
        step, span = value - last_value, self.axis.bound(index) - self.axis.bound(last)
        if step < 0 or (limit and step * limit[1] > limit[0] * span):
            step = self._odd_step(last, last_value, index, value, limit)
        if step < 0:
            return
        if self.axis.month_at(last) != self.axis.month_at(index - 1):
            self._find("step_across_month", index, "a step that spans a month stands where it ends")
        is_late = bool(self.marks[index] & _LATE)
        either = self.marks[index] | self.marks[last]
        is_uncertain, is_corrected = bool(either & _UNCERTAIN), bool(either & _CORRECTED)
        self.states[index - 1] = LATE if is_late else MEASURED
        if is_corrected:
            self._mark_corrected(index - 1, index)
        sums.add(key, step, is_late=is_late, is_uncertain=is_uncertain, is_corrected=is_corrected)

    def _limit_per_place(self, limit: tuple[int, int] | None) -> int:
        """Return the capacity of one place where all are alike; none: beyond reach."""
        if limit is None:
            return 1 << 256
        return -1 if self.axis.edges is not None else limit[0] * self.axis.step_ms // limit[1]

    def _limit_per_ms(self) -> tuple[int, int] | None:
        """Return the capacity in scaled integers per millisecond, as numerator and denominator."""
        capacity = self.measurement.capacity_per_hour
        if capacity is None:
            return None
        per_ms = Fraction(capacity) * 10**self.scale / _HOUR_MS
        return per_ms.numerator, per_ms.denominator

    def _odd_step(
        self, last: int, last_value: int, index: int, value: int, limit: tuple[int, int] | None
    ) -> int:
        """Return the step of a roll-over that the plan allows; else note the excluded step and return -1."""
        step = value - last_value
        shown = f"from {self._shown(last_value)} to {self._shown(value)}"
        if step >= 0:
            self._find("over_capacity", index, f"{shown}: more than the plan's capacity; excluded")
            return -1
        modulus = self.measurement.modulus
        if modulus is not None:
            whole = Fraction(modulus) * 10**self.scale
            span = self.axis.bound(index) - self.axis.bound(last)
            most = Fraction(limit[0], limit[1]) * span if limit else whole / ROLL_OVER_SHARE
            rolled = step + whole
            if rolled.denominator == 1 and last_value < whole and 0 <= rolled <= most:
                self._find("roll_over", index, f"{shown}: the register turned over at {modulus}")
                return int(rolled)
        self._find("negative_step", index, f"{shown}: excluded")
        return -1

    def _shown(self, value: int) -> str:
        return plain(Decimal(value).scaleb(-self.scale, EXACT))

    def _find(self, code: str, index: int, detail: str) -> None:
        digest = self.contents[self.content_at[index]]
        self.findings.add(code, self.measurement.name, self.axis.bound(index), digest, detail)


def _marks_of(content: SourceContent) -> int:
    return (_LATE if content.is_late else 0) | (_CORRECTED if content.is_corrected else 0)
