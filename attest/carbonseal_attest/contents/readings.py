"""Readings (kind `readings`, v1): what one meter showed in one window, as it came.

A series is columnar: scaled integers under one scale, and times as runs of equal steps, so that a regular
grid costs a few bytes whatever its length. There is one way to write a series: neighbouring runs differ.

Forms: `register` is the state of a cumulative register at an instant, `interval` an amount over
[time, time + width), `instant` a momentary value. Quality is `good`, `uncertain` or `bad`; the source's own
status stands beside it, unchanged. Nothing is repaired: a missing value is null, and a gap is its own kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any, Final

from carbonseal_attest.contents import schema as s
from carbonseal_attest.instants import MAX_INSTANT
from carbonseal_attest.quantities import MAX_SCALE, scale_values, unscale

FORMS: Final = ("register", "interval", "instant")
QUALITIES: Final = ("good", "uncertain", "bad")
MAX_SERIES: Final = 64  # points of one meter
MAX_VALUES: Final = 20_000  # of one series in one window; a day at five-second readings is 17,280


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading; `at` is the instant, or the start of the interval, in milliseconds."""

    at: int
    value: Decimal | None
    quality: str = "good"
    source_status: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """The readings of one point in one window, in the order in which they came.

    `unit` is a UCUM code; `width_ms` is the length of each interval (0 for the other forms); value =
    integers[i] / 10**scale; `quality` holds runs of (quality, source status, count).
    """

    point: str
    form: str
    unit: str
    width_ms: int
    times: tuple[int, ...]
    scale: int
    integers: tuple[int | None, ...]
    quality: tuple[tuple[str, str, int], ...]

    @classmethod
    def of(cls, point: str, form: str, unit: str, samples: Sequence[Sample], *, width_ms: int = 0) -> Series:
        """Return the series of `samples`; the scale is the least that keeps every digit."""
        scale, integers = scale_values([sample.value for sample in samples])
        runs = groupby(samples, key=lambda sample: (sample.quality, sample.source_status))
        quality = tuple((*key, sum(1 for _ in run)) for key, run in runs)
        times = tuple(sample.at for sample in samples)
        return cls(point, form, unit, width_ms, times, scale, tuple(integers), quality)

    def samples(self) -> Iterator[Sample]:
        """Yield the readings one by one."""
        labels = ((q, status) for q, status, count in self.quality for _ in range(count))
        for at, integer, (quality, status) in zip(self.times, self.integers, labels, strict=True):
            value = None if integer is None else unscale(integer, self.scale)
            yield Sample(at, value, quality, status)

    def to_body(self) -> dict[str, Any]:
        """Return the map that stands in the content."""
        return {
            "point": self.point,
            "form": self.form,
            "unit": self.unit,
            "width_ms": self.width_ms,
            "times": _pack_times(self.times),
            "scale": self.scale,
            "values": list(self.integers),
            "quality": [list(run) for run in self.quality],
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Series:
        """Return the series of a map that the schema has admitted."""
        return cls(
            body["point"],
            body["form"],
            body["unit"],
            body["width_ms"],
            _unpack_times(body["times"]),
            body["scale"],
            tuple(body["values"]),
            tuple((run[0], run[1], run[2]) for run in body["quality"]),
        )


def readings_body(series: Iterable[Series]) -> dict[str, Any]:
    """Return the body of a readings content; series are sorted by point, form, unit and width."""
    return {
        "series": [x.to_body() for x in sorted(series, key=lambda x: (x.point, x.form, x.unit, x.width_ms))]
    }


def read_series(body: Mapping[str, Any]) -> list[Series]:
    """Return the series of a readings body that the schema has admitted."""
    return [Series.from_body(item) for item in body["series"]]


def _pack_times(times: Sequence[int]) -> list[Any]:
    steps = [later - earlier for earlier, later in pairwise(times)]
    return [times[0], [[step, sum(1 for _ in run)] for step, run in groupby(steps)]]


def _unpack_times(packed: Sequence[Any]) -> tuple[int, ...]:
    times = [packed[0]]
    for step, count in packed[1]:
        at = times[-1]
        times.extend(
            range(at + step, at + step * count + (1 if step > 0 else -1), step) if step else [at] * count
        )
    return tuple(times)


_series = s.record(
    {
        "point": s.name,
        "form": s.one_of(*FORMS),
        "unit": s.text(40),
        "width_ms": s.integer(0, 400 * 86_400_000),
        "times": s.anything,
        "scale": s.integer(0, MAX_SCALE),
        "values": s.anything,
        "quality": s.anything,
    }
)


def check_body(value: object, field: str) -> None:
    """Refuse a body that is not exactly what `readings_body` would have written."""
    s.record({"series": s.array(_series, MAX_SERIES, least=1)})(value, field)
    keys = []
    for at, item in enumerate(s.body_map(value)["series"]):
        where = f"{field}.series[{at}]"
        count = _check_times(item["times"], f"{where}.times")
        _check_values(item["values"], item["scale"], count, f"{where}.values")
        _check_quality(item["quality"], count, f"{where}.quality")
        if (item["form"] == "interval") != (item["width_ms"] > 0):
            raise s.refuse(f"{where}.width_ms", "must be above 0 for intervals and 0 otherwise")
        keys.append((item["point"], item["form"], item["unit"], item["width_ms"]))
    if keys != sorted(set(keys)):
        raise s.refuse(f"{field}.series", "not sorted, or one series stands twice")


def span(body: Mapping[str, Any]) -> tuple[int, int]:
    """Return the least half-open interval that holds every reading of an admitted body."""
    starts, ends = [], []
    for item in body["series"]:
        times = _unpack_times(item["times"])
        starts.append(min(times))
        ends.append(max(times) + max(item["width_ms"], 1))
    return min(starts), max(ends)


def _check_times(packed: object, field: str) -> int:
    match packed:
        case [int(first), list(runs)] if (
            type(first) is int and 0 <= first <= MAX_INSTANT and len(runs) < MAX_VALUES
        ):
            pass
        case _:
            raise s.refuse(field, "not a first instant and runs of steps")
    count, low, high, at, last_step = 1, first, first, first, None
    for run in runs:
        match run:
            case [int(step), int(number)] if type(step) is int and type(number) is int and number > 0:
                pass
            case _:
                raise s.refuse(field, "a run is not a step and a count")
        if step == last_step:
            raise s.refuse(field, "neighbouring runs have the same step")
        last_step, count, at = step, count + number, at + step * number
        low, high = min(low, at), max(high, at)
        if count > MAX_VALUES or low < 0 or high > MAX_INSTANT:
            raise s.refuse(field, f"more than {MAX_VALUES} readings, or outside this age")
    return count


def _check_values(values: object, scale: int, count: int, field: str) -> None:
    if not isinstance(values, list) or len(values) != count:
        raise s.refuse(field, f"not an array of {count} values, one a time")
    if not set(map(type, values)) <= {int, type(None)}:
        raise s.refuse(field, "holds something else than whole numbers and null")
    if scale and all(v is None or v % 10 == 0 for v in values):
        raise s.refuse(field, "scale is not the least one")


def _check_quality(runs: object, count: int, field: str) -> None:
    last, total = None, 0
    if not isinstance(runs, list):
        raise s.refuse(field, "not an array of runs")
    for run in runs:
        match run:
            case [str(quality), str(status), int(number)] if (
                quality in QUALITIES and type(number) is int and number > 0 and (quality, status) != last
            ):
                s.text(80)(status, field)
                last, total = (quality, status), total + number
            case _:
                raise s.refuse(
                    field, "a run is not quality, source status and count, or repeats its neighbour"
                )
    if total != count:
        raise s.refuse(field, f"covers {total} of {count} values")
