"""Factors: what is refused by name, the year rule, and that the shipped sets say what their sources say."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest

from carbonseal_accounting.errors import (
    FactorRefused,
    FactorSetInvalid,
    FactorSetUnknown,
    FactorUnknown,
)
from carbonseal_accounting.factors import (
    FactorNeed,
    FactorSet,
    check_factor,
    find_factor_set,
    load_factor_sets,
    read_declared,
)
from carbonseal_accounting.periods import read_period
from carbonseal_accounting.units import parse_unit

GRID = FactorNeed(
    kinds=("location_average",),
    unit=parse_unit("tCO2/MWh"),
    families=("MEE-NBS",),
    regions=("CN",),
    sets=("CN-GRID@1.0.0",),
    year_rule="latest_published",
    is_declared_allowed=True,
)
DECLARED = {
    "value": "0.4585",
    "unit": "kg{CO2}/(kW.h)",
    "kind": "location_average",
    "region": "CN-SH",
    "year": 2025,
    "source": "grid operator",
}
HEAD = b"""schema = "carbonseal-factor-set/1"
id = "X"
version = "1.0.0"
title = { zh = "x", en = "x" }
files = ["f.csv"]
"""
COLUMNS = "key,kind,name_zh,name_en,region,year,published,value,unit,family,gas,source,certainty,note"
ROW = "a,location_average,x,x,CN,2023,2025-12-31,0.5,t{CO2}/(MW.h),F,CO2,src,verified,"


def check(factor, need=GRID, period=("2026-01-01", "2026-02-01")):
    calendar = read_period(*period, "Asia/Shanghai")
    return check_factor(factor, need, sets=load_factor_sets(), calendar=calendar, field="grid_factor")


def of(key, name="CN-GRID@1.0.0"):
    return find_factor_set(name).find(key)


def test_rejects_life_cycle_factor_in_a_corporate_inventory():
    need = FactorNeed(("location_average",), parse_unit("kgCO2e/kWh"), is_declared_allowed=True)
    with pytest.raises(FactorRefused, match="of kind life_cycle; use kind location_average"):
        check(of("CN.life_cycle.grid.2023"), need)


@pytest.mark.parametrize("key", ["CN.residual.2023", "CN.fossil.2023", "CN-NORTH.operating_margin.2019"])
def test_rejects_factor_of_another_kind(key):
    with pytest.raises(FactorRefused, match="of kind"):
        check(of(key))


def test_rejects_factor_of_another_unit():
    need = FactorNeed(("location_average",), parse_unit("tCO2/GJ{ce}"))
    with pytest.raises(FactorRefused, match="is in tCO2/MWh; use one in"):
        check(of("CN.location_average.2023"), need)


def test_rejects_factor_that_a_newer_published_year_supersedes():
    with pytest.raises(
        FactorRefused, match=r"2023 was published on 2025-12-31; use CN-SH\.location_average\.2023"
    ):
        check(of("CN-SH.location_average.2022"))


def test_accepts_older_year_while_the_newer_is_not_yet_published():
    assert "data year 2022" in check(of("CN-SH.location_average.2022"), period=("2025-01-01", "2025-12-01"))


def test_rejects_factor_of_a_year_after_the_period():
    with pytest.raises(FactorRefused, match="later than the period"):
        check(of("CN.location_average.2023"), period=("2018-01-01", "2018-07-01"))


def test_rejects_declared_factor_of_a_year_after_the_period():
    with pytest.raises(FactorRefused, match="later than the period"):
        check(read_declared(DECLARED, field="f"), period=("2018-01-01", "2018-07-01"))


def test_rejects_factor_of_another_region():
    declared = read_declared(DECLARED | {"region": "KR"}, field="f")
    with pytest.raises(FactorRefused, match="holds in KR; use region CN"):
        check(declared)


def test_rejects_region_whose_name_only_begins_alike():
    with pytest.raises(FactorRefused, match="holds in CNX"):
        check(read_declared(DECLARED | {"region": "CNX"}, field="f"))


def test_rejects_factor_of_another_method_family():
    with pytest.raises(FactorRefused, match="belongs to the method family NCSC; use family MEE-NBS"):
        check(of("CN-SH.location_average.2018"), period=("2019-01-01", "2019-02-01"))


def test_rejects_factor_of_a_set_that_the_method_does_not_take():
    need = FactorNeed(("location_average",), GRID.unit, sets=("CN-HEAT@1.0.0",))
    with pytest.raises(FactorRefused, match=r"CN-GRID@1\.0\.0 is not of this method; use CN-HEAT@1\.0\.0"):
        check(of("CN.location_average.2023"), need)


def test_rejects_declared_factor_where_the_method_does_not_allow_one():
    need = FactorNeed(("location_average",), GRID.unit)
    with pytest.raises(FactorRefused, match="not allowed here"):
        check(read_declared(DECLARED, field="f"), need)


@pytest.mark.parametrize(
    "change",
    [
        {"value": "-1"},
        {"value": 0.5},
        {"value": "x"},
        {"unit": "kWhh"},
        {"kind": "guess"},
        {"region": " "},
        {"year": "2025"},
        {"year": 9999},
        {"source": ""},
        {"extra": 1},
    ],
)
def test_rejects_malformed_declared_factor_and_names_the_part(change):
    with pytest.raises(Exception, match=f"f.{next(iter(change))}"):
        read_declared(DECLARED | change, field="f")


def test_unknown_set_and_key_name_the_nearest():
    with pytest.raises(FactorSetUnknown, match=r"name one of CN-FUELS@1\.0\.0"):
        find_factor_set("CN-GRID@9.9.9")
    with pytest.raises(FactorUnknown, match=r"nearest is CN\.location_average\.2023"):
        of("CN.location_averag.2023")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"f.csv": b""},
        {"factor_set.toml": HEAD},
        {"factor_set.toml": HEAD, "f.csv": b"\xff"},
        {"factor_set.toml": HEAD, "f.csv": f"{COLUMNS}\n{ROW}\n{ROW}\n".encode()},
        {"factor_set.toml": HEAD, "f.csv": f"{COLUMNS}\n{ROW.replace('0.5', '1e3')}\n".encode()},
        {"factor_set.toml": HEAD, "f.csv": f"{COLUMNS}\n{ROW.replace('verified', 'sure')}\n".encode()},
        {"factor_set.toml": HEAD, "f.csv": f"{COLUMNS}\n{ROW.replace('location_average', 'x')}\n".encode()},
        {"factor_set.toml": HEAD, "f.csv": f"{COLUMNS}\n{ROW.replace('t{CO2}', 'zz')}\n".encode()},
        {"factor_set.toml": HEAD, "f.csv": f"{COLUMNS}\n{ROW},more\n".encode()},
        {"factor_set.toml": HEAD, "f.csv": b"key\nx\n"},
        {"factor_set.toml": HEAD + b"odd = 1\n", "f.csv": f"{COLUMNS}\n{ROW}\n".encode()},
        {"factor_set.toml": HEAD, "f.csv": f"{COLUMNS}\n{ROW}\n".encode(), "../x": b""},
        {"factor_set.toml": HEAD, "f.csv": f"{COLUMNS}\n{ROW}\n".encode(), "more.csv": b""},
    ],
)
def test_rejects_malformed_package(files):
    with pytest.raises(FactorSetInvalid):
        FactorSet.from_files(files)


def test_changed_value_changes_the_package_digest():
    shipped = find_factor_set("CN-GRID@1.0.0")
    files = dict(shipped.files)
    files["factors.csv"] = files["factors.csv"].replace(b"0.5306", b"0.5305")
    changed = FactorSet.from_files(files)
    assert changed.find("CN.location_average.2023").value == Decimal("0.5305")
    assert changed.digest != shipped.digest


def test_every_factor_has_a_readable_unit_and_a_source():
    for item in load_factor_sets().values():
        for factor in item.factors.values():
            assert factor.source
            assert factor.value >= 0
            assert factor.set_digest == item.digest


def test_catalogue_carries_every_grid_value_of_the_source_table(shared_data):
    with (shared_data / "factors" / "grid_ef.csv").open(encoding="utf-8", newline="") as lines:
        wanted = sorted((row["year"][:4], Decimal(row["tCO2_per_MWh"])) for row in csv.DictReader(lines))
    grid = load_factor_sets()["CN-GRID@1.0.0"].factors.values()
    assert sorted((str(factor.year), factor.value) for factor in grid) == wanted


def test_doubtful_values_keep_their_marks():
    assert of("CN-XZ.location_average.2023").certainty == "unsure"
    assert of("CETS-AG-2024.bituminous.carbon_content", "CN-FUELS@1.0.0").certainty == "conflict"
    assert of("CN-AH.location_average.2018").is_unsure
    assert not of("CN.location_average.2023").is_unsure


def test_values_checked_against_a_second_source_only_keep_their_mark_and_are_not_unsure():
    factor = of("CN-AH.location_average.2023")
    assert factor.to_json()["certainty"] == "secondary-verified"
    assert not factor.is_unsure
