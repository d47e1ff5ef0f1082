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
one grid place the first by order counts. Late, uncertain, corrected and declared parts stand beside each
amount. Left out: substitution, and which readings a correction took the place of: that is known by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from carbonseal_accounting.activity_axis import MAX_PLACES, make_axis
from carbonseal_accounting.activity_grid import make_grid
from carbonseal_accounting.activity_plan import Measurement, Plan
from carbonseal_accounting.activity_sources import DeclaredActivity, StreamSources, pick_sources
from carbonseal_accounting.activity_streams import MeasurementMonth, StreamMonth, stream_months
from carbonseal_accounting.activity_tally import Findings, MonthTally, SourceContent
from carbonseal_accounting.errors import PeriodInvalid
from carbonseal_accounting.periods import Calendar

__all__ = ["ActivityData", "MeasurementMonth", "SourceContent", "StreamMonth", "derive_activity"]

MAX_FINDINGS: Final = 1000  # kept one by one; beyond that only counted
COUNTS: Final = ("expected", "measured", "late", "gap", "missing", "substituted", "corrected")


@dataclass(frozen=True, slots=True)
class ActivityData:
    """Everything an inventory takes from the readings and declared values of a period.

    `sources` says of each stream where its months come from; `foreign` are declared values of streams that
    the plan does not have.
    """

    calendar: Calendar
    plan: str  # code of the plan, or ""
    plan_version: int
    streams: Mapping[str, tuple[StreamMonth, ...]]
    measurements: Mapping[str, tuple[MeasurementMonth, ...]] = field(default_factory=dict)
    findings: tuple[Mapping[str, Any], ...] = ()
    finding_counts: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[str, StreamSources] = field(default_factory=dict)
    foreign: tuple[DeclaredActivity, ...] = ()

    def completeness(self) -> list[dict[str, Any]]:
        """Return the counts of each measurement over the whole period."""
        return [
            {"measurement": name, **{key: sum(getattr(month, key) for month in months) for key in COUNTS}}
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
        readings: contents of kind readings, gap, declared_activity and downgrade, in the order of the log;
            what was corrected, in the place of what it replaces. For registers, pass also the contents that
            hold the reading at `end_ms`: it closes the last interval.
        start_ms: start of the period, inclusive.
        end_ms: end of the period, exclusive.

    Raises:
        PlanRefused: the plan does not cover the period, or a stream names what the plan lacks.
        PeriodInvalid: the period is empty, or a step does not divide the civil months.
        DowngradeRefused: a downgrade does not follow the plan's order, or leads to no declared value.
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
    stated: list[SourceContent] = []
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
        elif content.kind in {"declared_activity", "downgrade"}:
            stated.append(content)
    measurements = {
        name: tuple(_month(plan.measurements[name], tally) for tally in grid.tallies())
        for name, grid in grids.items()
    }
    sources, foreign = pick_sources(plan.streams, stated, calendar)
    streams = {
        item.name: stream_months(item, plan, measurements, calendar, sources[item.name])
        for item in plan.streams.values()
    }
    return ActivityData(
        calendar,
        plan.code,
        plan.version,
        streams,
        measurements,
        tuple(findings.kept),
        findings.counts,
        sources,
        foreign,
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
        corrected=tally.corrected,
        amount=None if amount is None else amount.total(),
        late_amount=None if amount is None else amount.late(),
        uncertain_amount=None if amount is None else amount.uncertain(),
        corrected_amount=None if amount is None else amount.corrected(),
        unit=measurement.amount_unit,
        statements=tuple(tally.digests),
    )
