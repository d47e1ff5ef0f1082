"""What a quality rule sees: one plan, one period, the readings by point, and what goes with them.

Everything is passed in; rules read no clock, disk or network, so the checker can run them again and
compare bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from carbonseal_accounting.activity import ActivityData
from carbonseal_verifier.corrections import Correction
from carbonseal_verifier.logged import LoggedStatement
from carbonseal_verifier.quality.catalogue import Parameter
from carbonseal_verifier.quality.findings import Text
from carbonseal_verifier.quality.grid import (
    Gap,
    GridCount,
    SlotCounts,
    count_grid,
    excluded_steps,
    grid_bounds,
)
from carbonseal_verifier.quality.profile import Profile
from carbonseal_verifier.quality.series_index import (
    OrderedSeries,
    PointSeries,
    Provenance,
    SeriesIndex,
)


class InputMissing(Exception):
    """A rule's input is declared by the plan but not there: the rule can't pass."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class NotApplicable(Exception):
    """A rule has nothing here that it could judge: it neither passes nor fails. `why` is for people."""

    def __init__(self, *, zh: str, en: str) -> None:
        super().__init__(en)
        self.why: Text = {"zh": zh, "en": en}


@dataclass(frozen=True, slots=True)
class Calibration:
    """A calibration record of a device; it covers [calibrated_at, valid_until)."""

    device: str
    calibrated_at: int
    valid_until: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class StreamBreak:
    """A place where a stream's statements do not follow one another."""

    device: str
    stream: str
    sequence: int
    at: int
    problem: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Disowned:
    """A statement that its key signed beyond the last one which the key's withdrawal names."""

    subject: str
    start: int
    end: int
    status: str
    digest: bytes


@dataclass(slots=True)
class Scope:
    """The inputs of one assessment.

    Attributes:
        as_of: time of the log's last tick up to the cut-off: when the code was judged.
        counted: the calculation's own count of each measurement's slots; without it the grid is counted.
        corrections: what was taken back, and what stands in its place.
        activity: what the calculation took from readings and declared values; None of a series by itself.
        documents: digests of the document statements that declared values name and that are there.
        other_plan: declared values and downgrades of the installation that name another plan.
        declared_percent: share of the counted emissions whose activity was declared.
        is_bare: whether it is a series by itself, with no plan of anybody and no statements.
    """

    plan: Mapping[str, Any]
    start: int
    end: int
    as_of: int
    profile: Profile
    index: SeriesIndex
    gaps: Sequence[Gap] = ()
    calibrations: Sequence[Calibration] = ()
    breaks: Sequence[StreamBreak] = ()
    disowned: Sequence[Disowned] = ()
    counted: Mapping[str, SlotCounts] | None = None
    corrections: Sequence[Correction] = ()
    activity: ActivityData | None = None
    documents: frozenset[bytes] = frozenset()
    other_plan: Sequence[LoggedStatement] = ()
    declared_percent: Decimal = Decimal(0)
    is_bare: bool = False
    _ordered: dict[str, OrderedSeries] = field(default_factory=dict)
    _grids: dict[str, GridCount] = field(default_factory=dict)

    @property
    def measurements(self) -> Sequence[Mapping[str, Any]]:
        """The plan's measurements, in the plan's order."""
        return list(self.plan["measurements"])

    @property
    def cross_checks(self) -> Sequence[Mapping[str, Any]]:
        """The plan's cross-checks, in the plan's order."""
        return list(self.plan["cross_checks"])

    @property
    def source_streams(self) -> Sequence[Mapping[str, Any]]:
        """The plan's source streams, in the plan's order; a series by itself has none."""
        return list(self.plan.get("source_streams", ()))

    def require_statements(self) -> None:
        """Raise NotApplicable where no statement of the period is there to be judged."""
        found = self.index.series or self.gaps or self.breaks or self.disowned or self.corrections
        if self.is_bare or not found:
            raise NotApplicable(zh="没有声明", en="no statements")

    def measurement(self, identifier: object) -> Mapping[str, Any]:
        """Return the measurement that a cross-check names."""
        for measurement in self.plan["measurements"]:
            if measurement["id"] == identifier:
                return dict(measurement)
        raise InputMissing(f"measurement {identifier!s:.60}")

    def series(self, measurement: Mapping[str, Any]) -> PointSeries | None:
        """Return a measurement's readings, or None when there are none as the plan declares them."""
        return self.index.find(*(measurement[k] for k in ("device", "point", "form", "unit")))

    def ordered(self, measurement: Mapping[str, Any]) -> OrderedSeries:
        """Return a measurement's readings of the period by time."""
        found = self._ordered.get(measurement["id"])
        if found is None:
            series = self.series(measurement)
            if series is None:
                raise InputMissing(f"readings of {measurement['id']}")
            # A register's consumption up to the end of the period needs the reading at its very end.
            last = self.end + (1 if measurement["form"] == "register" else 0)
            found = self._ordered[measurement["id"]] = series.ordered(self.start, last)
        if not found.times:
            raise InputMissing(f"readings of {measurement['id']} in the period")
        return found

    def provenances(self, measurement: Mapping[str, Any]) -> list[Provenance]:
        """Return the statements behind a measurement's readings of the period, in log order."""
        series = self.series(measurement)
        if series is None:
            return []
        origins = (block.provenance for block in series.blocks)
        return [o for o in origins if o.interval[0] < self.end and o.interval[1] > self.start]

    def grid(self, measurement: Mapping[str, Any]) -> GridCount:
        """Return the states of a measurement's slots in the period."""
        found = self._grids.get(measurement["id"])
        if found is None:
            bounds = grid_bounds(measurement, self.plan, self.start, self.end)
            gaps = [
                g for g in self.gaps if g.device == measurement["device"] and measurement["point"] in g.points
            ]
            by_end = measurement["form"] == "register"
            series = self.series(measurement)
            found = self._grids[measurement["id"]] = count_grid(bounds, series, gaps, by_end=by_end)
            if by_end and series is not None:
                found.unmark(excluded_steps(series.ordered(self.start, self.end + 1), measurement))
        return found

    def counts(self, measurement: Mapping[str, Any]) -> SlotCounts:
        """Return how many slots were measured, late, in a gap, missing or substituted."""
        if self.counted is not None and measurement["id"] in self.counted:
            return self.counted[measurement["id"]]
        return self.grid(measurement).counts()


@dataclass(frozen=True, slots=True)
class Target:
    """One application of a rule: to a measurement, check or stream, or the period (subject is empty)."""

    scope: Scope
    subject: Mapping[str, Any]
    parameters: Mapping[str, Parameter]

    def integer(self, name: str) -> int:
        """Return an integer parameter."""
        return int(self.parameters[name])
