"""Methods: published packages that say what is counted, from which parameters, by which equations.

A package holds `method.toml` and `examples/*.json`. Everything a method decides is data: boundary, stream
types, parameters with unit, factor kinds and families, defaults, equations, constants, rounding, the
factor-year rule. Units are checked when the package is read, before any number is seen. Left out here:
computing (`inventory`).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from carbonseal_accounting.arithmetic import Rounding, read_decimal
from carbonseal_accounting.errors import AccountingError, MethodInvalid, MethodUnknown
from carbonseal_accounting.expression import Expression
from carbonseal_accounting.factors import KINDS, FactorNeed
from carbonseal_accounting.packages import (
    check_bilingual,
    check_files,
    check_identity,
    check_keys,
    read_toml,
    shipped,
)
from carbonseal_accounting.units import Unit, parse_unit
from carbonseal_attest.packages import package_digest

__all__ = ["Method", "find_method", "load_methods"]

SCHEMA: Final = "carbonseal-method/1"
STATUSES: Final = ("active", "draft", "legacy")
YEAR_RULES: Final = ("", "latest_published")
_TOML: Final = "method.toml"


@dataclass(frozen=True, slots=True)
class Constant:
    """A fixed number of the method: stated with its source, or a factor pinned by set and key."""

    unit: Unit
    value: Decimal | None
    source: str
    set_name: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A calculation factor that a source stream needs."""

    name: str
    title: Mapping[str, str]
    need: FactorNeed
    sources: tuple[str, ...]  # of data, best first
    default_set: str = ""
    default_key: str = ""
    default_value: Decimal | None = None
    default_note: Mapping[str, str] | None = None
    rounding: Rounding | None = None


@dataclass(frozen=True, slots=True)
class Equation:
    """One figure of a stream and month, or of the totals."""

    name: str
    title: Mapping[str, str]
    expression: Expression
    unit: Unit
    rounding: Rounding | None = None


@dataclass(frozen=True, slots=True)
class StreamType:
    """What a source stream of this type is, and how its emissions follow."""

    name: str
    title: Mapping[str, str]
    scope: str
    activity_unit: Unit
    quantities: tuple[str, ...]  # of measurements that may feed it
    is_net: bool  # whether a measurement may be subtracted (sold energy)
    sources: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    equations: tuple[Equation, ...]
    is_counted: bool  # whether its emissions enter the total
    note: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Method:
    """A method package that has been read and checked."""

    name: str  # ID@VERSION
    digest: bytes
    title: Mapping[str, str]
    standard: str
    status: str
    effective: tuple[str, str]  # first day, last day or ""
    boundary: Mapping[str, str]
    gases: tuple[str, ...]
    gwp: str
    factor_sets: tuple[str, ...]
    year_rule: Mapping[str, str]
    constants: Mapping[str, Constant]
    stream_types: Mapping[str, StreamType]
    totals: tuple[Equation, ...]
    unit: Unit
    rounding: Rounding
    examples: Mapping[str, Mapping[str, Any]] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Method:
        """Return the method that a package's files write, its dimensions checked.

        Raises:
            MethodInvalid: malformed, or an equation does not give its unit.
        """
        check_files(files, MethodInvalid)
        try:
            return _read(files)
        except MethodInvalid:
            raise
        except AccountingError as error:
            raise MethodInvalid(error.field, error.reason, error.remedy) from error
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise MethodInvalid(
                _TOML, f"misshapen: {str(error)[:80]}", "follow a published package"
            ) from error

    @property
    def total(self) -> Equation:
        """The equation of the total: the last one."""
        return self.totals[-1]

    def stream_type(self, name: object, *, field: str) -> StreamType:
        """Return the stream type `name`; refuse by name what the method does not have."""
        found = self.stream_types.get(name) if isinstance(name, str) else None
        if found is None:
            raise MethodUnknown(
                field,
                f"{self.name} has no source stream type {str(name)[:60]!r}",
                f"use {', '.join(self.stream_types)}",
            )
        return found


def load_methods() -> dict[str, Method]:
    """Return every method of this distribution by ID@VERSION."""
    return dict(_shipped_methods())


def find_method(name: object) -> Method:
    """Return the shipped method `name` (ID@VERSION).

    Raises:
        MethodUnknown: not shipped; the nearest is named.
    """
    return pick_method(_shipped_methods(), name, field="method")


def pick_method(methods: Mapping[str, Method], name: object, *, field: str) -> Method:
    """Return the method `name` out of `methods`; refuse by name when it is not there."""
    found = methods.get(name) if isinstance(name, str) else None
    if found is None:
        near = (
            difflib.get_close_matches(str(name), methods, n=1, cutoff=0.1) or sorted(methods)[:1] or ["none"]
        )
        raise MethodUnknown(
            field,
            f"no method {str(name)[:60]!r}",
            f"use ID@VERSION as `methods list` prints it, such as {near[0]}",
        )
    return found


@lru_cache(maxsize=1)
def _shipped_methods() -> Mapping[str, Method]:
    methods = (Method.from_files(files) for files in shipped("methods").values())
    return {method.name: method for method in methods}


def _read(files: Mapping[str, bytes]) -> Method:
    head = read_toml(files, _TOML, MethodInvalid)
    keys = {
        "schema",
        "id",
        "version",
        "standard",
        "status",
        "title",
        "boundary",
        "effective",
        "gases",
        "gwp",
        "unit",
        "factor_sets",
        "year_rule",
        "rounding",
        "constants",
        "stream_types",
        "totals",
    }
    check_keys(head, keys, keys, _TOML, MethodInvalid)
    if head["schema"] != SCHEMA or head["status"] not in STATUSES:
        raise MethodInvalid(
            _TOML, "unknown schema or status", f"use {SCHEMA} and one of {', '.join(STATUSES)}"
        )
    effective = check_keys(head["effective"], {"start", "end"}, {"start", "end"}, "effective", MethodInvalid)
    constants = {name: _constant(name, table) for name, table in _tables(head["constants"], "constants")}
    sets = tuple(check_identity(name, "factor_sets", MethodInvalid) for name in head["factor_sets"])
    types = {
        name: _stream_type(name, table, constants, sets)
        for name, table in _tables(head["stream_types"], "stream_types")
    }
    unit = parse_unit(head["unit"], field="unit")
    totals = _totals(head["totals"], types)
    if not totals or totals[-1].name != "total" or totals[-1].unit != unit:
        raise MethodInvalid("totals", "the last is not `total` in the method's unit", "end with total")
    return Method(
        name=check_identity(f"{head['id']}@{head['version']}", "id", MethodInvalid),
        digest=package_digest(files),
        title=check_bilingual(head["title"], "title", MethodInvalid),
        standard=str(head["standard"]),
        status=head["status"],
        effective=(_day(effective["start"]), _day(effective["end"]) if effective["end"] else ""),
        boundary=check_bilingual(head["boundary"], "boundary", MethodInvalid),
        gases=_texts(head["gases"], "gases"),
        gwp=str(head["gwp"]),
        factor_sets=sets,
        year_rule=check_bilingual(head["year_rule"], "year_rule", MethodInvalid),
        constants=constants,
        stream_types=types,
        totals=totals,
        unit=unit,
        rounding=Rounding.from_table(head["rounding"], field="rounding"),
        examples=_examples(files),
        files=dict(files),
    )


def _day(value: object) -> str:
    return date.fromisoformat(str(value)).isoformat()


def _constant(name: str, table: dict[str, Any]) -> Constant:
    place = f"constants.{name}"
    if "set" in table:
        body = check_keys(table, set(), {"set", "key", "unit"}, place, MethodInvalid)
        set_name = check_identity(body["set"], f"{place}.set", MethodInvalid)
        return Constant(parse_unit(body["unit"], field=place), None, "", set_name, str(body["key"]))
    body = check_keys(table, set(), {"value", "unit", "source"}, place, MethodInvalid)
    value = read_decimal(body["value"], field=f"{place}.value")
    return Constant(parse_unit(body["unit"], field=place), value, str(body["source"]))


def _stream_type(
    name: str, table: dict[str, Any], constants: Mapping[str, Constant], sets: tuple[str, ...]
) -> StreamType:
    place = f"stream_types.{name}"
    needed = {"title", "scope", "activity", "is_counted", "equations"}
    body = check_keys(table, {"parameters", "note"}, needed, place, MethodInvalid)
    activity = check_keys(
        body["activity"], {"is_net"}, {"unit", "quantities", "sources"}, f"{place}.activity", MethodInvalid
    )
    parameters = {
        key: _parameter(key, item, f"{place}.parameters.{key}", sets)
        for key, item in _tables(body.get("parameters", {}), f"{place}.parameters")
    }
    activity_unit = parse_unit(activity["unit"], field=f"{place}.activity.unit")
    units = {"activity": activity_unit}
    units |= {key: parameter.need.unit for key, parameter in parameters.items()}
    units |= {key: constant.unit for key, constant in constants.items()}
    equations = list[Equation]()
    for item in body["equations"]:
        equation = _equation(item, f"{place}.equations")
        if equation.name in units:
            raise MethodInvalid(f"{place}.equations", f"{equation.name} is defined twice", "rename one")
        if equation.expression.summed:
            raise MethodInvalid(f"{place}.equations", "sum() belongs to the totals", "sum there")
        equation.expression.check(units, equation.unit, field=f"{place}.equations.{equation.name}")
        units[equation.name] = equation.unit
        equations.append(equation)
    if not equations or equations[-1].name != "emissions":
        raise MethodInvalid(f"{place}.equations", "the last is not `emissions`", "end with emissions")
    return StreamType(
        name=name,
        title=check_bilingual(body["title"], f"{place}.title", MethodInvalid),
        scope=str(body["scope"]),
        activity_unit=activity_unit,
        quantities=_texts(activity["quantities"], f"{place}.activity.quantities"),
        is_net=activity.get("is_net") is True,
        sources=_texts(activity["sources"], f"{place}.activity.sources"),
        parameters=parameters,
        equations=tuple(equations),
        is_counted=body["is_counted"] is True,
        note=check_bilingual(body["note"], f"{place}.note", MethodInvalid) if "note" in body else None,
    )


def _parameter(name: str, table: dict[str, Any], place: str, sets: tuple[str, ...]) -> Parameter:
    known = {"families", "regions", "year_rule", "default", "rounding"}
    needed = {"title", "unit", "kinds", "sources", "is_declared_allowed"}
    body = check_keys(table, known, needed, place, MethodInvalid)
    kinds = _texts(body["kinds"], f"{place}.kinds")
    if not kinds or set(kinds) - set(KINDS) or body.get("year_rule", "") not in YEAR_RULES:
        raise MethodInvalid(place, "unknown factor kind or year rule", f"use {', '.join(KINDS)}")
    need = FactorNeed(
        kinds=kinds,
        unit=parse_unit(body["unit"], field=f"{place}.unit"),
        families=_texts(body.get("families", []), f"{place}.families"),
        regions=_texts(body.get("regions", []), f"{place}.regions"),
        sets=sets,
        year_rule=body.get("year_rule", ""),
        is_declared_allowed=body["is_declared_allowed"] is True,
    )
    default = check_keys(
        body.get("default", {}), {"set", "key", "value", "note"}, set(), f"{place}.default", MethodInvalid
    )
    return Parameter(
        name=name,
        title=check_bilingual(body["title"], f"{place}.title", MethodInvalid),
        need=need,
        sources=_texts(body["sources"], f"{place}.sources"),
        default_set=str(default.get("set", "")),
        default_key=str(default.get("key", "")),
        default_value=(
            read_decimal(default["value"], field=f"{place}.default.value") if "value" in default else None
        ),
        default_note=(
            check_bilingual(default["note"], f"{place}.default.note", MethodInvalid)
            if "note" in default
            else None
        ),
        rounding=(
            Rounding.from_table(body["rounding"], field=f"{place}.rounding") if "rounding" in body else None
        ),
    )


def _equation(table: object, place: str) -> Equation:
    body = check_keys(table, {"rounding"}, {"name", "title", "expression", "unit"}, place, MethodInvalid)
    name = str(body["name"])
    return Equation(
        name=name,
        title=check_bilingual(body["title"], f"{place}.{name}.title", MethodInvalid),
        expression=Expression.parse(body["expression"], field=f"{place}.{name}"),
        unit=parse_unit(body["unit"], field=f"{place}.{name}.unit"),
        rounding=(
            Rounding.from_table(body["rounding"], field=f"{place}.{name}.rounding")
            if "rounding" in body
            else None
        ),
    )


def _totals(tables: object, types: Mapping[str, StreamType]) -> tuple[Equation, ...]:
    if not isinstance(tables, list):
        raise MethodInvalid("totals", "not an array of tables", "write [[totals]]")
    units = {
        f"{stream_type.name}.{equation.name}": equation.unit
        for stream_type in types.values()
        for equation in stream_type.equations
    }
    totals = list[Equation]()
    for table in tables:
        equation = _equation(table, "totals")
        loose = [name for name in equation.expression.names if "." in name]
        if loose or equation.name in units:
            raise MethodInvalid(
                f"totals.{equation.name}", "a stream's figure without sum()", "write sum(type.name)"
            )
        equation.expression.check(units, equation.unit, field=f"totals.{equation.name}")
        units[equation.name] = equation.unit
        totals.append(equation)
    return tuple(totals)


def _examples(files: Mapping[str, bytes]) -> dict[str, Mapping[str, Any]]:
    examples = dict[str, Mapping[str, Any]]()
    for path, data in sorted(files.items()):
        if not path.startswith("examples/"):
            continue
        try:
            example = json.loads(data, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            raise MethodInvalid(path, "not JSON", "mend the example") from error
        examples[path] = check_keys(
            example, set(), {"title", "derivation", "input", "want"}, path, MethodInvalid
        )
    if len(examples) < 1:
        raise MethodInvalid("examples", "no worked example", "add examples/*.json with source or derivation")
    return examples


def _tables(value: object, place: str) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
        raise MethodInvalid(place, "not tables", "write it as tables")
    return list(value.items())


def _texts(value: object, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MethodInvalid(place, "not an array of texts", "write it as an array")
    return tuple(value)
