"""Traces: performed again they give their figures; any edited part is found."""

from __future__ import annotations

import copy
import json

import pytest
from site_readings import JANUARY, measurement, plan, readings, samples, stream

from carbonseal_accounting.activity import derive_activity
from carbonseal_accounting.errors import TraceInvalid
from carbonseal_accounting.factors import load_factor_sets
from carbonseal_accounting.inventory import build_inventory
from carbonseal_accounting.method import load_methods
from carbonseal_accounting.trace import reperform

START = JANUARY[0]


@pytest.fixture(scope="module")
def trace():
    roof = measurement(id="heat", point="heat", quantity="heat", unit="GJ")
    streams = [
        stream(),
        stream(
            id="steam",
            type="purchased_heat",
            unit="GJ",
            factors={},
            activity=[{"measurement": "heat", "sign": 1}],
        ),
    ]
    body = plan(measurement(), roof, streams=streams)
    contents = [
        readings(samples(["0", "100", "250.5"], START)),
        readings(samples(["0", "1.25"], START), unit="GJ", point="heat"),
    ]
    end = START + 3_600_000
    activity = derive_activity(body, contents, start_ms=START, end_ms=end)
    inventory = build_inventory(
        body, activity, methods=load_methods(), factor_sets=load_factor_sets(), start_ms=START, end_ms=end
    )
    return json.loads(json.dumps(inventory.to_json()["trace"]))


def edited(trace, change):
    copied = copy.deepcopy(trace)
    change(copied)
    return copied


def test_trace_performed_again_gives_its_figures(trace):
    figures = reperform(trace)
    assert {name: str(value) for name, value in figures.items()}["total/total"] == "0.275275"


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["figures"][0].update(value="0.1"),
        lambda t: t["figures"][-1].update(value="0.1", rounded="0.10"),
        lambda t: t["figures"][-1].update(rounded="0.28000"),
        lambda t: t["figures"][-1].update(rounding={"places": 1, "mode": "half_up"}),
        lambda t: t["factors"][0].update(value="0.05"),
        lambda t: t["factors"][0].update(unit="kg{CO2}/(MW.h)"),
        lambda t: t["activity"][0].update(value="250.4"),
        lambda t: t["activity"][0]["parts"][0].update(amount="250.4"),
        lambda t: t["activity"][0]["parts"][0].update(sign=-1),
        lambda t: t["activity"][0]["parts"][0].update(sign=2),
        lambda t: t["constants"][2].update(value="2"),
        lambda t: t["figures"][0].update(equation="activity * grid_factor * 0"),
        lambda t: t["figures"][0].update(equation="activity **"),
        lambda t: t["figures"][0]["inputs"].update(activity="total/total"),
        lambda t: t["figures"][0].pop("inputs"),
        lambda t: t["figures"].append(t["figures"][0]),
        lambda t: t["activity"].append(t["activity"][0]),
        lambda t: t.update(schema="x"),
        lambda t: t.pop("factors"),
    ],
)
def test_any_edited_part_of_a_trace_is_found(trace, change):
    with pytest.raises(TraceInvalid):
        reperform(edited(trace, change))


def test_every_figure_reaches_activity_and_every_activity_its_statements(trace):
    known = {entry["id"] for entry in trace["activity"] + trace["factors"] + trace["constants"]}
    for figure in trace["figures"]:
        refs = [
            ref
            for value in figure["inputs"].values()
            for ref in ([value] if isinstance(value, str) else value)
        ]
        assert set(refs) <= known
        known.add(figure["id"])
    for entry in trace["activity"]:
        assert all(trace["statements"][part["statements"]]["digests"] for part in entry["parts"])


def test_factor_of_a_trace_names_set_digest_key_and_certainty(trace):
    factor = trace["factors"][0]
    assert factor["set"] == "CN-GRID@1.0.0"
    assert factor["set_digest"] == load_factor_sets()["CN-GRID@1.0.0"].digest.hex()
    assert (factor["key"], factor["certainty"]) == ("CN-EAST.location_average.2023", "verified")
    assert factor["year_rule"].endswith("data year 2023")
