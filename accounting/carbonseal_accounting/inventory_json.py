"""An inventory as JSON values, for report.json, the service and the command.

Decimals are strings, units their common names (the UCUM code beside where it helps), instants RFC 3339.
`value` is unrounded, `rounded` follows the method. Activity keeps the meters' own unit and decimals.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from carbonseal_accounting.arithmetic import add, plain, round_places, trimmed
from carbonseal_accounting.inventory import SHARE_PLACES, Inventory, StreamResult, touched_shares
from carbonseal_accounting.trace import Figure
from carbonseal_accounting.units import Unit
from carbonseal_attest.instants import format_instant

SCHEMA: Final = "carbonseal-inventory/1"


def inventory_json(inventory: Inventory) -> dict[str, Any]:
    """Return the inventory as JSON values; decimals are strings, units their common names."""
    method = inventory.method
    return {
        "schema": SCHEMA,
        "method": method.name,
        "method_package": {
            "digest": method.digest.hex(),
            "title": dict(method.title),
            "standard": method.standard,
            "status": method.status,
            "boundary": dict(method.boundary),
            "gases": list(method.gases),
            "gwp": method.gwp,
            "year_rule": dict(method.year_rule),
            "rounding": method.rounding.to_json(),
        },
        "plan": (
            {"plan": inventory.activity.plan, "plan_version": inventory.activity.plan_version}
            if inventory.activity.plan
            else None
        ),
        "period": {
            "start": format_instant(inventory.calendar.start_ms),
            "end": format_instant(inventory.calendar.end_ms),
            "time_zone": inventory.calendar.time_zone,
        },
        "total": _figure(inventory, inventory.totals["total"]),
        "totals": {
            equation.name: {
                "title": dict(equation.title),
                **_figure(inventory, inventory.totals[equation.name]),
            }
            for equation in method.totals
        },
        "by_stream": {name: _stream(inventory, stream) for name, stream in inventory.streams.items()},
        "by_month": [
            _month(inventory, label, figures) for label, figures in inventory.totals_by_month.items()
        ],
        "factors": [
            {"stream": name, "parameter": item.parameter, **item.to_json()}
            for name, stream in inventory.streams.items()
            for item in stream.factors
        ],
        "shares": inventory.shares(),
        "packages": inventory.packages(),
        "activity": inventory.activity.to_json(),
        "trace": inventory.trace.to_json(),
    }


def _stream(inventory: Inventory, stream: StreamResult) -> dict[str, Any]:
    amount = Decimal(0)
    for month in stream.months:
        amount = add(amount, month.source_amount)
    touched = touched_shares(stream.months)
    return {
        "type": stream.type.name,
        "type_title": dict(stream.type.title),
        "name": dict(stream.plan.title),
        "scope": stream.type.scope,
        "is_counted": stream.type.is_counted,
        "activity": _quantity(amount, stream.months[0].source_unit),
        "emissions": _rounded(inventory, stream.sum_of("emissions"), inventory.method.unit),
        "figures": {
            equation.name: {
                "title": dict(equation.title),
                "value": trimmed(stream.sum_of(equation.name)),
                "unit": equation.unit.name,
            }
            for equation in stream.type.equations
        },
        "shares": {
            key: plain(round_places(share, SHARE_PLACES, "half_even")) for key, share in touched.items()
        },
        "is_declared": any(item.factor.is_declared for item in stream.factors),
        "notes": [dict(note) for note in stream.notes],
        "by_month": [
            {
                "month": month.month,
                "data_source": month.source or None,
                "activity": _quantity(month.source_amount, month.source_unit),
                "emissions": _rounded(
                    inventory, stream.figures[month.month]["emissions"].value, inventory.method.unit
                ),
            }
            for month in stream.months
        ],
    }


def _month(inventory: Inventory, label: str, figures: Mapping[str, Figure]) -> dict[str, Any]:
    spans = [m for stream in inventory.streams.values() for m in stream.months if m.month == label]
    return {
        "month": label,
        "start": format_instant(min(m.start_ms for m in spans)),
        "end": format_instant(max(m.end_ms for m in spans)),
        "total": _figure(inventory, figures["total"]),
        "by_stream": {
            name: _rounded(inventory, stream.figures[label]["emissions"].value, inventory.method.unit)
            for name, stream in inventory.streams.items()
            if label in stream.figures
        },
    }


def _figure(inventory: Inventory, figure: Figure) -> dict[str, str]:
    rule = figure.rounding or inventory.method.rounding
    return {
        "value": trimmed(figure.value),
        "unit": figure.unit.name,
        "rounded": plain(rule.apply(figure.value)),
        "unit_ucum": figure.unit.code,
    }


def _rounded(inventory: Inventory, value: Decimal, unit: Unit) -> dict[str, str]:
    return {
        "value": trimmed(value),
        "unit": unit.name,
        "rounded": plain(inventory.method.rounding.apply(value)),
    }


def _quantity(value: Decimal, unit: Unit) -> dict[str, str]:
    return {"value": plain(value), "unit": unit.name, "unit_ucum": unit.code}
