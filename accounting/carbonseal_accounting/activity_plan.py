"""What activity derivation needs of a monitoring plan: measurements, streams, time zone, units.

The body has passed the schema of its kind; here its meaning is checked: units exist, quantities can be
summed where a stream wants an amount, and what a stream names is in the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from carbonseal_accounting.arithmetic import read_decimal
from carbonseal_accounting.errors import PlanRefused
from carbonseal_accounting.units import Unit, parse_unit
from carbonseal_attest.instants import format_instant

MEAN_POWER: Final = "mean_power"
METER: Final = "meter"  # the data source of readings; every other one is declared
DEFAULT_TOLERANCE: Final = Decimal(5)  # per cent between declared and metered, where the plan says nothing
NOT_SUMMED: Final = (
    "power_factor",
    "temperature",
    "pressure",
    "concentration",
    "flow_rate",
)  # beginnings of names


@dataclass(frozen=True, slots=True)
class Measurement:
    """One point of the plan's grid."""

    name: str
    device: str
    point: str
    quantity: str
    form: str
    unit: Unit  # of the readings
    step_ms: int
    modulus: Decimal | None
    capacity_per_hour: Decimal | None

    @property
    def has_amount(self) -> bool:
        """Whether its readings can be summed over time."""
        if self.form == "register":
            return True
        return self.form == "interval" and not self.quantity.startswith(NOT_SUMMED)

    @property
    def is_mean_power(self) -> bool:
        """Whether an interval's amount is value times width."""
        return self.form == "interval" and self.quantity == MEAN_POWER

    @property
    def amount_unit(self) -> Unit:
        """The unit of summed amounts: that of the readings, times hours for mean power."""
        return parse_unit(f"{self.unit.code}.h", field=self.name) if self.is_mean_power else self.unit


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """A source stream of the plan, as far as its activity goes; `data_sources` in the order of preference."""

    name: str
    type: str
    unit: Unit
    activity: tuple[tuple[str, int], ...]  # measurement, sign
    factors: Mapping[str, Any]
    title: Mapping[str, str]
    data_sources: tuple[str, ...] = (METER,)
    tolerance_percent: Decimal = DEFAULT_TOLERANCE

    @property
    def may_be_negative(self) -> bool:
        """Whether it is a balance: something is subtracted."""
        return any(sign < 0 for _, sign in self.activity)


@dataclass(frozen=True, slots=True)
class Plan:
    """A monitoring plan, read."""

    code: str
    version: int
    time_zone: str
    start_ms: int
    end_ms: int | None
    method: str
    region: str
    measurements: Mapping[str, Measurement]
    streams: Mapping[str, StreamPlan]

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Plan:
        """Return the plan that a body writes.

        Raises:
            PlanRefused: a part is missing, an id stands twice, or a stream names what the plan lacks.
            UnitUnknown: a unit is not known.
        """
        try:
            return cls._read(body)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlanRefused(
                "plan", f"lacks or misshapes {str(error)[:60]}", "write it as the monitoring_plan kind has it"
            ) from error

    @classmethod
    def _read(cls, body: Mapping[str, Any]) -> Plan:
        measurements = dict[str, Measurement]()
        for at, item in enumerate(body["measurements"]):
            made = _measurement(item, f"measurements[{at}]")
            if made.name in measurements:
                raise PlanRefused(
                    f"measurements[{at}].id", f"{made.name!r} stands twice", "give each its own id"
                )
            measurements[made.name] = made
        streams = dict[str, StreamPlan]()
        for at, item in enumerate(body["source_streams"]):
            stream = _stream(item, measurements, f"source_streams[{at}]")
            if stream.name in streams:
                raise PlanRefused(
                    f"source_streams[{at}].id", f"{stream.name!r} stands twice", "give each its own id"
                )
            streams[stream.name] = stream
        start, end = _effective(body["effective"])
        return cls(
            code=str(body["plan"]),
            version=int(body["plan_version"]),
            time_zone=_text(body, "time_zone", "plan"),
            start_ms=start,
            end_ms=end,
            method=str(body["method"]),
            region=str(body.get("region", "")),
            measurements=measurements,
            streams=streams,
        )

    def check_covers(self, start_ms: int, end_ms: int) -> None:
        """Refuse a period that the plan does not cover whole."""
        if start_ms < self.start_ms or (self.end_ms is not None and end_ms > self.end_ms):
            until = "open" if self.end_ms is None else format_instant(self.end_ms)
            raise PlanRefused(
                "plan.effective",
                f"the plan covers {format_instant(self.start_ms)} to {until}, not the whole period",
                "compute under the plan version that is effective, in parts if there are two",
            )


def _measurement(item: Mapping[str, Any], place: str) -> Measurement:
    unit = parse_unit(item["unit"], field=f"{place}.unit")
    form, step = item["form"], item["step_ms"]
    if form not in {"register", "interval", "instant"} or type(step) is not int or step <= 0:
        raise PlanRefused(
            place, "an unknown form, or a step that is not positive", "use register, interval, instant"
        )
    modulus, capacity = (
        None if item.get(key) is None else read_decimal(item[key], field=f"{place}.{key}")
        for key in ("register_modulus", "capacity_per_hour")
    )
    if (modulus is not None and modulus <= 0) or (capacity is not None and capacity < 0):
        raise PlanRefused(place, "a modulus or capacity that is not above zero", "give it, or null")
    return Measurement(
        name=_text(item, "id", place),
        device=_text(item, "device", place),
        point=_text(item, "point", place),
        quantity=_text(item, "quantity", place),
        form=form,
        unit=unit,
        step_ms=step,
        modulus=modulus,
        capacity_per_hour=capacity,
    )


def _stream(item: Mapping[str, Any], measurements: Mapping[str, Measurement], place: str) -> StreamPlan:
    unit = parse_unit(item["unit"], field=f"{place}.unit")
    activity = list[tuple[str, int]]()
    for part in item["activity"]:
        name, sign = part["measurement"], part["sign"]
        if name not in measurements or sign not in {1, -1}:
            raise PlanRefused(
                f"{place}.activity",
                f"{str(name)[:40]!r} is no measurement of the plan",
                "name one, sign 1 or -1",
            )
        if not measurements[name].has_amount:
            raise PlanRefused(
                f"{place}.activity",
                f"{name}: {measurements[name].form} {measurements[name].quantity} cannot be summed over time",
                "use a register, interval amounts, or mean_power intervals",
            )
        measurements[name].amount_unit.ratio_to(unit, field=f"{place}.unit")
        if name in dict(activity):
            raise PlanRefused(f"{place}.activity", f"{name} stands twice", "name each measurement once")
        activity.append((name, sign))
    if activity and all(sign < 0 for _, sign in activity):
        raise PlanRefused(f"{place}.activity", "only subtracts", "name the measurement it is taken from")
    factors = item["factors"]
    if not activity or not isinstance(factors, Mapping):
        raise PlanRefused(place, "no activity, or factors that are no map", "name a measurement and factors")
    names = _text(item, "id", place), _text(item, "type", place)
    title, order = dict(item.get("name", {})), _data_sources(item, place)
    tolerance = item.get("declared_tolerance_percent")
    percent = (
        DEFAULT_TOLERANCE
        if tolerance is None
        else read_decimal(tolerance, field=f"{place}.declared_tolerance_percent")
    )
    if not 0 <= percent <= 100:
        raise PlanRefused(f"{place}.declared_tolerance_percent", "not a percentage", "give 0 to 100")
    return StreamPlan(*names, unit, tuple(activity), factors, title, order, percent)


def _data_sources(item: Mapping[str, Any], place: str) -> tuple[str, ...]:
    order = tuple(item.get("data_sources", (METER,)))
    if not order or len(set(order)) != len(order):
        raise PlanRefused(
            f"{place}.data_sources", "none, or one stands twice", "name each once, in the order of preference"
        )
    return order


def _text(table: Mapping[str, Any], key: str, place: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value:
        raise PlanRefused(f"{place}.{key}", "not a text", "write it as the monitoring_plan kind has it")
    return value


def _effective(value: Any) -> tuple[int, int | None]:
    start, end = (value["start"], value["end"]) if isinstance(value, Mapping) else value
    if type(start) is not int or (end is not None and (type(end) is not int or end <= start)):
        raise PlanRefused(
            "plan.effective", "not UTC milliseconds, or ends before it starts", "give start and end or null"
        )
    return start, end
