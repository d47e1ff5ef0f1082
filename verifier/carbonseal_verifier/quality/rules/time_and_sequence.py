"""Rules of time and sequence: completeness, duplicates, order, sequence, registration in time, clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from carbonseal_verifier.quality.findings import Observation, Run, runs_of
from carbonseal_verifier.quality.grid import GAP, LATE, MISSING, percent
from carbonseal_verifier.quality.rules.signature import RuleFunction
from carbonseal_verifier.quality.scope import InputMissing, Target
from carbonseal_verifier.quality.series_index import PointSeries, goes_back

_HOUR: Final = 3_600_000


def completeness(target: Target) -> Iterator[Observation]:
    """Count the plan's grid; less than whole is minor, below the profile's share the rule's severity."""
    counts, minimum = target.scope.counts(target.subject), target.scope.profile.completeness_min_percent
    if counts.measured == counts.expected:
        return
    share = percent(counts.measured, counts.expected)
    yield Observation(
        target.scope.grid(target.subject).runs(MISSING, GAP, LATE),
        {
            "expected": str(counts.expected), "minimum": str(minimum), "share": str(share),
            "measured": str(counts.measured), "late": str(counts.late),
            "gap": str(counts.gap), "missing": str(counts.missing),
        },
        severity=None if share < minimum else "minor",
        # What is only missing may still be filed; what came late or was declared lost will not become whole.
        is_absence=percent(counts.measured + counts.missing, counts.expected) >= minimum,
    )  # fmt: skip


def declared_gap(target: Target) -> Iterator[Observation]:
    """List the signed gaps of a point."""
    scope, subject = target.scope, target.subject
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
    """List late readings with the greatest delay."""
    late = target.scope.counts(target.subject).late
    if not late:
        return
    origins = [o for o in target.scope.provenances(target.subject) if o.is_late]
    delays = [o.registered_by - o.interval[1] for o in origins if o.registered_by is not None]
    hours = format((Decimal(max(delays, default=0)) / _HOUR).quantize(Decimal("0.1")), "f")
    yield Observation(
        target.scope.grid(target.subject).runs(LATE),
        {"limit_h": _hours(target.scope.profile.commit_delay_ms), "count": str(late),
         "greatest_h": hours if len(delays) == len(origins) else "∞"},
        digests=tuple(o.digest for o in origins),
    )  # fmt: skip


def late_share(target: Target) -> Iterator[Observation]:
    """Compare the late share with the profile's limit."""
    counts, maximum = target.scope.counts(target.subject), target.scope.profile.late_max_percent
    share = percent(counts.late, counts.expected)
    if counts.expected and share > maximum:
        runs = target.scope.grid(target.subject).runs(LATE)
        yield Observation(runs, {"maximum": str(maximum), "share": str(share)})


def substituted_share(target: Target) -> Iterator[Observation]:
    """Compare the share that the calculation substituted with the profile's limit."""
    counts, maximum = target.scope.counts(target.subject), target.scope.profile.substituted_max_percent
    share = percent(counts.substituted, counts.expected)
    if counts.expected and share > maximum:
        runs = target.scope.grid(target.subject).runs(MISSING, GAP, LATE)
        yield Observation(runs, {"maximum": str(maximum), "share": str(share)})


def clock_offset(target: Target) -> Iterator[Observation]:
    """Find readings or signing times after their registration, or before what the signer knew."""
    if target.scope.series(target.subject) is None:
        raise InputMissing(f"readings of {target.subject['id']}")
    limit = target.scope.profile.clock_offset_ms
    found: list[tuple[int, int, int, bytes]] = []
    for origin in target.scope.provenances(target.subject):
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


def _logged(target: Target) -> tuple[PointSeries, int, int]:
    series = target.scope.series(target.subject)
    if series is None:
        raise InputMissing(f"readings of {target.subject['id']}")
    return series, target.scope.start, target.scope.end


def _digests(series: PointSeries, instants: list[int]) -> tuple[bytes, ...]:
    """Return the statements that hold any of the first few instants, in log order."""
    wanted = set(instants[:64])
    found = (
        block.provenance.digest
        for block in series.blocks
        if not wanted.isdisjoint(series.times[block.first : block.first + block.count])
    )
    return tuple(dict.fromkeys(found))


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
