"""Cumulative registers: differences, roll-over, resets, gaps, months. Hostile cases first."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from site_readings import JANUARY, QUARTER, gap, measurement, plan, readings, samples, stream

from carbonseal_accounting.activity import derive_activity
from carbonseal_accounting.errors import PeriodInvalid, PlanRefused, UnitMismatch
from carbonseal_accounting.periods import month_bounds
from carbonseal_attest.contents.readings import Sample

START = JANUARY[0]
HOUR = 3_600_000


def derive(values, *, hours=1, changes=None, extra=()):
    body = plan(measurement(**(changes or {})))
    contents = [readings(samples(values, START)), *extra]
    return derive_activity(body, contents, start_ms=START, end_ms=START + hours * HOUR)


def counts(activity):
    row = activity.completeness()[0]
    return tuple(row[key] for key in ("expected", "measured", "late", "gap", "missing"))


def amount(activity):
    return activity.streams["grid"][0].amount


def test_negative_step_is_excluded_flagged_and_missing():
    activity = derive(["100", "110", "5", "15", "25"])
    assert amount(activity) == 30
    assert counts(activity) == (4, 3, 0, 0, 1)
    assert activity.finding_counts == {"negative_step": 1}
    assert "from 110 to 5: excluded" in activity.findings[0]["detail"]


def test_meter_reset_is_no_roll_over_even_with_a_modulus():
    activity = derive(["521199", "521209", "0", "10", "20"], changes={"register_modulus": "1000000"})
    assert amount(activity) == 30
    assert activity.finding_counts == {"negative_step": 1}


def test_roll_over_counts_only_by_the_modulus_of_the_plan():
    values = ["999990", "999995", "3", "8", "13"]
    assert amount(derive(values)) == 15
    activity = derive(values, changes={"register_modulus": "1000000"})
    assert amount(activity) == 23
    assert activity.finding_counts == {"roll_over": 1}
    assert counts(activity) == (4, 4, 0, 0, 0)


def test_roll_over_beyond_the_capacity_is_excluded():
    activity = derive(
        ["999990", "999995", "3", "8", "13"],
        changes={"register_modulus": "1000000", "capacity_per_hour": "20"},
    )
    assert amount(activity) == 15
    assert activity.finding_counts == {"negative_step": 1}


def test_jump_beyond_the_capacity_and_its_return_are_excluded():
    activity = derive(["100", "110", "900110", "130", "140"], changes={"capacity_per_hour": "100"})
    assert amount(activity) == 20
    assert counts(activity) == (4, 2, 0, 0, 2)
    assert activity.finding_counts == {"over_capacity": 1, "negative_step": 1}


def test_second_reading_of_a_place_is_reported_and_does_not_count():
    again = readings(samples([None, None, None, None, "999"], START))
    activity = derive(["0", "1", "2", "3", "4"], extra=[again])
    assert amount(activity) == 4
    assert activity.finding_counts == {"duplicate": 1}
    assert activity.findings[0]["statement"] == again.digest.hex()


def test_missed_readings_keep_the_energy_and_count_as_missing():
    activity = derive(["0", None, None, "9", "12"])
    assert amount(activity) == 12
    assert counts(activity) == (4, 2, 0, 0, 2)


def test_signed_gap_is_told_from_silence():
    activity = derive(["0", None, None, "9", "12"], extra=[gap(START + QUARTER, START + 3 * QUARTER)])
    assert counts(activity) == (4, 2, 0, 2, 0)


def test_gap_of_another_meter_or_point_is_not_ours():
    others = [gap(START, START + HOUR, subject="m-2"), gap(START, START + HOUR, points=("power",))]
    assert counts(derive(["0", None, "2", "3", "4"], extra=others)) == (4, 3, 0, 0, 1)


def test_without_the_closing_reading_the_last_interval_is_missing():
    activity = derive(["0", "1", "2", "3"])
    assert amount(activity) == 3
    assert counts(activity) == (4, 3, 0, 0, 1)


def test_without_an_opening_reading_the_first_interval_is_missing():
    activity = derive([None, "1", "2", "3", "4"])
    assert amount(activity) == 3
    assert counts(activity) == (4, 3, 0, 0, 1)


def test_bad_reading_is_not_measured():
    bad = Sample(START + 2 * QUARTER, Decimal(999), "bad", "comms")
    activity = derive(["0", "1", bad, "3", "4"])
    assert amount(activity) == 4
    assert counts(activity) == (4, 3, 0, 0, 1)


def test_uncertain_reading_counts_and_its_share_is_kept():
    unsure = Sample(START + 4 * QUARTER, Decimal(4), "uncertain", "")
    activity = derive(["0", "1", "2", "3", unsure])
    assert amount(activity) == 4
    assert activity.streams["grid"][0].uncertain_amount == 1


def test_late_content_counts_as_late():
    body = plan()
    contents = [
        readings(samples(["0", "1", "2"], START)),
        readings(samples([None, None, None, "5", "9"], START), is_late=True),
    ]
    activity = derive_activity(body, contents, start_ms=START, end_ms=START + HOUR)
    assert counts(activity) == (4, 2, 2, 0, 0)
    assert (amount(activity), activity.streams["grid"][0].late_amount) == (9, 7)


def test_readings_slightly_off_the_clock_take_the_nearest_place():
    made = [
        Sample(START + i * QUARTER + jitter, Decimal(i)) for i, jitter in enumerate((0, 900, -700, 60_000, 1))
    ]
    activity = derive_activity(plan(), [readings(made)], start_ms=START, end_ms=START + HOUR)
    assert counts(activity) == (4, 4, 0, 0, 0)


def test_readings_between_the_places_are_reported_and_left_out():
    made = [Sample(START + i * QUARTER // 3, Decimal(i)) for i in range(13)]
    activity = derive_activity(plan(), [readings(made)], start_ms=START, end_ms=START + HOUR)
    assert (amount(activity), counts(activity)) == (12, (4, 4, 0, 0, 0))
    assert activity.finding_counts == {"off_grid": 8}


def test_step_across_a_month_stands_where_it_ends_and_is_reported():
    february = month_bounds(2026, 2, "Asia/Shanghai")
    start, end = february[0] - HOUR, february[0] + HOUR
    values = ["0", "1", None, None, None, "10", "11", "12", "13"]
    activity = derive_activity(plan(), [readings(samples(values, start))], start_ms=start, end_ms=end)
    assert [month.amount for month in activity.streams["grid"]] == [1, 12]
    assert activity.finding_counts == {"step_across_month": 1}


def test_reading_at_midnight_closes_one_month_and_opens_the_next():
    february = month_bounds(2026, 2, "Asia/Shanghai")
    start, end = february[0] - HOUR, february[0] + HOUR
    contents = [readings(samples([str(i * i) for i in range(9)], start))]
    activity = derive_activity(plan(), contents, start_ms=start, end_ms=end)
    assert [month.amount for month in activity.streams["grid"]] == [16, 48]
    assert [month.statements for month in activity.measurements["main"]] == [(contents[0].digest,)] * 2


def test_series_of_another_form_or_unit_is_reported_and_left_out():
    odd = [
        readings(samples(["1"], START), form="instant"),
        readings(samples(["1"], START), unit="m3"),
        readings(samples(["1"], START), unit="furlong"),
    ]
    activity = derive(["0", "1", "2", "3", "4"], extra=odd)
    assert amount(activity) == 4
    assert activity.finding_counts == {"form_differs": 1, "unit_differs": 2}


def test_series_in_a_multiple_of_the_unit_is_converted_exactly():
    contents = [
        readings(samples(["0", "1.5"], START)),
        readings(samples([None, None, "0.0035", "0.004", "0.01"], START), unit="MW.h"),
    ]
    activity = derive_activity(plan(), contents, start_ms=START, end_ms=START + HOUR)
    assert amount(activity) == 10


def test_rejects_period_that_the_plan_does_not_cover():
    body = plan(effective={"start": START + 1, "end": None})
    with pytest.raises(PlanRefused, match="not the whole period"):
        derive_activity(body, [], start_ms=START, end_ms=START + HOUR)


def test_rejects_step_that_does_not_divide_the_months():
    with pytest.raises(PeriodInvalid, match="does not divide the civil months"):
        derive_activity(plan(measurement(step_ms=7 * HOUR)), [], start_ms=JANUARY[0], end_ms=JANUARY[1])


def test_rejects_stream_of_another_dimension_or_of_an_unknown_measurement():
    with pytest.raises(UnitMismatch):
        derive_activity(plan(streams=[stream(unit="t")]), [], start_ms=START, end_ms=START + HOUR)
    body = plan(streams=[stream(activity=[{"measurement": "other", "sign": 1}])])
    with pytest.raises(PlanRefused, match="no measurement of the plan"):
        derive_activity(body, [], start_ms=START, end_ms=START + HOUR)


@pytest.mark.parametrize(
    ("uses", "said"),
    [
        ([("main", 1), ("main", -1)], "stands twice"),
        ([("main", 1), ("main", 1)], "stands twice"),
        ([("main", -1)], "only subtracts"),
    ],
)
def test_rejects_a_stream_that_cancels_doubles_or_only_subtracts_a_measurement(uses, said):
    body = plan(streams=[stream(activity=[{"measurement": name, "sign": sign} for name, sign in uses])])
    with pytest.raises(PlanRefused, match=said):
        derive_activity(body, [], start_ms=START, end_ms=START + HOUR)


@pytest.mark.parametrize(("key", "value"), [("register_modulus", "0"), ("register_modulus", "-100"),
                                            ("capacity_per_hour", "-1")])  # fmt: skip
def test_rejects_a_modulus_or_capacity_below_zero(key, value):
    with pytest.raises(PlanRefused, match="not above zero"):
        derive_activity(plan(measurement(**{key: value})), [], start_ms=START, end_ms=START + HOUR)


def test_rejects_summing_of_instants():
    body = plan(measurement(form="instant", unit="kW.h"))
    with pytest.raises(PlanRefused, match="cannot be summed over time"):
        derive_activity(body, [], start_ms=START, end_ms=START + HOUR)


@pytest.mark.parametrize("lacking", ["measurements", "source_streams", "effective", "time_zone", "plan"])
def test_rejects_plan_that_lacks_a_part(lacking):
    body = plan()
    del body[lacking]
    with pytest.raises(PlanRefused, match="plan"):
        derive_activity(body, [], start_ms=START, end_ms=START + HOUR)


steps = st.lists(st.decimals(min_value=0, max_value=500, places=2, allow_nan=False), min_size=4, max_size=4)


@given(steps, st.sets(st.integers(1, 3)), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_whatever_is_lost_in_between_first_and_last_give_the_amount(increments, lost, chunk):
    values = [Decimal(1000)]
    for increment in increments:
        values.append(values[-1] + increment)
    made = [sample for at, sample in enumerate(samples(values, START)) if at not in lost]
    contents = [readings(made[at : at + chunk]) for at in range(0, len(made), chunk)]
    activity = derive_activity(plan(), contents, start_ms=START, end_ms=START + HOUR)
    assert amount(activity) == values[-1] - values[0]
    expected, measured, late, in_gap, missing = counts(activity)
    assert expected == measured + late + in_gap + missing
    assert missing == len(lost)
