"""Readings as they should have been: rows of a CSV or JSON file, laid over the readings of one statement.

A row names point and time and gives the value; every other reading of the statement stays as it was, so that
a correction of three values is three rows. A row at a time that the statement does not have adds a reading.
Units are never converted and nothing is guessed: what fits no series, or two, is refused with its place.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from carbonseal_api.evidence.correction_schemas import MAX_ROWS, CorrectedReading
from carbonseal_api.evidence.errors import CorrectionUnfit
from carbonseal_attest.contents.readings import Sample, Series, read_series, readings_body
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Interval, format_instant, parse_instant
from carbonseal_attest.quantities import parse_decimal

COLUMNS: Final = ("point", "at", "value", "quality", "form", "unit")
NEEDED: Final = ("point", "at", "value")
MAX_FILE: Final = 4 << 20  # bytes
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZONED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{1,3})?[+-][0-9]{2}:[0-9]{2}")
_HOW: Final = "see `carbonseal correct --help` for the file"


def read_rows(data: bytes, *, is_json: bool) -> list[CorrectedReading]:
    """Return the rows of a file of corrected readings, in its order.

    CSV: UTF-8, a head line with point, at, value and, where wanted, quality, form, unit; an empty value says
    that there is none. JSON: an array of objects with the same members, or such an array under `readings`.

    Raises:
        CorrectionUnfit: too large, not such a file, or a row is malformed; names the line or the item.
    """
    if len(data) > MAX_FILE:
        raise CorrectionUnfit("--file", f"has {len(data)} bytes", f"correct at most {MAX_FILE} bytes at once")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise CorrectionUnfit("--file", "is not UTF-8", "save it as UTF-8") from problem
    return _rows_of_json(text) if is_json else _rows_of_csv(text)


def corrected_body(
    body: Mapping[str, Any], rows: Sequence[CorrectedReading], interval: Interval
) -> tuple[dict[str, Any], int]:
    """Return the readings body with `rows` laid over it, and how many readings differ from before.

    `interval` is the statement's, half-open in ms.

    Raises:
        CorrectionUnfit: a row fits no series of the statement or two, lies outside its interval, stands
            twice or has no decimal; or nothing differs.
    """
    all_series = read_series(body)
    by_series: dict[int, dict[int, Sample]] = {}
    for number, row in enumerate(rows):
        place = f"readings[{number}]"
        index = _series_of(all_series, row, place)
        sample = _sample(row, place)
        end = sample.at + max(all_series[index].width_ms, 1)
        if not interval[0] <= sample.at < end <= interval[1]:
            shown = "/".join(format_instant(at) for at in interval)
            raise CorrectionUnfit(
                f"{place}.at", f"{row.at} is not within {shown}", "correct its own statement"
            )
        if sample.at in by_series.setdefault(index, {}):
            raise CorrectionUnfit(place, f"{row.point} at {row.at} stands twice", "leave one")
        by_series[index][sample.at] = sample
    changed, made = 0, list[Series]()
    for index, series in enumerate(all_series):
        samples, differing = _laid_over(list(series.samples()), by_series.get(index, {}))
        changed += differing
        kept = (
            series
            if not differing
            else Series.of(series.point, series.form, series.unit, samples, width_ms=series.width_ms)
        )
        made.append(kept)
    if not changed:
        raise CorrectionUnfit("readings", "say what the statement says already", "give what was wrong")
    return readings_body(made), changed


def _rows_of_csv(text: str) -> list[CorrectedReading]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = list[CorrectedReading]()
    head: list[str] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if head is None:
                head = _head([cell.strip() for cell in cells])
                continue
            if len(cells) != len(head):
                raise CorrectionUnfit(
                    f"line {reader.line_num}", f"has {len(cells)} cells, not {len(head)}", "mend the line"
                )
            if len(rows) == MAX_ROWS:
                raise CorrectionUnfit("--file", f"over {MAX_ROWS} rows", "correct in parts")
            given = {name: cell.strip() for name, cell in zip(head, cells, strict=True)}
            row = {name: cell or None for name, cell in given.items() if cell or name == "value"}
            rows.append(_row(row, f"line {reader.line_num}"))
    except csv.Error as problem:
        raise CorrectionUnfit(f"line {reader.line_num}", f"is no CSV: {problem}", _HOW) from problem
    if not rows:
        raise CorrectionUnfit("--file", "holds no row", _HOW)
    return rows


def _head(names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in COLUMNS]
    lacking = [name for name in NEEDED if name not in names]
    if unknown or lacking or len(set(names)) != len(names):
        named = (unknown or lacking or names)[0][:40]
        wrong = f"column {named!r} is unknown" if unknown else f"column {named!r} is missing or stands twice"
        raise CorrectionUnfit(
            "line 1", wrong, f"write {', '.join(NEEDED)}, and if wanted quality, form, unit"
        )
    return names


def _rows_of_json(text: str) -> list[CorrectedReading]:
    try:
        found = json.loads(text, parse_float=_refuse_number, parse_int=_refuse_number)
    except (ValueError, RecursionError) as problem:
        raise CorrectionUnfit("--file", f"is no JSON with decimals as text: {problem}", _HOW) from problem
    listed = found.get("readings") if isinstance(found, dict) and set(found) == {"readings"} else found
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_ROWS:
        raise CorrectionUnfit("--file", f"holds no array of 1 to {MAX_ROWS} readings", _HOW)
    return [_row(item, f"readings[{number}]") for number, item in enumerate(listed)]


def _refuse_number(text: str) -> None:
    raise ValueError(f"{text[:40]} is a number")


_ROW: Final = TypeAdapter(CorrectedReading)


def _row(item: Any, place: str) -> CorrectedReading:
    try:
        return _ROW.validate_python(item)
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join([place, *(str(part) for part in first["loc"])])
        raise CorrectionUnfit(where, str(first["msg"]), _HOW) from problem


def _series_of(all_series: Sequence[Series], row: CorrectedReading, place: str) -> int:
    named = [index for index, series in enumerate(all_series) if series.point == row.point]
    if not named:
        points = ", ".join(dict.fromkeys(series.point for series in all_series))
        raise CorrectionUnfit(f"{place}.point", f"{row.point!r} is not in the statement", f"it has {points}")
    fitting = [
        index
        for index in named
        if row.form in {None, all_series[index].form} and row.unit in {None, all_series[index].unit}
    ]
    if not fitting:
        units = ", ".join(f"{all_series[index].form} in {all_series[index].unit}" for index in named)
        raise CorrectionUnfit(f"{place}.unit", "is not the unit or form of the readings", f"it has {units}")
    if len(fitting) > 1:
        raise CorrectionUnfit(place, f"{row.point} has {len(fitting)} series", "name form and unit")
    return fitting[0]


def _sample(row: CorrectedReading, place: str) -> Sample:
    try:
        at = _instant(row.at)
        value = None if row.value is None else parse_decimal(row.value)
    except CarbonsealError as problem:
        raise CorrectionUnfit(f"{place}.{problem.field}", problem.reason, problem.remedy) from problem
    quality = row.quality or ("bad" if value is None else "good")
    if value is None and quality != "bad":
        raise CorrectionUnfit(
            f"{place}.quality", "is not bad, but there is no value", "write bad, or a value"
        )
    return Sample(at, value, quality)


def _instant(text: str) -> int:
    if _ZONED.fullmatch(text):
        try:
            return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
        except ValueError:
            pass
    return parse_instant(text, field="at")


def _laid_over(samples: list[Sample], rows: Mapping[int, Sample]) -> tuple[list[Sample], int]:
    """Return the samples with those of `rows` in their places, and how many differ."""
    known = {sample.at for sample in samples}
    added = sorted((new for at, new in rows.items() if at not in known), key=lambda new: new.at, reverse=True)
    made, seen, differing = list[Sample](), set[int](), len(added)
    for sample in samples:
        while added and added[-1].at < sample.at:
            made.append(added.pop())
        new = rows.get(sample.at)
        if new is None:
            made.append(sample)
        elif sample.at in seen:
            differing += 1  # of two readings of one time the correction leaves one
        else:
            seen.add(sample.at)
            is_same = (sample.value, sample.quality) == (new.value, new.quality)
            made.append(sample if is_same else new)
            differing += not is_same
    return made + added[::-1], differing
