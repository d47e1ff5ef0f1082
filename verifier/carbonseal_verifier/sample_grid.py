"""What is sampled: the slots that the plan expects in the report's period, and what the bundle shows of each.

The population is the expected grid (point and interval), never the entries of a log: an omission has a slot
and can be drawn. Only a usable value answers a slot; a signed gap explains a hole, without filling it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.quantities import format_decimal, unscale
from carbonseal_verifier.errors import SamplingRefused
from carbonseal_verifier.quality.grid import (
    GAP,
    LATE,
    MEASURED,
    MISSING,
    Gap,
    count_grid,
    excluded_steps,
    grid_bounds,
)
from carbonseal_verifier.quality.series_index import BAD, QUALITIES, PointSeries
from carbonseal_verifier.recompute import Prepared
from carbonseal_verifier.sampling import Stratum, sample_size

MAX_STRATA: Final = 500  # the limit of the kind sampling_commitment
STATES: Final = {MEASURED: "measured", LATE: "late", GAP: "gap", MISSING: "missing"}
ANSWERED: Final = frozenset({"measured", "late"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One drawn slot, [start, end) in ms, and what stands there; None where nothing does.

    `digest` is of the statement that holds the value, or else of the gap's.
    """

    slot: int
    start: int
    end: int
    state: str
    value: str | None
    quality: str | None
    digest: bytes | None

    @property
    def is_answered(self) -> bool:
        """Whether a usable value stands there."""
        return self.state in ANSWERED


def strata_of(
    prepared: Prepared, *, confidence: str, tolerable: str, sizes: Mapping[str, int]
) -> list[Stratum]:
    """Return the plan's measurements as strata; `sizes` names samples by measurement, the rest are computed.

    Raises:
        SamplingRefused: a size that no stratum has, or more measurements than one commitment holds.
    """
    expected = expected_slots(prepared)
    unknown = sorted(set(sizes) - set(expected))
    if unknown:
        raise SamplingRefused("--size", f"the plan has no measurement {unknown[0]}", "name one of the plan")
    strata = [
        Stratum(
            name,
            count,
            min(count, sizes[name]) if name in sizes else sample_size(confidence, tolerable, count),
        )
        for name, count in expected.items()
    ]
    if not 1 <= len(strata) <= MAX_STRATA or any(stratum.sample_size < 1 for stratum in strata):
        raise SamplingRefused(
            "strata",
            f"{len(strata)} measurements, and 1 to {MAX_STRATA} are sampled",
            "sample in two engagements",
        )
    return strata


def expected_slots(prepared: Prepared) -> dict[str, int]:
    """Return measurement to number of slots, in the plan's order; one without slots is no stratum."""
    counts = {m["id"]: _bounds(prepared, m)[2] for m in prepared.plan["measurements"]}
    return {name: count for name, count in counts.items() if count}


def samples_of(prepared: Prepared, stratum: str, slots: Sequence[int]) -> list[Sample]:
    """Return what the bundle shows of these slots (ascending) of a measurement."""
    measurement = next(m for m in prepared.plan["measurements"] if m["id"] == stratum)
    bounds = start, step, _ = _bounds(prepared, measurement)
    series = prepared.inputs.index.find(*(measurement[k] for k in ("device", "point", "form", "unit")))
    gaps = [
        gap
        for gap in prepared.inputs.gaps
        if gap.device == measurement["device"] and measurement["point"] in gap.points
    ]
    by_end = measurement["form"] == "register"
    grid = count_grid(bounds, series, gaps, by_end=by_end)
    if by_end and series is not None:
        grid.unmark(excluded_steps(series.ordered(prepared.period[0], prepared.period[1] + 1), measurement))
    read_at = start + step if by_end else start
    readings = {} if series is None else _readings(series, read_at, step, slots)
    samples = []
    for slot in slots:
        span = (start + slot * step, start + (slot + 1) * step)
        state = STATES.get(grid.states[slot], "missing")
        value, quality, digest = readings.get(slot, (None, None, None))
        if value is None and state == "gap":
            digest = _covering(gaps, span)
        samples.append(Sample(slot, *span, state, value, quality, digest))
    return samples


def _bounds(prepared: Prepared, measurement: Mapping[str, Any]) -> tuple[int, int, int]:
    return grid_bounds(measurement, prepared.plan, *prepared.period)


Reading = tuple[str | None, str | None, bytes | None]


def _readings(series: PointSeries, start: int, step: int, slots: Sequence[int]) -> dict[int, Reading]:
    """Return slot to (value, quality, statement digest): the first usable reading, else the first one."""
    usable: dict[int, Reading] = {}
    others: dict[int, Reading] = {}
    wanted = set(slots)
    for block in series.blocks:
        span = range(block.first, block.first + block.count)
        numbers = [
            (at, (series.times[at] - start + step // 2) // step)
            for at in _near(series, span, start, step, slots)
        ]
        for at, slot in numbers:
            if slot not in wanted or slot in usable:
                continue
            value, quality = series.values[at], series.quality[at]
            shown = None if value is None else format_decimal(unscale(value, series.scale))
            reading = (shown, QUALITIES[quality], block.provenance.digest)
            if value is not None and quality != BAD:
                usable[slot] = reading
            else:
                others.setdefault(slot, reading)
    return others | usable


def _near(series: PointSeries, span: range, start: int, step: int, slots: Sequence[int]) -> Iterable[int]:
    """Yield the positions of a block if any drawn slot lies between its earliest and its latest reading."""
    times = series.times[span.start : span.stop]
    low, high = ((at - start + step // 2) // step for at in (min(times), max(times)))
    at = bisect_left(slots, low)
    return span if at < len(slots) and slots[at] <= high else ()


def _covering(gaps: Iterable[Gap], span: tuple[int, int]) -> bytes | None:
    covering: Iterator[Gap] = (gap for gap in gaps if gap.start <= span[0] < gap.end)
    found = next(covering, None)
    return None if found is None else found.digest
