"""The fast grids against slow, obvious code written from the rules, on random readings of two months."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from site_readings import QUARTER, gap, measurement, plan, readings

from carbonseal_accounting.activity import derive_activity
from carbonseal_accounting.periods import month_bounds
from carbonseal_attest.contents.readings import Sample

EDGE = month_bounds(2026, 2, "Asia/Shanghai")[0]
PLACES = 8  # four quarter-hours on each side of midnight, 1 February
START, END = EDGE - 4 * QUARTER, EDGE + 4 * QUARTER
CAPACITY = 200  # kWh per hour: 50 a place

# One reading: its place (one before the period to one after it), value, quality, distance from the clock.
reading = st.tuples(
    st.integers(-1, PLACES + 1),
    st.one_of(st.none(), st.integers(0, 120)),
    st.sampled_from(["good", "good", "good", "uncertain", "bad"]),
    st.sampled_from([0, 0, 0, 60_000, -60_000, QUARTER // 2]),
)
content = st.tuples(st.lists(reading, min_size=1, max_size=6), st.booleans())
gaps = st.lists(st.tuples(st.integers(0, PLACES - 1), st.integers(1, PLACES)), max_size=2)


def register_reference(contents, gap_places):
    """Return per month (measured, late, gap) and (amount, late part, uncertain part), from the rules."""
    read = {}
    for samples, is_late in contents:
        for place, value, quality, off in samples:
            if abs(off) * 4 > QUARTER or not 0 <= place <= PLACES or place in read:
                continue
            is_good = value is not None and quality != "bad"
            read[place] = (value, quality == "uncertain", is_late) if is_good else None
    places = sorted(place for place, state in read.items() if state is not None)
    measured, late = set(), set()
    amounts = {0: [0, 0, 0], 1: [0, 0, 0]}
    for opening, closing in pairwise(places):
        step = read[closing][0] - read[opening][0]
        if step < 0 or step > CAPACITY * (closing - opening) / 4:
            continue
        (late if read[closing][2] else measured).add(closing - 1)
        month = amounts[(closing - 1) // 4]
        month[0] += step
        month[1] += step if read[closing][2] else 0
        month[2] += step if read[closing][1] or read[opening][1] else 0
    silent = {place - 1 for place in gap_places if place > 0} - measured - late
    return [
        (tuple(sum(1 for p in group if p // 4 == m) for group in (measured, late, silent)), tuple(amounts[m]))
        for m in (0, 1)
    ]


def interval_reference(contents, gap_places):
    """As `register_reference`, for interval amounts: only places exactly on the grid, the first counts."""
    read = {}
    for samples, is_late in contents:
        for place, value, quality, off in samples:
            if off or not 0 <= place < PLACES or place in read:
                continue
            is_good = value is not None and quality != "bad"
            read[place] = (value, quality == "uncertain", is_late) if is_good else None
    months = []
    for m in (0, 1):
        good = {p: s for p, s in read.items() if s is not None and p // 4 == m}
        silent = [p for p in gap_places if p < PLACES and p // 4 == m and p not in good]
        late = [state for state in good.values() if state[2]]
        unsure = [state for state in good.values() if state[1]]
        counts = (len(good) - len(late), len(late), len(silent))
        amounts = tuple(sum(state[0] for state in states) for states in (good.values(), late, unsure))
        months.append((counts, amounts))
    return months


def derived(form, contents, gap_spans):
    made = []
    width = QUARTER if form == "interval" else 0
    for samples, is_late in contents:
        series = [
            Sample(START + place * QUARTER + off, None if value is None else Decimal(value), quality)
            for place, value, quality, off in samples
        ]
        made.append(readings(series, form=form, width=width, is_late=is_late))
    made += [gap(START + first * QUARTER, START + last * QUARTER) for first, last in gap_spans]
    body = plan(measurement(form=form, capacity_per_hour=str(CAPACITY)))
    activity = derive_activity(body, made, start_ms=START, end_ms=END)
    return [
        ((month.measured, month.late, month.gap), (month.amount, month.late_amount, month.uncertain_amount))
        for month in activity.measurements["main"]
    ]


def spans(gap_pairs):
    return [(first, max(first + 1, last)) for first, last in gap_pairs]


@given(st.lists(content, max_size=5), gaps)
@settings(max_examples=100, deadline=None)
def test_registers_agree_with_the_rules_written_plainly(contents, gap_pairs):
    places = {place for first, last in spans(gap_pairs) for place in range(first, last)}
    assert derived("register", contents, spans(gap_pairs)) == register_reference(contents, places)


@given(st.lists(content, max_size=5), gaps)
@settings(max_examples=100, deadline=None)
def test_intervals_agree_with_the_rules_written_plainly(contents, gap_pairs):
    places = {place for first, last in spans(gap_pairs) for place in range(first, last)}
    assert derived("interval", contents, spans(gap_pairs)) == interval_reference(contents, places)
