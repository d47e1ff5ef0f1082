"""A method as a person reads it, and as JSON: what it counts, which parameters it takes, its equations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from carbonseal_accounting.method import Equation, Method, Parameter, StreamType


def method_json(method: Method) -> dict[str, Any]:
    """Return everything a method package says, units by code and by common name."""
    return {
        "method": method.name,
        "digest": method.digest.hex(),
        "title": dict(method.title),
        "standard": method.standard,
        "status": method.status,
        "effective": {"start": method.effective[0], "end": method.effective[1] or None},
        "boundary": dict(method.boundary),
        "gases": list(method.gases),
        "gwp": method.gwp,
        "unit": method.unit.name,
        "factor_sets": list(method.factor_sets),
        "year_rule": dict(method.year_rule),
        "rounding": method.rounding.to_json(),
        "constants": {
            name: {
                "unit": constant.unit.code,
                "value": None if constant.value is None else format(constant.value, "f"),
                "set": constant.set_name or None,
                "key": constant.key or None,
                "source": constant.source or None,
            }
            for name, constant in method.constants.items()
        },
        "stream_types": {name: _stream_json(kind) for name, kind in method.stream_types.items()},
        "totals": [_equation_json(equation) for equation in method.totals],
        "examples": {
            path: {"title": example["title"], "derivation": example["derivation"]}
            for path, example in method.examples.items()
        },
    }


def method_text(method: Method) -> str:
    """Return a page about a method in Chinese and English."""
    return "\n".join(_lines(method))


def _lines(method: Method) -> Iterator[str]:
    yield f"{method.name}  ({method.status})"
    yield f"  {method.title['zh']}"
    yield f"  {method.title['en']}"
    yield f"standard        {method.standard}, effective from {method.effective[0]}"
    yield f"package digest  {method.digest.hex()}"
    yield f"gases           {', '.join(method.gases)}; GWP {method.gwp}"
    yield f"factor sets     {', '.join(method.factor_sets)}"
    yield f"factor year     {method.year_rule['zh']}"
    yield f"                {method.year_rule['en']}"
    places = f"{method.rounding.places} places ({method.rounding.mode})"
    yield f"result          {method.unit.name}, rounded to {places}"
    yield f"boundary        {method.boundary['zh']}"
    yield f"                {method.boundary['en']}"
    for kind in method.stream_types.values():
        yield ""
        yield f"{kind.name}  [{kind.title['zh']} / {kind.title['en']}]"
        counted = "" if kind.is_counted else ", not counted in the total"
        yield f"  scope {kind.scope}{counted}; activity in {kind.activity_unit.name}"
        for parameter in kind.parameters.values():
            yield f"  {parameter.name:16} {_parameter_line(parameter)}"
        for equation in kind.equations:
            yield f"  {equation.name:16} = {equation.expression.text}   [{equation.unit.name}]"
    yield ""
    for equation in method.totals:
        yield f"{equation.name:16} = {equation.expression.text}   [{equation.unit.name}]"


def _parameter_line(parameter: Parameter) -> str:
    need = parameter.need
    parts = [f"{need.unit.name}, kind {' or '.join(need.kinds)}"]
    if need.families:
        parts.append(f"family {' or '.join(need.families)}")
    if need.regions:
        parts.append(f"region {' or '.join(need.regions)}")
    if parameter.default_value is not None:
        parts.append(f"default {parameter.default_value}")
    elif parameter.default_set:
        parts.append(f"default {parameter.default_set} {parameter.default_key}")
    parts.append("may be declared" if need.is_declared_allowed else "never declared")
    return "; ".join(parts)


def _stream_json(kind: StreamType) -> dict[str, Any]:
    return {
        "title": dict(kind.title),
        "scope": kind.scope,
        "is_counted": kind.is_counted,
        "note": None if kind.note is None else dict(kind.note),
        "activity": {
            "unit": kind.activity_unit.name,
            "unit_ucum": kind.activity_unit.code,
            "quantities": list(kind.quantities),
            "is_net": kind.is_net,
            "sources": list(kind.sources),
        },
        "parameters": {name: _parameter_json(parameter) for name, parameter in kind.parameters.items()},
        "equations": [_equation_json(equation) for equation in kind.equations],
    }


def _parameter_json(parameter: Parameter) -> dict[str, Any]:
    need = parameter.need
    default: dict[str, Any] | None = None
    if parameter.default_set:
        default = {"set": parameter.default_set, "key": parameter.default_key}
    elif parameter.default_value is not None:
        default = {"value": format(parameter.default_value, "f")}
    return {
        "title": dict(parameter.title),
        "unit": need.unit.name,
        "unit_ucum": need.unit.code,
        "kinds": list(need.kinds),
        "families": list(need.families),
        "regions": list(need.regions),
        "year_rule": need.year_rule or None,
        "is_declared_allowed": need.is_declared_allowed,
        "sources": list(parameter.sources),
        "default": default,
        "rounding": None if parameter.rounding is None else parameter.rounding.to_json(),
    }


def _equation_json(equation: Equation) -> dict[str, Any]:
    return {
        "name": equation.name,
        "title": dict(equation.title),
        "expression": equation.expression.text,
        "unit": equation.unit.name,
        "unit_ucum": equation.unit.code,
        "rounding": None if equation.rounding is None else equation.rounding.to_json(),
    }
