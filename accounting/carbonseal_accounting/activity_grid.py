"""The plan's grid of one measurement: which place a reading takes, what is measured, late or missing.

Sums are kept as integers per (scale, unit) and become decimals once a month, so that a million readings
cost no million decimals. A grid never drops a reading silently: what does not fit is a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from carbonseal_accounting.activity_axis import Axis
from carbonseal_accounting.activity_plan import Measurement
from carbonseal_accounting.activity_tally import (
    Findings,
    MonthTally,
    Run,
    SourceContent,
    Sums,
    readings_of,
    runs_of,
)
from carbonseal_accounting.errors import UnitMismatch, UnitUnknown
from carbonseal_accounting.units import parse_unit

EMPTY: Final = 0
MEASURED: Final = 1
LATE: Final = 2
BAD: Final = 3  # a reading is there, without a usable value
_HOUR_MS: Final = 3_600_000


class Grid:
    """What every form shares: states, gaps, digests. Subclasses place the readings."""

    form = "instant"

    def __init__(self, measurement: Measurement, axis: Axis, findings: Findings) -> None:
        self.measurement = measurement
        self.axis = axis
        self.findings = findings
        self.states = bytearray(axis.count)
        self.gaps = bytearray(axis.count)
        self.has_gaps = False
        self.corrected = bytearray()  # one a place, from the first corrected content on
        self.digests: list[dict[bytes, None]] = [{} for _ in axis.months]
        self._ratios = dict[str, Fraction | None]()

    def add_gap(self, content: SourceContent) -> None:
        """Note that the gateway signed a gap over the content's interval."""
        if content.interval is None:
            return
        first, last = self.axis.covered(*content.interval, by_end=self.form == "register")
        if first < last:
            self.gaps[first:last] = b"\x01" * (last - first)
            self.has_gaps = True
            for month in self.axis.months_of(first, last):
                self.digests[month][content.digest] = None

    def add_series(self, content: SourceContent, series: Mapping[str, Any]) -> None:
        """Take the readings of one series, or note why not."""
        at = series["times"][0]
        if series["form"] != self.measurement.form:
            self._note(
                "form_differs", at, content, f"{series['form']}, the plan says {self.measurement.form}"
            )
            return
        ratio = self._ratio(series["unit"])
        if ratio is None:
            self._note(
                "unit_differs", at, content, f"{series['unit']}, the plan says {self.measurement.unit.code}"
            )
            return
        self._place(content, series, ratio)

    def tallies(self) -> Iterator[MonthTally]:
        """Yield the months in order."""
        sums = self._sums()
        for index, (label, first, last) in enumerate(self.axis.months):
            states = self.states[first:last]
            gaps = 0
            if self.has_gaps:
                marks = self.gaps[first:last]
                gaps = sum(
                    1 for state, mark in zip(states, marks, strict=True) if mark and state in (EMPTY, BAD)
                )
            yield MonthTally(
                label,
                last - first,
                states.count(MEASURED),
                states.count(LATE),
                gaps,
                self._corrected_among(first, last),
                sums[index] if self.measurement.has_amount else None,
                list(self.digests[index]),
            )

    def _mark_corrected(self, first: int, last: int) -> None:
        """Note that the places `first` to `last` (exclusive) rest on corrected readings."""
        if not self.corrected:
            self.corrected = bytearray(self.axis.count)
        self.corrected[first:last] = b"\x01" * (last - first)

    def _corrected_among(self, first: int, last: int) -> int:
        if not self.corrected:
            return 0
        pairs = zip(self.corrected[first:last], self.states[first:last], strict=True)
        return sum(1 for mark, state in pairs if mark and state in (MEASURED, LATE))

    def _place(self, content: SourceContent, series: Mapping[str, Any], ratio: Fraction) -> None:
        """Mark instants as seen (form instant: completeness only)."""
        done = LATE if content.is_late else MEASURED
        for at, value, quality in readings_of(series):
            index = self.axis.nearest(at)
            if index is None or index >= self.axis.count:
                self._note_outside(at, content, index)
            elif self.states[index] != EMPTY:
                self._note("duplicate", at, content, "this place of the grid was read before")
            else:
                self.states[index] = BAD if value is None or quality == "bad" else done
                self.digests[self.axis.month_at(index)][content.digest] = None
                if content.is_corrected:
                    self._mark_corrected(index, index + 1)

    def _sums(self) -> list[Sums]:
        return [Sums() for _ in self.axis.months]

    def _ratio(self, code: str) -> Fraction | None:
        if code not in self._ratios:
            try:
                self._ratios[code] = parse_unit(code).ratio_to(self.measurement.unit)
            except (UnitUnknown, UnitMismatch):
                self._ratios[code] = None
        return self._ratios[code]

    def _note(self, code: str, at: int, content: SourceContent, detail: str) -> None:
        self.findings.add(code, self.measurement.name, at, content.digest, detail)

    def _note_outside(self, at: int, content: SourceContent, index: int | None) -> None:
        # Readings of other periods are no business of this one; readings between the grid's places are.
        if index is None and self.axis.holds(at):
            self._note("off_grid", at, content, "between the places of the plan's grid")


class IntervalGrid(Grid):
    """Interval amounts, mean power, and interval values without an amount (power factors)."""

    form = "interval"

    def __init__(self, measurement: Measurement, axis: Axis, findings: Findings) -> None:
        super().__init__(measurement, axis, findings)
        self.sums = [Sums() for _ in axis.months]

    def _place(self, content: SourceContent, series: Mapping[str, Any], ratio: Fraction) -> None:
        width = series["width_ms"]
        if self.measurement.is_mean_power:
            ratio *= Fraction(width, _HOUR_MS)
        key = (series["scale"], ratio)
        values, quality = series["values"], series["quality"]
        # value > capacity * width, in integers at the series' scale; None: the plan states no capacity.
        limit = self._limit(series, width)
        is_plain = len(quality) == 1 and quality[0][0] == "good"
        for run in runs_of(series["times"]):
            index = self.axis.place(run.at, run.step, run.count, width) if is_plain else None
            chunk = values[run.first : run.first + run.count]
            if index is None or None in chunk or any(self.states[index : index + run.count]):
                self._place_slowly(content, series, run, key, limit)
                continue
            self.states[index : index + run.count] = (
                bytes([LATE if content.is_late else MEASURED]) * run.count
            )
            if content.is_corrected:
                self._mark_corrected(index, index + run.count)
            if limit is not None and max(chunk) > limit:
                self._note_capacity(content, run, chunk, limit)
            for month in self.axis.months_of(index, index + run.count):
                _, first, last = self.axis.months[month]
                part = chunk[max(first - index, 0) : last - index]
                marks = {"is_late": content.is_late, "is_corrected": content.is_corrected}
                self.sums[month].add(key, sum(part), **marks)
                self.digests[month][content.digest] = None

    def _place_slowly(
        self,
        content: SourceContent,
        series: Mapping[str, Any],
        run: Run,
        key: tuple[int, Fraction],
        limit: int | None,
    ) -> None:
        qualities = [quality for quality, _, count in series["quality"] for _ in range(count)]
        for offset in range(run.count):
            at = run.at + offset * run.step
            value, quality = series["values"][run.first + offset], qualities[run.first + offset]
            index = self.axis.place(at, 0, 1, series["width_ms"])
            if index is None:
                self._note_outside(at, content, None)
                continue
            if self.states[index] != EMPTY:
                self._note("duplicate", at, content, "this interval came before; the first counts")
                continue
            month = self.axis.month_at(index)
            self.digests[month][content.digest] = None
            if value is None or quality == "bad":
                self.states[index] = BAD
                continue
            self.states[index] = LATE if content.is_late else MEASURED
            if limit is not None and value > limit:
                self._note("over_capacity", at, content, "more than the plan's capacity; kept")
            if content.is_corrected:
                self._mark_corrected(index, index + 1)
            self.sums[month].add(
                key,
                value,
                is_late=content.is_late,
                is_uncertain=quality == "uncertain",
                is_corrected=content.is_corrected,
            )

    def _limit(self, series: Mapping[str, Any], width: int) -> int | None:
        capacity = self.measurement.capacity_per_hour
        ratio = self._ratio(series["unit"])
        if capacity is None or not ratio or not self.measurement.has_amount:
            return None
        most = Fraction(capacity) if self.measurement.is_mean_power else Fraction(capacity) * width / _HOUR_MS
        return int(most / ratio * 10 ** series["scale"])

    def _note_capacity(self, content: SourceContent, run: Run, chunk: Sequence[int], limit: int) -> None:
        for offset, value in enumerate(chunk):
            if value > limit:
                at = run.at + offset * run.step
                self._note("over_capacity", at, content, "more than the plan's capacity; kept")

    def _sums(self) -> list[Sums]:
        return self.sums


def make_grid(measurement: Measurement, axis: Axis, findings: Findings) -> Grid:
    """Return the grid of a measurement on its axis."""
    from carbonseal_accounting.activity_register import RegisterGrid  # it derives from Grid, above

    kinds: Mapping[str, type[Grid]] = {"register": RegisterGrid, "interval": IntervalGrid, "instant": Grid}
    return kinds[measurement.form](measurement, axis, findings)
