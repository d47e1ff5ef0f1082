"""Units: codes, names, dimensions, exact conversion."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_accounting.errors import AccountingError, UnitMismatch, UnitUnknown
from carbonseal_accounting.units import COMMON_NAMES, parse_unit

ENERGY = ("kW.h", "MW.h", "GW.h", "W.h", "kJ", "MJ", "GJ", "TJ")


@pytest.mark.parametrize(("written", "near"), [("kWhh", "kW.h"), ("MWHs", "MW.h"), ("tCO2ee", "t{CO2e}")])
def test_rejects_unknown_unit_and_names_the_nearest(written, near):
    with pytest.raises(UnitUnknown, match="unknown unit") as refusal:
        parse_unit(written)
    assert f"the nearest known is {near} " in refusal.value.remedy


@pytest.mark.parametrize(
    "written", ["", None, 5, "k" * 65, "((((((t))))))", "t{", "t}", "1/0", "k", "t{CO 2}", "m33"]
)
def test_rejects_what_is_no_unit(written):
    with pytest.raises(UnitUnknown):
        parse_unit(written)


def test_rejects_product_below_the_line_without_parentheses():
    with pytest.raises(
        UnitUnknown, match="from left to right; put what stands below the line in parentheses"
    ):
        parse_unit("t{CO2}/MW.h")


@pytest.mark.parametrize(
    ("have", "want"),
    [
        ("t", "t{CO2}"),
        ("t{CO2}", "t{CO2e}"),
        ("m3", "m3{normal}"),
        ("kV.A.h{reactive}", "kW.h"),
        ("kW", "kW.h"),
    ],
)
def test_rejects_conversion_between_what_only_looks_alike(have, want):
    with pytest.raises(UnitMismatch):
        parse_unit(have).ratio_to(parse_unit(want))


@pytest.mark.parametrize(
    ("value", "have", "want", "result"),
    [
        ("521199.76", "kWh", "MWh", "521.19976"),
        ("1", "kWh", "MJ", "3.6"),
        ("125000", "Nm3", "10^4 Nm3", "12.5"),
        ("250", "L", "m3", "0.25"),
        ("0.4585", "kgCO2/kWh", "tCO2/MWh", "0.4585"),
        ("56100", "kg{CO2}/TJ", "t{CO2}/GJ", "0.0561"),
        ("1.50", "t{CO2e}", "kg{CO2e}", "1500"),
        ("1", "GJ/(10*4.m3{normal})", "MJ/m3{normal}", "0.1"),
    ],
)
def test_converts_exactly(value, have, want, result):
    assert parse_unit(have).convert(Decimal(value), parse_unit(want)) == Decimal(result)


def test_shows_common_names_of_codes_and_of_quotients():
    shown = {
        code: parse_unit(code).name
        for code in ("kW.h", "t{CO2}/(MW.h)", "10*4.m3{normal}", "GJ/(10*4.m3{normal})")
    }
    assert list(shown.values()) == ["kWh", "tCO2/MWh", "10^4 Nm3", "GJ/10^4 Nm3"]


@pytest.mark.parametrize("code", sorted(COMMON_NAMES))
def test_every_common_name_reads_as_its_code(code):
    assert {parse_unit(name) for name in COMMON_NAMES[code]} == {parse_unit(code)}


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9),
    st.permutations(ENERGY),
)
@settings(max_examples=40)
def test_ratios_there_and_back_multiply_to_one(value, order):
    first, second = parse_unit(order[0]), parse_unit(order[1])
    assert first.ratio_to(second) * second.ratio_to(first) == 1
    exact = Fraction(value) * first.ratio_to(second)
    assert abs(Fraction(first.convert(value, second)) - exact) <= abs(exact) / 10**33


@given(st.text(max_size=20))
@settings(max_examples=200)
def test_any_text_is_a_unit_or_our_refusal(text):
    try:
        parse_unit(text)
    except AccountingError:
        return
