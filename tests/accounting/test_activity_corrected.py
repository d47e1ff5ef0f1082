"""Readings put in the place of others: what they touch is counted apart, and nothing else moves."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from site_readings import JANUARY, QUARTER, measurement, plan, readings, samples

from carbonseal_accounting.activity import derive_activity
from carbonseal_accounting.factors import load_factor_sets
from carbonseal_accounting.inventory import TOUCHED, build_inventory
from carbonseal_accounting.method import load_methods
from carbonseal_attest.contents.readings import Sample

START = JANUARY[0]
PLACES = 8
END = START + PLACES * QUARTER
METHODS, FACTOR_SETS = load_methods(), load_factor_sets()


def content(values, *, form="interval", at=0, is_corrected=False, is_late=False):
    width = QUARTER if form == "interval" else 0
    made = readings(samples(values, START + at * QUARTER), form=form, width=width, is_late=is_late)
    return replace(made, is_corrected=is_corrected)


def derive(contents, *, form="interval"):
    body = plan(measurement(form=form))
    return derive_activity(body, contents, start_ms=START, end_ms=END)


def row(activity):
    return activity.completeness()[0]


def month(activity):
    return activity.streams["grid"][0]


def test_corrected_intervals_are_counted_apart_in_places_and_amounts():
    activity = derive([content(["1", "2", "3", "4"]), content(["5", "6", "7", "8"], at=4, is_corrected=True)])
    assert (row(activity)["measured"], row(activity)["corrected"]) == (8, 4)
    assert (month(activity).amount, month(activity).corrected_amount) == (36, 26)


def test_corrected_register_reading_touches_the_steps_on_both_sides_of_it():
    contents = [
        content(["0", "10", "20", "30"], form="register"),
        content(["45"], form="register", at=4, is_corrected=True),
        content(["50", "60", "70", "80"], form="register", at=5),
    ]
    activity = derive(contents, form="register")
    assert (row(activity)["measured"], row(activity)["corrected"]) == (8, 2)
    assert (month(activity).amount, month(activity).corrected_amount) == (80, 20)


def test_corrected_instants_are_counted_although_they_have_no_amount():
    body = plan(
        measurement(form="interval"),
        measurement(id="pressure", point="pressure", quantity="pressure", form="instant", unit="bar"),
    )
    made = readings(samples(["1", "2"], START), form="instant", unit="bar", point="pressure")
    activity = derive_activity(body, [replace(made, is_corrected=True)], start_ms=START, end_ms=END)
    assert activity.completeness()[1]["corrected"] == 2


@pytest.mark.parametrize("form", ["interval", "register"])
def test_a_corrected_value_that_came_late_is_both(form):
    values = [str(10 * at) for at in range(PLACES + (form == "register"))]
    activity = derive([content(values, form=form, is_corrected=True, is_late=True)], form=form)
    assert (row(activity)["late"], row(activity)["corrected"]) == (PLACES, PLACES)
    assert month(activity).late_amount == month(activity).corrected_amount == month(activity).amount


def test_a_corrected_value_that_is_bad_counts_as_missing_and_not_as_corrected():
    made = replace(
        readings([Sample(START, Decimal(9), "bad", "")], form="interval", width=QUARTER), is_corrected=True
    )
    assert (row(derive([made]))["missing"], row(derive([made]))["corrected"]) == (PLACES, 0)


value = st.one_of(st.none(), st.integers(0, 500))
quality = st.sampled_from(["good", "good", "uncertain", "bad"])
part = st.tuples(
    st.integers(-1, PLACES),
    st.lists(st.tuples(value, quality), min_size=1, max_size=5),
    st.booleans(),
    st.booleans(),
)


def made_of(parts, form, *, marked):
    width = QUARTER if form == "interval" else 0
    contents = []
    for first, values, is_late, is_corrected in parts:
        series = [
            Sample(START + (first + at) * QUARTER, None if v is None else Decimal(v), q)
            for at, (v, q) in enumerate(values)
        ]
        made = readings(series, form=form, width=width, is_late=is_late)
        contents.append(replace(made, is_corrected=marked and is_corrected))
    return contents


@settings(max_examples=120, deadline=None)
@given(st.lists(part, max_size=5), st.sampled_from(["interval", "register", "instant"]))
def test_the_mark_of_a_correction_moves_nothing_but_the_corrected_share(parts, form):
    body = plan(measurement(form=form), streams=[])
    kept, marked = (
        derive_activity(body, made_of(parts, form, marked=mark), start_ms=START, end_ms=END)
        for mark in (False, True)
    )
    for before, after in zip(kept.measurements["main"], marked.measurements["main"], strict=True):
        assert replace(after, corrected=0, corrected_amount=before.corrected_amount) == before
        assert before.corrected == 0
        assert after.corrected <= after.measured + after.late
        parts_of_all = after.measured + after.late + after.gap + after.missing + after.substituted
        assert parts_of_all == after.expected


@settings(max_examples=60, deadline=None)
@given(st.lists(part, min_size=1, max_size=5), st.sampled_from(["interval", "register"]))
def test_no_share_of_an_inventory_exceeds_the_whole(parts, form):
    body = plan(measurement(form=form, capacity_per_hour="100000"))
    activity = derive_activity(body, made_of(parts, form, marked=True), start_ms=START, end_ms=END)
    inventory = build_inventory(
        body, activity, methods=METHODS, factor_sets=FACTOR_SETS, start_ms=START, end_ms=END
    )
    shares = {name: Decimal(share) for name, share in inventory.shares().items()}
    assert all(0 <= share <= 1 for share in shares.values())
    assert set(TOUCHED) < set(shares)
    # A declared month has no readings that count, so nothing in it is late or corrected as well.
    assert shares["declared_activity"] + max(shares["late"], shares["corrected"]) <= 1
