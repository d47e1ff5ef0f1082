"""The trace: the calculation itself, written down so that anybody can perform it again without a database.

It lists activity data (with the statements it rests on), factors (with set, digest and certainty),
constants, and every figure with its equation and inputs, in the order of computing. `reperform` does it all
again from the inputs and refuses a trace whose figures do not follow. A statement list stands once per
measurement and month.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from carbonseal_accounting.activity import StreamMonth
from carbonseal_accounting.arithmetic import Rounding, add, plain, read_decimal, scale_by, trimmed
from carbonseal_accounting.errors import AccountingError, TraceInvalid
from carbonseal_accounting.expression import Expression, Quantity, Value
from carbonseal_accounting.factors import Factor
from carbonseal_accounting.units import Unit, parse_unit

SCHEMA: Final = "carbonseal-trace/1"
DECLARED: Final = "declared"  # the basis of an amount that a document states
ARITHMETIC: Final = (
    "sums, differences and products are exact decimals; a quotient that does not terminate is rounded to 34 "
    "significant digits, half to even; `rounded` is made from the unrounded value by the rule beside it"
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One computed value; `inputs` name the entries that it was computed from."""

    name: str
    equation: str
    inputs: Mapping[str, str | tuple[str, ...]]
    value: Decimal
    unit: Unit
    rounding: Rounding | None = None

    @property
    def rounded(self) -> Decimal | None:
        """The value by the method's rounding rule, if it has one here."""
        return None if self.rounding is None else self.rounding.apply(self.value)

    def to_json(self) -> dict[str, Any]:
        """Return the figure as it stands in the trace."""
        out: dict[str, Any] = {
            "id": self.name,
            "equation": self.equation,
            "inputs": {key: ref if isinstance(ref, str) else list(ref) for key, ref in self.inputs.items()},
            "value": trimmed(self.value),
            "unit": self.unit.code,
        }
        if self.rounding is not None and self.rounded is not None:
            out |= {"rounded": plain(self.rounded), "rounding": self.rounding.to_json()}
        return out


@dataclass(slots=True)
class TraceBuilder:
    """Collects the entries of one computation; every entry is also a value for later equations."""

    method: str
    method_digest: bytes
    activity: list[dict[str, Any]] = field(default_factory=list)
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)
    factors: list[dict[str, Any]] = field(default_factory=list)
    constants: list[dict[str, Any]] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    values: dict[str, Quantity] = field(default_factory=dict)

    def add_activity(self, month: StreamMonth) -> str:
        """Note a stream's activity data of one month; return the entry's name."""
        name = f"activity/{month.stream}/{month.month}"
        entry: dict[str, Any] = {"id": name, "value": plain(month.amount), "unit": month.unit.code}
        if month.is_declared:
            entry |= self._declared(month)
        elif not month.parts:
            entry["basis"] = "stated"
        else:
            entry |= {"basis": "measured", "parts": self._parts(month)}
            if month.downgrades:
                entry["downgrades"] = [digest.hex() for digest in month.downgrades]
        self.activity.append(entry)
        self.values[name] = Quantity.of(month.amount, month.unit)
        return name

    def _parts(self, month: StreamMonth) -> list[dict[str, Any]]:
        parts = []
        for part in month.parts:
            key = f"{part.measurement}/{month.month}"
            self.statements.setdefault(key, _statement_list(part.statements))
            parts.append(
                {
                    "measurement": part.measurement,
                    "sign": part.sign,
                    "amount": plain(part.amount),
                    "unit": part.unit.code,
                    "statements": key,
                }
            )
        return parts

    def _declared(self, month: StreamMonth) -> dict[str, Any]:
        """Return a declared month: down to the declared value, its document and the downgrades.

        What the meters give stands beside it.
        """
        # No measurement is called so: names have no colon.
        declared, key = month.declared, f"declared:{month.stream}/{month.source}/{month.month}"
        digests = () if declared is None else (declared.statement, declared.document)
        self.statements[key] = _statement_list((*digests, *month.downgrades))
        metered = {"value": plain(month.metered_amount), "unit": month.unit.code}
        return {
            "basis": DECLARED,
            "data_source": month.source,
            "declared": None
            if declared is None
            else {
                "value": plain(declared.quantity),
                "unit": declared.quantity_unit,
                "statement": declared.statement.hex(),
                "document": declared.document.hex(),
            },
            "downgrades": [digest.hex() for digest in month.downgrades],
            "statements": key,
            "metered": metered | {"parts": self._parts(month)},
        }

    def add_factor(self, stream: str, parameter: str, factor: Factor, value: Decimal, rule: str) -> str:
        """Note a factor as used (`value` in the factor's own unit, rounded if the method says so)."""
        name = f"factor/{stream}/{parameter}"
        entry = {
            "id": name,
            **factor.to_json(),
            "value": trimmed(value),
            "unit": factor.unit.code,
            "year_rule": rule,
        }
        del entry["unit_ucum"]
        self.factors.append(entry)
        self.values[name] = Quantity.of(value, factor.unit)
        return name

    def add_constant(self, name: str, value: Decimal, unit: Unit, source: str) -> str:
        """Note a constant of the method."""
        full = f"constant/{name}"
        self.constants.append({"id": full, "value": trimmed(value), "unit": unit.code, "source": source})
        self.values[full] = Quantity.of(value, unit)
        return full

    def compute(
        self,
        name: str,
        expression: Expression,
        inputs: Mapping[str, str | tuple[str, ...]],
        unit: Unit,
        rounding: Rounding | None = None,
    ) -> Figure:
        """Evaluate an equation over entries already noted, and note the figure."""
        values = {key: _value_of(ref, self.values) for key, ref in inputs.items()}
        value = expression.evaluate(values, unit, field=name)
        figure = Figure(name, expression.text, dict(inputs), value, unit, rounding)
        self.figures.append(figure)
        self.values[name] = Quantity.of(value, unit)
        return figure

    def to_json(self) -> dict[str, Any]:
        """Return the whole trace."""
        return {
            "schema": SCHEMA,
            "method": self.method,
            "method_digest": self.method_digest.hex(),
            "arithmetic": ARITHMETIC,
            "statements": self.statements,
            "activity": self.activity,
            "factors": self.factors,
            "constants": self.constants,
            "figures": [figure.to_json() for figure in self.figures],
        }


def parts_of(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what an activity entry of a trace is the sum of: {measurement, sign, amount, unit, statements}.

    A declared month is one part, named by its data source; what the meters give beside it does not count.
    """
    if entry.get("basis") != DECLARED:
        return list(entry.get("parts", ()))
    declared = entry["declared"] or {"value": "0", "unit": entry["unit"]}
    return [
        {
            "measurement": entry["data_source"],
            "sign": 1,
            "amount": declared["value"],
            "unit": declared["unit"],
            "statements": entry["statements"],
        }
    ]


def reperform(trace: Mapping[str, Any]) -> dict[str, Decimal]:
    """Perform a trace again and return its figures by name.

    Raises:
        TraceInvalid: an entry is malformed, or a figure does not follow from its inputs.
    """
    try:
        return _reperform(trace)
    except TraceInvalid:
        raise
    except AccountingError as error:
        raise TraceInvalid(f"trace.{error.field}", error.reason, "compute the inventory again") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise TraceInvalid(
            "trace", f"malformed near {str(error)[:40]}", "compute the inventory again"
        ) from error


def _reperform(trace: Mapping[str, Any]) -> dict[str, Decimal]:
    if trace["schema"] != SCHEMA:
        raise TraceInvalid("trace.schema", "unknown", f"use {SCHEMA}")
    values = dict[str, Quantity]()
    for entry in [*trace["activity"], *trace["factors"], *trace["constants"]]:
        value, unit = read_decimal(entry["value"], field=entry["id"]), parse_unit(entry["unit"])
        if entry["id"] in values:
            raise TraceInvalid(entry["id"], "stands twice", "compute the inventory again")
        if entry.get("basis") == "measured" and _sum_of_parts(entry["parts"], unit) != value:
            raise TraceInvalid(entry["id"], "is not the sum of its parts", "compute the inventory again")
        if entry.get("basis") == DECLARED and _declared_value(entry["declared"], unit) != value:
            raise TraceInvalid(entry["id"], "is not what was declared", "compute the inventory again")
        values[entry["id"]] = Quantity.of(value, unit)
    figures = dict[str, Decimal]()
    for entry in trace["figures"]:
        name, unit = entry["id"], parse_unit(entry["unit"])
        expression = Expression.parse(entry["equation"], field=name)
        inputs = {key: _value_of(ref, values) for key, ref in entry["inputs"].items()}
        value = expression.evaluate(inputs, unit, field=name)
        if name in values or trimmed(value) != entry["value"]:
            raise TraceInvalid(
                name, f"gives {trimmed(value)[:60]}, not {entry['value'][:60]}", "mend the inputs"
            )
        if "rounding" in entry:
            rule = Rounding.from_table(entry["rounding"], field=name)
            if plain(rule.apply(value)) != entry["rounded"]:
                raise TraceInvalid(name, "is rounded to something else", "round it by its rule")
        values[name], figures[name] = Quantity.of(value, unit), value
    return figures


def _sum_of_parts(parts: Sequence[Mapping[str, Any]], unit: Unit) -> Decimal:
    total = Decimal(0)
    for part in parts:
        if part["sign"] not in {1, -1}:
            raise TraceInvalid("sign", "neither 1 nor -1", "compute the inventory again")
        ratio = parse_unit(part["unit"]).ratio_to(unit) * Fraction(part["sign"])
        total = add(total, scale_by(read_decimal(part["amount"], field="amount"), ratio))
    return total


def _declared_value(declared: Mapping[str, Any] | None, unit: Unit) -> Decimal:
    if declared is None:
        return Decimal(0)
    return parse_unit(declared["unit"]).convert(read_decimal(declared["value"], field="declared"), unit)


def _value_of(ref: object, values: Mapping[str, Quantity]) -> Value:
    names = [ref] if isinstance(ref, str) else ref
    if not isinstance(names, list | tuple):
        raise TraceInvalid("inputs", "not a name or a list of names", "compute the inventory again")
    for name in names:
        if name not in values:
            raise TraceInvalid(str(name)[:80], "is used before it is known", "compute the inventory again")
    return values[ref] if isinstance(ref, str) else tuple(values[name] for name in names)


def _statement_list(digests: Sequence[bytes]) -> dict[str, Any]:
    ordered = sorted(digests)
    return {
        "count": len(ordered),
        "sha256": hashlib.sha256(b"".join(ordered)).hexdigest(),
        "digests": [digest.hex() for digest in ordered],
    }
