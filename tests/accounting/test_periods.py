"""Civil months: time zones, changes of clocks, what crosses a month."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_accounting.errors import PeriodInvalid
from carbonseal_accounting.periods import Calendar, month_bounds, read_period, start_of_day

HOUR = 3_600_000
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "../etc/passwd", "/usr/share/zoneinfo/UTC", "Asia", None, 8, "a" * 80]
)
def test_rejects_unknown_time_zone(zone):
    with pytest.raises(PeriodInvalid, match="unknown time zone"):
        month_bounds(2026, 1, zone)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-02-01", "2026-01-01"),
        ("2026-01-01", "2026-01-01"),
        ("2026-02-30", "2026-04-01"),
        ("01.02.2026", "2026-04-01"),
        (None, 5),
        ("0001-01-01", "2026-01-01"),
    ],
)
def test_rejects_malformed_or_empty_period(start, end):
    with pytest.raises(PeriodInvalid):
        read_period(start, end, "Asia/Shanghai")


def test_rejects_period_longer_than_the_limit():
    with pytest.raises(PeriodInvalid, match="longer than 240 months"):
        read_period("1990-01-01", "2026-01-01", "UTC")


def test_rejects_interval_across_a_month():
    calendar = read_period("2026-01-01", "2026-03-01", "Asia/Shanghai")
    edge = calendar.months[0].end_ms
    assert calendar.index_of_interval(edge - HOUR, edge) == 0
    with pytest.raises(PeriodInvalid, match="crosses the end of 2026-01 in Asia/Shanghai"):
        calendar.index_of_interval(edge - HOUR, edge + 1)


def test_month_begins_at_local_midnight():
    assert month_bounds(2026, 1, "Asia/Shanghai") == (1_767_196_800_000, 1_769_875_200_000)


@pytest.mark.parametrize(("month", "hours"), [(3, 743), (10, 745), (6, 720)])
def test_month_with_a_change_of_clocks_has_its_true_length(month, hours):
    start, end = month_bounds(2026, month, "Europe/Berlin")
    assert (end - start) / HOUR == hours


def test_day_whose_midnight_is_skipped_begins_with_the_change():
    # Sao Paulo, 2018-11-04: clocks went from 00:00 to 01:00.
    assert start_of_day(date(2018, 11, 4), "America/Sao_Paulo") == 1_541_300_400_000


@given(st.sampled_from(ZONES), st.integers(1975, 2090), st.integers(1, 12), st.integers(1, 30))
@settings(max_examples=60)
def test_months_tile_a_period_without_gap_or_overlap(zone, year, month, count):
    start = month_bounds(year, month, zone)[0]
    last = year * 12 + month - 1 + count - 1
    end = month_bounds(last // 12, last % 12 + 1, zone)[1]
    calendar = Calendar.of(zone, start, end)
    assert len(calendar.months) == count
    assert all(m.is_whole for m in calendar.months)
    assert [m.start_ms for m in calendar.months[1:]] == [m.end_ms for m in calendar.months[:-1]]
    assert [calendar.index_of(m.start_ms) for m in calendar.months] == list(range(count))
    assert [calendar.index_of(m.end_ms - 1) for m in calendar.months] == list(range(count))
