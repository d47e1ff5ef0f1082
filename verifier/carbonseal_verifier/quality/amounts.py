"""Amounts per interval, whatever form the source has: values, or differences of a register.

Cross-source and physical rules compare amounts. A register's amount of an interval is the difference of two
consecutive readings one step apart; a negative one counts as a roll-over only where the plan gives the
modulus.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from carbonseal_attest.quantities import format_decimal, parse_decimal
from carbonseal_verifier.quality.scope import Scope

# Room for hostile figures: 64 bits at 30 places times a ratio of 60 digits, summed over millions.
WIDE: Final = Context(prec=250)


def amounts_by_start(scope: Scope, measurement: Mapping[str, Any]) -> tuple[int, dict[int, int]]:
    """Return (scale, {interval start: scaled amount}) of a measurement in the period."""
    series = scope.ordered(measurement)
    if measurement["form"] != "register":
        return series.scale, series.by_time()
    modulus = scaled_or_none(measurement.get("register_modulus"), series.scale)
    step = measurement["step_ms"]
    times, values = series.present()
    result: dict[int, int] = {}
    for (t0, t1), (v0, v1) in zip(pairwise(times), pairwise(values), strict=True):
        if abs(t1 - t0 - step) * 2 > step:
            continue
        amount = v1 - v0
        if amount < 0 and modulus is not None:
            amount += modulus
        if amount >= 0:
            result[t0] = amount
    return series.scale, result


def scaled_or_none(text: object, scale: int) -> int | None:
    """Return a decimal text as an integer at `scale` (rounded down where it has more places), or None."""
    if text is None:
        return None
    return int(parse_decimal(text).scaleb(scale, WIDE))


def shown(value: int, scale: int) -> str:
    """Return a scaled integer as plain text without trailing zeros."""
    return format_decimal(Decimal(value).scaleb(-scale, WIDE))


def rounded(value: Fraction, places: int) -> str:
    """Return an exact value as plain text, rounded half to even at `places`, without trailing zeros."""
    quotient = WIDE.divide(Decimal(value.numerator), Decimal(value.denominator))
    return format_decimal(quotient.quantize(Decimal(1).scaleb(-places), context=WIDE))
