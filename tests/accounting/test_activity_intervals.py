"""Interval amounts, mean power, instants and daily values; the steel works to the last digit."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from site_readings import JANUARY, QUARTER, measurement, plan, readings, samples, stream

from carbonseal_accounting.activity import derive_activity
from carbonseal_accounting.periods import month_bounds
from carbonseal_attest.contents.readings import Sample

START = JANUARY[0]
HOUR = 3_600_000
DAY = 24 * HOUR


def derive(contents, *, hours=1, start=START, **changes):
    body = plan(measurement(**({"form": "interval"} | changes)))
    return derive_activity(body, contents, start_ms=start, end_ms=start + hours * HOUR)


def interval(values, start=START, width=QUARTER, **more):
    return readings(samples(values, start, width), form="interval", width=width, **more)


def counts(activity):
    row = activity.completeness()[0]
    return tuple(row[key] for key in ("expected", "measured", "late", "gap", "missing"))


def amount(activity):
    return activity.streams["grid"][0].amount


def test_interval_that_comes_twice_counts_once_and_is_reported():
    activity = derive([interval(["1", "2", "3", "4"]), interval(["1", "2", "3", "4"], is_late=True)])
    assert amount(activity) == 10
    assert activity.finding_counts == {"duplicate": 4}
    assert counts(activity) == (4, 4, 0, 0, 0)


def test_overlapping_interval_of_another_width_is_left_out():
    activity = derive([interval(["1", "2", "3", "4"]), interval(["10"], width=HOUR)])
    assert amount(activity) == 10
    assert activity.finding_counts == {"off_grid": 1}


def test_interval_shifted_against_the_grid_is_left_out():
    activity = derive([interval(["1", "2"], start=START + QUARTER // 2)])
    assert (amount(activity), counts(activity)) == (0, (4, 0, 0, 0, 4))


def test_intervals_outside_the_period_are_not_counted():
    activity = derive([interval(["100", "1", "2", "3", "4", "100"], start=START - QUARTER)])
    assert (amount(activity), activity.finding_counts) == (10, {})


def test_bad_and_null_values_are_missing_and_uncertain_ones_apart():
    made = [
        Sample(START, Decimal(1)),
        Sample(START + QUARTER, Decimal(50), "bad", ""),
        Sample(START + 2 * QUARTER, None, "bad", ""),
        Sample(START + 3 * QUARTER, Decimal(4), "uncertain", ""),
    ]
    activity = derive([readings(made, form="interval", width=QUARTER)])
    assert (amount(activity), counts(activity)) == (5, (4, 2, 0, 0, 2))
    assert activity.streams["grid"][0].uncertain_amount == 4


def test_amount_beyond_the_capacity_is_kept_and_reported():
    activity = derive([interval(["1", "2", "3000", "4"])], capacity_per_hour="100")
    assert amount(activity) == 3007
    assert activity.finding_counts == {"over_capacity": 1}


def test_times_that_run_backwards_still_take_their_places():
    made = list(reversed(samples(["1", "2", "3", "4"], START)))
    activity = derive([readings(made, form="interval", width=QUARTER)])
    assert (amount(activity), counts(activity)) == (10, (4, 4, 0, 0, 0))


def test_mean_power_times_width_is_energy():
    body = plan(measurement(form="interval", quantity="mean_power", unit="kW"), streams=[stream(unit="MW.h")])
    contents = [interval(["100", "200", "300", "401"], unit="kW")]
    activity = derive_activity(body, contents, start_ms=START, end_ms=START + HOUR)
    month = activity.streams["grid"][0]
    assert (month.amount, month.source_amount, month.source_unit.name) == (
        Decimal("0.25025"), Decimal("250.25"), "kWh",
    )  # fmt: skip


def test_instants_give_completeness_and_no_amount():
    body = plan(
        measurement(),
        measurement(id="pressure", point="pressure", quantity="pressure", form="instant", unit="bar"),
    )
    contents = [readings(samples(["1", "2", None, "3"], START), form="instant", unit="bar", point="pressure")]
    activity = derive_activity(body, contents, start_ms=START, end_ms=START + HOUR)
    row = activity.completeness()[1]
    assert (row["measurement"], row["expected"], row["measured"], row["missing"]) == ("pressure", 4, 3, 1)
    assert activity.measurements["pressure"][0].amount is None


def test_power_factors_are_never_summed():
    body = plan(
        measurement(),
        measurement(id="pf", point="pf", quantity="power_factor_lagging", form="interval", unit="%"),
    )
    contents = [interval(["99", "98", "97", "96"], unit="%", point="pf")]
    activity = derive_activity(body, contents, start_ms=START, end_ms=START + HOUR)
    assert activity.measurements["pf"][0].amount is None
    assert activity.completeness()[1]["measured"] == 4


def test_subtracted_measurement_lowers_the_stream():
    body = plan(
        measurement(form="interval"),
        measurement(id="sold", point="sold", form="interval"),
        streams=[stream(activity=[{"measurement": "main", "sign": 1}, {"measurement": "sold", "sign": -1}])],
    )
    contents = [interval(["5", "5", "5", "5"]), interval(["1", "1", "1", "1.5"], point="sold")]
    activity = derive_activity(body, contents, start_ms=START, end_ms=START + HOUR)
    assert amount(activity) == Decimal("15.5")


def test_daily_values_follow_civil_days_through_a_change_of_clocks():
    start, end = month_bounds(2026, 3, "Europe/Berlin")
    body = plan(measurement(form="interval", step_ms=DAY), time_zone="Europe/Berlin")
    days = [start + day * DAY - (HOUR if day > 28 else 0) for day in range(31)]
    contents = [readings([Sample(day, Decimal(1))], form="interval", width=DAY) for day in days]
    activity = derive_activity(body, contents, start_ms=start, end_ms=end)
    assert (amount(activity), counts(activity)) == (31, (31, 31, 0, 0, 0))


def test_source_decimals_are_kept_and_none_are_added():
    contents = [interval(["1.10", "2.25", "3", "4.35"])]
    assert str(derive(contents).streams["grid"][0].source_amount) == "10.70"


@given(
    st.lists(st.decimals(min_value=0, max_value=1000, places=3, allow_nan=False), min_size=8, max_size=8),
    st.permutations(range(4)),
)
@settings(max_examples=40, deadline=None)
def test_order_of_contents_and_cutting_of_the_period_change_nothing(values, order):
    contents = [interval(values[2 * at : 2 * at + 2], start=START + 2 * at * QUARTER) for at in order]
    whole = amount(derive(contents, hours=2))
    assert whole == sum(values)
    parts = [amount(derive(contents, hours=1, start=START + at * HOUR)) for at in range(2)]
    assert sum(parts) == whole


def test_steel_works_half_year_equals_the_sum_of_the_file(shared_data):
    path = shared_data / "steel-daewoo" / "steel_2018_h1.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        values = [row["Usage_kWh"] for row in csv.DictReader(lines)]
    start, end = month_bounds(2018, 1, "Asia/Seoul")[0], month_bounds(2018, 7, "Asia/Seoul")[0]
    contents = [
        interval(values[at : at + 96], start=start + at * QUARTER) for at in range(0, len(values), 96)
    ]
    body = plan(measurement(form="interval"), time_zone="Asia/Seoul")
    activity = derive_activity(body, contents, start_ms=start, end_ms=end)
    months = activity.streams["grid"]
    assert sum(month.source_amount for month in months) == Decimal("521199.76")
    assert counts(activity) == (17_376, 17_376, 0, 0, 0)
    assert [len(month.statements) for month in activity.measurements["main"]] == [31, 28, 31, 30, 31, 30]
