"""A CSV series as a scope of its own: header `time,value[,unit,status,reference]`, no plan and no server.

Stamps are ISO 8601; without an offset they are read in the zone given. The step is the commonest distance of
neighbouring rows. A `reference` column is a second source of the same quantity. Nothing is repaired: a
row that cannot be read is refused with its line number. Left out: commit delay, calibration, sequences (no
statements).
"""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from io import TextIOWrapper
from itertools import pairwise
from operator import sub
from pathlib import Path
from typing import Any, Final, TextIO
from zoneinfo import ZoneInfo

from carbonseal_accounting.units import parse_unit
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.quantities import MAX_DIGITS
from carbonseal_verifier.errors import SeriesInvalid
from carbonseal_verifier.paths import in_words, open_input
from carbonseal_verifier.quality.amounts import WIDE
from carbonseal_verifier.quality.profile import Profile
from carbonseal_verifier.quality.scope import Scope
from carbonseal_verifier.quality.series_index import QUALITIES, PointSeries, Provenance, SeriesIndex

MAX_ROWS: Final = 5_000_000
MAX_LINE: Final = 10_000  # characters
DEVICE: Final = "m-series"
COLUMNS: Final = ("time", "value", "unit", "status", "reference")
COUNTED: Final = "counted_amount"  # what the plan's quantities would say more precisely
_AMOUNTS: Final = tuple(parse_unit(unit).dimension for unit in ("J", "kg", "m3"))
REACTIVE: Final = ("{reactive}", 1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_GOOD: Final = frozenset({"", "good", "ok", "valid"})
_BAD: Final = frozenset({"bad", "invalid", "error", "fault"})


@dataclass(slots=True)
class CsvSeries:
    """The columns of a series file, in file order; a value that is absent is None."""

    unit: str = "1"
    times: array[int] = field(default_factory=lambda: array("q"))
    values: list[Decimal | None] = field(default_factory=list)
    references: list[Decimal | None] | None = None
    quality: bytearray = field(default_factory=bytearray)


def read_csv(path: Path, zone: ZoneInfo) -> CsvSeries:
    """Return the series of a file.

    Raises:
        UsageInvalid: the file cannot be opened.
        SeriesInvalid: not text, another header, or a row that cannot be read; names the line.
    """
    try:
        with (
            open_input(path, "series", "give the path of a CSV file") as raw,
            TextIOWrapper(raw, encoding="utf-8-sig", newline="") as stream,
        ):
            return _read((next(csv.reader([line]), []) for line in _lines(stream)), zone)
    except OSError as error:
        raise _refusal("series", f"{path.name!r:.80} can't be read: {in_words(error)}") from error
    except UnicodeDecodeError as error:
        reason, remedy = f"{path.name!r:.80} is not text in UTF-8", "save it as CSV in UTF-8"
        raise SeriesInvalid("series", reason, f"{remedy}, not as a spreadsheet or archive") from error
    except csv.Error as error:
        raise _refusal("series", f"{path.name!r:.80} is not CSV") from error


def scope_of_csv(series: CsvSeries, profile: Profile, *, form: str | None = None) -> Scope:
    """Return the scope of a series: its own plan of one measurement, and its reference as a second source.

    Args:
        series: what `read_csv` returned.
        profile: limits and rule settings.
        form: register, interval or instant; None to tell a register by its never falling, and an amount of
            each interval by its unit of energy, mass or volume.
    """
    step = _step(series.times)
    start, end = min(series.times), max(series.times) + step
    is_amount = _is_amount(series.unit)
    form = form or _form(series.values, is_amount=is_amount)
    quantity = COUNTED if is_amount else "unspecified"
    provenance = Provenance(bytes(32), DEVICE, (start, end), start, end)
    index = SeriesIndex(readings=len(series.times))
    measurements = [_measurement("series", quantity, series.unit, form, step)]
    checks: list[dict[str, Any]] = []
    columns = [("series", series.values)]
    if series.references is not None:
        measurements.append(_measurement("reference", quantity, series.unit, form, step))
        columns.append(("reference", series.references))
    scales = []
    for point, values in columns:
        scale, integers = _scaled(values)
        scales.append(scale)
        width = step if form == "interval" else 0
        key = (DEVICE, point, form, series.unit, width)
        index.series[key] = PointSeries(*key)
        index.series[key].extend(series.times, scale, integers, bytes(series.quality), provenance)
    if series.references is not None:
        resolution = format(Decimal(1).scaleb(-min(scales)), "f")
        checks = [{"id": "reference", "check": "ratio", "a": "series", "b": "reference", "ratio": "1",
                   "ratio_unit": "1", "resolution": resolution}]  # fmt: skip
    plan = {"time_zone": "UTC", "effective": {"start": start, "end": None}, "measurements": measurements,
            "cross_checks": checks}  # fmt: skip
    as_of = end + profile.filing_days * 86_400_000  # a file by itself has no filing date to wait for
    return Scope(plan=plan, start=start, end=end, as_of=as_of, profile=profile, index=index, is_bare=True)


def _lines(stream: TextIO) -> Iterator[str]:
    """Yield the lines of a file; one without end is refused before it fills the memory."""
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise _refusal(f"line {number}", f"longer than {MAX_LINE} characters")
        yield line


def _read(rows: Iterator[list[str]], zone: ZoneInfo) -> CsvSeries:
    header = [name.strip().lower() for name in next(rows, [])]
    if header[:2] != ["time", "value"] or set(header) - set(COLUMNS) or len(set(header)) != len(header):
        raise _refusal(
            "header", f"{','.join(header)[:80]!r} is not {','.join(COLUMNS[:2])}[,{','.join(COLUMNS[2:])}]"
        )
    at = {name: position for position, name in enumerate(header)}
    unit_at, status_at, reference_at = (at.get(name) for name in COLUMNS[2:])
    series = CsvSeries(references=None if reference_at is None else [])
    unit: str | None = None
    for line, row in enumerate(rows, 2):
        if not row:
            continue
        if len(row) != len(header) or len(series.times) >= MAX_ROWS:
            raise _refusal(f"line {line}", f"{len(row)} columns instead of {len(header)}, or too many rows")
        series.times.append(_instant(row[0], zone, line))
        series.values.append(_number(row[1], line))
        if series.references is not None and reference_at is not None:
            series.references.append(_number(row[reference_at], line))
        series.quality.append(QUALITIES.index("good") if status_at is None else _status(row[status_at]))
        if unit_at is not None and row[unit_at] != unit:
            if unit is not None:
                raise _refusal(f"line {line}", f"unit {row[unit_at]!r:.40} after {unit!r:.40}")
            unit = series.unit = row[unit_at]
    if len(series.times) < 2:
        raise _refusal("series", "fewer than two rows")
    return series


def _instant(text: str, zone: ZoneInfo, line: int) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return int((moment - _EPOCH) // _MS)
    except (ValueError, OverflowError) as error:
        raise _refusal(f"line {line}", f"{text!r:.40} is not an ISO 8601 time") from error


def _number(text: str, line: int) -> Decimal | None:
    text = text.strip()
    if not text:
        return None
    try:
        # Decimal() also takes digits of other scripts, and underscores between them; exports have neither.
        value = Decimal(text if text.isascii() and "_" not in text else "refused")
    except InvalidOperation as error:
        raise _refusal(f"line {line}", f"{text!r:.40} is not a number") from error
    if not value.is_finite():
        return None  # NaN as other systems write it: no value
    exponent = value.as_tuple().exponent
    if len(text) > MAX_DIGITS or not isinstance(exponent, int) or abs(exponent) > MAX_DIGITS:
        raise _refusal(f"line {line}", f"{text!r:.40} has too many digits")
    return value


def _status(text: str) -> int:
    word = text.strip().lower()
    return QUALITIES.index("good" if word in _GOOD else "bad" if word in _BAD else "uncertain")


def _scaled(values: list[Decimal | None]) -> tuple[int, list[int | None]]:
    """Return (scale, integers). Unlike in statements the integers may exceed 64 bits: exported floats do."""
    places = {v.as_tuple().exponent for v in values if v is not None}
    scale = max([0, *(-e for e in places if isinstance(e, int))])
    return scale, [None if v is None else int(v.scaleb(scale, WIDE)) for v in values]


def _step(times: array[int]) -> int:
    steps: Counter[int] = Counter(s for s in map(sub, times[1:], times) if s > 0)
    if not steps:
        raise _refusal("time", "no two rows in rising time")
    best = max(steps.values())
    return min(s for s, n in steps.items() if n == best)


def _is_amount(unit: str) -> bool:
    """Whether the unit is of energy, mass or volume; not of reactive energy, which has a sign."""
    try:
        dimension = parse_unit(unit).dimension
    except CarbonsealError:
        return False  # a unit of another system: nothing is known about it
    # A tag says what it is an amount of.
    return tuple(part for part in dimension if part[0][0] != "{" or part == REACTIVE) in _AMOUNTS


def _form(values: list[Decimal | None], *, is_amount: bool) -> str:
    """Tell a cumulative register: its values rise, and fall at most once in a hundred steps."""
    other = "interval" if is_amount else "instant"
    present = [v for v in values if v is not None]
    falls = sum(b < a for a, b in pairwise(present))
    rises = sum(b > a for a, b in pairwise(present))
    return "register" if rises >= 20 and falls * 100 <= rises and present[-1] >= present[0] else other


def _measurement(identifier: str, quantity: str, unit: str, form: str, step: int) -> dict[str, Any]:
    return {"id": identifier, "device": DEVICE, "point": identifier, "quantity": quantity, "form": form,
            "unit": unit, "step_ms": step, "register_modulus": None, "capacity_per_hour": None,
            "calibration": {"required": False, "cycle_days": 0}}  # fmt: skip


def _refusal(field_name: str, reason: str) -> SeriesInvalid:
    return SeriesInvalid(field_name, reason, "give a CSV with the header time,value[,unit,status,reference]")
