"""Exact numbers: decimals as plain text, series as scaled integers. No binary floating point anywhere.

A series of decimals is stored as integers with one common `scale`: value = integer / 10**scale. The scale is
the least that loses nothing, so two writers of the same series write the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Context, Decimal, Inexact, Overflow
from typing import Final

from carbonseal_attest.errors import QuantityInvalid

MAX_DIGITS: Final = 60  # of one decimal text; a bound on input, far beyond any meter
MAX_SCALE: Final = 30  # decimal places; floats exported by other systems carry up to 17
_PLAIN: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_MAX_PLACES: Final = 1000  # before or after the point, when writing; a calculation may carry many digits
_MAX_MAGNITUDE: Final = 20  # 10^20 is beyond 64 bits at scale 0
_EXACT: Final = Context(prec=2 * MAX_DIGITS, traps=[Inexact, Overflow])


def parse_decimal(text: object, *, field: str = "value") -> Decimal:
    """Return the decimal that a plain string such as `521199.76` or `-0.5` writes (no exponent, no plus)."""
    if not isinstance(text, str) or len(text) > MAX_DIGITS or not _PLAIN.fullmatch(text):
        raise QuantityInvalid(
            field, f"{str(text)[:40]!r} is not a plain decimal string", 'write digits such as "521199.76"'
        )
    return Decimal(text)


def format_decimal(value: Decimal) -> str:
    """Return `value` as a plain string without exponent and without trailing zeros; zero is `0`.

    Raises:
        QuantityInvalid: not finite, or so large or small that its digits would fill pages.
    """
    if not value.is_finite():
        raise QuantityInvalid("value", "not a finite number", "give a finite decimal")
    exponent = value.as_tuple().exponent
    if abs(value.adjusted()) > _MAX_PLACES or (isinstance(exponent, int) and abs(exponent) > _MAX_PLACES):
        raise QuantityInvalid("value", "an exponent beyond all measure", "give a decimal of ordinary size")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def scale_values(values: Sequence[Decimal | None]) -> tuple[int, list[int | None]]:
    """Return `(scale, integers)` with value = integer / 10**scale exactly; None stays None.

    Raises:
        QuantityInvalid: a value is not finite, or needs more than MAX_SCALE places or 64 bits.
    """
    scale = 0
    for value in values:
        if value is None:
            continue
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int):
            raise QuantityInvalid(
                "values", "holds a value that is not finite", "mark it bad, without a value"
            )
        if value and (value.adjusted() > _MAX_MAGNITUDE or len(value.as_tuple().digits) > MAX_DIGITS):
            raise QuantityInvalid(
                "values", f"needs more than 64 bits or {MAX_DIGITS} digits", "give fewer digits"
            )
        if -exponent > scale:
            normal = value.normalize(_EXACT).as_tuple().exponent if value else 0
            scale = max(scale, -normal if isinstance(normal, int) else 0)
    if scale > MAX_SCALE:
        raise QuantityInvalid("values", f"needs {scale} decimal places", f"give at most {MAX_SCALE}")
    integers: list[int | None] = [
        None if value is None else int(value.scaleb(scale, _EXACT)) if value else 0 for value in values
    ]
    if any(n is not None and not -(1 << 64) <= n < 1 << 64 for n in integers):
        raise QuantityInvalid("values", "needs more than 64 bits at its scale", "give fewer digits")
    return scale, integers


def unscale(integer: int, scale: int) -> Decimal:
    """Return integer / 10**scale, exactly."""
    return Decimal(integer).scaleb(-scale, _EXACT)
