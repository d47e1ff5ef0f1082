"""The series index keeps what was signed, and is fast."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_scopes import DAY, METER, START, STEP, measurement

from carbonseal_attest.contents.readings import Sample, Series, read_series, readings_body
from carbonseal_verifier.errors import SeriesInvalid
from carbonseal_verifier.quality.code import judge
from carbonseal_verifier.quality.profile import load_profile
from carbonseal_verifier.quality.scope import Scope
from carbonseal_verifier.quality.series_index import Provenance, SeriesIndex, expand_quality, expand_times


def provenance(start: int = START) -> Provenance:
    return Provenance(b"d" * 32, METER, (start, start + DAY), start + DAY, start + DAY + 1000)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=40))
def test_expands_times_as_attest_does(times):
    series = Series.of("p", "instant", "kW", [Sample(t, Decimal(1)) for t in times])
    assert (
        list(expand_times(series.to_body()["times"]))
        == times
        == list(read_series(readings_body([series]))[0].times)
    )


def test_brings_statements_of_different_scale_to_the_finer_one():
    index = SeriesIndex()
    for at, value in enumerate(("1.5", "2", "3.25")):
        series = Series.of("p", "instant", "kW", [Sample(START + at * STEP, Decimal(value))])
        index.add(readings_body([series]), provenance())
    (found,) = index.of_point(METER, "p")
    assert (found.scale, found.values) == (2, [150, 200, 325])


def test_keeps_points_of_another_unit_apart():
    index = SeriesIndex()
    for unit in ("kW.h", "MW.h"):
        series = Series.of("p", "register", unit, [Sample(START, Decimal(1))])
        index.add(readings_body([series]), provenance())
    assert [s.unit for s in index.of_point(METER, "p")] == ["MW.h", "kW.h"] or len(index.series) == 2


def test_rejects_runs_longer_than_any_index():
    with pytest.raises(SeriesInvalid, match="a run of"):
        expand_times([0, [[1, 1 << 60]]])
    with pytest.raises(SeriesInvalid, match="a run of"):
        expand_quality([["good", "", 1 << 60]])


def test_judges_a_quarter_million_readings_in_seconds():
    # A million readings take four times as long; `make bench` measures, this only catches a quadratic slip.
    index, days = SeriesIndex(), 2604
    for day in range(days):
        start = START + day * DAY
        body = {"series": [{
            "point": "main", "form": "interval", "unit": "kW.h", "width_ms": STEP, "scale": 2,
            "times": [start, [[STEP, 95]]], "values": [(i * 7919 + day) % 9973 for i in range(96)],
            "quality": [["good", "", 96]],
        }]}  # fmt: skip
        index.add(body, provenance(start))
    end = START + days * DAY
    plan = {"time_zone": "UTC", "effective": {"start": START, "end": None},
            "measurements": [measurement()], "cross_checks": []}  # fmt: skip
    scope = Scope(plan=plan, start=START, end=end, as_of=end, profile=load_profile("default@1"), index=index)
    began = time.process_time()
    code = judge(scope)
    assert code.figures["measured"] == str(days * 96)
    assert time.process_time() - began < 15
