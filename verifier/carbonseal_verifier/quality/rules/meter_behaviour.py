"""Rules of meter behaviour: stuck, spike, beyond capacity, register going back, negative, unlike the plan.

All arithmetic is on the scaled integers that were signed. Percentiles are order statistics, no interpolation.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from operator import sub
from typing import Final

from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.quality.amounts import rounded, scaled_or_none, shown
from carbonseal_verifier.quality.findings import Observation, Run, runs_of
from carbonseal_verifier.quality.rules.signature import RuleFunction
from carbonseal_verifier.quality.scope import InputMissing, NotApplicable, Target

_HOUR: Final = 3_600_000
_DAY: Final = 86_400_000


def stuck(target: Target) -> Iterator[Observation]:
    """Find one non-zero value, or one state of a register, many times in a row.

    Values of a few resolution steps repeat by rounding. A register may stand still: it counts only where it
    moves in most intervals and stands still seldom.
    """
    series = target.scope.ordered(target.subject)
    times, values = series.present()
    least, step = target.integer("min_run"), target.subject["step_ms"]
    is_register = target.subject["form"] == "register"
    _require_count(values, least + is_register)
    coarse = 0 if is_register else target.integer("min_resolution_steps")
    found: list[tuple[int, int, int]] = []
    position = 0
    for value, group in groupby(values):
        length = len(list(group))
        if length >= least + is_register and abs(value) >= coarse:
            found.append((position, length, value))
        position += length
    if is_register and found:
        days = max(1, (target.scope.end - target.scope.start) // _DAY)
        moves = sum(a != b for a, b in pairwise(values))
        if moves * 2 <= len(values) or len(found) * 30 > target.integer("register_max_runs") * max(days, 30):
            return
    if found:
        yield Observation(
            tuple(Run(times[p], times[p + n - 1] + step, n) for p, n, _ in found),
            {"min_run": str(least), "runs": str(len(found)), "count": str(sum(n for _, n, _ in found)),
             "value": shown(found[0][2], series.scale), "longest": str(max(n for _, n, _ in found))},
        )  # fmt: skip


def spike(target: Target) -> Iterator[Observation]:
    """Find values far outside the series' own 1st to 99th percentile of non-zero values."""
    series = target.scope.ordered(target.subject)
    times, values = series.present()
    if target.subject["form"] == "register":
        times, values = _steps(times, values, target.subject["step_ms"])
    usual = sorted(v for v in values if v)
    _require_count(usual, target.integer("min_readings"))
    last = len(usual) - 1
    p1, p50, p99 = (usual[last * p // 100] for p in (1, 50, 99))
    factors = [Fraction(target.parameters[name]) for name in ("factor", "severe_factor")]
    low, high = _bounds(p1, p50, p99, factors[0])
    if usual[0] >= low and usual[-1] <= high:
        return
    severe_low, severe_high = _bounds(p1, p50, p99, factors[1])
    severe = usual[0] < severe_low or usual[-1] > severe_high
    # A zero is no spike: standing still, and falling to zero, have rules of their own.
    outside = [(t, v) for t, v in zip(times, values, strict=True) if v and not low <= v <= high]
    if not outside:
        return
    worst = max((v for _, v in outside), key=lambda v: (abs(v - p50), v))
    yield Observation(
        runs_of((t for t, _ in outside), target.subject["step_ms"]),
        {"low": shown(low, series.scale), "high": shown(high, series.scale), "count": str(len(outside)),
         "worst": shown(worst, series.scale)},
        severity=None if severe else "minor",
    )  # fmt: skip


def over_capacity(target: Target) -> Iterator[Observation]:
    """Find amounts beyond what the declared capacity gives in the interval's length."""
    subject = target.subject
    if subject.get("capacity_per_hour") is None:
        raise NotApplicable(zh="计划未声明装机能力", en="no capacity is declared")
    series = target.scope.ordered(subject)
    times, values = series.present()
    _require_count(values, 1 if subject["form"] == "interval" else 2)
    # value / 10^scale in length ms beyond capacity per hour  <=>  value * HOUR > capacity * 10^scale * length
    per_ms = Fraction(parse_decimal(subject["capacity_per_hour"])) * 10**series.scale
    starts: list[int] = []
    worst = Fraction(0)  # per hour, scaled
    if subject["form"] == "interval":
        length = series.source.width_ms or subject["step_ms"]
        bound = int(per_ms * length // _HOUR)
        if values and max(values) > bound:
            starts = [t for t, v in zip(times, values, strict=True) if v > bound]
            worst = Fraction(max(values) * _HOUR, length)
    else:
        for (t0, t1), (v0, v1) in zip(pairwise(times), pairwise(values), strict=True):
            if (v1 - v0) * _HOUR * per_ms.denominator > per_ms.numerator * (t1 - t0):
                starts.append(t0)
                worst = max(worst, Fraction((v1 - v0) * _HOUR, t1 - t0))
    if starts:
        yield Observation(
            runs_of(starts, subject["step_ms"]),
            {"capacity": subject["capacity_per_hour"], "unit": subject["unit"], "count": str(len(starts)),
             "worst": rounded(worst / 10**series.scale, 2)},
        )  # fmt: skip


def negative_step(target: Target) -> Iterator[Observation]:
    """Find falls of a cumulative register; a roll-over counts as such only by the plan's modulus."""
    subject = target.subject
    series = target.scope.ordered(subject)
    times, values = series.present()
    _require_count(values, 2)
    if all(map(int.__le__, values, values[1:])):
        return
    modulus = scaled_or_none(subject.get("register_modulus"), series.scale)
    margin = modulus * target.integer("roll_over_percent") // 100 if modulus is not None else 0
    falls: list[tuple[int, int, int, int]] = []
    roll_overs = 0
    for i, (before, after) in enumerate(pairwise(values)):
        if after < before:
            if modulus is not None and before >= modulus - margin and 0 <= after <= margin:
                roll_overs += 1
            else:
                falls.append((times[i], times[i + 1], before, after))
    if falls:
        yield Observation(
            tuple(Run(low, high, 1) for low, high, *_ in falls),
            {"modulus": subject.get("register_modulus") or "–", "count": str(len(falls)),
             "before": shown(falls[0][2], series.scale), "after": shown(falls[0][3], series.scale),
             "roll_overs": str(roll_overs)},
        )  # fmt: skip


def negative_amount(target: Target) -> Iterator[Observation]:
    """Find negative amounts of quantities that are counted in one direction."""
    series = target.scope.ordered(target.subject)
    times, values = series.present()
    _require_count(values, 1)
    if min(values) >= 0:
        return
    found = [(t, v) for t, v in zip(times, values, strict=True) if v < 0]
    yield Observation(
        runs_of((t for t, _ in found), target.subject["step_ms"]),
        {"count": str(len(found)), "worst": shown(min(v for _, v in found), series.scale),
         "total": shown(sum(v for _, v in found), series.scale)},
    )  # fmt: skip


def unlike_plan(target: Target) -> Iterator[Observation]:
    """Find readings of the point whose form, unit or width is not the plan's."""
    scope, subject = target.scope, target.subject
    if scope.is_bare:
        raise NotApplicable(zh="没有监测计划", en="no monitoring plan")
    own = scope.series(subject)
    others = [
        s for s in scope.index.of_point(subject["device"], subject["point"]) if s is not own and s.times
    ]
    found = [(s, s.ordered(scope.start, scope.end)) for s in others]
    found = [(s, o) for s, o in found if o.times]
    if found:
        yield Observation(
            tuple(Run(o.times[0], o.times[-1] + subject["step_ms"], len(o.times)) for _, o in found),
            {"form": subject["form"], "unit": subject["unit"],
             "count": str(sum(len(o.times) for _, o in found)),
             "others": ", ".join(f"{s.form} {s.unit}" for s, _ in found)},
        )  # fmt: skip
    elif own is None:
        raise InputMissing(f"readings of {subject['id']}")


def _require_count(values: Sequence[int], least: int) -> None:
    """Raise NotApplicable below the number of values with which a rule can say anything."""
    if len(values) < least:
        raise NotApplicable(
            zh=f"可用读数 {len(values)} 个，至少需要 {least} 个",
            en=f"usable readings: {len(values)}, at least {least} are needed",
        )


def _steps(times: array[int], values: Sequence[int], step: int) -> tuple[array[int], list[int]]:
    """Return the differences of readings one step apart, at the time of the earlier one."""
    gaps = list(map(sub, times[1:], times))
    differences = list(map(sub, values[1:], values))
    # A fall is the matter of negative-step, not a spike.
    kept = [
        (t, d)
        for t, d, gap in zip(times, differences, gaps, strict=False)
        if d >= 0 and abs(gap - step) * 2 <= step
    ]
    return array("q", (t for t, _ in kept)), [d for _, d in kept]


def _bounds(p1: int, p50: int, p99: int, factor: Fraction) -> tuple[int, int]:
    return p1 - int((p50 - p1) * factor), p99 + int((p99 - p50) * factor)


RULES: Final[Mapping[str, RuleFunction]] = {
    "stuck": stuck,
    "spike": spike,
    "over-capacity": over_capacity,
    "negative-step": negative_step,
    "negative-amount": negative_amount,
    "unlike-plan": unlike_plan,
}
