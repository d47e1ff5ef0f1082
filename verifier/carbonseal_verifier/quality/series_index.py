"""Readings by (device, point): the arrays that every quality rule works on.

Built from readings contents in log order. Values stay the scaled integers that were signed; nothing is
rounded, filled or reordered here. A `PointSeries` keeps arrival order and its blocks (one per statement), an
`OrderedSeries` is the same readings by time, duplicates set aside. Left out: other contents.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, repeat
from operator import lt, mul
from typing import Any, Final

from carbonseal_verifier.errors import SeriesInvalid

QUALITIES: Final = ("good", "uncertain", "bad")
BAD: Final = 2
MAX_READINGS: Final = 20_000_000  # per index; a year of one-minute readings of 38 points


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where readings came from: one statement and the bounds of its registration.

    `registered_by` is the upper bound of registration (ms), None when no tick bounds it; `known_at` the lower
    bound (time of the newest checkpoint the signer knew), None when it knew none; `is_imported` marks a late
    statement that was signed late too, a file from the past.
    """

    digest: bytes
    device: str
    interval: tuple[int, int]
    issued_at: int
    registered_by: int | None
    known_at: int | None = None
    is_late: bool = False
    is_imported: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """The readings `first` to `first + count` of a series, from one statement."""

    first: int
    count: int
    provenance: Provenance


@dataclass(slots=True)
class PointSeries:
    """One point's readings in arrival order: times in ms, values as integers at one scale, or None."""

    device: str
    point: str
    form: str
    unit: str
    width_ms: int
    scale: int = 0
    times: array[int] = field(default_factory=lambda: array("q"))
    values: list[int | None] = field(default_factory=list)
    quality: bytearray = field(default_factory=bytearray)
    blocks: list[Block] = field(default_factory=list)

    def extend(self, times: array[int], scale: int, values: Sequence[int | None], quality: bytes,
               provenance: Provenance) -> None:  # fmt: skip
        """Append one statement's readings, bringing both sides to the finer scale."""
        if scale > self.scale:
            self.values = _rescaled(self.values, 10 ** (scale - self.scale))
            self.scale = scale
        elif scale < self.scale:
            values = _rescaled(values, 10 ** (self.scale - scale))
        self.blocks.append(Block(len(self.times), len(times), provenance))
        self.times.extend(times)
        self.values.extend(values)
        self.quality.extend(quality)

    def ordered(self, start: int, end: int) -> OrderedSeries:
        """Return the readings with start <= time < end by time; at one time the first logged counts.

        A value of bad quality is absent: it was never a measurement.
        """
        values: Sequence[int | None] = self.values
        if BAD in self.quality:
            values = [None if q == BAD else v for v, q in zip(values, self.quality, strict=True)]
        times = self.times
        if all(map(lt, times, times[1:])):
            low, high = bisect_left(times, start), bisect_left(times, end)
            return OrderedSeries(self, times[low:high], values[low:high])
        first: dict[int, int | None] = {}
        for at, value in zip(times, values, strict=True):
            if start <= at < end:
                first.setdefault(at, value)
        chosen = sorted(first)
        return OrderedSeries(self, array("q", chosen), [first[at] for at in chosen])


@dataclass(frozen=True, slots=True)
class OrderedSeries:
    """Readings of one point within a period, by time, each instant once."""

    source: PointSeries
    times: array[int]
    values: Sequence[int | None]

    @property
    def scale(self) -> int:
        """Decimal places of every value."""
        return self.source.scale

    def present(self) -> tuple[array[int], list[int]]:
        """Return times and values of the readings that hold a value."""
        if None not in self.values:
            return self.times, list(self.values)  # type: ignore[arg-type]
        kept = [(t, v) for t, v in zip(self.times, self.values, strict=True) if v is not None]
        return array("q", (t for t, _ in kept)), [v for _, v in kept]

    def by_time(self) -> dict[int, int]:
        """Return the values that are present, by instant."""
        return {t: v for t, v in zip(self.times, self.values, strict=True) if v is not None}


@dataclass(slots=True)
class SeriesIndex:
    """All readings of one set of statements, by device and point."""

    series: dict[tuple[str, str, str, str, int], PointSeries] = field(default_factory=dict)
    readings: int = 0

    def add(self, body: Mapping[str, Any], provenance: Provenance) -> None:
        """Index one readings body, already valid under its schema.

        Raises:
            SeriesInvalid: lists of unequal length, or more readings than one index holds.
        """
        for part in body["series"]:
            times = expand_times(part["times"])
            count = len(times)
            self.readings += count
            if self.readings > MAX_READINGS:
                raise SeriesInvalid("readings", f"more than {MAX_READINGS}", "check a shorter period")
            quality = expand_quality(part["quality"])
            if len(part["values"]) != count or len(quality) != count:
                raise SeriesInvalid(
                    f"series {str(part['point'])[:40]}",
                    "times, values and quality differ in length",
                    "give one value and one quality per time",
                )
            key = (provenance.device, part["point"], part["form"], part["unit"], part["width_ms"])
            series = self.series.get(key)
            if series is None:
                series = self.series[key] = PointSeries(*key)
            series.extend(times, part["scale"], part["values"], quality, provenance)

    def find(self, device: str, point: str, form: str, unit: str) -> PointSeries | None:
        """Return the series that is exactly as the plan declares it (of several widths the fullest)."""
        found = [s for k, s in self.series.items() if k[:4] == (device, point, form, unit)]
        return max(found, key=lambda s: (len(s.times), -s.width_ms), default=None)

    def of_point(self, device: str, point: str) -> list[PointSeries]:
        """Return every series of a point, whatever its form and unit, in a fixed order."""
        return [self.series[k] for k in sorted(self.series) if k[:2] == (device, point)]


def expand_times(times: Sequence[Any]) -> array[int]:
    """Return the instants that `[first_ms, [[step_ms, count], ...]]` stands for."""
    at, runs = times
    out = array("q", (at,))
    for step, count in runs:
        if count > MAX_READINGS or step * count > 1 << 62:
            raise SeriesInvalid("times", f"a run of {count} readings", "give shorter runs")
        if step:
            out.extend(range(at + step, at + step * count + (1 if step > 0 else -1), step))
        else:
            out.extend(repeat(at, count))
        at += step * count
    return out


def expand_quality(runs: Iterable[Sequence[Any]]) -> bytes:
    """Return one byte per reading: the position of its quality in QUALITIES."""
    out = bytearray()
    for quality, _source_status, count in runs:
        if count > MAX_READINGS:
            raise SeriesInvalid("quality", f"a run of {count} readings", "give shorter runs")
        out.extend(bytes((QUALITIES.index(quality),)) * count)
    return bytes(out)


def goes_back(times: array[int]) -> list[int]:
    """Return the positions whose instant is not after the one before."""
    if all(map(lt, times, times[1:])):
        return []
    return [i for i, (a, b) in enumerate(pairwise(times), 1) if b <= a]


def _rescaled(values: Sequence[int | None], factor: int) -> list[int | None]:
    if None in values:
        return [None if v is None else v * factor for v in values]
    return list(map(mul, values, repeat(factor)))
