# ruff: noqa: E501 - tables of cases, one case a line
from __future__ import annotations

from pathlib import Path

import pytest

from carbonseal_attest.contents import build_content, parse_content
from carbonseal_attest.instants import parse_instant
from carbonseal_collectors.errors import PlanInvalid
from carbonseal_collectors.gateway_config import load_gateway_config
from carbonseal_collectors.plan_file import check_against_gateway, load_plan


@pytest.fixture
def steel(repository_root: Path) -> Path:
    return repository_root / "docs" / "examples" / "steel-daewoo"


def changed(steel: Path, folder: Path, old: str, new: str) -> Path:
    text = (steel / "plan.toml").read_text("utf-8")
    assert old in text
    path = folder / "plan.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("plan_version = 1", "plan_version = 0", r"plan\.plan_version: 0 is not an integer from 1"),
        ("plan_version = 1", "plan_version = 1\nauthor = 'x'", r"plan\.author: is not a known key"),
        ('method = "GHGP-CORP-S12@1.0.0"', 'method = "GHGP"', "'GHGP' has the wrong form"),
        ("start = 2018-01-01T00:00:00+09:00", "start = 2018-01-01", "not a date and time with an offset"),
        ("start = 2018-01-01T00:00:00+09:00", "start = 2018-01-01T00:00:00", "not a date and time with an offset"),
        ('a = "active_energy"', 'a = "passive_energy"', "'passive_energy' is no measurement of the plan"),
        ('value = "0.4585"', "value = 0.4585", "0.4585 is not a plain decimal in quotes"),
        ('region = "KR"\n', "", r"grid_factor\.declared\.region: is missing"),
        ('resolution = "0.01"', 'resolution = "0.01"\noffset = "1"', r"cross_checks\[0\]\.offset: is not a known key"),
        ('check = "ratio"', 'check = "vibe"', "'vibe' is not known; use one of ratio, power_factor, sum"),
        ("sign = 1", "sign = 0", "sign: is neither 1 nor -1"),
        ('id = "reactive_energy_lagging"', 'id = "active_energy"', "one id is used twice"),
        ('device = "m-q4zt7wx2kb5n3mpr"', 'device = "Meter 1"', r"device: not an opaque code"),
        ('capacity_per_hour = "2000"', 'capacity_per_hour = "lots"', "'lots' is not a plain decimal"),
        ('unit = "kW.h"\nname = { zh = "购入', 'data_sources = ["meter", "guess"]\nunit = "kW.h"\nname = { zh = "购入', r"data_sources\[1\]: not one of meter, bill"),
        ('unit = "kW.h"\nname = { zh = "购入', 'data_sources = ["bill", "bill"]\nunit = "kW.h"\nname = { zh = "购入', "names one twice"),
        ('unit = "kW.h"\nname = { zh = "购入', 'data_sources = []\nunit = "kW.h"\nname = { zh = "购入', "data_sources: not an array of 1 to 4"),
        ('unit = "kW.h"\nname = { zh = "购入', 'declared_tolerance_percent = 0.5\nunit = "kW.h"\nname = { zh = "购入', "0.5 is not a plain decimal in quotes"),
    ],
)  # fmt: skip
def test_refuses_a_bad_plan_naming_place_and_remedy(steel, tmp_path, old, new, said):
    with pytest.raises(PlanInvalid, match=said):
        load_plan(changed(steel, tmp_path, old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('point = "active_energy"', 'point = "energy"', "measurement active_energy: gateway.toml reads no point energy"),
        ('unit = "t{CO2}"', 'unit = "kg{CO2}"', "measurement co2_mass: is interval in kg{CO2} every 900000 ms, but"),
        ('step = "15 min"', 'step = "30 min"', "every 1800000 ms, but gateway.toml reads .* every 900000 ms"),
    ],
)  # fmt: skip
def test_refuses_a_plan_that_the_gateway_does_not_read(steel, tmp_path, old, new, said):
    plan = load_plan(changed(steel, tmp_path, old, new))
    with pytest.raises(PlanInvalid, match=said):
        check_against_gateway(plan, load_gateway_config(steel / "gateway.toml"))


@pytest.mark.parametrize("name", ["plant", "steel-daewoo", "gas-electricity-amsterdam", "datacentre-servers"])
def test_every_example_plan_is_a_content(repository_root, name):
    plan = load_plan(
        repository_root / "docs" / "examples" / name / "plan.toml", overrides={"plan_version": 3}
    )
    data = build_content(
        "monitoring_plan", subject=plan.installation, stream="register", interval=None, body=plan.body,
        salt=b"\x01" * 16,
    )  # fmt: skip
    body = parse_content(data).body
    assert body["plan_version"] == 3
    assert body == plan.body


def test_the_steel_works_declares_its_factor_and_checks_its_own_column(steel):
    body = load_plan(steel / "plan.toml").body
    declared = body["source_streams"][0]["factors"]["grid_factor"]["declared"]
    assert (declared["value"], declared["unit"], declared["kind"], declared["region"], declared["year"]) == (
        "0.4585", "kg{CO2}/(kW.h)", "location_average", "KR", 2018,
    )  # fmt: skip
    assert "not checked against a national publication" in declared["source"]
    assert [item["check"] for item in body["cross_checks"]] == ["ratio", "power_factor", "power_factor"]
    assert body["effective"] == {"start": parse_instant("2017-12-31T15:00:00Z"), "end": None}


def test_order_of_data_sources_and_tolerance_stand_in_the_body_only_if_written(steel, tmp_path):
    assert "data_sources" not in load_plan(steel / "plan.toml").body["source_streams"][0]
    old = 'unit = "kW.h"\nname = { zh = "购入'
    new = f'data_sources = ["meter", "bill"]\ndeclared_tolerance_percent = "2.50"\n{old}'
    (stream,) = load_plan(changed(steel, tmp_path, old, new)).body["source_streams"]
    assert (stream["data_sources"], stream["declared_tolerance_percent"]) == (["meter", "bill"], "2.5")
