from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import QuantityInvalid
from carbonseal_attest.instants import (
    MAX_INSTANT,
    check_instant,
    check_interval,
    format_instant,
    parse_instant,
)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T16:00:00",  # no zone
        "2026-01-31T16:00:00+08:00",
        "2026-01-31 16:00:00Z",
        "2026-01-31T16:00:00.0001Z",
        "2026-02-30T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2026-01-3\u0661T00:00:00Z",
        "",
        "2026-01-31T16:00:00Z\n",
    ],
)
def test_refuses_text_that_is_not_an_instant_in_utc(text: str) -> None:
    with pytest.raises(QuantityInvalid):
        parse_instant(text)


@pytest.mark.parametrize("value", [True, -1, MAX_INSTANT + 1, 1.0, "0", None])
def test_refuses_value_that_is_not_milliseconds(value: object) -> None:
    with pytest.raises(QuantityInvalid, match="measured_at"):
        check_instant(value, field="measured_at")


@pytest.mark.parametrize("value", [[1, 1], [2, 1], [1], [1, 2, 3], "12", {1: 2}, [True, 2], None])
def test_refuses_interval_that_is_empty_backwards_or_no_pair(value: object) -> None:
    with pytest.raises(QuantityInvalid):
        check_interval(value, field="interval")


def test_milliseconds_are_written_only_where_they_are_not_zero() -> None:
    assert format_instant(parse_instant("2026-01-31T16:00:00.5Z")) == "2026-01-31T16:00:00.500Z"
    assert format_instant(parse_instant("2026-01-31T16:00:00.000Z")) == "2026-01-31T16:00:00Z"


@given(st.integers(0, MAX_INSTANT))
def test_instant_that_was_written_reads_back(instant: int) -> None:
    assert parse_instant(format_instant(instant)) == instant


@given(st.text())
def test_any_text_gives_an_instant_or_our_refusal(text: str) -> None:
    with contextlib.suppress(QuantityInvalid):
        assert format_instant(parse_instant(text))
