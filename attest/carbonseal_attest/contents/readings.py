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


def span(body: Mapping[str, Any]) -> tuple[int, int]:
    """Return the least half-open interval that holds every reading of an admitted body."""
    starts, ends = [], []
    for item in body["series"]:
        times = _unpack_times(item["times"])
        starts.append(min(times))
        ends.append(max(times) + max(item["width_ms"], 1))
    return min(starts), max(ends)


def _check_series(item: Mapping[str, Any], field: str) -> None:
    count = _check_times(item["times"], f"{field}.times")
    values, scale = item["values"], item["scale"]
    if len(values) != count:
        raise s.refuse(f"{field}.values", f"not an array of {count} values, one a time")
    if scale and all(v is None or v % 10 == 0 for v in values):
        raise s.refuse(f"{field}.values", "scale is not the least one")
    _check_quality(item["quality"], count, f"{field}.quality")
    if (item["form"] == "interval") != (item["width_ms"] > 0):
        raise s.refuse(f"{field}.width_ms", "must be above 0 for intervals and 0 otherwise")


def _check_times(packed: Sequence[Any], field: str) -> int:
    """Return how many times there are; counts are added up before anything is unfolded."""
    first, runs = packed
    count, low, high, at, last_step = 1, first, first, first, None
    for step, number in runs:
        if step == last_step:
            raise s.refuse(field, "neighbouring runs have the same step")
        last_step, count, at = step, count + number, at + step * number
        low, high = min(low, at), max(high, at)
        if count > MAX_VALUES or low < 0 or high > MAX_INSTANT:
            raise s.refuse(field, f"more than {MAX_VALUES} readings, or outside this age")
    return count


def _check_quality(runs: Sequence[Any], count: int, field: str) -> None:
    last, total = None, 0
    for quality, status, number in runs:
        if (quality, status) == last:
            raise s.refuse(field, "a run repeats its neighbour")
        last, total = (quality, status), total + number
    if total != count:
        raise s.refuse(field, f"covers {total} of {count} values")


def _check_order(body: Mapping[str, Any], field: str) -> None:
    keys = [(item["point"], item["form"], item["unit"], item["width_ms"]) for item in body["series"]]
    if keys != sorted(set(keys)):
        raise s.refuse(f"{field}.series", "not sorted, or one series stands twice")


_step_run = s.shared("step-run", s.row({"step": s.whole, "count": s.integer(1, MAX_VALUES - 1)}))
_quality_run = s.shared(
    "quality-run",
    s.row(
        {
            "quality": s.shared("quality", s.one_of(*QUALITIES)),
            "source_status": s.text(80),
            "count": s.integer(1, MAX_VALUES),
        }
    ),
)

_series = s.where(
    s.record(
        {
            "point": s.name,
            "form": s.one_of(*FORMS),
            "unit": s.text(40),
            "width_ms": s.integer(0, 400 * 86_400_000),
            "times": s.row({"first": s.instant, "runs": s.array(_step_run, MAX_VALUES - 1)}),
            "scale": s.integer(0, MAX_SCALE),
            "values": s.column(MAX_VALUES),
            "quality": s.array(_quality_run, MAX_VALUES, least=1),
        }
    ),
    _check_series,
    f"as many values and qualities as times, at most {MAX_VALUES}; every time an instant; neighbouring runs"
    " differ; the least scale; width_ms above 0 exactly for `interval`",
)

# A body that is exactly what `readings_body` would have written.
readings = s.shared(
    "readings-body",
    s.where(
        s.record({"series": s.array(_series, MAX_SERIES, least=1)}),
        _check_order,
        "series sorted by point, form, unit, width_ms; no two equal in all four",
    ),
)
