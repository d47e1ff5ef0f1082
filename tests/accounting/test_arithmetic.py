"""Exact arithmetic: no silent rounding, documented rounding, plain texts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_accounting.arithmetic import (
    Rounding,
    add,
    divide,
    multiply,
    plain,
    read_decimal,
    round_places,
    scale_by,
)
from carbonseal_accounting.errors import ArithmeticRefused

decimals = st.decimals(min_value=-(10**12), max_value=10**12, places=9, allow_nan=False)


@pytest.mark.parametrize(
    "value", [0.5, "1e3", "NaN", "+1", " 1", "1_000", "٣", "", None, True, "9" * 61, Decimal("NaN"), "01"]
)
def test_rejects_what_is_no_plain_decimal(value):
    with pytest.raises(ArithmeticRefused):
        read_decimal(value, field="value")


def test_rejects_sum_that_would_have_to_round():
    with pytest.raises(ArithmeticRefused, match="more than 400 digits"):
        add(Decimal("1e300"), Decimal("1e-300"))


def test_quotient_that_does_not_terminate_keeps_34_digits_half_to_even():
    assert divide(Decimal(1), Decimal(3)) == Decimal("0." + "3" * 34)
    assert divide(Decimal(2), Decimal(3)) == Decimal("0." + "6" * 33 + "7")


@pytest.mark.parametrize(
    ("value", "mode", "result"),
    [
        ("0.125", "half_up", "0.13"),
        ("0.125", "half_even", "0.12"),
        ("-0.125", "half_up", "-0.13"),
        ("2", "half_up", "2.00"),
    ],
)
def test_rounds_halves_as_the_rule_says(value, mode, result):
    assert plain(Rounding(2, mode).apply(Decimal(value))) == result


@pytest.mark.parametrize(
    "rule",
    [
        {"places": 13},
        {"places": -1},
        {"places": 2, "mode": "down"},
        {"places": "2"},
        {"places": 2, "x": 1},
        2,
    ],
)
def test_rejects_malformed_rounding_rule(rule):
    with pytest.raises(ArithmeticRefused):
        Rounding.from_table(rule, field="rounding")


def test_plain_text_keeps_decimals_and_shows_no_exponent_or_negative_zero():
    assert [plain(Decimal(v)) for v in ("1E+3", "521199.70", "-0.00", "1E-7")] == [
        "1000",
        "521199.70",
        "0.00",
        "0.0000001",
    ]


@given(decimals, decimals)
@settings(max_examples=60)
def test_sums_and_products_are_exact(a, b):
    assert Fraction(add(a, b)) == Fraction(a) + Fraction(b)
    assert Fraction(multiply(a, b)) == Fraction(a) * Fraction(b)


@given(decimals, st.fractions(min_value=Fraction(1, 1000), max_value=10**6, max_denominator=1000))
@settings(max_examples=80)
def test_scaling_is_exact_or_one_quotient(value, ratio):
    got, exact = Fraction(scale_by(value, ratio)), Fraction(value) * ratio
    assert got == exact or abs(got - exact) <= abs(exact) / 10**33


@given(decimals, st.integers(0, 8))
@settings(max_examples=60)
def test_rounding_moves_by_at_most_half_a_step(value, places):
    assert abs(Fraction(round_places(value, places, "half_even")) - Fraction(value)) <= Fraction(
        1, 2 * 10**places
    )
