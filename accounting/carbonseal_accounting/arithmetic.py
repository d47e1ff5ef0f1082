"""Decimal arithmetic that never rounds silently.

Sums, differences and products are exact: the context traps `Inexact`, so a result that would not fit is an
error, not a rounding. Only a quotient that does not terminate is rounded, to 34 significant digits (the
precision of IEEE 754 decimal128), half to even. Rounding that a method asks for is `round_places`. Totals
are therefore the same in any order of their parts, and anybody with a decimal library gets the same digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import (
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from fractions import Fraction
from typing import Final

from carbonseal_accounting.errors import ArithmeticRefused

QUOTIENT_DIGITS: Final = 34  # significant digits of a quotient that does not terminate
EXACT_DIGITS: Final = 400  # beyond any product of a method's inputs; outgrowing it is refused

EXACT: Final = Context(prec=EXACT_DIGITS, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
_QUOTIENT: Final = Context(
    prec=QUOTIENT_DIGITS, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow, DivisionByZero]
)
_MODES: Final = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP}
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_MAX_TEXT: Final = 60


@dataclass(frozen=True, slots=True)
class Rounding:
    """A rounding rule of a method: decimal places, and what happens to a half."""

    places: int
    mode: str = "half_even"

    @classmethod
    def from_table(cls, table: object, *, field: str) -> Rounding:
        """Return the rule that `{places = 2, mode = "half_up"}` writes.

        Raises:
            ArithmeticRefused: places are not 0..12, or the mode is not known.
        """
        if not isinstance(table, dict) or set(table) - {"places", "mode"}:
            raise ArithmeticRefused(
                field, "not a rounding rule", 'write {places = 2, mode = "half_up" or "half_even"}'
            )
        places, mode = table.get("places"), table.get("mode", "half_even")
        if type(places) is not int or not 0 <= places <= 12 or mode not in _MODES:
            raise ArithmeticRefused(
                field, "places or mode out of range", "use 0 to 12 places, half_up or half_even"
            )
        return cls(places, mode)

    def apply(self, value: Decimal) -> Decimal:
        """Return `value` rounded by this rule."""
        return round_places(value, self.places, self.mode)

    def to_json(self) -> dict[str, object]:
        """Return `{places, mode}`."""
        return {"places": self.places, "mode": self.mode}


def read_decimal(value: object, *, field: str) -> Decimal:
    """Return the exact decimal of a plain decimal string, an int, or a finite Decimal; never of a float."""
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if type(value) is int and abs(value) < 10**_MAX_TEXT:
        return Decimal(value)
    if isinstance(value, str) and len(value) <= _MAX_TEXT and _NUMBER.fullmatch(value):
        return Decimal(value)
    raise ArithmeticRefused(
        field, f"{str(value)[:40]!r} is not a plain decimal", 'write digits such as "521199.76"'
    )


def add(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact sum."""
    try:
        return EXACT.add(left, right)
    except (Inexact, InvalidOperation, Overflow) as error:
        raise _outgrown() from error


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact difference."""
    try:
        return EXACT.subtract(left, right)
    except (Inexact, InvalidOperation, Overflow) as error:
        raise _outgrown() from error


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact product."""
    try:
        return EXACT.multiply(left, right)
    except (Inexact, InvalidOperation, Overflow) as error:
        raise _outgrown() from error


def divide(left: Decimal, right: Decimal) -> Decimal:
    """Return the quotient: exact within 34 significant digits, else rounded there, half to even."""
    if not right:
        raise ArithmeticRefused("division", "divides by zero", "check the value that is zero")
    try:
        return _QUOTIENT.divide(left, right)
    except (InvalidOperation, Overflow) as error:
        raise _outgrown() from error


def scale_by(value: Decimal, ratio: Fraction) -> Decimal:
    """Return value times ratio: exact whenever the result is a decimal, else one quotient of 34 digits."""
    numerator, denominator = ratio.numerator, ratio.denominator
    places = 0
    rest = denominator
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    while rest % 2 == 0:
        rest, places, numerator = rest // 2, places + 1, numerator * 5
    while rest % 5 == 0:
        rest, places, numerator = rest // 5, places + 1, numerator * 2
    # The power of ten moves the point, so kWh to MWh adds no digits and invents no trailing zeros.
    try:
        product = EXACT.scaleb(EXACT.multiply(value, Decimal(numerator)), -places)
    except (Inexact, InvalidOperation, Overflow) as error:
        raise _outgrown() from error
    return product if rest == 1 else divide(product, Decimal(rest))


def round_places(value: Decimal, places: int, mode: str) -> Decimal:
    """Return `value` with exactly `places` decimals; `mode` is half_even or half_up."""
    context = Context(prec=EXACT_DIGITS, rounding=_MODES[mode], traps=[InvalidOperation, Overflow])
    try:
        return context.quantize(value, Decimal(1).scaleb(-places))
    except InvalidOperation as error:
        raise _outgrown() from error


def plain(value: Decimal) -> str:
    """Return `value` as a plain decimal string: no exponent, its own decimals kept, no negative zero."""
    text = format(value, "f")
    return text[1:] if text.startswith("-") and not value else text


def trimmed(value: Decimal) -> str:
    """Return `value` as a plain decimal string without trailing zeros."""
    text = plain(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _outgrown() -> ArithmeticRefused:
    return ArithmeticRefused(
        "arithmetic", f"a result needs more than {EXACT_DIGITS} digits", "check the magnitudes of the inputs"
    )
