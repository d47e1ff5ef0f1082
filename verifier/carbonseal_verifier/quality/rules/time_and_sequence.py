"""Rules of time and sequence: completeness, duplicates, order, sequence, registration in time, clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from carbonseal_attest.commit_delay import commit_delay as commit_delay_of
from carbonseal_verifier.quality.findings import Observation, Run, runs_of
from carbonseal_verifier.quality.grid import GAP, LATE, MISSING, percent
from carbonseal_verifier.quality.rules.signature import RuleFunction
from carbonseal_verifier.quality.scope import InputMissing, NotApplicable, Target
from carbonseal_verifier.quality.series_index import PointSeries, goes_back

_HOUR: Final = 3_600_000
CLOCK: Final = "clock"  # quantity of a meter's own clock: seconds since 1970


def completeness(target: Target) -> Iterator[Observation]:
    """Count the plan's grid; less than whole is minor, below the profile's share the rule's severity.

    What came late is there all the same: lateness has rules and limits of its own.
    """
    scope = target.scope
    counts, minimum = scope.counts(target.subject), scope.profile.completeness_min_percent
    if not counts.expected:
        raise _nothing_expected()
    absent = counts.expected - counts.measured - counts.late
    if not absent:
        return
    share = percent(counts.measured + counts.late, counts.expected)
    runs = scope.grid(target.subject).runs(MISSING, GAP)
    yield Observation(
        # What the calculation excludes for another reason than absence has no slot of its own here.
        runs or (Run(scope.start, scope.end, absent),),
        {
            "expected": str(counts.expected), "minimum": str(minimum), "share": str(share),
            "measured": str(counts.measured), "late": str(counts.late),
            "gap": str(counts.gap), "missing": str(counts.missing),
        },
        severity=None if share < minimum else "minor",
        # What is only missing may still be filed; what was declared lost will not become whole.
        is_absence=percent(counts.expected - counts.gap, counts.expected) >= minimum,
    )  # fmt: skip


def declared_gap(target: Target) -> Iterator[Observation]:
    """List the signed gaps of a point."""
    scope, subject = target.scope, target.subject
    scope.require_statements()
    gaps = sorted(
        (g.start, g.end, g.digest, g.reason)
        for g in scope.gaps
        if g.device == subject["device"] and subject["point"] in g.points
        and g.start < scope.end and g.end > scope.start
    )  # fmt: skip
    if gaps:
        reasons = ", ".join(sorted({reason for *_, reason in gaps}))
        runs = tuple(Run(start, end, 1) for start, end, *_ in gaps)
        yield Observation(
            runs, {"count": str(len(gaps)), "reasons": reasons}, digests=tuple(g[2] for g in gaps)
        )


def duplicate(target: Target) -> Iterator[Observation]:
    """Find instants that stand twice; equal values are minor, since nothing is counted twice."""
    series, start, end = _logged(target)
    if not goes_back(series.times):
        return
    counts = Counter(series.times)
    twice = sorted(at for at, n in counts.items() if n > 1 and start <= at < end)
    if not twice:
        return
    wanted: dict[int, set[int | None]] = {at: set() for at in twice}
    for at, value in zip(series.times, series.values, strict=True):
        if at in wanted:
            wanted[at].add(value)
    different = sum(len(values) > 1 for values in wanted.values())
    yield Observation(
        runs_of(twice, target.subject["step_ms"]),
        {"count": str(len(twice)), "different": str(different)},
        severity=None if different else "minor",
        digests=_digests(series, twice),
    )


def time_order(target: Target) -> Iterator[Observation]:
    """Find readings earlier than the one logged before them."""
    series, start, end = _logged(target)
    times = series.times
    back = [i for i in goes_back(times) if times[i] < times[i - 1] and start <= times[i] < end]
    if back:
        greatest = max(times[i - 1] - times[i] for i in back)
        at = sorted(times[i] for i in back)
        yield Observation(
            tuple(Run(t, t + target.subject["step_ms"], 1) for t in at),
            {"count": str(len(back)), "greatest_s": str(greatest // 1000)},
            digests=_digests(series, at),
        )


def sequence_break(target: Target) -> Iterator[Observation]:
    """List the breaks that continuity found in the streams."""
    target.scope.require_statements()
    breaks = sorted(target.scope.breaks, key=lambda b: (b.at, b.stream, b.sequence))
    if breaks:
        first = breaks[0]
        yield Observation(
            tuple(Run(b.at, b.at, 1) for b in breaks),
            {"count": str(len(breaks)), "stream": first.stream, "sequence": str(first.sequence),
             "problem": first.problem},
            digests=tuple(b.digest for b in breaks),
        )  # fmt: skip


def commit_delay(target: Target) -> Iterator[Observation]:
    """List late readings of all measurements with the greatest delay: one uplink, one finding."""
    scope = target.scope
    _require_readings(target)
    concerned = [m for m in scope.measurements if scope.counts(m).late]
    if not concerned:
        return
    origins = {o.digest: o for m in concerned for o in scope.provenances(m) if o.is_late}
    bounded = [o for o in origins.values() if o.registered_by is not None]
    delay, worst = max(
        ((commit_delay_of(o.interval, o.registered_by) or 0, o.device) for o in bounded), default=(0, "")
    )
    hours = format((Decimal(delay) / _HOUR).quantize(Decimal("0.1")), "f")
    count = sum(scope.counts(m).late for m in concerned)
    yield Observation(
        _joined(run for m in concerned for run in scope.grid(m).runs(LATE)),
        {"limit_h": _hours(scope.profile.commit_delay_ms), "count": str(count),
         "greatest_h": hours if len(bounded) == len(origins) else "∞", "worst": worst},
        digests=tuple(origins),
        subject=_named(concerned),
    )  # fmt: skip


def late_share(target: Target) -> Iterator[Observation]:
    """Compare the late share of each measurement with the profile's limit: one finding for all."""
    scope, maximum = target.scope, target.scope.profile.late_max_percent
    _require_readings(target)
    shares = {m["id"]: percent(scope.counts(m).late, scope.counts(m).expected)
              for m in scope.measurements if scope.counts(m).expected}  # fmt: skip
    concerned = [m for m in scope.measurements if shares.get(m["id"], Decimal(0)) > maximum]
    if concerned:
        worst = max(concerned, key=lambda m: (shares[m["id"]], m["id"]))["id"]
        yield Observation(
            _joined(run for m in concerned for run in scope.grid(m).runs(LATE)),
            {"maximum": str(maximum), "share": str(shares[worst]), "worst": worst},
            subject=_named(concerned),
        )


def substituted_share(target: Target) -> Iterator[Observation]:
    """Compare the share that the calculation substituted with the profile's limit."""
    if target.subject["id"] not in (target.scope.counted or {}):
        raise NotApplicable(zh="没有计算结果", en="nothing was calculated")
    counts, maximum = target.scope.counts(target.subject), target.scope.profile.substituted_max_percent
    if not counts.expected:
        raise _nothing_expected()
    share = percent(counts.substituted, counts.expected)
    if share > maximum:
        runs = target.scope.grid(target.subject).runs(MISSING, GAP, LATE)
        yield Observation(runs, {"maximum": str(maximum), "share": str(share)})


def clock_offset(target: Target) -> Iterator[Observation]:
    """Find readings or signing times after their registration, or before what the signer knew."""
    if target.scope.series(target.subject) is None:
        raise InputMissing(f"readings of {target.subject['id']}")
    if target.subject["quantity"] == CLOCK:
        yield from _meter_clock(target)
    origins = target.scope.provenances(target.subject)
    if target.subject["quantity"] != CLOCK:
        target.scope.require_statements()
        if all(origin.registered_by is None and origin.known_at is None for origin in origins):
            raise NotApplicable(zh="没有时间戳记可比", en="no tick to compare with")
    limit = target.scope.profile.clock_offset_ms
    found: list[tuple[int, int, int, bytes]] = []
    for origin in origins:
        offset = 0
        if origin.registered_by is not None:
            offset = max(origin.interval[1], origin.issued_at) - origin.registered_by
        if origin.known_at is not None:
            offset = max(offset, origin.known_at - origin.issued_at - 1000)  # issued_at is whole seconds
        if offset > limit:
            found.append((*origin.interval, offset, origin.digest))
    if found:
        found.sort()
        yield Observation(
            tuple(Run(low, high, 1) for low, high, *_ in found),
            {"limit_s": str(limit // 1000), "count": str(len(found)),
             "greatest_s": str(max(f[2] for f in found) // 1000)},
            digests=tuple(f[3] for f in found),
        )  # fmt: skip


def _meter_clock(target: Target) -> Iterator[Observation]:
    """Compare a meter's own clock, in seconds since 1970, with the times of its readings."""
    series, step = target.scope.ordered(target.subject), target.subject["step_ms"]
    times, values = series.present()
    unit, limit = 10**series.scale, target.scope.profile.clock_offset_ms
    offsets = [(t, abs(v * 1000 - t * unit)) for t, v in zip(times, values, strict=True)]
    found = [(t, offset // unit) for t, offset in offsets if offset > limit * unit]
    if found:
        yield Observation(
            runs_of((t for t, _ in found), step),
            {"limit_s": str(limit // 1000), "count": str(len(found)),
             "greatest_s": str(max(offset for _, offset in found) // 1000)},
        )  # fmt: skip


def _logged(target: Target) -> tuple[PointSeries, int, int]:
    series = target.scope.series(target.subject)
    if series is None:
        raise InputMissing(f"readings of {target.subject['id']}")
    if len(series.times) < 2:
        raise NotApplicable(zh="读数少于两个", en="fewer than two readings")
    return series, target.scope.start, target.scope.end


def _require_readings(target: Target) -> None:
    scope = target.scope
    scope.require_statements()
    if not any(scope.provenances(m) for m in scope.measurements):
        raise NotApplicable(zh="期间内没有读数", en="no readings of the period")


def _nothing_expected() -> NotApplicable:
    return NotApplicable(zh="期间内计划不要求读数", en="the plan expects no readings in the period")


def _digests(series: PointSeries, instants: list[int]) -> tuple[bytes, ...]:
    """Return the statements that hold any of the first few instants, in log order."""
    wanted = set(instants[:64])
    found = (
        block.provenance.digest
        for block in series.blocks
        if not wanted.isdisjoint(series.times[block.first : block.first + block.count])
    )
    return tuple(dict.fromkeys(found))


def _joined(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Return runs of several measurements by time; of one time, their counts are added."""
    counts: dict[tuple[int, int], int] = {}
    for run in runs:
        counts[run.start, run.end] = counts.get((run.start, run.end), 0) + run.count
    return tuple(Run(start, end, count) for (start, end), count in sorted(counts.items()))


def _named(measurements: list[Mapping[str, Any]]) -> str:
    return measurements[0]["id"] if len(measurements) == 1 else f"{len(measurements)} measurements"


def _hours(ms: int) -> str:
    return format((Decimal(ms) / _HOUR).normalize(), "f")


RULES: Final[Mapping[str, RuleFunction]] = {
    "completeness": completeness,
    "declared-gap": declared_gap,
    "duplicate": duplicate,
    "time-order": time_order,
    "sequence-break": sequence_break,
    "commit-delay": commit_delay,
    "late-share": late_share,
    "substituted-share": substituted_share,
    "clock-offset": clock_offset,
}
