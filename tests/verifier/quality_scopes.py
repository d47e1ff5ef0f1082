"""Builds scopes for rule tests: a plan of named points, their readings, and what goes with them."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_verifier.quality.engine import run_rules
from carbonseal_verifier.quality.findings import Finding
from carbonseal_verifier.quality.profile import load_profile
from carbonseal_verifier.quality.scope import Scope
from carbonseal_verifier.quality.series_index import Provenance, SeriesIndex

STEP = 900_000
DAY = 86_400_000
START = 1_767_196_800_000  # 2026-01-01T00:00 in Shanghai
METER = "m-main"


def measurement(identifier: str = "main", **changes: Any) -> dict[str, Any]:
    return {
        "id": identifier, "device": METER, "point": identifier,
        "quantity": "active_energy", "form": "interval",
        "unit": "kW.h", "step_ms": STEP, "name": {"zh": "点", "en": "point"},
        "register_modulus": None,
        "capacity_per_hour": None, "calibration": {"required": False, "cycle_days": 0},
    } | changes  # fmt: skip


class ScopeBuilder:
    """Collects measurements with readings, then gives the scope; by default one complete day."""

    def __init__(self, *, slots: int = 96) -> None:
        self.slots = slots
        self.measurements: list[dict[str, Any]] = []
        self.cross_checks: list[dict[str, Any]] = []
        self.index = SeriesIndex()
        self.more: dict[str, Any] = {}
        self.profile = load_profile("default@1")
        self._number = 0

    def point(self, identifier: str = "main", **changes: Any) -> ScopeBuilder:
        self.measurements.append(measurement(identifier, **changes))
        return self

    def readings(
        self, values: Sequence[Any], identifier: str = "main", *, times: Sequence[int] | None = None,
        start: int = START, quality: str = "good", unit: str | None = None, **provenance: Any,
    ) -> ScopeBuilder:  # fmt: skip
        declared = next(m for m in self.measurements if m["id"] == identifier)
        at = list(times) if times is not None else [start + i * STEP for i in range(len(values))]
        samples = [
            Sample(t, None if v is None else Decimal(str(v)), quality)
            for t, v in zip(at, values, strict=True)
        ]
        width = STEP if declared["form"] == "interval" else 0
        series = Series.of(
            declared["point"], declared["form"], unit or declared["unit"], samples, width_ms=width
        )
        interval = (min(at), max(at) + STEP)
        facts = {"registered_by": interval[1] + 1000, "issued_at": interval[1], **provenance}
        self._number += 1
        origin = Provenance(self._number.to_bytes(32, "big"), declared["device"], interval, **facts)
        self.index.add(readings_body([series]), origin)
        return self

    def check(self, **entry: Any) -> ScopeBuilder:
        self.cross_checks.append({"id": "check", **entry})
        return self

    def scope(self) -> Scope:
        plan = {
            "time_zone": "Asia/Shanghai", "effective": {"start": START, "end": None},
            "measurements": self.measurements, "cross_checks": self.cross_checks,
        }  # fmt: skip
        end = START + self.slots * STEP
        facts: dict[str, Any] = {"as_of": end + DAY, **self.more}
        return Scope(plan=plan, start=START, end=end, profile=self.profile, index=self.index, **facts)

    def findings(self, rule: str) -> list[Finding]:
        return [f for f in run_rules(self.scope()).findings if f.rule.split("@")[0] == rule]

    def outcome(self, rule: str) -> str:
        return next(v for k, v in run_rules(self.scope()).outcomes.items() if k.split("@")[0] == rule)


STEEL_COLUMNS = {
    "active": ("Usage_kWh", "active_energy", "kW.h"),
    "lagging": ("Lagging_Current_Reactive_Power_kVarh", "reactive_energy_lagging", "kV.A.h{reactive}"),
    "leading": ("Leading_Current_Reactive_Power_kVarh", "reactive_energy_leading", "kV.A.h{reactive}"),
    "co2": ("CO2(tCO2)", "co2_mass", "t{CO2}"),
    "pf-lagging": ("Lagging_Current_Power_Factor", "power_factor_lagging", "%"),
    "pf-leading": ("Leading_Current_Power_Factor", "power_factor_leading", "%"),
}
SEOUL = timedelta(hours=9)


def steel_rows(shared_data: Path) -> list[tuple[int, dict[str, str]]]:
    """The steel works' rows with interval starts: stamps are interval ends, 00:00 the day's 24:00."""
    with gzip.open(shared_data / "steel-daewoo" / "steel_2018_h1.csv.gz", "rt") as stream:
        rows = []
        for row in csv.DictReader(stream):
            end = datetime.strptime(row["date"], "%d/%m/%Y %H:%M").replace(tzinfo=UTC) - SEOUL
            if row["date"].endswith("00:00"):
                end += timedelta(days=1)
            rows.append((int(end.timestamp()) * 1000 - STEP, row))
    return rows


def steel_scope(rows: list[tuple[int, dict[str, str]]]) -> ScopeBuilder:
    """The half year as the steel works' plan declares it: six columns and three cross-checks."""
    builder = ScopeBuilder()
    for identifier, (column, quantity, unit) in STEEL_COLUMNS.items():
        form = "instant" if quantity.startswith("power_factor") else "interval"
        builder.point(identifier, quantity=quantity, unit=unit, form=form)
        builder.readings([row[column] for _, row in rows], identifier, times=[at for at, _ in rows])
    builder.cross_checks = [
        {"id": "co2-column", "check": "ratio", "a": "active", "b": "co2", "ratio": "0.4585",
         "ratio_unit": "kg{CO2}/(kW.h)", "resolution": "0.01"},
        {"id": "pf-lagging", "check": "power_factor", "active": "active", "reactive": "lagging",
         "power_factor": "pf-lagging", "tolerance_points": "0.01"},
        {"id": "pf-leading", "check": "power_factor", "active": "active", "reactive": "leading",
         "power_factor": "pf-leading", "tolerance_points": "0.01"},
    ]  # fmt: skip
    return builder
