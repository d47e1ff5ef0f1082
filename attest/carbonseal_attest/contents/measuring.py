"""Kinds about measuring: monitoring plan, gap, calibration, and what stands beside readings or corrects them.

The monitoring plan is the grid (point × interval) on which completeness is judged, the source streams that
turn measurements into activity data, and the cross-checks that the quality rules run.
"""

from __future__ import annotations

from typing import Any, Final

from carbonseal_attest.contents import schema as s
from carbonseal_attest.contents.readings import FORMS, readings

# Where activity data may come from: the meter on line, the supplier's bill, the enterprise's own ledger, the
# laboratory's report.
DATA_SOURCES: Final = ("meter", "bill", "ledger", "laboratory")

declared_factor = s.record(
    {
        "value": s.decimal,
        "unit": s.text(40),
        "kind": s.text(60),
        "region": s.text(60),
        "year": s.integer(1900, 2200),
        "source": s.text(400),
    }
)

factor = s.either(
    s.shared("factor-of-a-set", s.record({"set": s.text(80), "key": s.text(120)})),
    s.shared("declared-factor", s.record({"declared": declared_factor})),
)

measurement = s.record(
    {
        "id": s.name,
        "device": s.code,
        "point": s.name,
        "quantity": s.text(60),
        "form": s.one_of(*FORMS),
        "unit": s.text(40),
        "step_ms": s.integer(1000, 400 * 86_400_000),
        "name": s.bilingual,
        "register_modulus": s.nullable(s.decimal),
        "capacity_per_hour": s.nullable(s.decimal),
        "calibration": s.record({"required": s.boolean, "cycle_days": s.integer(0, 36_500)}),
    }
)

source_stream = s.record(
    {
        "id": s.name,
        "type": s.text(60),
        "name": s.bilingual,
        "activity": s.array(
            s.record({"measurement": s.name, "sign": s.one_of_integers(-1, 1)}), 100, least=1
        ),
        "unit": s.text(40),
        "factors": s.table(factor, 32),
    },
    {
        "data_sources": s.array(s.one_of(*DATA_SOURCES), 4, least=1),
        "declared_tolerance_percent": s.decimal,
    },
)

cross_check = s.either(
    s.shared(
        "power-factor-check",
        s.record(
            {
                "id": s.name,
                "check": s.one_of("power_factor"),
                "active": s.name,
                "reactive": s.name,
                "power_factor": s.name,
                "tolerance_points": s.decimal,
            }
        ),
    ),
    s.shared(
        "sum-check",
        s.record(
            {
                "id": s.name,
                "check": s.one_of("sum"),
                "whole": s.name,
                "parts": s.array(s.name, 100, least=1),
                "tolerance_percent": s.decimal,
            }
        ),
    ),
    s.shared(
        "ratio-check",
        s.record(
            {
                "id": s.name,
                "check": s.one_of("ratio"),
                "a": s.name,
                "b": s.name,
                "ratio": s.decimal,
                "ratio_unit": s.text(40),
                "resolution": s.decimal,
            }
        ),
    ),
)

_CHECK_INPUTS: Final = ("active", "reactive", "power_factor", "whole", "a", "b")

_plan = s.record(
    {
        "plan": s.code,
        "plan_version": s.integer(1, 100_000),
        "name": s.bilingual,
        "time_zone": s.text(60),
        "effective": s.effective,
        "method": s.text(80),
        "measurements": s.array(measurement, 5000, least=1),
        "source_streams": s.array(source_stream, 500, least=1),
        "cross_checks": s.array(cross_check, 500),
        "quality_profile": s.text(80),
    }
)


def _check_references(plan: dict[str, Any], field: str) -> None:
    for part in ("measurements", "source_streams", "cross_checks"):
        ids = [item["id"] for item in plan[part]]
        if len(set(ids)) != len(ids):
            raise s.refuse(f"{field}.{part}", "one id stands twice")
    known = {item["id"] for item in plan["measurements"]}
    for stream in plan["source_streams"]:
        if not {use["measurement"] for use in stream["activity"]} <= known:
            raise s.refuse(
                f"{field}.source_streams", f"{stream['id']} uses a measurement that the plan lacks"
            )
    for check in plan["cross_checks"]:
        used = {check[name] for name in _CHECK_INPUTS if name in check}
        if not used | set(check.get("parts", ())) <= known:
            raise s.refuse(f"{field}.cross_checks", f"{check['id']} uses a measurement that the plan lacks")


monitoring_plan = s.where(
    _plan,
    _check_references,
    "ids are unique within each array; every measurement that is named is one of `measurements`",
)

gap = s.record(
    {
        "points": s.array(s.name, 64, least=1),
        "reason": s.one_of("source_silent", "bad_row", "bad_value", "spool_lost", "clock_jump", "stopped"),
        "detail": s.text(400),
    }
)

calibration = s.record(
    {
        "device": s.code,
        "certificate": s.text(120),
        "laboratory": s.text(200),
        "accuracy_class": s.text(40),
        "calibrated_at": s.instant,
        "valid_until": s.instant,
        "document_digest": s.nullable(s.digest),
    }
)

declared_activity = s.record(
    {
        "plan_digest": s.digest,
        "source_stream": s.name,
        "data_source": s.one_of("bill", "ledger", "laboratory"),
        "quantity": s.quantity,
        "document_digest": s.digest,
    }
)

downgrade = s.record(
    {
        "plan_digest": s.digest,
        "source_stream": s.name,
        "from": s.one_of(*DATA_SOURCES),
        "to": s.one_of(*DATA_SOURCES),
        "reason": s.text(400),
    }
)

corrected_readings = s.record({"supersedes": s.digest, "reason": s.text(400), "readings": readings})
