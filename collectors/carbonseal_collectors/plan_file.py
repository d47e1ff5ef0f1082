"""The monitoring plan file: TOML for people, turned into the body of a `monitoring_plan` statement.

The file mirrors the body key by key (`docs/spec/contents.md`); decimals are text, instants are TOML
date-times with an offset, unknown keys are refused with their place. Whether measurements, checks and
factors fit together is checked here as far as the file alone can tell; whether the method takes them is
left to accounting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from carbonseal_attest.contents.measuring import monitoring_plan
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.quantities import format_decimal
from carbonseal_collectors.errors import PlanInvalid
from carbonseal_collectors.gateway_config import FORMS, GatewayConfig
from carbonseal_collectors.toml_table import Table, read_toml
from carbonseal_collectors.windows import to_instant

_MAX: Final = 5_000  # measurements of one plan, as the content schema has it


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan file: the installation it is about (the statement's subject) and the body."""

    installation: str
    body: dict[str, Any]


def load_plan(path: Path, *, overrides: Mapping[str, object] | None = None) -> PlanFile:
    """The plan in the file `path`.

    Args:
        path: the TOML file.
        overrides: keys of [plan] set before the file is checked, such as `{"installation": "i-..."}`.

    Raises:
        PlanInvalid: naming file, key path and remedy.
    """
    values = read_toml(path, error=PlanInvalid)
    plan_values = values.get("plan")
    if isinstance(plan_values, dict):
        plan_values.update(overrides or {})
    top = Table(values, file=path.name, error=PlanInvalid)
    plan = top.table("plan")
    effective = plan.table("effective")
    body: dict[str, Any] = {
        "plan": plan.text("plan"),
        "plan_version": plan.integer("plan_version", minimum=1, maximum=100_000),
        "name": _bilingual(plan),
        "time_zone": plan.text("time_zone"),
        "effective": {
            "start": _instant(effective, "start"),
            "end": _instant(effective, "end") if "end" in effective else None,
        },
        "method": plan.text("method", pattern=r"[A-Za-z0-9._-]{1,60}@[0-9]+\.[0-9]+\.[0-9]+"),
        "measurements": [_measurement(table) for table in top.tables("measurements", maximum=_MAX)],
        "source_streams": [_source_stream(table) for table in top.tables("source_streams", maximum=500)],
        "cross_checks": [
            _cross_check(table) for table in top.tables("cross_checks", optional=True, maximum=500)
        ],
        "quality_profile": plan.text("quality_profile", "default@1"),
    }
    installation = plan.text("installation")
    for table in (effective, plan, top):
        table.finish()
    _check_references(body, path.name)
    try:
        monitoring_plan(body, "plan")
    except CarbonsealError as exc:
        raise PlanInvalid(f"{path.name}: {exc.field}", exc.reason, "correct it in the plan file") from exc
    return PlanFile(installation, body)


def check_against_gateway(plan: PlanFile, config: GatewayConfig) -> None:
    """Checks that every measurement of the plan is read by the gateway, in the same form, unit and step.

    Raises:
        PlanInvalid: naming the measurement.
    """
    meters = config.meters()
    for item in plan.body["measurements"]:
        place = f"{config.plan_file.name if config.plan_file else 'plan'}: measurement {item['id']}"
        meter = meters.get(item["device"])
        point = None if meter is None else next((p for p in meter.points if p.point == item["point"]), None)
        if point is None:
            raise PlanInvalid(
                place, f"{config.file} reads no point {item['point']} of {item['device']}", "add it there"
            )
        if (point.form, point.unit, point.step_ms) != (item["form"], item["unit"], item["step_ms"]):
            raise PlanInvalid(
                place,
                f"is {item['form']} in {item['unit']} every {item['step_ms']} ms, but {config.file} reads "
                f"{point.form} in {point.unit} every {point.step_ms} ms",
                "make the two agree",
            )


def _measurement(table: Table) -> dict[str, Any]:
    calibration = table.table("calibration", optional=True)
    value: dict[str, Any] = {
        "id": table.text("id"),
        "device": table.text("device"),
        "point": table.text("point"),
        "quantity": table.text("quantity"),
        "form": table.text("form", choices=FORMS),
        "unit": table.text("unit"),
        "step_ms": table.duration("step", minimum=1_000),
        "name": _bilingual(table),
        "register_modulus": _decimal_or_none(table, "register_modulus"),
        "capacity_per_hour": _decimal_or_none(table, "capacity_per_hour"),
        "calibration": {
            "required": calibration.boolean("required", default=False),
            "cycle_days": calibration.integer("cycle_days", 0, maximum=36_500),
        },
    }
    calibration.finish()
    table.finish()
    return value


def _source_stream(table: Table) -> dict[str, Any]:
    factors = table.table("factors")
    value: dict[str, Any] = {
        "id": table.text("id"),
        "type": table.text("type"),
        "name": _bilingual(table),
        "activity": [_part(part) for part in table.tables("activity", maximum=100)],
        "unit": table.text("unit"),
        "factors": {name: _factor(factors.table(name)) for name in factors},
    }
    factors.finish()
    # What the body leaves out when the file does: the meter alone, and the usual tolerance.
    if "data_sources" in table:
        value["data_sources"] = list(table.texts("data_sources"))
        if len(set(value["data_sources"])) != len(value["data_sources"]):
            table.refuse("data_sources", "names one twice", "name each once, in the order of preference")
    if "declared_tolerance_percent" in table:
        value["declared_tolerance_percent"] = format_decimal(table.decimal("declared_tolerance_percent"))
    table.finish()
    return value


def _part(table: Table) -> dict[str, Any]:
    value = {
        "measurement": table.text("measurement"),
        "sign": table.integer("sign", 1, minimum=-1, maximum=1),
    }
    if not value["sign"]:
        table.refuse("sign", "is neither 1 nor -1", "write 1 to add the measurement, -1 to take it off")
    table.finish()
    return value


def _factor(table: Table) -> dict[str, Any]:
    if "declared" not in table:
        value: dict[str, Any] = {"set": table.text("set"), "key": table.text("key")}
        table.finish()
        return value
    declared = table.table("declared")
    value = {
        "declared": {
            "value": format_decimal(declared.decimal("value")),
            "unit": declared.text("unit"),
            "kind": declared.text("kind"),
            "region": declared.text("region"),
            "year": declared.integer("year", minimum=1900, maximum=2200),
            "source": declared.text("source"),
        }
    }
    declared.finish()
    table.finish()
    return value


def _cross_check(table: Table) -> dict[str, Any]:
    check = table.text("check", choices=("ratio", "power_factor", "sum"))
    value: dict[str, Any] = {"id": table.text("id"), "check": check}
    match check:
        case "ratio":
            value |= {"a": table.text("a"), "b": table.text("b"), "ratio_unit": table.text("ratio_unit")}
            value |= {key: format_decimal(table.decimal(key)) for key in ("ratio", "resolution")}
        case "power_factor":
            value |= {key: table.text(key) for key in ("active", "reactive", "power_factor")}
            value["tolerance_points"] = format_decimal(table.decimal("tolerance_points"))
        case _:
            value |= {"whole": table.text("whole"), "parts": list(table.texts("parts"))}
            value["tolerance_percent"] = format_decimal(table.decimal("tolerance_percent"))
    table.finish()
    return value


def _check_references(body: Mapping[str, Any], file: str) -> None:
    for kind in ("measurements", "source_streams", "cross_checks"):
        ids = [item["id"] for item in body[kind]]
        if len(set(ids)) != len(ids):
            raise PlanInvalid(f"{file}: {kind}", "one id is used twice", "give each its own")
    known = [item["id"] for item in body["measurements"]]
    named = [
        (f"source_streams.{stream['id']}", part["measurement"])
        for stream in body["source_streams"]
        for part in stream["activity"]
    ]
    for check in body["cross_checks"]:
        refs = [
            check[key] for key in ("a", "b", "active", "reactive", "power_factor", "whole") if key in check
        ]
        named += [(f"cross_checks.{check['id']}", ref) for ref in [*refs, *check.get("parts", [])]]
    for place, ref in named:
        if ref not in known:
            raise PlanInvalid(
                f"{file}: {place}", f"{ref!r} is no measurement of the plan", "add or correct it"
            )


def _bilingual(table: Table) -> dict[str, str]:
    name = table.table("name")
    value = {"zh": name.text("zh"), "en": name.text("en")}
    name.finish()
    return value


def _instant(table: Table, key: str) -> int:
    value = table.raw(key)
    if not isinstance(value, datetime) or value.tzinfo is None:
        table.refuse(
            key, "is not a date and time with an offset", "write 2026-01-01T00:00:00+08:00, without quotes"
        )
    return to_instant(value)


def _decimal_or_none(table: Table, key: str) -> str | None:
    return format_decimal(table.decimal(key)) if key in table else None
