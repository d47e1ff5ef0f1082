"""Plans and contents as the other rooms write them, so that these tests meet the real shapes."""

from __future__ import annotations

import hashlib
from decimal import Decimal

from carbonseal_accounting.activity import SourceContent
from carbonseal_accounting.periods import month_bounds
from carbonseal_attest.contents.readings import Sample, Series, readings_body

QUARTER = 900_000
METER = "m-1"
JANUARY = month_bounds(2026, 1, "Asia/Shanghai")


def measurement(**changes):
    made = {
        "id": "main", "device": METER, "point": "energy", "quantity": "active_energy", "form": "register",
        "unit": "kW.h", "step_ms": QUARTER, "name": {"zh": "总表", "en": "main"}, "register_modulus": None,
        "capacity_per_hour": None, "calibration": {"required": False, "cycle_days": 0},
    }  # fmt: skip
    return made | changes


def stream(**changes):
    made = {
        "id": "grid", "type": "purchased_electricity", "name": {"zh": "购电", "en": "grid"},
        "activity": [{"measurement": "main", "sign": 1}], "unit": "kW.h",
        "factors": {"grid_factor": {"set": "CN-GRID@1.0.0", "key": "CN-EAST.location_average.2023"}},
    }  # fmt: skip
    return made | changes


def plan(*measurements, streams=None, **changes):
    made = {
        "plan": "p-1", "plan_version": 1, "name": {"zh": "方案", "en": "plan"}, "time_zone": "Asia/Shanghai",
        "effective": {"start": 0, "end": None}, "method": "GBT32150-2015@1.0.0",
        "measurements": list(measurements) or [measurement()],
        "source_streams": [stream()] if streams is None else streams, "cross_checks": [],
        "quality_profile": "default@1",
    }  # fmt: skip
    return made | changes


def samples(values, start, step=QUARTER):
    """Samples on the grid; a value may be a Sample, a decimal text, or None for no reading at all."""
    made = []
    for at, value in enumerate(values):
        if isinstance(value, Sample):
            made.append(value)
        elif value is not None:
            made.append(Sample(start + at * step, Decimal(str(value))))
    return made


def readings(made, *, form="register", unit="kW.h", width=0, point="energy", subject=METER, is_late=False):
    body = readings_body([Series.of(point, form, unit, made, width_ms=width)])
    seed = repr((form, unit, point, subject, [(s.at, s.value) for s in made], is_late))
    interval = (made[0].at, made[-1].at + max(width, 1))
    return SourceContent("readings", hashlib.sha256(seed.encode()).digest(), subject, interval, body, is_late)


def gap(start, end, points=("energy",), subject=METER):
    body = {"points": list(points), "reason": "source_silent", "detail": ""}
    return SourceContent("gap", hashlib.sha256(f"gap{start}".encode()).digest(), subject, (start, end), body)
