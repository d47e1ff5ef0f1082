"""Monthly amounts of source streams: what the meters give, or the declared value where that counts.

Each amount stands with the parts of it that are late, uncertain, substituted, corrected or declared. What the
meters give is kept beside a declared amount, so that nobody loses sight of the difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from carbonseal_accounting import arithmetic
from carbonseal_accounting.activity_plan import METER, Plan, StreamPlan
from carbonseal_accounting.activity_sources import DeclaredActivity, StreamSources
from carbonseal_accounting.periods import Calendar
from carbonseal_accounting.units import Unit


@dataclass(frozen=True, slots=True)
class MeasurementMonth:
    """One measurement in one civil month.

    `expected` = measured + late + gap + missing + substituted; `corrected` places are among measured and
    late. Amounts are None for what cannot be summed.
    """

    measurement: str
    month: str
    expected: int
    measured: int
    late: int
    gap: int
    missing: int
    substituted: int
    corrected: int
    amount: Decimal | None
    late_amount: Decimal | None
    uncertain_amount: Decimal | None
    corrected_amount: Decimal | None
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
            "corrected": self.corrected,
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
    """A source stream's activity data in one civil month (or a stated part of the period).

    `source` is the data source of the amount, empty where the amount was stated as an input. `metered_amount`
    is what the meters give, whatever counts. Of a declared month nothing is late, uncertain or corrected:
    those readings do not count.
    """

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
    parts: tuple[Part, ...]  # of the meters; empty where the amount is stated, not measured
    corrected_amount: Decimal = Decimal(0)
    source: str = ""
    metered_amount: Decimal = Decimal(0)  # in `unit`
    declared: DeclaredActivity | None = None  # where the source is a declared one and its value is there
    downgrades: tuple[bytes, ...] = ()  # statement digests of what led to the source

    @property
    def is_declared(self) -> bool:
        """Whether the amount is a declared one, or would be if the declared value were there."""
        return self.source not in {"", METER}

    @property
    def declared_amount(self) -> Decimal:
        """The part of the amount that was declared: all of it or nothing."""
        return self.amount if self.is_declared else Decimal(0)


def stream_months(
    stream: StreamPlan,
    plan: Plan,
    measurements: Mapping[str, Sequence[MeasurementMonth]],
    calendar: Calendar,
    sources: StreamSources,
) -> tuple[StreamMonth, ...]:
    """Return a stream's activity data month by month, each from the source that counts there."""
    months = _metered_months(stream, plan, measurements, calendar)
    return tuple(_from_its_source(month, at, sources) for at, month in enumerate(months))


def _metered_months(
    stream: StreamPlan,
    plan: Plan,
    measurements: Mapping[str, Sequence[MeasurementMonth]],
    calendar: Calendar,
) -> list[StreamMonth]:
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
        amount = _signed([(row.amount, row.unit, sign) for row, sign in rows], stream.unit)
        months.append(
            StreamMonth(
                stream=stream.name,
                month=month.label,
                start_ms=month.start_ms,
                end_ms=month.end_ms,
                amount=amount,
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
                corrected_amount=_signed(
                    [(row.corrected_amount, row.unit, 1) for row, _ in rows], stream.unit
                ),
                source=METER,
                metered_amount=amount,
            )
        )
    return months


def _from_its_source(month: StreamMonth, at: int, sources: StreamSources) -> StreamMonth:
    source = sources.sources[at]
    downgrades = tuple(item.statement for item in sources.downgrades_of(at))
    if source == METER:
        return replace(month, downgrades=downgrades)
    declared = sources.value_of(source, at)
    amount = Decimal(0) if declared is None or declared.amount is None else declared.amount
    zero = Decimal(0)
    return replace(
        month,
        amount=amount,
        source_amount=month.unit.convert(amount, month.source_unit),
        late_amount=zero,
        uncertain_amount=zero,
        substituted_amount=zero,
        corrected_amount=zero,
        source=source,
        declared=declared,
        downgrades=downgrades,
    )


def _signed(rows: Sequence[tuple[Decimal | None, Unit, int]], unit: Unit) -> Decimal:
    total = Decimal(0)
    for amount, own, sign in rows:
        if amount is not None:
            part = arithmetic.scale_by(amount, own.ratio_to(unit) * Fraction(sign))
            total = arithmetic.add(total, part)
    return total
