from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from example_contents import bodies
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.contents.readings import (
    MAX_VALUES,
    Sample,
    Series,
    read_series,
    readings,
    readings_body,
    span,
)
from carbonseal_attest.errors import ContentInvalid
from carbonseal_attest.instants import MAX_INSTANT

SERIES = bodies()["readings"]["series"][0]
QUALITY = [["good", "", 4]]


def check(**changes: Any) -> None:
    readings({"series": [{**SERIES, **changes}]}, "body")


@pytest.mark.parametrize(
    "times",
    [
        [0, [[0, 10**18]]],
        [0, [[1, 10**18]]],
        [0, [[0, MAX_VALUES]]],
        [0, [[10**18, 1], [-(10**18), 1]]],
        [0, [[-1, 3]]],
        [MAX_INSTANT, [[1, 3]]],
        [0, [[0, 1]] * 10_000],
        [0, [[n % 2, 1] for n in range(10**5)]],
    ],
    ids=[
        "count",
        "count and step",
        "one too many",
        "out and back",
        "before 1970",
        "after 9999",
        "one run",
        "runs",
    ],
)
def test_hostile_times_are_refused_before_they_unfold(times: list[Any]) -> None:
    before = time.process_time()
    with pytest.raises(ContentInvalid):
        check(times=times)
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
    "times",
    [
        [],
        [0],
        [0, []],
        [0, [[1]]],
        [0, [[1, 0]]],
        [0, [[1, -3]]],
        [0, [[1, True], [2, 2]]],
        [True, [[1, 3]]],
        [0, [[True, 3]]],
        ["0", [[1, 3]]],
        [0, {}],
        {},
        None,
        [0, [[1, 3]], 0],
    ],
    ids=repr,
)
def test_malformed_times_are_refused(times: Any) -> None:
    with pytest.raises(ContentInvalid, match=r"body\.series"):
        check(times=times)


def test_runs_that_could_be_one_are_refused() -> None:
    with pytest.raises(ContentInvalid, match="same step"):
        check(times=[0, [[5, 1], [5, 2]]])
    with pytest.raises(ContentInvalid, match="repeats its neighbour"):
        check(quality=[["good", "", 2], ["good", "", 2]])


@pytest.mark.parametrize(
    "quality",
    [
        [["excellent", "", 4]],
        [["good", "", 3]],
        [["good", "", 5]],
        [["good", "", 0], ["bad", "", 4]],
        [["good", "\u202e", 4]],
        [["good", "a" * 81, 4]],
        [["good", "", True], ["bad", "", 3]],
        [["good", 4]],
        [],
        None,
    ],
    ids=repr,
)
def test_malformed_quality_is_refused(quality: Any) -> None:
    with pytest.raises(ContentInvalid, match="quality"):
        check(quality=quality)


def test_scale_that_is_not_the_least_is_refused() -> None:
    with pytest.raises(ContentInvalid, match="least"):
        check(scale=3, values=[10, 20, None, 30])
    with pytest.raises(ContentInvalid, match="least"):
        check(scale=1, values=[None] * 4, quality=QUALITY)


def test_width_stands_exactly_in_intervals() -> None:
    with pytest.raises(ContentInvalid, match="width_ms"):
        check(width_ms=1)
    with pytest.raises(ContentInvalid, match="width_ms"):
        check(form="interval")


def test_series_out_of_order_or_twice_are_refused() -> None:
    other = {**SERIES, "point": "zz"}
    with pytest.raises(ContentInvalid, match="not sorted"):
        readings({"series": [other, SERIES]}, "body")
    with pytest.raises(ContentInvalid, match="twice"):
        readings({"series": [SERIES, SERIES]}, "body")


def test_example_gives_its_samples_back() -> None:
    register, heat = read_series(bodies()["readings"])
    assert [s.value for s in register.samples()] == [Decimal("512.4"), Decimal("513.25"), None, Decimal(514)]
    assert [s.quality for s in register.samples()] == ["good", "good", "bad", "good"]
    assert [s.source_status for s in register.samples()] == ["", "", "0x80", ""]
    assert span({"series": [heat.to_body()]}) == (1_767_225_600_000, 1_767_227_400_000)


samples = st.builds(
    Sample,
    st.integers(0, MAX_INSTANT),
    st.none() | st.decimals(-(10**9), 10**9, places=4),
    st.sampled_from(["good", "uncertain", "bad"]),
    st.sampled_from(["", "0x00", "越限"]),
)


@given(st.lists(samples, min_size=1, max_size=30))
def test_samples_in_any_order_come_back_as_they_were(made: list[Sample]) -> None:
    series = Series.of("p", "instant", "kW", made)
    body = readings_body([series])
    readings(body, "body")
    assert list(read_series(body)[0].samples()) == made
    assert readings_body(read_series(body)) == body
    low, high = span(body)
    assert (low, high) == (min(s.at for s in made), max(s.at for s in made) + 1)


@given(st.integers(0, 10**12), st.integers(1, 10**6), st.integers(2, 2000))
def test_regular_grid_is_one_run_whatever_its_length(first: int, step: int, count: int) -> None:
    series = Series.of("p", "instant", "kW", [Sample(first + step * n, Decimal(n)) for n in range(count)])
    assert series.to_body()["times"] == [first, [[step, count - 1]]]
