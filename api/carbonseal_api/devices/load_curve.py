"""Mean load from readings, for showing only: differences of registers, amounts of intervals, or values.

Exact decimals throughout, rounded half to even at three places when written. A falling register, a gap
and a missing value leave a hole in the curve: nothing is filled or repaired.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from carbonseal_attest.contents.readings import Series
from carbonseal_attest.quantities import format_decimal

HOUR_MS: Final = 3_600_000
STEP: Final = Decimal("0.001")
# UCUM amounts whose rate has a name of its own; others are shown per hour.
RATE_UNITS: Final = {"kW.h": ("kW", Decimal(1)), "W.h": ("W", Decimal(1)), "MW.h": ("MW", Decimal(1))}


@dataclass(frozen=True, slots=True)
class Load:
    """The mean load from `start` for `width_ms`; None where it is not known."""

    start: int
    width_ms: int
    value: Decimal | None


def rate_unit(form: str, unit: str) -> str:
    """Return the unit in which a point's load is shown."""
    if form == "instant":
        return unit
    return RATE_UNITS[unit][0] if unit in RATE_UNITS else f"{unit}/h"


def loads(parts: Iterable[Series], *, start_ms: int, end_ms: int) -> list[Load]:
    """Return the loads of one point within [start_ms, end_ms), in time order.

    Of several values for one time the last statement's is taken.
    """
    found: dict[int, Load] = {}
    previous: tuple[int, Decimal] | None = None
    samples = sorted(
        (
            (sample.at, position, sample.value, series)
            for position, series in enumerate(parts)
            for sample in series.samples()
        ),
        key=lambda item: item[:2],
    )
    for at, _, value, series in samples:
        if series.form == "register":
            if previous is not None and value is not None and at > previous[0]:
                width = at - previous[0]
                rise = value - previous[1]
                load = rise * HOUR_MS / width if rise >= 0 else None
                found[previous[0]] = Load(previous[0], width, load)
            previous = None if value is None else (at, value)
        elif series.form == "interval":
            load = None if value is None else value * HOUR_MS / series.width_ms
            found[at] = Load(at, series.width_ms, load)
        else:
            found[at] = Load(at, 0, value)
    return [found[at] for at in sorted(found) if start_ms <= at < end_ms]


def extremes(curve: Sequence[Load]) -> tuple[str | None, str | None, str | None]:
    """Return maximum, minimum and time-weighted mean as text; None where nothing was measured."""
    known = [(load.value, load.width_ms or 1) for load in curve if load.value is not None]
    if not known:
        return None, None, None
    values = [value for value, _ in known]
    weight = sum(width for _, width in known)
    mean = sum((value * width for value, width in known), Decimal(0)) / weight
    return shown(max(values)), shown(min(values)), shown(mean)


def shown(value: Decimal) -> str:
    """Return a load as text, three places at most."""
    return format_decimal(value.quantize(STEP, rounding=ROUND_HALF_EVEN))
