from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import AttestError, QuantityInvalid
from carbonseal_attest.quantities import MAX_SCALE, format_decimal, parse_decimal, scale_values, unscale


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+1",
        "1e3",
        "1.",
        ".5",
        "01",
        "1,5",
        " 1",
        "1\n",
        "NaN",
        "Infinity",
        "0x1",
        "1_000",
        "--1",
        "1\u0662",
        "\uff11",
        "9" * 61,
        1,
        None,
        True,
    ],
)
def test_refuses_text_that_is_not_a_plain_decimal(text: object) -> None:
    with pytest.raises(QuantityInvalid):
        parse_decimal(text)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1E+9999", "1E-9999", "0E+99999"])
def test_refuses_to_write_a_decimal_that_would_fill_pages(value: str) -> None:
    with pytest.raises(QuantityInvalid):
        format_decimal(Decimal(value))


@pytest.mark.parametrize(
    "value", ["NaN", "-Infinity", "1E+999999", "1E-31", "1." + "1" * 200, "18446744073709551616", "1E+20"]
)
def test_refuses_series_value_that_does_not_fit(value: str) -> None:
    before = time.process_time()
    with pytest.raises(QuantityInvalid):
        scale_values([Decimal(1), Decimal(value)])
    assert time.process_time() - before < 5  # a power of a million digits would take half a minute


def test_scale_is_the_least_that_keeps_every_digit() -> None:
    assert scale_values([Decimal("1.50"), None, Decimal(-3), Decimal("0E-40")]) == (1, [15, None, -30, 0])
    assert scale_values([Decimal("1E+3")]) == (0, [1000])
    assert scale_values([]) == (0, [])


@given(st.lists(st.none() | st.decimals(-(10**9), 10**9, places=7), max_size=20))
def test_scaled_series_gives_its_values_back(values: list[Decimal | None]) -> None:
    scale, integers = scale_values(values)
    assert [None if n is None else unscale(n, scale) for n in integers] == values
    assert scale == 0 or any(n is not None and n % 10 for n in integers)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_series_of_any_decimal_is_scaled_or_refused(value: Decimal) -> None:
    try:
        scale, integers = scale_values([value])
    except AttestError:
        return
    assert scale <= MAX_SCALE
    assert integers[0] is not None
    assert unscale(integers[0], scale) == value


@given(st.decimals(-(10**20), 10**20, places=9))
def test_decimal_that_was_written_reads_back_equal(value: Decimal) -> None:
    text = format_decimal(value)
    assert parse_decimal(text) == value
    assert format_decimal(parse_decimal(text)) == text
    assert text != "-0"
