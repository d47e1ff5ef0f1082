"""The factor between two sources: b = a · ratio, each in its own unit. Exact fractions."""

from __future__ import annotations

from fractions import Fraction

from carbonseal_accounting.units import combine, parse_unit
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.quality.scope import InputMissing


def ratio_factor(ratio: str, ratio_unit: str | None, a_unit: str, b_unit: str) -> Fraction:
    """Return f such that (amount in b's unit) = f · (amount in a's unit), for a ratio given in `ratio_unit`.

    Without a ratio unit the ratio is a pure number. Units that do not fit are a missing input: the plan
    declares a comparison that cannot be made.
    """
    try:
        value = Fraction(parse_decimal(ratio))
        a, b = parse_unit(a_unit), parse_unit(b_unit)
        product = combine("product", [(parse_unit(ratio_unit or "1"), 1), (a, 1)])
        return value * product.ratio_to(b)
    except CarbonsealError as error:
        raise InputMissing(f"a ratio whose units fit ({error.reason})") from error
