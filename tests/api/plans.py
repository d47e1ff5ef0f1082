"""A monitoring plan of electricity meters in intervals of a quarter of an hour, whose amounts add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

STEP_MS = 900_000
METHOD = "GBT32150-2015@1.0.0"


def electricity_plan(
    code: str, name: dict[str, str], meters: Sequence[str], start: int, *, cycle_days: int
) -> dict[str, Any]:
    """Return the body of the plan's first version; `cycle_days` is how long a calibration holds."""
    measurements = [
        {
            "id": f"electricity-{number}",
            "device": meter,
            "point": "active",
            "quantity": "active_energy",
            "form": "interval",
            "unit": "kW.h",
            "step_ms": STEP_MS,
            "name": {"zh": f"{number} 号进线电表", "en": f"Incoming meter {number}"},
            "register_modulus": None,
            "capacity_per_hour": None,
            "calibration": {"required": True, "cycle_days": cycle_days},
        }
        for number, meter in enumerate(meters, 1)
    ]
    grid = {
        "id": "grid",
        "type": "purchased_electricity",
        "name": {"zh": "外购电力", "en": "Purchased electricity"},
        "activity": [{"measurement": item["id"], "sign": 1} for item in measurements],
        "unit": "kW.h",
        "factors": {"grid_factor": {"set": "CN-GRID@1.0.0", "key": "CN.location_average.2023"}},
    }
    return {
        "plan": code,
        "plan_version": 1,
        "name": name,
        "time_zone": "Asia/Shanghai",
        "effective": {"start": start, "end": None},
        "method": METHOD,
        "measurements": measurements,
        "source_streams": [grid],
        "cross_checks": [],
        "quality_profile": "default@1",
    }
