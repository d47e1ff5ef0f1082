"""Activity data from signed readings: monthly amounts of source streams, and completeness on the grid.

What each form gives:

- `register`: the differences of a cumulative register between consecutive readings. Readings snap to the
  plan's grid (nearest instant); grid interval i is covered by the reading at its end. A step may span
  missed readings: its amount is known, the missed intervals still count as missing. A step across a month
  belongs to the month in which it ends, and is reported. A negative step is excluded and its interval
  missing, unless the plan's `register_modulus` makes it a roll-over that `capacity_per_hour` allows
  (without a capacity: at most a hundredth of the modulus).
- `interval`: the sum of the amounts of the plan's intervals; `mean_power` intervals give value x width.
- `instant`: completeness only, never an amount.

Nothing is repaired: what does not fit the plan is a finding, and is left out as missing. Of two readings of
one grid place the first by order counts. Late and uncertain parts stand beside each amount. Left out:
substitution.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from carbonseal_accounting import arithmetic
from carbonseal_accounting.activity_axis import MAX_PLACES, make_axis
from carbonseal_accounting.activity_grid import make_grid
from carbonseal_accounting.activity_plan import Measurement, Plan, StreamPlan
from carbonseal_accounting.activity_tally import Findings, MonthTally, SourceContent
from carbonseal_accounting.errors import PeriodInvalid
from carbonseal_accounting.periods import Calendar
from carbonseal_accounting.units import Unit

__all__ = ["ActivityData", "MeasurementMonth", "SourceContent", "StreamMonth", "derive_activity"]

MAX_FINDINGS: Final = 1000  # kept one by one; beyond that only counted


@dataclass(frozen=True, slots=True)
class MeasurementMonth:
    """One measurement in one civil month.

    `expected` = measured + late + gap + missing + substituted. Amounts are None for what cannot be summed.
    """

    measurement: str
    month: str
    expected: int
    measured: int
    late: int
    gap: int
    missing: int
    substituted: int
    amount: Decimal | None
    late_amount: Decimal | None
    uncertain_amount: Decimal | None
    unit: Unit
    statements: tuple[bytes, ...]  # digests, in order of first use

    def to_json(self) -> dict[str, Any]:
        """Return counts and amounts, without the digests."""
        return {
            "measurement": self.measurement,
            "month": self.month,
            "expected": self.expected,
            "measured": self.measured,
            "late": self.late,
            "gap": self.gap,
            "missing": self.missing,
            "substituted": self.substituted,
            "amount": None if self.amount is None else arithmetic.plain(self.amount),
            "unit": self.unit.name,
        }


@dataclass(frozen=True, slots=True)
class Part:
    """What one measurement contributed to a stream's month."""

    measurement: str
    sign: int
    amount: Decimal
    unit: Unit
    statements: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StreamMonth:
    """A source stream's activity data in one civil month (or a stated part of the period)."""

    stream: str
    month: str
    start_ms: int
    end_ms: int
    amount: Decimal  # in `unit`
    unit: Unit
    source_amount: Decimal  # in `source_unit`: the meters' own, where they agree
    source_unit: Unit
    late_amount: Decimal  # in `unit`
    uncertain_amount: Decimal
    substituted_amount: Decimal
    parts: tuple[Part, ...]  # empty where the amount is stated, not measured


@dataclass(frozen=True, slots=True)
class ActivityData:
    """Everything an inventory takes from the readings of a period."""

    calendar: Calendar
    plan: str  # code of the plan, or ""
    plan_version: int
    streams: Mapping[str, tuple[StreamMonth, ...]]
    measurements: Mapping[str, tuple[MeasurementMonth, ...]] = field(default_factory=dict)
    findings: tuple[Mapping[str, Any], ...] = ()
    finding_counts: Mapping[str, int] = field(default_factory=dict)

    def completeness(self) -> list[dict[str, Any]]:
        """Return the counts of each measurement over the whole period."""
        keys = ("expected", "measured", "late", "gap", "missing", "substituted")
        return [
            {"measurement": name, **{key: sum(getattr(month, key) for month in months) for key in keys}}
            for name, months in self.measurements.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """Return completeness and findings; amounts stand in the inventory."""
        return {
            "completeness": self.completeness(),
            "by_month": [month.to_json() for months in self.measurements.values() for month in months],
            "finding_counts": dict(sorted(self.finding_counts.items())),
            "findings": [dict(finding) for finding in self.findings],
        }


def derive_activity(
    plan_body: Mapping[str, Any], readings: Iterable[SourceContent], *, start_ms: int, end_ms: int
) -> ActivityData:
    """Return the activity data of `[start_ms, end_ms)` under a monitoring plan.

    Args:
        plan_body: body of the `monitoring_plan` content.
        readings: contents of kind readings and gap, in the order of the log. For registers, pass also
            the contents that hold the reading at `end_ms`: it closes the last interval.
        start_ms: start of the period, inclusive.
        end_ms: end of the period, exclusive.

    Raises:
        PlanRefused: the plan does not cover the period, or a stream names what the plan lacks.
        PeriodInvalid: the period is empty, or a step does not divide the civil months.
    """
    plan = Plan.from_body(plan_body)
    calendar = Calendar.of(plan.time_zone, start_ms, end_ms)
    plan.check_covers(start_ms, end_ms)
    findings = Findings(MAX_FINDINGS)
    axes = {item.name: make_axis(calendar, item.step_ms, item.name) for item in plan.measurements.values()}
    if sum(axis.count for axis in axes.values()) > MAX_PLACES:
        raise PeriodInvalid("period", f"more than {MAX_PLACES} places of the grid", "compute it in parts")
    grids = {name: make_grid(item, axes[name], findings) for name, item in plan.measurements.items()}
    by_point = dict[tuple[str, str], list[str]]()
    by_device = dict[str, list[str]]()
    for item in plan.measurements.values():
        by_point.setdefault((item.device, item.point), []).append(item.name)
        by_device.setdefault(item.device, []).append(item.name)
    for content in readings:
        if content.kind == "gap":
            points = set(content.body["points"])
            for name in by_device.get(content.subject, ()):
                if plan.measurements[name].point in points:
                    grids[name].add_gap(content)
        elif content.kind == "readings":
            for series in content.body["series"]:
                for name in by_point.get((content.subject, series["point"]), ()):
                    grids[name].add_series(content, series)
    measurements = {
        name: tuple(_month(plan.measurements[name], tally) for tally in grid.tallies())
        for name, grid in grids.items()
    }
    streams = {item.name: _stream(item, plan, measurements, calendar) for item in plan.streams.values()}
    return ActivityData(
        calendar, plan.code, plan.version, streams, measurements, tuple(findings.kept), findings.counts
    )


def _month(measurement: Measurement, tally: MonthTally) -> MeasurementMonth:
    amount = tally.amount
    return MeasurementMonth(
        measurement=measurement.name,
        month=tally.label,
        expected=tally.expected,
        measured=tally.measured,
        late=tally.late,
        gap=tally.gap,
        missing=tally.expected - tally.measured - tally.late - tally.gap,
        substituted=0,
        amount=None if amount is None else amount.total(),
        late_amount=None if amount is None else amount.late(),
        uncertain_amount=None if amount is None else amount.uncertain(),
        unit=measurement.amount_unit,
        statements=tuple(tally.digests),
    )


def _stream(
    stream: StreamPlan,
    plan: Plan,
    measurements: Mapping[str, Sequence[MeasurementMonth]],
    calendar: Calendar,
) -> tuple[StreamMonth, ...]:
    units = {plan.measurements[name].amount_unit for name, _ in stream.activity}
    source_unit = units.pop() if len(units) == 1 else stream.unit
    months = list[StreamMonth]()
    for index, month in enumerate(calendar.months):
        rows = [(measurements[name][index], sign) for name, sign in stream.activity]
        parts = tuple(
            Part(row.measurement, sign, row.amount, row.unit, row.statements)
            for row, sign in rows
            if row.amount is not None
        )
        months.append(
            StreamMonth(
                stream=stream.name,
                month=month.label,
                start_ms=month.start_ms,
                end_ms=month.end_ms,
                amount=_signed([(row.amount, row.unit, sign) for row, sign in rows], stream.unit),
                unit=stream.unit,
                source_amount=_signed([(row.amount, row.unit, sign) for row, sign in rows], source_unit),
                source_unit=source_unit,
                # Shares count what was touched, so a subtracted part adds to them.
                late_amount=_signed([(row.late_amount, row.unit, 1) for row, _ in rows], stream.unit),
                uncertain_amount=_signed(
                    [(row.uncertain_amount, row.unit, 1) for row, _ in rows], stream.unit
                ),
                substituted_amount=Decimal(0),
                parts=parts,
            )
        )
    return tuple(months)


def _signed(rows: Sequence[tuple[Decimal | None, Unit, int]], unit: Unit) -> Decimal:
    total = Decimal(0)
    for amount, own, sign in rows:
        if amount is not None:
            part = arithmetic.scale_by(amount, own.ratio_to(unit) * Fraction(sign))
            total = arithmetic.add(total, part)
    return total
