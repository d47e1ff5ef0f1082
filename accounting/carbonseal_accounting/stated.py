"""Stated activity data: INPUT.json, and the template that writes one to fill in.

An input names a method, a period of civil days, and source streams with amounts and factors. Every place
that a template leaves open begins with FILL IN; an input that still has one is refused with its name. Keys
that begin with an underscore are remarks. Decimals may be JSON numbers or strings, since the reader keeps
the digits of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from carbonseal_accounting.activity import ActivityData, StreamMonth
from carbonseal_accounting.activity_plan import StreamPlan
from carbonseal_accounting.arithmetic import read_decimal
from carbonseal_accounting.errors import InputInvalid
from carbonseal_accounting.method import Method, StreamType, pick_method
from carbonseal_accounting.packages import check_keys
from carbonseal_accounting.periods import Calendar, read_period
from carbonseal_accounting.units import Unit, parse_unit
from carbonseal_attest.identifiers import is_plain_text

OPEN: Final = "FILL IN"
MAX_STREAMS: Final = 1000
MAX_DEPTH: Final = 12  # of nested objects; an input needs seven
# Factors that a template proposes, so that only amounts are open; the user replaces them with the site's own.
_PROPOSED: Final = {
    "grid_factor": ("CN-GRID@1.0.0", "CN.location_average.2023"),
    "heat_factor": ("CN-HEAT@1.0.0", "CN.heat_default"),
    "fuel_factor": ("CN-FUELS@1.0.0", "JST303-2026.natural_gas.factor"),
    "co2_factor": ("IPCC2006-COMBUSTION@1.0.0", "natural_gas.CO2"),
    "ch4_factor": ("IPCC2006-COMBUSTION@1.0.0", "{ipcc}.CH4"),
    "n2o_factor": ("IPCC2006-COMBUSTION@1.0.0", "{ipcc}.N2O"),
    "ncv": ("CN-FUELS@1.0.0", "NDRC-2015.{fuel}.ncv"),
    "carbon_content": ("CN-FUELS@1.0.0", "NDRC-2015.{fuel}.carbon_content"),
    "oxidation": ("CN-FUELS@1.0.0", "NDRC-2015.{fuel}.oxidation"),
}
_FUELS: Final = {"fuel_combustion": ("diesel", "diesel_oil")}  # else natural gas


@dataclass(frozen=True, slots=True)
class Request:
    """An input that has been read."""

    method: Method
    streams: Mapping[str, StreamPlan]
    activity: ActivityData
    region: str


def read_request(document: object, methods: Mapping[str, Method]) -> Request:
    """Return what an INPUT.json asks for.

    Raises:
        InputInvalid: a place is not filled in, a part is missing or unknown, or months do not fit the period.
    """
    _refuse_unprintable(document, "")
    for place in _open_places(document, ""):
        raise InputInvalid(place, "not filled in", "fill it in, or delete the source stream you do not have")
    known = {"method", "site", "region", "period", "streams"}
    body = check_keys(_remarkless(document), known, {"method", "period", "streams"}, "input", InputInvalid)
    method = pick_method(methods, body["method"], field="method")
    keys = {"start", "end", "time_zone"}
    period = check_keys(body["period"], set(), keys, "period", InputInvalid)
    calendar = read_period(period["start"], period["end"], period["time_zone"])
    streams, amounts = dict[str, StreamPlan](), dict[str, tuple[StreamMonth, ...]]()
    if not isinstance(body["streams"], list) or not 0 < len(body["streams"]) <= MAX_STREAMS:
        raise InputInvalid(
            "streams", f"not a list of 1 to {MAX_STREAMS} source streams", "list the source streams"
        )
    for at, item in enumerate(body["streams"]):
        stream, months = _stream(item, calendar, method, f"streams[{at}]")
        if stream.name in streams:
            raise InputInvalid(f"streams[{at}].id", f"{stream.name!r} stands twice", "give each its own id")
        streams[stream.name], amounts[stream.name] = stream, months
    region = body.get("region", "")
    if not isinstance(region, str):
        raise InputInvalid("region", "not text", "write a region such as CN-SH, or leave it out")
    return Request(method, streams, ActivityData(calendar, "", 0, amounts), region)


def make_template(method: Method) -> dict[str, Any]:
    """Return an input of every stream type of `method`, open where the user must write."""
    return {
        "_how": (
            f"Replace every text that begins with {OPEN}; delete source streams you do not have; swap the "
            "proposed factors for those of your fuel, region and year (`carbonseal-accounting methods show "
            f"{method.name}` says what each parameter takes, `carbonseal-accounting factors SET@VERSION` "
            "lists keys). Keys that begin with _ are remarks. A factor may be {set, key} or, if allowed, "
            "{declared: {value, unit, kind, region, year, source}}. An amount may be one {value, unit} for "
            "the period, or a list of {month, value, unit}, one for every month."
        ),
        "method": method.name,
        "period": {
            "start": f"{OPEN}: first day of the period, such as 2026-01-01",
            "end": f"{OPEN}: first day after the period, such as 2026-02-01",
            "time_zone": "Asia/Shanghai",
        },
        "streams": [_open_stream(kind) for kind in method.stream_types.values()],
    }


def _open_stream(kind: StreamType) -> dict[str, Any]:
    fuel, ipcc = _FUELS.get(kind.name, ("natural_gas", "natural_gas"))
    factors = dict[str, Any]()
    for name, parameter in kind.parameters.items():
        if name in _PROPOSED and kind.name != "biomass_combustion":
            package, key = _PROPOSED[name]
            factors[name] = {"set": package, "key": key.format(fuel=fuel, ipcc=ipcc)}
        else:
            factors[name] = {
                "declared": {
                    "value": f"{OPEN}: {parameter.title['en']} in {parameter.need.unit.name}",
                    "unit": parameter.need.unit.code,
                    "kind": parameter.need.kinds[0],
                    "region": f"{OPEN}: where it holds, such as CN-SH",
                    "year": f"{OPEN}: a year, such as 2025",
                    "source": f"{OPEN}: laboratory report or publication",
                }
            }
    unit = kind.activity_unit
    return {
        "_type": f"{kind.title['zh']} / {kind.title['en']}",
        "id": kind.name.replace("_", "-"),
        "type": kind.name,
        "activity": {"value": f"{OPEN}: amount in {unit.name}, such as 1234.5", "unit": unit.name},
        "factors": factors,
    }


def _stream(
    item: object, calendar: Calendar, method: Method, place: str
) -> tuple[StreamPlan, tuple[StreamMonth, ...]]:
    known, needed = {"name", "factors"}, {"id", "type", "activity"}
    body = check_keys(_remarkless(item), known, needed, place, InputInvalid)
    name, factors = body["id"], body.get("factors", {})
    if not isinstance(name, str) or not 0 < len(name) <= 80 or "/" in name:
        raise InputInvalid(f"{place}.id", "not a short text without /", "write for example grid-electricity")
    if not isinstance(factors, dict):
        raise InputInvalid(f"{place}.factors", "not an object", "write parameter: {set, key}")
    kind = method.stream_type(body["type"], field=f"{place}.type")
    months = tuple(_amounts(name, body["activity"], calendar, kind, f"{place}.activity"))
    title = body.get("name", name)
    titles = {"zh": title, "en": title} if isinstance(title, str) else _titles(title, place)
    factors = {key: _remarkless(value) for key, value in factors.items() if not key.startswith("_")}
    return StreamPlan(name, kind.name, months[0].unit, (), factors, titles), months


def _amounts(
    stream: str, value: object, calendar: Calendar, kind: StreamType, place: str
) -> Iterator[StreamMonth]:
    if isinstance(value, list):
        rows = [
            check_keys(_remarkless(row), set(), {"month", "value", "unit"}, f"{place}[{at}]", InputInvalid)
            for at, row in enumerate(value)
        ]
        labels = [month.label for month in calendar.months]
        if [row["month"] for row in rows] != labels:
            raise InputInvalid(
                place, "not the months of the period in order", f"give {', '.join(labels)[:120]}"
            )
        for at, (row, month) in enumerate(zip(rows, calendar.months, strict=True)):
            yield _stated(stream, month.label, month.start_ms, month.end_ms, row, kind, f"{place}[{at}]")
        return
    row = check_keys(_remarkless(value), set(), {"value", "unit"}, place, InputInvalid)
    first, last = calendar.months[0].label, calendar.months[-1].label
    label = first if first == last else f"{first}..{last}"
    yield _stated(stream, label, calendar.start_ms, calendar.end_ms, row, kind, place)


def _stated(
    stream: str, label: str, start_ms: int, end_ms: int, row: Mapping[str, Any], kind: StreamType, place: str
) -> StreamMonth:
    value = read_decimal(row["value"], field=f"{place}.value")
    if value < 0 and not kind.is_net:
        raise InputInvalid(f"{place}.value", "negative", "give an amount of zero or more")
    unit: Unit = parse_unit(row["unit"], field=f"{place}.unit")
    unit.ratio_to(kind.activity_unit, field=f"{place}.unit")
    zero = Decimal(0)
    return StreamMonth(stream, label, start_ms, end_ms, value, unit, value, unit, zero, zero, zero, ())


def _titles(value: object, place: str) -> dict[str, str]:
    table = check_keys(value, {"zh", "en"}, set(), f"{place}.name", InputInvalid)
    return {key: str(text) for key, text in table.items()}


def _remarkless(value: object) -> object:
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if not str(key).startswith("_")}
    return value


def _refuse_unprintable(value: object, place: str, depth: int = 0) -> None:
    """Refuse a text, remarks aside, with what no reader can see: it could not be written down or printed."""
    if depth > MAX_DEPTH:
        raise InputInvalid("input", f"nested deeper than {MAX_DEPTH}", "write it as the template has it")
    if isinstance(value, str):
        if not is_plain_text(value):
            raise InputInvalid(place, "holds characters that cannot be seen", "write it in plain text")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not is_plain_text(str(key)):
                raise InputInvalid(place or "input", "a key that cannot be printed", "write it in plain text")
            if not str(key).startswith("_"):
                _refuse_unprintable(item, f"{place}.{key}" if place else str(key), depth + 1)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            _refuse_unprintable(item, f"{place}[{at}]", depth + 1)


def _open_places(value: object, place: str, depth: int = 0) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise InputInvalid("input", f"nested deeper than {MAX_DEPTH}", "write it as the template has it")
    if isinstance(value, str) and value.lstrip().upper().startswith(OPEN):
        yield place
    elif isinstance(value, dict):
        for key, item in value.items():
            if not str(key).startswith("_"):
                yield from _open_places(item, f"{place}.{key}" if place else str(key), depth + 1)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _open_places(item, f"{place}[{at}]", depth + 1)
