"""Inventories: what is refused, what stands beside a total, and that parts sum to totals exactly."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from site_readings import JANUARY, QUARTER, measurement, plan, readings, samples, stream

from carbonseal_accounting.activity import derive_activity
from carbonseal_accounting.errors import FactorRefused, FactorSetUnknown, MethodUnknown, PlanRefused
from carbonseal_accounting.factors import FactorSet, load_factor_sets
from carbonseal_accounting.inventory import build_inventory, compute_request
from carbonseal_accounting.method import load_methods
from carbonseal_accounting.periods import month_bounds

START = JANUARY[0]
HOUR = 3_600_000
GAS = {
    name: {"set": "CN-FUELS@1.0.0", "key": f"NDRC-2015.natural_gas.{name}"}
    for name in ("ncv", "carbon_content", "oxidation")
}
DECLARED = {
    "declared": {
        "value": "0.5",
        "unit": "tCO2/MWh",
        "kind": "location_average",
        "region": "CN-SH",
        "year": 2025,
        "source": "supplier",
    }
}


def build(body, contents=None, *, start=START, end=START + HOUR, factor_sets=None, methods=None):
    if contents is None:
        contents = [readings(samples(["0", "100", "250.5", "300", "400.25"], START))]
    activity = derive_activity(body, contents, start_ms=start, end_ms=end)
    return build_inventory(
        body, activity, methods=load_methods() if methods is None else methods,
        factor_sets=load_factor_sets() if factor_sets is None else factor_sets, start_ms=start, end_ms=end,
    )  # fmt: skip


def grid(**factors):
    return plan(streams=[stream(factors=factors)])


def key(name, package="CN-GRID@1.0.0"):
    return {"set": package, "key": name}


@pytest.mark.parametrize(
    ("factor", "error", "reason"),
    [
        (key("CN.life_cycle.grid.2023"), FactorRefused, "of kind life_cycle"),
        (key("CN.residual.2023"), FactorRefused, "of kind residual"),
        (key("CN-EAST.location_average.2021"), FactorRefused, "was published on"),
        (key("AR5.CH4", "GWP100@1.0.0"), FactorRefused, "of kind gwp100"),
        (key("CN.location_average.2023", "CN-GRID@2.0.0"), FactorSetUnknown, "no factor set"),
        ({"declared": DECLARED["declared"] | {"unit": "tCO2/GJ{coal}"}}, FactorRefused, "is in tCO2/GJ"),
        ({"declared": DECLARED["declared"] | {"kind": "life_cycle"}}, FactorRefused, "of kind life_cycle"),
        ({"declared": DECLARED["declared"] | {"year": 2027}}, FactorRefused, "later than the period"),
        ({"declared": DECLARED["declared"] | {"region": "KR"}}, FactorRefused, "holds in KR"),
        ({"set": "CN-GRID@1.0.0"}, FactorRefused, "missing"),
        ({"set": "CN-GRID@1.0.0", "key": "x", "declared": {}}, FactorRefused, "unknown key"),
        ("0.5", FactorRefused, "not a table"),
    ],
)
def test_rejects_factor_that_does_not_fit_and_names_its_place(factor, error, reason):
    with pytest.raises(error, match=reason) as refusal:
        build(grid(grid_factor=factor))
    assert refusal.value.field.startswith("source_streams[0].factors.grid_factor")
    assert refusal.value.remedy


def test_rejects_parameter_that_the_plan_lacks():
    with pytest.raises(PlanRefused, match="the plan gives no grid emission factor"):
        build(grid())


def test_rejects_parameter_that_the_method_does_not_have():
    with pytest.raises(PlanRefused, match="has no such parameter"):
        build(grid(grid_factor=DECLARED, heat_factor=DECLARED))


def test_rejects_fuel_parameters_of_two_families():
    mixed = GAS | {"ncv": {"set": "CN-FUELS@1.0.0", "key": "CETS-AG-2024.natural_gas.ncv"}}
    body = plan(
        measurement(quantity="gas_volume", unit="m3{normal}"),
        streams=[stream(type="gas_combustion", unit="m3{normal}", factors=mixed)],
    )
    with pytest.raises(FactorRefused, match="mixes the method families CETS-AG-2024 and NDRC-2015"):
        build(body, [readings(samples(["0", "1"], START), unit="m3{normal}")])


def test_rejects_declared_oxidation_where_the_method_forbids_it():
    declared = {
        "value": "0.5",
        "unit": "1",
        "kind": "oxidation_factor",
        "region": "CN",
        "year": 2025,
        "source": "us",
    }
    body = plan(
        measurement(quantity="gas_volume", unit="m3{normal}"),
        streams=[
            stream(
                type="gas_combustion", unit="m3{normal}", factors=GAS | {"oxidation": {"declared": declared}}
            )
        ],
    )
    with pytest.raises(FactorRefused, match="a declared factor is not allowed here"):
        build(body, [readings(samples(["0", "1"], START), unit="m3{normal}")])


def test_rejects_gas_at_line_conditions_for_a_factor_at_normal_ones():
    body = plan(
        measurement(quantity="gas_volume", unit="m3"),
        streams=[stream(type="gas_combustion", unit="m3", factors=GAS)],
    )
    with pytest.raises(Exception, match="at normal conditions"):
        build(body, [readings(samples(["0", "1"], START), unit="m3")])


def test_rejects_measurement_of_another_quantity():
    body = plan(measurement(quantity="generation"))
    with pytest.raises(
        PlanRefused, match="main measures generation, purchased_electricity takes active_energy"
    ):
        build(body)


def test_rejects_subtraction_where_the_method_is_gross():
    body = plan(
        measurement(), measurement(id="sold", point="sold"), method="GHGP-CORP-S12@1.0.0",
        streams=[stream(activity=[{"measurement": "main", "sign": 1}, {"measurement": "sold", "sign": -1}])],
    )  # fmt: skip
    with pytest.raises(PlanRefused, match="sold is subtracted, purchased_electricity of GHGP-CORP-S12"):
        build(body)


def test_rejects_method_that_is_not_at_hand_or_type_that_it_lacks():
    with pytest.raises(MethodUnknown, match=r"no method 'GBT32150-2015@9\.0\.0'"):
        build(plan(method="GBT32150-2015@9.0.0"))
    with pytest.raises(MethodUnknown, match="has no source stream type 'magic'"):
        build(plan(streams=[stream(type="magic")]))


def test_rejects_period_before_the_method_was_in_force():
    start, end = month_bounds(2015, 1, "Asia/Shanghai")
    with pytest.raises(PlanRefused, match="is effective from 2016-06-01"):
        build(plan(), [], start=start, end=end)


def test_rejects_activity_of_another_period_or_plan():
    body = plan()
    activity = derive_activity(body, [], start_ms=START, end_ms=START + HOUR)
    packages = {"methods": load_methods(), "factor_sets": load_factor_sets(), "start_ms": START}
    with pytest.raises(PlanRefused, match="of another period"):
        build_inventory(body, activity, **packages, end_ms=START + 2 * HOUR)
    with pytest.raises(PlanRefused, match="follow another plan"):
        build_inventory(plan(plan_version=2), activity, **packages, end_ms=START + HOUR)


def test_swapped_factor_package_gives_another_figure_and_another_digest():
    shipped = load_factor_sets()["CN-GRID@1.0.0"]
    files = dict(shipped.files)
    files["factors.csv"] = files["factors.csv"].replace(b",0.55,", b",0.05,")
    swapped = load_factor_sets() | {"CN-GRID@1.0.0": FactorSet.from_files(files)}
    honest, forged = build(plan()), build(plan(), factor_sets=swapped)
    assert forged.total < honest.total
    assert [row["digest"] for row in honest.packages()] != [row["digest"] for row in forged.packages()]


def test_figures_of_a_metered_hour():
    result = build(plan()).to_json()
    assert result["by_stream"]["grid"]["activity"] == {"value": "400.25", "unit": "kWh", "unit_ucum": "kW.h"}
    assert result["total"] == {
        "value": "0.2201375",
        "unit": "tCO2e",
        "rounded": "0.22",
        "unit_ucum": "t{CO2e}",
    }
    assert result["method"] == "GBT32150-2015@1.0.0"
    assert [row["id"] for row in result["packages"]] == ["GBT32150-2015", "CN-GRID", "GWP100"]
    assert result["activity"]["completeness"][0]["measured"] == 4
    assert not result["factors"][0]["is_declared"]


def test_declared_factor_is_marked_and_its_share_stands_beside_the_total():
    result = build(grid(grid_factor=DECLARED)).to_json()
    assert result["factors"][0]["is_declared"]
    assert result["factors"][0]["certainty"] == "declared"
    assert result["shares"]["declared"] == "1.000000"
    assert result["by_stream"]["grid"]["is_declared"]


def test_unsure_factor_carries_its_mark_to_the_total():
    start, end = month_bounds(2019, 1, "Asia/Shanghai")
    factor = key("CN-SH.location_average.2018")
    contents = [readings(samples(["0", "1"], start))]
    result = build(grid(grid_factor=factor), contents, start=start, end=end).to_json()
    assert result["factors"][0]["certainty"] == "general-knowledge"
    assert result["shares"]["unsure_factor"] == "1.000000"


def test_factor_checked_against_a_second_source_only_shows_its_mark_and_is_not_counted_as_unsure():
    result = build(grid(grid_factor=key("CN-AH.location_average.2023"))).to_json()
    assert result["factors"][0]["certainty"] == "secondary-verified"
    assert result["shares"]["unsure_factor"] == "0.000000"


def test_late_share_is_that_of_the_emissions():
    contents = [
        readings(samples(["0", "300"], START)),
        readings(samples([None, None, "400"], START), is_late=True),
    ]
    result = build(plan(), contents).to_json()
    assert result["shares"]["late"] == "0.250000"
    assert result["by_stream"]["grid"]["shares"]["late"] == "0.250000"


def test_generation_is_shown_and_changes_no_total():
    roof = measurement(id="roof", point="roof", quantity="generation")
    shown = stream(
        id="pv", type="onsite_generation", activity=[{"measurement": "roof", "sign": 1}], factors={}
    )
    contents = [
        readings(samples(["0", "100"], START)),
        readings(samples(["0", "60"], START), point="roof"),
    ]
    with_roof = build(plan(measurement(), roof, streams=[stream(), shown]), contents)
    without = build(plan(), contents[:1])
    result = with_roof.to_json()
    assert with_roof.total == without.total
    assert result["by_stream"]["pv"]["activity"]["value"] == "60"
    assert result["by_stream"]["pv"]["emissions"]["value"] == "0"
    assert not result["by_stream"]["pv"]["is_counted"]


def test_gases_left_out_for_want_of_a_factor_are_said_so():
    body = plan(
        measurement(quantity="gas_volume", unit="m3{normal}"), method="GHGP-CORP-S12@1.0.0",
        streams=[stream(type="gas_combustion", unit="m3{normal}", factors=GAS)],
    )  # fmt: skip
    result = build(body, [readings(samples(["0", "100"], START), unit="m3{normal}")]).to_json()
    notes = [note["en"] for note in result["by_stream"]["grid"]["notes"]]
    assert "the plan names no CH4 factor: CH4 is not counted" in notes
    assert result["by_stream"]["grid"]["activity"] == {
        "value": "100",
        "unit": "Nm3",
        "unit_ucum": "m3{normal}",
    }


def test_same_inputs_give_the_same_bytes():
    first, second = (json.dumps(build(plan()).to_json(), sort_keys=True) for _ in range(2))
    assert first == second


def request(streams, *, start="2026-01", end="2026-04"):
    period = {"start": start, "end": end, "time_zone": "Asia/Shanghai"}
    return {"method": "GBT32150-2015@1.0.0", "period": period, "streams": streams}


amounts = st.decimals(min_value=0, max_value=10**6, places=3, allow_nan=False)


@given(st.lists(amounts, min_size=3, max_size=3), st.lists(amounts, min_size=3, max_size=3), st.booleans())
@settings(max_examples=25, deadline=None)
def test_months_and_streams_sum_exactly_to_the_total_in_any_order(power, gas, is_reversed):
    def monthly(values, unit):
        return [
            {"month": f"2026-0{at + 1}", "value": str(value), "unit": unit} for at, value in enumerate(values)
        ]

    streams = [
        {"id": "grid", "type": "purchased_electricity", "activity": monthly(power, "kWh"),
         "factors": {"grid_factor": key("CN-EAST.location_average.2023")}},
        {"id": "gas", "type": "gas_combustion", "activity": monthly(gas, "Nm3"), "factors": GAS},
    ]  # fmt: skip
    inventory = compute_request(request(list(reversed(streams)) if is_reversed else streams))
    result = inventory.to_json()
    months = [Decimal(row["total"]["value"]) for row in result["by_month"]]
    parts = [Decimal(row["emissions"]["value"]) for row in result["by_stream"].values()]
    assert len(months) == 3
    assert sum_exact(months) == sum_exact(parts) == inventory.total
    assert inventory.total == compute_request(request(streams)).total


@given(amounts)
@settings(max_examples=25, deadline=None)
def test_writing_an_amount_in_another_unit_changes_nothing(value):
    totals = set()
    for text, unit in ((str(value), "kWh"), (str(value.scaleb(-3)), "MWh"), (str(value.scaleb(3)), "Wh")):
        row = {
            "id": "g", "type": "purchased_electricity", "activity": {"value": Decimal(text), "unit": unit},
            "factors": {"grid_factor": key("CN.location_average.2023")},
        }  # fmt: skip
        totals.add(compute_request(request([row])).total)
    assert len(totals) == 1


def sum_exact(values):
    total = Decimal(0)
    from carbonseal_accounting.arithmetic import add

    for value in values:
        total = add(total, value)
    return total


def test_quarter_of_quarter_hours_names_every_statement():
    start, end = month_bounds(2026, 1, "Asia/Shanghai")[0], month_bounds(2026, 4, "Asia/Shanghai")[0]
    count = (end - start) // QUARTER
    values = [str(at) for at in range(count + 1)]
    made = samples(values, start)
    contents = [readings(made[at : at + 96]) for at in range(0, len(made), 96)]
    trace = build(plan(), contents, start=start, end=end).to_json()["trace"]
    assert {name: row["count"] for name, row in trace["statements"].items()} == {
        "main/2026-01": 32, "main/2026-02": 29, "main/2026-03": 32,
    }  # fmt: skip
    named = {digest for row in trace["statements"].values() for digest in row["digests"]}
    assert named == {content.digest.hex() for content in contents}
