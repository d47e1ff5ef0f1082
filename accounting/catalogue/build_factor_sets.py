# ruff: noqa: INP001, T201 - a script of the catalogue's keepers, not part of the package
"""Write the factor packages from the typed source tables; run it only to make a new release of a set.

    python accounting/catalogue/build_factor_sets.py SOURCES

SOURCES holds `factors/{grid_ef,fuels,gwp,tce}.csv` and `ipcc-efdb/efdb_2006_energy_and_ippu.csv.gz`. Each
value keeps the source and the certainty that its row names. A published set never changes: a mended value
is a new version in a new folder.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from pathlib import Path

from carbonseal_accounting.factors import COLUMNS

TARGET = Path(__file__).parents[1] / "carbonseal_accounting" / "factor_sets"
REGIONS = {
    "全国": ("CN", "China"),
    "华北": ("CN-NORTH", "North China grid"),
    "东北": ("CN-NORTHEAST", "Northeast grid"),
    "华东": ("CN-EAST", "East China grid"),
    "华中": ("CN-CENTRAL", "Central China grid"),
    "西北": ("CN-NORTHWEST", "Northwest grid"),
    "南方": ("CN-SOUTH", "South China grid"),
    "西南": ("CN-SOUTHWEST", "Southwest grid"),
    "北京": ("CN-BJ", "Beijing"),
    "天津": ("CN-TJ", "Tianjin"),
    "河北": ("CN-HE", "Hebei"),
    "山西": ("CN-SX", "Shanxi"),
    "内蒙古": ("CN-NM", "Inner Mongolia"),
    "辽宁": ("CN-LN", "Liaoning"),
    "吉林": ("CN-JL", "Jilin"),
    "黑龙江": ("CN-HL", "Heilongjiang"),
    "上海": ("CN-SH", "Shanghai"),
    "江苏": ("CN-JS", "Jiangsu"),
    "浙江": ("CN-ZJ", "Zhejiang"),
    "安徽": ("CN-AH", "Anhui"),
    "福建": ("CN-FJ", "Fujian"),
    "江西": ("CN-JX", "Jiangxi"),
    "山东": ("CN-SD", "Shandong"),
    "河南": ("CN-HA", "Henan"),
    "湖北": ("CN-HB", "Hubei"),
    "湖南": ("CN-HN", "Hunan"),
    "广东": ("CN-GD", "Guangdong"),
    "广西": ("CN-GX", "Guangxi"),
    "海南": ("CN-HI", "Hainan"),
    "重庆": ("CN-CQ", "Chongqing"),
    "四川": ("CN-SC", "Sichuan"),
    "贵州": ("CN-GZ", "Guizhou"),
    "云南": ("CN-YN", "Yunnan"),
    "西藏": ("CN-XZ", "Tibet"),
    "陕西": ("CN-SN", "Shaanxi"),
    "甘肃": ("CN-GS", "Gansu"),
    "青海": ("CN-QH", "Qinghai"),
    "宁夏": ("CN-NX", "Ningxia"),
    "新疆": ("CN-XJ", "Xinjiang"),
}
GRID_KINDS = {
    "average": "location_average",
    "average_old_six_regions": "location_average",
    "OM_simple": "operating_margin",
    "average_excl_market_traded_nonfossil": "residual",
    "fossil_power_only": "fossil",
    "BM": "build_margin",
    "reporting_rule": "reporting_rule",
    "lca_footprint": "life_cycle",
}
TECHNOLOGIES = {
    "全国": "grid",
    "风电": "wind",
    "光伏": "photovoltaic",
    "生物质": "biomass",
    "燃煤": "coal",
    "燃气": "gas",
    "水电": "hydro",
    "核电": "nuclear",
    "光热": "solar_thermal",
}
PUBLISHED = {"No.12": "2024-04-12", "No.33": "2024-12-20", "No.47": "2025-12-31", "2025-01-17": "2025-01-17"}
# The family says whose rule a value belongs to; families are not mixed within one stream.
FUEL_FAMILIES = {
    "CETS-AG 2024": "CETS-AG-2024",
    "NDRC 24": "NDRC-2015",
    "Power generation": "CETS-POWER",
    "MEE": "CETS-POWER",
    "JS/T 303": "JST303-2026",
    "": "JST303-2026",
}
UNIT_CODES = {
    "GJ/t": "GJ/t",
    "GJ/10^4Nm3": "GJ/(10*4.m3{normal})",
    "kgce/kg": "kg{ce}/kg",
    "kgce/m3": "kg{ce}/m3",
    "kgce/kWh": "kg{ce}/(kW.h)",
    "kgce/MJ": "kg{ce}/MJ",
    "kgce": "kg{ce}/kg",
}
GASES = {
    "CARBON DIOXIDE": ("CO2", "combustion_co2"),
    "METHANE": ("CH4", "combustion_ch4"),
    "NITROUS OXIDE": ("N2O", "combustion_n2o"),
}
FUELS_ZH = {
    "natural_gas": "天然气",
    "diesel_oil": "柴油",
    "gas_oil": "瓦斯油",
    "motor_gasoline": "车用汽油",
    "residual_fuel_oil": "燃料油",
    "liquefied_petroleum_gases": "液化石油气",
    "anthracite": "无烟煤",
    "other_bituminous_coal": "其他烟煤",
    "coking_coal": "炼焦煤",
    "sub_bituminous_coal": "次烟煤",
    "lignite": "褐煤",
    "coke_oven_gas": "焦炉煤气",
    "blast_furnace_gas": "高炉煤气",
    "oxygen_steel_furnace_gas": "转炉煤气",
    "wood_wood_waste": "木材/木废料",
    "crude_oil": "原油",
    "other_kerosene": "煤油",
    "petroleum_coke": "石油焦",
    "other_primary_solid_biomass": "其他固体生物质",
}


def main() -> None:
    """Write every package below TARGET."""
    sources = Path(sys.argv[1])
    tables = {name: _read(sources / "factors" / f"{name}.csv") for name in ("grid_ef", "fuels", "gwp", "tce")}
    with gzip.open(
        sources / "ipcc-efdb" / "efdb_2006_energy_and_ippu.csv.gz", "rt", encoding="utf-8"
    ) as lines:
        ipcc = list(csv.DictReader(lines))
    _write(
        "CN-GRID", "中国电网二氧化碳排放因子", "CO2 factors of Chinese electricity", _grid(tables["grid_ef"])
    )
    _write("CN-FUELS", "中国化石燃料参数", "Parameters of fossil fuels in China", _fuels(tables["fuels"]))
    _write("CN-HEAT", "外购热力缺省因子", "Default factor of purchased heat", _heat())
    _write("CN-TCE", "折标准煤系数", "Coefficients to standard coal (GB/T 2589-2020)", _tce(tables["tce"]))
    _write("GWP100", "全球变暖潜势(100 年)", "Global warming potentials, 100 years", _gwp(tables["gwp"]))
    _write(
        "IPCC2006-COMBUSTION", "IPCC 2006 固定燃烧缺省因子", "IPCC 2006 stationary combustion", _ipcc(ipcc)
    )


def _grid(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    out = []
    for row in rows:
        place, _, is_cycle = row["region"].partition(" ")
        kind = GRID_KINDS[row["kind"]]
        region, name_en = REGIONS["全国"] if is_cycle else REGIONS[place]
        year = row["year"][:4]
        middle = f"{kind}.{TECHNOLOGIES[place]}" if is_cycle else kind
        family = "MEE-NBS" if row["source"].startswith("MEE+NBS") else "NCSC"
        family = {"reporting_rule": "MEE-REPORTING"}.get(kind, family)
        certainty, note = _certainty(row["certainty"])
        published = next((day for mark, day in PUBLISHED.items() if mark in row["source"]), "")
        out.append(
            {
                "key": f"{region}.{middle}.{year}",
                "kind": kind,
                "name_zh": f"{row['region']} {year} 年",
                "name_en": f"{name_en}{', ' + TECHNOLOGIES[place] if is_cycle else ''}, {year}",
                "region": region,
                "year": year,
                "published": published,
                "value": row["tCO2_per_MWh"],
                "unit": "kg{CO2e}/(kW.h)" if is_cycle else "t{CO2}/(MW.h)",
                "family": family,
                "gas": "CO2e" if is_cycle else "CO2",
                "source": row["source"],
                "certainty": certainty,
                "note": "; ".join(filter(None, [note, row["year"][4:].strip(" ()")])),
            }
        )
    return out


def _fuels(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    out = []
    for row in rows:
        family = next(name for mark, name in FUEL_FAMILIES.items() if row["source"].startswith(mark))
        certainty, note = _certainty(row["certainty"])
        note = "; ".join(filter(None, [note, row["note"]]))
        base = {
            "name_zh": row["name_zh"],
            "name_en": row["fuel"].replace("_", " "),
            "region": "CN",
            "year": "",
            "published": "",
            "family": family,
            "gas": "",
            "source": row["source"],
            "certainty": certainty,
            "note": note,
        }
        if family == "JST303-2026":
            text = " ".join(str(value) for value in row.values())
            number, _, unit = text.split("JS/T 303-2026: ")[1].split(" secondary")[0].partition(" ")
            code = {"kgCO2e/m3": "kg{CO2e}/m3", "kgCO2e/L": "kg{CO2e}/L"}[unit.strip()]
            base |= {
                "source": "JS/T 303-2026",
                "certainty": "secondary-verified",
                "gas": "CO2e",
                "note": "ready-made factor, not NCV x CC",
            }
            key = f"{family}.{row['fuel'].removesuffix('_public_institution')}.factor"
            out.append({"key": key, "kind": "fuel_factor", "value": number, "unit": code, **base})
            continue
        for column, name, kind, unit in (
            ("NCV", "ncv", "net_calorific_value", UNIT_CODES.get(row["unit"], "GJ/t")),
            ("carbon_content_tC_per_TJ", "carbon_content", "carbon_content", "t{C}/TJ"),
            ("oxidation", "oxidation", "oxidation_factor", "1"),
        ):
            if row[column] and not row[column].startswith("measured"):
                key = f"{family}.{row['fuel']}.{name}"
                out.append({"key": key, "kind": kind, "value": row[column], "unit": unit, **base})
    return out


def _heat() -> list[dict[str, str]]:
    return [
        {
            "key": "CN.heat_default",
            "kind": "heat_default",
            "name_zh": "外购热力缺省值",
            "name_en": "purchased heat, default",
            "region": "CN",
            "year": "",
            "published": "",
            "value": "0.11",
            "unit": "t{CO2}/GJ",
            "family": "NDRC-2015",
            "gas": "CO2",
            "source": "NDRC industry guidelines, default of purchased heat, as copied in a public project",
            "certainty": "secondary-verified",
            "note": "the supplier's measured factor goes before the default",
        }
    ]


def _gwp(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    out = []
    for row in rows:
        gas, _, rule = row["gas"].partition(" (")
        certainty, note = _certainty(row["certainty"])
        for report in ("SAR", "AR4", "AR5", "AR6"):
            value = row[f"{report}_GWP100"]
            if not value:
                continue
            family = {"China": "CETS-AG-2024", "NDRC": "NDRC-2015"}.get(rule.split(" ")[0], report)
            out.append(
                {
                    "key": f"{family}.{gas}",
                    "kind": "gwp100",
                    "name_zh": gas,
                    "name_en": gas,
                    "region": "WORLD",
                    "year": "",
                    "published": "",
                    "value": value,
                    "unit": f"kg{{CO2e}}/kg{{{gas}}}",
                    "family": family,
                    "gas": gas,
                    "source": row["source"],
                    "certainty": certainty,
                    "note": note,
                }
            )
    return out


def _tce(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    out = []
    for row in rows:
        low, dash, high = row["coefficient"].partition("-")
        if not low[0].isdigit():
            continue  # the equivalent value of electricity is a yearly figure that the source does not give
        certainty, note = _certainty(row["certainty"])
        for suffix, value in ((".low", low), (".high", high)) if dash else (("", low),):
            out.append(
                {
                    "key": row["carrier"] + suffix,
                    "kind": "standard_coal",
                    "name_zh": row["name_zh"],
                    "name_en": row["carrier"].replace("_", " "),
                    "region": "CN",
                    "year": "",
                    "published": "",
                    "value": value,
                    "unit": UNIT_CODES[row["unit"]],
                    "family": "GBT2589-2020",
                    "gas": "",
                    "source": row["source"],
                    "certainty": certainty,
                    "note": "; ".join(filter(None, [note, row["heat_value"]])),
                }
            )
    return out


def _ipcc(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    out = []
    for row in rows:
        is_default = (
            row["IPCC 2006 Source/Sink Category"].startswith("1.A.2 -")
            and row["Type of parameter"] == "2006 IPCC default"
            and row["Gas"] in GASES
            and "Emission Factor for Stationary" in row["Description"]
        )
        if not is_default:
            continue
        gas, kind = GASES[row["Gas"]]
        name = row["Fuel 2006"].replace("\n", " ").strip()
        fuel = "_".join("".join(c if c.isalnum() else " " for c in name.split(" (")[0].lower()).split())
        if "fraction" in name:
            fuel += "_biomass" if "(biomass" in name else "_non_biomass"
        out.append(
            {
                "key": f"{fuel}.{gas}",
                "kind": kind,
                "name_zh": FUELS_ZH.get(fuel, name),
                "name_en": name,
                "region": "WORLD",
                "year": "",
                "published": "",
                "value": row["Value"],
                "unit": f"kg{{{gas}}}/TJ",
                "family": "IPCC-2006",
                "gas": gas,
                "source": f"2006 IPCC Guidelines vol. 2 table 2.3; EFDB record {row['EF ID']}",
                "certainty": "secondary-verified",
                "note": "net calorific basis",
            }
        )
    return out


def _certainty(text: str) -> tuple[str, str]:
    """Return the certainty word, and what the source adds to it."""
    for word in ("verified", "secondary-verified", "general-knowledge", "conflict", "unsure", "computed"):
        if text.startswith(word):
            return word, text.removeprefix(word).strip(" ;:,()")
    if text.startswith("formula and 99% verified"):
        return "verified", "formula and 99 % oxidation"
    raise ValueError(text)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [{key: value or "" for key, value in row.items() if key} for row in csv.DictReader(lines)]


def _write(
    name: str, title_zh: str, title_en: str, rows: list[dict[str, str]], version: str = "1.0.0"
) -> None:
    folder = TARGET / name / version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "factor_set.toml").write_text(
        f'schema = "carbonseal-factor-set/1"\nid = "{name}"\nversion = "{version}"\n'
        f'title = {{ zh = "{title_zh}", en = "{title_en}" }}\nfiles = ["factors.csv"]\n',
        encoding="utf-8",
    )
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["key"]))
    (folder / "factors.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
    print(f"{name}@{version}: {len(rows)} factors")


if __name__ == "__main__":
    main()
