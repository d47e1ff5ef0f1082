"""Resolves the factors of a source stream: what the plan names, else the method's default, checked by name.

A parameter that the method does not have, or that neither plan nor default gives, is refused; so are fuel
parameters of two method families in one stream, since net calorific value, carbon content and oxidation
belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from carbonseal_accounting.errors import FactorRefused, PlanRefused
from carbonseal_accounting.factors import (
    Factor,
    FactorSet,
    check_factor,
    covers,
    pick_factor_set,
    read_declared,
)
from carbonseal_accounting.method import Parameter, StreamType
from carbonseal_accounting.packages import check_keys
from carbonseal_accounting.periods import Calendar

ONE_FAMILY: Final = frozenset({"net_calorific_value", "carbon_content", "oxidation_factor"})


@dataclass(frozen=True, slots=True)
class ResolvedFactor:
    """A factor as a stream uses it; `value` is in the factor's unit, rounded where the method says so."""

    parameter: str
    factor: Factor
    value: Decimal
    basis: str  # plan, declared, or default
    year_rule: str
    note: Mapping[str, str] | None

    def to_json(self) -> dict[str, Any]:
        """Return the factor with how it was chosen."""
        return {**self.factor.to_json(), "basis": self.basis, "year_rule": self.year_rule}


def resolve_factors(
    kind: StreamType,
    given: Mapping[str, Any],
    *,
    factor_sets: Mapping[str, FactorSet],
    calendar: Calendar,
    region: str,
    field: str,
) -> list[ResolvedFactor]:
    """Return the factors of every parameter of a stream type.

    Args:
        kind: the stream type.
        given: the plan's `factors`: parameter to `{set, key}` or `{declared}`.
        factor_sets: those at hand, by ID@VERSION.
        calendar: the reporting period, for the year rule.
        region: of the site, or "" when the plan does not say.
        field: where the factors stand, for messages.

    Raises:
        PlanRefused: a parameter is unknown or missing.
        FactorRefused: a factor does not fit.
    """
    for name in given:
        if name not in kind.parameters:
            raise PlanRefused(
                f"{field}.{name}",
                f"{kind.name} has no such parameter",
                f"use {', '.join(kind.parameters) or 'none'}",
            )
    found = [
        _resolve(parameter, given.get(name), factor_sets, calendar, region, f"{field}.{name}")
        for name, parameter in kind.parameters.items()
    ]
    families = {
        item.factor.family
        for item in found
        if item.factor.kind in ONE_FAMILY and not item.factor.is_declared and item.basis != "default"
    }
    if len(families) > 1:
        raise FactorRefused(
            field, f"mixes the method families {' and '.join(sorted(families))}", "take all from one family"
        )
    return found


def _resolve(
    parameter: Parameter,
    given: Any,
    factor_sets: Mapping[str, FactorSet],
    calendar: Calendar,
    region: str,
    field: str,
) -> ResolvedFactor:
    note: Mapping[str, str] | None = None
    if given is None:
        factor, basis, note = _default(parameter, factor_sets, field), "default", parameter.default_note
    elif isinstance(given, Mapping) and "declared" in given:
        check_keys(dict(given), set(), {"declared"}, field, FactorRefused)
        factor, basis = read_declared(given["declared"], field=f"{field}.declared"), "declared"
    else:
        body = check_keys(given, set(), {"set", "key"}, field, FactorRefused)
        chosen = pick_factor_set(factor_sets, body["set"], field=f"{field}.set")
        factor, basis = chosen.find(body["key"], field=f"{field}.key"), "plan"
    rule = ""
    if basis != "default" or factor.set_name:
        rule = check_factor(factor, parameter.need, sets=factor_sets, calendar=calendar, field=field)
    if region and parameter.need.year_rule and not factor.is_declared and not covers(factor.region, region):
        raise FactorRefused(
            field, f"{factor.title} holds in {factor.region}", f"use one of {region} or of what it lies in"
        )
    value = factor.value
    if parameter.rounding is not None:
        value = parameter.rounding.apply(factor.unit.convert(value, parameter.need.unit, field=field))
        value = parameter.need.unit.convert(value, factor.unit, field=field)
    return ResolvedFactor(parameter.name, factor, value, basis, rule, note)


def _default(parameter: Parameter, factor_sets: Mapping[str, FactorSet], field: str) -> Factor:
    if parameter.default_set:
        chosen = pick_factor_set(factor_sets, parameter.default_set, field=field)
        return chosen.find(parameter.default_key, field=field)
    if parameter.default_value is None:
        raise PlanRefused(
            field,
            f"the plan gives no {parameter.title['en']}",
            f"name a factor of kind {' or '.join(parameter.need.kinds)} in {parameter.need.unit.name}",
        )
    return Factor(
        "",
        b"",
        "",
        parameter.need.kinds[0],
        dict(parameter.title),
        "",
        None,
        None,
        parameter.default_value,
        parameter.need.unit,
        "METHOD",
        "",
        "default of the method",
        "computed",
        "",
    )
