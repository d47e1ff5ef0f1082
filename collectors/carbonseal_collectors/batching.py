"""Samples cut into what one statement says: readings of one meter in one window, and the gaps beside them.

Pure functions, no clock and no disk. Samples stay in the order in which their source gave them. Nothing is
filled
in: a slot of the expected grid without a usable value becomes a gap with its reason, and stretches of
silence that touch become one gap. Two readings of one instant that contradict each other are both kept and
both marked bad; a plain repetition is left out and reported. What a gap means for a total is left to
accounting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from carbonseal_attest.contents import readings
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.quantities import scale_values
from carbonseal_collectors.adapter import BAD, Sample, SetAside
from carbonseal_collectors.gateway_config import MeterConfig
from carbonseal_collectors.plain_text import as_plain_text
from carbonseal_collectors.windows import Window, civil_day, grid

SOURCE_SILENT: Final = "source_silent"
BAD_ROW: Final = "bad_row"
BAD_VALUE: Final = "bad_value"
STOPPED: Final = "stopped"
CONTRADICTS: Final = "contradicts_another_row"
_ORDINARY_PLACES: Final = 6  # where a column does not fit 64 bits, figures up to these limits always do
_ORDINARY_LIMIT: Final = 10**12
_MAX_DETAIL: Final = 200  # characters
_MAX_STATUS: Final = 80  # characters, the content schema's limit


@dataclass(frozen=True, slots=True)
class Batch:
    """What one statement will say: kind, meter, half-open interval (ms), body; and what went in."""

    kind: str
    meter: str
    interval: tuple[int, int]
    body: dict[str, Any]
    samples: tuple[Sample, ...] = ()


@dataclass(slots=True)
class Cut:
    """The batches of one meter in the order to be signed, and what was left out or over.

    Attributes:
        repeated: readings that said the same as one before them.
        left: samples of windows that are still open.
        resume_from: where the next cut begins.
    """

    batches: list[Batch] = field(default_factory=list)
    repeated: list[Sample] = field(default_factory=list)
    left: list[Sample] = field(default_factory=list)
    resume_from: int | None = None


@dataclass(frozen=True, slots=True)
class _Silence:
    start: int
    end: int
    points: tuple[str, ...]
    reason: str
    detail: str

    def touches(self, later: _Silence) -> bool:
        return self.end == later.start and (self.points, self.reason, self.detail) == (
            later.points,
            later.reason,
            later.detail,
        )


def cut_meter(
    meter: MeterConfig,
    samples: Sequence[Sample],
    *,
    window: Window,
    resume_from: int | None,
    until: int,
    is_silence_open: bool,
    set_aside: Sequence[SetAside] = (),
    silence: str = SOURCE_SILENT,
) -> Cut:
    """Cuts one meter's samples into batches, window by window.

    Args:
        meter: its points give the expected grid.
        samples: of this meter, in the source's order.
        window: how time is cut.
        resume_from: end of what was cut before, or None the first time: then the first sample begins the
            grid.
        until: samples from here on stay for later.
        is_silence_open: True where nothing after the last sample may be called silent yet (files).
        set_aside: rows that may explain missing slots.
        silence: reason of gaps that nothing else explains.

    Returns:
        A cut. Readings older than `resume_from` come in statements of their own, without gaps.
    """
    cut = Cut(resume_from=resume_from)
    groups: dict[int, list[Sample]] = {}
    late: dict[int, list[Sample]] = {}
    bounds = (0, 0)
    for sample in samples:
        if sample.at >= until:
            cut.left.append(sample)
            continue
        if not bounds[0] <= sample.at < bounds[1]:
            bounds = window.around(sample.at)
        is_late = resume_from is not None and sample.at < resume_from
        (late if is_late else groups).setdefault(bounds[0], []).append(sample)
    for members in late.values():
        kept = _without_repeats(members, cut.repeated)
        cut.batches.append(_readings(meter, _span(kept), kept))
    start, end = _range(meter, groups, resume_from, until, is_silence_open=is_silence_open)
    silences: list[_Silence] = []
    at = start
    for window_start, members in sorted(groups.items()):
        lower, upper = max(window_start, start), min(window.around(window_start)[1], end)
        if at < lower:
            silences.append(_whole(meter, at, lower, set_aside, silence))
        kept = _without_repeats(members, cut.repeated)
        cut.batches.append(_readings(meter, (lower, upper), kept))
        silences.extend(_silent_slots(meter, kept, (lower, upper), window.time_zone, set_aside, silence))
        at = upper
    if at < end:
        silences.append(_whole(meter, at, end, set_aside, silence))
    cut.batches.extend(
        gap_batch(meter.code, (item.start, item.end), item.points, item.reason, item.detail)
        for item in _merged(silences)
    )
    cut.batches.sort(key=lambda batch: (batch.interval[0], batch.kind != "readings"))
    cut.resume_from = max(end, resume_from or 0) if start < end else resume_from
    return cut


def _range(
    meter: MeterConfig,
    groups: Mapping[int, Sequence[Sample]],
    resume_from: int | None,
    until: int,
    *,
    is_silence_open: bool,
) -> tuple[int, int]:
    """The half-open stretch that this cut speaks for."""
    present = [sample for members in groups.values() for sample in members]
    if not present and (resume_from is None or is_silence_open):
        return 0, 0
    start = min(sample.at for sample in present) if resume_from is None else resume_from
    if not is_silence_open:
        return start, until
    steps = {point.point: point.step_ms for point in meter.points}
    last = max(sample.at + (sample.width_ms or steps[sample.point]) for sample in present)
    return start, min(until, last)


def _without_repeats(samples: Sequence[Sample], repeated: list[Sample]) -> list[Sample]:
    """Leaves out plain repetitions, and marks every reading of an instant with two different ones bad."""
    kept: dict[tuple[str, int, int], list[Sample]] = {}
    order: list[tuple[tuple[str, int, int], int]] = []
    for sample in samples:
        key = (sample.point, sample.at, sample.width_ms)
        same_instant = kept.setdefault(key, [])
        if any(_says_the_same(sample, other) for other in same_instant):
            repeated.append(sample)
            continue
        order.append((key, len(same_instant)))
        same_instant.append(sample)
    return [
        kept[key][number]
        if len(kept[key]) == 1
        else kept[key][number]._replace(quality=BAD, source_status=CONTRADICTS)
        for key, number in order
    ]


def _says_the_same(sample: Sample, other: Sample) -> bool:
    return (sample.value, sample.unit, sample.form) == (other.value, other.unit, other.form)


def _readings(meter: MeterConfig, interval: tuple[int, int], samples: Sequence[Sample]) -> Batch:
    columns: dict[tuple[str, str, str, int], list[readings.Sample]] = {}
    for sample in samples:
        key = (sample.point, sample.form, sample.unit, sample.width_ms)
        columns.setdefault(key, []).append(
            readings.Sample(
                sample.at, sample.value, sample.quality, as_plain_text(sample.source_status, _MAX_STATUS)
            )
        )
    series = [
        readings.Series.of(point, form, unit, _representable(column), width_ms=width_ms)
        for (point, form, unit, width_ms), column in columns.items()
    ]
    least = _span(samples)
    covered = (min(interval[0], least[0]), max(interval[1], least[1]))
    return Batch("readings", meter.code, covered, readings.readings_body(series), tuple(samples))


def _representable(column: list[readings.Sample]) -> list[readings.Sample]:
    """The column as it is; figures beyond 64 bits at its scale keep only their text, as a bad status."""
    try:
        scale_values([sample.value for sample in column])
    except CarbonsealError:
        return [
            sample
            if sample.value is None or _is_ordinary(sample.value)
            else readings.Sample(
                sample.at, None, BAD, as_plain_text(f"unrepresentable {sample.value}", _MAX_STATUS)
            )
            for sample in column
        ]
    return column


def _is_ordinary(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_ORDINARY_PLACES and abs(value) < _ORDINARY_LIMIT


def _span(samples: Sequence[Sample]) -> tuple[int, int]:
    return min(s.at for s in samples), max(s.at + max(s.width_ms, 1) for s in samples)


def _silent_slots(
    meter: MeterConfig,
    samples: Sequence[Sample],
    interval: tuple[int, int],
    time_zone: str,
    set_aside: Sequence[SetAside],
    silence: str,
) -> Iterator[_Silence]:
    """The slots of one window without a usable value, neighbours of the same kind joined."""
    anchor = civil_day(time_zone, interval[0])[0]
    steps = {point.point: point.step_ms for point in meter.points}
    usable: set[tuple[str, int]] = set()
    useless: dict[tuple[str, int], str] = {}
    for sample in samples:
        slot = anchor + (sample.at - anchor) // steps[sample.point] * steps[sample.point]
        if sample.value is not None and sample.quality != BAD:
            usable.add((sample.point, slot))
        else:
            useless[sample.point, slot] = sample.source_status
    for step in sorted(set(steps.values())):
        points = sorted(point for point, its_step in steps.items() if its_step == step)
        for slot in grid(step, time_zone, *interval):
            if slot + step > interval[1]:
                break  # not over yet: a flush in the middle of it
            missing: dict[tuple[str, str], list[str]] = {}
            for point in points:
                if (point, slot) not in usable:
                    why = _why(
                        meter, point, (slot, slot + step), useless.get((point, slot)), set_aside, silence
                    )
                    missing.setdefault(why, []).append(point)
            for (reason, detail), names in sorted(missing.items()):
                yield _Silence(slot, slot + step, tuple(names), reason, detail)


def _why(
    meter: MeterConfig,
    point: str,
    slot: tuple[int, int],
    status: str | None,
    set_aside: Sequence[SetAside],
    silence: str,
) -> tuple[str, str]:
    """Reason and detail of one missing slot: a row set aside, what the source said, or silence."""
    for row in set_aside:
        if (
            row.meter in {None, meter.code}
            and (not row.points or point in row.points)
            and _explains(row, slot)
        ):
            return BAD_VALUE if row.points else BAD_ROW, f"{row.file} line {row.line}: {row.reason}"
    if status is None:
        return silence, ""
    is_silent = status.startswith(("no_connection", "timeout", "exception_"))
    return SOURCE_SILENT if is_silent else BAD_VALUE, status


def _explains(row: SetAside, slot: tuple[int, int]) -> bool:
    if row.after is None or row.before is None:
        return False
    if row.points:  # a bad cell: its slot is known
        return row.after <= slot[0] < row.before
    return row.after < slot[0] < row.before


def _whole(meter: MeterConfig, start: int, end: int, set_aside: Sequence[SetAside], silence: str) -> _Silence:
    """One silence of every point, for a stretch without any sample."""
    names = tuple(sorted(point.point for point in meter.points))
    for row in set_aside:
        if not row.points and row.meter in {None, meter.code} and _explains(row, (start, end)):
            return _Silence(start, end, names, BAD_ROW, f"{row.file} line {row.line}: {row.reason}")
    return _Silence(start, end, names, silence, "")


def _merged(silences: Sequence[_Silence]) -> Iterator[_Silence]:
    open_: list[_Silence] = []
    for item in sorted(silences, key=lambda item: (item.points, item.reason, item.detail, item.start)):
        if open_ and open_[-1].touches(item):
            last = open_.pop()
            open_.append(_Silence(last.start, item.end, last.points, last.reason, last.detail))
        else:
            open_.append(item)
    yield from sorted(open_, key=lambda item: (item.start, item.points))


def gap_batch(
    meter: str, interval: tuple[int, int], points: Sequence[str], reason: str, detail: str = ""
) -> Batch:
    """The batch of one gap: these points have no usable value in the interval, for that reason."""
    body = {"points": list(points), "reason": reason, "detail": as_plain_text(detail, _MAX_DETAIL)}
    return Batch("gap", meter, interval, body)
